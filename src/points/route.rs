//! The calls about points.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, post, web};
use chrono::{DateTime, NaiveDate, Utc};
use entity::adjustment::{AdjustmentStatus, Direction, Model};
use entity::id::{AdjustmentId, JournalId, MemberId, StaffId};
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
use super::{programme_route, rule_route};
use crate::app::State;
use crate::audit::{self, Actor, AuditEvent};
use crate::http::openapi::RequiredKey;
use crate::http::{Call, Line, Listing, Page, Params, PathId, PointsAmount, Problem};
use crate::identity::{Caller, Manager, Scope};

/// The routes of points.
pub fn routes(config: &mut ServiceConfig) {
    config
        .configure(super::gift::routes)
        .configure(super::grant::routes)
        .service(my_points)
        .service(my_entries)
        .service(points_of_member)
        .service(entries_of_member)
        .configure(programme_route::routes)
        .configure(rule_route::routes)
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
    let programmes = query::standings(state.db.lookup(), member.id, member.region.as_deref()).await?;
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
    let programmes = query::standings(state.db.lookup(), *id, region.as_deref()).await?;
    Ok(web::Json(PointsView { programmes }))
}

/// The region of a member whom the caller may see; else 404.
pub(super) async fn region_of(state: &State, scope: &Scope, id: MemberId) -> Result<Option<String>, Problem> {
    use entity::member::{Column, Entity};
    let found =
        Entity::find_by_id(id).filter(scope.owned(Column::Id, Column::RegionCode)).one(state.db.lookup()).await?;
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
    Ok(web::Json(query::entries(state.db.lookup(), member.id, programme.as_deref(), &page).await?))
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
    Ok(web::Json(query::entries(state.db.lookup(), *id, programme.as_deref(), &page).await?))
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
    /// Of a grant: the first local day without the points, after today; as the programme says where it is not given.
    expires_on: Option<NaiveDate>,
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
    /// Of a grant: the first local day without the points; null: as the programme says.
    expires_on: Option<NaiveDate>,
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
            expires_on: row.expires_on,
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
        expires_on: body.expires_on,
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
    let exists = async || Ok(adjustment::find(state.db.lookup(), &manager.subtree(), *id).await.map(drop)?);
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
    let known = async || adjustment::exists(state.db.lookup(), *id).await;
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
    let staff = caller.manager_or_auditor()?;
    let AdjustmentQuery { status, member, page } = params.checked()?;
    let listing = adjustment::list(state.db.read(), &staff.subtree(), status, member, &page).await?;
    Ok(web::Json(listing.map(AdjustmentView::from)))
}
