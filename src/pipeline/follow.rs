//! What the upper rooms do about what the lower ones found out.

use chrono::{DateTime, Utc};
use entity::id::{ClaimId, MemberId};
use entity::task::TaskSource;
use sea_orm::ConnectionTrait;

use crate::listing;
use crate::notify::Message;
use crate::service_record::domain::Step as RecordStep;
use crate::task::domain::ClaimStep;
use crate::task::error::TaskError;
use crate::task::service::{self as tasks, Moved};
use crate::wish::{self, error::WishError};

/// Lets the source of a task follow what happened to it. Answers whom to tell what.
///
/// # Errors
/// What the source says.
pub async fn task_moved(
    db: &impl ConnectionTrait,
    moved: &Moved,
    now: DateTime<Utc>,
) -> Result<Option<(MemberId, Message)>, WishError> {
    match moved.task.source_kind {
        TaskSource::Wish => wish::follow::task_moved(db, moved, now).await,
        TaskSource::Listing => Ok(listing::round::task_moved(db, moved).await?),
        // They ask for nothing when their tasks move.
        TaskSource::Activity | TaskSource::Post | TaskSource::WorkOrder => Ok(None),
    }
}

/// Ends the claim whose service record was judged.
///
/// # Errors
/// The database's.
pub async fn record_judged(
    db: &impl ConnectionTrait,
    claim: ClaimId,
    outcome: RecordStep,
    now: DateTime<Utc>,
) -> Result<(), TaskError> {
    let step = match outcome {
        RecordStep::Verify => ClaimStep::Verify,
        RecordStep::Reject => ClaimStep::Reject,
        // What was served stays served, whatever becomes of its record later.
        RecordStep::Reverse | RecordStep::Dispute => return Ok(()),
    };
    tasks::settle(db, claim, step, now).await.map(drop)
}
