//! `/me` and `/members`.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, delete, get, patch, post, web};
use entity::consent::ConsentKind;
use entity::id::{ConsentId, MemberId, ReportingId, StaffId, StationId};
use entity::staff::Role;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use super::caller::{Caller, StaffCaller};
use super::consents::{self, ConsentView};
use super::erasure;
use super::error::IdentityError;
use super::export::{self, Export};
use super::me::{self, BecomeVolunteer, ChangeProfile, Report, ReportingView};
use super::member_code::{self, MemberCode};
use super::members::{self, Disclose, MemberQuery};
use super::profile::{self, Clarity, MemberView};
use crate::app::{AppState, State};
use crate::audit::{self, Actor, AuditEvent};
use crate::http::{Call, Line, Listing, Page, Params, PathCode, PathId, Problem};

/// The routes of this room.
pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(get_me)
        .service(change_me)
        .service(erase_me)
        .service(become_volunteer)
        .service(report)
        .service(export_me)
        .service(get_code)
        .service(list_consents)
        .service(give_consent)
        .service(withdraw_consent)
        .service(list_members)
        .service(get_member)
        .service(disclose);
}

/// Who is calling: a member, or a console account.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum Me {
    Member(Box<MemberView>),
    Staff(StaffView),
}

/// A console account.
#[derive(Serialize, ToSchema)]
struct StaffView {
    kind: &'static str,
    id: StaffId,
    role: Role,
    region_code: String,
    /// None: every station of the region's subtree.
    station_id: Option<StationId>,
    /// Which member it is.
    member_id: Option<MemberId>,
}

impl From<&StaffCaller> for StaffView {
    fn from(staff: &StaffCaller) -> Self {
        Self {
            kind: "staff",
            id: staff.id,
            role: staff.role,
            region_code: staff.region.to_string(),
            station_id: staff.station,
            member_id: staff.member,
        }
    }
}

/// A body without fields.
#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

async fn nobody_else() -> Result<(), Problem> {
    Ok(())
}

async fn own_view(state: &AppState, id: MemberId) -> Result<MemberView, IdentityError> {
    let row = me::find(state.db.lookup(), id).await?;
    profile::one(state.db.lookup(), &state.keys, row, Clarity::Own).await
}

/// Who the caller is.
#[utoipa::path(tag = "members", responses((status = 200, body = Me)))]
#[get("/me")]
async fn get_me(state: State, caller: Caller) -> Result<web::Json<Me>, Problem> {
    Ok(web::Json(match &caller {
        Caller::Member(member) => Me::Member(Box::new(own_view(&state, member.id).await?)),
        Caller::Staff(staff) => Me::Staff(staff.into()),
    }))
}

/// Change one's profile. With name and region it is complete.
#[utoipa::path(tag = "members", request_body = ChangeProfile, responses((status = 200, body = MemberView)))]
#[patch("/me")]
async fn change_me(state: State, call: Call<ChangeProfile>) -> Result<HttpResponse, Problem> {
    let id = call.caller.member()?.id;
    let (change, once) = call.admit(nobody_else).await?;
    let (keys, now) = (state.keys.clone(), state.clock.now());
    once.run(&state, StatusCode::OK, async move |txn| {
        let row = me::change(txn, &keys, id, &change, now).await?;
        profile::one(txn, &keys, row, Clarity::Own).await
    })
    .await
}

/// Be forgotten. What was done stays in the books, without the person.
///
/// 409 `open_commitments` while others rely on something: goods put aside, a claim, a wish in progress, a record to verify.
#[utoipa::path(tag = "members", responses((status = 204, description = "The account is gone.")))]
#[delete("/me")]
async fn erase_me(state: State, call: Call<Nothing>) -> Result<HttpResponse, Problem> {
    let id = call.caller.member()?.id;
    let (Nothing {}, once) = call.admit(nobody_else).await?;
    let now = state.clock.now();
    once.run(&state, StatusCode::NO_CONTENT, async move |txn| erasure::erase(txn, id, now).await).await
}

/// Become a volunteer, at once.
#[utoipa::path(tag = "members", request_body = BecomeVolunteer, responses((status = 200, body = MemberView)))]
#[post("/me/volunteer")]
async fn become_volunteer(state: State, call: Call<BecomeVolunteer>) -> Result<HttpResponse, Problem> {
    let id = call.caller.resident()?.id;
    let (wanted, once) = call.admit(nobody_else).await?;
    let (keys, now, consent) = (state.keys.clone(), state.clock.now(), ConsentId::new());
    let today = state.calendar.day_of(now);
    once.run(&state, StatusCode::OK, async move |txn| {
        let row = me::become_volunteer(txn, id, consent, &wanted, today, now).await?;
        profile::one(txn, &keys, row, Clarity::Own).await
    })
    .await
}

/// Report to a community for one's unit (双报到).
#[utoipa::path(tag = "members", request_body = Report, responses((status = 201, body = ReportingView)))]
#[post("/me/reporting")]
async fn report(state: State, call: Call<Report>) -> Result<HttpResponse, Problem> {
    let id = call.caller.resident()?.id;
    let (report, once) = call.admit(nobody_else).await?;
    let (now, new) = (state.clock.now(), ReportingId::new());
    once.run(&state, StatusCode::CREATED, async move |txn| {
        me::report(txn, id, new, &report, now).await.map(ReportingView::from)
    })
    .await
}

/// Everything that is kept about the caller.
#[utoipa::path(tag = "members", responses((status = 200, body = Export)))]
#[get("/me/export")]
async fn export_me(state: State, caller: Caller) -> Result<web::Json<Export>, Problem> {
    let id = caller.member()?.id;
    Ok(web::Json(export::collect(state.db.read(), &state.keys, id, state.clock.now()).await?))
}

