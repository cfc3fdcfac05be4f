//! The calls about stock takes.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, post, web};
use chrono::{DateTime, Utc};
use entity::id::{GoodsId, StaffId, StationId, StockMovementId, StockTakeId};
use entity::stock_take;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use super::error::StockError;
use super::take::{self, Count, NewTake, Sums, Taken};
use crate::app::State;
use crate::audit::{self, Actor, AuditEvent};
use crate::http::openapi::RequiredKey;
use crate::http::{Call, Listing, Page, Params, PathId, Problem, Text, decimal};
use crate::identity::Caller;
use crate::redemption::sheet::{Format, Sheet};
use crate::region;

/// The routes of stock takes.
pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(take_stock).service(list_takes).service(get_take);
}

/// What was found of one kind of goods. Physically there are the free ones and those that wait to be picked up.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct TakeLineView {
    goods_id: GoodsId,
    name: String,
    /// What should have lain there: the stock and the reserved pieces.
    expected: i32,
    /// Those of them that wait to be picked up.
    reserved: i32,
    counted: i32,
    /// Counted less expected: below zero is missing.
    difference: i32,
    /// The stock after it: counted less reserved.
    stock: i32,
    /// What the difference is worth at cost, in yuan.
    value: String,
    /// What brought the stock in line; null where nothing was to be done.
    movement_id: Option<StockMovementId>,
}

/// A stock take: its difference journal.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct TakeView {
    id: StockTakeId,
    station_id: StationId,
    at: DateTime<Utc>,
    staff_id: StaffId,
    note: Option<String>,
    /// Pieces missing, over all goods.
    short: i64,
    /// Pieces too many, over all goods.
    over: i64,
    lines: Vec<TakeLineView>,
}

impl From<Taken> for TakeView {
    fn from(Taken { take, lines }: Taken) -> Self {
        let lines: Vec<TakeLineView> = lines
            .into_iter()
            .map(|(line, name)| {
                let difference = line.counted - line.expected;
                TakeLineView {
                    goods_id: line.goods_id,
                    name,
                    expected: line.expected,
                    reserved: line.reserved,
                    counted: line.counted,
                    difference,
                    stock: line.counted - line.reserved,
                    value: decimal(line.cost.unwrap_or(0).saturating_mul(difference.into())),
                    movement_id: line.movement_id,
                }
            })
            .collect();
        let sum = |wanted: fn(i32) -> i32| lines.iter().map(|line| i64::from(wanted(line.difference).max(0))).sum();
        Self {
            id: take.id,
            station_id: take.station_id,
            at: take.at,
            staff_id: take.staff_id,
            note: take.note,
            short: sum(|difference| -difference),
            over: sum(|difference| difference),
            lines,
        }
    }
}

/// A stock take in a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct TakeSummary {
    id: StockTakeId,
    station_id: StationId,
    at: DateTime<Utc>,
    staff_id: StaffId,
    note: Option<String>,
    /// Kinds of goods counted.
    goods: i64,
    /// Pieces missing, over all goods.
    short: i64,
    /// Pieces too many, over all goods.
    over: i64,
}

impl From<(stock_take::Model, Sums)> for TakeSummary {
    fn from((row, sums): (stock_take::Model, Sums)) -> Self {
        let Sums { goods, short, over } = sums;
        Self {
            id: row.id,
            station_id: row.station_id,
            at: row.at,
            staff_id: row.staff_id,
            note: row.note,
            goods,
            short,
            over,
        }
    }
}

#[derive(Deserialize, Serialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct CountLine {
    goods_id: GoodsId,
    /// All that lies there, with the pieces that wait to be picked up.
    #[validate(range(min = 0, max = 10_000_000))]
    #[schema(minimum = 0, maximum = 10_000_000)]
    counted: i32,
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct TakeStock {
    /// Needed where anything is missing: why.
    #[schema(inline)]
    note: Option<Text<500>>,
    /// Goods that are not named are not counted and stay as they are.
    #[validate(length(min = 1, max = 500), nested)]
    #[schema(inline, min_items = 1, max_items = 500)]
    lines: Vec<CountLine>,
}

