//! `linli import`

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use chrono::NaiveDate;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{CliError, Migrate, configure, open};
use crate::exchange::dataset::DataSet;
use crate::exchange::import::{Options, import, import_set};
use crate::exchange::mapping::{Mapping, MappingError};

/// Read a data set; the report goes to standard output
#[derive(clap::Args)]
pub(super) struct Args {
    /// The folder with the set's CSV and XLSX files
    dir: PathBuf,
    /// Judge every row and report, but write nothing
    #[arg(long)]
    dry_run: bool,
    /// Write the report to a file too
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Move every time by whole weeks, so that the newest lies in the week of this day
    #[arg(long, value_name = "DATE|today")]
    shift_to: Option<ShiftTo>,
    /// How files of others become tables of ours, as TOML
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug)]
enum ShiftTo {
    Today,
    Day(NaiveDate),
}

impl FromStr for ShiftTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "today" {
            return Ok(Self::Today);
        }
        text.parse().map(Self::Day).map_err(|_| "a day such as 2026-11-22, or today".to_owned())
    }
}

pub(super) async fn run(args: Args) -> Result<(), CliError> {
    if !args.dir.is_dir() {
        return Err(CliError::Usage(format!("{} is not a folder", args.dir.display())));
    }
    let mapped = args.mapping.as_deref().map(|mapping| mapped(mapping, &args.dir)).transpose()?;
    let state = open(configure()?, Migrate::Sqlite).await?;
    let shift_to = args.shift_to.map(|to| match to {
        ShiftTo::Today => state.calendar.day_of(state.clock.now()),
        ShiftTo::Day(day) => day,
    });
    let options = Options { dry_run: args.dry_run, shift_to };
    let bar = progress_bar();
    let outcome = match &mapped {
        Some(set) => import_set(&state, set, args.mapping.as_deref().unwrap_or(&args.dir), options, &bar).await,
        None => import(&state, &args.dir, options, &bar).await,
    };
    bar.finish_and_clear();
    let report = outcome.map_err(anyhow::Error::new)?;
    let text = serde_json::to_string_pretty(&report).map_err(anyhow::Error::new)?;
    if let Some(path) = &args.report {
        std::fs::write(path, format!("{text}\n"))?;
    }
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
}

/// The files of `dir` as a mapping translates them.
///
/// # Errors
/// [`CliError::Usage`] where the mapping is wrong or does not fit the files, [`CliError::Failed`] where files are missing.
pub(super) fn mapped(mapping: &Path, dir: &Path) -> Result<DataSet, CliError> {
    let name = mapping.file_name().unwrap_or_default().to_string_lossy();
    let text = std::fs::read_to_string(mapping).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => CliError::Usage(format!("{}: {error}", mapping.display())),
        _ => CliError::failed(format!("{}: {error}", mapping.display())),
    })?;
    let found = Mapping::parse(&name, &text).and_then(|mapping| mapping.apply(dir));
    found.map_err(|error| match error {
        MappingError::Wrong { .. } | MappingError::Column { .. } => CliError::Usage(error.to_string()),
        MappingError::Missing(_) => CliError::Failed(error.into()),
    })
}

/// On a terminal only.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::hidden();
    if std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::stderr());
    }
    if let Ok(style) = ProgressStyle::with_template("{msg:>16} {wide_bar} {bytes}/{total_bytes} {elapsed}") {
        bar.set_style(style);
    }
    bar
}
