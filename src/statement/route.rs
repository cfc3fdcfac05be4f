//! The calls for statements.

use actix_web::{HttpResponse, get};
use entity::id::MemberId;
use entity::staff::Role;
use entity::{member, programme};
use sea_orm::{DbErr, EntityTrait as _, QueryFilter as _};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use super::community::{self, Lines, RegionStatement};
use super::member::{self as members, MemberStatement, Reader};
use super::month::{Month, PathMonth};
use super::render::{self, Format};
use crate::app::State;
use crate::audit::{self, Actor, AuditEvent};
use crate::http::{Line, Page, Params, PathCode, PathId, Problem};
use crate::identity::{Caller, mask};
use crate::points::programme_of;
use crate::region::{self, RegionCode};

/// Digits of a community's code; from here down statements have a line for each resident.
const COMMUNITY_DIGITS: usize = 12;

/// The routes of this room.
pub fn routes(config: &mut ServiceConfig) {
    config.service(my_statement).service(statement_of_member).service(statement_of_region);
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct MyQuery {
    /// That of the place where it is not given.
    #[validate(length(min = 1, max = 64))]
    #[param(min_length = 1, max_length = 64)]
    programme: Option<String>,
    /// JSON where it is not given; else a file.
    #[serde(default)]
    #[param(inline, value_type = Option<Format>)]
    format: Format,
    /// In JSON, with the proof that each entry stands in a seal.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    proof: bool,
}

/// The member's own month: `{month}` as `2026-11`. CSV, XLSX and PDF come as a file.
#[utoipa::path(tag = "statement", params(("month" = String, Path, example = "2026-11"), MyQuery), responses((status = 200, body = MemberStatement)))]
#[get("/me/points/statements/{month}")]
async fn my_statement(
    state: State,
    caller: Caller,
    month: PathMonth,
    params: Params<MyQuery>,
) -> Result<HttpResponse, Problem> {
    let id = caller.member()?.id;
    let month = month.checked(state.calendar, state.clock.now())?;
    let query = params.checked()?;
    let row = member::Entity::find_by_id(id).one(state.db.read()).await?.ok_or_else(Problem::not_found)?;
    let name = row.name.clone();
    statement(&state, &row, name, &month, &query).await
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct MemberQuery {
    /// Why the name is shown in clear; kept in the audit trail. Without it staff see it masked.
    #[param(value_type = Option<String>, min_length = 1, max_length = 200)]
    reason: Option<Line<200>>,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    statement: FlatQuery,
}

/// [`MyQuery`] where it is flattened: its values come as text.
#[derive(Deserialize, Validate)]
struct FlatQuery {
    #[validate(length(min = 1, max = 64))]
    programme: Option<String>,
    #[serde(default)]
    format: Format,
    proof: Option<Truth>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Truth {
    True,
    False,
}

/// A member's month: for the member and staff of the subtree, whose reading is written down.
#[utoipa::path(tag = "statement", params(("member_id" = MemberId, Path), ("month" = String, Path, example = "2026-11"), MemberQuery, MyQuery), responses((status = 200, body = MemberStatement)))]
#[get("/members/{member_id}/points/statements/{month}")]
async fn statement_of_member(
    state: State,
    caller: Caller,
    id: PathId<MemberId>,
    month: PathMonth,
    params: Params<MemberQuery>,
) -> Result<HttpResponse, Problem> {
    use member::{Column, Entity};
    let seen = Entity::find_by_id(*id).filter(caller.scope().owned(Column::Id, Column::RegionCode));
    let row = seen.one(state.db.read()).await?.ok_or_else(Problem::not_found)?;
    let month = month.checked(state.calendar, state.clock.now())?;
    let MemberQuery { reason, statement: FlatQuery { programme, format, proof } } = params.checked()?;
    let query = MyQuery { programme, format, proof: proof == Some(Truth::True) };
    let name = match &caller {
        Caller::Staff(staff) => {
            let event = AuditEvent::new(Actor::Staff(staff.id), "points.statement", "member", state.clock.now());
            let event = event.of(*id).in_region(row.region_code.as_deref().unwrap_or_default());
            let why = reason.as_deref();
            note(&state, event.with(json!({"month": month.name, "reason": why}))).await?;
            row.name.clone().map(|name| if why.is_some() { name } else { mask::name(Some(&name)) })
        }
        Caller::Member(_) => row.name.clone(),
    };
    statement(&state, &row, name, &month, &query).await
}

async fn statement(
    state: &State,
    row: &member::Model,
    name: Option<String>,
    month: &Month,
    query: &MyQuery,
) -> Result<HttpResponse, Problem> {
    let programme = programme(state, query.programme.as_deref(), row.region_code.as_deref()).await?;
    let with_proof = query.proof && query.format == Format::Json;
    let reader = Reader { member: row, name, programme: &programme, with_proof };
    let snapshot = state.db.snapshot().await?;
    let statement = members::read(&snapshot, &state.calendar, reader, month).await;
    snapshot.rollback().await?;
    let statement = statement?;
    match query.format {
        Format::Json => Ok(HttpResponse::Ok().json(statement)),
        format => render::file(statement.paper(state.calendar, month), format).await,
    }
}

/// The one asked for, else that of the place.
async fn programme(state: &State, code: Option<&str>, place: Option<&str>) -> Result<programme::Model, Problem> {
    let code = match code {
        Some(code) => code.to_owned(),
        None => programme_of(state.db.read(), place.unwrap_or_default()).await?,
    };
    let found = programme::Entity::find_by_id(code).one(state.db.read()).await?;
    found.ok_or_else(|| Problem::invalid("programme", "invalid", "没有这个积分项目，请从积分项目列表中选择"))
}

async fn note(state: &State, event: AuditEvent) -> Result<(), DbErr> {
    state.db.write(async move |txn| audit::record(txn, event.clone()).await).await
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct RegionQuery {
    /// That of the place where it is not given.
    #[validate(length(min = 1, max = 64))]
    #[param(min_length = 1, max_length = 64)]
    programme: Option<String>,
    /// JSON where it is not given; else a file with the lines of all residents.
    #[serde(default)]
    #[param(inline, value_type = Option<Format>)]
    format: Format,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    page: Page,
}

/// A region's month, for managers and auditors of the subtree. Managers also see the lines of a community's residents, names
/// masked; in JSON by page.
#[utoipa::path(tag = "statement", params(("code" = String, Path), ("month" = String, Path, example = "2026-11"), RegionQuery, Page), responses((status = 200, body = RegionStatement)))]
#[get("/regions/{code}/points/statements/{month}")]
async fn statement_of_region(
    state: State,
    caller: Caller,
    code: PathCode,
    month: PathMonth,
    params: Params<RegionQuery>,
) -> Result<HttpResponse, Problem> {
    let staff = caller.staff()?;
    if staff.role != Role::Auditor {
        caller.manager()?;
    }
    let code = RegionCode::parse(&code).map_err(|_| Problem::not_found())?;
    let visible = staff.subtree().contains(code.as_str());
    let row = if visible { region::find(state.db.read(), code.as_str()).await? } else { None };
    let row = row.ok_or_else(Problem::not_found)?;
    let month = month.checked(state.calendar, state.clock.now())?;
    let RegionQuery { programme: wanted, format, page } = params.checked()?;
    let programme = programme(&state, wanted.as_deref(), Some(code.as_str())).await?;
    let event = AuditEvent::new(Actor::Staff(staff.id), "points.statement", "region", state.clock.now());
    let event = event.of(code.as_str()).in_region(code.as_str()).with(json!({"month": month.name}));
    note(&state, event).await?;
    let lines = match format {
        _ if caller.manager().is_err() || code.as_str().len() < COMMUNITY_DIGITS => Lines::None,
        Format::Json => Lines::Page(&page),
        Format::Csv | Format::Xlsx | Format::Pdf => Lines::All,
    };
    let snapshot = state.db.snapshot().await?;
    let statement = community::read(&snapshot, &row, &programme, &code.subtree(), &month, lines).await;
    snapshot.rollback().await?;
    let statement = statement?;
    match format {
        Format::Json => Ok(HttpResponse::Ok().json(statement)),
        format => render::file(statement.paper(state.calendar, &month), format).await,
    }
}
