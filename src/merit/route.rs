//! The calls about merits.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, post, web};
use entity::id::{HouseholdId, JournalId, MemberId, MeritId};
use entity::merit::{MeritKind, MeritStatus};
use entity::staff::Role;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use super::approving::{self, Decided, Moment};
use super::body::{DecideDispute, DecideMerit, EnterMerit, ScoreHouseholds};
use super::entering::{self, By};
use super::error::MeritError;
use super::query::{self, Wanted};
use super::view::{self, MeritView};
use super::{disputing, reversing, scoring};
use crate::app::{AppState, State};
use crate::audit::{self, Actor, AuditEvent};
use crate::db::Txn;
use crate::http::{Call, Day, Line, Listing, Page, Params, PathId, Problem, RequiredKey, Told};
use crate::identity::{Caller, Manager, Scope, StaffCaller};
use crate::points::Points;
use crate::region::RegionCode;

/// The routes of this room.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(list_merits)
        .service(list_my_merits)
        .service(enter_merit)
        .service(score_households)
        .service(approve_merits)
        .service(get_merit)
        .service(decide_merit)
        .service(reverse_merit)
        .service(dispute_merit)
        .service(decide_dispute);
}

/// Who may enter for others: whoever works in the field or at a station.
fn entering_staff(caller: &Caller) -> Result<StaffCaller, Problem> {
    let staff = caller.staff()?;
    match staff.role {
        Role::Admin | Role::Manager | Role::Clerk | Role::GridWorker => Ok((*staff).clone()),
        Role::Operator | Role::Auditor => Err(Problem::forbidden("请由网格员、驿站或社区工作人员登记")),
    }
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct MeritQuery {
    /// Of the members of this region's subtree.
    region: Option<RegionCode>,
    #[param(inline)]
    status: Option<MeritStatus>,
    #[param(inline)]
    kind: Option<MeritKind>,
    #[param(value_type = Option<uuid::Uuid>)]
    member: Option<MemberId>,
    #[param(value_type = Option<uuid::Uuid>)]
    household: Option<HouseholdId>,
    /// The first day on which it happened.
    from: Option<Day>,
    /// The last one.
    until: Option<Day>,
    /// With an objection that waits for its answer (`true`), or without (`false`).
    disputed: Option<bool>,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    page: Page,
}

impl MeritQuery {
    fn wanted(self) -> (Wanted, Page) {
        let wanted = Wanted {
            region: self.region,
            status: self.status,
            kind: self.kind,
            member: self.member,
            household: self.household,
            from: self.from.map(Day::get),
            until: self.until.map(Day::get),
            disputed: self.disputed,
        };
        (wanted, self.page)
    }
}

async fn page_of(state: &AppState, scope: &Scope, query: MeritQuery) -> Result<web::Json<Listing<MeritView>>, Problem> {
    let (wanted, page) = query.wanted();
    let Listing { items, next_cursor } = query::list(state.db.read(), scope, &wanted, &page).await?;
    let items = view::views(state.db.read(), items).await?;
    Ok(web::Json(Listing { items, next_cursor }))
}

/// Donations, events and household scores: a member's own, for staff those of the subtree's members. Latest first.
#[utoipa::path(tag = "merit", params(MeritQuery, Page), responses((status = 200, body = Listing<MeritView>)))]
#[get("/merits")]
async fn list_merits(
    state: State,
    caller: Caller,
    params: Params<MeritQuery>,
) -> Result<web::Json<Listing<MeritView>>, Problem> {
    page_of(&state, &caller.scope(), params.checked()?).await
}

/// The member's own donations, events and scores, latest first.
#[utoipa::path(tag = "merit", params(MeritQuery, Page), responses((status = 200, body = Listing<MeritView>)))]
#[get("/me/merits")]
async fn list_my_merits(
    state: State,
    caller: Caller,
    params: Params<MeritQuery>,
) -> Result<web::Json<Listing<MeritView>>, Problem> {
    let scope = Scope::Member(caller.member()?.id);
    page_of(&state, &scope, params.checked()?).await
}

/// One of them.
#[utoipa::path(tag = "merit", params(("merit_id" = MeritId, Path)), responses((status = 200, body = MeritView)))]
#[get("/merits/{merit_id}")]
async fn get_merit(state: State, caller: Caller, id: PathId<MeritId>) -> Result<web::Json<MeritView>, Problem> {
    let found = query::find(state.db.read(), &caller.scope(), *id).await?;
    Ok(web::Json(view::one(state.db.read(), found).await?))
}

/// Enter a donation or an event; it waits to be approved by a manager other than who entered it.
///
/// Grid workers, clerks and managers enter for a member of their subtree, never for the one that they are (403
/// `second_person_required`); members report what they gave themselves. The day's rule must know it.
#[utoipa::path(tag = "merit", params(RequiredKey), request_body = EnterMerit, responses((status = 201, body = MeritView)))]
#[post("/merits")]
async fn enter_merit(state: State, call: Call<EnterMerit>) -> Result<HttpResponse, Problem> {
    let by = match &call.caller {
        Caller::Member(_) => By::Member(call.caller.resident()?),
        Caller::Staff(_) => By::Staff(entering_staff(&call.caller)?),
    };
    let (body, once) = call.admit_keyed(async || Ok(())).await?;
    let entry = body.entry(&by, state.clock.now())?;
    let calendar = state.calendar;
    once.run(&state, StatusCode::CREATED, async move |txn: &Txn| {
        let row = entering::enter(txn, &calendar, &by, &entry).await?;
        Ok::<_, MeritError>(view::one(txn, row).await?)
    })
    .await
}

/// Enter a month's scores of households: all of them, or none. They wait to be approved.
///
/// A score is its household head's. 422 names each row that cannot be taken, as in `scores[3].item`.
#[utoipa::path(tag = "merit", params(RequiredKey), request_body = ScoreHouseholds,
    responses((status = 201, body = Listing<MeritView>)))]
