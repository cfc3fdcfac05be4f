//! The calls about redemptions.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, post, web};
use chrono::{DateTime, Utc};
use entity::id::{GoodsId, JournalId, MemberId, RedemptionId, SlotId};
use entity::redemption::{Model, RedemptionStatus};
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use validator::{Validate, ValidationError};

use super::basket_body::{Wanted, WantedLine};
use super::booking;
use super::domain::{RedemptionStep, new_code};
use super::error::RedemptionError;
use super::order::Order;
use super::payment::PayWith;
use super::query::{self, RedemptionFilter};
use super::service::{self, Moment};
use super::trail::Witness;
use super::view::RedemptionView;
use crate::app::State;
use crate::audit::{self, Actor, AuditEvent};
use crate::http::openapi::RequiredKey;
use crate::http::{Call, Line, Listing, Page, Params, PathId, Problem};
use crate::identity::{Caller, Scope, member_code};
use crate::notify::{self, Message};
use crate::region::RegionCode;

/// The routes of redemptions.
pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(reserve)
        .service(fulfil)
        .service(sell)
        .service(cancel)
        .service(refund)
        .service(rebook)
        .service(list_redemptions)
        .service(list_my_redemptions)
        .service(get_redemption);
}

pub(super) fn moment(state: &State, actor: Actor) -> Moment {
    let now = state.clock.now();
    let calendar = state.calendar;
    Moment { journal_id: JournalId::new(), actor, now, today: calendar.day_of(now), calendar }
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
#[validate(schema(function = "reads"))]
struct Reserve {
    /// With `quantity`: one line. Instead of `lines`.
    goods_id: Option<GoodsId>,
    #[validate(range(min = 1, max = 1000))]
    #[schema(minimum = 1, maximum = 1000)]
    quantity: Option<i32>,
    /// Of a service with times to book: one of its slots.
    slot_id: Option<SlotId>,
    /// Several lines, of one station and one programme, each of other goods or another slot: all of them or none.
    #[validate(length(min = 1, max = 20), nested)]
    #[schema(min_items = 1, max_items = 20)]
    lines: Option<Vec<WantedLine>>,
    /// `own` where it is not given.
    #[serde(default)]
    pay_with: PayWith,
}

impl Reserve {
    fn wanted(&self) -> Wanted<'_> {
        Wanted { goods_id: self.goods_id, quantity: self.quantity, slot_id: self.slot_id, lines: self.lines.as_deref() }
    }
}

fn reads(body: &Reserve) -> Result<(), ValidationError> {
    body.wanted().read().map(drop)
}

