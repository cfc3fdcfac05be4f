//! `linli import`

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::str::FromStr;

use chrono::NaiveDate;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{CliError, Migrate, configure, open};
use crate::exchange::import::{Options, import};

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
    let state = open(configure()?, Migrate::Sqlite).await?;
    let shift_to = args.shift_to.map(|to| match to {
        ShiftTo::Today => state.calendar.day_of(state.clock.now()),
        ShiftTo::Day(day) => day,
    });
    let options = Options { dry_run: args.dry_run, shift_to };
    let bar = progress_bar();
    let outcome = import(&state, &args.dir, options, &bar).await;
    bar.finish_and_clear();
    let report = outcome.map_err(anyhow::Error::new)?;
    let text = serde_json::to_string_pretty(&report).map_err(anyhow::Error::new)?;
    if let Some(path) = &args.report {
        std::fs::write(path, format!("{text}\n"))?;
    }
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
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
