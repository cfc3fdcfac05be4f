//! What a wish does because of its task, and because of time.

use chrono::{DateTime, Utc};
use entity::id::{MemberId, WishId};
use entity::wish::{self, WishStatus};
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, Iterable as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};

use super::domain::{WishStep, due_at, follows};
use super::error::WishError;
use super::notice;
use super::service::{limits, lock, step};
use crate::notify::{self, Message};
use crate::task::domain::ClaimStep;
use crate::task::error::TaskError;
use crate::task::service::{self as tasks, Moved, Window};

/// Lets the wish of a task follow what happened to it. Answers what the requester is to be told.
///
/// # Errors
/// [`TaskError::OwnWish`] where the requester claims it; the database's.
pub async fn task_moved(
    db: &impl ConnectionTrait,
    moved: &Moved,
    now: DateTime<Utc>,
) -> Result<Option<(MemberId, Message)>, WishError> {
    let why = follows(&moved.task);
    let stepped = match why {
        Some(why) => step_from(db, moved, why, now).await?,
        None => None,
    };
    let why = why.filter(|_| stepped.is_some());
    let wish = match stepped {
        Some(wish) => wish,
        None => match wish::Entity::find_by_id(WishId(moved.task.source_id)).one(db).await? {
            Some(wish) => wish,
            None => return Ok(None),
        },
    };
    if moved.step == ClaimStep::Accept && wish.requester_id == moved.claim.member_id {
        return Err(TaskError::OwnWish.into());
    }
    if wish.task_id != Some(moved.task.id) {
        return Ok(None);
    }
    Ok(message(&wish, why, moved.step).map(|message| (wish.requester_id, message)))
}

/// One conditional statement: the wish if it stood where the step begins and the task is of its present round.
async fn step_from(
    db: &impl ConnectionTrait,
    moved: &Moved,
    why: WishStep,
    now: DateTime<Utc>,
) -> Result<Option<wish::Model>, DbErr> {
    let places = WishStatus::iter().find_map(|at| why.apply_to(at).map(|next| (at, next)));
    let Some((at, next)) = places else { return Ok(None) };
    let window = Window { from: moved.task.window_from, until: moved.task.window_until };
    let due = match next {
        WishStatus::Claimed | WishStatus::InService => due_at(next, window, limits(db).await?, now),
        _ => None,
    };
    let mut changes =
        wish::ActiveModel { status: Set(next), due_at: Set(due), updated_at: Set(now), ..Default::default() };
    match why {
        WishStep::Claim => changes.claimed_at = Set(Some(now)),
        WishStep::Release => changes.claimed_at = Set(None),
        WishStep::Finish => changes.fulfilled_at = Set(Some(now)),
        _ => {}
    }
    let moved = wish::Entity::update_many()
        .set(changes)
        .filter(wish::Column::Id.eq(WishId(moved.task.source_id)))
        .filter(wish::Column::TaskId.eq(moved.task.id))
        .filter(wish::Column::Status.eq(at))
        .exec_with_returning(db)
        .await?;
    Ok(moved.into_iter().next())
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
