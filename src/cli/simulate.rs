//! `linli simulate`

mod table;

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use figment::Figment;
use figment::providers::{Format as _, Toml};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::CliError;
use super::import::mapped;
use crate::exchange::scene::{Read, day_of, of_set, read};
use crate::simulation::{Outcome, Policy, simulate};

/// Replay a data set's wishes under assignment policies and report what would come of each
#[derive(clap::Args)]
pub(super) struct Args {
    /// The folder with the set's members and wishes
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// How files of others become members and wishes, as with `linli import`
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// How many days are replayed, from the day of the first wish
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=3660))]
    days: u32,
    /// A policy as TOML; given more than once, each is tried on the same wishes with the same chance
    #[arg(long, value_name = "FILE", required = true)]
    policy: Vec<PathBuf>,
    /// What chance begins with
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Write the report to a file too
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    let policies = policies(&args.policy)?;
    let bar = progress_bar(u64::from(args.days) * policies.len() as u64);
    let began = Instant::now();
    let mut tell = |file: &str| bar.set_message(file.to_owned());
    let set = match &args.mapping {
        Some(mapping) => of_set(&mapped(mapping, &args.data)?, mapping, &mut tell),
        None => read(&args.data, &mut tell),
    };
    let set = set.map_err(anyhow::Error::new)?;
    let outcomes: Vec<Outcome> = policies
        .iter()
        .map(|policy| {
            bar.set_message(policy.name.clone());
            simulate(&set.scene, policy, args.days, args.seed, &mut |_| bar.inc(1))
        })
        .collect();
    bar.finish_and_clear();
    let report = json!({ "set": description(&set, args), "policies": outcomes });
    let text = serde_json::to_string_pretty(&report).map_err(anyhow::Error::new)?;
    if let Some(path) = &args.out {
        std::fs::write(path, format!("{text}\n"))
            .map_err(|error| CliError::failed(format!("{}: {error}", path.display())))?;
    }
    writeln!(std::io::stdout(), "{text}")?;
    // Not in the report: it would differ from run to run.
    eprintln!("{}seconds {:.3}", table::of(&outcomes), began.elapsed().as_secs_f64());
    Ok(())
}

fn description(set: &Read, args: &Args) -> serde_json::Value {
    let scene = &set.scene;
    let begin = scene.begins();
    let end = begin.map(|begin| begin + i64::from(args.days) * 24 * 60);
    let day = |minute: Option<i64>| minute.and_then(day_of).map(|day| day.to_string());
    json!({
        "volunteers": scene.people().len(),
        "wishes": scene.requests().len(),
        "wishes_after_the_last_day":
            scene.requests().iter().filter(|request| end.is_some_and(|end| request.created >= end)).count(),
        "first_day": day(begin),
        "last_day": day(end.map(|end| end - 1)),
        "days": args.days,
        "seed": args.seed,
        "left_out": set.left_out,
    })
}

fn policies(paths: &[PathBuf]) -> Result<Vec<Policy>, CliError> {
    let mut policies: Vec<Policy> = Vec::new();
    for path in paths {
        let policy = policy(path)?;
        if policies.iter().any(|other| other.name == policy.name) {
            let reason = format!("{}: another policy is named {} too", path.display(), policy.name);
            return Err(CliError::Usage(reason));
        }
        policies.push(policy);
    }
    Ok(policies)
}

/// A policy without a name is called by its file.
fn policy(path: &Path) -> Result<Policy, CliError> {
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => CliError::Usage(named(&error)),
        _ => CliError::failed(named(&error)),
    })?;
    let found = Figment::from(Toml::string(&text));
    let mut policy: Policy = found.extract().map_err(|error| CliError::Usage(named(&error)))?;
    if found.find_value("name").is_err() {
        policy.name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    }
    policy.check().map_err(|error| CliError::Usage(named(&error)))?;
    Ok(policy)
}

/// On a terminal only.
fn progress_bar(days: u64) -> ProgressBar {
    let bar = ProgressBar::hidden();
    bar.set_length(days);
    if std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::stderr());
    }
    if let Ok(style) = ProgressStyle::with_template("{msg:>16} {wide_bar} {pos}/{len} days {elapsed}") {
        bar.set_style(style);
    }
    bar
}
