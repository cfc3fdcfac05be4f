//! Reading tasks and claims: who sees which, filters, order, pages.

use std::borrow::Cow;

use entity::category::Category;
use entity::claim::{self, ClaimStatus};
use entity::id::{ClaimId, MemberId, ServiceRecordId, TaskId};
use entity::task::{self, TaskStatus};
use entity::{task_hazard, task_skill};
use sea_orm::sea_query::{Expr, ExprTrait as _, Func, LikeExpr, Query, SimpleExpr};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, Select, SelectExt as _,
};
use serde::{Deserialize, Deserializer};
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use super::check::Point;
use super::error::TaskError;
use super::offering;
use super::service::has_open_claim;
use super::view::{ClaimView, Precision, TaskView, coarse_metres};
use crate::http::{Instant, Line, Listing, Page, Problem};
use crate::identity::{Caller, Scope};
use crate::region::{RegionCode, Subtree};
use crate::service_record;
use crate::taxonomy;

/// A point in a query: `LAT,LON` in degrees.
#[derive(Clone, Copy, Debug, PartialEq, ToSchema)]
#[schema(value_type = String, example = "39.935,119.600")]
pub struct Near(pub Point);

impl Near {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let (lat, lon) = text.split_once(',').ok_or("invalid")?;
        let (lat, lon) = (degrees(lat)?, degrees(lon)?);
        let on_the_map = (-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon);
        if on_the_map { Ok(Self(Point { lat, lon })) } else { Err("out_of_range") }
    }
}

/// Plain decimals only: `parse` alone would take `1e2`, `inf` and `+5`.
fn degrees(text: &str) -> Result<f64, &'static str> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-');
    text.parse().ok().filter(|_| plain && text.len() <= 24).ok_or("invalid")
}

impl<'de> Deserialize<'de> for Near {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&Cow::<'de, str>::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// Which tasks, and in which order: by distance with `near`; highest priority and oldest first with `status=open`; newest
/// first otherwise.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TaskQuery {
    pub status: Option<TaskStatus>,
    /// This region's subtree.
    #[param(value_type = Option<String>, pattern = "^[0-9]{6,30}$")]
    pub region: Option<RegionCode>,
    pub category: Option<Category>,
    /// A code of the list `skill`.
    #[param(value_type = Option<String>, min_length = 1, max_length = 32)]
    pub skill: Option<Line<32>>,
    /// A code of the list `domain`.
    #[param(value_type = Option<String>, min_length = 1, max_length = 32)]
    pub domain: Option<Line<32>>,
    /// Windows that end after this instant.
    #[param(value_type = Option<String>, format = DateTime)]
    pub from: Option<Instant>,
    /// Windows that begin before this instant.
    #[param(value_type = Option<String>, format = DateTime)]
    pub until: Option<Instant>,
    /// `LAT,LON`: nearest first.
    #[param(value_type = Option<String>, pattern = "^-?[0-8]?[0-9](\\.[0-9]{1,9})?,-?(1[0-7][0-9]|[0-9]?[0-9])(\\.[0-9]{1,9})?$")]
    pub near: Option<Near>,
    /// Part of title or body.
    #[param(value_type = Option<String>, min_length = 1, max_length = 100)]
    pub q: Option<Line<100>>,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    pub page: Page,
}

