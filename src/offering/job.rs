//! The matcher asks.
//!
//! Tasks that are due for a look are taken page by page, the highest priority and the earliest window first. Whom to ask is
//! worked out before the transaction, from the live index; in the transaction everything that decides is read again under
//! locks, so that a second hand at the same work (a node whose lease ran out) asks nobody twice. With the offers it is
//! written when to look again, so a crash loses nothing and repeats nothing.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use entity::id::{ClaimId, MemberId, TaskId};
use entity::task::{self, TaskStatus};
use entity::{task_asking, wish};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, JoinType, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, RelationDef,
};

use super::domain::{Look, Plan, Wave, plan, rest};
use super::finding::{self, Found, Search};
use super::policy::{Policies, Policy};
use crate::app::AppState;
use crate::db::Txn;
use crate::jobs::{JobError, Lease};
use crate::notify;
use crate::region::{RegionCode, Subtree};
use crate::task::notice;
use crate::task::offering::{self, Ask, Asker, Skip};

/// Tasks of one page, asked for in one transaction.
const PAGE: u64 = 100;
/// Candidates beyond those needed: some may have as many offers as they get.
const SPARE: usize = 12;
/// How long a task for which nobody more can be asked is left alone, unless something happens to it.
const EXHAUSTED: TimeDelta = TimeDelta::minutes(15);

/// The job: asks for every task that is due, and answers how many people it asked.
///
/// # Errors
/// The database's.
pub async fn run(state: &AppState, lease: &Lease) -> Result<u64, JobError> {
    let mut asked = 0;
    loop {
        let now = state.clock.now();
        let policies = Policies::read(state.db.read()).await?;
        let page = due(state.db.read(), &policies, now).await?;
        if page.is_empty() {
            return Ok(asked);
        }
        let Some(made) = ask_for(state, lease, &policies, page, now).await? else { return Ok(asked) };
        asked += made;
    }
}

/// A task to be looked at.
struct Due {
    task: task::Model,
    /// Who asked for it is never asked to do it.
    requester: Option<MemberId>,
    overdue: bool,
}

/// Open tasks of regions that are switched on, due for a look.
async fn due(db: &impl ConnectionTrait, policies: &Policies, now: DateTime<Utc>) -> Result<Vec<Due>, DbErr> {
    use task::Column::{Id, Priority, RegionCode as Region, Status, WindowFrom, WindowUntil};
    let mut regions = Condition::any();
    for code in policies.enabled() {
        if let Ok(code) = RegionCode::parse(code) {
            regions = regions.add(Subtree::of(&code).covers(Expr::col((task::Entity, Region))));
        }
    }
    if regions.is_empty() {
        return Ok(Vec::new());
    }
    let asking: RelationDef =
        task::Entity::belongs_to(task_asking::Entity).from(Id).to(task_asking::Column::TaskId).into();
    let rested = Condition::any().add(task_asking::Column::LookAt.is_null()).add(task_asking::Column::LookAt.lte(now));
    let tasks = task::Entity::find()
        .join(JoinType::LeftJoin, asking)
        .filter(offering::alive())
        .filter(Status.eq(TaskStatus::Open))
        .filter(WindowUntil.gt(now))
        .filter(rested)
        .filter(regions)
        .order_by_desc(Priority)
        .order_by_asc(WindowFrom)
        .order_by_asc(Id)
        .limit(PAGE)
        .all(db)
        .await?;
    let wishes: Vec<(Option<TaskId>, MemberId, Option<DateTime<Utc>>)> = wish::Entity::find()
        .select_only()
        .columns([wish::Column::TaskId, wish::Column::RequesterId, wish::Column::DueAt])
        .filter(wish::Column::TaskId.is_in(tasks.iter().map(|task| task.id)))
        .into_tuple()
        .all(db)
        .await?;
    let wishes: HashMap<TaskId, _> =
        wishes.into_iter().filter_map(|(task, requester, due)| Some((task?, (requester, due)))).collect();
    let with_source = |task: task::Model| {
        let source = wishes.get(&task.id).copied();
        let overdue = source.and_then(|(_, due)| due).is_some_and(|due| due <= now);
        Due { requester: source.map(|(requester, _)| requester), overdue, task }
    };
    Ok(tasks.into_iter().map(with_source).collect())
}

/// What is to be written down about a task.
#[derive(Clone, Copy)]
struct Note {
    task: TaskId,
    exhausted: bool,
    look_at: DateTime<Utc>,
}

/// Asks for a page of tasks; `None` where the lease is somebody else's by now.
async fn ask_for(
    state: &AppState,
    lease: &Lease,
    policies: &Policies,
    page: Vec<Due>,
    now: DateTime<Utc>,
) -> Result<Option<u64>, JobError> {
    let ids: BTreeSet<TaskId> = page.iter().map(|due| due.task.id).collect();
    let (open, mut known) = offering::asked_for(state.db.read(), &ids, now).await?;
    let mut notes = Vec::with_capacity(page.len());
    let mut wanted = Vec::new();
    for due in page {
        let (policy, _) = region_policy(policies, &due.task.region_code);
        let look = look(&due, open.get(&due.task.id).copied(), known.get(&due.task.id));
        let (id, idle) = (due.task.id, rest(&policy, &look, true, now));
        match plan(&policy, &look, now) {
            _ if !policy.enabled => notes.push(Note { task: id, exhausted: false, look_at: idle }),
            Plan::Rest { until } => notes.push(Note { task: id, exhausted: false, look_at: until }),
            Plan::Ask(wave) => {
                let mut barred = known.remove(&id).unwrap_or_default();
                barred.extend(due.requester);
                wanted.push((due.task, policy, wave, barred));
            }
        }
    }
    let found = candidates(state, &wanted, now).await?;
    let mut asks = Vec::new();
    for (task, policy, wave, barred) in &wanted {
        let chosen = choose(found.get(&task.id).map_or(&[], Vec::as_slice), policy, barred);
        let exhausted = chosen.len() < wave.people;
        asks.extend(chosen.into_iter().take(wave.people + SPARE).map(|found| ask(task.id, found, policy, wave)));
        let look_at = if exhausted { now + EXHAUSTED } else { wave.expires_at.min(now + EXHAUSTED) };
        notes.push(Note { task: task.id, exhausted, look_at });
    }
    let people = wanted.iter().map(|(task, _, wave, _)| (task.id, wave.people)).collect();
    commit(state, lease, asks, notes, people, now).await
}

