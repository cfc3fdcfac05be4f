//! What a wish does because of its task, and because of time.

use chrono::{DateTime, Utc};
use entity::id::WishId;
use entity::wish::{self, WishStatus};
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::domain::{WishStep, due_at, follows, window_of};
use super::error::WishError;
use super::notice;
use super::service::{limits, lock, step};
use crate::notify::{self, Message};
use crate::task::domain::ClaimStep;
use crate::task::error::TaskError;
use crate::task::service::{self as tasks, Moved};

/// Lets the wish of a task follow what happened to it, and tells the requester. Answers the wish as it then is, unless the
/// task is of an earlier round.
///
/// # Errors
/// [`TaskError::OwnWish`] where the requester claims it; [`WishError::Raced`]; the database's.
pub async fn task_moved(
    db: &impl ConnectionTrait,
    moved: &Moved,
    now: DateTime<Utc>,
) -> Result<Option<wish::Model>, WishError> {
    let id = WishId(moved.task.source_id);
    let Some(found) = wish::Entity::find_by_id(id).one(db).await? else { return Ok(None) };
    if moved.step == ClaimStep::Accept && found.requester_id == moved.claim.member_id {
        return Err(TaskError::OwnWish.into());
    }
    if found.task_id != Some(moved.task.id) {
        return Ok(None);
    }
    let why = follows(found.status, &moved.task);
    let wish = match why {
        Some(why) => step(db, &found, why, changes(db, &found, why, now).await?, now).await?,
        None => found,
    };
    if let Some(message) = message(&wish, why, moved.step) {
        notify::tell(db, wish.requester_id, message, now).await?;
    }
    Ok(Some(wish))
}

async fn changes(
    db: &impl ConnectionTrait,
    found: &wish::Model,
    why: WishStep,
    now: DateTime<Utc>,
) -> Result<wish::ActiveModel, DbErr> {
    let mut changes = wish::ActiveModel::default();
    match why {
        WishStep::Claim => {
            changes.claimed_at = Set(Some(now));
            changes.due_at = Set(due_at(WishStatus::Claimed, window_of(found), limits(db).await?, now));
        }
        WishStep::Release => changes.claimed_at = Set(None),
        WishStep::Begin => {
            changes.due_at = Set(due_at(WishStatus::InService, window_of(found), limits(db).await?, now));
        }
        WishStep::Finish => changes.fulfilled_at = Set(Some(now)),
        WishStep::Publish
        | WishStep::Reject
        | WishStep::Cancel
        | WishStep::Confirm
        | WishStep::Dispute
        | WishStep::Uphold
        | WishStep::Republish
        | WishStep::Reopen
        | WishStep::Relist
        | WishStep::Expire => {}
    }
    Ok(changes)
}

fn message(wish: &wish::Model, why: Option<WishStep>, happened: ClaimStep) -> Option<Message> {
    if why == Some(WishStep::Finish) {
        return Some(notice::fulfilled(wish));
    }
    match happened {
        ClaimStep::Accept => Some(notice::claimed(wish)),
        ClaimStep::Withdraw | ClaimStep::Miss => Some(notice::released(wish)),
        ClaimStep::CheckIn => Some(notice::begun(wish)),
        ClaimStep::CheckOut | ClaimStep::Decline | ClaimStep::Lapse | ClaimStep::Verify | ClaimStep::Reject => None,
    }
}

/// Published wishes whose window is over, oldest first.
///
/// # Errors
/// The database's.
pub async fn over(db: &impl ConnectionTrait, now: DateTime<Utc>, limit: u64) -> Result<Vec<WishId>, DbErr> {
    wish::Entity::find()
        .select_only()
        .column(wish::Column::Id)
        .filter(wish::Column::Status.eq(WishStatus::Published))
        .filter(wish::Column::WindowUntil.lte(now))
        .order_by_asc(wish::Column::WindowUntil)
        .limit(limit)
        .into_tuple()
        .all(db)
        .await
}

/// Expires a published wish whose window is over: its task is closed, its offers lapse, both sides are told. False where
/// there was nothing to do (any more), so that any node may try at any time.
///
/// # Errors
/// The database's.
pub async fn expire(db: &impl ConnectionTrait, id: WishId, now: DateTime<Utc>) -> Result<bool, WishError> {
    let Some(found) = wish::Entity::find_by_id(id).one(db).await? else { return Ok(false) };
    let found = lock(db, found).await?;
    if found.status != WishStatus::Published || found.window_until > now {
        return Ok(false);
    }
    let wish = step(db, &found, WishStep::Expire, wish::ActiveModel::default(), now).await?;
    if let Some(task) = wish.task_id {
        let ended = tasks::close(db, task, None, now).await?;
        notify::tell_all(db, notice::to_claims_of_cancelled(&wish, &ended), now).await?;
    }
    notify::tell(db, wish.requester_id, notice::expired(&wish), now).await?;
    Ok(true)
}
