//! The calls about gifts.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, post, web};
use entity::id::{GiftId, JournalId, MemberId};
use sea_orm::EntityTrait as _;
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use super::error::GiftError;
use super::query::{self, GiftDirection, GiftView};
use super::service::{self, Moment, NewGift, Receiver};
use crate::app::State;
use crate::audit::{self, Actor, AuditEvent};
use crate::http::openapi::RequiredKey;
use crate::http::{Call, Line, Listing, Page, Params, PathId, PointsAmount, Problem};
use crate::identity::Caller;
use crate::points::Points;

/// The routes of gifts.
pub(in crate::points) fn routes(config: &mut ServiceConfig) {
    config.service(give).service(my_gifts).service(reverse);
}

fn moment(state: &State) -> Moment {
    let (now, calendar) = (state.clock.now(), state.calendar);
    let today = calendar.day_of(now);
    let (day, month) = (calendar.day(today), calendar.month_around(now));
    Moment { journal_id: JournalId::new(), now, today, day, month }
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct Give {
    /// This or `to_member_code`.
    to_member_id: Option<MemberId>,
    /// What the receiver shows, see `GET /me/code`.
    #[validate(length(min = 1, max = 64))]
    #[schema(min_length = 1, max_length = 64)]
    to_member_code: Option<String>,
    #[validate(length(min = 1, max = 64))]
    #[schema(min_length = 1, max_length = 64)]
    programme: String,
    #[schema(inline)]
    amount: PointsAmount,
    /// A few words for the receiver.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100)]
    message: Option<Line<100>>,
}

/// Give points to another member. They keep their dates, the earliest go first; what you earned in all stays yours.
///
/// 409 `gifts_not_allowed`, `account_closed`, `programme_mismatch`, `limit_reached` (says what is left), `insufficient_points`.
#[utoipa::path(tag = "points", params(RequiredKey), request_body = Give, responses((status = 201, body = GiftView)))]
#[post("/points/gifts")]
async fn give(state: State, call: Call<Give>) -> Result<HttpResponse, Problem> {
    let member = call.caller.resident()?;
    let (body, once) = call.admit_keyed(async || Ok(())).await?;
    let receiver = match (body.to_member_id, body.to_member_code) {
        (Some(id), None) => Receiver::Id(id),
        (None, Some(code)) => Receiver::Code(code),
        (None, None) => return Err(Problem::invalid("to_member_id", "required", "请填写受赠人编号或会员码")),
        (Some(_), Some(_)) => {
            return Err(Problem::invalid("to_member_code", "invalid", "受赠人编号和会员码只填一项"));
        }
    };
    let new = NewGift {
        id: GiftId::new(),
        giver: member.id,
        region: member.region.community().unwrap_or(member.region).into(),
        receiver,
        programme: body.programme,
        amount: Points::from_hundredths(body.amount.hundredths()),
        message: body.message.map(String::from),
    };
    let (moment, keys) = (moment(&state), state.keys.clone());
    once.run(&state, StatusCode::CREATED, async move |txn| {
        let row = service::give(txn, &keys, &new, &moment).await?;
        Ok::<_, GiftError>(query::one(txn, row).await?)
    })
    .await
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct GiftQuery {
    /// Both where it is not given.
    #[param(inline)]
    direction: Option<GiftDirection>,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    page: Page,
}

/// The member's own gifts, given and received, latest first.
#[utoipa::path(tag = "points", params(GiftQuery, Page), responses((status = 200, body = Listing<GiftView>)))]
#[get("/me/points/gifts")]
async fn my_gifts(
    state: State,
    caller: Caller,
    params: Params<GiftQuery>,
) -> Result<web::Json<Listing<GiftView>>, Problem> {
    let member = caller.member()?.id;
    let GiftQuery { direction, page } = params.checked()?;
    Ok(web::Json(query::list(state.db.read(), member, direction, &page).await?))
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct Reverse {
    /// Told to both.
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    reason: Line<200>,
}

/// Take a gift back from the receiver, entirely, and return it to the giver. Once. For managers in whose subtree both live;
/// not for one of the two (403 `second_person_required`).
///
/// 409 `insufficient_points` where the receiver no longer has it.
#[utoipa::path(tag = "points", params(("gift_id" = GiftId, Path), RequiredKey), request_body = Reverse, responses((status = 200, body = GiftView)))]
#[post("/points/gifts/{gift_id}/reversal")]
async fn reverse(state: State, id: PathId<GiftId>, call: Call<Reverse>) -> Result<HttpResponse, Problem> {
    let manager = call.caller.manager()?;
    let moment = moment(&state);
    let event = AuditEvent::new(Actor::Staff(manager.id), "points.gift.reverse", "gift", moment.now).of(*id);
    let (elsewhere, done) = (event.clone().in_region(&manager.region), event);
    let exists = async || Ok(service::find(state.db.read(), &manager, *id).await.map(drop)?);
    let (body, once) = call.admit_keyed(exists).await?;
    let outcome = once.run(&state, StatusCode::OK, async move |txn| {
        let row = service::reverse(txn, &manager, *id, &body.reason, &moment).await?;
        let event = done.clone().in_region(&row.region_code).with(json!({"amount": row.amount}));
        audit::record(txn, event).await?;
        Ok::<_, GiftError>(query::one(txn, row).await?)
    });
    let known = async || Ok(entity::gift::Entity::find_by_id(*id).one(state.db.read()).await?.is_some());
    audit::note_elsewhere(&state.db, outcome.await, elsewhere, known).await
}
