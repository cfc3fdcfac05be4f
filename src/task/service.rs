//! Tasks: opening them for a source, closing them, and keeping their slots and status true to their claims.
//!
//! Every command that moves a claim which holds a slot locks the task's row first, so the order is task, claim, source,
//! everywhere, and two commands never wait for each other. Slots are taken by one conditional statement.

use chrono::{DateTime, Utc};
use entity::category::Category;
use entity::claim::{self, ClaimStatus};
use entity::id::{ClaimId, MemberId, TaskId};
use entity::member;
use entity::task::{self, TaskSource, TaskStatus};
use entity::{task_hazard, task_skill};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    SelectExt as _,
};
use uuid::Uuid;

use super::check::Point;
use super::domain::{Attendance, ClaimStep, HOLDING, OPEN};
use super::error::TaskError;
use crate::region::Subtree;

/// A half-open span of time in which work is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
}

/// What a source asks for.
#[derive(Clone, Debug)]
pub struct NewTask {
    pub id: TaskId,
    pub source_kind: TaskSource,
    pub source_id: Uuid,
    pub region_code: String,
    pub title: String,
    pub body: String,
    pub category: Category,
    /// Codes, each once.
    pub skills: Vec<String>,
    /// At least one.
    pub slots: i32,
    pub window: Window,
    pub place: Option<Point>,
    /// Check-in asks for the place beside the code.
    pub place_required: bool,
    pub risk_notice: Option<String>,
    /// Higher comes first.
    pub priority: i32,
    pub programme: String,
    /// 1 to 3.
    pub difficulty: i16,
    /// A code of the list `domain`.
    pub domain: Option<String>,
    /// Codes of the list `hazard`, each once.
    pub hazards: Vec<String>,
}

/// What a command did to a task and one claim on it, for the task's source to act on.
#[derive(Clone, Debug)]
pub struct Moved {
    /// As it then is.
    pub task: task::Model,
    /// As it then is.
    pub claim: claim::Model,
    pub step: ClaimStep,
}

/// Opens a task. To be run in a transaction.
///
/// # Errors
/// The database's.
pub async fn open(db: &impl ConnectionTrait, new: NewTask, now: DateTime<Utc>) -> Result<task::Model, DbErr> {
    let row = task::Model {
        id: new.id,
        source_kind: new.source_kind,
        source_id: new.source_id,
        region_code: new.region_code,
        title: new.title,
        body: new.body,
        category: new.category,
        slots: new.slots,
        taken: 0,
        window_from: new.window.from,
        window_until: new.window.until,
        lat: new.place.map(|place| place.lat),
        lon: new.place.map(|place| place.lon),
        place_required: new.place_required,
        status: TaskStatus::Open,
        risk_notice: new.risk_notice,
        priority: new.priority,
        programme: new.programme,
        created_at: now,
        updated_at: now,
        difficulty: new.difficulty,
        domain: new.domain,
    };
    task::Entity::insert(task::ActiveModel::from(row.clone())).exec_without_returning(db).await?;
    let skills: Vec<_> = new
        .skills
        .into_iter()
        .map(|skill| task_skill::ActiveModel { task_id: Set(new.id), skill: Set(skill) })
        .collect();
    if !skills.is_empty() {
        task_skill::Entity::insert_many(skills).exec_without_returning(db).await?;
    }
    let hazards: Vec<_> = new
        .hazards
        .into_iter()
        .map(|hazard| task_hazard::ActiveModel { task_id: Set(new.id), hazard: Set(hazard) })
        .collect();
    if !hazards.is_empty() {
        task_hazard::Entity::insert_many(hazards).exec_without_returning(db).await?;
    }
    Ok(row)
}

/// Reads a task and, on PostgreSQL, holds its row until the transaction ends. SQLite has one writer.
///
/// # Errors
/// [`TaskError::NotFound`]; the database's.
pub async fn lock(db: &impl ConnectionTrait, id: TaskId) -> Result<task::Model, TaskError> {
    task::Entity::find_by_id(id).lock_exclusive().one(db).await?.ok_or(TaskError::NotFound)
}

