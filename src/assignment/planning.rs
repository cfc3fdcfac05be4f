//! Working a plan out.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use chrono::{DateTime, Utc};
use entity::category::Category;
use entity::claim::{self, ClaimStatus};
use entity::id::{MemberId, TaskId};
use entity::task::{self, TaskStatus};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QuerySelect as _};
use tokio::sync::Semaphore;

use super::error::AssignmentError;
use crate::app::AppState;
use crate::matching::bounds::Asked;
use crate::matching::candidates::judge;
use crate::matching::{Volunteer, Wish, assign};
use crate::region::{RegionCode, Subtree};
use crate::task::offering::{self, Points};

/// How long a call waits for the plan before it.
const PATIENCE: Duration = Duration::from_secs(10);

/// The right to work a plan out: one at a time on a node, since it takes a core and hundreds of megabytes of a large city.
#[derive(Clone, Debug)]
pub struct Planner(Arc<Semaphore>);

impl Default for Planner {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

/// Which tasks, for whom.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) region: RegionCode,
    pub(super) per_member: u32,
    /// Windows that end after this.
    pub(super) from: Option<DateTime<Utc>>,
    /// Windows that begin before this.
    pub(super) until: Option<DateTime<Utc>>,
    /// None: all.
    pub(super) categories: Vec<Category>,
}

/// One volunteer for one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) task: TaskId,
    pub(super) member: MemberId,
    pub(super) points: Points,
}

/// A plan.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    pub(super) tasks: usize,
    pub(super) volunteers: usize,
    /// Free slots that nobody is asked for.
    pub(super) places: u64,
    /// By task, then member.
    pub(super) pairs: Vec<Planned>,
}

impl Plan {
    /// The sum of scores.
    pub(super) fn objective(&self) -> u64 {
        self.pairs.iter().map(|pair| u64::from(pair.points.score())).sum()
    }

    pub(super) fn unassigned(&self) -> u64 {
        self.places.saturating_sub(self.pairs.len() as u64)
    }

    /// Why it is empty, for people.
    pub(super) fn reason(&self) -> Option<&'static str> {
        match () {
            () if self.tasks == 0 => {
                Some("该范围内没有仍有空余名额、尚未过期的任务；请先发布任务，或调整区域、时间与类别")
            }
            () if self.volunteers == 0 => Some("该区域所在区县没有可派单的志愿者；请先动员居民登记为志愿者"),
            () if self.pairs.is_empty() => {
                Some("没有符合条件的志愿者：技能、空闲时段或资质都对不上；请查看各任务的匹配情况，或调整服务时段")
            }
            () => None,
        }
    }
}

/// What one district brings to the computation.
struct Input {
    tasks: Vec<TaskId>,
    wishes: Vec<Wish>,
    members: Vec<MemberId>,
    volunteers: Vec<Volunteer>,
}

/// The best plan as of `now`.
///
/// # Errors
/// [`AssignmentError::Busy`] where another one takes too long; the database's.
pub(super) async fn plan(state: &AppState, order: &Order, now: DateTime<Utc>) -> Result<Plan, AssignmentError> {
    let turn = tokio::time::timeout(PATIENCE, Arc::clone(&state.planner.0).acquire_owned()).await;
    let Ok(Ok(turn)) = turn else { return Err(AssignmentError::Busy) };
    let free = free_slots(state.db.read(), order, now).await?;
    let mut plan = Plan::default();
    for district in districts(state, &order.region).await? {
        let input = read(state, order, &district, &free, now).await?;
        plan.tasks += input.tasks.len();
        plan.volunteers += input.members.len();
        plan.places += input.wishes.iter().map(|wish| u64::from(wish.needed)).sum::<u64>();
        let pairs = web::block(move || solve(&input)).await.map_err(|_| AssignmentError::CutOff)?;
        plan.pairs.extend(pairs);
    }
    drop(turn);
    plan.pairs.sort_unstable_by_key(|pair| (pair.task, pair.member));
    Ok(plan)
}

