//! What happens by itself to claims and wishes: offers lapse, open check-ins close at the window's end, claims nobody came for
//! are missed, tasks that wait for nobody end, unclaimed wishes expire. Any node may run it at any time, several at once: each
//! step is a command of its own, conditional on what it found.

use chrono::{DateTime, Utc};
use entity::id::{ClaimId, ServiceRecordId};

use super::claims::tell;
use super::follow::task_moved;
use crate::app::AppState;
use crate::db::Txn;
use crate::jobs::{JobError, Lease};
use crate::notify;
use crate::task::domain::ClaimStep;
use crate::task::error::TaskError;
use crate::task::service as tasks;
use crate::task::sweep::{self, Due};
use crate::task::{notice, offering};
use crate::wish::error::WishError;
use crate::wish::follow as wishes;

/// How many of a kind are read at once.
const BATCH: u64 = 200;

/// Does all that is due, and answers how many things it did. One step that fails (somebody was faster, or a record of that
/// time is there already) does not keep the others.
///
/// # Errors
/// The database does not answer.
pub async fn run(state: &AppState, _: &Lease) -> Result<u64, JobError> {
    Ok(sweep_all(state).await?)
}

async fn sweep_all(state: &AppState) -> Result<u64, WishError> {
    let now = state.clock.now();
    let mut done = 0;
    loop {
        let mut moved = 0;
        for due in sweep::due(state.db.read(), now, BATCH).await? {
            let record = ServiceRecordId::new();
            let step = state.db.write(async move |txn: &Txn| settle(txn, &due, record, now).await).await;
            moved += count(step)?;
        }
        for id in sweep::lingering(state.db.read(), now, BATCH).await? {
            let finish = state.db.write(async move |txn: &Txn| finish(txn, id, now).await);
            moved += count(finish.await)?;
        }
        for id in wishes::over(state.db.read(), now, BATCH).await? {
            let expired = state.db.write(async move |txn: &Txn| wishes::expire(txn, id, now).await).await;
            moved += u64::from(expired.map(Some).or_else(pass_over)?.unwrap_or(false));
        }
        done += moved;
        if moved == 0 {
            return Ok(done);
        }
    }
}

async fn settle(txn: &Txn, due: &Due, record: ServiceRecordId, now: DateTime<Utc>) -> Result<(), WishError> {
    let Some(moved) = sweep::settle_due(txn, due, record, now).await? else {
        let title = tasks::find(txn, due.claim.task_id).await?.map(|task| task.title);
        let message = notice::lapsed(&title.unwrap_or_default(), &due.claim);
        offering::look_again(txn, due.claim.task_id, now).await?;
        return Ok(notify::tell(txn, due.claim.member_id, message, now).await?);
    };
    let notice = if moved.step == ClaimStep::Miss { notice::missed } else { notice::checked_out };
    tell(txn, moved, notice, now).await.map(drop)
}

async fn finish(txn: &Txn, id: ClaimId, now: DateTime<Utc>) -> Result<(), WishError> {
    let ended = sweep::finish(txn, id, now).await?.ok_or(WishError::Raced)?;
    let told = task_moved(txn, &ended, now).await?;
    Ok(notify::tell_all(txn, told, now).await?)
}

fn count(step: Result<(), WishError>) -> Result<u64, WishError> {
    let step = step.map(Some).or_else(pass_over)?;
    Ok(u64::from(step.is_some()))
}

/// Only an unreachable database ends the run.
fn pass_over<T>(error: WishError) -> Result<Option<T>, WishError> {
    match error {
        WishError::Db(_) | WishError::Task(TaskError::Db(_)) => Err(error),
        WishError::Raced | WishError::Task(TaskError::Raced | TaskError::InvalidTransition { .. }) => Ok(None),
        other => {
            tracing::warn!(error = %other, "a claim or wish could not be moved by itself");
            Ok(None)
        }
    }
}