/// Count a station's shelf, or part of it: the stock of all named goods is brought in line, or of none. For clerks of the station.
///
/// 409 `stock_reserved` where fewer were counted than wait to be picked up; 422 on `note` where something is missing without a note.
#[utoipa::path(tag = "stock", params(("station_id" = StationId, Path), RequiredKey), request_body = TakeStock, responses((status = 201, body = TakeView)))]
#[post("/stations/{station_id}/stock-takes")]
async fn take_stock(state: State, id: PathId<StationId>, call: Call<TakeStock>) -> Result<HttpResponse, Problem> {
    let clerk = call.caller.clerk()?;
    let now = state.clock.now();
    let actor = Actor::Staff(clerk.id);
    let exists = async || Ok(take::served_station(state.db.read(), &clerk, *id).await.map(drop)?);
    let outcome = async {
        let (body, once) = call.admit_keyed(exists).await?;
        let count = |line: &CountLine| Count {
            goods_id: line.goods_id,
            counted: line.counted,
            movement_id: StockMovementId::new(),
        };
        let new = NewTake {
            id: StockTakeId::new(),
            station_id: *id,
            note: body.note.map(Into::into),
            counts: body.lines.iter().map(count).collect(),
        };
        let clerk = clerk.clone();
        once.run(&state, StatusCode::CREATED, async move |txn| {
            let taken = take::take(txn, &clerk, &new, now).await?;
            let region = taken.take.region_code.clone();
            let view = TakeView::from(taken);
            let event = AuditEvent::new(actor, "stock.take", "stock_take", now).of(view.id).in_region(&region);
            let detail = json!({"goods": view.lines.len(), "short": view.short, "over": view.over});
            audit::record(txn, event.with(detail)).await?;
            Ok::<_, StockError>(view)
        })
        .await
    };
    let event = AuditEvent::new(actor, "stock.take", "station", now).of(*id);
    let known = async || Ok(region::query::station(state.db.read(), *id).await?.is_some());
    audit::note_elsewhere(&state.db, outcome.await, event, known).await
}

/// The stock takes of a station, latest first. For staff of the station.
#[utoipa::path(tag = "stock", params(("station_id" = StationId, Path), Page), responses((status = 200, body = Listing<TakeSummary>)))]
#[get("/stations/{station_id}/stock-takes")]
async fn list_takes(
    state: State,
    caller: Caller,
    id: PathId<StationId>,
    params: Params<Page>,
) -> Result<web::Json<Listing<TakeSummary>>, Problem> {
    let staff = caller.staff()?;
    take::served_station(state.db.read(), &staff, *id).await?;
    let listing = take::list(state.db.read(), *id, &params.checked()?).await?;
    Ok(web::Json(listing.map(TakeSummary::from)))
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct TakeQuery {
    /// `json`, or a file to save: `csv`, `xlsx`.
    #[serde(default)]
    format: Format,
}

/// One stock take, the difference journal; as JSON, CSV or XLSX. For staff of the station.
#[utoipa::path(tag = "stock", params(("stock_take_id" = StockTakeId, Path), TakeQuery), responses((status = 200, body = TakeView)))]
#[get("/stock-takes/{stock_take_id}")]
async fn get_take(
    state: State,
    caller: Caller,
    id: PathId<StockTakeId>,
    params: Params<TakeQuery>,
) -> Result<HttpResponse, Problem> {
    let staff = caller.staff()?;
    let view = TakeView::from(take::find(state.db.read(), &staff, *id).await?);
    match params.checked()?.format {
        Format::Json => Ok(HttpResponse::Ok().json(view)),
        format => sheet(&view).respond(format),
    }
}

fn sheet(view: &TakeView) -> Sheet {
    let row = |line: &TakeLineView| {
        let numbers = [line.expected, line.reserved, line.counted, line.difference].map(|number| number.to_string());
        [vec![line.goods_id.to_string(), line.name.clone()], numbers.to_vec(), vec![line.value.clone()]].concat()
    };
    Sheet {
        name: format!("stock-take-{}", view.id),
        header: vec!["兑换品编号", "名称", "应有", "其中待领取", "实盘", "差异", "差异金额（元）"],
        rows: view.lines.iter().map(row).collect(),
    }
}
