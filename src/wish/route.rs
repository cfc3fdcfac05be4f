//! The calls on wishes.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, post, web};
use entity::category::Category;
use entity::id::{MemberId, TaskId, WishId};
use entity::staff::Role;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use super::ADDRESS_PURPOSE;
use super::error::WishError;
use super::intake::{self, Decision, NewWish, Review};
use super::outcome::{self, Canceller};
use super::query::{self, WishQuery};
use super::service;
use super::view::WishView;
use crate::app::{AppState, State};
use crate::audit::{self, Actor, AuditEvent};
use crate::db::Txn;
use crate::http::{Call, Instant, Line, Listing, Once, Page, Params, PathId, Problem, Text};
use crate::identity::{Caller, Scope};
use crate::region::RegionCode;
use crate::task::check::Point;
use crate::task::service::Window;
use crate::taxonomy;

/// The routes of this room.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(list_wishes)
        .service(post_wish)
        .service(get_wish)
        .service(review_wish)
        .service(cancel_wish)
        .service(confirm_wish)
        .service(dispute_wish)
        .service(arbitrate_wish)
        .service(reopen_wish)
        .service(relist_wish);
}

/// When help is wanted: ends after it begins, in the future, at most 24 h later; it may have begun.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowBody {
    #[schema(value_type = chrono::DateTime<chrono::Utc>)]
    from: Instant,
    #[schema(value_type = chrono::DateTime<chrono::Utc>)]
    until: Instant,
}

impl From<WindowBody> for Window {
    fn from(body: WindowBody) -> Self {
        Self { from: *body.from, until: *body.until }
    }
}

/// Where help is wanted.
#[derive(Clone, Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceBody {
    /// Degrees north.
    #[validate(range(min = -90.0, max = 90.0))]
    #[schema(minimum = -90, maximum = 90)]
    lat: f64,
    /// Degrees east.
    #[validate(range(min = -180.0, max = 180.0))]
    #[schema(minimum = -180, maximum = 180)]
    lon: f64,
    /// Kept sealed; shown to the volunteer while the claim is open.
    address: Option<Line<200>>,
}

/// A wish to be posted.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PostWish {
    /// Whom it is for; required of staff, refused from members.
    requester_id: Option<MemberId>,
    title: Line<100>,
    body: Text<2000>,
    category: Category,
    /// Within the requester's district; their community where it is not given.
    region_code: Option<RegionCode>,
    /// Codes of the list `skill`.
    #[serde(default)]
    #[validate(length(max = 20))]
    #[schema(max_items = 20)]
    skills: Vec<Line<32>>,
    /// How many volunteers are wanted.
    #[serde(default = "one")]
    #[validate(range(min = 1, max = 1000))]
    #[schema(minimum = 1, maximum = 1000, default = 1)]
    slots: i32,
    window: WindowBody,
    #[validate(nested)]
    place: Option<PlaceBody>,
}

const fn one() -> i32 {
    1
}

/// Post a wish; staff post it for somebody.
#[utoipa::path(tag = "wish", request_body = PostWish, responses((status = 201, body = WishView)))]
#[post("/wishes")]
async fn post_wish(state: State, call: Call<PostWish>) -> Result<HttpResponse, Problem> {
    let caller = call.caller.clone();
    let own = match &caller {
        Caller::Member(_) => Some(caller.resident()?.id),
        Caller::Staff(staff) if staff.role == Role::Auditor => {
            return Err(Problem::forbidden("您的角色只能查看，请联系有权限的工作人员"));
        }
        Caller::Staff(_) => None,
    };
    let (body, once) = call.admit(async || Ok(())).await?;
    let requester = match (own, body.requester_id) {
        (Some(own), None) => own,
        (Some(_), Some(_)) => {
            return Err(Problem::invalid("requester_id", "invalid", "居民只能为自己发布，请去掉此项"));
        }
        (None, Some(requester)) => requester,
        (None, None) => return Err(Problem::invalid("requester_id", "required", "请选择为哪位居民发布")),
    };
    let guess = taxonomy::guess(&format!("{}\n{}", body.title, body.body), &*taxonomy::guesser(&state).await?);
    let address = body.place.as_ref().and_then(|place| place.address.as_ref());
    let new = NewWish {
        id: WishId::new(),
        requester,
        posted_by: match &caller {
            Caller::Member(_) => None,
            Caller::Staff(staff) => Some((staff.id, staff.subtree())),
        },
        region: body.region_code,
        title: body.title.into_inner(),
        body: body.body.into_inner(),
        category: body.category,
        skills: body.skills.into_iter().map(Line::into_inner).collect(),
        guess,
        slots: body.slots,
        window: body.window.into(),
        place: body.place.as_ref().map(|place| Point { lat: place.lat, lon: place.lon }),
        address_sealed: address.map(|address| state.keys.seal(ADDRESS_PURPOSE, address.as_bytes())),
    };
    let now = state.clock.now();
    answer(&state, once, StatusCode::CREATED, caller, async move |txn| intake::post(txn, new.clone(), now).await).await
}

