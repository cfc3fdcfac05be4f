//! What people do to wishes. All of it to be run in a transaction.
//!
//! A command that touches the wish's task locks the task first, then the wish: the order of every command on claims.

use chrono::{DateTime, TimeDelta, Utc};
use entity::category::Category;
use entity::id::{MemberId, StaffId, TaskId, WishId};
use entity::wish::{self, WishStatus};
use entity::{member, programme, wish_skill};
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use serde_json::json;

use super::domain::{Limits, WindowRefusal, WishStep, check_window, due_at, next_window, window_of};
use super::error::WishError;
use super::notice;
use super::query::sees;
use super::round::{DEFAULT_PROGRAMME, NewRound, open_round};
use crate::audit::{self, Actor, AuditEvent};
use crate::http::FieldError;
use crate::identity::{Manager, Scope};
use crate::notify;
use crate::region::{self, RegionCode, Subtree};
use crate::service_record;
use crate::setting::{self, Number};
use crate::task::check::Point;
use crate::task::service::{self as tasks, Window};

const ANSWER_HOURS: Number = Number::new("wish.answer_hours", 24, 1..=24 * 30);
const CONTACT_HOURS: Number = Number::new("wish.contact_hours", 7 * 24, 1..=24 * 30);
const COMPLETION_HOURS: Number = Number::new("wish.completion_hours", 24, 0..=24 * 30);

/// A wish as somebody asks for it.
#[derive(Clone, Debug)]
pub struct NewWish {
    pub id: WishId,
    pub requester: MemberId,
    /// Staff who write it down for the requester, and where they work.
    pub posted_by: Option<(StaffId, Subtree)>,
    /// None: the requester's community.
    pub region: Option<RegionCode>,
    pub title: String,
    pub body: String,
    pub category: Category,
    pub skills: Vec<String>,
    pub slots: i32,
    pub window: Window,
    pub place: Option<Point>,
    pub address_sealed: Option<Vec<u8>>,
}

/// Takes a wish in, for review.
///
/// # Errors
/// [`WishError::Invalid`] on `window`, `region_code` (unknown, of another district, outside the staff's subtree), `skills[n]`
/// (unknown) and `requester_id` (nobody of the staff's subtree).
pub async fn post(db: &impl ConnectionTrait, mut new: NewWish, now: DateTime<Utc>) -> Result<wish::Model, WishError> {
    new.skills = each_once(new.skills);
    let mut refused: Vec<_> = window_fault(new.window, now).into_iter().collect();
    refused.extend(unknown_skills(db, &new.skills).await?);
    let region = match region_of(db, &new).await? {
        Ok(region) if refused.is_empty() => region,
        Ok(_) => return Err(WishError::Invalid(refused)),
        Err(fault) => {
            refused.push(fault);
            return Err(WishError::Invalid(refused));
        }
    };
    let row = wish::Model {
        id: new.id,
        ref_id: None,
        requester_id: new.requester,
        region_code: region.as_str().to_owned(),
        title: new.title,
        body: new.body,
        category: new.category,
        slots: new.slots,
        window_from: new.window.from,
        window_until: new.window.until,
        lat: new.place.map(|place| place.lat),
        lon: new.place.map(|place| place.lon),
        address_sealed: new.address_sealed,
        special_group_sealed: None,
        est_minutes: None,
        status: WishStatus::Submitted,
        priority: 0,
        risk_notice: None,
        reason: None,
        rating: None,
        comment: None,
        task_id: None,
        due_at: due_at(WishStatus::Submitted, new.window, limits(db).await?, now),
        deadline_on: None,
        created_by: new.posted_by.map(|(staff, _)| staff),
        created_at: now,
        published_at: None,
        claimed_at: None,
        fulfilled_at: None,
        confirmed_at: None,
        updated_at: now,
    };
    wish::Entity::insert(wish::ActiveModel::from(row.clone())).exec_without_returning(db).await?;
    set_skills(db, row.id, &new.skills).await?;
    Ok(row)
}

