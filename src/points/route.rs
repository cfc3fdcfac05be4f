//! The calls about points.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, post, web};
use chrono::{DateTime, Utc};
use entity::adjustment::{AdjustmentStatus, Direction, Model};
use entity::category::Category;
use entity::id::{AdjustmentId, JournalId, MemberId, RuleId, StaffId};
use entity::programme::{self, Expiry};
use entity::rule::{self, RuleBasis};
use entity::staff::Role;
use sea_orm::{EntityTrait as _, QueryFilter as _};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use super::adjustment::{self, Moment, NewAdjustment};
use super::domain::Points;
use super::error::PointsError;
use super::query::{self, EntryView, Standing};
use super::rules::{self, NewRule};
use crate::app::State;
use crate::audit::{self, Actor, AuditEvent};
use crate::http::openapi::RequiredKey;
use crate::http::{Call, FieldError, Instant, Line, Listing, Page, Params, PathId, PointsAmount, Problem};
use crate::identity::{Caller, Manager, Scope, Staff};
use crate::region::RegionCode;

/// The routes of points.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(my_points)
        .service(my_entries)
        .service(points_of_member)
        .service(entries_of_member)
        .service(list_programmes)
        .service(list_rules)
        .service(add_rule)
        .service(adjust)
        .service(list_adjustments)
        .service(decide)
        .configure(super::budget::routes)
        .configure(super::due_route::routes)
        .configure(super::liability::routes)
        .configure(super::seal::route::routes);
}

/// What a member has, by programme.
#[derive(Serialize, ToSchema)]
struct PointsView {
    programmes: Vec<Standing>,
}

/// The member's own points.
#[utoipa::path(tag = "points", responses((status = 200, body = PointsView)))]
#[get("/me/points")]
async fn my_points(state: State, caller: Caller) -> Result<web::Json<PointsView>, Problem> {
    let member = caller.member()?;
    let programmes = query::standings(state.db.read(), member.id, member.region.as_deref()).await?;
    Ok(web::Json(PointsView { programmes }))
}

/// A member's points: for the member and staff of the subtree.
#[utoipa::path(tag = "points", params(("member_id" = MemberId, Path)), responses((status = 200, body = PointsView)))]
#[get("/members/{member_id}/points")]
async fn points_of_member(
    state: State,
    caller: Caller,
    id: PathId<MemberId>,
) -> Result<web::Json<PointsView>, Problem> {
    let region = region_of(&state, &caller.scope(), *id).await?;
    let programmes = query::standings(state.db.read(), *id, region.as_deref()).await?;
    Ok(web::Json(PointsView { programmes }))
}

