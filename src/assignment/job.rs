//! Goes on with assignments whose offers were interrupted: the node that began them died, or there are too many for one go.

use chrono::{DateTime, Utc};
use entity::id::AssignmentId;

use super::error::AssignmentError;
use super::service::{self, Batch};
use crate::app::AppState;
use crate::db::Txn;
use crate::jobs::{JobError, Lease};

/// The job; the answer is how many batches it made.
///
/// # Errors
/// The database's.
pub async fn run(state: &AppState, _: &Lease) -> Result<u64, JobError> {
    let mut done = 0;
    for id in service::unfinished(state.db.read()).await? {
        done += go_on(state, id).await?;
    }
    Ok(done)
}

/// Makes the offers that are left, batch by batch, without keeping the caller waiting. What fails here is the job's.
pub(super) fn go_on_soon(state: &AppState, id: AssignmentId) {
    let state = state.clone();
    actix_web::rt::spawn(async move {
        if let Err(error) = go_on(&state, id).await {
            tracing::warn!(assignment.id = %id, %error, "offers are not all made yet");
        }
    });
}

async fn go_on(state: &AppState, id: AssignmentId) -> Result<u64, AssignmentError> {
    let size = service::batch_size(state.db.read()).await?;
    let mut done = 0;
    loop {
        let now: DateTime<Utc> = state.clock.now();
        let batch = Batch::next(state.db.read(), id, size).await?;
        let step = state.db.write(async move |txn: &Txn| service::resume(txn, id, &batch, now).await).await?;
        let Some(row) = step else { return Ok(done) };
        done += 1;
        if row.status != entity::assignment::AssignmentStatus::Offering {
            return Ok(done);
        }
    }
}
