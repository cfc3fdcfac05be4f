//! `linli migrate`

use super::{CliError, configure, connect};

/// Bring the schema to the newest version
#[derive(clap::Args)]
pub(super) struct Args {}

pub(super) async fn run(Args {}: Args) -> Result<(), CliError> {
    let config = configure()?;
    // A database that is made here gets its key file here.
    config.secret_key.keys()?;
    let db = connect(&config).await?;
    let pending = db.pending_migrations().await?;
    db.migrate().await?;
    println!("{pending} migrations applied");
    Ok(())
}
