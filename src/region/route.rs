//! Places and lists.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, patch, post, web};
use entity::id::StationId;
use utoipa_actix_web::service_config::ServiceConfig;

use super::query::{self, RegionQuery, StationQuery};
use super::service::{self, ChangeStation, NewStation, StationError};
use super::view::{RegionView, StationView};
use crate::app::State;
use crate::http::{Call, Listing, Page, Params, PathCode, PathId, Problem};

/// The routes of this room.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(list_regions)
        .service(get_region)
        .service(list_stations)
        .service(add_station)
        .service(get_station)
        .service(change_station);
}

/// Regions, in order of code.
#[utoipa::path(tag = "places", security(()), params(RegionQuery, Page),
    responses((status = 200, body = Listing<RegionView>)))]
#[get("/regions")]
async fn list_regions(state: State, params: Params<RegionQuery>) -> Result<web::Json<Listing<RegionView>>, Problem> {
    let query = params.checked()?;
    Ok(web::Json(query::regions(state.db.read(), &query).await?.map(RegionView::from)))
}

/// One region.
#[utoipa::path(tag = "places", security(()), responses((status = 200, body = RegionView)))]
#[get("/regions/{code}")]
async fn get_region(state: State, code: PathCode) -> Result<web::Json<RegionView>, Problem> {
    let found = query::find(state.db.lookup(), &code).await?.ok_or_else(Problem::not_found)?;
    Ok(web::Json(found.into()))
}

/// Stations, in order of region.
#[utoipa::path(tag = "places", security(()), params(StationQuery, Page),
    responses((status = 200, body = Listing<StationView>)))]
#[get("/stations")]
async fn list_stations(state: State, params: Params<StationQuery>) -> Result<web::Json<Listing<StationView>>, Problem> {
    let query = params.checked()?;
    Ok(web::Json(query::stations(state.db.lookup(), &query).await?.map(StationView::from)))
}

/// One station.
#[utoipa::path(tag = "places", security(()), responses((status = 200, body = StationView)))]
#[get("/stations/{station_id}")]
async fn get_station(state: State, id: PathId<StationId>) -> Result<web::Json<StationView>, Problem> {
    let found = query::station(state.db.lookup(), *id).await?.ok_or_else(Problem::not_found)?;
    Ok(web::Json(found.into()))
}

/// Open a station in the manager's subtree.
#[utoipa::path(tag = "places", request_body = NewStation, responses((status = 201, body = StationView)))]
#[post("/stations")]
async fn add_station(state: State, call: Call<NewStation>) -> Result<HttpResponse, Problem> {
    let manager = call.caller.manager()?;
    let actor = call.caller.audit_actor();
    let (new, once) = call.admit(async || Ok(())).await?;
    let (id, now, subtree) = (StationId::new(), state.clock.now(), manager.subtree());
    let answer = once
        .run(&state, StatusCode::CREATED, async move |txn| {
            let made = service::add(txn, actor, &subtree, id, &new, now).await?;
            Ok::<_, StationError>(StationView::from(made))
        })
        .await;
    note_denied(&state, answer, actor, "station.add", None).await
}

/// Change a station of the manager's subtree.
#[utoipa::path(tag = "places", request_body = ChangeStation, responses((status = 200, body = StationView)))]
#[patch("/stations/{station_id}")]
async fn change_station(
    state: State,
    id: PathId<StationId>,
    call: Call<ChangeStation>,
) -> Result<HttpResponse, Problem> {
    let manager = call.caller.manager()?;
    let (actor, subtree, id) = (call.caller.audit_actor(), manager.subtree(), *id);
    let exists = async || {
        let found = query::station(state.db.lookup(), id).await?.filter(|row| subtree.contains(&row.region_code));
        found.map(drop).ok_or_else(Problem::not_found)
    };
    let (change, once) = call.admit(exists).await?;
    let (now, within) = (state.clock.now(), subtree.clone());
    let answer = once
        .run(&state, StatusCode::OK, async move |txn| {
            let changed = service::change(txn, actor, &within, id, &change, now).await?;
            Ok::<_, StationError>(StationView::from(changed))
        })
        .await;
    note_denied(&state, answer, actor, "station.change", Some(id)).await
}

/// What was refused because it is somebody else's leaves a trace.
async fn note_denied(
    state: &State,
    answer: Result<HttpResponse, Problem>,
    actor: crate::audit::Actor,
    action: &'static str,
    id: Option<StationId>,
) -> Result<HttpResponse, Problem> {
    if let Err(problem) = &answer
        && problem.status() == StatusCode::NOT_FOUND
    {
        let now = state.clock.now();
        state.db.write(async move |txn| service::denied(txn, actor, action, id, now).await).await?;
    }
    answer
}