/// Tasks that `caller` may see, one page.
///
/// # Errors
/// 422 on `cursor`; the database's.
pub async fn tasks(
    db: &impl ConnectionTrait,
    caller: &Caller,
    query: &TaskQuery,
) -> Result<Listing<TaskView>, Problem> {
    // A merged code is taken as what it became, and past tasks that carry an old one are found too.
    let skills = match &query.skill {
        Some(skill) => taxonomy::equivalents(db, "skill", skill).await?,
        None => Vec::new(),
    };
    let select = filtered(task::Entity::find().filter(sees(caller)), query, skills);
    let near = query.near.map(|Near(point)| point);
    let listing = match near {
        Some(near) => nearest_first(db, select, near, &query.page).await?,
        None if query.status == Some(TaskStatus::Open) => by_priority(db, select, &query.page).await?,
        None => newest_first(db, select, &query.page).await?,
    };
    let skills = skills_of(db, listing.items.iter().map(|task| task.id)).await?;
    let precision = match caller {
        Caller::Staff(_) => Precision::Exact,
        Caller::Member(_) => Precision::Coarse,
    };
    let hazards = hazards_of(db, listing.items.iter().map(|task| task.id)).await?;
    let own = |codes: &[(TaskId, String)], task: TaskId| {
        codes.iter().filter(|(id, _)| *id == task).map(|(_, code)| code.clone()).collect()
    };
    Ok(listing.map(|task| {
        let (skills, hazards) = (own(&skills, task.id), own(&hazards, task.id));
        TaskView { hazards, ..TaskView::new(task, skills, precision, near) }
    }))
}

/// One task that `caller` may see: of their district or subtree, or one they have a claim on.
///
/// # Errors
/// [`TaskError::NotFound`].
pub async fn task(db: &impl ConnectionTrait, caller: &Caller, id: TaskId) -> Result<TaskView, TaskError> {
    let task = find(db, caller, id).await?;
    let precision = match caller {
        Caller::Staff(_) => Precision::Exact,
        Caller::Member(member) if has_open_claim(db, id, member.id).await? => Precision::Exact,
        Caller::Member(_) => Precision::Coarse,
    };
    let skills = skills_of(db, [id]).await?.into_iter().map(|(_, skill)| skill).collect();
    let hazards = hazards_of(db, [id]).await?.into_iter().map(|(_, hazard)| hazard).collect();
    Ok(TaskView { hazards, ..TaskView::new(task, skills, precision, None) })
}

/// The row of [`task()`].
///
/// # Errors
/// [`TaskError::NotFound`].
pub async fn find(db: &impl ConnectionTrait, caller: &Caller, id: TaskId) -> Result<task::Model, TaskError> {
    task::Entity::find_by_id(id).filter(sees(caller)).one(db).await?.ok_or(TaskError::NotFound)
}

/// Whether there is such a task, whoever may see it.
///
/// # Errors
/// The database's.
pub async fn exists(db: &impl ConnectionTrait, id: TaskId) -> Result<bool, DbErr> {
    task::Entity::find_by_id(id).exists(db).await
}

/// Every member of the district, staff of the subtree, and whoever was offered it or has claimed it.
fn sees(caller: &Caller) -> Condition {
    let region = || Expr::col((task::Entity, task::Column::RegionCode));
    match caller {
        Caller::Staff(staff) => Condition::all().add(staff.subtree().covers(region())),
        Caller::Member(member) => {
            let own = claimed_by(member.id);
            match &member.region {
                Some(home) => Condition::any().add(Subtree::of(&home.district()).covers(region())).add(own),
                None => Condition::any().add(own),
            }
        }
    }
}

fn claimed_by(member: MemberId) -> SimpleExpr {
    let claims = Query::select()
        .column(claim::Column::TaskId)
        .from(claim::Entity)
        .and_where(claim::Column::MemberId.eq(member))
        .take();
    Expr::col((task::Entity, task::Column::Id)).in_subquery(claims)
}

