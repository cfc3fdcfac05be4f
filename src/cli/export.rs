//! `linli export`

use std::io::Write as _;
use std::path::PathBuf;

use super::{CliError, Migrate, configure, open};
use crate::exchange::export::{ExportError, export};

/// Write a data set that imports into an empty instance with the same totals
#[derive(clap::Args)]
pub(super) struct Args {
    /// The folder to write to; made if it is not there, otherwise empty
    dir: PathBuf,
}

pub(super) async fn run(args: Args) -> Result<(), CliError> {
    let state = open(configure()?, Migrate::Sqlite).await?;
    let report = export(&state, &args.dir).await.map_err(|error| match error {
        ExportError::NotEmpty(_) => CliError::Usage(error.to_string()),
        ExportError::Io(error) => CliError::failed(format!("{}: {error}", args.dir.display())),
        ExportError::Db(_) => CliError::Failed(error.into()),
    })?;
    let text = serde_json::to_string_pretty(&report).map_err(anyhow::Error::new)?;
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
}
