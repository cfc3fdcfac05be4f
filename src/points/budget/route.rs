//! The calls about budgets.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, patch, post, web};
use chrono::{DateTime, NaiveDate, Utc};
use entity::budget::{BudgetOwner, BudgetStatus, Model};
use entity::budget_funding;
use entity::id::{BudgetId, FundingId, StaffId, StationId, UnitId};
use sea_orm::{ConnectionTrait, EntityTrait as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use super::super::domain::Points;
use super::super::error::PointsError;
use super::super::paying::When;
use super::query::{self, Filter};
use super::service::{self, Change, Funding, NewBudget, Owner};
use crate::app::{AppState, State};
use crate::audit::{self, Actor, AuditEvent};
use crate::http::{Call, Day, FieldError, Line, Listing, Page, Params, PathId, PointsAmount, Problem, RequiredKey};
use crate::identity::{Caller, Manager};
use crate::region::RegionCode;

/// Percent of a budget from which on staff are warned, where it is not given.
const WARN_SHARE: i16 = 80;

/// The routes of budgets.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(list_budgets)
        .service(create_budget)
        .service(get_budget)
        .service(change_budget)
        .service(close_budget)
        .service(list_fundings)
        .service(fund_budget);
}

/// What waits for a budget. What waits for one may wait for others too: each stands at every budget that could pay it.
#[derive(Serialize, ToSchema)]
struct DuesView {
    count: i64,
    amount: Points,
}

/// A budget.
#[derive(Serialize, ToSchema)]
struct BudgetView {
    id: BudgetId,
    programme: String,
    name: String,
    owner_kind: BudgetOwner,
    station_id: Option<StationId>,
    unit_id: Option<UnitId>,
    /// It pays for the communities in this region.
    region_code: String,
    funded: Points,
    /// Drawn, without what was given back by reversals.
    issued: Points,
    /// `funded − issued`, never negative.
    left: Points,
    /// Percent of `funded` that is issued, rounded down.
    share: i64,
    /// Percent from which on staff are warned.
    warn_share: i16,
    /// Whether `warn_share` has been reached since the last funding.
    warned: bool,
    warned_at: Option<DateTime<Utc>>,
    /// The first local day on which it pays.
    valid_from: NaiveDate,
    /// The last local day on which it pays; null: no end.
    valid_until: Option<NaiveDate>,
    status: BudgetStatus,
    dues: DuesView,
    created_by: StaffId,
    created_at: DateTime<Utc>,
    closed_at: Option<DateTime<Utc>>,
}

impl BudgetView {
    fn new(row: Model, (count, amount): (i64, i64)) -> Self {
        let share = i128::from(row.issued) * 100 / i128::from(row.funded.max(1));
        Self {
            id: row.id,
            programme: row.programme,
            name: row.name,
            owner_kind: row.owner_kind,
            station_id: row.station_id,
            unit_id: row.unit_id,
            region_code: row.region_code,
            funded: Points::from_hundredths(row.funded),
            issued: Points::from_hundredths(row.issued),
            left: Points::from_hundredths(row.funded - row.issued),
            share: i64::try_from(share).unwrap_or(100),
            warn_share: row.warn_share,
            warned: row.warned_at.is_some(),
            warned_at: row.warned_at,
            valid_from: row.valid_from,
            valid_until: row.valid_until,
            status: row.status,
            dues: DuesView { count, amount: Points::from_hundredths(amount) },
            created_by: row.created_by,
            created_at: row.created_at,
            closed_at: row.closed_at,
        }
    }