/// The region of a member whom the caller may see; else 404.
pub(super) async fn region_of(state: &State, scope: &Scope, id: MemberId) -> Result<Option<String>, Problem> {
    use entity::member::{Column, Entity};
    let found = Entity::find_by_id(id).filter(scope.owned(Column::Id, Column::RegionCode)).one(state.db.read()).await?;
    Ok(found.ok_or_else(Problem::not_found)?.region_code)
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct EntryQuery {
    /// Of one programme only.
    #[validate(length(max = 64))]
    programme: Option<String>,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    page: Page,
}

/// The member's own postings, latest first.
#[utoipa::path(tag = "points", params(EntryQuery, Page), responses((status = 200, body = Listing<EntryView>)))]
#[get("/me/points/entries")]
async fn my_entries(
    state: State,
    caller: Caller,
    params: Params<EntryQuery>,
) -> Result<web::Json<Listing<EntryView>>, Problem> {
    let member = caller.member()?;
    let EntryQuery { programme, page } = params.checked()?;
    Ok(web::Json(query::entries(state.db.read(), member.id, programme.as_deref(), &page).await?))
}

/// A member's postings, latest first: for the member and staff of the subtree.
#[utoipa::path(tag = "points", params(("member_id" = MemberId, Path), EntryQuery, Page), responses((status = 200, body = Listing<EntryView>)))]
#[get("/members/{member_id}/points/entries")]
async fn entries_of_member(
    state: State,
    caller: Caller,
    id: PathId<MemberId>,
    params: Params<EntryQuery>,
) -> Result<web::Json<Listing<EntryView>>, Problem> {
    region_of(&state, &caller.scope(), *id).await?;
    let EntryQuery { programme, page } = params.checked()?;
    Ok(web::Json(query::entries(state.db.read(), *id, programme.as_deref(), &page).await?))
}

/// A kind of points.
#[derive(Serialize, ToSchema)]
struct ProgrammeView {
    code: String,
    name: String,
    /// What one point is called.
    unit: String,
    /// Null: everywhere.
    region_code: Option<String>,
    expiry: Expiry,
    /// With expiry `months`: how many.
    expiry_months: Option<i32>,
}

impl From<programme::Model> for ProgrammeView {
    fn from(row: programme::Model) -> Self {
        Self {
            code: row.code,
            name: row.name,
            unit: row.unit_name,
            region_code: row.region_code,
            expiry: row.expiry,
            expiry_months: row.expiry_months,
        }
    }
}

/// The kinds of points there are.
#[utoipa::path(tag = "points", responses((status = 200, body = Listing<ProgrammeView>)))]
#[get("/points/programmes")]
async fn list_programmes(state: State, _: Caller) -> Result<web::Json<Listing<ProgrammeView>>, Problem> {
    let rows = query::programmes(state.db.read()).await?;
    Ok(web::Json(Listing::whole(rows).map(ProgrammeView::from)))
}

/// What a verified record earns.
#[derive(Serialize, ToSchema)]
struct RuleView {
    id: RuleId,
    programme: String,
    /// Null: everywhere. The rule of the smallest region applies.
    region_code: Option<String>,
    /// Null: every category. A rule for the category goes before.
    category: Option<String>,
    basis: RuleBasis,
    /// For each `per_minutes` of service, or for each event.
    amount: Points,
    per_minutes: Option<i32>,
    /// At most so much per member and local day, in the whole programme.
    cap_day: Option<Points>,
    /// At most so much per member and local month, in the whole programme.
    cap_month: Option<Points>,
    version: i32,
    valid_from: DateTime<Utc>,
    valid_until: Option<DateTime<Utc>>,
}

impl From<rule::Model> for RuleView {
    fn from(row: rule::Model) -> Self {
        Self {
            id: row.id,
            programme: row.programme,
            region_code: row.region_code,
            category: row.category,
            basis: row.basis,
            amount: Points::from_hundredths(row.amount),
            per_minutes: row.per_minutes,
            cap_day: row.cap_day.map(Points::from_hundredths),
            cap_month: row.cap_month.map(Points::from_hundredths),
            version: row.version,
            valid_from: row.valid_from,
            valid_until: row.valid_until,
        }
    }
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct RuleQuery {
    #[validate(length(max = 64))]
    programme: Option<String>,
    /// Those in force at this instant only.
    at: Option<Instant>,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    page: Page,
}

/// The rules, newest first. For managers and auditors.
#[utoipa::path(tag = "points", params(RuleQuery, Page), responses((status = 200, body = Listing<RuleView>)))]
#[get("/points/rules")]
async fn list_rules(
    state: State,
    caller: Caller,
    params: Params<RuleQuery>,
) -> Result<web::Json<Listing<RuleView>>, Problem> {
    manager_or_auditor(&caller)?;
    let RuleQuery { programme, at, page } = params.checked()?;
    let listing = rules::list(state.db.read(), programme.as_deref(), at.map(Instant::get), &page).await?;
    Ok(web::Json(listing.map(RuleView::from)))
}

pub(super) fn manager_or_auditor(caller: &Caller) -> Result<Staff, Problem> {
    let staff = caller.staff()?;
    if staff.role != Role::Auditor {
        caller.manager()?;
    }
    Ok(staff)
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct AddRule {
    /// `default` where it is not given.
    #[validate(length(min = 1, max = 64))]
    #[schema(min_length = 1, max_length = 64)]
    programme: Option<String>,
    /// Your own region where it is not given.
    region_code: Option<RegionCode>,
    /// Every category where it is not given.
    category: Option<Category>,
    basis: RuleBasis,
    /// For each `per_minutes` of service, or for each event.
    amount: PointsAmount,
    /// With basis `time`; 30 where it is not given.
    #[validate(range(min = 1, max = 1440))]
    #[schema(minimum = 1, maximum = 1440)]
    per_minutes: Option<i32>,
    #[schema(inline)]
    cap_day: Option<PointsAmount>,
    #[schema(inline)]
    cap_month: Option<PointsAmount>,
    /// Not in the past; now where it is not given.
    valid_from: Option<Instant>,
    valid_until: Option<Instant>,
}

impl AddRule {
    fn rule(self, now: DateTime<Utc>) -> Result<NewRule, Problem> {
        let valid_from = self.valid_from.map_or(now, Instant::get);
        let valid_until = self.valid_until.map(Instant::get);
        let mut errors = Vec::new();
        if valid_from < now {
            errors.push(FieldError::new("valid_from", "out_of_range").saying("规则不能追溯，请填写现在或将来的时间"));
        }
        if valid_until.is_some_and(|until| until <= valid_from) {
            errors.push(FieldError::new("valid_until", "out_of_range").saying("失效时间须晚于生效时间"));
        }
        if self.basis == RuleBasis::Event && self.per_minutes.is_some() {
            errors.push(FieldError::new("per_minutes", "invalid").saying("按次计分时不填此项"));
        }
        if !errors.is_empty() {
            return Err(Problem::validation(errors));
        }
        let per_minutes = (self.basis == RuleBasis::Time).then(|| self.per_minutes.unwrap_or(30));
        Ok(NewRule {
            id: RuleId::new(),
            programme: self.programme.unwrap_or_else(|| "default".to_owned()),
            region: self.region_code,
            category: self.category,
            basis: self.basis,
            amount: self.amount.hundredths(),
            per_minutes,
            cap_day: self.cap_day.map(PointsAmount::hundredths),
            cap_month: self.cap_month.map(PointsAmount::hundredths),
            valid_from,
            valid_until,
        })
    }
}

/// Add a rule, or a new version of the one for the same programme, region and category, which ends where this one begins.
/// For managers, in their own subtree.
#[utoipa::path(tag = "points", request_body = AddRule, responses((status = 201, body = RuleView)))]
#[post("/points/rules")]
async fn add_rule(state: State, call: Call<AddRule>) -> Result<HttpResponse, Problem> {
    let manager = call.caller.manager()?;
    let (body, once) = call.admit(async || Ok(())).await?;
    let now = state.clock.now();
    let new = body.rule(now)?;
    once.run(&state, StatusCode::CREATED, async move |txn| {
        let row = rules::add(txn, &manager, &new, now).await?;
        let event = AuditEvent::new(Actor::Staff(manager.id), "points.rule", "rule", now).of(row.id);
        let event = event.in_region(row.region_code.as_deref().unwrap_or_default());
        audit::record(txn, event.with(json!({"version": row.version, "amount": row.amount}))).await?;
        Ok::<_, PointsError>(RuleView::from(row))
    })
    .await
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct Adjust {
    member_id: MemberId,
    #[validate(length(min = 1, max = 64))]
    #[schema(min_length = 1, max_length = 64)]
    programme: String,
    direction: Direction,
    #[schema(inline)]
    amount: PointsAmount,
    #[schema(inline)]
    reason: Line<200>,
}

/// An adjustment as it is.
#[derive(Serialize, ToSchema)]
struct AdjustmentView {
    id: AdjustmentId,
    /// `pending`: a second manager has to decide; nothing has moved yet.
    status: AdjustmentStatus,
    member_id: MemberId,
    programme: String,
    direction: Direction,
    amount: Points,
    reason: String,
    requested_by: StaffId,
    decided_by: Option<StaffId>,
    created_at: DateTime<Utc>,
    decided_at: Option<DateTime<Utc>>,
}

impl From<Model> for AdjustmentView {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            status: row.status,
            member_id: row.member_id,
            programme: row.programme,
            direction: row.direction,
            amount: Points::from_hundredths(row.amount),
            reason: row.reason,
            requested_by: row.requested_by,
            decided_by: row.decided_by,
            created_at: row.created_at,
            decided_at: row.decided_at,
        }
    }
}

fn moment(state: &State) -> Moment {
    let now = state.clock.now();
    Moment { journal_id: JournalId::new(), now, today: state.calendar.day_of(now) }
}

/// Give or take points by hand. For managers; never for the member that they are (403 `second_person_required`).
///
/// A grant above the setting (100.00) is kept `pending` until another manager approves it. 409 `insufficient_points`.
#[utoipa::path(tag = "points", params(RequiredKey), request_body = Adjust, responses((status = 201, body = AdjustmentView)))]
#[post("/points/adjustments")]
async fn adjust(state: State, call: Call<Adjust>) -> Result<HttpResponse, Problem> {
    let manager = call.caller.manager()?;
    let (body, once) = call.admit_keyed(async || Ok(())).await?;
    let new = NewAdjustment {
        id: AdjustmentId::new(),
        member_id: body.member_id,
        programme: body.programme,
        direction: body.direction,
        amount: Points::from_hundredths(body.amount.hundredths()),
        reason: body.reason.into(),
    };
    let moment = moment(&state);
    once.run(&state, StatusCode::CREATED, async move |txn| {
        let row = adjustment::request(txn, &manager, &new, moment).await?;
        record(txn, &manager, "points.adjust", &row, moment.now).await?;
        Ok::<_, PointsError>(AdjustmentView::from(row))
    })
    .await
}

async fn record(
    db: &impl sea_orm::ConnectionTrait,
    manager: &Manager,
    action: &'static str,
    row: &Model,
    now: DateTime<Utc>,
) -> Result<(), PointsError> {
    let detail = json!({"direction": row.direction, "amount": row.amount, "status": row.status});
    let event = AuditEvent::new(Actor::Staff(manager.id), action, "adjustment", now);
    Ok(audit::record(db, event.of(row.id).in_region(&row.region_code).with(detail)).await?)
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Decision {
    #[default]
    Approve,
    Reject,
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct Decide {
    /// `approve` where it is not given.
    #[serde(default)]
    decision: Decision,
}

/// Decide on a pending adjustment. For a manager other than the one who asked (403 `second_person_required`).
#[utoipa::path(tag = "points", params(("adjustment_id" = AdjustmentId, Path)), request_body = Decide, responses((status = 200, body = AdjustmentView)))]
#[post("/points/adjustments/{adjustment_id}/approval")]
async fn decide(state: State, id: PathId<AdjustmentId>, call: Call<Decide>) -> Result<HttpResponse, Problem> {
    let manager = call.caller.manager()?;
    let exists = async || Ok(adjustment::find(state.db.read(), &manager.subtree(), *id).await.map(drop)?);
    let (body, once) = call.admit(exists).await?;
    let moment = moment(&state);
    let event = AuditEvent::new(Actor::Staff(manager.id), "points.adjust.decide", "adjustment", moment.now);
    let event = event.of(*id).in_region(&manager.region);
    let outcome = once.run(&state, StatusCode::OK, async move |txn| {
        let approve = body.decision == Decision::Approve;
        let row = adjustment::decide(txn, &manager, *id, approve, moment).await?;
        record(txn, &manager, "points.adjust.decide", &row, moment.now).await?;
        Ok::<_, PointsError>(AdjustmentView::from(row))
    });
    let known = async || adjustment::exists(state.db.read(), *id).await;
    audit::note_elsewhere(&state.db, outcome.await, event, known).await
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct AdjustmentQuery {
    status: Option<AdjustmentStatus>,
    member: Option<MemberId>,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    page: Page,
}

/// Adjustments of the subtree, latest first. For managers and auditors.
#[utoipa::path(tag = "points", params(AdjustmentQuery, Page), responses((status = 200, body = Listing<AdjustmentView>)))]
#[get("/points/adjustments")]
async fn list_adjustments(
    state: State,
    caller: Caller,
    params: Params<AdjustmentQuery>,
) -> Result<web::Json<Listing<AdjustmentView>>, Problem> {
    let staff = manager_or_auditor(&caller)?;
    let AdjustmentQuery { status, member, page } = params.checked()?;
    let listing = adjustment::list(state.db.read(), &staff.subtree(), status, member, &page).await?;
    Ok(web::Json(listing.map(AdjustmentView::from)))
}