#[post("/merits/household-scores")]
async fn score_households(state: State, call: Call<ScoreHouseholds>) -> Result<HttpResponse, Problem> {
    let staff = entering_staff(&call.caller)?;
    let (body, once) = call.admit_keyed(async || Ok(())).await?;
    let (sheet, calendar) = (body.sheet(state.clock.now()), state.calendar);
    once.run(&state, StatusCode::CREATED, async move |txn: &Txn| {
        let rows = scoring::enter(txn, &calendar, &staff, &sheet).await?;
        Ok::<_, MeritError>(Listing::whole(view::views(txn, rows).await?))
    })
    .await
}

/// What to approve.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct ApproveMerits {
    /// At most 100.
    #[validate(length(min = 1, max = 100))]
    #[schema(value_type = Vec<uuid::Uuid>, min_items = 1, max_items = 100)]
    merit_ids: Vec<MeritId>,
}

/// Approve many: all of them, or none. For managers; 422 names each that cannot be approved, as in `merit_ids[3]`.
///
/// What no budget can pay yet is approved and waits (`points_due`).
#[utoipa::path(tag = "merit", params(RequiredKey), request_body = ApproveMerits,
    responses((status = 201, body = Listing<MeritView>)))]
#[post("/merits/approvals")]
async fn approve_merits(state: State, call: Call<ApproveMerits>) -> Result<HttpResponse, Problem> {
    let manager = call.caller.manager()?;
    let (body, once) = call.admit_keyed(async || Ok(())).await?;
    let ids: Vec<_> = body.merit_ids.into_iter().map(|id| (id, JournalId::new())).collect();
    let (now, calendar) = (state.clock.now(), state.calendar);
    once.run(&state, StatusCode::CREATED, async move |txn: &Txn| {
        let rows = approving::approve_all(txn, &manager, &ids, now, calendar).await?;
        Ok::<_, MeritError>(Listing::whole(view::views(txn, rows).await?))
    })
    .await
}

/// Approve or reject. For a manager other than who entered it, and never for the member that they are (403
/// `second_person_required`).
///
/// Approving posts what the rule of its day says. 409 `budget_exhausted` where no budget can pay: it is approved all the
/// same, and paid when funds arrive.
#[utoipa::path(tag = "merit", params(("merit_id" = MeritId, Path), RequiredKey), request_body = DecideMerit,
    responses((status = 200, body = MeritView)))]
#[post("/merits/{merit_id}/approval")]
async fn decide_merit(state: State, id: PathId<MeritId>, call: Call<DecideMerit>) -> Result<HttpResponse, Problem> {
    let (manager, id, scope) = (call.caller.manager()?, *id, call.caller.scope());
    let (body, once) = call.admit_keyed(async || seen(&state, &scope, id).await).await?;
    let (verdict, moment, by) = (body.verdict()?, moment(&state), manager.clone());
    let outcome = once.run_told(&state, StatusCode::OK, async move |txn: &Txn| {
        let Decided { merit, due } = approving::decide(txn, &by, id, &verdict, moment).await?;
        let points = Points::from_hundredths(merit.points.unwrap_or(0));
        Ok::<_, MeritError>(if due { Told::But(owed(points)) } else { Told::Done(view::one(txn, merit).await?) })
    });
    noted(&state, &manager, id, "merit.decide", outcome.await).await
}

