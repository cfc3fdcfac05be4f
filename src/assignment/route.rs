//! The calls about assignments.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, post, web};
use entity::assignment::AssignmentStatus;
use entity::category::Category;
use entity::id::AssignmentId;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use super::error::AssignmentError;
use super::planning::{self, Order};
use super::service::{self, Batch, New};
use super::view::AssignmentView;
use super::{job, query};
use crate::app::{AppState, State};
use crate::audit::{self, Actor, AuditEvent};
use crate::db::Txn;
use crate::http::{Call, Instant, Listing, Page, Params, PathId, Problem};
use crate::identity::{Caller, Manager};
use crate::region::{self, RegionCode};

/// The routes of this room.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(make_assignment)
        .service(list_assignments)
        .service(get_assignment)
        .service(offer_assignment)
        .service(withdraw_assignment);
}

/// A day, where nothing is said.
const fn a_day() -> i32 {
    24 * 60
}

const fn one() -> u32 {
    1
}

const fn yes() -> bool {
    true
}

/// Which tasks are to be planned, and how.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct MakeAssignment {
    /// Tasks of this region's subtree; volunteers are asked for work in their own district only.
    region_code: RegionCode,
    /// Only the plan (`true`, also where it is not given), or offers at once (`false`).
    #[serde(default = "yes")]
    dry_run: bool,
    /// How many tasks of the plan one volunteer is asked for, at most; 1 where it is not given.
    #[serde(default = "one")]
    #[validate(range(min = 1, max = 20))]
    #[schema(minimum = 1, maximum = 20)]
    max_claims_per_member: u32,
    /// Only tasks whose window ends after this.
    #[schema(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    from: Option<Instant>,
    /// Only tasks whose window begins before this.
    #[schema(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    until: Option<Instant>,
    /// Only tasks of these; all where it is empty or not given.
    #[serde(default)]
    #[validate(length(max = 6))]
    #[schema(max_items = 6)]
    categories: Vec<Category>,
    /// How long an offer may be answered: a day where it is not given, never beyond the window's end.
    #[serde(default = "a_day")]
    #[validate(range(min = 1, max = 10080))]
    #[schema(minimum = 1, maximum = 10080)]
    expires_in_minutes: i32,
}

/// Plan whom to ask for the open tasks of a region so that the sum of scores is as great as it can be; with `dry_run: false`
/// make the offers. For managers.
///
/// A pair that has become impossible when its offer is made is `skipped` and says why. A very large plan is answered while
/// its later offers are still being made (`status: "offering"`).
#[utoipa::path(tag = "matching", request_body = MakeAssignment, responses((status = 201, body = AssignmentView)))]
#[post("/assignments")]
async fn make_assignment(state: State, call: Call<MakeAssignment>) -> Result<HttpResponse, Problem> {
    let manager = call.caller.manager()?;
    let (body, once) = call.admit(async || Ok(())).await?;
    check_place(&state, &manager, &body).await?;
    let now = state.clock.now();
    let mut categories = body.categories;
    categories.sort_unstable();
    categories.dedup();
    let order = Order {
        region: body.region_code,
        per_member: body.max_claims_per_member,
        from: body.from.map(|from| *from),
        until: body.until.map(|until| *until),
        categories,
    };
    let plan = planning::plan(&state, &order, now).await?;
    let size = service::batch_size(state.db.lookup()).await?;
    let batch = if body.dry_run { Batch::default() } else { Batch::first(&plan.pairs, size) };
    let id = AssignmentId::new();
    let new = New { id, order, dry_run: body.dry_run, expires_minutes: body.expires_in_minutes, plan };
    let more = !new.dry_run && new.plan.pairs.len() > size;
    let outcome = once.run(&state, StatusCode::CREATED, async move |txn: &Txn| {
        let row = service::make(txn, &manager, &new, &batch, now).await?;
        Ok::<_, AssignmentError>(query::whole(txn, row).await?)
    });
    let answer = outcome.await?;
    if more {
        job::go_on_soon(&state, id);
    }
    Ok(answer)
}

