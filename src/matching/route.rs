//! Who fits a task, and what fits a volunteer.

use std::collections::{BTreeMap, HashMap};

use actix_web::{get, web};
use entity::id::{MemberId, TaskId};
use entity::member;
use sea_orm::{ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QuerySelect as _};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use super::bounds::Barrier;
use super::live::{Current, Factor, Why};
use crate::app::{AppState, State};
use crate::db::fault;
use crate::http::{Params, PathId, Problem};
use crate::identity::{Caller, mask};
use crate::region::RegionCode;
use crate::task;
use crate::task::domain::takes_claims;
use crate::task::view::TaskView;

/// The routes of this room.
pub fn routes(config: &mut ServiceConfig) {
    config.service(get_matches).service(get_recommendations);
}

const DEFAULT: usize = 20;

/// How many of the best.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct Best {
    /// 1 to 100, 20 where it is not given.
    #[validate(range(min = 1, max = 100))]
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
}

impl Best {
    fn limit(&self) -> usize {
        self.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(DEFAULT)
    }
}

/// The best, best first.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct BestOf<T> {
    items: Vec<T>,
    /// Always null: who wants more asks for a greater `limit`.
    next_cursor: Option<String>,
    /// Why there is nothing; only where there is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
}

/// Why a list is empty.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct Reason {
    /// For programs: `nobody_free_then`, `nobody_with_skill`, `no_availability` …
    code: &'static str,
    /// For people: what can be done.
    detail: String,
    /// How many volunteers, or tasks, were looked at.
    looked_at: u32,
    /// How many of them the first filter in their way left out, by filter.
    left_out: BTreeMap<&'static str, u32>,
    /// Members who may claim but never said when they are free: they were not looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    without_availability: Option<u64>,
}

impl Reason {
    fn new(code: &'static str, detail: impl Into<String>, why: Why) -> Self {
        let left_out = why.left_out.counts().map(|(barrier, count)| (barrier.code(), count)).collect();
        Self { code, detail: detail.into(), looked_at: why.looked_at, left_out, without_availability: None }
    }
}

/// A volunteer who fits a task.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct MatchView {
    member_id: MemberId,
    /// The id in the data set they were imported from.
    r#ref: Option<String>,
    /// Masked: 张*.
    name: String,
    /// The sum of the factors whose `max` is above 0; at most 100.
    score: u8,
    /// What it is made of, and what orders equals (`max` 0).
    factors: Vec<Factor>,
}

/// A task that fits the caller.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct RecommendationView {
    #[serde(flatten)]
    task: TaskView,
    /// The sum of the factors whose `max` is above 0; at most 100.
    score: u8,
    /// What it is made of, and what orders equals (`max` 0).
    factors: Vec<Factor>,
}

/// The volunteers who fit a task best, with what makes them fit. For managers.
///
/// Nobody is among them who may not or cannot do it: by skill or licence, age, training and insurance for hazards, other claims at that time,
/// weekly hours, or because they were asked already or do not want to be asked. Equals come by claims of the last 30 days (few first),
/// no-shows, ratings, distance. An empty list says why in `reason`.
#[utoipa::path(tag = "matching", params(("task_id" = TaskId, Path), Best),
    responses((status = 200, body = BestOf<MatchView>)))]
#[get("/tasks/{task_id}/matches")]
async fn get_matches(
    state: State,
    caller: Caller,
    id: PathId<TaskId>,
    params: Params<Best>,
) -> Result<web::Json<BestOf<MatchView>>, Problem> {
    caller.manager()?;
    let task = task::query::find(state.db.lookup(), &caller, *id).await?;
    let limit = params.checked()?.limit();
    let now = state.clock.now();
    let closed = || Reason::new("task_closed", "该任务已结束或已关闭，无需再找人", Why::default());
    if !takes_claims(task.status) || task.window_until <= now {
        return Ok(web::Json(empty(closed())));
    }
    let region = RegionCode::try_from(&task.region_code)?;
    let district = current(&state, &region).await?;
    let found = district.candidates(task.id, limit, now);
    if found.is_empty() {
        let reason = match district.why_nobody(task.id, now) {
            None => closed(),
            Some(why) => nobody(district.never_free(), why),
        };
        return Ok(web::Json(empty(reason)));
    }
    drop(district);
    let names = names(state.db.lookup(), found.iter().map(|found| found.member_id)).await?;
    let items = found.into_iter().filter_map(|found| {
        let (reference, name) = names.get(&found.member_id)?.clone();
        let name = mask::name(name.as_deref());
        Some(MatchView {
            member_id: found.member_id,
            r#ref: reference,
            name,
            score: found.score,
            factors: found.factors,
        })
    });
    Ok(web::Json(BestOf { items: items.collect(), next_cursor: None, reason: None }))
}

