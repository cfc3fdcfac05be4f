//! How wishes end, and begin again. All of it to be run in a transaction.

use chrono::{DateTime, TimeDelta, Utc};
use entity::id::{MemberId, TaskId, WishId};
use entity::programme;
use entity::wish::{self, WishStatus};
use sea_orm::ActiveValue::Set;
use sea_orm::{ConnectionTrait, DbErr, EntityTrait as _};
use serde_json::json;

use super::domain::{WishStep, due_at, next_window, window_of};
use super::error::WishError;
use super::intake::{put_hazards, put_skills};
use super::notice;
use super::round::{NewRound, open_round};
use super::service::{allowed, find, hazards_of, limits, lock, other_than, own, skills_of, step, window_fault};
use crate::audit::{self, Actor, AuditEvent};
use crate::identity::{Manager, Scope};
use crate::notify;
use crate::points::programme_of;
use crate::service_record;
use crate::task::service::{self as tasks, Window};
use crate::taxonomy;

/// Who calls a wish off.
#[derive(Clone, Debug)]
pub enum Canceller {
    Requester(MemberId),
    Manager(Manager),
}

impl Canceller {
    fn scope(&self) -> Scope {
        match self {
            Self::Requester(id) => Scope::Member(*id),
            Self::Manager(manager) => Scope::Staff(manager.subtree()),
        }
    }

    fn actor(&self) -> Actor {
        match self {
            Self::Requester(id) => Actor::Member(*id),
            Self::Manager(manager) => Actor::Staff(manager.id),
        }
    }
}