/// Closes a task that nobody has checked in to: its offers lapse, its claims are withdrawn with `reason`. Answers the
/// claims that were offered or accepted until now, so that their members can be told.
///
/// # Errors
/// [`TaskError::Raced`] where somebody has checked in, or the task has ended already; the database's.
pub async fn close(
    db: &impl ConnectionTrait,
    id: TaskId,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Vec<claim::Model>, TaskError> {
    let closed = task::Entity::update_many()
        .set(task::ActiveModel {
            status: Set(TaskStatus::Closed),
            taken: Set(0),
            updated_at: Set(now),
            ..Default::default()
        })
        .filter(task::Column::Id.eq(id))
        .filter(task::Column::Status.is_in([TaskStatus::Open, TaskStatus::Full]))
        .exec(db)
        .await?;
    if closed.rows_affected != 1 {
        return Err(TaskError::Raced);
    }
    let mut ended = end_all(db, id, ClaimStatus::Offered, ClaimStatus::Lapsed, reason, now).await?;
    ended.extend(end_all(db, id, ClaimStatus::Accepted, ClaimStatus::Withdrawn, reason, now).await?);
    Ok(ended)
}

async fn end_all(
    db: &impl ConnectionTrait,
    task: TaskId,
    from: ClaimStatus,
    to: ClaimStatus,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Vec<claim::Model>, DbErr> {
    claim::Entity::update_many()
        .set(claim::ActiveModel {
            status: Set(to),
            reason: Set(reason.map(str::to_owned)),
            ended_at: Set(Some(now)),
            updated_at: Set(now),
            ..Default::default()
        })
        .filter(claim::Column::TaskId.eq(task))
        .filter(claim::Column::Status.eq(from))
        .exec_with_returning(db)
        .await
}

/// Takes one slot; `None` where there is none to take: unknown, outside `within`, closed, over or full.
pub(super) async fn take_slot(
    db: &impl ConnectionTrait,
    id: TaskId,
    within: Option<&Subtree>,
    now: DateTime<Utc>,
) -> Result<Option<task::Model>, DbErr> {
    use task::Column::{RegionCode, Slots, Status, Taken, WindowUntil};
    let last_of_open = Status.eq(TaskStatus::Open).and(Expr::col(Taken).add(1).eq(Expr::col(Slots)));
    let status = CaseStatement::new().case(last_of_open, Expr::val(TaskStatus::Full)).finally(Expr::col(Status));
    let mut update = task::Entity::update_many()
        .col_expr(Taken, Expr::col(Taken).add(1))
        .col_expr(Status, status.into())
        .col_expr(task::Column::UpdatedAt, Expr::value(now))
        .filter(task::Column::Id.eq(id))
        .filter(Status.is_in([TaskStatus::Open, TaskStatus::InProgress]))
        .filter(Expr::col(Taken).lt(Expr::col(Slots)))
        .filter(WindowUntil.gt(now));
    if let Some(within) = within {
        update = update.filter(within.covers(Expr::col(RegionCode)));
    }
    Ok(update.exec_with_returning(db).await?.into_iter().next())
}

/// Brings `taken` and the status of a locked task in line with its claims.
pub(super) async fn recount(
    db: &impl ConnectionTrait,
    task: task::Model,
    now: DateTime<Utc>,
) -> Result<task::Model, TaskError> {
    let counts: Vec<(ClaimStatus, i64)> = claim::Entity::find()
        .select_only()
        .column(claim::Column::Status)
        .column_as(claim::Column::Id.count(), "claims")
        .filter(claim::Column::TaskId.eq(task.id))
        .group_by(claim::Column::Status)
        .into_tuple()
        .all(db)
        .await?;
    let attendance = Attendance::of(counts).map_err(|error| TaskError::Db(DbErr::Custom(error.to_string())))?;
    let status = attendance.status(task.status, task.slots, now >= task.window_until);
    if status == task.status && attendance.taken() == task.taken {
        return Ok(task);
    }
    let moved = task::Entity::update_many()
        .set(task::ActiveModel {
            status: Set(status),
            taken: Set(attendance.taken()),
            updated_at: Set(now),
            ..Default::default()
        })
        .filter(task::Column::Id.eq(task.id))
        .exec_with_returning(db)
        .await?;
    moved.into_iter().next().ok_or(TaskError::NotFound)
}

/// Moves a claim by one step. The update is conditional on the status just read: when two devices race, one wins and the
/// other gets a conflict, on either database.
pub(super) async fn step(
    db: &impl ConnectionTrait,
    found: &claim::Model,
    step: ClaimStep,
    changes: claim::ActiveModel,
    now: DateTime<Utc>,
) -> Result<claim::Model, TaskError> {
    let at = found.status;
    let next = step.apply_to(at).ok_or(TaskError::InvalidTransition { at, step })?;
    let moved = claim::Entity::update_many()
        .set(claim::ActiveModel { status: Set(next), updated_at: Set(now), ..changes })
        .filter(claim::Column::Id.eq(found.id))
        .filter(claim::Column::Status.eq(at))
        .exec_with_returning(db)
        .await?;
    moved.into_iter().next().ok_or(TaskError::Raced)
}

/// Ends a claim once its service record was judged: verified or rejected. A claim that is not checked out stays as it is.
///
/// # Errors
/// The database's.
pub async fn settle(
    db: &impl ConnectionTrait,
    id: ClaimId,
    outcome: ClaimStep,
    now: DateTime<Utc>,
) -> Result<Option<claim::Model>, TaskError> {
    let Some(found) = claim::Entity::find_by_id(id).one(db).await? else { return Ok(None) };
    if outcome.apply_to(found.status).is_none() {
        return Ok(None);
    }
    step(db, &found, outcome, claim::ActiveModel { ended_at: Set(Some(now)), ..Default::default() }, now)
        .await
        .map(Some)
}

/// Whether `member` has an open claim on the task: whom they help is then shown to them.
///
/// # Errors
/// The database's.
pub async fn has_open_claim(db: &impl ConnectionTrait, task: TaskId, member: MemberId) -> Result<bool, DbErr> {
    claim::Entity::find()
        .filter(claim::Column::TaskId.eq(task))
        .filter(claim::Column::MemberId.eq(member))
        .filter(claim::Column::Status.is_in(OPEN))
        .exists(db)
        .await
}

/// A task, whoever asks.
///
/// # Errors
/// The database's.
pub async fn find(db: &impl ConnectionTrait, id: TaskId) -> Result<Option<task::Model>, DbErr> {
    task::Entity::find_by_id(id).one(db).await
}

/// The claims on a task whose volunteers came and went, whatever was decided about their records.
///
/// # Errors
/// The database's.
pub async fn served_claims(db: &impl ConnectionTrait, task: TaskId) -> Result<Vec<claim::Model>, DbErr> {
    let served = [ClaimStatus::CheckedOut, ClaimStatus::Verified, ClaimStatus::Rejected];
    claim::Entity::find()
        .filter(claim::Column::TaskId.eq(task))
        .filter(claim::Column::Status.is_in(served))
        .all(db)
        .await
}

/// The claims on a task that hold a slot, with the volunteers' names.
///
/// # Errors
/// The database's.
pub async fn helpers(db: &impl ConnectionTrait, task: TaskId) -> Result<Vec<(claim::Model, Option<String>)>, DbErr> {
    let claims = claim::Entity::find()
        .filter(claim::Column::TaskId.eq(task))
        .filter(claim::Column::Status.is_in(HOLDING))
        .order_by_asc(claim::Column::Id)
        .all(db)
        .await?;
    let names: Vec<(MemberId, Option<String>)> = member::Entity::find()
        .select_only()
        .columns([member::Column::Id, member::Column::Name])
        .filter(member::Column::Id.is_in(claims.iter().map(|claim| claim.member_id)))
        .into_tuple()
        .all(db)
        .await?;
    let name_of = |id| names.iter().find(|(member, _)| *member == id).and_then(|(_, name)| name.clone());
    Ok(claims
        .into_iter()
        .map(|claim| {
            let name = name_of(claim.member_id);
            (claim, name)
        })
        .collect())
}
