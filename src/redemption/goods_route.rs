//! The calls about goods and their stock.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, patch, post, web};
use chrono::{DateTime, Utc};
use entity::goods::{GoodsKind, LimitPeriod, Model};
use entity::id::{GoodsId, StationId, StockMovementId, UnitId};
use entity::stock_movement::{self, StockReason};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use super::error::RedemptionError;
use super::goods::{self, GoodsChange, Movement, NewGoods};
use super::query::{self, GoodsFilter};
use super::trail::Witness;
use crate::app::State;
use crate::audit::{self, Actor, AuditEvent};
use crate::http::openapi::RequiredKey;
use crate::http::{Call, Line, Listing, Page, Params, PathId, PointsAmount, Problem, Text};
use crate::identity::Caller;
use crate::points::Points;
use crate::region::Subtree;

/// The routes of goods.
pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(list_goods)
        .service(get_good)
        .service(add_goods)
        .service(change_goods)
        .service(list_movements)
        .service(move_stock);
}

/// Goods as everybody sees them.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct GoodsView {
    id: GoodsId,
    /// The id it was imported under.
    r#ref: Option<String>,
    name: String,
    description: Option<String>,
    station_id: StationId,
    programme: String,
    /// Price of one.
    points: Points,
    /// Free ones: those reserved are taken off.
    stock: i32,
    /// How many one member may have in all; null: no limit.
    per_member_limit: Option<i32>,
    supplier_unit_id: Option<UnitId>,
    /// Whether it is on the shelf.
    active: bool,
    kind: GoodsKind,
    /// How long a service takes.
    duration_minutes: Option<i32>,
    /// Whether a slot must be booked: then the slots' capacity counts, and `stock` says nothing.
    bookable: bool,
    /// In which the limits count: `all`, or the local day, week, month, quarter or year.
    limit_period: LimitPeriod,
    /// How many the members of one household may have together; null: no limit.
    per_household_limit: Option<i32>,
    /// What the supplier is owed for one, fen; staff see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<i64>,
}