/// Calls a wish off before anybody has come: its offers lapse, its claims are withdrawn, and all of them are told.
///
/// # Errors
/// [`WishError::NotFound`], [`WishError::NotRequester`], [`WishError::InvalidTransition`].
pub async fn cancel(
    db: &impl ConnectionTrait,
    by: &Canceller,
    id: WishId,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<wish::Model, WishError> {
    let found = find(db, &by.scope(), id).await?;
    if let Canceller::Requester(member) = by {
        own(&found, *member)?;
    }
    allowed(&found, WishStep::Cancel)?;
    let found = lock(db, found).await?;
    let changes = wish::ActiveModel { reason: Set(reason.map(str::to_owned)), ..Default::default() };
    let wish = step(db, &found, WishStep::Cancel, changes, now).await?;
    if let Some(task) = wish.task_id.filter(|_| found.status != WishStatus::Submitted) {
        let ended = tasks::close(db, task, reason, now).await?;
        notify::tell_all(db, notice::to_claims_of_cancelled(&wish, &ended), now).await?;
    }
    notify::tell(db, wish.requester_id, notice::cancelled(&wish), now).await?;
    let event = AuditEvent::new(by.actor(), "wish.cancel", "wish", now).of(id).in_region(&wish.region_code);
    audit::record(db, event).await?;
    Ok(wish)
}

/// The requester's word that it was done: raises the evidence of its records from B to A.
///
/// # Errors
/// [`WishError::NotFound`], [`WishError::NotRequester`], [`WishError::InvalidTransition`].
pub async fn confirm(
    db: &impl ConnectionTrait,
    requester: MemberId,
    id: WishId,
    rating: i16,
    comment: Option<&str>,
    now: DateTime<Utc>,
) -> Result<wish::Model, WishError> {
    let found = find(db, &Scope::Member(requester), id).await?;
    own(&found, requester)?;
    let changes = wish::ActiveModel {
        rating: Set(Some(rating)),
        comment: Set(comment.map(str::to_owned)),
        confirmed_at: Set(Some(now)),
        ..Default::default()
    };
    let wish = step(db, &found, WishStep::Confirm, changes, now).await?;
    if let Some(task) = wish.task_id {
        let served = tasks::served_claims(db, task).await?;
        service_record::service::raise_to_confirmed(db, served.iter().map(|claim| claim.id), now).await?;
        let told = served.iter().map(|claim| (claim.member_id, notice::confirmed(&wish, rating)));
        notify::tell_all(db, told, now).await?;
    }
    Ok(wish)
}

/// The requester's word that it was not done, or not well: a manager decides.
///
/// # Errors
/// [`WishError::NotFound`], [`WishError::NotRequester`], [`WishError::InvalidTransition`].
pub async fn dispute(
    db: &impl ConnectionTrait,
    requester: MemberId,
    id: WishId,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<wish::Model, WishError> {
    let found = find(db, &Scope::Member(requester), id).await?;
    own(&found, requester)?;
    allowed(&found, WishStep::Dispute)?;
    let changes = wish::ActiveModel {
        reason: Set(Some(reason.to_owned())),
        due_at: Set(due_at(WishStatus::Disputed, window_of(&found), limits(db).await?, now)),
        ..Default::default()
    };
    let wish = step(db, &found, WishStep::Dispute, changes, now).await?;
    if let Some(task) = wish.task_id {
        let served = tasks::served_claims(db, task).await?;
        let told = served.iter().map(|claim| (claim.member_id, notice::disputed(&wish)));
        notify::tell_all(db, told, now).await?;
    }
    Ok(wish)
}

/// A manager's decision about a dispute: it was done, or it is to be done again (with a new task, whose id is `task`).
/// Nobody's evidence rises by it: the person served has not confirmed.
///
/// # Errors
/// [`WishError::NotFound`], [`WishError::SecondPerson`], [`WishError::InvalidTransition`].
pub async fn arbitrate(
    db: &impl ConnectionTrait,
    manager: &Manager,
    id: WishId,
    republish: Option<TaskId>,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<wish::Model, WishError> {
    let found = find(db, &Scope::Staff(manager.subtree()), id).await?;
    other_than(manager, &found)?;
    let reason = Some(reason.to_owned());
    let wish = match republish {
        None => {
            let changes = wish::ActiveModel { reason: Set(reason), confirmed_at: Set(Some(now)), ..Default::default() };
            step(db, &found, WishStep::Uphold, changes, now).await?
        }
        Some(task) => {
            allowed(&found, WishStep::Republish)?;
            let round = again(db, &found, task, None, now).await?;
            open_round(db, &wish::Model { reason, ..found }, WishStep::Republish, round, now).await?
        }
    };
    notify::tell(db, wish.requester_id, notice::arbitrated(&wish), now).await?;
    let event =
        AuditEvent::new(Actor::Staff(manager.id), "wish.arbitrate", "wish", now).of(id).in_region(&wish.region_code);
    audit::record(db, event.with(json!({"status": wish.status}))).await?;
    Ok(wish)
}

/// Has a confirmed wish done again, within the days that the programme allows.
///
/// # Errors
/// [`WishError::NotFound`], [`WishError::NotRequester`], [`WishError::Invalid`] on `window`,
/// [`WishError::InvalidTransition`], [`WishError::ReopenTooLate`].
pub async fn reopen(
    db: &impl ConnectionTrait,
    requester: MemberId,
    id: WishId,
    task: TaskId,
    window: Option<Window>,
    now: DateTime<Utc>,
) -> Result<wish::Model, WishError> {
    let found = find(db, &Scope::Member(requester), id).await?;
    own(&found, requester)?;
    let round = again(db, &found, task, window, now).await?;
    allowed(&found, WishStep::Reopen)?;
    let of = programme_of(db, &found.region_code).await?;
    let days = programme::Entity::find_by_id(of).one(db).await?.map_or(0, |found| found.reopen_days);
    let last = found.confirmed_at.and_then(|at| at.checked_add_signed(TimeDelta::days(i64::from(days))));
    if last.is_none_or(|last| last < now) {
        return Err(WishError::ReopenTooLate);
    }
    let wish = open_round(db, &found, WishStep::Reopen, round, now).await?;
    notify::tell(db, wish.requester_id, notice::published(&wish), now).await?;
    let event = AuditEvent::new(Actor::Member(requester), "wish.reopen", "wish", now).of(id);
    audit::record(db, event.in_region(&wish.region_code)).await?;
    Ok(wish)
}

/// Puts an expired wish up again, before others: one priority more each time.
///
/// # Errors
/// [`WishError::NotFound`], [`WishError::SecondPerson`], [`WishError::Invalid`] on `window`, [`WishError::InvalidTransition`].
pub async fn relist(
    db: &impl ConnectionTrait,
    manager: &Manager,
    id: WishId,
    task: TaskId,
    window: Option<Window>,
    now: DateTime<Utc>,
) -> Result<wish::Model, WishError> {
    let found = find(db, &Scope::Staff(manager.subtree()), id).await?;
    other_than(manager, &found)?;
    let round = again(db, &found, task, window, now).await?;
    let round = NewRound { priority: found.priority.saturating_add(1), ..round };
    let wish = open_round(db, &found, WishStep::Relist, round, now).await?;
    notify::tell(db, wish.requester_id, notice::published(&wish), now).await?;
    let event = AuditEvent::new(Actor::Staff(manager.id), "wish.relist", "wish", now).of(id);
    audit::record(db, event.in_region(&wish.region_code)).await?;
    Ok(wish)
}

/// Another round of a wish: as before, in the window given or the next one.
async fn again(
    db: &impl ConnectionTrait,
    found: &wish::Model,
    task: TaskId,
    window: Option<Window>,
    now: DateTime<Utc>,
) -> Result<NewRound, WishError> {
    let window = match window {
        Some(window) => match window_fault(window, now) {
            Some(refused) => return Err(WishError::Invalid(vec![refused])),
            None => window,
        },
        None => next_window(window_of(found), now),
    };
    let last = match found.task_id {
        Some(last) => tasks::find(db, last).await?,
        None => None,
    };
    let (skills, hazards) = current(db, found.id).await?;
    Ok(NewRound {
        task,
        window,
        skills,
        hazards,
        risk_notice: found.risk_notice.clone(),
        priority: found.priority,
        place_required: last.as_ref().is_some_and(|last| last.place_required),
        difficulty: last.map_or(1, |last| last.difficulty),
    })
}

/// Skills and hazards of a wish that begins another round, as their codes are now.
async fn current(db: &impl ConnectionTrait, id: WishId) -> Result<(Vec<String>, Vec<String>), DbErr> {
    let (skills, hazards) = (skills_of(db, id).await?, hazards_of(db, id).await?);
    let skills_now = taxonomy::canonical(db, "skill", &skills).await?;
    let hazards_now = taxonomy::canonical(db, "hazard", &hazards).await?;
    if skills_now != skills {
        put_skills(db, id, &skills_now).await?;
    }
    if hazards_now != hazards {
        put_hazards(db, id, &hazards_now).await?;
    }
    Ok((skills_now, hazards_now))
}
