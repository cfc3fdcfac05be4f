//! The calls that move claims.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, post};
use chrono::TimeDelta;
use entity::claim;
use entity::id::{ClaimId, MemberId, ServiceRecordId, TaskId};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use super::claims;
use crate::app::{AppState, State};
use crate::audit::{self, Actor, AuditEvent};
use crate::db::Txn;
use crate::http::{Call, Instant, Line, Listing, Once, PathId, Problem};
use crate::identity::{Caller, Scope};
use crate::task;
use crate::task::attendance::Proof;
use crate::task::check::Point;
use crate::task::claim::NewOffers;
use crate::task::view::ClaimView;
use crate::wish::error::WishError;

/// The routes of this room.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(claim_task)
        .service(offer_task)
        .service(accept_claim)
        .service(decline_claim)
        .service(withdraw_claim)
        .service(check_in)
        .service(check_out)
        .service(miss_claim)
        .configure(super::proof::routes);
}

/// Nothing.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimTask {}

/// Why, for the station; declining and withdrawing have no penalty.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimReason {
    reason: Option<Line<200>>,
}

/// Claim a task, or take up the open offer of it.
#[utoipa::path(tag = "task", params(("task_id" = TaskId, Path)), request_body = ClaimTask,
    responses((status = 201, body = ClaimView)))]
#[post("/tasks/{task_id}/claims")]
async fn claim_task(state: State, id: PathId<TaskId>, call: Call<ClaimTask>) -> Result<HttpResponse, Problem> {
    let (volunteer, caller) = (call.caller.volunteer()?, call.caller.clone());
    let (_, once) = call.admit(task_exists(&state, &caller, *id)).await?;
    let (task, new, now, calendar) = (*id, ClaimId::new(), state.clock.now(), state.calendar);
    answer(&state, once, StatusCode::CREATED, None, async move |txn| {
        claims::claim(txn, calendar, &volunteer, task, new, now).await
    })
    .await
}

/// Whom a task is offered to.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OfferTask {
    /// Volunteers of the task's district, each once.
    #[validate(length(min = 1, max = 100))]
    #[schema(min_items = 1, max_items = 100)]
    member_ids: Vec<MemberId>,
    /// How long they may take to answer; at most seven days, and never beyond the window's end.
    #[validate(range(min = 1, max = 10080))]
    #[schema(minimum = 1, maximum = 10080)]
    expires_in_minutes: i64,
}

/// Offer a task to volunteers; an offer takes no slot. For managers.
#[utoipa::path(tag = "task", params(("task_id" = TaskId, Path)), request_body = OfferTask,
    responses((status = 201, body = Listing<ClaimView>)))]
#[post("/tasks/{task_id}/offers")]
async fn offer_task(state: State, id: PathId<TaskId>, call: Call<OfferTask>) -> Result<HttpResponse, Problem> {
    let (manager, caller) = (call.caller.manager()?, call.caller.clone());
    let (body, once) = call.admit(task_exists(&state, &caller, *id)).await?;
    let now = state.clock.now();
    let mut members = body.member_ids;
    members.sort_unstable();
    members.dedup();
    let offers = NewOffers {
        members: members.into_iter().map(|member| (member, ClaimId::new())).collect(),
        expires_at: now.checked_add_signed(TimeDelta::minutes(body.expires_in_minutes)).unwrap_or(now),
    };
    let (task, calendar) = (*id, state.calendar);
    let event = AuditEvent::new(Actor::Staff(manager.id), "task.offer", "task", now);
    let event = event.of(task).in_region(&manager.region);
    let outcome = once.run(&state, StatusCode::CREATED, async move |txn: &Txn| {
        let made = claims::offer(txn, calendar, &manager, task, &offers, now).await?;
        Ok::<_, WishError>(Listing::whole(made.into_iter().map(|claim| ClaimView::new(claim, None)).collect()))
    });
    let known = async || task::query::exists(state.db.lookup(), task).await;
    audit::note_elsewhere(&state.db, outcome.await, event, known).await
}

/// Accept an offer. For its volunteer.
#[utoipa::path(tag = "task", params(("claim_id" = ClaimId, Path)), request_body = ClaimTask,
    responses((status = 200, body = ClaimView)))]
#[post("/claims/{claim_id}/acceptance")]
async fn accept_claim(state: State, id: PathId<ClaimId>, call: Call<ClaimTask>) -> Result<HttpResponse, Problem> {
    let (volunteer, scope) = (call.caller.volunteer()?, call.caller.scope());
    let (_, once) = call.admit(exists(&state, &scope, *id)).await?;
    let (id, now, calendar) = (*id, state.clock.now(), state.calendar);
    answer(&state, once, StatusCode::OK, None, async move |txn| {
        claims::accept(txn, calendar, &volunteer, id, now).await
    })
    .await
}

