//! Offers that the matcher makes, many at once. An offer stays a claim (`offered`); beside it stands what the matcher knew
//! when it asked. To be run in a transaction.
//!
//! Tasks are locked first and in the order of their ids, then the members who are asked, so that two commands never wait for
//! each other and nobody gets more open offers than the policy says, whoever asks at the same time.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use entity::claim::{self, ClaimStatus};
use entity::id::{AssignmentId, ClaimId, MemberId, StaffId, TaskId};
use entity::member;
use entity::offer::{self, OfferSource};
use entity::{task, task_asking};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, LockType, Query};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, IntoActiveModel as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::claim::{blank, ended};
use super::domain::{OPEN, takes_claims};
use crate::db::insert_all;
use crate::region::{RegionCode, Subtree};

/// Somebody to be asked for a task.
#[derive(Clone, Debug)]
pub struct Ask {
    pub task: TaskId,
    pub member: MemberId,
    /// Of the claim that the offer will be.
    pub claim: ClaimId,
    /// For skill, nearness and time: they make the score.
    pub points: Points,
    /// Factors that only order what is equal, as the volunteer may see them.
    pub ordering: Value,
    /// When it lapses: not after the window's end.
    pub expires_at: DateTime<Utc>,
    /// How many are asked at once for each free slot of the task.
    pub per_slot: usize,
    /// How many are asked for the task by this command, at most.
    pub most: usize,
    /// Open offers that the volunteer has at most, this one counted.
    pub max_open: usize,
}

/// The counted factors of a score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Points {
    /// Of 50.
    pub skill: u8,
    /// Of 30.
    pub near: u8,
    /// Of 20.
    pub time: u8,
}

impl Points {
    /// At most 100.
    pub const fn score(self) -> u8 {
        self.skill.saturating_add(self.near).saturating_add(self.time)
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub enum Asker {
    Matcher,
    /// A manager, by a plan.
    Assignment(AssignmentId, StaffId),
}

/// Why somebody is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Skip {
    /// Ended, closed, or its window is over.
    TaskClosed,
    /// No free slot that nobody is asked for.
    TaskFull,
    /// They were asked for it before, whatever they answered, or have claimed it.
    AlreadyAsked,
    /// They are committed elsewhere at that time.
    OverlappingClaim,
    /// Not, or not any more, a volunteer of the district who takes offers.
    NotAVolunteer,
    /// They have as many open offers as one volunteer gets.
    TooManyOffers,
}

impl Skip {
    /// As stored.
    pub const fn code(self) -> &'static str {
        match self {
            Self::TaskClosed => "task_closed",
            Self::TaskFull => "task_full",
            Self::AlreadyAsked => "already_asked",
            Self::OverlappingClaim => "overlapping_claim",
            Self::NotAVolunteer => "not_a_volunteer",
            Self::TooManyOffers => "too_many_offers",
        }
    }

    /// For people.
    pub fn words(code: &str) -> &'static str {
        match code {
            "task_closed" => "任务已结束或已关闭",
            "task_full" => "任务名额已满或已有人待答复",
            "already_asked" => "此前已就该任务邀请过或已认领",
            "overlapping_claim" => "该时段已有其他任务",
            "not_a_volunteer" => "已不是本区可派单的志愿者",
            "too_many_offers" => "待答复的邀请已达上限",
            _ => "已不具备条件",
        }
    }
}

/// What came of one [`Ask`].
#[derive(Clone, Debug)]
pub struct Asked {
    pub ask: Ask,
    /// The task as it is, where it is still there.
    pub task: Option<task::Model>,
    pub outcome: Result<claim::Model, Skip>,
}

/// Asks all who may still be asked; the answers are in the order of `asks`, those of one task best first.
///
/// # Errors
/// The database's.
pub async fn ask(db: &impl ConnectionTrait, by: Asker, asks: &[Ask], now: DateTime<Utc>) -> Result<Vec<Asked>, DbErr> {
    if asks.is_empty() {
        return Ok(Vec::new());
    }
    let mut room = Room::read(db, asks, now).await?;
    let mut asked = Vec::with_capacity(asks.len());
    let mut claims = Vec::new();
    let mut offers = Vec::new();
    for ask in asks {
        let outcome = room.admit(ask, now).map(|()| {
            let row = row(&room.tasks[&ask.task], by, ask, now);
            claims.push(row.clone().into_active_model());
            offers.push(detail(ask, by, room.waves.get(&ask.task).copied().unwrap_or(0) + 1, now));
            row
        });
        asked.push(Asked { ask: ask.clone(), task: room.tasks.get(&ask.task).cloned(), outcome });
    }
    insert_all(db, claims).await?;
    insert_all(db, offers).await?;
    Ok(asked)
}

