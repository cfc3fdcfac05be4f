//! What nobody free can do: open tasks that nobody could be asked for now, by skill.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::web;
use chrono::{DateTime, Utc};
use entity::id::TaskId;
use entity::task::{self, TaskSource, TaskStatus};
use entity::{member, member_skill, task_skill};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, JoinType, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, RelationDef,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::AppState;
use crate::http::Problem;
use crate::matching::bounds::Barrier;
use crate::region::{RegionCode, Subtree};
use crate::task::offering;
use crate::taxonomy;

/// Tasks that are looked at, those of the highest priority and the earliest window first.
const MOST: u64 = 2_000;

/// A skill that open wishes ask for.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct UnmetSkill {
    /// Null: tasks that ask for none.
    pub(super) skill: Option<String>,
    pub(super) name: Option<String>,
    /// Open tasks that ask for it and for which nobody could be asked now.
    pub(super) tasks: usize,
    /// Volunteers who have it, in the region's districts.
    pub(super) volunteers: i64,
    /// What stood in the way of most: `skill` (nobody has it), `time` (nobody is free), `clash`, `answered` (all who fit were
    /// asked), `licence`, `training` …; null where there are no volunteers.
    pub(super) barrier: Option<&'static str>,
    #[serde(skip)]
    pub(super) barrier_name: &'static str,
}

/// What nobody free can do.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub(super) struct Unmet {
    /// Open tasks of wishes that were looked at.
    pub(super) looked_at: usize,
    /// Those for which nobody could be asked now.
    pub(super) without_candidates: usize,
    /// Most tasks first.
    pub(super) skills: Vec<UnmetSkill>,
}

/// Looks at the open tasks of a region.
///
/// # Errors
/// The database's.
pub(super) async fn unmet(state: &AppState, subtree: &Subtree, now: DateTime<Utc>) -> Result<Unmet, Problem> {
    let db = state.db.read();
    let tasks = open_tasks(db, subtree, now).await?;
    let mut unmet = Unmet { looked_at: tasks.len(), ..Unmet::default() };
    let mut districts: BTreeMap<RegionCode, Vec<TaskId>> = BTreeMap::new();
    for (task, region) in tasks {
        if let Ok(region) = RegionCode::parse(&region) {
            districts.entry(region.district()).or_default().push(task);
        }
    }
    let mut barriers: BTreeMap<TaskId, Option<Barrier>> = BTreeMap::new();
    for (district, tasks) in &districts {
        let current = state.matching.district(&state.db, district).await?;
        let tasks = tasks.clone();
        let found = web::block(move || {
            let nobody = |task: &TaskId| current.candidates(*task, 1, now).is_empty();
            let why = |task: TaskId| Some((task, current.why_nobody(task, now)?.furthest()));
            tasks.into_iter().filter(nobody).filter_map(why).collect::<Vec<_>>()
        });
        barriers.extend(found.await.map_err(|error| Problem::internal(&error))?);
    }
    unmet.without_candidates = barriers.len();
    unmet.skills = by_skill(db, &barriers, districts.keys()).await?;
    Ok(unmet)
}

async fn open_tasks(
    db: &impl ConnectionTrait,
    subtree: &Subtree,
    now: DateTime<Utc>,
) -> Result<Vec<(TaskId, String)>, DbErr> {
    use task::Column::{Id, Priority, RegionCode as Region, SourceKind, Status, WindowFrom, WindowUntil};
    task::Entity::find()
        .select_only()
        .columns([Id, Region])
        .filter(offering::alive())
        .filter(Status.eq(TaskStatus::Open))
        .filter(WindowUntil.gt(now))
        .filter(SourceKind.eq(TaskSource::Wish))
        .filter(subtree.covers(Expr::col((task::Entity, Region))))
        .order_by_desc(Priority)
        .order_by_asc(WindowFrom)
        .limit(MOST)
        .into_tuple()
        .all(db)
        .await
}

