//! What every command on wishes shares: finding, locking and stepping them, their clocks, who may decide.
//!
//! A command that touches the wish's task locks the task first, then the wish: the order of every command on claims. All of
//! it is to be run in a transaction.

use chrono::{DateTime, Utc};
use entity::id::{MemberId, WishId};
use entity::wish::{self, WishStatus};
use entity::{wish_hazard, wish_skill};
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    SelectExt as _,
};

use super::domain::{Limits, WindowRefusal, WishStep, check_window};
use super::error::WishError;
use super::query::sees;
use crate::http::FieldError;
use crate::identity::{Manager, Scope};
use crate::setting::{self, Number};
use crate::task::service::{self as tasks, Window};

const ANSWER_HOURS: Number = Number::new("wish.answer_hours", 24, 1..=24 * 30);
const CONTACT_HOURS: Number = Number::new("wish.contact_hours", 7 * 24, 1..=24 * 30);
const COMPLETION_HOURS: Number = Number::new("wish.completion_hours", 24, 0..=24 * 30);

/// A wish that `scope` may see.
///
/// # Errors
/// [`WishError::NotFound`].
pub async fn find(db: &impl ConnectionTrait, scope: &Scope, id: WishId) -> Result<wish::Model, WishError> {
    wish::Entity::find_by_id(id).filter(sees(scope)).one(db).await?.ok_or(WishError::NotFound)
}

/// Whether there is such a wish, whoever may see it.
///
/// # Errors
/// The database's.
pub async fn exists(db: &impl ConnectionTrait, id: WishId) -> Result<bool, DbErr> {
    wish::Entity::find_by_id(id).exists(db).await
}

/// Holds the wish's task and the wish, and reads it again as it then is.
pub(super) async fn lock(db: &impl ConnectionTrait, found: wish::Model) -> Result<wish::Model, WishError> {
    if let Some(task) = found.task_id {
        tasks::lock(db, task).await?;
    }
    wish::Entity::find_by_id(found.id).lock_exclusive().one(db).await?.ok_or(WishError::NotFound)
}

/// The status that `step` leads to.
pub(super) fn allowed(found: &wish::Model, step: WishStep) -> Result<WishStatus, WishError> {
    let at = found.status;
    step.apply_to(at).ok_or(WishError::InvalidTransition { at, step })
}

/// Moves a wish by one step, conditional on the status and the task just read. A clock that is not set in `changes` stops.
pub(super) async fn step(
    db: &impl ConnectionTrait,
    found: &wish::Model,
    step: WishStep,
    mut changes: wish::ActiveModel,
    now: DateTime<Utc>,
) -> Result<wish::Model, WishError> {
    changes.status = Set(allowed(found, step)?);
    changes.updated_at = Set(now);
    if changes.due_at.is_not_set() {
        changes.due_at = Set(None);
    }
    let mut update = wish::Entity::update_many()
        .set(changes)
        .filter(wish::Column::Id.eq(found.id))
        .filter(wish::Column::Status.eq(found.status));
    update = match found.task_id {
        Some(task) => update.filter(wish::Column::TaskId.eq(task)),
        None => update.filter(wish::Column::TaskId.is_null()),
    };
    update.exec_with_returning(db).await?.into_iter().next().ok_or(WishError::Raced)
}

/// The clocks in force.
pub(super) async fn limits(db: &impl ConnectionTrait) -> Result<Limits, DbErr> {
    let [answer, contact, completion] = setting::numbers(db, [ANSWER_HOURS, CONTACT_HOURS, COMPLETION_HOURS]).await?;
    Ok(Limits {
        answer: setting::hours(answer),
        contact: setting::hours(contact),
        completion: setting::hours(completion),
    })
}

/// The hazards that the review found in a wish, in order of code.
///
/// # Errors
/// The database's.
pub(super) async fn hazards_of(db: &impl ConnectionTrait, id: WishId) -> Result<Vec<String>, DbErr> {
    wish_hazard::Entity::find()
        .select_only()
        .column(wish_hazard::Column::Hazard)
        .filter(wish_hazard::Column::WishId.eq(id))
        .order_by_asc(wish_hazard::Column::Hazard)
        .into_tuple()
        .all(db)
        .await
}

/// The skills of a wish, in order of code.
///
/// # Errors
/// The database's.
pub async fn skills_of(db: &impl ConnectionTrait, id: WishId) -> Result<Vec<String>, DbErr> {
    wish_skill::Entity::find()
        .select_only()
        .column(wish_skill::Column::Skill)
        .filter(wish_skill::Column::WishId.eq(id))
        .order_by_asc(wish_skill::Column::Skill)
        .into_tuple()
        .all(db)
        .await
}

/// Nobody decides about the wish of the member that they are.
pub(super) fn other_than(manager: &Manager, found: &wish::Model) -> Result<(), WishError> {
    if manager.member == Some(found.requester_id) { Err(WishError::SecondPerson) } else { Ok(()) }
}

/// The volunteer sees the wish too, but it is not theirs to move.
pub(super) fn own(found: &wish::Model, member: MemberId) -> Result<(), WishError> {
    if found.requester_id == member { Ok(()) } else { Err(WishError::NotRequester) }
}

pub(super) fn window_fault(window: Window, now: DateTime<Utc>) -> Option<FieldError> {
    let refusal = check_window(window, now).err()?;
    let code = match refusal {
        WindowRefusal::Empty => "invalid",
        WindowRefusal::Over | WindowRefusal::TooLong => "out_of_range",
    };
    Some(FieldError::new("window.until", code).saying(refusal.to_string()))
}
