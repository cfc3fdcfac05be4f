//! The calls on qualifications.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, delete, get, post, web};
use entity::id::MemberId;
use entity::qualification::QualificationKind;
use entity::staff::Role;
use sea_orm::DbErr;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use super::qualification::{self, NewQualification};
use super::route::Nothing;
use super::view::QualificationView;
use crate::app::{AppState, State};
use crate::audit::{self, Actor, AuditEvent};
use crate::http::{Call, Day, Line, Listing, PathId, Problem};
use crate::identity::{Caller, Scope, members};

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(my_qualifications)
        .service(list_qualifications)
        .service(record_qualification)
        .service(remove_qualification);
}

/// The caller's own licences, trainings and insurance.
#[utoipa::path(tag = "members", responses((status = 200, body = Listing<QualificationView>)))]
#[get("/me/qualifications")]
async fn my_qualifications(state: State, caller: Caller) -> Result<web::Json<Listing<QualificationView>>, Problem> {
    let member = caller.member()?.id;
    let today = state.calendar.day_of(state.clock.now());
    let items = qualification::of(state.db.lookup(), &state.keys, member, true, today).await?;
    Ok(web::Json(Listing::whole(items)))
}

/// A member's licences, trainings and insurance: for the member and staff of the subtree. References are a manager's to see.
#[utoipa::path(tag = "members", params(("member_id" = MemberId, Path)),
    responses((status = 200, body = Listing<QualificationView>)))]
#[get("/members/{member_id}/qualifications")]
async fn list_qualifications(
    state: State,
    caller: Caller,
    id: PathId<MemberId>,
) -> Result<web::Json<Listing<QualificationView>>, Problem> {
    exists(&state, &caller.scope(), *id).await?;
    let clear = match &caller {
        Caller::Member(_) => true,
        Caller::Staff(staff) => matches!(staff.role, Role::Admin | Role::Manager),
    };
    let today = state.calendar.day_of(state.clock.now());
    let items = qualification::of(state.db.lookup(), &state.keys, *id, clear, today).await?;
    Ok(web::Json(Listing::whole(items)))
}

async fn exists(state: &AppState, scope: &Scope, id: MemberId) -> Result<(), Problem> {
    members::visible(state.db.lookup(), scope, id).await?.map(drop).ok_or_else(Problem::not_found)
}

/// Whether the member is somebody whom the scope does not see.
async fn is_elsewhere(state: &AppState, scope: &Scope, id: MemberId) -> Result<bool, DbErr> {
    let db = state.db.lookup();
    let known = members::visible(db, &Scope::System, id).await?.is_some();
    Ok(known && members::visible(db, scope, id).await?.is_none())
}

/// What a manager has seen the proof of.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct RecordQualification {
    kind: QualificationKind,
    /// Of the list `skill` for a licence, of `training` for a training; not for an insurance.
    #[schema(inline)]
    code: Option<Line<32>>,
    /// The last day on which it counts, today or later; without end where it is not given.
    #[schema(inline)]
    valid_until: Option<Day>,
    /// Number of the certificate or policy; kept sealed.
    #[schema(inline)]
    reference: Option<Line<64>>,
}

/// Record a licence, a training or an insurance of a member, or renew it. For managers, but not for oneself.
#[utoipa::path(tag = "members", params(("member_id" = MemberId, Path)), request_body = RecordQualification,
    responses((status = 201, body = QualificationView)))]
#[post("/members/{member_id}/qualifications")]
async fn record_qualification(
    state: State,
    id: PathId<MemberId>,
    call: Call<RecordQualification>,
) -> Result<HttpResponse, Problem> {
    let manager = call.caller.manager()?;
    let scope = call.caller.scope();
    let (body, once) = call.admit(async || exists(&state, &scope, *id).await).await?;
    let new = NewQualification {
        kind: body.kind,
        code: body.code.map(Line::into_inner),
        valid_until: body.valid_until.map(Day::get),
        reference: body.reference.map(Line::into_inner),
    };
    let (id, now, keys) = (*id, state.clock.now(), state.keys.clone());
    let today = state.calendar.day_of(now);
    let event = AuditEvent::new(Actor::Staff(manager.id), "qualification.record", "member", now).of(id);
    let event = event.in_region(&manager.region);
    let outcome = once.run(&state, StatusCode::CREATED, async move |txn| {
        qualification::put(txn, &keys, &manager, id, &new, (today, now)).await
    });
    let known = async || is_elsewhere(&state, &scope, id).await;
    audit::note_elsewhere(&state.db, outcome.await, event, known).await
}

/// Take a qualification away that was recorded in error or was withdrawn. For managers, but not for oneself.
#[utoipa::path(tag = "members", responses((status = 200, body = QualificationView)),
    params(("member_id" = MemberId, Path), ("kind" = QualificationKind, Path), ("code" = String, Path)))]
#[delete("/members/{member_id}/qualifications/{kind}/{code}")]
async fn remove_qualification(
    state: State,
    id: PathId<MemberId>,
    request: HttpRequest,
    call: Call<Nothing>,
) -> Result<HttpResponse, Problem> {
    let manager = call.caller.manager()?;
    let scope = call.caller.scope();
    let (Nothing {}, once) = call.admit(async || exists(&state, &scope, *id).await).await?;
    let part = |name: &str| request.match_info().get(name).unwrap_or_default().to_owned();
    let kind = serde_json::from_value(serde_json::Value::from(part("kind")));
    let (Ok(kind), code) = (kind, part("code")) else { return Err(Problem::not_found()) };
    let (id, now, keys) = (*id, state.clock.now(), state.keys.clone());
    let today = state.calendar.day_of(now);
    let event = AuditEvent::new(Actor::Staff(manager.id), "qualification.remove", "member", now).of(id);
    let event = event.in_region(&manager.region);
    let outcome = once.run(&state, StatusCode::OK, async move |txn| {
        qualification::remove(txn, &keys, &manager, (id, kind, &code), (today, now)).await
    });
    let known = async || is_elsewhere(&state, &scope, id).await;
    audit::note_elsewhere(&state.db, outcome.await, event, known).await
}
