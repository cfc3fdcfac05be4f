//! `linli openapi`

use std::io::Write as _;

use super::CliError;
use crate::app;

/// Print the OpenAPI document
#[derive(clap::Args)]
pub(super) struct Args {}

pub(super) fn run(Args {}: &Args) -> Result<(), CliError> {
    let document = app::document().to_pretty_json().map_err(anyhow::Error::new)?;
    writeln!(std::io::stdout(), "{document}")?;
    Ok(())
}