fn row(task: &task::Model, by: Asker, ask: &Ask, now: DateTime<Utc>) -> claim::Model {
    let offered_by = match by {
        Asker::Matcher => None,
        Asker::Assignment(_, staff) => Some(staff),
    };
    claim::Model {
        status: ClaimStatus::Offered,
        offered_by,
        offer_expires_at: Some(ask.expires_at.min(task.window_until)),
        accepted_at: None,
        ..blank(task, ask.member, ask.claim, now)
    }
}

fn detail(ask: &Ask, by: Asker, wave: i32, now: DateTime<Utc>) -> offer::ActiveModel {
    let (source, assignment) = match by {
        Asker::Matcher => (OfferSource::Matcher, None),
        Asker::Assignment(id, _) => (OfferSource::Assignment, Some(id)),
    };
    let Points { skill, near, time } = ask.points;
    offer::ActiveModel {
        claim_id: Set(ask.claim),
        task_id: Set(ask.task),
        member_id: Set(ask.member),
        source: Set(source),
        wave: Set(wave),
        assignment_id: Set(assignment),
        skill_points: Set(skill.into()),
        near_points: Set(near.into()),
        time_points: Set(time.into()),
        score: Set(ask.points.score().into()),
        ordering: Set(ask.ordering.clone()),
        withdrawn_at: Set(None),
        created_at: Set(now),
    }
}

/// What decides who may be asked, as of the transaction.
struct Room {
    tasks: HashMap<TaskId, task::Model>,
    /// By task: offers that wait for an answer.
    open: HashMap<TaskId, usize>,
    /// By task: offers made by this command.
    made: HashMap<TaskId, usize>,
    /// The number of the last wave.
    waves: HashMap<TaskId, i32>,
    /// Who was asked for which task, or claimed it.
    known: HashSet<(TaskId, MemberId)>,
    /// Volunteers who may be asked at all, with where they live.
    members: HashMap<MemberId, String>,
    /// What volunteers are committed to.
    busy: HashMap<MemberId, Spans>,
    /// By volunteer: offers that wait for an answer.
    waiting: HashMap<MemberId, usize>,
}

impl Room {
    async fn read(db: &impl ConnectionTrait, asks: &[Ask], now: DateTime<Utc>) -> Result<Self, DbErr> {
        let tasks: BTreeSet<TaskId> = asks.iter().map(|ask| ask.task).collect();
        let people: BTreeSet<MemberId> = asks.iter().map(|ask| ask.member).collect();
        let locked = task::Entity::find()
            .filter(task::Column::Id.is_in(tasks.iter().copied()))
            .order_by_asc(task::Column::Id)
            .lock_exclusive()
            .all(db)
            .await?;
        let members = askable(db, &people).await?;
        let (open, known) = claims_on(db, &tasks, now).await?;
        Ok(Self {
            tasks: locked.into_iter().map(|task| (task.id, task)).collect(),
            open,
            made: HashMap::new(),
            waves: waves(db, &tasks).await?,
            known,
            members,
            busy: commitments(db, &people).await?,
            waiting: waiting(db, &people, now).await?,
        })
    }

    /// Takes a place for `ask`, or says why there is none.
    fn admit(&mut self, ask: &Ask, now: DateTime<Utc>) -> Result<(), Skip> {
        let Some(task) = self.tasks.get(&ask.task) else { return Err(Skip::TaskClosed) };
        if !takes_claims(task.status) || task.window_until <= now {
            return Err(Skip::TaskClosed);
        }
        if self.known.contains(&(ask.task, ask.member)) {
            return Err(Skip::AlreadyAsked);
        }
        let home = self.members.get(&ask.member).ok_or(Skip::NotAVolunteer)?;
        let district = RegionCode::parse(&task.region_code).map(|code| Subtree::of(&code.district()));
        if !district.is_ok_and(|district| district.contains(home)) {
            return Err(Skip::NotAVolunteer);
        }
        let meets =
            |(from, until): &(DateTime<Utc>, DateTime<Utc>)| *from < task.window_until && *until > task.window_from;
        if self.busy.get(&ask.member).is_some_and(|spans| spans.iter().any(meets)) {
            return Err(Skip::OverlappingClaim);
        }
        let free = usize::try_from(task.slots - task.taken).unwrap_or(0).saturating_mul(ask.per_slot);
        let (open, made) = (self.open.entry(ask.task).or_default(), self.made.entry(ask.task).or_default());
        if *open >= free || *made >= ask.most {
            return Err(Skip::TaskFull);
        }
        let waiting = self.waiting.entry(ask.member).or_default();
        if *waiting >= ask.max_open {
            return Err(Skip::TooManyOffers);
        }
        *open += 1;
        *made += 1;
        *waiting += 1;
        self.known.insert((ask.task, ask.member));
        Ok(())
    }
}

