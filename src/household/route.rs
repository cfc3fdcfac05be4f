//! The calls about households.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, delete, get, post, web};
use chrono::{DateTime, Utc};
use entity::household::Model;
use entity::household_member::{HouseholdRole, MembershipStatus};
use entity::id::{ConsentId, HouseholdId, MemberId};
use entity::staff::Role;
use sea_orm::ConnectionTrait;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;
use validator::Validate;

use super::error::HouseholdError;
use super::query::{self, HouseholdView, MyHousehold};
use super::service::{self, MOST_MEMBERS, NewHousehold};
use crate::app::State;
use crate::audit::{self, Actor, AuditEvent};
use crate::http::{Call, FieldError, Line, Listing, Page, Params, PathId, Problem};
use crate::identity::{Caller, Nothing, Scope, StaffCaller, member_code};
use crate::notify::{self, Message};
use crate::region::{self, RegionCode};

/// The routes of households.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(found_household)
        .service(my_household)
        .service(list_households)
        .service(get_household)
        .service(invite)
        .service(agree)
        .service(leave)
        .service(send_away);
}

/// Whoever may do something for a household.
#[derive(Clone, Debug)]
enum Keeper {
    /// Its head, or whoever founds it.
    Member(MemberId),
    /// Clerk, manager, grid worker or admin of its community.
    Staff(StaffCaller),
}

impl Keeper {
    fn of(caller: &Caller) -> Result<Self, Problem> {
        match caller {
            Caller::Member(_) => Ok(Self::Member(caller.resident()?.id)),
            Caller::Staff(staff) => {
                let keeps = matches!(staff.role, Role::Admin | Role::Manager | Role::Clerk | Role::GridWorker);
                if keeps {
                    return Ok(Self::Staff(staff.clone()));
                }
                Err(Problem::forbidden("您的角色不能办理家庭事务，请联系社区工作人员或网格员"))
            }
        }
    }

    fn actor(&self) -> Actor {
        match self {
            Self::Member(id) => Actor::Member(*id),
            Self::Staff(staff) => Actor::Staff(staff.id),
        }
    }

    fn scope(&self) -> Scope {
        match self {
            Self::Member(id) => Scope::Member(*id),
            Self::Staff(staff) => Scope::Staff(staff.subtree()),
        }
    }

    /// The household, for its head and for staff.
    async fn find(&self, db: &impl ConnectionTrait, id: HouseholdId) -> Result<Model, HouseholdError> {
        let household = query::find(db, &self.scope(), id).await?;
        if let Self::Member(member) = self {
            let seat = query::seat(db, id, *member).await?;
            let heads = |row: entity::household_member::Model| {
                row.role == HouseholdRole::Head && row.status == MembershipStatus::Joined
            };
            if !seat.is_some_and(heads) {
                return Err(HouseholdError::NotHead);
            }
        }
        Ok(household)
    }
}