fn solve(input: &Input) -> Vec<Planned> {
    let at = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let pairs = assign(&input.wishes, &input.volunteers);
    let planned = pairs.into_iter().filter_map(|pair| {
        let (wish, volunteer) = (at(pair.wish), at(pair.volunteer));
        // Every pair of a plan passes the filters; the parts are what its score was made of.
        let parts = judge(&input.wishes[wish], &input.volunteers[volunteer], Asked::ByOthers).ok()?;
        let points = Points { skill: parts.skill, near: parts.near, time: parts.time };
        Some(Planned { task: input.tasks[wish], member: input.members[volunteer], points })
    });
    planned.collect()
}

/// The tasks of one district with the slots that are wanted, and all its volunteers.
async fn read(
    state: &AppState,
    order: &Order,
    district: &RegionCode,
    free: &HashMap<TaskId, u32>,
    now: DateTime<Utc>,
) -> Result<Input, AssignmentError> {
    let current = state.matching.district(&state.db, district).await?;
    let (subtree, per_member) = (order.region.subtree(), order.per_member);
    let market = web::block(move || current.market(&subtree, per_member, now));
    let market = market.await.map_err(|_| AssignmentError::CutOff)?;
    let mut input =
        Input { tasks: Vec::new(), wishes: Vec::new(), members: market.member_ids, volunteers: market.volunteers };
    for (task, wish) in market.task_ids.into_iter().zip(market.wishes) {
        if let Some(free) = free.get(&task) {
            input.tasks.push(task);
            input.wishes.push(Wish { needed: Ord::min(wish.needed, *free), ..wish });
        }
    }
    Ok(input)
}

/// The districts of a region: its own, or of a city or province all in it. Nobody is asked for work of another district.
async fn districts(state: &AppState, region: &RegionCode) -> Result<Vec<RegionCode>, DbErr> {
    if Subtree::of(&region.district()).encloses(&region.subtree()) && !region.district().ends_with("00") {
        return Ok(vec![region.district()]);
    }
    state.matching.districts(&state.db, &region.subtree()).await
}

/// Open tasks of the order that have slots for which nobody is asked yet, with how many.
async fn free_slots(
    db: &impl ConnectionTrait,
    order: &Order,
    now: DateTime<Utc>,
) -> Result<HashMap<TaskId, u32>, DbErr> {
    use task::Column::{Category as Of, Id, RegionCode as Region, Slots, Status, Taken, WindowFrom, WindowUntil};
    let subtree = order.region.subtree();
    let mut query = task::Entity::find()
        .select_only()
        .columns([Id, Slots, Taken])
        .filter(offering::alive())
        .filter(Status.eq(TaskStatus::Open))
        .filter(WindowUntil.gt(order.from.map_or(now, |from| Ord::max(from, now))))
        .filter(subtree.covers(Expr::col((task::Entity, Region))));
    if let Some(until) = order.until {
        query = query.filter(WindowFrom.lt(until));
    }
    if !order.categories.is_empty() {
        query = query.filter(Of.is_in(order.categories.iter().copied()));
    }
    let tasks: Vec<(TaskId, i32, i32)> = query.into_tuple().all(db).await?;
    let asked: Vec<(TaskId, i64)> = claim::Entity::find()
        .select_only()
        .column(claim::Column::TaskId)
        .column_as(claim::Column::Id.count(), "offers")
        .filter(offering::running())
        .filter(claim::Column::Status.eq(ClaimStatus::Offered))
        .filter(claim::Column::WindowUntil.gt(now))
        .filter(claim::Column::OfferExpiresAt.gt(now))
        // The cast keeps SQLite from going through all claims the region ever had.
        .filter(subtree.covers(Expr::col((claim::Entity, claim::Column::RegionCode)).cast_as("text")))
        .group_by(claim::Column::TaskId)
        .into_tuple()
        .all(db)
        .await?;
    let asked: HashMap<TaskId, i64> = asked.into_iter().collect();
    let free = |(id, slots, taken): (TaskId, i32, i32)| {
        let left = i64::from(slots - taken) - asked.get(&id).copied().unwrap_or(0);
        u32::try_from(left).ok().filter(|left| *left > 0).map(|left| (id, left))
    };
    Ok(tasks.into_iter().filter_map(free).collect())
}