/// How a submitted wish is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReviewDecision {
    Publish,
    Reject,
}

/// Tells `null` from absent.
#[allow(clippy::option_option, reason = "null is none, absent takes the guess")]
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A review.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(clippy::option_option, reason = "null is none, absent takes the guess")]
pub struct ReviewWish {
    decision: ReviewDecision,
    /// What volunteers have to know; required to publish (志愿服务条例 art. 12).
    risk_notice: Option<Text<500>>,
    /// Why it is rejected; required to reject.
    reason: Option<Line<200>>,
    /// Instead of the requester's choice.
    category: Option<Category>,
    /// Instead of the requester's choice or of the guess; an empty list: none.
    #[validate(length(max = 20))]
    #[schema(max_items = 20)]
    skills: Option<Vec<Line<32>>>,
    /// A code of the list `domain`, instead of the guess; null: none.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Line<32>>)]
    domain: Option<Option<Line<32>>>,
    /// Codes of the list `hazard`: only who has what they ask for can claim (志愿服务条例 art. 17).
    #[serde(default)]
    #[validate(length(max = 10))]
    #[schema(max_items = 10)]
    hazards: Vec<Line<32>>,
    /// Check-in asks for the place beside the code.
    #[serde(default)]
    place_required: bool,
    /// How hard the work is; rules may pay more for 2 and 3. 1 where it is not given.
    #[validate(range(min = 1, max = 3))]
    #[schema(minimum = 1, maximum = 3)]
    difficulty: Option<i16>,
}

/// Publish a submitted wish, which makes its task, or reject it. For managers, but not for one's own.
#[utoipa::path(tag = "wish", params(("wish_id" = WishId, Path)), request_body = ReviewWish,
    responses((status = 200, body = WishView)))]
#[post("/wishes/{wish_id}/review")]
async fn review_wish(state: State, id: PathId<WishId>, call: Call<ReviewWish>) -> Result<HttpResponse, Problem> {
    let manager = call.caller.manager()?;
    let (caller, scope) = (call.caller.clone(), call.caller.scope());
    let (body, once) = call.admit(exists(&state, &scope, *id)).await?;
    let decision = match (body.decision, body.risk_notice, body.reason) {
        (ReviewDecision::Publish, Some(risk_notice), _) => Decision::Publish {
            risk_notice: risk_notice.into_inner(),
            place_required: body.place_required,
            difficulty: body.difficulty.unwrap_or(1),
        },
        (ReviewDecision::Reject, _, Some(reason)) => Decision::Reject { reason: reason.into_inner() },
        (ReviewDecision::Publish, None, _) => {
            exists(&state, &scope, *id)().await?;
            return Err(Problem::invalid("risk_notice", "required", "发布心愿须写明风险提示"));
        }
        (ReviewDecision::Reject, _, None) => {
            exists(&state, &scope, *id)().await?;
            return Err(Problem::invalid("reason", "required", "驳回心愿须写明原因"));
        }
    };
    let skills = body.skills.map(|skills| skills.into_iter().map(Line::into_inner).collect());
    let domain = body.domain.map(|domain| domain.map(Line::into_inner));
    let hazards = body.hazards.into_iter().map(Line::into_inner).collect();
    let review = Review { decision, category: body.category, skills, domain, hazards };
    let (id, task, now) = (*id, TaskId::new(), state.clock.now());
    change(&state, once, caller, (id, "wish.review"), async move |txn| {
        intake::review(txn, &manager, id, &review, task, now).await
    })
    .await
}

/// Why, for the record.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelWish {
    reason: Option<Line<200>>,
}

/// Call a wish off before anybody has come. For its requester and managers.
#[utoipa::path(tag = "wish", params(("wish_id" = WishId, Path)), request_body = CancelWish,
    responses((status = 200, body = WishView)))]
