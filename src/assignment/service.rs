//! What is stored of a plan, and what is done about it. All of it to be run in a transaction.
//!
//! Offers are made in batches, each a transaction of its own: the first in the one that answers the call, the others by
//! whoever comes to it, this node at once or the job after a crash. A pair is `planned` until its batch, and then `offered` or
//! `skipped`, in the transaction that made the offer; so nothing is done twice and nothing is forgotten.

use chrono::{DateTime, TimeDelta, Utc};
use entity::assignment::{self, AssignmentStatus};
use entity::assignment_pair::{self as pair, PairOutcome};
use entity::id::{AssignmentId, ClaimId, MemberId, TaskId};
use entity::{claim, offer, task, task_asking};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait as _, Query, SimpleExpr};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use serde_json::json;

use super::error::AssignmentError;
use super::planning::{Order, Plan, Planned};
use crate::audit::{self, Actor, AuditEvent};
use crate::db::insert_all;
use crate::identity::Manager;
use crate::notify;
use crate::region::Subtree;
use crate::setting::{self, Number};
use crate::task::notice;
use crate::task::offering::{self, Ask, Asked, Asker, Points};

/// How many pairs become offers in one transaction.
const BATCH: Number = Number::new("assignment.batch", 500, 1..=5000);
/// What volunteers read about an offer that was taken back.
const TAKEN_BACK: &str = "工作人员已撤回";

/// A plan that was ordered.
#[derive(Clone, Debug)]
pub(super) struct New {
    pub(super) id: AssignmentId,
    pub(super) order: Order,
    pub(super) dry_run: bool,
    pub(super) expires_minutes: i32,
    pub(super) plan: Plan,
}

/// Pairs that become offers together, with the ids that their claims will have.
#[derive(Clone, Debug, Default)]
pub(super) struct Batch(Vec<(Planned, ClaimId)>);

impl Batch {
    /// The first of `pairs`.
    pub(super) fn first(pairs: &[Planned], size: usize) -> Self {
        Self(pairs.iter().take(size).map(|pair| (*pair, ClaimId::new())).collect())
    }

    /// The next pairs of an assignment that wait.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn next(db: &impl ConnectionTrait, id: AssignmentId, size: usize) -> Result<Self, DbErr> {
        let rows = pair::Entity::find()
            .filter(pair::Column::AssignmentId.eq(id))
            .filter(pair::Column::Outcome.eq(PairOutcome::Planned))
            .order_by_asc(pair::Column::TaskId)
            .order_by_asc(pair::Column::MemberId)
            .limit(size as u64)
            .all(db)
            .await?;
        Ok(Self(rows.iter().map(|row| (planned(row), ClaimId::new())).collect()))
    }
}

fn planned(row: &pair::Model) -> Planned {
    let points = |points: i32| u8::try_from(points).unwrap_or(0);
    let points =
        Points { skill: points(row.skill_points), near: points(row.near_points), time: points(row.time_points) };
    Planned { task: row.task_id, member: row.member_id, points }
}

/// How many pairs one batch has.
///
/// # Errors
/// The database's.
pub(super) async fn batch_size(db: &impl ConnectionTrait) -> Result<usize, DbErr> {
    let [size] = setting::numbers(db, [BATCH]).await?;
    Ok(usize::try_from(size).unwrap_or(1))
}

/// Stores a plan; where it is no dry run, its offers begin with `batch`.
///
/// # Errors
/// The database's.
pub(super) async fn make(
    db: &impl ConnectionTrait,
    manager: &Manager,
    new: &New,
    batch: &Batch,
    now: DateTime<Utc>,
) -> Result<assignment::Model, AssignmentError> {
    let row = row(manager, new, now);
    assignment::Entity::insert(assignment::ActiveModel::from(row.clone())).exec_without_returning(db).await?;
    insert_all(db, new.plan.pairs.iter().map(|planned| pair_row(new.id, planned))).await?;
    let detail = json!({
        "dry_run": new.dry_run, "tasks": row.tasks, "assigned": row.assigned, "objective": row.objective,
    });
    audit::record(db, event(manager, "assignment.make", &row, now).with(detail)).await?;
    if new.dry_run { Ok(row) } else { go_on(db, row, batch, now).await }
}

fn event(manager: &Manager, action: &'static str, row: &assignment::Model, now: DateTime<Utc>) -> AuditEvent {
    AuditEvent::new(Actor::Staff(manager.id), action, "assignment", now).of(row.id).in_region(&row.region_code)
}