async fn by_skill(
    db: &impl ConnectionTrait,
    barriers: &BTreeMap<TaskId, Option<Barrier>>,
    districts: impl Iterator<Item = &RegionCode>,
) -> Result<Vec<UnmetSkill>, DbErr> {
    let merged = taxonomy::merged(db, "skill").await?;
    let wanted = skills_of(db, barriers.keys().copied().collect()).await?;
    let mut asked: BTreeMap<Option<String>, Vec<Option<Barrier>>> = BTreeMap::new();
    for (task, barrier) in barriers {
        let codes = wanted.get(task).map(|codes| merged.each(codes)).unwrap_or_default();
        if codes.is_empty() {
            asked.entry(None).or_default().push(*barrier);
        }
        for code in codes {
            asked.entry(Some(code)).or_default().push(*barrier);
        }
    }
    let mut holders: BTreeMap<String, i64> = BTreeMap::new();
    for district in districts {
        for (skill, count) in holders_of(db, district).await? {
            *holders.entry(merged.canonical(&skill).to_owned()).or_default() += count;
        }
    }
    let mut skills: Vec<UnmetSkill> = asked
        .into_iter()
        .map(|(skill, barriers)| {
            let barrier = most_frequent(&barriers);
            UnmetSkill {
                tasks: barriers.len(),
                volunteers: skill.as_ref().and_then(|skill| holders.get(skill)).copied().unwrap_or(0),
                barrier: barrier.map(Barrier::code),
                barrier_name: barrier.map_or("没有志愿者", barrier_name),
                name: None,
                skill,
            }
        })
        .collect();
    skills.sort_by(|one, other| (other.tasks, &one.skill).cmp(&(one.tasks, &other.skill)));
    Ok(skills)
}

async fn skills_of(db: &impl ConnectionTrait, tasks: BTreeSet<TaskId>) -> Result<BTreeMap<TaskId, Vec<String>>, DbErr> {
    let rows: Vec<(TaskId, String)> = task_skill::Entity::find()
        .select_only()
        .columns([task_skill::Column::TaskId, task_skill::Column::Skill])
        .filter(task_skill::Column::TaskId.is_in(tasks))
        .into_tuple()
        .all(db)
        .await?;
    let mut skills: BTreeMap<TaskId, Vec<String>> = BTreeMap::new();
    for (task, skill) in rows {
        skills.entry(task).or_default().push(skill);
    }
    Ok(skills)
}

/// How many volunteers of a district have each skill.
async fn holders_of(db: &impl ConnectionTrait, district: &RegionCode) -> Result<Vec<(String, i64)>, DbErr> {
    let of_member: RelationDef = member_skill::Entity::belongs_to(member::Entity)
        .from(member_skill::Column::MemberId)
        .to(member::Column::Id)
        .into();
    member_skill::Entity::find()
        .select_only()
        .column(member_skill::Column::Skill)
        .column_as(member_skill::Column::MemberId.count(), "members")
        .join(JoinType::InnerJoin, of_member)
        .filter(district.subtree().covers(Expr::col((member::Entity, member::Column::RegionCode))))
        .filter(member::Column::IsVolunteer.eq(true))
        .filter(member::Column::DisabledAt.is_null())
        .group_by(member_skill::Column::Skill)
        .into_tuple()
        .all(db)
        .await
}

fn most_frequent(barriers: &[Option<Barrier>]) -> Option<Barrier> {
    let mut counts: BTreeMap<Barrier, usize> = BTreeMap::new();
    for barrier in barriers.iter().flatten() {
        *counts.entry(*barrier).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(barrier, _)| barrier)
}

const fn barrier_name(barrier: Barrier) -> &'static str {
    match barrier {
        Barrier::District => "本区没有志愿者",
        Barrier::Skill => "没有人具备该技能",
        Barrier::Licence => "缺少有效执业资质",
        Barrier::Age => "年龄不符",
        Barrier::Training => "缺少安全培训",
        Barrier::Insurance => "没有保险",
        Barrier::Paused => "暂停接受派单",
        Barrier::Time => "时段都没有空",
        Barrier::Clash => "时段已有其他任务",
        Barrier::Hours => "本周时长已满",
        Barrier::Answered => "合适的人都已邀请过",
    }
}