/// What a manager decides about a submitted wish.
#[derive(Clone, Debug)]
pub enum Decision {
    Publish { risk_notice: String, place_required: bool },
    Reject { reason: String },
}

/// A review.
#[derive(Clone, Debug)]
pub struct Review {
    pub decision: Decision,
    /// Instead of what the requester chose.
    pub category: Option<Category>,
    /// Instead of what the requester chose.
    pub skills: Option<Vec<String>>,
}

/// Publishes or rejects a submitted wish. `task` is the id of the task that publishing makes.
///
/// # Errors
/// [`WishError::NotFound`], [`WishError::SecondPerson`], [`WishError::Invalid`] on `skills[n]` and `place_required`,
/// [`WishError::InvalidTransition`], [`WishError::WindowOver`].
pub async fn review(
    db: &impl ConnectionTrait,
    manager: &Manager,
    id: WishId,
    review: &Review,
    task: TaskId,
    now: DateTime<Utc>,
) -> Result<wish::Model, WishError> {
    let found = find(db, &Scope::Staff(manager.subtree()), id).await?;
    other_than(manager, &found)?;
    let wish = match &review.decision {
        Decision::Reject { reason } => {
            let changes = wish::ActiveModel { reason: Set(Some(reason.clone())), ..Default::default() };
            let wish = step(db, &found, WishStep::Reject, changes, now).await?;
            notify::tell(db, wish.requester_id, notice::rejected(&wish), now).await?;
            wish
        }
        Decision::Publish { risk_notice, place_required } => {
            let (category, skills) = chosen(db, &found, review).await?;
            if *place_required && found.lat.is_none() {
                return Err(WishError::field("place_required", "invalid", "该心愿没有地点，不能要求到场定位"));
            }
            allowed(&found, WishStep::Publish)?;
            if found.window_until <= now {
                return Err(WishError::WindowOver);
            }
            let round = NewRound {
                task,
                window: window_of(&found),
                skills,
                risk_notice: Some(risk_notice.clone()),
                priority: found.priority,
                place_required: *place_required,
            };
            let wish = wish::Model { category, ..found };
            let wish = open_round(db, &wish, WishStep::Publish, round, now).await?;
            notify::tell(db, wish.requester_id, notice::published(&wish), now).await?;
            wish
        }
    };
    let event =
        AuditEvent::new(Actor::Staff(manager.id), "wish.review", "wish", now).of(id).in_region(&wish.region_code);
    audit::record(db, event.with(json!({"status": wish.status}))).await?;
    Ok(wish)
}

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
    let days = programme::Entity::find_by_id(DEFAULT_PROGRAMME).one(db).await?.map_or(0, |found| found.reopen_days);
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

