//! `linli assign`

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use serde_json::json;

use super::CliError;
use crate::exchange::assignment::{Assignment, AssignmentError};
use crate::exchange::csv::CsvWriter;
use crate::matching::{Pair, assign, value};

/// Propose which volunteer is asked for which wish, from two CSV files, by the greatest sum of scores
#[derive(clap::Args)]
pub(super) struct Args {
    /// CSV of wishes: `wish_id`, `region_code`, skills, `window_start`, `window_end`, `people_needed`
    #[arg(long, value_name = "FILE")]
    wishes: PathBuf,
    /// CSV of volunteers: `member_id`, `region_code`, skills, availability, capacity
    #[arg(long, value_name = "FILE")]
    volunteers: PathBuf,
    /// Write the plan as CSV: `wish_id`, `member_id`, score
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    let input = Assignment::read(&args.wishes, &args.volunteers).map_err(|error| match error {
        AssignmentError::Io { .. } | AssignmentError::MissingColumn { .. } => CliError::Usage(error.to_string()),
        AssignmentError::Rows { .. } => CliError::Failed(error.into()),
    })?;
    let began = Instant::now();
    let plan = assign(&input.wishes, &input.volunteers);
    let seconds = (began.elapsed().as_secs_f64() * 1e3).round() / 1e3;
    if let Some(path) = &args.out {
        write(path, &input, &plan).map_err(|error| CliError::failed(format!("{}: {error}", path.display())))?;
    }
    let places: u64 = input.wishes.iter().map(|wish| u64::from(wish.needed)).sum();
    let answer = json!({
        "objective": value(&plan),
        "assigned": plan.len(),
        "unassigned": places.saturating_sub(plan.len() as u64),
        "seconds": seconds,
    });
    writeln!(std::io::stdout(), "{answer}")?;
    Ok(())
}

fn write(path: &std::path::Path, input: &Assignment, plan: &[Pair]) -> std::io::Result<()> {
    let mut out = CsvWriter::new(std::fs::File::create(path)?);
    out.write(["wish_id", "member_id", "score"])?;
    let at = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    for pair in plan {
        let (wish, member) = (&input.wish_ids[at(pair.wish)], &input.member_ids[at(pair.volunteer)]);
        out.write([wish.as_str(), member, &pair.score.to_string()])?;
    }
    let file = out.finish()?;
    // A pipe or a device keeps nothing that could be synchronised.
    if file.metadata()?.is_file() { file.sync_all() } else { Ok(()) }
}