#[post("/wishes/{wish_id}/cancellation")]
async fn cancel_wish(state: State, id: PathId<WishId>, call: Call<CancelWish>) -> Result<HttpResponse, Problem> {
    let by = match &call.caller {
        Caller::Member(_) => Canceller::Requester(call.caller.resident()?.id),
        Caller::Staff(_) => Canceller::Manager(call.caller.manager()?),
    };
    let (caller, scope) = (call.caller.clone(), call.caller.scope());
    let (body, once) = call.admit(exists(&state, &scope, *id)).await?;
    let (id, now) = (*id, state.clock.now());
    change(&state, once, caller, (id, "wish.cancel"), async move |txn| {
        outcome::cancel(txn, &by, id, body.reason.as_deref(), now).await
    })
    .await
}

/// What the requester says about the help.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmWish {
    /// Stars, 1 to 5.
    #[validate(range(min = 1, max = 5))]
    #[schema(minimum = 1, maximum = 5)]
    rating: i16,
    comment: Option<Text<500>>,
}

/// Confirm that it was done, and rate it. For its requester.
#[utoipa::path(tag = "wish", params(("wish_id" = WishId, Path)), request_body = ConfirmWish,
    responses((status = 200, body = WishView)))]
#[post("/wishes/{wish_id}/confirmation")]
async fn confirm_wish(state: State, id: PathId<WishId>, call: Call<ConfirmWish>) -> Result<HttpResponse, Problem> {
    let requester = call.caller.resident()?.id;
    let (caller, scope) = (call.caller.clone(), call.caller.scope());
    let (body, once) = call.admit(exists(&state, &scope, *id)).await?;
    let (id, now) = (*id, state.clock.now());
    change(&state, once, caller, (id, "wish.confirm"), async move |txn| {
        outcome::confirm(txn, requester, id, body.rating, body.comment.as_deref(), now).await
    })
    .await
}

/// What is wrong.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DisputeWish {
    reason: Text<500>,
}

/// Say that it was not done, or not well. For its requester.
#[utoipa::path(tag = "wish", params(("wish_id" = WishId, Path)), request_body = DisputeWish,
    responses((status = 200, body = WishView)))]
#[post("/wishes/{wish_id}/dispute")]
async fn dispute_wish(state: State, id: PathId<WishId>, call: Call<DisputeWish>) -> Result<HttpResponse, Problem> {
    let requester = call.caller.resident()?.id;
    let (caller, scope) = (call.caller.clone(), call.caller.scope());
    let (body, once) = call.admit(exists(&state, &scope, *id)).await?;
    let (id, now) = (*id, state.clock.now());
    change(&state, once, caller, (id, "wish.dispute"), async move |txn| {
        outcome::dispute(txn, requester, id, &body.reason, now).await
    })
    .await
}

/// How a dispute ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ArbitrationDecision {
    /// It was done.
    Confirm,
    /// It is to be done again.
    Republish,
}

/// An arbitration.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ArbitrateWish {
    decision: ArbitrationDecision,
    reason: Text<500>,
}

/// Decide a dispute. For managers, but not about one's own wish.
#[utoipa::path(tag = "wish", params(("wish_id" = WishId, Path)), request_body = ArbitrateWish,
    responses((status = 200, body = WishView)))]
#[post("/wishes/{wish_id}/arbitration")]
async fn arbitrate_wish(state: State, id: PathId<WishId>, call: Call<ArbitrateWish>) -> Result<HttpResponse, Problem> {
    let manager = call.caller.manager()?;
    let (caller, scope) = (call.caller.clone(), call.caller.scope());
    let (body, once) = call.admit(exists(&state, &scope, *id)).await?;
    let republish = (body.decision == ArbitrationDecision::Republish).then(TaskId::new);
    let (id, now) = (*id, state.clock.now());
    change(&state, once, caller, (id, "wish.arbitrate"), async move |txn| {
        outcome::arbitrate(txn, &manager, id, republish, &body.reason, now).await
    })
    .await
}

/// When the wish is to be done in its next round.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnotherRound {
    /// Where it is not given: the same while it lasts, else whole weeks later, the first that begins in the future.
    window: Option<WindowBody>,
}

/// Have a confirmed wish done again, within the programme's days. For its requester.
#[utoipa::path(tag = "wish", params(("wish_id" = WishId, Path)), request_body = AnotherRound,
    responses((status = 200, body = WishView)))]
