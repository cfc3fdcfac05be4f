//! `linli verify`

use std::io::Write as _;

use super::{CliError, configure, connect};
use crate::verify;

/// Check every invariant of ledger, stock and slots; JSON on standard output, exit code 1 where one is broken
///
/// Reads only, in one snapshot, and may run while the service works.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Also make every seal again from the journal, and tell what was changed, taken away, put in or moved since
    #[arg(long)]
    seals: bool,
}

pub(super) async fn run(Args { seals }: Args) -> Result<(), CliError> {
    let config = configure()?;
    if let Some(path) = config.sqlite_path()
        && !path.exists()
    {
        return Err(CliError::failed(format!("{}: there is no database", path.display())));
    }
    let db = connect(&config).await?;
    let pending = db.pending_migrations().await?;
    if pending > 0 {
        return Err(CliError::failed(format!("the database lacks {pending} migrations: run `linli migrate`")));
    }
    let report = if seals {
        let keys = config.secret_key.keys().map_err(anyhow::Error::new)?;
        verify::run_with_seals(&db, &keys).await?
    } else {
        verify::run(&db).await?
    };
    let text = serde_json::to_string_pretty(&report).map_err(anyhow::Error::new)?;
    writeln!(std::io::stdout(), "{text}")?;
    match report.findings.len() {
        0 => Ok(()),
        count => Err(CliError::failed(format!("{count} findings"))),
    }
}
