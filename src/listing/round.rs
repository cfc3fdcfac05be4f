//! The tasks of a need: one for each of its openings of the next days, made when it is published and by the job, so that
//! volunteers claim them like any other.

use chrono::{DateTime, TimeDelta, Utc};
use entity::claim::{self, ClaimStatus};
use entity::id::{ListingId, MemberId, TaskId};
use entity::listing::{self, ListingKind, ListingStatus};
use entity::listing_round;
use entity::task::{self, TaskSource, TaskStatus};
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::notice;
use super::opening::Schedule;
use super::service::own_skills;
use crate::calendar::Calendar;
use crate::notify::{self, Message};
use crate::points::programme_of;
use crate::setting::{self, Number};
use crate::task::check::Point;
use crate::task::domain::ClaimStep;
use crate::task::error::TaskError;
use crate::task::service::{self as tasks, Moved, NewTask, Window};

/// One command makes at most so many tasks; the job makes the rest.
pub const MOST_ROUNDS: usize = 32;
/// How many days before it begins an opening of a need becomes a task.
const DAYS_AHEAD: Number = Number::new("listing.round_days", 14, 1..=92);
/// What a need without one says: nobody is recruited without knowing the risks (志愿服务条例 art. 12).
const RISK_NOTICE: &str = "请注意出行与人身安全，量力而行；遇到危险请先离开并拨打 110、119 或 120。";

/// Ids for the tasks that a command may make, drawn before it.
pub fn draw() -> Vec<TaskId> {
    (0..MOST_ROUNDS).map(|_| TaskId::new()).collect()
}

/// Makes tasks of the openings of the next days that have none. Answers the need with when to look again.
pub(super) async fn open(
    db: &impl ConnectionTrait,
    calendar: Calendar,
    need: listing::Model,
    skills: &[String],
    ids: &[TaskId],
    now: DateTime<Utc>,
) -> Result<listing::Model, DbErr> {
    let [days] = setting::numbers(db, [DAYS_AHEAD]).await?;
    let ahead = TimeDelta::days(days);
    let schedule = Schedule::of(&need, calendar);
    let horizon = now + ahead;
    let known: Vec<DateTime<Utc>> = listing_round::Entity::find()
        .select_only()
        .column(listing_round::Column::StartsAt)
        .filter(listing_round::Column::ListingId.eq(need.id))
        .filter(listing_round::Column::StartsAt.gte(now - TimeDelta::days(2)))
        .into_tuple()
        .all(db)
        .await?;
    let mut missing = schedule.between(now, horizon);
    // A window of months without hours, as imports have it, says nothing of when to come.
    missing
        .retain(|opening| opening.ends_at > now && opening.minutes() <= 24 * 60 && !known.contains(&opening.starts_at));
    let more = missing.len() > ids.len();
    let programme = programme_of(db, &need.region_code).await?;
    for (opening, id) in missing.iter().zip(ids) {
        let window = Window { from: opening.starts_at, until: opening.ends_at };
        tasks::open(db, task_of(&need, skills, *id, window, &programme), now).await?;
        let round = listing_round::ActiveModel {
            listing_id: Set(need.id),
            starts_at: Set(opening.starts_at),
            task_id: Set(*id),
        };
        listing_round::Entity::insert(round).exec_without_returning(db).await?;
    }
    let next = if more {
        Some(now)
    } else {
        let later = schedule.first(horizon, need.window_until, |opening| opening.starts_at >= horizon);
        later.filter(|opening| opening.minutes() <= 24 * 60).map(|opening| opening.starts_at - ahead)
    };
    look_again(db, need, next).await
}

async fn look_again(
    db: &impl ConnectionTrait,
    need: listing::Model,
    at: Option<DateTime<Utc>>,
) -> Result<listing::Model, DbErr> {
    if need.next_round_at == at {
        return Ok(need);
    }
    let set = listing::ActiveModel { next_round_at: Set(at), ..Default::default() };
    listing::Entity::update_many().set(set).filter(listing::Column::Id.eq(need.id)).exec(db).await?;
    Ok(listing::Model { next_round_at: at, ..need })
}

fn task_of(need: &listing::Model, skills: &[String], id: TaskId, window: Window, programme: &str) -> NewTask {
    NewTask {
        id,
        source_kind: TaskSource::Listing,
        source_id: need.id.0,
        region_code: need.region_code.clone(),
        title: need.title.clone(),
        body: need.body.clone(),
        category: need.category,
        skills: skills.to_vec(),
        slots: need.capacity,
        window,
        place: need.lat.zip(need.lon).map(|(lat, lon)| Point { lat, lon }),
        place_required: false,
        risk_notice: Some(need.risk_notice.clone().unwrap_or_else(|| RISK_NOTICE.to_owned())),
        priority: 0,
        programme: programme.to_owned(),
        difficulty: 1,
        domain: need.domain.clone(),
        hazards: Vec::new(),
    }
}