fn region_policy<'a>(policies: &'a Policies, region: &str) -> (Policy, Option<&'a entity::offer_policy::Model>) {
    RegionCode::parse(region).map_or_else(|_| (Policy::default(), None), |region| policies.of(&region))
}

fn look(due: &Due, open: Option<usize>, known: Option<&HashSet<MemberId>>) -> Look {
    let task = &due.task;
    Look {
        opened_at: task.created_at,
        window_from: task.window_from,
        priority: task.priority,
        overdue: due.overdue,
        free_slots: usize::try_from(task.slots - task.taken).unwrap_or(0),
        open_offers: open.unwrap_or(0),
        asked: known.map_or(0, HashSet::len),
    }
}

type Wanted = (task::Model, Policy, Wave, HashSet<MemberId>);

/// The best candidates of each task.
async fn candidates(
    state: &AppState,
    wanted: &[Wanted],
    now: DateTime<Utc>,
) -> Result<HashMap<TaskId, Vec<Found>>, JobError> {
    let searches = wanted
        .iter()
        .map(|(task, _, wave, barred)| Search {
            task: task.id,
            region: task.region_code.clone(),
            limit: wave.people + barred.len() + SPARE,
        })
        .collect();
    finding::best(state, searches, now).await
}

/// Those of the found who may be asked, best first.
fn choose<'a>(found: &'a [Found], policy: &Policy, barred: &HashSet<MemberId>) -> Vec<&'a Found> {
    found
        .iter()
        .filter(|found| !barred.contains(&found.member) && i32::from(found.points.score()) >= policy.min_score)
        .collect()
}

fn ask(task: TaskId, found: &Found, policy: &Policy, wave: &Wave) -> Ask {
    Ask {
        task,
        member: found.member,
        claim: ClaimId::new(),
        points: found.points,
        ordering: found.ordering.clone(),
        expires_at: wave.expires_at,
        per_slot: wave.per_slot,
        most: wave.people,
        max_open: usize::try_from(policy.max_open_offers).unwrap_or(1),
    }
}

/// Makes the offers and writes down when to look again.
async fn commit(
    state: &AppState,
    lease: &Lease,
    asks: Vec<Ask>,
    notes: Vec<Note>,
    people: HashMap<TaskId, usize>,
    now: DateTime<Utc>,
) -> Result<Option<u64>, JobError> {
    let lease = lease.clone();
    let made = state.db.write(async move |txn: &Txn| {
        if !lease.is_held(txn).await? {
            return Ok::<_, DbErr>(None);
        }
        let asked = offering::ask(txn, Asker::Matcher, &asks, now).await?;
        let made: Vec<_> =
            asked.iter().filter_map(|asked| asked.task.as_ref().zip(asked.outcome.as_ref().ok())).collect();
        let told: Vec<_> = made.iter().map(|(task, claim)| (claim.member_id, notice::offered(task, claim))).collect();
        for chunk in told.chunks(200) {
            notify::tell_all(txn, chunk.iter().cloned(), now).await?;
        }
        let full: HashSet<TaskId> = asked
            .iter()
            .filter(|asked| matches!(asked.outcome, Err(Skip::TaskFull | Skip::TaskClosed)))
            .map(|asked| asked.ask.task)
            .collect();
        let mut gained: HashMap<TaskId, usize> = HashMap::new();
        for (task, _) in &made {
            *gained.entry(task.id).or_default() += 1;
        }
        let settled = notes.iter().map(|note| {
            let short =
                people.get(&note.task).is_some_and(|wanted| gained.get(&note.task).copied().unwrap_or(0) < *wanted);
            let exhausted = note.exhausted || (short && !full.contains(&note.task));
            Note { exhausted, ..*note }
        });
        write_down(txn, settled, now).await?;
        Ok(Some(made.len() as u64))
    });
    Ok(made.await?)
}

async fn write_down(txn: &Txn, notes: impl Iterator<Item = Note>, now: DateTime<Utc>) -> Result<(), DbErr> {
    use task_asking::Column::{Exhausted, LookAt, TaskId as Task, UpdatedAt};
    let rows: Vec<_> = notes
        .map(|note| task_asking::ActiveModel {
            task_id: Set(note.task),
            exhausted: Set(note.exhausted),
            look_at: Set(note.look_at),
            updated_at: Set(now),
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let anew = OnConflict::column(Task).update_columns([Exhausted, LookAt, UpdatedAt]).to_owned();
    task_asking::Entity::insert_many(rows).on_conflict(anew).exec_without_returning(txn).await.map(drop)
}