/// `skills`: those that the skill asked for may stand as.
fn filtered(mut select: Select<task::Entity>, query: &TaskQuery, skills: Vec<String>) -> Select<task::Entity> {
    if let Some(status) = query.status {
        select = select.filter(task::Column::Status.eq(status));
    }
    if let Some(region) = &query.region {
        select = select.filter(Subtree::of(region).covers(Expr::col((task::Entity, task::Column::RegionCode))));
    }
    if let Some(category) = query.category {
        select = select.filter(task::Column::Category.eq(category));
    }
    if !skills.is_empty() {
        let tasks = Query::select()
            .column(task_skill::Column::TaskId)
            .from(task_skill::Entity)
            .and_where(task_skill::Column::Skill.is_in(skills))
            .take();
        select = select.filter(task::Column::Id.in_subquery(tasks));
    }
    if let Some(domain) = &query.domain {
        select = select.filter(task::Column::Domain.eq(domain.as_str()));
    }
    if let Some(from) = &query.from {
        select = select.filter(task::Column::WindowUntil.gt(**from));
    }
    if let Some(until) = &query.until {
        select = select.filter(task::Column::WindowFrom.lt(**until));
    }
    if let Some(q) = &query.q {
        select =
            select.filter(Condition::any().add(contains(task::Column::Title, q)).add(contains(task::Column::Body, q)));
    }
    select
}

/// Literally, whatever the case of Latin letters.
fn contains(column: task::Column, part: &str) -> SimpleExpr {
    let mut pattern = String::from("%");
    for letter in part.to_lowercase().chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    Func::lower(Expr::col((task::Entity, column))).like(LikeExpr::new(pattern).escape('\\'))
}

async fn newest_first(
    db: &impl ConnectionTrait,
    mut select: Select<task::Entity>,
    page: &Page,
) -> Result<Listing<task::Model>, Problem> {
    if let Some(last) = page.after::<TaskId>()? {
        select = select.filter(task::Column::Id.lt(last));
    }
    let rows = select.order_by_desc(task::Column::Id).limit(page.limit() + 1).all(db).await?;
    Ok(Listing::cut(rows, page, |task| task.id))
}

async fn by_priority(
    db: &impl ConnectionTrait,
    mut select: Select<task::Entity>,
    page: &Page,
) -> Result<Listing<task::Model>, Problem> {
    use task::Column::{Id, Priority};
    if let Some((priority, last)) = page.after::<(i32, TaskId)>()? {
        let equal = Condition::all().add(Priority.eq(priority)).add(Id.gt(last));
        select = select.filter(Condition::any().add(Priority.lt(priority)).add(equal));
    }
    let rows = select.order_by_desc(Priority).order_by_asc(Id).limit(page.limit() + 1).all(db).await?;
    Ok(Listing::cut(rows, page, |task| (task.priority, task.id)))
}

/// The places of all that fit are read and put in order here: the databases round differently and have no cosine in common.
/// The order goes by the coarse places, so that it tells no more than the answer does; unknown places come last.
async fn nearest_first(
    db: &impl ConnectionTrait,
    select: Select<task::Entity>,
    near: Point,
    page: &Page,
) -> Result<Listing<task::Model>, Problem> {
    let after = page.after::<(i64, TaskId)>()?;
    let places: Vec<(TaskId, Option<f64>, Option<f64>)> = select
        .select_only()
        .columns([task::Column::Id, task::Column::Lat, task::Column::Lon])
        .into_tuple()
        .all(db)
        .await?;
    let mut order: Vec<(i64, TaskId)> = places
        .into_iter()
        .map(|(id, lat, lon)| (lat.zip(lon).map_or(i64::MAX, |(lat, lon)| coarse_metres(near, Point { lat, lon })), id))
        .filter(|key| after.is_none_or(|after| *key > after))
        .collect();
    order.sort_unstable();
    order.truncate(usize::try_from(page.limit() + 1).unwrap_or(usize::MAX));
    let rows = task::Entity::find().filter(task::Column::Id.is_in(order.iter().map(|(_, id)| *id))).all(db).await?;
    let place_of = |task: &task::Model| order.iter().position(|(_, id)| *id == task.id);
    let mut rows: Vec<_> = rows.into_iter().filter_map(|task| Some((place_of(&task)?, task))).collect();
    rows.sort_unstable_by_key(|(place, _)| *place);
    Ok(Listing::cut(rows, page, |(place, _)| order.get(*place).copied()).map(|(_, task)| task))
}