/// The rounds of a need whose tasks nobody has checked in to, their tasks locked in the order of ids.
async fn waiting(db: &impl ConnectionTrait, id: ListingId) -> Result<Vec<task::Model>, TaskError> {
    let rounds: Vec<TaskId> = listing_round::Entity::find()
        .select_only()
        .column(listing_round::Column::TaskId)
        .filter(listing_round::Column::ListingId.eq(id))
        .order_by_asc(listing_round::Column::TaskId)
        .into_tuple()
        .all(db)
        .await?;
    let alive: Vec<TaskId> = task::Entity::find()
        .select_only()
        .column(task::Column::Id)
        .filter(task::Column::Id.is_in(rounds))
        .filter(task::Column::Status.is_in([TaskStatus::Open, TaskStatus::Full]))
        .order_by_asc(task::Column::Id)
        .into_tuple()
        .all(db)
        .await?;
    let mut locked = Vec::with_capacity(alive.len());
    for id in alive {
        let task = tasks::lock(db, id).await?;
        if matches!(task.status, TaskStatus::Open | TaskStatus::Full) {
            locked.push(task);
        }
    }
    Ok(locked)
}

/// Closes tasks of a need: those nobody has claimed, or, with `all`, those nobody has checked in to; volunteers are told.
pub(super) async fn close(
    db: &impl ConnectionTrait,
    need: &listing::Model,
    all: bool,
    now: DateTime<Utc>,
) -> Result<(), TaskError> {
    for task in waiting(db, need.id).await? {
        if !all && task.taken > 0 {
            continue;
        }
        let ended = tasks::close(db, task.id, need.reason.as_deref(), now).await?;
        notify::tell_all(db, ended.iter().map(|claim| told(&need.title, claim)), now).await?;
    }
    look_again(db, need.clone(), None).await?;
    Ok(())
}

fn told(title: &str, claim: &claim::Model) -> (MemberId, Message) {
    let message = match claim.status {
        ClaimStatus::Lapsed => crate::task::notice::lapsed(title, claim),
        _ => crate::task::notice::cancelled(title, claim),
    };
    (claim.member_id, message)
}

/// Makes the tasks anew that nobody has claimed: the need says something else now.
pub(super) async fn renew(
    db: &impl ConnectionTrait,
    calendar: Calendar,
    need: listing::Model,
    ids: &[TaskId],
    now: DateTime<Utc>,
) -> Result<listing::Model, TaskError> {
    let free: Vec<_> = waiting(db, need.id).await?.into_iter().filter(|task| task.taken == 0).collect();
    for task in &free {
        let ended = tasks::close(db, task.id, None, now).await?;
        notify::tell_all(db, ended.iter().map(|claim| told(&need.title, claim)), now).await?;
    }
    listing_round::Entity::delete_many()
        .filter(listing_round::Column::ListingId.eq(need.id))
        .filter(listing_round::Column::TaskId.is_in(free.iter().map(|task| task.id)))
        .exec(db)
        .await?;
    let skills = own_skills(db, need.id).await?;
    Ok(open(db, calendar, need, &skills, ids, now).await?)
}

/// Whether one of the need's tasks was done.
pub(super) async fn was_served(db: &impl ConnectionTrait, id: ListingId) -> Result<bool, DbErr> {
    let done = task::Entity::find()
        .select_only()
        .column(task::Column::Id)
        .filter(task::Column::SourceKind.eq(TaskSource::Listing))
        .filter(task::Column::SourceId.eq(id.0))
        .filter(task::Column::Status.is_in([TaskStatus::Done, TaskStatus::InProgress]))
        .limit(1)
        .into_tuple::<TaskId>()
        .one(db)
        .await?;
    Ok(done.is_some())
}

/// The tasks of a need that are not closed, earliest first.
pub(super) async fn tasks_of(db: &impl ConnectionTrait, id: ListingId) -> Result<Vec<task::Model>, DbErr> {
    task::Entity::find()
        .filter(task::Column::SourceKind.eq(TaskSource::Listing))
        .filter(task::Column::SourceId.eq(id.0))
        .filter(task::Column::Status.ne(TaskStatus::Closed))
        .order_by_desc(task::Column::WindowFrom)
        .limit(100)
        .all(db)
        .await
}

/// Published needs whose next openings are to become tasks, the longest due first.
pub(super) async fn due(db: &impl ConnectionTrait, now: DateTime<Utc>, limit: u64) -> Result<Vec<ListingId>, DbErr> {
    listing::Entity::find()
        .select_only()
        .column(listing::Column::Id)
        .filter(listing::Column::NextRoundAt.lte(now))
        .filter(listing::Column::Status.eq(ListingStatus::Published))
        .filter(listing::Column::Kind.eq(ListingKind::Need))
        .order_by_asc(listing::Column::NextRoundAt)
        .limit(limit)
        .into_tuple()
        .all(db)
        .await
}

/// Lets the need of a task follow what happened to it. Answers what its owner is to be told.
///
/// # Errors
/// [`TaskError::OwnWish`] where its owner claims it; the database's.
pub async fn task_moved(db: &impl ConnectionTrait, moved: &Moved) -> Result<Option<(MemberId, Message)>, TaskError> {
    let Some(need) = listing::Entity::find_by_id(ListingId(moved.task.source_id)).one(db).await? else {
        return Ok(None);
    };
    let Some(owner) = need.member_id else { return Ok(None) };
    if owner == moved.claim.member_id {
        return if moved.step == ClaimStep::Accept { Err(TaskError::OwnWish) } else { Ok(None) };
    }
    let message = match (moved.step, moved.task.status) {
        (_, TaskStatus::Done) => Some(notice::served(&need)),
        (ClaimStep::Accept, _) => Some(notice::claimed(&need)),
        (ClaimStep::Withdraw | ClaimStep::Miss, _) => Some(notice::released(&need)),
        _ => None,
    };
    Ok(message.map(|message| (owner, message)))
}