/// Decline an offer, for whatever reason and without any penalty. For its volunteer.
#[utoipa::path(tag = "task", params(("claim_id" = ClaimId, Path)), request_body = ClaimReason,
    responses((status = 200, body = ClaimView)))]
#[post("/claims/{claim_id}/decline")]
async fn decline_claim(state: State, id: PathId<ClaimId>, call: Call<ClaimReason>) -> Result<HttpResponse, Problem> {
    let (member, scope) = (call.caller.resident()?.id, call.caller.scope());
    let (body, once) = call.admit(exists(&state, &scope, *id)).await?;
    let (id, now) = (*id, state.clock.now());
    answer(&state, once, StatusCode::OK, None, async move |txn| {
        claims::decline(txn, member, id, body.reason.as_deref(), now).await
    })
    .await
}

/// Withdraw from an accepted claim; the slot is free again. For its volunteer.
#[utoipa::path(tag = "task", params(("claim_id" = ClaimId, Path)), request_body = ClaimReason,
    responses((status = 200, body = ClaimView)))]
#[post("/claims/{claim_id}/withdrawal")]
async fn withdraw_claim(state: State, id: PathId<ClaimId>, call: Call<ClaimReason>) -> Result<HttpResponse, Problem> {
    let (member, scope) = (call.caller.resident()?.id, call.caller.scope());
    let (body, once) = call.admit(exists(&state, &scope, *id)).await?;
    let (id, now) = (*id, state.clock.now());
    answer(&state, once, StatusCode::OK, None, async move |txn| {
        claims::withdraw(txn, member, id, body.reason.as_deref(), now).await
    })
    .await
}

/// How somebody shows that they came or went: volunteers by the code shown at the place, by where they are, or by both where
/// the task asks for it; staff by seeing it, or by entering when it was.
#[derive(Clone, Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckClaim {
    /// As shown at the place.
    code: Option<Line<64>>,
    /// Degrees north.
    #[validate(range(min = -90.0, max = 90.0))]
    #[schema(minimum = -90, maximum = 90)]
    lat: Option<f64>,
    /// Degrees east.
    #[validate(range(min = -180.0, max = 180.0))]
    #[schema(minimum = -180, maximum = 180)]
    lon: Option<f64>,
    /// For staff: when it was, within the window and not in the future. The record is then of grade D.
    #[schema(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    at: Option<Instant>,
}

impl CheckClaim {
    /// What `caller` gives as proof.
    fn proof(self, caller: &Caller) -> Result<Proof, Problem> {
        match caller {
            Caller::Member(member) => {
                if self.at.is_some() {
                    return Err(Problem::invalid("at", "invalid", "时间由系统记录；补登请联系站点工作人员"));
                }
                let point = match (self.lat, self.lon) {
                    (Some(lat), Some(lon)) => Some(Point { lat, lon }),
                    (None, None) => None,
                    (Some(_), None) => return Err(Problem::invalid("lon", "required", "请同时提供经度")),
                    (None, Some(_)) => return Err(Problem::invalid("lat", "required", "请同时提供纬度")),
                };
                if self.code.is_none() && point.is_none() {
                    return Err(Problem::invalid("code", "required", "请扫描现场二维码，或提供所在位置"));
                }
                Ok(Proof::Presence { member: member.id, code: self.code.map(Line::into_inner), point })
            }
            Caller::Staff(_) => {
                if self.code.is_some() || self.lat.is_some() || self.lon.is_some() {
                    let field = if self.code.is_some() { "code" } else { "lat" };
                    return Err(Problem::invalid(field, "invalid", "工作人员只需填写时间，或不填表示现在"));
                }
                Ok(Proof::Staff { clerk: caller.clerk()?, at: self.at.map(|at| *at) })
            }
        }
    }
}

/// Check in, from 30 minutes before the window begins until it ends. For the claim's volunteer and clerks.
#[utoipa::path(tag = "task", params(("claim_id" = ClaimId, Path)), request_body = CheckClaim,
    responses((status = 200, body = ClaimView)))]