/// Volunteers as they are now, their rows held until the transaction ends: nobody opts out in between.
async fn askable(db: &impl ConnectionTrait, people: &BTreeSet<MemberId>) -> Result<HashMap<MemberId, String>, DbErr> {
    let rows = member::Entity::find()
        .filter(member::Column::Id.is_in(people.iter().copied()))
        .order_by_asc(member::Column::Id)
        .lock(LockType::NoKeyUpdate)
        .all(db)
        .await?;
    let may = |row: &member::Model| {
        (row.is_volunteer || row.is_party_member)
            && !row.offers_paused
            && row.disabled_at.is_none()
            && row.merged_into.is_none()
            && row.erased_at.is_none()
    };
    Ok(rows.into_iter().filter(may).filter_map(|row| Some((row.id, row.region_code?))).collect())
}

type OnTasks = (HashMap<TaskId, usize>, HashSet<(TaskId, MemberId)>);

/// Offers that wait for an answer by task, and who was asked or has claimed. An offer that staff took back does not count.
async fn claims_on(db: &impl ConnectionTrait, tasks: &BTreeSet<TaskId>, now: DateTime<Utc>) -> Result<OnTasks, DbErr> {
    let taken_back = Query::select()
        .column(offer::Column::ClaimId)
        .from(offer::Entity)
        .and_where(offer::Column::TaskId.is_in(tasks.iter().copied()))
        .and_where(offer::Column::WithdrawnAt.is_not_null())
        .take();
    let rows: Vec<(TaskId, MemberId, ClaimStatus, Option<DateTime<Utc>>)> = claim::Entity::find()
        .select_only()
        .columns([claim::Column::TaskId, claim::Column::MemberId, claim::Column::Status, claim::Column::OfferExpiresAt])
        .filter(claim::Column::TaskId.is_in(tasks.iter().copied()))
        .filter(claim::Column::Id.not_in_subquery(taken_back))
        .into_tuple()
        .all(db)
        .await?;
    let mut open: HashMap<TaskId, usize> = HashMap::new();
    let mut known = HashSet::new();
    for (task, member, status, expires) in rows {
        known.insert((task, member));
        if status == ClaimStatus::Offered && expires.is_none_or(|expires| expires > now) {
            *open.entry(task).or_default() += 1;
        }
    }
    Ok((open, known))
}

async fn waves(db: &impl ConnectionTrait, tasks: &BTreeSet<TaskId>) -> Result<HashMap<TaskId, i32>, DbErr> {
    let rows: Vec<(TaskId, Option<i32>)> = offer::Entity::find()
        .select_only()
        .column(offer::Column::TaskId)
        .column_as(offer::Column::Wave.max(), "wave")
        .filter(offer::Column::TaskId.is_in(tasks.iter().copied()))
        .group_by(offer::Column::TaskId)
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|(task, wave)| (task, wave.unwrap_or(0))).collect())
}

type Spans = Vec<(DateTime<Utc>, DateTime<Utc>)>;

async fn commitments(
    db: &impl ConnectionTrait,
    people: &BTreeSet<MemberId>,
) -> Result<HashMap<MemberId, Spans>, DbErr> {
    let rows: Vec<(MemberId, DateTime<Utc>, DateTime<Utc>)> = claim::Entity::find()
        .select_only()
        .columns([claim::Column::MemberId, claim::Column::WindowFrom, claim::Column::WindowUntil])
        .filter(claim::Column::MemberId.is_in(people.iter().copied()))
        .filter(claim::Column::Status.is_in(OPEN))
        .into_tuple()
        .all(db)
        .await?;
    let mut busy: HashMap<MemberId, Spans> = HashMap::new();
    for (member, from, until) in rows {
        busy.entry(member).or_default().push((from, until));
    }
    Ok(busy)
}

async fn waiting(
    db: &impl ConnectionTrait,
    people: &BTreeSet<MemberId>,
    now: DateTime<Utc>,
) -> Result<HashMap<MemberId, usize>, DbErr> {
    let rows: Vec<(MemberId, i64)> = claim::Entity::find()
        .select_only()
        .column(claim::Column::MemberId)
        .column_as(claim::Column::Id.count(), "offers")
        .filter(claim::Column::MemberId.is_in(people.iter().copied()))
        .filter(claim::Column::Status.eq(ClaimStatus::Offered))
        .filter(claim::Column::OfferExpiresAt.gt(now))
        .group_by(claim::Column::MemberId)
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|(member, count)| (member, usize::try_from(count).unwrap_or(0))).collect())
}