    async fn of(db: &impl ConnectionTrait, row: Model) -> Result<Self, PointsError> {
        let waiting = query::waiting(db, [row.id]).await?.remove(&row.id).unwrap_or_default();
        Ok(Self::new(row, waiting))
    }
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct BudgetQuery {
    #[validate(length(max = 64))]
    programme: Option<String>,
    /// Those of this region's subtree.
    #[param(value_type = Option<String>, pattern = "^[0-9]{6,24}$")]
    region: Option<RegionCode>,
    #[param(inline)]
    status: Option<BudgetStatus>,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    page: Page,
}

/// Budgets of the subtree, newest first. For managers and auditors.
#[utoipa::path(tag = "points", params(BudgetQuery, Page), responses((status = 200, body = Listing<BudgetView>)))]
#[get("/points/budgets")]
async fn list_budgets(
    state: State,
    caller: Caller,
    params: Params<BudgetQuery>,
) -> Result<web::Json<Listing<BudgetView>>, Problem> {
    let staff = caller.manager_or_auditor()?;
    let BudgetQuery { programme, region, status, page } = params.checked()?;
    let filter = Filter { programme, region, status };
    let listing = query::list(state.db.read(), &staff.subtree(), &filter, &page).await?;
    let mut waiting = query::waiting(state.db.read(), listing.items.iter().map(|row| row.id)).await?;
    Ok(web::Json(listing.map(|row| {
        let sums = waiting.remove(&row.id).unwrap_or_default();
        BudgetView::new(row, sums)
    })))
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct CreateBudget {
    #[validate(length(min = 1, max = 64))]
    #[schema(min_length = 1, max_length = 64)]
    programme: String,
    #[schema(inline)]
    name: Line<100>,
    /// A station's budget pays for the station's community.
    owner_kind: BudgetOwner,
    /// With owner `community` or `sponsor`: it pays for the communities in it. Your own region where it is not given.
    region_code: Option<RegionCode>,
    /// With owner `station`.
    station_id: Option<StationId>,
    /// With owner `sponsor`, where the sponsor is known as a unit.
    unit_id: Option<UnitId>,
    /// The first funds.
    amount: PointsAmount,
    /// Percent from which on staff are warned; 80 where it is not given.
    #[validate(range(min = 1, max = 100))]
    #[schema(minimum = 1, maximum = 100)]
    warn_share: Option<i16>,
    /// The last local day on which it pays, not before today; no end where it is not given.
    valid_until: Option<Day>,
}

impl CreateBudget {
    fn budget(self, today: NaiveDate) -> Result<NewBudget, Problem> {
        let mut errors = Vec::new();
        let mut refuse = |given: bool, field: &'static str, words: &'static str| {
            if given {
                errors.push(FieldError::new(field, "invalid").saying(words));
            }
        };
        let station = self.owner_kind == BudgetOwner::Station;
        refuse(station && self.region_code.is_some(), "region_code", "站点的预算用于站点所在社区，不填此项");
        refuse(!station && self.station_id.is_some(), "station_id", "只有站点的预算填写站点");
        refuse(
            self.owner_kind != BudgetOwner::Sponsor && self.unit_id.is_some(),
            "unit_id",
            "只有赞助方的预算填写单位",
        );
        if station && self.station_id.is_none() {
            errors.push(FieldError::new("station_id", "required").saying("请选择站点"));
        }
        errors.extend(self.valid_until.and_then(|day| before_today(day, today)));
        let owner = match (self.owner_kind, self.station_id) {
            (BudgetOwner::Station, Some(id)) => Owner::Station(id),
            (BudgetOwner::Station | BudgetOwner::Community, _) => Owner::Community(self.region_code),
            (BudgetOwner::Sponsor, _) => Owner::Sponsor(self.region_code, self.unit_id),
        };
        if !errors.is_empty() {
            return Err(Problem::validation(errors));
        }
        Ok(NewBudget {
            id: BudgetId::new(),
            funding_id: FundingId::new(),
            programme: self.programme,
            name: self.name.into(),
            owner,
            amount: self.amount.hundredths(),
            warn_share: self.warn_share.unwrap_or(WARN_SHARE),
            valid_until: self.valid_until.map(Day::get),
        })
    }
}

fn before_today(day: Day, today: NaiveDate) -> Option<FieldError> {
    let refused = || FieldError::new("valid_until", "out_of_range").saying("截止日期不能早于今天，请修改");
    (day.get() < today).then(refused)
}

fn when(state: &AppState) -> When {
    let now = state.clock.now();
    When { now, today: state.calendar.day_of(now) }
}

/// Make a budget with its first funds, open from today; points owed in its region are paid from it, oldest first. For managers,
/// in their own subtree.
#[utoipa::path(tag = "points", request_body = CreateBudget, responses((status = 201, body = BudgetView)))]
#[post("/points/budgets")]
async fn create_budget(state: State, call: Call<CreateBudget>) -> Result<HttpResponse, Problem> {
    let manager = call.caller.manager()?;
    let (body, once) = call.admit(async || Ok(())).await?;
    let when = when(&state);
    let new = body.budget(when.today)?;
    once.run(&state, StatusCode::CREATED, async move |txn| {
        let row = service::create(txn, &manager, &new, when).await?;
        record(txn, &manager, "budget.create", &row, new.amount, when.now).await?;
        BudgetView::of(txn, row).await
    })
    .await
}

async fn record(
    db: &impl ConnectionTrait,
    manager: &Manager,
    action: &'static str,
    row: &Model,
    amount: i64,
    now: DateTime<Utc>,
) -> Result<(), PointsError> {
    let detail = json!({"amount": amount, "funded": row.funded, "issued": row.issued, "status": row.status});
    let event = AuditEvent::new(Actor::Staff(manager.id), action, "budget", now);
    Ok(audit::record(db, event.of(row.id).in_region(&row.region_code).with(detail)).await?)
}

/// One budget. For managers and auditors of its region.
#[utoipa::path(tag = "points", params(("budget_id" = BudgetId, Path)), responses((status = 200, body = BudgetView)))]
#[get("/points/budgets/{budget_id}")]
async fn get_budget(state: State, caller: Caller, id: PathId<BudgetId>) -> Result<web::Json<BudgetView>, Problem> {
    let staff = caller.manager_or_auditor()?;
    let row = service::find(state.db.read(), &staff.subtree(), *id).await?;
    Ok(web::Json(BudgetView::of(state.db.read(), row).await?))
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
#[allow(clippy::option_option, reason = "null empties, absent leaves as it is")]
struct ChangeBudget {
    #[schema(inline)]
    name: Option<Line<100>>,
    /// Percent from which on staff are warned.
    #[validate(range(min = 1, max = 100))]
    #[schema(minimum = 1, maximum = 100)]
    warn_share: Option<i16>,
    /// The last local day on which it pays, not before today; null: no end.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Day>)]
    valid_until: Option<Option<Day>>,
}

/// Tells `null` from absent.
#[allow(clippy::option_option, reason = "null empties, absent leaves as it is")]
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Change an open budget. For managers.
#[utoipa::path(tag = "points", params(("budget_id" = BudgetId, Path)), request_body = ChangeBudget, responses((status = 200, body = BudgetView)))]
#[patch("/points/budgets/{budget_id}")]
async fn change_budget(state: State, id: PathId<BudgetId>, call: Call<ChangeBudget>) -> Result<HttpResponse, Problem> {
    let (manager, id) = (call.caller.manager()?, *id);
    let (body, once) = call.admit(async || seen(&state, &manager, id).await).await?;
    let when = when(&state);
    if let Some(error) = body.valid_until.flatten().and_then(|day| before_today(day, when.today)) {
        seen(&state, &manager, id).await?;
        return Err(Problem::validation(vec![error]));
    }
    let change = Change {
        name: body.name.map(Into::into),
        warn_share: body.warn_share,
        valid_until: body.valid_until.map(|day| day.map(Day::get)),
    };
    let by = manager.clone();
    let outcome = once.run(&state, StatusCode::OK, async move |txn| {
        let row = service::change(txn, &by, id, &change, when.now).await?;
        record(txn, &by, "budget.change", &row, 0, when.now).await?;
        BudgetView::of(txn, row).await
    });
    noted(&state, &manager, id, "budget.change", outcome.await).await
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct CloseBudget {}

/// Close a budget: it pays no more, and what is left in it can be withdrawn. For managers.
#[utoipa::path(tag = "points", params(("budget_id" = BudgetId, Path)), request_body = CloseBudget, responses((status = 200, body = BudgetView)))]
#[post("/points/budgets/{budget_id}/closing")]
async fn close_budget(state: State, id: PathId<BudgetId>, call: Call<CloseBudget>) -> Result<HttpResponse, Problem> {
    let (manager, id) = (call.caller.manager()?, *id);
    let (_, once) = call.admit(async || seen(&state, &manager, id).await).await?;
    let (now, by) = (state.clock.now(), manager.clone());
    let outcome = once.run(&state, StatusCode::OK, async move |txn| {
        let row = service::close(txn, &by, id, now).await?;
        record(txn, &by, "budget.close", &row, 0, now).await?;
        BudgetView::of(txn, row).await
    });
    noted(&state, &manager, id, "budget.close", outcome.await).await
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum FundingDirection {
    Add,
    Withdraw,
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct FundBudget {
    #[schema(inline)]
    amount: PointsAmount,
    direction: FundingDirection,
    #[schema(inline)]
    reason: Line<200>,
}

/// Add funds, which pays points that are owed, oldest first; or withdraw what is neither issued nor owed (else 409
/// `budget_committed`). For managers.
#[utoipa::path(tag = "points", params(("budget_id" = BudgetId, Path), RequiredKey), request_body = FundBudget, responses((status = 201, body = BudgetView)))]
#[post("/points/budgets/{budget_id}/fundings")]
async fn fund_budget(state: State, id: PathId<BudgetId>, call: Call<FundBudget>) -> Result<HttpResponse, Problem> {
    let (manager, id) = (call.caller.manager()?, *id);
    let (body, once) = call.admit_keyed(async || seen(&state, &manager, id).await).await?;
    let funding = Funding { id: FundingId::new(), amount: body.amount.hundredths(), reason: body.reason.into() };
    let (when, by) = (when(&state), manager.clone());
    let action = match body.direction {
        FundingDirection::Add => "budget.fund",
        FundingDirection::Withdraw => "budget.withdraw",
    };
    let outcome = once.run(&state, StatusCode::CREATED, async move |txn| {
        let row = match body.direction {
            FundingDirection::Add => service::fund(txn, &by, id, &funding, when).await?,
            FundingDirection::Withdraw => service::withdraw(txn, &by, id, &funding, when).await?,
        };
        record(txn, &by, action, &row, funding.amount, when.now).await?;
        BudgetView::of(txn, row).await
    });
    noted(&state, &manager, id, action, outcome.await).await
}

/// A change to what a budget holds.
#[derive(Serialize, ToSchema)]
struct FundingView {
    id: FundingId,
    /// Signed: below zero was withdrawn.
    amount: Points,
    reason: String,
    staff_id: StaffId,
    at: DateTime<Utc>,
}

impl From<budget_funding::Model> for FundingView {
    fn from(row: budget_funding::Model) -> Self {
        let amount = Points::from_hundredths(row.amount);
        Self { id: row.id, amount, reason: row.reason, staff_id: row.staff_id, at: row.at }
    }
}

/// What was given to a budget and taken from it, latest first. For managers and auditors of its region.
#[utoipa::path(tag = "points", params(("budget_id" = BudgetId, Path), Page), responses((status = 200, body = Listing<FundingView>)))]
#[get("/points/budgets/{budget_id}/fundings")]
async fn list_fundings(
    state: State,
    caller: Caller,
    id: PathId<BudgetId>,
    params: Params<Page>,
) -> Result<web::Json<Listing<FundingView>>, Problem> {
    let staff = caller.manager_or_auditor()?;
    service::find(state.db.read(), &staff.subtree(), *id).await?;
    let page = params.checked()?;
    Ok(web::Json(query::fundings(state.db.read(), *id, &page).await?.map(FundingView::from)))
}

/// The 404 of a call that is refused for its key or body.
async fn seen(state: &AppState, manager: &Manager, id: BudgetId) -> Result<(), Problem> {
    Ok(service::find(state.db.read(), &manager.subtree(), id).await.map(drop)?)
}

/// Leaves a trace where staff reached for a budget of another place.
async fn noted(
    state: &AppState,
    manager: &Manager,
    id: BudgetId,
    action: &'static str,
    outcome: Result<HttpResponse, Problem>,
) -> Result<HttpResponse, Problem> {
    let event = AuditEvent::new(Actor::Staff(manager.id), action, "budget", state.clock.now());
    let event = event.of(id).in_region(&manager.region);
    let known = async || Ok(entity::budget::Entity::find_by_id(id).one(state.db.read()).await?.is_some());
    audit::note_elsewhere(&state.db, outcome, event, known).await
}
