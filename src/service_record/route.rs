//! The calls of this room. Verification also ends the claim that a record came from, which is `task`'s: the two rooms meet
//! here and not below.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, post, web};
use entity::category::Category;
use entity::id::{JournalId, MemberId, ServiceRecordId};
use entity::service_record;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use super::error::RecordError;
use super::query::{self, RecordQuery};
use super::service::{self, Entry, Judged, Moment, Verdict, Verified};
use super::view::{ServiceRecordView, ServiceSummaryView};
use crate::app::{AppState, State};
use crate::audit::{self, Actor, AuditEvent};
use crate::http::{Call, Instant, Line, Listing, Page, Params, PathId, Problem, RequiredKey, Told, decimal};
use crate::identity::{Caller, Manager, Scope};
use crate::pipeline::follow::record_judged;
use crate::task::error::TaskError;

/// The routes of this room.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(list_records)
        .service(list_my_records)
        .service(enter_record)
        .service(get_record)
        .service(verify_record)
        .service(reverse_record)
        .service(dispute_record)
        .service(get_my_summary)
        .service(get_summary);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum RecordDecision {
    Verify,
    Reject,
}

/// A manager's decision about a record.
#[derive(Clone, Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct VerifyRecord {
    #[schema(inline)]
    decision: RecordDecision,
    /// To lower the recorded minutes, or to raise them up to the window's length, which needs a `reason`.
    minutes: Option<i32>,
    /// How hard it was, where it was not as the task says; rules may pay more for 2 and 3.
    #[validate(range(min = 1, max = 3))]
    #[schema(minimum = 1, maximum = 3)]
    difficulty: Option<i16>,
    /// Whether the member led the service; rules may pay more for it.
    organiser: Option<bool>,
    #[schema(value_type = Option<String>, min_length = 1, max_length = 500)]
    reason: Option<Line<500>>,
}

impl VerifyRecord {
    fn verdict(self) -> Result<Verdict, Problem> {
        let reason = self.reason.map(Line::into_inner);
        if self.decision == RecordDecision::Verify {
            let Self { minutes, difficulty, organiser, .. } = self;
            return Ok(Verdict::Verify(Verified { minutes, difficulty, organiser, reason }));
        }
        let said = [
            ("minutes", self.minutes.is_some()),
            ("difficulty", self.difficulty.is_some()),
            ("organiser", self.organiser.is_some()),
        ];
        match said.into_iter().find(|(_, said)| *said) {
            None => Ok(Verdict::Reject { reason }),
            Some((field, _)) => Err(Problem::invalid(field, "invalid", "驳回时不填写此项，请去掉")),
        }
    }
}

/// Why a verified record is taken back.
#[derive(Clone, Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReverseRecord {
    #[schema(value_type = String, min_length = 1, max_length = 500)]
    reason: Line<500>,
}

/// What the volunteer contests.
#[derive(Clone, Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct DisputeRecord {
    #[schema(value_type = Option<String>, min_length = 1, max_length = 500)]
    reason: Option<Line<500>>,
}

/// A service typed in by a manager.
#[derive(Clone, Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct EnterRecord {
    #[schema(value_type = uuid::Uuid)]
    member_id: MemberId,
    #[schema(inline)]
    category: Category,
    started_at: Instant,
    /// In the past.
    ended_at: Instant,
    #[schema(value_type = String, min_length = 1, max_length = 500)]
    reason: Line<500>,
}

/// Service records: a member's own; for staff those of the subtree's members and of work done in the subtree. Newest first.
#[utoipa::path(tag = "service record", params(RecordQuery, Page),
    responses((status = 200, body = Listing<ServiceRecordView>)))]
#[get("/service-records")]
async fn list_records(
    state: State,
    caller: Caller,
    params: Params<RecordQuery>,
) -> Result<web::Json<Listing<ServiceRecordView>>, Problem> {
    let query = params.checked()?;
    let found = service::list(state.db.lookup(), &caller.scope(), &query).await?;
    shown(&state, found).await
}

/// The member's own service records, newest first.
#[utoipa::path(tag = "service record", params(RecordQuery, Page),
    responses((status = 200, body = Listing<ServiceRecordView>)))]