/// The code to show at a counter; it changes every 30 seconds.
#[utoipa::path(tag = "members", responses((status = 200, body = MemberCode)))]
#[get("/me/code")]
async fn get_code(state: State, caller: Caller) -> Result<web::Json<MemberCode>, Problem> {
    let id = caller.member()?.id;
    Ok(web::Json(member_code::issue(&state.keys, id, state.clock.now())))
}

/// The caller's consents, newest first, withdrawn ones too.
#[utoipa::path(tag = "members", responses((status = 200, body = Listing<ConsentView>)))]
#[get("/me/consents")]
async fn list_consents(state: State, caller: Caller) -> Result<web::Json<Listing<ConsentView>>, Problem> {
    let id = caller.member()?.id;
    let rows = consents::of(state.db.lookup(), id).await?;
    Ok(web::Json(Listing::whole(rows.into_iter().map(ConsentView::from).collect())))
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct GiveConsent {
    #[schema(inline)]
    kind: ConsentKind,
    /// Of the notice that was shown; the present one where it is not given.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 32)]
    notice_version: Option<Line<32>>,
}

/// Agree to a notice. `boards`: the name may stand on boards in clear.
#[utoipa::path(tag = "members", request_body = GiveConsent, responses((status = 201, body = ConsentView)))]
#[post("/me/consents")]
async fn give_consent(state: State, call: Call<GiveConsent>) -> Result<HttpResponse, Problem> {
    let member = call.caller.member()?.id;
    let (given, once) = call.admit(nobody_else).await?;
    if given.kind == ConsentKind::Volunteer {
        return Err(Problem::invalid("kind", "invalid", "登记志愿者时一并同意，请用志愿者登记"));
    }
    if given.kind == ConsentKind::HouseholdPooling {
        return Err(Problem::invalid("kind", "invalid", "与家人共用积分须先加入家庭，请在“我的家庭”中同意"));
    }
    let (now, id) = (state.clock.now(), ConsentId::new());
    let version = given.notice_version.map_or_else(|| consents::NOTICE.to_owned(), String::from);
    once.run(&state, StatusCode::CREATED, async move |txn| {
        let row = consents::give(txn, member, id, given.kind, &version, now).await?;
        Ok::<_, IdentityError>(ConsentView::from(row))
    })
    .await
}

/// Withdraw a consent; what rested on it ends at once.
#[utoipa::path(tag = "members", request_body = Option<Nothing>, responses((status = 200, body = ConsentView)))]
#[post("/me/consents/{kind}/withdrawal")]
async fn withdraw_consent(state: State, kind: PathCode, call: Call<Nothing>) -> Result<HttpResponse, Problem> {
    let member = call.caller.member()?.id;
    let kind: Option<ConsentKind> = serde_json::from_value(serde_json::Value::from(&*kind.0)).ok();
    let exists = async || kind.map(drop).ok_or_else(Problem::not_found);
    let (Nothing {}, once) = call.admit(exists).await?;
    let kind = kind.ok_or_else(Problem::not_found)?;
    if kind == ConsentKind::Service {
        let detail = "撤回对服务的同意须注销账号，请使用“注销账号”";
        return Err(Problem::conflict("erasure_needed", detail));
    }
    let now = state.clock.now();
    once.run(&state, StatusCode::OK, async move |txn| {
        consents::withdraw(txn, member, kind, now).await.map(ConsentView::from)
    })
    .await
}

/// Members of the staff's subtree, masked, in order of community.
#[utoipa::path(tag = "members", params(MemberQuery, Page), responses((status = 200, body = Listing<MemberView>)))]
#[get("/members")]
async fn list_members(
    state: State,
    caller: Caller,
    params: Params<MemberQuery>,
) -> Result<web::Json<Listing<MemberView>>, Problem> {
    caller.staff()?;
    let query = params.checked()?;
    Ok(web::Json(members::list(state.db.read(), &state.keys, &caller.scope(), &query).await?))
}

/// A member: oneself in clear, others of the staff's subtree masked.
#[utoipa::path(tag = "members", responses((status = 200, body = MemberView)))]
#[get("/members/{member_id}")]
async fn get_member(state: State, caller: Caller, id: PathId<MemberId>) -> Result<web::Json<MemberView>, Problem> {
    Ok(web::Json(members::find(state.db.lookup(), &state.keys, &caller, *id).await?))
}

/// Open a member's data, with a reason that is kept and shown to the member.
#[utoipa::path(tag = "members", request_body = Disclose, responses((status = 201, body = MemberView)))]
#[post("/members/{member_id}/disclosure")]
async fn disclose(state: State, id: PathId<MemberId>, call: Call<Disclose>) -> Result<HttpResponse, Problem> {
    let staff = call.caller.staff()?;
    let (id, scope) = (*id, call.caller.scope());
    let exists =
        async || members::visible(state.db.lookup(), &scope, id).await?.map(drop).ok_or_else(Problem::not_found);
    let (body, once) = call.admit(exists).await?;
    let (keys, now, actor) = (state.keys.clone(), state.clock.now(), staff.id);
    let answer = once
        .run(&state, StatusCode::CREATED, async move |txn| {
            members::disclose(txn, &keys, &staff, id, &body.reason, now).await
        })
        .await;
    if let Err(problem) = &answer
        && problem.status() == StatusCode::NOT_FOUND
    {
        // Reaching for somebody elsewhere leaves a trace too.
        let event = AuditEvent::new(Actor::Staff(actor), "member.disclose", "member", now).of(id).denied();
        state.db.write(async move |txn| audit::record(txn, event.clone()).await).await?;
    }
    answer
}
