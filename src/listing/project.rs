//! Projects (项目): bundles of needs and resources, put together by managers.

use std::collections::HashMap;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, patch, post, web};
use chrono::{DateTime, Utc};
use entity::id::{ListingId, ProjectId};
use entity::list_project::{self, ProjectStatus};
use entity::list_project_item;
use entity::listing::{self, ListingKind};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, IntoActiveModel as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, SelectExt as _,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use super::error::ListingError;
use crate::app::{AppState, State};
use crate::audit::{self, Actor, AuditEvent};
use crate::db::Txn;
use crate::http::{Call, FieldError, Line, Listing, Page, Params, PathId, Problem, Text};
use crate::identity::{Caller, Manager};
use crate::region::{self, RegionCode, Subtree};

/// A listing of a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct ProjectItemView {
    pub listing_id: ListingId,
    pub kind: ListingKind,
    pub title: String,
}

/// A bundle of needs and resources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct ProjectView {
    pub id: ProjectId,
    pub region_code: String,
    pub title: String,
    pub body: String,
    pub status: ProjectStatus,
    /// Those that have been published.
    pub listings: Vec<ProjectItemView>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Every member of the district, staff of the subtree.
fn sees(caller: &Caller) -> Condition {
    let region = || Expr::col((list_project::Entity, list_project::Column::RegionCode));
    match caller {
        Caller::Staff(staff) => Condition::all().add(staff.subtree().covers(region())),
        Caller::Member(member) => match &member.region {
            Some(home) => Condition::all().add(Subtree::of(&home.district()).covers(region())),
            None => Condition::any().add(Expr::val(1).eq(0)),
        },
    }
}

async fn find(db: &impl ConnectionTrait, caller: &Caller, id: ProjectId) -> Result<list_project::Model, ListingError> {
    list_project::Entity::find_by_id(id).filter(sees(caller)).one(db).await?.ok_or(ListingError::NotFound)
}