#[get("/me/service-records")]
async fn list_my_records(
    state: State,
    caller: Caller,
    params: Params<RecordQuery>,
) -> Result<web::Json<Listing<ServiceRecordView>>, Problem> {
    let scope = Scope::Member(caller.member()?.id);
    let query = params.checked()?;
    let found = service::list(state.db.lookup(), &scope, &query).await?;
    shown(&state, found).await
}

async fn shown(
    state: &AppState,
    found: Listing<service_record::Model>,
) -> Result<web::Json<Listing<ServiceRecordView>>, Problem> {
    let Listing { items, next_cursor } = found;
    let items = ServiceRecordView::of(state.db.lookup(), items).await?;
    Ok(web::Json(Listing { items, next_cursor }))
}

/// One service record.
#[utoipa::path(tag = "service record", params(("record_id" = ServiceRecordId, Path)),
    responses((status = 200, body = ServiceRecordView)))]
#[get("/service-records/{record_id}")]
async fn get_record(
    state: State,
    caller: Caller,
    id: PathId<ServiceRecordId>,
) -> Result<web::Json<ServiceRecordView>, Problem> {
    let record = service::find(state.db.lookup(), &caller.scope(), *id).await?;
    Ok(web::Json(ServiceRecordView::one(state.db.lookup(), record).await?))
}

/// Verify or reject a service record. For managers: not for oneself, and not what one typed in.
///
/// Where no budget can pay for its points, the answer is 409 `budget_exhausted`, and the record is verified all the same: the
/// points are owed, and paid in turn when funds arrive. It is not to be verified again.
#[utoipa::path(tag = "service record", params(("record_id" = ServiceRecordId, Path), RequiredKey),
    request_body = VerifyRecord, responses((status = 200, body = ServiceRecordView)))]
#[post("/service-records/{record_id}/verification")]
async fn verify_record(
    state: State,
    id: PathId<ServiceRecordId>,
    call: Call<VerifyRecord>,
) -> Result<HttpResponse, Problem> {
    let (manager, id) = (call.caller.manager()?, *id);
    let scope = call.caller.scope();
    let (body, once) = call.admit_keyed(async || seen(&state, &scope, id).await).await?;
    let (verdict, moment, by) = (body.verdict()?, moment(&state), manager.clone());
    let outcome = once.run_told(&state, StatusCode::OK, async move |txn| {
        let Judged { record, claim, due } = service::judge(txn, &by, id, &verdict, moment).await?;
        if let Some((claim, step)) = claim {
            record_judged(txn, claim, step, moment.now).await?;
        }
        if due {
            return Ok(Told::But(owed(&record)));
        }
        Ok::<_, TaskError>(Told::Done(ServiceRecordView::one(txn, record).await?))
    });
    noted(&state, &manager, id, "service_record.verify", outcome.await).await
}

/// The answer where a record is verified and its points cannot be paid yet.
fn owed(record: &service_record::Model) -> Problem {
    let points = decimal(record.points.unwrap_or(0));
    let detail = format!("服务记录已核实，但积分预算已用完：{points} 积分将在预算补足后自动发放，请勿重复核实");
    Problem::conflict("budget_exhausted", detail)
}

/// Take a verified record back: its points, its hours and its place on the boards. For managers.
#[utoipa::path(tag = "service record", params(("record_id" = ServiceRecordId, Path), RequiredKey),
    request_body = ReverseRecord, responses((status = 200, body = ServiceRecordView)))]
#[post("/service-records/{record_id}/reversal")]
async fn reverse_record(
    state: State,
    id: PathId<ServiceRecordId>,
    call: Call<ReverseRecord>,
) -> Result<HttpResponse, Problem> {
    let (manager, id) = (call.caller.manager()?, *id);
    let scope = call.caller.scope();
    let (body, once) = call.admit_keyed(async || seen(&state, &scope, id).await).await?;
    let (moment, by) = (moment(&state), manager.clone());
    let outcome = once.run(&state, StatusCode::OK, async move |txn| {
        let record = service::reverse(txn, &by, id, &body.reason, moment).await?;
        Ok::<_, RecordError>(ServiceRecordView::from(record))
    });
    noted(&state, &manager, id, "service_record.reverse", outcome.await).await
}