fn row(manager: &Manager, new: &New, now: DateTime<Utc>) -> assignment::Model {
    let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let offering = !new.dry_run;
    assignment::Model {
        id: new.id,
        region_code: new.order.region.to_string(),
        dry_run: new.dry_run,
        status: if offering { AssignmentStatus::Offering } else { AssignmentStatus::Planned },
        max_claims_per_member: i32::try_from(new.order.per_member).unwrap_or(i32::MAX),
        expires_minutes: new.expires_minutes,
        window_from: new.order.from,
        window_until: new.order.until,
        categories: json!(new.order.categories),
        tasks: count(new.plan.tasks),
        volunteers: count(new.plan.volunteers),
        assigned: count(new.plan.pairs.len()),
        unassigned: i32::try_from(new.plan.unassigned()).unwrap_or(i32::MAX),
        objective: i64::try_from(new.plan.objective()).unwrap_or(i64::MAX),
        reason: new.plan.reason().map(str::to_owned),
        created_by: manager.id,
        created_at: now,
        offered_by: offering.then_some(manager.id),
        offered_at: offering.then_some(now),
        withdrawn_by: None,
        withdrawn_at: None,
        updated_at: now,
    }
}

fn pair_row(id: AssignmentId, planned: &Planned) -> pair::ActiveModel {
    let Points { skill, near, time } = planned.points;
    pair::ActiveModel {
        assignment_id: Set(id),
        task_id: Set(planned.task),
        member_id: Set(planned.member),
        skill_points: Set(skill.into()),
        near_points: Set(near.into()),
        time_points: Set(time.into()),
        score: Set(planned.points.score().into()),
        outcome: Set(PairOutcome::Planned),
        skipped_as: Set(None),
        claim_id: Set(None),
    }
}

/// An assignment of the subtree, its row held until the transaction ends.
async fn lock(
    db: &impl ConnectionTrait,
    subtree: Option<&Subtree>,
    id: AssignmentId,
) -> Result<assignment::Model, AssignmentError> {
    let mut query = assignment::Entity::find_by_id(id);
    if let Some(subtree) = subtree {
        query = query.filter(subtree.covers(Expr::col((assignment::Entity, assignment::Column::RegionCode))));
    }
    query.lock_exclusive().one(db).await?.ok_or(AssignmentError::NotFound)
}

/// Begins to turn a dry run into offers.
///
/// # Errors
/// [`AssignmentError::NotFound`], [`AssignmentError::InvalidTransition`] where that was done before.
pub(super) async fn offer(
    db: &impl ConnectionTrait,
    manager: &Manager,
    id: AssignmentId,
    batch: &Batch,
    now: DateTime<Utc>,
) -> Result<assignment::Model, AssignmentError> {
    let found = lock(db, Some(&manager.subtree()), id).await?;
    if found.status != AssignmentStatus::Planned {
        return Err(AssignmentError::InvalidTransition { at: found.status, step: "再次派单" });
    }
    let changes = assignment::ActiveModel {
        status: Set(AssignmentStatus::Offering),
        offered_by: Set(Some(manager.id)),
        offered_at: Set(Some(now)),
        ..Default::default()
    };
    let row = change(db, found, changes, now).await?;
    audit::record(db, event(manager, "assignment.offer", &row, now)).await?;
    go_on(db, row, batch, now).await
}

/// Makes the offers of one batch. `None` where the assignment has no offers to make any more.
///
/// # Errors
/// The database's.
pub(super) async fn resume(
    db: &impl ConnectionTrait,
    id: AssignmentId,
    batch: &Batch,
    now: DateTime<Utc>,
) -> Result<Option<assignment::Model>, AssignmentError> {
    let found = lock(db, None, id).await?;
    if found.status != AssignmentStatus::Offering {
        return Ok(None);
    }
    go_on(db, found, batch, now).await.map(Some)
}