async fn views(db: &impl ConnectionTrait, rows: Vec<list_project::Model>) -> Result<Vec<ProjectView>, DbErr> {
    let items = list_project_item::Entity::find()
        .filter(list_project_item::Column::ProjectId.is_in(rows.iter().map(|row| row.id)))
        .order_by_asc(list_project_item::Column::ListingId)
        .all(db)
        .await?;
    let listings: Vec<(ListingId, ListingKind, String)> = listing::Entity::find()
        .select_only()
        .columns([listing::Column::Id, listing::Column::Kind, listing::Column::Title])
        .filter(listing::Column::Id.is_in(items.iter().map(|item| item.listing_id)))
        .filter(listing::Column::PublishedAt.is_not_null())
        .into_tuple()
        .all(db)
        .await?;
    let listings: HashMap<_, _> = listings.into_iter().map(|(id, kind, title)| (id, (kind, title))).collect();
    let own = |id: ProjectId| {
        let of_it = items.iter().filter(|item| item.project_id == id);
        of_it
            .filter_map(|item| {
                let (kind, title) = listings.get(&item.listing_id)?;
                Some(ProjectItemView { listing_id: item.listing_id, kind: *kind, title: title.clone() })
            })
            .collect()
    };
    Ok(rows
        .into_iter()
        .map(|row| ProjectView {
            id: row.id,
            listings: own(row.id),
            region_code: row.region_code,
            title: row.title,
            body: row.body,
            status: row.status,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
        .collect())
}

async fn one(db: &impl ConnectionTrait, row: list_project::Model) -> Result<ProjectView, DbErr> {
    let lost = || DbErr::RecordNotFound("a row that was just read".into());
    views(db, vec![row]).await?.into_iter().next().ok_or_else(lost)
}

/// A page of projects, newest first.
///
/// # Errors
/// 422 for a forged cursor; the database's.
pub(super) async fn page(
    db: &impl ConnectionTrait,
    caller: &Caller,
    region: Option<&RegionCode>,
    status: Option<ProjectStatus>,
    page: &Page,
) -> Result<Listing<ProjectView>, Problem> {
    use list_project::Column;
    let place = |region| Subtree::of(region).covers(Expr::col((list_project::Entity, Column::RegionCode)));
    let wanted =
        Condition::all().add_option(region.map(place)).add_option(status.map(|status| Column::Status.eq(status)));
    let mut select = list_project::Entity::find().filter(sees(caller)).filter(wanted);
    if let Some(after) = page.after::<ProjectId>()? {
        select = select.filter(Column::Id.lt(after));
    }
    let rows = select.order_by_desc(Column::Id).limit(page.limit() + 1).all(db).await?;
    let Listing { items, next_cursor } = Listing::cut(rows, page, |row| row.id);
    Ok(Listing { items: views(db, items).await?, next_cursor })
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct ProjectQuery {
    /// This region's subtree.
    #[param(value_type = Option<String>, pattern = "^[0-9]{6,24}$")]
    region: Option<RegionCode>,
    #[param(inline)]
    status: Option<ProjectStatus>,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    page: Page,
}

/// Bundles of needs and resources: the district's for members, the subtree's for staff. Newest first.
#[utoipa::path(tag = "listing", params(ProjectQuery, Page), responses((status = 200, body = Listing<ProjectView>)))]
#[get("/list-projects")]
pub(super) async fn list_projects(
    state: State,
    caller: Caller,
    params: Params<ProjectQuery>,
) -> Result<web::Json<Listing<ProjectView>>, Problem> {
    let query = params.checked()?;
    Ok(web::Json(page(state.db.lookup(), &caller, query.region.as_ref(), query.status, &query.page).await?))
}

/// One bundle.
#[utoipa::path(tag = "listing", params(("project_id" = ProjectId, Path)), responses((status = 200, body = ProjectView)))]
#[get("/list-projects/{project_id}")]
pub(super) async fn get_project(
    state: State,
    caller: Caller,
    id: PathId<ProjectId>,
) -> Result<web::Json<ProjectView>, Problem> {
    let row = find(state.db.lookup(), &caller, *id).await?;
    Ok(web::Json(one(state.db.lookup(), row).await?))
}

#[derive(Clone, Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PostProject {
    title: Line<100>,
    body: Text<2000>,
    region_code: RegionCode,
    /// Needs and resources of the district, at most 100.
    #[validate(length(min = 1, max = 100))]
    #[schema(value_type = Vec<uuid::Uuid>, min_items = 1, max_items = 100)]
    listing_ids: Vec<ListingId>,
}

/// Put needs and resources together into a project. For managers.
#[utoipa::path(tag = "listing", request_body = PostProject, responses((status = 201, body = ProjectView)))]
#[post("/list-projects")]
pub(super) async fn post_project(state: State, call: Call<PostProject>) -> Result<HttpResponse, Problem> {
    let manager = call.caller.manager()?;
    let (body, once) = call.admit(async || Ok(())).await?;
    let (id, now) = (ProjectId::new(), state.clock.now());
    once.run(&state, StatusCode::CREATED, async move |txn: &Txn| {
        let known = region::region_exists(txn, &body.region_code).await?;
        if !known || !manager.subtree().encloses(&body.region_code.subtree()) {
            let words = "没有这个区划，或不在您的范围内，请重新选择";
            return Err(ListingError::field("region_code", "invalid", words));
        }
        let row = list_project::Model {
            id,
            region_code: body.region_code.to_string(),
            title: body.title.to_string(),
            body: body.body.to_string(),
            status: ProjectStatus::Open,
            created_by: manager.id,
            created_at: now,
            updated_at: now,
        };
        list_project::Entity::insert(row.clone().into_active_model()).exec_without_returning(txn).await?;
        set_items(txn, &manager, &row, &body.listing_ids).await?;
        record(txn, &manager, "list_project.post", &row, now).await?;
        Ok::<_, ListingError>(one(txn, row).await?)
    })
    .await
}

#[derive(Clone, Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeProject {
    title: Option<Line<100>>,
    body: Option<Text<2000>>,
    status: Option<ProjectStatus>,
    /// All of them anew.
    #[validate(length(min = 1, max = 100))]
    #[schema(value_type = Option<Vec<uuid::Uuid>>, min_items = 1, max_items = 100)]
    listing_ids: Option<Vec<ListingId>>,
}

/// Change a project, close it or open it again. For managers.
#[utoipa::path(tag = "listing", params(("project_id" = ProjectId, Path)), request_body = ChangeProject, responses((status = 200, body = ProjectView)))]
#[patch("/list-projects/{project_id}")]
pub(super) async fn patch_project(
    state: State,
    id: PathId<ProjectId>,
    call: Call<ChangeProject>,
) -> Result<HttpResponse, Problem> {
    let (manager, caller, id) = (call.caller.manager()?, call.caller.clone(), *id);
    let seen = async || Ok(find(state.db.lookup(), &caller, id).await.map(drop)?);
    let (body, once) = call.admit(seen).await?;
    let (now, by) = (state.clock.now(), manager.clone());
    let outcome = once.run(&state, StatusCode::OK, async move |txn: &Txn| {
        let subtree = by.subtree().covers(Expr::col((list_project::Entity, list_project::Column::RegionCode)));
        let found = list_project::Entity::find_by_id(id).filter(subtree).lock_exclusive().one(txn).await?;
        let found = found.ok_or(ListingError::NotFound)?;
        let row = list_project::Model {
            title: body.title.as_ref().map_or_else(|| found.title.clone(), std::string::ToString::to_string),
            body: body.body.as_ref().map_or_else(|| found.body.clone(), std::string::ToString::to_string),
            status: body.status.unwrap_or(found.status),
            updated_at: now,
            ..found
        };
        let changed = row.clone().into_active_model().reset_all();
        list_project::Entity::update(changed).exec(txn).await?;
        if let Some(ids) = &body.listing_ids {
            set_items(txn, &by, &row, ids).await?;
        }
        record(txn, &by, "list_project.change", &row, now).await?;
        Ok::<_, ListingError>(one(txn, row).await?)
    });
    noted(&state, &manager, id, outcome.await).await
}

/// Writes the listings of a project anew: needs and resources of its district that the manager may see.
async fn set_items(
    db: &impl ConnectionTrait,
    manager: &Manager,
    project: &list_project::Model,
    ids: &[ListingId],
) -> Result<(), ListingError> {
    let district = RegionCode::try_from(&project.region_code)?.district().subtree();
    let known: Vec<(ListingId, String)> = listing::Entity::find()
        .select_only()
        .columns([listing::Column::Id, listing::Column::RegionCode])
        .filter(listing::Column::Id.is_in(ids.iter().copied()))
        .filter(listing::Column::Kind.is_in([ListingKind::Need, ListingKind::Resource]))
        .filter(manager.subtree().covers(Expr::col((listing::Entity, listing::Column::RegionCode))))
        .into_tuple()
        .all(db)
        .await?;
    let fits = |id: &ListingId| known.iter().any(|(found, region)| found == id && district.contains(region));
    let words = "没有这个条目，或它不是本区的需求或资源，请重新选择";
    let refused: Vec<_> = ids
        .iter()
        .enumerate()
        .filter(|(_, id)| !fits(id))
        .map(|(at, _)| FieldError::new(format!("listing_ids[{at}]"), "invalid").saying(words))
        .collect();
    if !refused.is_empty() {
        return Err(ListingError::Invalid(refused));
    }
    let own = list_project_item::Column::ProjectId.eq(project.id);
    list_project_item::Entity::delete_many().filter(own).exec(db).await?;
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    let rows =
        ids.into_iter().map(|id| list_project_item::ActiveModel { project_id: Set(project.id), listing_id: Set(id) });
    list_project_item::Entity::insert_many(rows.collect::<Vec<_>>()).exec_without_returning(db).await?;
    Ok(())
}

async fn record(
    db: &impl ConnectionTrait,
    manager: &Manager,
    action: &'static str,
    row: &list_project::Model,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let event = AuditEvent::new(Actor::Staff(manager.id), action, "list_project", now);
    audit::record(db, event.of(row.id).in_region(&row.region_code).with(json!({"status": row.status}))).await
}

async fn noted(
    state: &AppState,
    manager: &Manager,
    id: ProjectId,
    outcome: Result<HttpResponse, Problem>,
) -> Result<HttpResponse, Problem> {
    let event = AuditEvent::new(Actor::Staff(manager.id), "list_project.change", "list_project", state.clock.now());
    let event = event.of(id).in_region(&manager.region);
    let exists = async || list_project::Entity::find_by_id(id).exists(state.db.lookup()).await;
    audit::note_elsewhere(&state.db, outcome, event, exists).await
}