impl GoodsView {
    fn new(row: Model, to_staff: bool) -> Self {
        Self {
            id: row.id,
            r#ref: row.ref_id,
            name: row.name,
            description: row.description,
            station_id: row.station_id,
            programme: row.programme,
            points: Points::from_hundredths(row.points),
            stock: row.stock,
            per_member_limit: row.per_member_limit,
            supplier_unit_id: row.supplier_unit_id,
            active: row.active,
            kind: row.kind,
            duration_minutes: row.duration_minutes,
            bookable: row.bookable,
            limit_period: row.limit_period,
            per_household_limit: row.per_household_limit,
            cost: to_staff.then_some(row.cost),
        }
    }
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct GoodsQuery {
    /// A station's id or ref.
    #[validate(length(max = 64))]
    station: Option<String>,
    #[validate(length(max = 64))]
    programme: Option<String>,
    /// Part of the name.
    #[validate(length(max = 100))]
    q: Option<String>,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    page: Page,
}

/// Goods on the shelf. Needs no token; staff also see their subtree's goods that are off it.
#[utoipa::path(tag = "redemption", params(GoodsQuery, Page), responses((status = 200, body = Listing<GoodsView>)), security(()))]
#[get("/goods")]
async fn list_goods(
    state: State,
    caller: Option<Caller>,
    params: Params<GoodsQuery>,
) -> Result<web::Json<Listing<GoodsView>>, Problem> {
    let GoodsQuery { station, programme, q, page } = params.checked()?;
    let filter = GoodsFilter { station, programme, q, off_shelf_in: subtree_of(caller.as_ref()) };
    let listing = query::goods(state.db.lookup(), &filter, &page).await?;
    let to_staff = filter.off_shelf_in.is_some();
    Ok(web::Json(listing.map(|row| GoodsView::new(row, to_staff))))
}

/// One good. Needs no token.
#[utoipa::path(tag = "redemption", params(("goods_id" = GoodsId, Path)), responses((status = 200, body = GoodsView)), security(()))]
#[get("/goods/{goods_id}")]
async fn get_good(state: State, caller: Option<Caller>, id: PathId<GoodsId>) -> Result<web::Json<GoodsView>, Problem> {
    let subtree = subtree_of(caller.as_ref());
    let row = query::good(state.db.lookup(), *id, subtree.as_ref()).await?;
    Ok(web::Json(GoodsView::new(row, subtree.is_some())))
}

fn subtree_of(caller: Option<&Caller>) -> Option<Subtree> {
    caller.and_then(|caller| caller.staff().ok()).map(|staff| staff.subtree())
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct AddGoods {
    #[schema(inline)]
    name: Line<100>,
    #[schema(inline)]
    description: Option<Text<1000>>,
    station_id: StationId,
    /// `default` where it is not given.
    #[validate(length(min = 1, max = 64))]
    #[schema(min_length = 1, max_length = 64)]
    programme: Option<String>,
    /// Price of one.
    points: PointsAmount,
    /// What lies on the shelf already; 0 where it is not given.
    #[serde(default)]
    #[validate(range(min = 0, max = 10_000_000))]
    #[schema(minimum = 0, maximum = 10_000_000)]
    stock: i32,
    /// How many one member may have in the `limit_period`; no limit where it is not given.
    #[validate(range(min = 1, max = 1_000_000))]
    #[schema(minimum = 1, maximum = 1_000_000)]
    per_member_limit: Option<i32>,
    supplier_unit_id: Option<UnitId>,
    /// `good` where it is not given; it stays what it is.
    #[serde(default)]
    kind: GoodsKind,
    /// How long a service takes.
    #[validate(range(min = 1, max = 1440))]
    #[schema(minimum = 1, maximum = 1440)]
    duration_minutes: Option<i32>,
    /// What the supplier is owed for one, fen; 0 where it is not given.
    #[serde(default)]
    #[validate(range(min = 0, max = 1_000_000_000))]
    #[schema(minimum = 0, maximum = 1_000_000_000_i64)]
    cost: i64,
    /// In which the limits count; `all` where it is not given.
    #[serde(default)]
    limit_period: LimitPeriod,
    /// How many the members of one household may have together in the `limit_period`.
    #[validate(range(min = 1, max = 1_000_000))]
    #[schema(minimum = 1, maximum = 1_000_000)]
    per_household_limit: Option<i32>,
}

/// Put goods on the shelf of a station. For managers.
#[utoipa::path(tag = "redemption", request_body = AddGoods, responses((status = 201, body = GoodsView)))]
#[post("/goods")]
async fn add_goods(state: State, call: Call<AddGoods>) -> Result<HttpResponse, Problem> {
    let manager = call.caller.manager()?;
    let (body, once) = call.admit(async || Ok(())).await?;
    let new = NewGoods {
        id: GoodsId::new(),
        name: body.name.into(),
        description: body.description.map(Into::into),
        station_id: body.station_id,
        programme: body.programme.unwrap_or_else(|| "default".to_owned()),
        points: body.points.hundredths(),
        stock: body.stock,
        per_member_limit: body.per_member_limit,
        supplier_unit_id: body.supplier_unit_id,
        kind: body.kind,
        duration_minutes: body.duration_minutes,
        cost: body.cost,
        limit_period: body.limit_period,
        per_household_limit: body.per_household_limit,
    };
    let now = state.clock.now();
    once.run(&state, StatusCode::CREATED, async move |txn| {
        let (row, region) = goods::add(txn, &manager, &new, now).await?;
        let event = AuditEvent::new(Actor::Staff(manager.id), "goods.add", "goods", now).of(row.id).in_region(&region);
        audit::record(txn, event.with(json!({"points": row.points, "stock": row.stock}))).await?;
        Ok::<_, RedemptionError>(GoodsView::new(row, true))
    })
    .await
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
#[allow(clippy::option_option, reason = "null empties, absent leaves as it is")]
struct ChangeGoods {
    #[schema(inline)]
    name: Option<Line<100>>,
    /// Null empties it.
    #[serde(default, deserialize_with = "present")]
    #[schema(inline, value_type = Option<Text<1000>>)]
    description: Option<Option<Text<1000>>>,
    /// Price of one; what is reserved keeps its price.
    #[schema(inline)]
    points: Option<PointsAmount>,
    /// Null: no limit.
    #[serde(default, deserialize_with = "present")]
    #[validate(range(min = 1, max = 1_000_000))]
    #[schema(value_type = Option<i32>, minimum = 1, maximum = 1_000_000)]
    per_member_limit: Option<Option<i32>>,
    /// False takes it off the shelf; what is reserved can still be picked up.
    active: Option<bool>,
    /// Null: nobody's.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<UnitId>)]
    supplier_unit_id: Option<Option<UnitId>>,
    /// How long a service takes; null: not said.
    #[serde(default, deserialize_with = "present")]
    #[validate(range(min = 1, max = 1440))]
    #[schema(value_type = Option<i32>, minimum = 1, maximum = 1440)]
    duration_minutes: Option<Option<i32>>,
    /// What the supplier is owed for one, fen.
    #[validate(range(min = 0, max = 1_000_000_000))]
    #[schema(minimum = 0, maximum = 1_000_000_000_i64)]
    cost: Option<i64>,
    /// In which the limits count.
    limit_period: Option<LimitPeriod>,
    /// Null: no limit.
    #[serde(default, deserialize_with = "present")]
    #[validate(range(min = 1, max = 1_000_000))]
    #[schema(value_type = Option<i32>, minimum = 1, maximum = 1_000_000)]
    per_household_limit: Option<Option<i32>>,
}

/// Tells `null` from absent.
#[allow(clippy::option_option, reason = "null empties, absent leaves as it is")]
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Change goods. The stock is changed by movements. For managers.
#[utoipa::path(tag = "redemption", params(("goods_id" = GoodsId, Path)), request_body = ChangeGoods, responses((status = 200, body = GoodsView)))]
#[patch("/goods/{goods_id}")]
async fn change_goods(state: State, id: PathId<GoodsId>, call: Call<ChangeGoods>) -> Result<HttpResponse, Problem> {
    let manager = call.caller.manager()?;
    let exists = async || Ok(goods::find_served(state.db.lookup(), &manager, *id).await.map(drop)?);
    let (body, once) = call.admit(exists).await?;
    let change = GoodsChange {
        name: body.name.map(Into::into),
        description: body.description.map(|text| text.map(Into::into)),
        points: body.points.map(PointsAmount::hundredths),
        per_member_limit: body.per_member_limit,
        active: body.active,
        supplier_unit_id: body.supplier_unit_id,
        duration_minutes: body.duration_minutes,
        cost: body.cost,
        limit_period: body.limit_period,
        per_household_limit: body.per_household_limit,
    };
    let now = state.clock.now();
    let (witness, staff) = (Witness::default(), manager.id);
    let seen = witness.clone();
    let answer = once
        .run(&state, StatusCode::OK, async move |txn| {
            let (row, region) = seen.see(goods::change(txn, &manager, *id, &change, now).await)?;
            let event = AuditEvent::new(Actor::Staff(manager.id), "goods.change", "goods", now).of(row.id);
            let detail = json!({"points": row.points, "active": row.active});
            audit::record(txn, event.in_region(&region).with(detail)).await?;
            Ok::<_, RedemptionError>(GoodsView::new(row, true))
        })
        .await;
    witness.testify(&state, staff, "goods.change", now).await?;
    answer
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum MovementReason {
    Receipt,
    Loss,
    Count,
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct MoveStock {
    /// `receipt`: how many came, above 0. `loss`: how many are gone, above 0. `count`: how many lie on the shelf, those that
    /// are reserved and wait to be picked up with them, 0 or more.
    #[validate(range(min = 0, max = 1_000_000))]
    #[schema(minimum = 0, maximum = 1_000_000)]
    quantity: i32,
    reason: MovementReason,
}

/// A movement and the stock after it.
#[derive(Serialize, ToSchema)]
struct MovementView {
    id: StockMovementId,
    goods_id: GoodsId,
    /// What it changed the stock by.
    quantity: i32,
    reason: StockReason,
    at: DateTime<Utc>,
    /// Free ones after it; in lists null.
    stock: Option<i32>,
}

impl MovementView {
    fn new(row: &stock_movement::Model, stock: Option<i32>) -> Self {
        Self { id: row.id, goods_id: row.goods_id, quantity: row.quantity, reason: row.reason, at: row.at, stock }
    }
}

/// Receive, write off or count goods. For clerks.
#[utoipa::path(tag = "redemption", params(("goods_id" = GoodsId, Path), RequiredKey), request_body = MoveStock, responses((status = 201, body = MovementView)))]
#[post("/goods/{goods_id}/stock-movements")]
async fn move_stock(state: State, id: PathId<GoodsId>, call: Call<MoveStock>) -> Result<HttpResponse, Problem> {
    let clerk = call.caller.clerk()?;
    let exists = async || Ok(goods::find_served(state.db.lookup(), &clerk, *id).await.map(drop)?);
    let (body, once) = call.admit_keyed(&exists).await?;
    let movement = match body.reason {
        MovementReason::Count => Movement::Count(body.quantity),
        _ if body.quantity == 0 => {
            exists().await?;
            return Err(Problem::invalid("quantity", "out_of_range", "数量须大于 0，请修改"));
        }
        MovementReason::Receipt => Movement::Receipt(body.quantity),
        MovementReason::Loss => Movement::Loss(body.quantity),
    };
    let (movement_id, now) = (StockMovementId::new(), state.clock.now());
    let (witness, staff) = (Witness::default(), clerk.id);
    let seen = witness.clone();
    let answer = once
        .run(&state, StatusCode::CREATED, async move |txn| {
            let moved = goods::move_stock(txn, &clerk, *id, movement_id, movement, now).await;
            let (row, stock, region) = seen.see(moved)?;
            let event = AuditEvent::new(Actor::Staff(clerk.id), "stock.move", "goods", now).of(*id).in_region(&region);
            let detail = json!({"quantity": row.quantity, "reason": row.reason, "stock": stock});
            audit::record(txn, event.with(detail)).await?;
            Ok::<_, RedemptionError>(MovementView::new(&row, Some(stock)))
        })
        .await;
    witness.testify(&state, staff, "stock.move", now).await?;
    answer
}

/// What came and went other than by redemption, latest first. For staff.
#[utoipa::path(tag = "redemption", params(("goods_id" = GoodsId, Path), Page), responses((status = 200, body = Listing<MovementView>)))]
#[get("/goods/{goods_id}/stock-movements")]
async fn list_movements(
    state: State,
    caller: Caller,
    id: PathId<GoodsId>,
    params: Params<Page>,
) -> Result<web::Json<Listing<MovementView>>, Problem> {
    let staff = caller.staff()?;
    goods::find_served(state.db.lookup(), &staff, *id).await?;
    let page = params.checked()?;
    let listing = query::movements(state.db.lookup(), *id, &page).await?;
    Ok(web::Json(listing.map(|row| MovementView::new(&row, None))))
}