fn owed(points: Points) -> Problem {
    let detail =
        format!("已通过审核，但积分预算不足：应得 {points} 已记为待发，预算到位后按先后自动补发，无需重复办理");
    Problem::conflict("budget_exhausted", detail)
}

/// Why.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct Because {
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    reason: Line<200>,
}

/// Take an approved one back: what it gave is taken, what it took is given back. For managers, once.
#[utoipa::path(tag = "merit", params(("merit_id" = MeritId, Path), RequiredKey), request_body = Because,
    responses((status = 200, body = MeritView)))]
#[post("/merits/{merit_id}/reversal")]
async fn reverse_merit(state: State, id: PathId<MeritId>, call: Call<Because>) -> Result<HttpResponse, Problem> {
    let (manager, id, scope) = (call.caller.manager()?, *id, call.caller.scope());
    let (body, once) = call.admit_keyed(async || seen(&state, &scope, id).await).await?;
    let (moment, by) = (moment(&state), manager.clone());
    let outcome = once.run(&state, StatusCode::OK, async move |txn: &Txn| {
        let row = reversing::reverse(txn, &by, id, &body.reason, moment).await?;
        Ok::<_, MeritError>(view::one(txn, row).await?)
    });
    noted(&state, &manager, id, "merit.reverse", outcome.await).await
}

/// Object to an approved one of one's own, once. A manager answers or takes it back.
#[utoipa::path(tag = "merit", params(("merit_id" = MeritId, Path)), request_body = Because,
    responses((status = 200, body = MeritView)))]
#[post("/merits/{merit_id}/dispute")]
async fn dispute_merit(state: State, id: PathId<MeritId>, call: Call<Because>) -> Result<HttpResponse, Problem> {
    let (member, id, scope) = (call.caller.resident()?.id, *id, call.caller.scope());
    let (body, once) = call.admit(async || seen(&state, &scope, id).await).await?;
    let now = state.clock.now();
    once.run(&state, StatusCode::OK, async move |txn: &Txn| {
        let row = disputing::dispute(txn, member, id, &body.reason, now).await?;
        Ok::<_, MeritError>(view::one(txn, row).await?)
    })
    .await
}

/// Answer an objection: leave it as it is, or take it back. For managers, never for the member that they are.
#[utoipa::path(tag = "merit", params(("merit_id" = MeritId, Path), RequiredKey), request_body = DecideDispute,
    responses((status = 200, body = MeritView)))]
#[post("/merits/{merit_id}/dispute-decision")]
async fn decide_dispute(state: State, id: PathId<MeritId>, call: Call<DecideDispute>) -> Result<HttpResponse, Problem> {
    let (manager, id, scope) = (call.caller.manager()?, *id, call.caller.scope());
    let (body, once) = call.admit_keyed(async || seen(&state, &scope, id).await).await?;
    let (moment, by) = (moment(&state), manager.clone());
    let outcome = once.run(&state, StatusCode::OK, async move |txn: &Txn| {
        let row = if body.reverses() {
            disputing::uphold(txn, &by, id, &body.reason, moment).await?
        } else {
            disputing::dismiss(txn, &by, id, &body.reason, moment.now).await?
        };
        Ok::<_, MeritError>(view::one(txn, row).await?)
    });
    noted(&state, &manager, id, "merit.dispute", outcome.await).await
}

fn moment(state: &AppState) -> Moment {
    Moment { now: state.clock.now(), calendar: state.calendar, journal_id: JournalId::new() }
}

/// The 404 of a call that is refused for its key or body.
async fn seen(state: &AppState, scope: &Scope, id: MeritId) -> Result<(), Problem> {
    Ok(query::find(state.db.read(), scope, id).await.map(drop)?)
}

/// Leaves a trace where staff reached for what is elsewhere.
async fn noted(
    state: &AppState,
    manager: &Manager,
    id: MeritId,
    action: &'static str,
    outcome: Result<HttpResponse, Problem>,
) -> Result<HttpResponse, Problem> {
    let event = AuditEvent::new(Actor::Staff(manager.id), action, "merit", state.clock.now());
    let event = event.of(id).in_region(&manager.region);
    audit::note_elsewhere(&state.db, outcome, event, async || query::exists(state.db.read(), id).await).await
}