async fn go_on(
    db: &impl ConnectionTrait,
    row: assignment::Model,
    batch: &Batch,
    now: DateTime<Utc>,
) -> Result<assignment::Model, AssignmentError> {
    let Some(staff) = row.offered_by else { return Ok(row) };
    let asks = still_planned(db, &row, batch, now).await?;
    let asked = offering::ask(db, Asker::Assignment(row.id, staff), &asks, now).await?;
    note_offered(db, row.id, now).await?;
    for asked in &asked {
        if let Err(skip) = asked.outcome {
            note_skipped(db, row.id, &asked.ask, skip.code()).await?;
        }
    }
    tell(db, &asked, now).await?;
    let more = pair::Entity::find()
        .filter(pair::Column::AssignmentId.eq(row.id))
        .filter(pair::Column::Outcome.eq(PairOutcome::Planned))
        .one(db)
        .await?
        .is_some();
    if more {
        return Ok(row);
    }
    let changes = assignment::ActiveModel { status: Set(AssignmentStatus::Offered), ..Default::default() };
    change(db, row, changes, now).await
}

/// Those of the batch that another hand has not done meanwhile.
async fn still_planned(
    db: &impl ConnectionTrait,
    row: &assignment::Model,
    batch: &Batch,
    now: DateTime<Utc>,
) -> Result<Vec<Ask>, DbErr> {
    let tasks: Vec<TaskId> = batch.0.iter().map(|(planned, _)| planned.task).collect();
    let waiting: Vec<(TaskId, MemberId)> = pair::Entity::find()
        .select_only()
        .columns([pair::Column::TaskId, pair::Column::MemberId])
        .filter(pair::Column::AssignmentId.eq(row.id))
        .filter(pair::Column::Outcome.eq(PairOutcome::Planned))
        .filter(pair::Column::TaskId.is_in(tasks))
        .into_tuple()
        .all(db)
        .await?;
    let waiting: std::collections::HashSet<_> = waiting.into_iter().collect();
    let expires_at = now.checked_add_signed(TimeDelta::minutes(row.expires_minutes.into())).unwrap_or(now);
    let most = usize::try_from(row.max_claims_per_member).unwrap_or(1).max(MAX_OPEN);
    let ask = |(planned, claim): &(Planned, ClaimId)| Ask {
        task: planned.task,
        member: planned.member,
        claim: *claim,
        points: planned.points,
        ordering: json!([]),
        expires_at,
        per_slot: 1,
        most: usize::MAX,
        max_open: most,
    };
    Ok(batch.0.iter().filter(|(planned, _)| waiting.contains(&(planned.task, planned.member))).map(ask).collect())
}

/// Open offers that a volunteer may have from all sides before a plan passes them over.
const MAX_OPEN: usize = 5;

/// Pairs whose offers are there are offered: one statement.
async fn note_offered(db: &impl ConnectionTrait, id: AssignmentId, now: DateTime<Utc>) -> Result<(), DbErr> {
    let of_pair = |column| Expr::col((pair::Entity, column));
    let made = Query::select()
        .column((offer::Entity, offer::Column::ClaimId))
        .from(offer::Entity)
        .and_where(Expr::col((offer::Entity, offer::Column::AssignmentId)).eq(id))
        .and_where(Expr::col((offer::Entity, offer::Column::TaskId)).eq(of_pair(pair::Column::TaskId)))
        .and_where(Expr::col((offer::Entity, offer::Column::MemberId)).eq(of_pair(pair::Column::MemberId)))
        .and_where(Expr::col((offer::Entity, offer::Column::CreatedAt)).lte(now))
        .take();
    let claim = SimpleExpr::SubQuery(None, Box::new(made.clone().into()));
    pair::Entity::update_many()
        .col_expr(pair::Column::Outcome, Expr::value(PairOutcome::Offered))
        .col_expr(pair::Column::ClaimId, claim)
        .filter(pair::Column::AssignmentId.eq(id))
        .filter(pair::Column::Outcome.eq(PairOutcome::Planned))
        .filter(Expr::exists(made))
        .exec(db)
        .await
        .map(drop)
}

async fn note_skipped(db: &impl ConnectionTrait, id: AssignmentId, ask: &Ask, code: &str) -> Result<(), DbErr> {
    pair::Entity::update_many()
        .set(pair::ActiveModel {
            outcome: Set(PairOutcome::Skipped),
            skipped_as: Set(Some(code.to_owned())),
            ..Default::default()
        })
        .filter(pair::Column::AssignmentId.eq(id))
        .filter(pair::Column::TaskId.eq(ask.task))
        .filter(pair::Column::MemberId.eq(ask.member))
        .exec(db)
        .await
        .map(drop)
}