/// Offers that wait for an answer, by task; and who was asked for it or has claimed it. For looking ahead, without locks.
///
/// # Errors
/// The database's.
pub async fn asked_for(
    db: &impl ConnectionTrait,
    tasks: &BTreeSet<TaskId>,
    now: DateTime<Utc>,
) -> Result<(HashMap<TaskId, usize>, BTreeMap<TaskId, HashSet<MemberId>>), DbErr> {
    let (open, known) = claims_on(db, tasks, now).await?;
    let mut by_task: BTreeMap<TaskId, HashSet<MemberId>> = BTreeMap::new();
    for (task, member) in known {
        by_task.entry(task).or_default().insert(member);
    }
    Ok((open, by_task))
}

/// That a claim runs, in the words of the index `claim_running`: SQLite uses a partial index only where its words stand.
pub fn running() -> Expr {
    Expr::cust("claim.status IN ('offered', 'accepted', 'checked_in')")
}

/// That a task is alive, in the words of the index `task_alive`.
pub fn alive() -> Expr {
    Expr::cust("task.status IN ('open', 'full', 'in_progress')")
}

/// Lets the matcher's open offers of a task lapse: others were faster. Answers them.
///
/// # Errors
/// The database's.
pub async fn lapse_rest(
    db: &impl ConnectionTrait,
    task: TaskId,
    now: DateTime<Utc>,
) -> Result<Vec<claim::Model>, DbErr> {
    let made = Query::select()
        .column(offer::Column::ClaimId)
        .from(offer::Entity)
        .and_where(offer::Column::TaskId.eq(task))
        .and_where(offer::Column::WithdrawnAt.is_null())
        .take();
    let which = Condition::all().add(claim::Column::TaskId.eq(task)).add(claim::Column::Id.in_subquery(made));
    lapse_where(db, which, None, now).await
}

/// Takes an assignment's open offers back; who got them may be asked again. Answers them.
///
/// # Errors
/// The database's.
pub async fn take_back(
    db: &impl ConnectionTrait,
    assignment: AssignmentId,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<Vec<claim::Model>, DbErr> {
    let made = Query::select()
        .column(offer::Column::ClaimId)
        .from(offer::Entity)
        .and_where(offer::Column::AssignmentId.eq(assignment))
        .take();
    let ended = lapse_where(db, Condition::all().add(claim::Column::Id.in_subquery(made)), Some(reason), now).await?;
    for chunk in ended.chunks(500) {
        offer::Entity::update_many()
            .set(offer::ActiveModel { withdrawn_at: Set(Some(now)), ..Default::default() })
            .filter(offer::Column::ClaimId.is_in(chunk.iter().map(|claim| claim.id)))
            .exec(db)
            .await?;
    }
    Ok(ended)
}

async fn lapse_where(
    db: &impl ConnectionTrait,
    which: Condition,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Vec<claim::Model>, DbErr> {
    claim::Entity::update_many()
        .set(claim::ActiveModel { status: Set(ClaimStatus::Lapsed), updated_at: Set(now), ..ended(reason, now) })
        .filter(claim::Column::Status.eq(ClaimStatus::Offered))
        .filter(which)
        .exec_with_returning(db)
        .await
}

/// Has the matcher look at a task soon: somebody said no, or a slot is free again. Nothing where it never asked for it.
///
/// # Errors
/// The database's.
pub async fn look_again(db: &impl ConnectionTrait, task: TaskId, now: DateTime<Utc>) -> Result<(), DbErr> {
    task_asking::Entity::update_many()
        .set(task_asking::ActiveModel { look_at: Set(now), updated_at: Set(now), ..Default::default() })
        .filter(task_asking::Column::TaskId.eq(task))
        .exec(db)
        .await
        .map(drop)
}

/// What stands beside claims that the matcher offered.
///
/// # Errors
/// The database's.
pub async fn details(
    db: &impl ConnectionTrait,
    claims: impl IntoIterator<Item = ClaimId>,
) -> Result<HashMap<ClaimId, offer::Model>, DbErr> {
    let ids: Vec<ClaimId> = claims.into_iter().collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = offer::Entity::find().filter(offer::Column::ClaimId.is_in(ids)).all(db).await?;
    Ok(rows.into_iter().map(|row| (row.claim_id, row)).collect())
}