/// What staff do for a household is written down; what members do themselves is theirs.
async fn note(
    db: &impl ConnectionTrait,
    keeper: &Keeper,
    action: &'static str,
    household: &Model,
    detail: serde_json::Value,
    now: DateTime<Utc>,
) -> Result<(), HouseholdError> {
    if matches!(keeper, Keeper::Staff(_)) {
        let event = AuditEvent::new(keeper.actor(), action, "household", now).of(household.id);
        audit::record(db, event.in_region(&household.region_code).with(detail)).await?;
    }
    Ok(())
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct Found {
    #[schema(value_type = String, min_length = 1, max_length = 30)]
    name: Line<30>,
    /// The community. A member's is their own.
    region_code: Option<RegionCode>,
    /// Invited at once. The first whom staff name is the head.
    #[serde(default)]
    #[validate(length(max = 20))]
    #[schema(max_items = 20)]
    member_ids: Vec<MemberId>,
}

impl Found {
    async fn household(
        self,
        db: &impl ConnectionTrait,
        caller: &Caller,
        keeper: &Keeper,
    ) -> Result<NewHousehold, Problem> {
        let refused = |detail: &'static str| Problem::invalid("region_code", "invalid", detail);
        let region = match (keeper, caller) {
            (Keeper::Member(_), _) => {
                let own = caller.resident()?.region;
                let community = own.community().unwrap_or(own);
                if self.region_code.is_some_and(|given| given != community) {
                    return Err(refused("家庭建在您所在的社区，此项可不填"));
                }
                community
            }
            (Keeper::Staff(staff), _) => {
                let region = self.region_code.unwrap_or_else(|| staff.region.clone());
                let known = region.is_community() && staff.subtree().contains(&region);
                if !known || !region::region_exists(db, &region).await? {
                    return Err(refused("没有这个社区，或不在您的管辖范围内，请重新选择社区"));
                }
                region
            }
        };
        let mut invited = self.member_ids;
        let mut seen = std::collections::HashSet::new();
        invited.retain(|id| seen.insert(*id));
        if matches!(keeper, Keeper::Staff(_)) && invited.is_empty() {
            let detail = "请至少填写一位家庭成员，第一位为户主";
            return Err(Problem::validation(vec![FieldError::new("member_ids", "required").saying(detail)]));
        }
        Ok(NewHousehold { id: HouseholdId::new(), name: self.name.into(), region_code: region.into(), invited })
    }
}

/// Found a household. A member is its head at once; what clerks, managers and grid workers found waits for its members to
/// agree.
///
/// 409 `already_in_household` for a member who belongs to another.
#[utoipa::path(tag = "households", request_body = Found, responses((status = 201, body = HouseholdView)))]
#[post("/households")]
async fn found_household(state: State, call: Call<Found>) -> Result<HttpResponse, Problem> {
    let (caller, keeper) = (call.caller.clone(), Keeper::of(&call.caller)?);
    let (body, once) = call.admit(async || Ok(())).await?;
    let new = body.household(state.db.read(), &caller, &keeper).await?;
    let now = state.clock.now();
    once.run(&state, StatusCode::CREATED, async move |txn| {
        let row = service::found(txn, keeper.actor(), &new, now).await?;
        note(txn, &keeper, "household.found", &row, serde_json::json!({"members": new.invited}), now).await?;
        Ok::<_, HouseholdError>(query::view(txn, &keeper.scope(), row).await?)
    })
    .await
}

/// The member's own household, and the invitations that wait for an answer.
#[utoipa::path(tag = "households", responses((status = 200, body = MyHousehold)))]
#[get("/me/household")]
async fn my_household(state: State, caller: Caller) -> Result<web::Json<MyHousehold>, Problem> {
    let member = caller.member()?.id;
    Ok(web::Json(query::mine(state.db.read(), member).await?))
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct HouseholdQuery {
    /// This region's subtree.
    region: Option<RegionCode>,
    /// Part of the name.
    #[param(value_type = Option<String>, min_length = 1, max_length = 30)]
    q: Option<Line<30>>,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    page: Page,
}

/// Households of the subtree, latest first. For staff; names are masked.
#[utoipa::path(tag = "households", params(HouseholdQuery, Page), responses((status = 200, body = Listing<HouseholdView>)))]
#[get("/households")]
async fn list_households(
    state: State,
    caller: Caller,
    params: Params<HouseholdQuery>,
) -> Result<web::Json<Listing<HouseholdView>>, Problem> {
    let staff = caller.staff()?;
    let HouseholdQuery { region, q, page } = params.checked()?;
    let listing = query::list(state.db.read(), &staff.subtree(), region.as_ref(), q.as_deref(), &page).await?;
    Ok(web::Json(listing))
}

/// One household: for who belongs to it or is invited, and staff of the subtree.
#[utoipa::path(tag = "households", params(("household_id" = HouseholdId, Path)), responses((status = 200, body = HouseholdView)))]
#[get("/households/{household_id}")]
async fn get_household(
    state: State,
    caller: Caller,
    id: PathId<HouseholdId>,
) -> Result<web::Json<HouseholdView>, Problem> {
    let (db, scope) = (state.db.read(), caller.scope());
    let row = query::find(db, &scope, *id).await?;
    Ok(web::Json(query::view(db, &scope, row).await?))
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct Invite {
    /// This or `member_code`.
    member_id: Option<MemberId>,
    /// What the other one shows, see `GET /me/code`.
    #[validate(length(min = 1, max = 64))]
    #[schema(min_length = 1, max_length = 64)]
    member_code: Option<String>,
}

/// Invite a member of the same community. For the head, and for clerks, managers and grid workers.
///
/// 409 `already_member`, `household_full`.
#[utoipa::path(tag = "households", params(("household_id" = HouseholdId, Path)), request_body = Invite, responses((status = 201, body = HouseholdView)))]
#[post("/households/{household_id}/members")]
async fn invite(state: State, id: PathId<HouseholdId>, call: Call<Invite>) -> Result<HttpResponse, Problem> {
    let keeper = Keeper::of(&call.caller)?;
    let exists = async || Ok(query::find(state.db.read(), &keeper.scope(), *id).await.map(drop)?);
    let outcome = async {
        let (body, once) = call.admit(exists).await?;
        if body.member_id.is_some() == body.member_code.is_some() {
            keeper.find(state.db.read(), *id).await?;
            return Err(Problem::invalid("member_id", "invalid", "请填写成员编号或会员码，两者填一项"));
        }
        let (now, keys, keeper) = (state.clock.now(), state.keys.clone(), keeper.clone());
        once.run(&state, StatusCode::CREATED, async move |txn| {
            let household = keeper.find(txn, *id).await?;
            let (member, field) = match (body.member_id, &body.member_code) {
                (Some(member), _) => (member, "member_id"),
                (None, code) => {
                    let code = code.as_deref().unwrap_or_default();
                    let detail = "会员码无效或已过期，请对方打开“我的会员码”重新出示";
                    let unknown = HouseholdError::Field { field: "member_code", detail };
                    (member_code::resolve(txn, &keys, code, now).await?.ok_or(unknown)?, "member_code")
                }
            };
            service::invite(txn, &household, member, field, now).await?;
            note(txn, &keeper, "household.invite", &household, serde_json::json!({"member": member}), now).await?;
            Ok::<_, HouseholdError>(query::view(txn, &keeper.scope(), household).await?)
        })
        .await
    };
    let outcome = outcome.await;
    note_elsewhere(&state, &keeper, "household.invite", *id, outcome).await
}

/// Staff who reach for another region's household leave a trace.
async fn note_elsewhere(
    state: &State,
    keeper: &Keeper,
    action: &'static str,
    id: HouseholdId,
    outcome: Result<HttpResponse, Problem>,
) -> Result<HttpResponse, Problem> {
    let Keeper::Staff(staff) = keeper else { return outcome };
    let event = AuditEvent::new(Actor::Staff(staff.id), action, "household", state.clock.now()).of(id);
    let known = async || query::exists(state.db.read(), id).await;
    audit::note_elsewhere(&state.db, outcome, event.in_region(&staff.region), known).await
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct Agree {
    /// Whether the others of the household may spend your points. A consent that is kept, and that you can take back at any
    /// time by the same call; what was reserved by then stays reserved.
    pools: bool,
}

/// Join a household that invited you, or change whether it may spend your points. For members.
///
/// 409 `already_in_household` for who belongs to another.
#[utoipa::path(tag = "households", params(("household_id" = HouseholdId, Path)), request_body = Agree, responses((status = 200, body = HouseholdView)))]
#[post("/households/{household_id}/membership")]
async fn agree(state: State, id: PathId<HouseholdId>, call: Call<Agree>) -> Result<HttpResponse, Problem> {
    let member = call.caller.resident()?.id;
    let scope = Scope::Member(member);
    let exists = async || Ok(query::find(state.db.read(), &scope, *id).await.map(drop)?);
    let (body, once) = call.admit(exists).await?;
    let (now, consent) = (state.clock.now(), ConsentId::new());
    once.run(&state, StatusCode::OK, async move |txn| {
        let household = query::find(txn, &scope, *id).await?;
        service::agree(txn, *id, member, body.pools, consent, now).await?;
        Ok::<_, HouseholdError>(query::view(txn, &scope, household).await?)
    })
    .await
}

/// Leave a household, or say no to an invitation. Answers what remains.
#[utoipa::path(tag = "households", params(("household_id" = HouseholdId, Path)), responses((status = 200, body = MyHousehold)))]
#[delete("/households/{household_id}/membership")]
async fn leave(state: State, id: PathId<HouseholdId>, call: Call<Nothing>) -> Result<HttpResponse, Problem> {
    let member = call.caller.resident()?.id;
    let scope = Scope::Member(member);
    let exists = async || Ok(query::find(state.db.read(), &scope, *id).await.map(drop)?);
    let (Nothing {}, once) = call.admit(exists).await?;
    let now = state.clock.now();
    once.run(&state, StatusCode::OK, async move |txn| {
        query::find(txn, &scope, *id).await?;
        service::leave(txn, *id, member, now).await?;
        Ok::<_, HouseholdError>(query::mine(txn, member).await?)
    })
    .await
}

/// Send somebody away. For the head, and for clerks, managers and grid workers.
#[utoipa::path(
    tag = "households",
    params(("household_id" = HouseholdId, Path), ("member_id" = MemberId, Path)),
    responses((status = 200, body = HouseholdView))
)]
#[delete("/households/{household_id}/members/{member_id}")]
async fn send_away(
    state: State,
    request: HttpRequest,
    id: PathId<HouseholdId>,
    call: Call<Nothing>,
) -> Result<HttpResponse, Problem> {
    let keeper = Keeper::of(&call.caller)?;
    let member = request.match_info().get("member_id").and_then(|text| Uuid::try_parse(text).ok()).unwrap_or_default();
    let member = MemberId(member);
    let exists = async || Ok(query::find(state.db.read(), &keeper.scope(), *id).await.map(drop)?);
    let outcome = async {
        let (Nothing {}, once) = call.admit(exists).await?;
        let (now, keeper) = (state.clock.now(), keeper.clone());
        once.run(&state, StatusCode::OK, async move |txn| {
            let household = keeper.find(txn, *id).await?;
            service::leave(txn, *id, member, now).await?;
            note(txn, &keeper, "household.remove", &household, serde_json::json!({"member": member}), now).await?;
            let words = format!("您已被移出家庭“{}”。您的积分不受影响；如有疑问，请联系户主或社区。", household.name);
            let message = Message::new("household.removed", "已移出家庭", words).about("household", household.id);
            notify::tell(txn, member, message, now).await?;
            Ok::<_, HouseholdError>(query::view(txn, &keeper.scope(), household).await?)
        })
        .await
    };
    let outcome = outcome.await;
    note_elsewhere(&state, &keeper, "household.remove", *id, outcome).await
}

/// The limit that the document states.
const _: () = assert!(MOST_MEMBERS == 20);