async fn check_place(state: &AppState, manager: &Manager, body: &MakeAssignment) -> Result<(), AssignmentError> {
    if region::find(state.db.lookup(), &body.region_code).await?.is_none() {
        return Err(AssignmentError::UnknownRegion);
    }
    if !manager.subtree().encloses(&body.region_code.subtree()) {
        return Err(AssignmentError::NotFound);
    }
    match (&body.from, &body.until) {
        (Some(from), Some(until)) if **until <= **from => Err(AssignmentError::EmptySpan),
        (_, Some(until)) if **until <= state.clock.now() => Err(AssignmentError::PastSpan),
        _ => Ok(()),
    }
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct AssignmentQuery {
    /// This region's subtree.
    #[param(value_type = Option<String>, pattern = "^[0-9]{6,24}$")]
    region: Option<RegionCode>,
    #[param(inline)]
    status: Option<AssignmentStatus>,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    page: Page,
}

/// Assignments of the subtree, latest first, without their pairs. For managers and auditors.
#[utoipa::path(tag = "matching", params(AssignmentQuery, Page), responses((status = 200, body = Listing<AssignmentView>)))]
#[get("/assignments")]
async fn list_assignments(
    state: State,
    caller: Caller,
    params: Params<AssignmentQuery>,
) -> Result<web::Json<Listing<AssignmentView>>, Problem> {
    let staff = caller.manager_or_auditor()?;
    let AssignmentQuery { region, status, page } = params.checked()?;
    Ok(web::Json(query::list(state.db.read(), &staff.subtree(), region.as_ref(), status, &page).await?))
}

/// An assignment with its pairs. For managers and auditors.
#[utoipa::path(tag = "matching", params(("assignment_id" = AssignmentId, Path)), responses((status = 200, body = AssignmentView)))]
#[get("/assignments/{assignment_id}")]
async fn get_assignment(
    state: State,
    caller: Caller,
    id: PathId<AssignmentId>,
) -> Result<web::Json<AssignmentView>, Problem> {
    let staff = caller.manager_or_auditor()?;
    let row = query::find(state.db.read(), &staff.subtree(), *id).await?;
    Ok(web::Json(query::whole(state.db.read(), row).await?))
}

/// Nothing.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct Proceed {}

/// Turn a dry run into offers. What no longer holds is skipped and says why. For managers.
#[utoipa::path(tag = "matching", params(("assignment_id" = AssignmentId, Path)), request_body = Proceed,
    responses((status = 200, body = AssignmentView)))]
#[post("/assignments/{assignment_id}/offers")]
async fn offer_assignment(
    state: State,
    id: PathId<AssignmentId>,
    call: Call<Proceed>,
) -> Result<HttpResponse, Problem> {
    let manager = call.caller.manager()?;
    let (_, once) = call.admit(exists(&state, &manager, *id)).await?;
    let (id, now) = (*id, state.clock.now());
    let size = service::batch_size(state.db.lookup()).await?;
    let batch = Batch::next(state.db.read(), id, size).await?;
    let event = event(&manager, "assignment.offer", id, now);
    let outcome = once.run(&state, StatusCode::OK, async move |txn: &Txn| {
        let row = service::offer(txn, &manager, id, &batch, now).await?;
        Ok::<_, AssignmentError>(query::whole(txn, row).await?)
    });
    let known = async || service::exists(state.db.lookup(), id).await;
    let answer = audit::note_elsewhere(&state.db, outcome.await, event, known).await?;
    job::go_on_soon(&state, id);
    Ok(answer)
}

/// Take the open offers of an assignment back: who has accepted keeps the claim, the others are told and may be asked again.
/// For managers.
#[utoipa::path(tag = "matching", params(("assignment_id" = AssignmentId, Path)), request_body = Proceed,
    responses((status = 200, body = AssignmentView)))]
#[post("/assignments/{assignment_id}/withdrawal")]
async fn withdraw_assignment(
    state: State,
    id: PathId<AssignmentId>,
    call: Call<Proceed>,
) -> Result<HttpResponse, Problem> {
    let manager = call.caller.manager()?;
    let (_, once) = call.admit(exists(&state, &manager, *id)).await?;
    let (id, now) = (*id, state.clock.now());
    let event = event(&manager, "assignment.withdraw", id, now);
    let outcome = once.run(&state, StatusCode::OK, async move |txn: &Txn| {
        let row = service::withdraw(txn, &manager, id, now).await?;
        Ok::<_, AssignmentError>(query::whole(txn, row).await?)
    });
    let known = async || service::exists(state.db.lookup(), id).await;
    audit::note_elsewhere(&state.db, outcome.await, event, known).await
}

fn event(manager: &Manager, action: &'static str, id: AssignmentId, now: chrono::DateTime<chrono::Utc>) -> AuditEvent {
    AuditEvent::new(Actor::Staff(manager.id), action, "assignment", now).of(id).in_region(&manager.region)
}

/// The 404 of an assignment.
fn exists<'a>(
    state: &'a AppState,
    manager: &'a Manager,
    id: AssignmentId,
) -> impl AsyncFnOnce() -> Result<(), Problem> + 'a {
    async move || Ok(query::find(state.db.lookup(), &manager.subtree(), id).await.map(drop)?)
}
