//! Counts what readers have not.

use crate::app::AppState;
use crate::jobs::{JobError, Lease};

use super::service;

/// Marks counted in one transaction: others wait that long for SQLite's writer.
const STEP: u64 = 500;

/// Counts marks until none are left; how many it counted.
///
/// # Errors
/// The database's.
pub async fn run(state: &AppState, _: &Lease) -> Result<u64, JobError> {
    let (calendar, mut counted) = (state.calendar, 0);
    loop {
        if service::behind_since(state.db.read()).await?.is_none() {
            return Ok(counted);
        }
        counted += state.db.write(async move |txn| service::refresh(txn, &calendar, STEP).await).await?;
    }
}