async fn tell(db: &impl ConnectionTrait, asked: &[Asked], now: DateTime<Utc>) -> Result<(), DbErr> {
    let made = asked.iter().filter_map(|asked| asked.task.as_ref().zip(asked.outcome.as_ref().ok()));
    let told: Vec<_> = made.map(|(task, claim)| (claim.member_id, notice::offered(task, claim))).collect();
    for chunk in told.chunks(200) {
        notify::tell_all(db, chunk.iter().cloned(), now).await?;
    }
    Ok(())
}

/// Takes the open offers of an assignment back and stops those that were still to be made; who accepted keeps the claim.
///
/// # Errors
/// [`AssignmentError::NotFound`], [`AssignmentError::InvalidTransition`] where there are none.
pub(super) async fn withdraw(
    db: &impl ConnectionTrait,
    manager: &Manager,
    id: AssignmentId,
    now: DateTime<Utc>,
) -> Result<assignment::Model, AssignmentError> {
    let found = lock(db, Some(&manager.subtree()), id).await?;
    if !matches!(found.status, AssignmentStatus::Offering | AssignmentStatus::Offered) {
        return Err(AssignmentError::InvalidTransition { at: found.status, step: "撤回" });
    }
    let ended = offering::take_back(db, id, TAKEN_BACK, now).await?;
    let titles = titles(db, &ended).await?;
    let told: Vec<_> = ended
        .iter()
        .map(|claim| {
            let title = titles.get(&claim.task_id).map_or("", String::as_str);
            (claim.member_id, notice::taken_back(title, claim))
        })
        .collect();
    for chunk in told.chunks(200) {
        notify::tell_all(db, chunk.iter().cloned(), now).await?;
    }
    let tasks: Vec<TaskId> = ended.iter().map(|claim| claim.task_id).collect();
    for chunk in tasks.chunks(500) {
        task_asking::Entity::update_many()
            .set(task_asking::ActiveModel { look_at: Set(now), ..Default::default() })
            .filter(task_asking::Column::TaskId.is_in(chunk.iter().copied()))
            .exec(db)
            .await?;
    }
    let changes = assignment::ActiveModel {
        status: Set(AssignmentStatus::Withdrawn),
        withdrawn_by: Set(Some(manager.id)),
        withdrawn_at: Set(Some(now)),
        ..Default::default()
    };
    let row = change(db, found, changes, now).await?;
    audit::record(db, event(manager, "assignment.withdraw", &row, now).with(json!({"offers": ended.len()}))).await?;
    Ok(row)
}

async fn titles(
    db: &impl ConnectionTrait,
    claims: &[claim::Model],
) -> Result<std::collections::HashMap<TaskId, String>, DbErr> {
    let mut titles = std::collections::HashMap::new();
    for chunk in claims.chunks(500) {
        let rows: Vec<(TaskId, String)> = task::Entity::find()
            .select_only()
            .columns([task::Column::Id, task::Column::Title])
            .filter(task::Column::Id.is_in(chunk.iter().map(|claim| claim.task_id)))
            .into_tuple()
            .all(db)
            .await?;
        titles.extend(rows);
    }
    Ok(titles)
}

/// Changes the row that is held.
async fn change(
    db: &impl ConnectionTrait,
    found: assignment::Model,
    changes: assignment::ActiveModel,
    now: DateTime<Utc>,
) -> Result<assignment::Model, AssignmentError> {
    let at = found.status;
    let moved = assignment::Entity::update_many()
        .set(assignment::ActiveModel { updated_at: Set(now), ..changes })
        .filter(Condition::all().add(assignment::Column::Id.eq(found.id)).add(assignment::Column::Status.eq(at)))
        .exec_with_returning(db)
        .await?;
    moved.into_iter().next().ok_or(AssignmentError::InvalidTransition { at, step: "继续" })
}

/// Whether there is such an assignment, whoever may see it.
///
/// # Errors
/// The database's.
pub(super) async fn exists(db: &impl ConnectionTrait, id: AssignmentId) -> Result<bool, DbErr> {
    Ok(assignment::Entity::find_by_id(id).one(db).await?.is_some())
}

/// Assignments whose offers are not all made.
///
/// # Errors
/// The database's.
pub(super) async fn unfinished(db: &impl ConnectionTrait) -> Result<Vec<AssignmentId>, DbErr> {
    assignment::Entity::find()
        .select_only()
        .column(assignment::Column::Id)
        .filter(assignment::Column::Status.eq(AssignmentStatus::Offering))
        .order_by_asc(assignment::Column::Id)
        .into_tuple()
        .all(db)
        .await
}