/// The open tasks of the district that fit the caller best, with what makes them fit. For volunteers.
///
/// None that they have claimed, were offered or declined, and none that they may not or cannot do. Equals come by priority, then who waits
/// longest, then what fewer people have taken up, distance. An empty list says why in `reason`.
#[utoipa::path(tag = "matching", params(Best), responses((status = 200, body = BestOf<RecommendationView>)))]
#[get("/me/recommendations")]
async fn get_recommendations(
    state: State,
    caller: Caller,
    params: Params<Best>,
) -> Result<web::Json<BestOf<RecommendationView>>, Problem> {
    let volunteer = caller.volunteer()?;
    let limit = params.checked()?.limit();
    let now = state.clock.now();
    let district = current(&state, &volunteer.region).await?;
    let found = district.recommendations(volunteer.id, limit, now);
    if found.is_empty() {
        let reason = nothing(district.why_nothing(volunteer.id, now));
        return Ok(web::Json(empty(reason)));
    }
    let items = found.into_iter().filter_map(|found| {
        let task = district.task(found.task_id)?;
        Some(RecommendationView { task, score: found.score, factors: found.factors })
    });
    Ok(web::Json(BestOf { items: items.collect(), next_cursor: None, reason: None }))
}

/// The district, or 503: what could not be brought up to date is not answered from.
async fn current(state: &AppState, region: &RegionCode) -> Result<Current, Problem> {
    state.matching.district(&state.db, region).await.map_err(|error| {
        tracing::warn!(fault = ?fault(&error), "a district of matching could not be brought up to date");
        Problem::unavailable()
    })
}

const fn empty<T>(reason: Reason) -> BestOf<T> {
    BestOf { items: Vec::new(), next_cursor: None, reason: Some(reason) }
}

async fn names(
    db: &impl ConnectionTrait,
    members: impl Iterator<Item = MemberId>,
) -> Result<HashMap<MemberId, (Option<String>, Option<String>)>, DbErr> {
    let rows: Vec<(MemberId, Option<String>, Option<String>)> = member::Entity::find()
        .select_only()
        .columns([member::Column::Id, member::Column::RefId, member::Column::Name])
        .filter(member::Column::Id.is_in(members))
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|(id, reference, name)| (id, (reference, name))).collect())
}

fn nobody(without: u64, why: Why) -> Reason {
    let (code, detail) = match why.furthest() {
        None if without == 0 => ("no_volunteers", "本区还没有志愿者，请先发动登记"),
        None => ("no_availability", "本区志愿者都没有填写空闲时段，请提醒他们在个人资料中填写"),
        Some(Barrier::District) => ("no_volunteers", "本区还没有志愿者，请先发动登记"),
        Some(Barrier::Skill) => ("nobody_with_skill", "没有志愿者具备所需技能，请核对技能要求或动员有此技能的人登记"),
        Some(Barrier::Licence) => ("nobody_with_licence", "有技能的志愿者都没有登记有效的执业资格，请核实并登记其证书"),
        Some(Barrier::Age) => ("nobody_of_age", "符合技能的志愿者年龄都不符合风险作业要求，请改请其他人"),
        Some(Barrier::Training) => ("nobody_trained", "没有志愿者完成所需的安全培训，请先组织培训并登记"),
        Some(Barrier::Insurance) => ("nobody_insured", "没有志愿者登记有效的保险，请先投保并登记"),
        Some(Barrier::Paused) => ("all_paused", "符合条件的志愿者都暂停了接单，请改日再试或电话联系"),
        Some(Barrier::Time) => ("nobody_free_then", "符合条件的志愿者在该时段都没有空，请与求助人商量改时间"),
        Some(Barrier::Clash) => ("all_busy_then", "符合条件的志愿者在该时段都已有任务，请与求助人商量改时间"),
        Some(Barrier::Hours) => ("weekly_hours_used", "符合条件的志愿者本周服务时间都已排满，请改到下周或另行动员"),
        Some(Barrier::Answered) => ("all_asked_already", "符合条件的志愿者都已问过或已认领，请扩大招募或调整任务"),
    };
    Reason { without_availability: Some(without), ..Reason::new(code, detail, why) }
}

fn nothing(why: Option<Why>) -> Reason {
    let Some(why) = why else {
        let detail = "您还没有填写空闲时段：请在“我的资料”中填写每周哪几天、几点到几点有空，填写后即可收到推荐";
        return Reason::new("no_availability", detail, Why::default());
    };
    let (code, detail) = match why.furthest() {
        None | Some(Barrier::District) => ("nothing_open", "本区目前没有待认领的任务，请过些时候再来看看"),
        Some(Barrier::Skill) => ("no_skill", "目前的任务都需要您没有登记的技能，如您会其中的技能请在“我的资料”中补充"),
        Some(Barrier::Licence) => ("no_licence", "符合您技能的任务需要执业资格，请带证书到社区登记"),
        Some(Barrier::Age) => ("not_of_age", "目前的任务有年龄要求，或您未填写出生年份，请在“我的资料”中补充"),
        Some(Barrier::Training) => ("not_trained", "目前的任务需要先参加安全培训，请向社区报名"),
        Some(Barrier::Insurance) => ("not_insured", "目前的任务需要志愿者保险，请联系社区办理登记"),
        Some(Barrier::Time) => {
            ("not_free_then", "目前的任务都不在您填写的空闲时段内，如有其他空闲时间请在“我的资料”中补充")
        }
        Some(Barrier::Clash) => ("busy_then", "在您有空的时段您已有其他任务，请过些时候再来看看"),
        Some(Barrier::Hours) => ("weekly_hours_used", "您本周的服务时间已排满，如愿意多服务请调整“每周最多小时数”"),
        Some(Barrier::Paused | Barrier::Answered) => {
            ("all_answered", "适合您的任务您都已认领、已收到派单或已婉拒，请过些时候再来看看")
        }
    };
    Reason::new(code, detail, why)
}