#[post("/claims/{claim_id}/check-in")]
async fn check_in(state: State, id: PathId<ClaimId>, call: Call<CheckClaim>) -> Result<HttpResponse, Problem> {
    let caller = call.caller.clone();
    let (proof, once) = proof(&state, *id, call).await?;
    let (id, keys, now) = (*id, state.keys.clone(), state.clock.now());
    let outcome = answer(&state, once, StatusCode::OK, None, async move |txn| {
        claims::check_in(txn, &keys, id, &proof, now).await
    });
    traced(&state, &caller, (id, "claim.check_in"), outcome.await).await
}

/// Check out, which opens the service record. For the claim's volunteer and clerks.
#[utoipa::path(tag = "task", params(("claim_id" = ClaimId, Path)), request_body = CheckClaim,
    responses((status = 200, body = ClaimView)))]
#[post("/claims/{claim_id}/check-out")]
async fn check_out(state: State, id: PathId<ClaimId>, call: Call<CheckClaim>) -> Result<HttpResponse, Problem> {
    let caller = call.caller.clone();
    let (proof, once) = proof(&state, *id, call).await?;
    let (id, keys, now) = (*id, state.keys.clone(), state.clock.now());
    let record = ServiceRecordId::new();
    let outcome = answer(&state, once, StatusCode::OK, Some(record), async move |txn| {
        claims::check_out(txn, &keys, id, &proof, record, now).await
    });
    traced(&state, &caller, (id, "claim.check_out"), outcome.await).await
}

/// Note that nobody came, once the window has begun. For clerks.
#[utoipa::path(tag = "task", params(("claim_id" = ClaimId, Path)), request_body = ClaimReason,
    responses((status = 200, body = ClaimView)))]
#[post("/claims/{claim_id}/no-show")]
async fn miss_claim(state: State, id: PathId<ClaimId>, call: Call<ClaimReason>) -> Result<HttpResponse, Problem> {
    let (clerk, caller) = (call.caller.clerk()?, call.caller.clone());
    let (body, once) = call.admit(exists(&state, &caller.scope(), *id)).await?;
    let (id, now) = (*id, state.clock.now());
    let outcome = answer(&state, once, StatusCode::OK, None, async move |txn| {
        claims::miss(txn, &clerk, id, body.reason.as_deref(), now).await
    });
    traced(&state, &caller, (id, "claim.no_show"), outcome.await).await
}

/// Staff of elsewhere leave a trace.
async fn traced(
    state: &AppState,
    caller: &Caller,
    (id, action): (ClaimId, &'static str),
    outcome: Result<HttpResponse, Problem>,
) -> Result<HttpResponse, Problem> {
    let Caller::Staff(staff) = caller else { return outcome };
    let event = AuditEvent::new(Actor::Staff(staff.id), action, "claim", state.clock.now());
    let event = event.of(id).in_region(&staff.region);
    audit::note_elsewhere(&state.db, outcome, event, async || task::claim::exists(state.db.lookup(), id).await).await
}

/// The proof of a check, judged in the contract's order: role, 404, body.
async fn proof(state: &AppState, id: ClaimId, call: Call<CheckClaim>) -> Result<(Proof, Once), Problem> {
    let caller = call.caller.clone();
    match &caller {
        Caller::Member(_) => drop(caller.resident()?),
        Caller::Staff(_) => drop(caller.clerk()?),
    }
    let scope = caller.scope();
    let (body, once) = call.admit(exists(state, &scope, id)).await?;
    match body.proof(&caller) {
        Ok(proof) => Ok((proof, once)),
        Err(problem) => {
            exists(state, &scope, id)().await?;
            Err(problem)
        }
    }
}

/// The 404 of a claim.
fn exists<'a>(state: &'a AppState, scope: &'a Scope, id: ClaimId) -> impl AsyncFnOnce() -> Result<(), Problem> + 'a {
    async move || task::claim::find(state.db.lookup(), scope, id).await.map(drop).map_err(Into::into)
}

/// The 404 of a task.
fn task_exists<'a>(
    state: &'a AppState,
    caller: &'a Caller,
    id: TaskId,
) -> impl AsyncFnOnce() -> Result<(), Problem> + 'a {
    async move || task::query::find(state.db.lookup(), caller, id).await.map(drop).map_err(Into::into)
}

/// Runs a command on a claim and answers with the claim as it then is.
async fn answer<F>(
    state: &AppState,
    once: Once,
    status: StatusCode,
    record: Option<ServiceRecordId>,
    command: F,
) -> Result<HttpResponse, Problem>
where
    F: AsyncFn(&Txn) -> Result<claim::Model, WishError> + Send + 'static,
{
    once.run(state, status, async move |txn: &Txn| {
        let claim = command(txn).await?;
        Ok::<_, WishError>(task::query::explained(txn, claim, record).await?)
    })
    .await
}
