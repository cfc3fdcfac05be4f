//! What happens to claims by itself, in steps of one claim each, so that any node may do any of them at any time: each step
//! is conditional on the status that it found, and a step that comes late finds nothing to do.

use chrono::{DateTime, Utc};
use entity::claim::{self, ClaimStatus};
use entity::id::{ClaimId, ServiceRecordId};
use entity::task::{self, TaskStatus};
use sea_orm::sea_query::{Expr, ExprTrait as _, Query};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};

use super::attendance::{LATE_ENTRY, close_at_end};
use super::claim::{find, lapse, release};
use super::domain::ClaimStep;
use super::error::TaskError;
use super::service::{Moved, lock, recount};
use crate::identity::Scope;
use crate::setting::{self, Number};

/// How long after the window's end an accepted claim without check-in counts as missed: until then staff may still enter
/// when the volunteer came and went.
const MISSED_AFTER_HOURS: Number = Number::new("claim.missed_after_hours", 72, 1..=24 * 60);

/// A claim that something is to be done about.
#[derive(Clone, Debug)]
pub struct Due {
    pub claim: claim::Model,
    pub step: ClaimStep,
}

/// Offers that ran out, check-ins still open after the window, claims nobody came for; at most `limit` of each.
///
/// # Errors
/// The database's.
pub async fn due(db: &impl ConnectionTrait, now: DateTime<Utc>, limit: u64) -> Result<Vec<Due>, DbErr> {
    use claim::Column::{OfferExpiresAt, Status, UpdatedAt, WindowUntil};
    let [missed_after] = setting::numbers(db, [MISSED_AFTER_HOURS]).await?;
    let ran_out = Condition::all()
        .add(Status.eq(ClaimStatus::Offered))
        .add(Condition::any().add(OfferExpiresAt.lte(now)).add(WindowUntil.lte(now)));
    // A check-in entered after the end waits for its check-out.
    let entered_long_ago = UpdatedAt.lte(now - LATE_ENTRY);
    let in_time = || Expr::col(UpdatedAt).lt(Expr::col(WindowUntil));
    let still_in = Condition::all()
        .add(Status.eq(ClaimStatus::CheckedIn))
        .add(WindowUntil.lte(now))
        .add(Condition::any().add(in_time()).add(entered_long_ago));
    let missed =
        Condition::all().add(Status.eq(ClaimStatus::Accepted)).add(WindowUntil.lte(now - setting::hours(missed_after)));
    let mut found = Vec::new();
    for (condition, step) in [(ran_out, ClaimStep::Lapse), (still_in, ClaimStep::CheckOut), (missed, ClaimStep::Miss)] {
        let claims = claim::Entity::find()
            .filter(condition)
            .order_by_asc(claim::Column::WindowUntil)
            .limit(limit)
            .all(db)
            .await?;
        found.extend(claims.into_iter().map(|claim| Due { claim, step }));
    }
    Ok(found)
}

/// Claims that are through, of tasks whose window is over and that still wait for others: [`finish`] them.
///
/// # Errors
/// The database's.
pub async fn lingering(db: &impl ConnectionTrait, now: DateTime<Utc>, limit: u64) -> Result<Vec<ClaimId>, DbErr> {
    let over = Query::select()
        .column(task::Column::Id)
        .from(task::Entity)
        .and_where(task::Column::Status.eq(TaskStatus::InProgress))
        .and_where(task::Column::WindowUntil.lte(now))
        .take();
    let still_in = Query::select()
        .column(claim::Column::TaskId)
        .from(claim::Entity)
        .and_where(claim::Column::Status.eq(ClaimStatus::CheckedIn))
        .and_where(claim::Column::WindowUntil.lte(now))
        .take();
    claim::Entity::find()
        .select_only()
        .column(claim::Column::Id)
        .filter(claim::Column::Status.is_in([ClaimStatus::CheckedOut, ClaimStatus::Verified, ClaimStatus::Rejected]))
        .filter(claim::Column::TaskId.in_subquery(over))
        .filter(claim::Column::TaskId.not_in_subquery(still_in))
        .limit(limit)
        .into_tuple()
        .all(db)
        .await
}

/// Ends a task that waits for nobody any more; `id` is of a claim on it that is through. `None` where it has ended already.
///
/// # Errors
/// [`TaskError::NotFound`]; the database's.
pub async fn finish(db: &impl ConnectionTrait, id: ClaimId, now: DateTime<Utc>) -> Result<Option<Moved>, TaskError> {
    let claim = find(db, &Scope::System, id).await?;
    let task = lock(db, claim.task_id).await?;
    if task.status != TaskStatus::InProgress {
        return Ok(None);
    }
    let task = recount(db, task, now).await?;
    Ok(Some(Moved { task, claim, step: ClaimStep::CheckOut }))
}

/// Does what is due about one claim. `None` where there is nothing for its source to act on.
///
/// # Errors
/// [`TaskError::Raced`] and [`TaskError::InvalidTransition`] where somebody was faster: nothing is left to do.
pub async fn settle_due(
    db: &impl ConnectionTrait,
    due: &Due,
    record: ServiceRecordId,
    now: DateTime<Utc>,
) -> Result<Option<Moved>, TaskError> {
    match due.step {
        ClaimStep::Lapse => lapse(db, &due.claim, now).await.map(|_| None),
        ClaimStep::CheckOut => close_at_end(db, due.claim.id, record, now).await.map(Some),
        ClaimStep::Miss => release(db, &due.claim, ClaimStep::Miss, None, now).await.map(Some),
        ClaimStep::Accept
        | ClaimStep::Decline
        | ClaimStep::Withdraw
        | ClaimStep::CheckIn
        | ClaimStep::Verify
        | ClaimStep::Reject => Ok(None),
    }
}
