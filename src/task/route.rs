//! Reading tasks and claims. The calls that move something are `pipeline`'s.

use actix_web::{get, web};
use entity::id::{ClaimId, TaskId};
use utoipa_actix_web::service_config::ServiceConfig;

use super::attendance::CODE_PURPOSE;
use super::check::RotatingCode;
use super::domain::takes_claims;
use super::error::TaskError;
use super::query::{self, ClaimQuery, TaskQuery};
use super::view::{CheckInCodeView, ClaimView, TaskView};
use crate::app::State;
use crate::http::{Listing, Page, Params, PathId, Problem};
use crate::identity::{Caller, Scope};

/// The routes of this room.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(list_tasks)
        .service(get_task)
        .service(get_check_in_code)
        .service(list_claims)
        .service(list_my_claims)
        .service(get_claim);
}

/// Tasks of the caller's district, or of the subtree for staff.
///
/// With `near` the nearest come first; with `status=open` those of the highest priority, then the oldest; otherwise the newest.
#[utoipa::path(tag = "task", params(TaskQuery, Page), responses((status = 200, body = Listing<TaskView>)))]
#[get("/tasks")]
async fn list_tasks(
    state: State,
    caller: Caller,
    params: Params<TaskQuery>,
) -> Result<web::Json<Listing<TaskView>>, Problem> {
    let query = params.checked()?;
    Ok(web::Json(query::tasks(state.db.lookup(), &caller, &query).await?))
}

/// One task.
#[utoipa::path(tag = "task", params(("task_id" = TaskId, Path)), responses((status = 200, body = TaskView)))]
#[get("/tasks/{task_id}")]
async fn get_task(state: State, caller: Caller, id: PathId<TaskId>) -> Result<web::Json<TaskView>, Problem> {
    Ok(web::Json(query::task(state.db.lookup(), &caller, *id).await?))
}

/// The code to show as QR at the place; it changes every 30 seconds. For clerks.
#[utoipa::path(tag = "task", params(("task_id" = TaskId, Path)), responses((status = 200, body = CheckInCodeView),
    (status = 409, description = "`task_closed`", body = Problem, content_type = "application/problem+json")))]
#[get("/tasks/{task_id}/check-in-code")]
async fn get_check_in_code(
    state: State,
    caller: Caller,
    id: PathId<TaskId>,
) -> Result<web::Json<CheckInCodeView>, Problem> {
    caller.clerk()?;
    let task = query::find(state.db.lookup(), &caller, *id).await?;
    if !takes_claims(task.status) {
        return Err(TaskError::TaskClosed.into());
    }
    let RotatingCode { code, valid_until } = RotatingCode::at(&state.keys, CODE_PURPOSE, task.id.0, state.clock.now());
    Ok(web::Json(CheckInCodeView { code, valid_until }))
}

/// Claims: a member's own, or those of the subtree for staff; newest first.
#[utoipa::path(tag = "task", params(ClaimQuery, Page), responses((status = 200, body = Listing<ClaimView>)))]
#[get("/claims")]
async fn list_claims(
    state: State,
    caller: Caller,
    params: Params<ClaimQuery>,
) -> Result<web::Json<Listing<ClaimView>>, Problem> {
    let query = params.checked()?;
    Ok(web::Json(query::claims(state.db.lookup(), &caller.scope(), &query).await?))
}

/// The member's own claims, newest first.
#[utoipa::path(tag = "task", params(ClaimQuery, Page), responses((status = 200, body = Listing<ClaimView>)))]
#[get("/me/claims")]
async fn list_my_claims(
    state: State,
    caller: Caller,
    params: Params<ClaimQuery>,
) -> Result<web::Json<Listing<ClaimView>>, Problem> {
    let scope = Scope::Member(caller.member()?.id);
    let query = params.checked()?;
    Ok(web::Json(query::claims(state.db.lookup(), &scope, &query).await?))
}

/// One claim.
#[utoipa::path(tag = "task", params(("claim_id" = ClaimId, Path)), responses((status = 200, body = ClaimView)))]
#[get("/claims/{claim_id}")]
async fn get_claim(state: State, caller: Caller, id: PathId<ClaimId>) -> Result<web::Json<ClaimView>, Problem> {
    Ok(web::Json(query::claim(state.db.lookup(), &caller.scope(), *id).await?))
}