/// A wish that `scope` may see.
///
/// # Errors
/// [`WishError::NotFound`].
pub async fn find(db: &impl ConnectionTrait, scope: &Scope, id: WishId) -> Result<wish::Model, WishError> {
    wish::Entity::find_by_id(id).filter(sees(scope)).one(db).await?.ok_or(WishError::NotFound)
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

/// The skills of a wish, in order of code.
///
/// # Errors
/// The database's.
pub(super) async fn skills_of(db: &impl ConnectionTrait, id: WishId) -> Result<Vec<String>, DbErr> {
    wish_skill::Entity::find()
        .select_only()
        .column(wish_skill::Column::Skill)
        .filter(wish_skill::Column::WishId.eq(id))
        .order_by_asc(wish_skill::Column::Skill)
        .into_tuple()
        .all(db)
        .await
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
    let place_required = match found.task_id {
        Some(last) => tasks::find(db, last).await?.is_some_and(|last| last.place_required),
        None => false,
    };
    Ok(NewRound {
        task,
        window,
        skills: skills_of(db, found.id).await?,
        risk_notice: found.risk_notice.clone(),
        priority: found.priority,
        place_required,
    })
}

/// Nobody decides about the wish of the member that they are.
fn other_than(manager: &Manager, found: &wish::Model) -> Result<(), WishError> {
    if manager.member == Some(found.requester_id) { Err(WishError::SecondPerson) } else { Ok(()) }
}

/// The volunteer sees the wish too, but it is not theirs to move.
fn own(found: &wish::Model, member: MemberId) -> Result<(), WishError> {
    if found.requester_id == member { Ok(()) } else { Err(WishError::NotRequester) }
}

fn window_fault(window: Window, now: DateTime<Utc>) -> Option<FieldError> {
    let refusal = check_window(window, now).err()?;
    let code = match refusal {
        WindowRefusal::Empty => "invalid",
        WindowRefusal::Over | WindowRefusal::TooLong => "out_of_range",
    };
    Some(FieldError::new("window.until", code).saying(refusal.to_string()))
}

fn each_once(mut skills: Vec<String>) -> Vec<String> {
    skills.sort_unstable();
    skills.dedup();
    skills
}

async fn unknown_skills(db: &impl ConnectionTrait, skills: &[String]) -> Result<Vec<FieldError>, DbErr> {
    let unknown = region::unknown_codes(db, "skill", skills).await?;
    let fault =
        |place| FieldError::new(format!("skills[{place}]"), "invalid").saying("没有这项技能，请从技能列表中选择");
    Ok(unknown.into_iter().map(fault).collect())
}

/// Where the wish is: inside the requester's district, and inside the staff's subtree.
async fn region_of(db: &impl ConnectionTrait, new: &NewWish) -> Result<Result<RegionCode, FieldError>, DbErr> {
    let nobody = || FieldError::new("requester_id", "invalid").saying("没有找到该居民，请核对");
    let living = member::Entity::find_by_id(new.requester)
        .filter(member::Column::ErasedAt.is_null())
        .filter(member::Column::DisabledAt.is_null())
        .one(db)
        .await?;
    let Some(home) = living.and_then(|member| member.region_code) else { return Ok(Err(nobody())) };
    let home = RegionCode::try_from(&home)?;
    let works_at = new.posted_by.as_ref().map(|(_, subtree)| subtree);
    if works_at.is_some_and(|subtree| !subtree.contains(&home)) {
        return Ok(Err(nobody()));
    }
    let Some(region) = &new.region else { return Ok(Ok(home)) };
    let known = home.district().subtree().contains(region)
        && works_at.is_none_or(|subtree| subtree.contains(region))
        && region::region_exists(db, region).await?;
    let unknown = || FieldError::new("region_code", "invalid").saying("没有这个区划，或不在本区，请重新选择");
    Ok(if known { Ok(region.clone()) } else { Err(unknown()) })
}

/// Category and skills after the review; the skills are written where they changed.
async fn chosen(
    db: &impl ConnectionTrait,
    found: &wish::Model,
    review: &Review,
) -> Result<(Category, Vec<String>), WishError> {
    let category = review.category.unwrap_or(found.category);
    let Some(skills) = review.skills.clone().map(each_once) else {
        return Ok((category, skills_of(db, found.id).await?));
    };
    let refused = unknown_skills(db, &skills).await?;
    if !refused.is_empty() {
        return Err(WishError::Invalid(refused));
    }
    wish_skill::Entity::delete_many().filter(wish_skill::Column::WishId.eq(found.id)).exec(db).await?;
    set_skills(db, found.id, &skills).await?;
    Ok((category, skills))
}

async fn set_skills(db: &impl ConnectionTrait, id: WishId, skills: &[String]) -> Result<(), DbErr> {
    let rows: Vec<_> =
        skills.iter().map(|skill| wish_skill::ActiveModel { wish_id: Set(id), skill: Set(skill.clone()) }).collect();
    if !rows.is_empty() {
        wish_skill::Entity::insert_many(rows).exec_without_returning(db).await?;
    }
    Ok(())
}