/// The hazards of tasks, in order of code.
async fn hazards_of(
    db: &impl ConnectionTrait,
    tasks: impl IntoIterator<Item = TaskId>,
) -> Result<Vec<(TaskId, String)>, DbErr> {
    task_hazard::Entity::find()
        .select_only()
        .columns([task_hazard::Column::TaskId, task_hazard::Column::Hazard])
        .filter(task_hazard::Column::TaskId.is_in(tasks))
        .order_by_asc(task_hazard::Column::Hazard)
        .into_tuple()
        .all(db)
        .await
}

/// The skills of tasks, in order of code.
async fn skills_of(
    db: &impl ConnectionTrait,
    tasks: impl IntoIterator<Item = TaskId>,
) -> Result<Vec<(TaskId, String)>, DbErr> {
    task_skill::Entity::find()
        .select_only()
        .columns([task_skill::Column::TaskId, task_skill::Column::Skill])
        .filter(task_skill::Column::TaskId.is_in(tasks))
        .order_by_asc(task_skill::Column::Skill)
        .into_tuple()
        .all(db)
        .await
}

/// Which claims; newest first.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ClaimQuery {
    /// Id of a task; one that is not visible has no claims.
    #[param(value_type = Option<uuid::Uuid>)]
    pub task: Option<Line<64>>,
    pub status: Option<ClaimStatus>,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    pub page: Page,
}

/// Claims within `scope`, one page.
///
/// # Errors
/// 422 on `cursor` and `task`; the database's.
pub async fn claims(
    db: &impl ConnectionTrait,
    scope: &Scope,
    query: &ClaimQuery,
) -> Result<Listing<ClaimView>, Problem> {
    let mut select = claim::Entity::find().filter(scope.owned(claim::Column::MemberId, claim::Column::RegionCode));
    if let Some(task) = &query.task {
        let id: TaskId = task.parse().map_err(|_| Problem::invalid("task", "invalid", "请填写任务编号"))?;
        select = select.filter(claim::Column::TaskId.eq(id));
    }
    if let Some(status) = query.status {
        select = select.filter(claim::Column::Status.eq(status));
    }
    if let Some(last) = query.page.after::<ClaimId>()? {
        select = select.filter(claim::Column::Id.lt(last));
    }
    let rows = select.order_by_desc(claim::Column::Id).limit(query.page.limit() + 1).all(db).await?;
    let listing = Listing::cut(rows, &query.page, |claim| claim.id);
    let records = service_record::service::of_claims(db, listing.items.iter().map(|claim| claim.id)).await?;
    let offers =
        offering::details(db, listing.items.iter().filter(|claim| was_offered(claim)).map(|claim| claim.id)).await?;
    Ok(listing.map(|claim| {
        let record = records.iter().find(|(id, _)| *id == claim.id).map(|(_, record)| *record);
        let offer = offers.get(&claim.id);
        ClaimView::new(claim, record).explained(offer)
    }))
}

/// One claim within `scope`.
///
/// # Errors
/// [`TaskError::NotFound`].
pub async fn claim(db: &impl ConnectionTrait, scope: &Scope, id: ClaimId) -> Result<ClaimView, TaskError> {
    let claim = super::claim::find(db, scope, id).await?;
    let record = service_record::service::of_claims(db, [id]).await?.into_iter().next().map(|(_, record)| record);
    explained(db, claim, record).await.map_err(Into::into)
}

/// A claim with what the matcher knew when it asked, which costs a look only where somebody was asked.
///
/// # Errors
/// The database's.
pub async fn explained(
    db: &impl ConnectionTrait,
    claim: claim::Model,
    record: Option<ServiceRecordId>,
) -> Result<ClaimView, DbErr> {
    let offers = offering::details(db, was_offered(&claim).then_some(claim.id)).await?;
    let offer = offers.get(&claim.id);
    Ok(ClaimView::new(claim, record).explained(offer))
}

fn was_offered(claim: &claim::Model) -> bool {
    claim.offer_expires_at.is_some()
}