/// Reserve goods: the points are held and the goods kept until `expires_at`. For members.
///
/// Vouchers are not reserved but handed out: the points are spent, the answer is `fulfilled` and has their codes.
/// Either `goods_id` and `quantity`, or `lines`. 409 `out_of_stock`, `insufficient_points`, `limit_reached`, `slot_closed`; 404 for
/// goods that are not on offer; 422 with the line's index for lines that do not go together.
#[utoipa::path(tag = "redemption", params(RequiredKey), request_body = Reserve, responses((status = 201, body = RedemptionView)))]
#[post("/redemptions")]
async fn reserve(state: State, call: Call<Reserve>) -> Result<HttpResponse, Problem> {
    let member = call.caller.resident()?;
    let (body, once) = call.admit_keyed(async || Ok(())).await?;
    let moment = moment(&state, Actor::Member(member.id));
    let (lines, listed) = body.wanted().read().unwrap_or_default(); // read before, to be admitted
    let order = Order {
        id: RedemptionId::new(),
        member_id: member.id,
        lines,
        listed,
        pay_with: body.pay_with,
        code: new_code(),
    };
    let keys = state.keys.clone();
    once.run(&state, StatusCode::CREATED, async move |txn| {
        let basket = service::reserve(txn, &order, &moment).await?;
        Ok::<_, RedemptionError>(RedemptionView::with_codes(txn, &keys, basket, true).await?)
    })
    .await
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct Fulfil {
    /// What the member shows: eight letters and digits; blanks and hyphens do not matter.
    #[validate(length(min = 1, max = 64))]
    #[schema(min_length = 1, max_length = 64)]
    code: String,
}

/// Hand out what was reserved. For clerks of that station; another station's code is 404.
#[utoipa::path(tag = "redemption", params(RequiredKey), request_body = Fulfil, responses((status = 200, body = RedemptionView)))]
#[post("/redemptions/fulfilments")]
async fn fulfil(state: State, call: Call<Fulfil>) -> Result<HttpResponse, Problem> {
    let clerk = call.caller.clerk()?;
    let (body, once) = call.admit_keyed(async || Ok(())).await?;
    let moment = moment(&state, Actor::Staff(clerk.id));
    let (witness, staff) = (Witness::default(), clerk.id);
    let seen = witness.clone();
    let answer = once
        .run(&state, StatusCode::OK, async move |txn| {
            let basket = seen.see(service::fulfil(txn, &clerk, &body.code, &moment).await)?;
            Ok::<_, RedemptionError>(RedemptionView::new(basket, false))
        })
        .await;
    witness.testify(&state, staff, "redemption.fulfil", moment.now).await?;
    answer
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
#[validate(schema(function = "sells"))]
struct Sell {
    /// What the member shows, see `GET /me/code`.
    #[validate(length(min = 1, max = 64))]
    #[schema(min_length = 1, max_length = 64)]
    member_code: String,
    /// With `quantity`: one line. Instead of `lines`.
    goods_id: Option<GoodsId>,
    #[validate(range(min = 1, max = 1000))]
    #[schema(minimum = 1, maximum = 1000)]
    quantity: Option<i32>,
    /// Of a service with times to book: one of its slots.
    slot_id: Option<SlotId>,
    /// Several lines, of this station and one programme, each of other goods or another slot: all of them or none.
    #[validate(length(min = 1, max = 20), nested)]
    #[schema(min_items = 1, max_items = 20)]
    lines: Option<Vec<WantedLine>>,
    /// `own` where it is not given.
    #[serde(default)]
    pay_with: PayWith,
}

impl Sell {
    fn wanted(&self) -> Wanted<'_> {
        Wanted { goods_id: self.goods_id, quantity: self.quantity, slot_id: self.slot_id, lines: self.lines.as_deref() }
    }
}

fn sells(body: &Sell) -> Result<(), ValidationError> {
    body.wanted().read().map(drop)
}

/// Redeem at the counter, by the member's code, in one step. For clerks of that station.
///
/// A stale code is 422 on `member_code`; nobody serves the member that they are (403 `second_person_required`).
#[utoipa::path(tag = "redemption", params(RequiredKey), request_body = Sell, responses((status = 201, body = RedemptionView)))]
#[post("/counter-redemptions")]
async fn sell(state: State, call: Call<Sell>) -> Result<HttpResponse, Problem> {
    let clerk = call.caller.clerk()?;
    let (body, once) = call.admit_keyed(async || Ok(())).await?;
    let moment = moment(&state, Actor::Staff(clerk.id));
    let (id, keys) = (RedemptionId::new(), state.keys.clone());
    let (lines, listed) = body.wanted().read().unwrap_or_default(); // read before, to be admitted
    let (witness, staff) = (Witness::default(), clerk.id);
    let seen = witness.clone();
    let answer = once
        .run(&state, StatusCode::CREATED, async move |txn| {
            let member_id = member_code::resolve(txn, &keys, &body.member_code, moment.now)
                .await?
                .ok_or(RedemptionError::StaleMemberCode)?;
            if clerk.member == Some(member_id) {
                return Err(RedemptionError::SecondPerson);
            }
            let (lines, pay_with) = (lines.clone(), body.pay_with);
            let order = Order { id, member_id, lines, listed, pay_with, code: String::new() };
            let basket = seen.see(service::sell(txn, &clerk, &order, &moment).await)?;
            Ok(RedemptionView::with_codes(txn, &keys, basket, false).await?)
        })
        .await;
    witness.testify(&state, staff, "redemption.sell", moment.now).await?;
    answer
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct Cancel {
    #[schema(inline)]
    reason: Option<Line<200>>,
}

/// Cancel what is reserved: points and goods go back. For its member, and clerks of that station.
#[utoipa::path(tag = "redemption", params(("redemption_id" = RedemptionId, Path)), request_body = Cancel, responses((status = 200, body = RedemptionView)))]
#[post("/redemptions/{redemption_id}/cancellation")]
async fn cancel(state: State, id: PathId<RedemptionId>, call: Call<Cancel>) -> Result<HttpResponse, Problem> {
    let (clerk, actor) = match &call.caller {
        Caller::Member(member) => (None, Actor::Member(member.id)),
        Caller::Staff(staff) => (Some(call.caller.clerk()?), Actor::Staff(staff.id)),
    };
    let scope = call.caller.scope();
    let exists = async || Ok(service::find_served(state.db.lookup(), &scope, clerk.as_deref(), *id).await.map(drop)?);
    let (body, once) = call.admit(exists).await?;
    let moment = moment(&state, actor);
    let (witness, staff) = (Witness::default(), clerk.as_ref().map(|clerk| clerk.id));
    let seen = witness.clone();
    let answer = once
        .run(&state, StatusCode::OK, async move |txn| {
            seen.see(service::find_served(txn, &scope, clerk.as_deref(), *id).await)?;
            let reason = body.reason.as_ref().map(ToString::to_string);
            let basket = service::give_up(txn, &scope, *id, RedemptionStep::Cancel, reason, &moment).await?;
            if clerk.is_some() {
                let words = "站点取消了您预约的兑换，积分已退回可用余额。如有疑问，请与站点联系。";
                tell(txn, &basket.row, "redemption.cancelled", "兑换已取消", words, moment.now).await?;
            }
            Ok::<_, RedemptionError>(RedemptionView::new(basket, clerk.is_none()))
        })
        .await;
    if let Some(staff) = staff {
        witness.testify(&state, staff, "redemption.cancel", moment.now).await?;
    }
    answer
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct Refund {
    #[schema(inline)]
    reason: Line<200>,
    /// Puts the codes of vouchers on the shelf again, where nobody has seen them; else they are void.
    #[serde(default)]
    reissue: bool,
}

/// Take goods back and give the points back, once. For managers; not for the member that they are.
#[utoipa::path(tag = "redemption", params(("redemption_id" = RedemptionId, Path), RequiredKey), request_body = Refund, responses((status = 200, body = RedemptionView)))]
#[post("/redemptions/{redemption_id}/refund")]
async fn refund(state: State, id: PathId<RedemptionId>, call: Call<Refund>) -> Result<HttpResponse, Problem> {
    let manager = call.caller.manager()?;
    let scope = call.caller.scope();
    let exists = async || Ok(service::find_served(state.db.lookup(), &scope, Some(&manager), *id).await.map(drop)?);
    let (body, once) = call.admit_keyed(exists).await?;
    let moment = moment(&state, Actor::Staff(manager.id));
    let (witness, staff) = (Witness::default(), manager.id);
    let seen = witness.clone();
    let answer = once
        .run(&state, StatusCode::OK, async move |txn| {
            seen.see(service::find_served(txn, &scope, Some(&manager), *id).await)?;
            let basket =
                service::refund(txn, &scope, &manager, *id, body.reason.to_string(), body.reissue, &moment).await?;
            let row = &basket.row;
            let event = AuditEvent::new(moment.actor, "redemption.refund", "redemption", moment.now);
            let event = event
                .of(row.id)
                .in_region(&row.region_code)
                .with(json!({"points": row.points, "reissue": body.reissue}));
            audit::record(txn, event).await?;
            let words = "兑换已退回，积分已回到您的账户，可在积分明细中查看。";
            tell(txn, row, "redemption.refunded", "兑换已退回", words, moment.now).await?;
            Ok::<_, RedemptionError>(RedemptionView::new(basket, false))
        })
        .await;
    witness.testify(&state, staff, "redemption.refund", moment.now).await?;
    answer
}

pub(super) async fn tell(
    db: &impl sea_orm::ConnectionTrait,
    row: &Model,
    kind: &'static str,
    title: &str,
    body: &str,
    now: DateTime<Utc>,
) -> Result<(), RedemptionError> {
    let message = Message::new(kind, title, body).about("redemption", row.id);
    Ok(notify::tell(db, row.member_id, message, now).await?)
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct Rebook {
    /// Another slot of the same service.
    slot_id: SlotId,
    /// Which line, where several are booked: 1, 2, 3 …
    #[validate(range(min = 1, max = 20))]
    #[schema(minimum = 1, maximum = 20)]
    line: Option<i32>,
}

/// Change a booked time for another one, before it begins. For its member.
///
/// 409 `out_of_stock` where the other one is full, `slot_closed` where either has begun or the other is closed.
#[utoipa::path(tag = "redemption", params(("redemption_id" = RedemptionId, Path)), request_body = Rebook, responses((status = 200, body = RedemptionView)))]
#[post("/redemptions/{redemption_id}/rebooking")]
async fn rebook(state: State, id: PathId<RedemptionId>, call: Call<Rebook>) -> Result<HttpResponse, Problem> {
    let actor = Actor::Member(call.caller.member()?.id);
    let scope = call.caller.scope();
    let exists = async || Ok(service::find(state.db.read(), &scope, *id).await.map(drop)?);
    let (body, once) = call.admit(exists).await?;
    let moment = moment(&state, actor);
    let line = body.line.and_then(|line| usize::try_from(line).ok());
    once.run(&state, StatusCode::OK, async move |txn| {
        let basket = booking::rebook(txn, &scope, *id, line, body.slot_id, &moment).await?;
        Ok::<_, RedemptionError>(RedemptionView::new(basket, true))
    })
    .await
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct RedemptionQuery {
    /// A station's id or ref.
    #[validate(length(max = 64))]
    station: Option<String>,
    status: Option<RedemptionStatus>,
    member: Option<MemberId>,
    /// A region and all below it.
    region: Option<RegionCode>,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    page: Page,
}

impl RedemptionQuery {
    fn split(self) -> (RedemptionFilter, Page) {
        let Self { station, status, member, region, page } = self;
        let subtree = region.map(|code| crate::region::Subtree::of(&code));
        (RedemptionFilter { station, status, member, subtree }, page)
    }
}

/// Redemptions: a member's own, or those of the subtree for staff; latest first.
#[utoipa::path(tag = "redemption", params(RedemptionQuery, Page), responses((status = 200, body = Listing<RedemptionView>)))]
#[get("/redemptions")]
async fn list_redemptions(
    state: State,
    caller: Caller,
    params: Params<RedemptionQuery>,
) -> Result<web::Json<Listing<RedemptionView>>, Problem> {
    let (filter, page) = params.checked()?.split();
    list(&state, &caller.scope(), &filter, &page).await
}

/// The member's own redemptions, latest first.
#[utoipa::path(tag = "redemption", params(RedemptionQuery, Page), responses((status = 200, body = Listing<RedemptionView>)))]
#[get("/me/redemptions")]
async fn list_my_redemptions(
    state: State,
    caller: Caller,
    params: Params<RedemptionQuery>,
) -> Result<web::Json<Listing<RedemptionView>>, Problem> {
    let scope = Scope::Member(caller.member()?.id);
    let (filter, page) = params.checked()?.split();
    list(&state, &scope, &filter, &page).await
}

async fn list(
    state: &State,
    scope: &Scope,
    filter: &RedemptionFilter,
    page: &Page,
) -> Result<web::Json<Listing<RedemptionView>>, Problem> {
    let listing = query::redemptions(state.db.lookup(), scope, filter, page).await?;
    Ok(web::Json(listing.map(|basket| RedemptionView::new(basket, matches!(scope, Scope::Member(_))))))
}

/// One redemption: its member's, or of the subtree for staff.
#[utoipa::path(tag = "redemption", params(("redemption_id" = RedemptionId, Path)), responses((status = 200, body = RedemptionView)))]
#[get("/redemptions/{redemption_id}")]
async fn get_redemption(
    state: State,
    caller: Caller,
    id: PathId<RedemptionId>,
) -> Result<web::Json<RedemptionView>, Problem> {
    let basket = service::find(state.db.lookup(), &caller.scope(), *id).await?;
    let to_its_member = matches!(caller, Caller::Member(_));
    Ok(web::Json(RedemptionView::with_codes(state.db.lookup(), &state.keys, basket, to_its_member).await?))
}