/// Contest a record of one's own. A manager then decides anew.
#[utoipa::path(tag = "service record", params(("record_id" = ServiceRecordId, Path)),
    request_body = DisputeRecord, responses((status = 200, body = ServiceRecordView)))]
#[post("/service-records/{record_id}/dispute")]
async fn dispute_record(
    state: State,
    id: PathId<ServiceRecordId>,
    call: Call<DisputeRecord>,
) -> Result<HttpResponse, Problem> {
    let (member, id) = (call.caller.resident()?.id, *id);
    let scope = call.caller.scope();
    let (body, once) = call.admit(async || seen(&state, &scope, id).await).await?;
    let now = state.clock.now();
    once.run(&state, StatusCode::OK, async move |txn| {
        let record = service::dispute(txn, member, id, body.reason.as_deref(), now).await?;
        Ok::<_, RecordError>(ServiceRecordView::one(txn, record).await?)
    })
    .await
}

/// Type in a service that is over: grade D, to be verified by another manager.
#[utoipa::path(tag = "service record", params(RequiredKey), request_body = EnterRecord,
    responses((status = 201, body = ServiceRecordView)))]
#[post("/service-records")]
async fn enter_record(state: State, call: Call<EnterRecord>) -> Result<HttpResponse, Problem> {
    let manager = call.caller.manager()?;
    let (body, once) = call.admit_keyed(async || Ok(())).await?;
    let calendar = state.calendar;
    let entry = Entry {
        id: ServiceRecordId::new(),
        member_id: body.member_id,
        category: body.category,
        started_at: body.started_at.get(),
        ended_at: body.ended_at.get(),
        reason: body.reason.into_inner(),
        now: state.clock.now(),
    };
    once.run(&state, StatusCode::CREATED, async move |txn| {
        let record = service::enter(txn, &calendar, &manager, &entry).await?;
        Ok::<_, RecordError>(ServiceRecordView::from(record))
    })
    .await
}

/// What the member's own service sums up to.
#[utoipa::path(tag = "service record", responses((status = 200, body = ServiceSummaryView)))]
#[get("/me/service-summary")]
async fn get_my_summary(state: State, caller: Caller) -> Result<web::Json<ServiceSummaryView>, Problem> {
    let member = caller.member()?.id;
    summary(&state, &caller, member).await
}

/// What a member's service sums up to: hours, stars, categories.
#[utoipa::path(tag = "service record", params(("member_id" = MemberId, Path)),
    responses((status = 200, body = ServiceSummaryView)))]
#[get("/members/{member_id}/service-summary")]
async fn get_summary(
    state: State,
    caller: Caller,
    id: PathId<MemberId>,
) -> Result<web::Json<ServiceSummaryView>, Problem> {
    summary(&state, &caller, *id).await
}

async fn summary(state: &State, caller: &Caller, id: MemberId) -> Result<web::Json<ServiceSummaryView>, Problem> {
    let today = state.calendar.day_of(state.clock.now());
    Ok(web::Json(service::summary(state.db.lookup(), &caller.scope(), id, today).await?.into()))
}

fn moment(state: &AppState) -> Moment {
    Moment { now: state.clock.now(), calendar: state.calendar, journal_id: JournalId::new() }
}

/// The 404 of a call that is refused for its key or body.
async fn seen(state: &AppState, scope: &Scope, id: ServiceRecordId) -> Result<(), Problem> {
    Ok(service::find(state.db.lookup(), scope, id).await.map(drop)?)
}

/// Leaves a trace where staff tried to decide about a record of another place. The answer stays the same as for an id that
/// nobody has.
async fn noted(
    state: &AppState,
    manager: &Manager,
    id: ServiceRecordId,
    action: &'static str,
    outcome: Result<HttpResponse, Problem>,
) -> Result<HttpResponse, Problem> {
    let problem = match outcome {
        Err(problem) if problem.status() == StatusCode::NOT_FOUND => problem,
        other => return other,
    };
    if query::exists(state.db.lookup(), id).await? {
        let event = AuditEvent::new(Actor::Staff(manager.id), action, "service_record", state.clock.now());
        let event = event.of(id).in_region(&manager.region).denied();
        state.db.write(async move |txn| audit::record(txn, event.clone()).await).await?;
    }
    Err(problem)
}