#[post("/wishes/{wish_id}/reopening")]
async fn reopen_wish(state: State, id: PathId<WishId>, call: Call<AnotherRound>) -> Result<HttpResponse, Problem> {
    let requester = call.caller.resident()?.id;
    let (caller, scope) = (call.caller.clone(), call.caller.scope());
    let (body, once) = call.admit(exists(&state, &scope, *id)).await?;
    let window = body.window.map(Window::from);
    let (id, task, now) = (*id, TaskId::new(), state.clock.now());
    change(&state, once, caller, (id, "wish.reopen"), async move |txn| {
        outcome::reopen(txn, requester, id, task, window, now).await
    })
    .await
}

/// Put an expired wish up again, before others. For managers.
#[utoipa::path(tag = "wish", params(("wish_id" = WishId, Path)), request_body = AnotherRound,
    responses((status = 200, body = WishView)))]
#[post("/wishes/{wish_id}/relisting")]
async fn relist_wish(state: State, id: PathId<WishId>, call: Call<AnotherRound>) -> Result<HttpResponse, Problem> {
    let manager = call.caller.manager()?;
    let (caller, scope) = (call.caller.clone(), call.caller.scope());
    let (body, once) = call.admit(exists(&state, &scope, *id)).await?;
    let window = body.window.map(Window::from);
    let (id, task, now) = (*id, TaskId::new(), state.clock.now());
    change(&state, once, caller, (id, "wish.relist"), async move |txn| {
        outcome::relist(txn, &manager, id, task, window, now).await
    })
    .await
}

/// Wishes of the caller, those they help with, or those of the subtree for staff.
///
/// With `status=published` those of the highest priority come first, then the oldest; otherwise the newest.
#[utoipa::path(tag = "wish", params(WishQuery, Page), responses((status = 200, body = Listing<WishView>)))]
#[get("/wishes")]
async fn list_wishes(
    state: State,
    caller: Caller,
    params: Params<WishQuery>,
) -> Result<web::Json<Listing<WishView>>, Problem> {
    let query = params.checked()?;
    Ok(web::Json(query::wishes(state.db.lookup(), &caller.scope(), &query, state.clock.now()).await?))
}

/// One wish. The volunteer of an open claim reads the requester's contact in it, and each such look is audited.
#[utoipa::path(tag = "wish", params(("wish_id" = WishId, Path)), responses((status = 200, body = WishView)))]
#[get("/wishes/{wish_id}")]
async fn get_wish(state: State, caller: Caller, id: PathId<WishId>) -> Result<web::Json<WishView>, Problem> {
    let now = state.clock.now();
    let (view, event) = query::wish(state.db.lookup(), &state.keys, &caller.scope(), *id, now).await?;
    if let Some(event) = event {
        state.db.write(async move |txn| audit::record(txn, event.clone()).await).await?;
    }
    Ok(web::Json(view))
}

/// The 404 of a wish.
fn exists<'a>(state: &'a AppState, scope: &'a Scope, id: WishId) -> impl AsyncFnOnce() -> Result<(), Problem> + 'a {
    async move || service::find(state.db.lookup(), scope, id).await.map(drop).map_err(Into::into)
}

/// Runs a command on a wish and answers with the wish as its changer may see it.
async fn answer<F>(
    state: &AppState,
    once: Once,
    status: StatusCode,
    caller: Caller,
    command: F,
) -> Result<HttpResponse, Problem>
where
    F: AsyncFn(&Txn) -> Result<entity::wish::Model, WishError> + Send + 'static,
{
    let (keys, scope, now) = (state.keys.clone(), caller.scope(), state.clock.now());
    once.run(state, status, async move |txn: &Txn| {
        let wish = command(txn).await?;
        query::changed(txn, &keys, &scope, wish, now).await
    })
    .await
}

/// The same for a wish that is there already; staff of elsewhere leave a trace.
async fn change<F>(
    state: &AppState,
    once: Once,
    caller: Caller,
    (id, action): (WishId, &'static str),
    command: F,
) -> Result<HttpResponse, Problem>
where
    F: AsyncFn(&Txn) -> Result<entity::wish::Model, WishError> + Send + 'static,
{
    let outcome = answer(state, once, StatusCode::OK, caller.clone(), command).await;
    match &caller {
        Caller::Member(_) => outcome,
        Caller::Staff(staff) => {
            let event = AuditEvent::new(Actor::Staff(staff.id), action, "wish", state.clock.now());
            let event = event.of(id).in_region(&staff.region);
            audit::note_elsewhere(&state.db, outcome, event, async || service::exists(state.db.lookup(), id).await)
                .await
        }
    }
}
