//! The calls about transfers between stations.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, post, web};
use chrono::{DateTime, Utc};
use entity::goods;
use entity::id::{GoodsId, StaffId, StationId, StockMovementId, StockTransferId};
use entity::stock_transfer::{Model, TransferStatus};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait as _};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use super::error::StockError;
use super::transfer::{self, Ending, NewTransfer};
use super::transfer_query::{self as query, TransferFilter};
use crate::app::State;
use crate::audit::{self, Actor, AuditEvent};
use crate::http::openapi::RequiredKey;
use crate::http::{Call, Line, Listing, Page, Params, PathId, Problem};
use crate::identity::Caller;
use crate::region::{RegionCode, Subtree};

/// The routes of transfers.
pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(send).service(receive).service(call_back).service(list_transfers).service(get_transfer);
}

/// Goods on their way from one station to another.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct TransferView {
    id: StockTransferId,
    /// `sent`: on their way, on no shelf.
    status: TransferStatus,
    from_station_id: StationId,
    from_goods_id: GoodsId,
    to_station_id: StationId,
    /// The same goods on the other shelf.
    to_goods_id: GoodsId,
    quantity: i32,
    /// How many arrived; null until then.
    received: Option<i32>,
    /// How many did not; null until the others arrive.
    lost: Option<i32>,
    sent_by: StaffId,
    sent_at: DateTime<Utc>,
    /// Who received the goods or called them back.
    ended_by: Option<StaffId>,
    ended_at: Option<DateTime<Utc>>,
    note: Option<String>,
}

impl From<Model> for TransferView {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            status: row.status,
            from_station_id: row.from_station_id,
            from_goods_id: row.from_goods_id,
            to_station_id: row.to_station_id,
            to_goods_id: row.to_goods_id,
            quantity: row.quantity,
            received: row.received,
            lost: row.received.map(|received| row.quantity - received),
            sent_by: row.sent_by,
            sent_at: row.sent_at,
            ended_by: row.ended_by,
            ended_at: row.ended_at,
            note: row.note,
        }
    }
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct SendGoods {
    to_station_id: StationId,
    #[validate(range(min = 1, max = 1_000_000))]
    #[schema(minimum = 1, maximum = 1_000_000)]
    quantity: i32,
    #[schema(inline)]
    note: Option<Line<200>>,
}

/// Send goods to another station: they leave the shelf now and lie on the other one when they are received. For clerks of the
/// station.
///
/// 409 `out_of_stock`; 409 `not_on_shelf` for services and vouchers; 422 on `to_station_id` for the same station and one that
/// is not in the caller's region.
#[utoipa::path(tag = "stock", params(("goods_id" = GoodsId, Path), RequiredKey), request_body = SendGoods, responses((status = 201, body = TransferView)))]
#[post("/goods/{goods_id}/transfers")]
async fn send(state: State, id: PathId<GoodsId>, call: Call<SendGoods>) -> Result<HttpResponse, Problem> {
    let clerk = call.caller.clerk()?;
    let (now, actor) = (state.clock.now(), Actor::Staff(clerk.id));
    let exists = async || Ok(transfer::served(state.db.read(), &clerk, *id).await.map(drop)?);
    let outcome = async {
        let (body, once) = call.admit_keyed(exists).await?;
        let new = NewTransfer {
            id: StockTransferId::new(),
            goods_id: *id,
            to_station_id: body.to_station_id,
            quantity: body.quantity,
            note: body.note.map(Into::into),
            copy_id: GoodsId::new(),
            movement_id: StockMovementId::new(),
        };
        let clerk = clerk.clone();
        once.run(&state, StatusCode::CREATED, async move |txn| {
            let row = transfer::send(txn, &clerk, &new, now).await?;
            record(txn, actor, "stock.send", &row, &row.from_region_code, now).await?;
            Ok::<_, StockError>(TransferView::from(row))
        })
        .await
    };
    let event = AuditEvent::new(actor, "stock.send", "goods", now).of(*id);
    let known = async || Ok(goods::Entity::find_by_id(*id).one(state.db.read()).await?.is_some());
    audit::note_elsewhere(&state.db, outcome.await, event, known).await
}

async fn record(
    db: &impl ConnectionTrait,
    actor: Actor,
    action: &'static str,
    row: &Model,
    region: &str,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let event = AuditEvent::new(actor, action, "stock_transfer", now).of(row.id).in_region(region);
    audit::record(db, event.with(json!({"quantity": row.quantity, "received": row.received}))).await
}

fn ending(note: Option<Line<200>>, now: DateTime<Utc>) -> Ending {
    Ending {
        in_movement_id: StockMovementId::new(),
        loss_movement_id: StockMovementId::new(),
        note: note.map(Into::into),
        now,
    }
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct ReceiveGoods {
    /// How many arrived; at most as many as were sent. The others are written off.
    #[validate(range(min = 0, max = 1_000_000))]
    #[schema(minimum = 0, maximum = 1_000_000)]
    quantity: i32,
    /// Needed where fewer arrived: why.
    #[schema(inline)]
    note: Option<Line<200>>,
}

/// Receive what another station sent. For clerks of the station it was sent to.
///
/// 409 `invalid_transition` where it was received or called back before.
#[utoipa::path(tag = "stock", params(("stock_transfer_id" = StockTransferId, Path), RequiredKey), request_body = ReceiveGoods, responses((status = 200, body = TransferView)))]
#[post("/stock-transfers/{stock_transfer_id}/receipt")]
async fn receive(state: State, id: PathId<StockTransferId>, call: Call<ReceiveGoods>) -> Result<HttpResponse, Problem> {
    let clerk = call.caller.clerk()?;
    let (now, actor) = (state.clock.now(), Actor::Staff(clerk.id));
    let exists = async || Ok(query::receivable(state.db.read(), &clerk, *id).await.map(drop)?);
    let outcome = async {
        let (body, once) = call.admit_keyed(exists).await?;
        let (quantity, ending, clerk) = (body.quantity, ending(body.note, now), clerk.clone());
        once.run(&state, StatusCode::OK, async move |txn| {
            let row = transfer::receive(txn, &clerk, *id, quantity, &ending).await?;
            record(txn, actor, "stock.receive", &row, &row.to_region_code, now).await?;
            Ok::<_, StockError>(TransferView::from(row))
        })
        .await
    };
    let event = AuditEvent::new(actor, "stock.receive", "stock_transfer", now).of(*id);
    let known = async || query::exists(state.db.read(), *id).await;
    audit::note_elsewhere(&state.db, outcome.await, event, known).await
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct CallBack {
    #[schema(inline)]
    reason: Line<200>,
}

/// Call goods back that have not been received: they lie on their old shelf again. For clerks of the station that sent them.
///
/// 409 `invalid_transition` where it was received or called back before.
#[utoipa::path(tag = "stock", params(("stock_transfer_id" = StockTransferId, Path), RequiredKey), request_body = CallBack, responses((status = 200, body = TransferView)))]
#[post("/stock-transfers/{stock_transfer_id}/cancellation")]
async fn call_back(state: State, id: PathId<StockTransferId>, call: Call<CallBack>) -> Result<HttpResponse, Problem> {
    let clerk = call.caller.clerk()?;
    let (now, actor) = (state.clock.now(), Actor::Staff(clerk.id));
    let exists = async || Ok(query::cancellable(state.db.read(), &clerk, *id).await.map(drop)?);
    let outcome = async {
        let (body, once) = call.admit_keyed(exists).await?;
        let (ending, clerk) = (ending(Some(body.reason), now), clerk.clone());
        once.run(&state, StatusCode::OK, async move |txn| {
            let row = transfer::call_back(txn, &clerk, *id, &ending).await?;
            record(txn, actor, "stock.call_back", &row, &row.from_region_code, now).await?;
            Ok::<_, StockError>(TransferView::from(row))
        })
        .await
    };
    let event = AuditEvent::new(actor, "stock.call_back", "stock_transfer", now).of(*id);
    let known = async || query::exists(state.db.read(), *id).await;
    audit::note_elsewhere(&state.db, outcome.await, event, known).await
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct TransferQuery {
    /// The id or ref of a station at either end.
    #[validate(length(max = 64))]
    station: Option<String>,
    status: Option<TransferStatus>,
    /// A region in which either end lies, and all below it.
    region: Option<RegionCode>,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    page: Page,
}

/// Transfers from and to the caller's stations, latest first. For staff.
#[utoipa::path(tag = "stock", params(TransferQuery, Page), responses((status = 200, body = Listing<TransferView>)))]
#[get("/stock-transfers")]
async fn list_transfers(
    state: State,
    caller: Caller,
    params: Params<TransferQuery>,
) -> Result<web::Json<Listing<TransferView>>, Problem> {
    let staff = caller.staff()?;
    let TransferQuery { station, status, region, page } = params.checked()?;
    let filter = TransferFilter { station, status, region: region.map(|code| Subtree::of(&code)) };
    let listing = query::list(state.db.read(), &staff, &filter, &page).await?;
    Ok(web::Json(listing.map(TransferView::from)))
}

/// One transfer. For staff of either station.
#[utoipa::path(tag = "stock", params(("stock_transfer_id" = StockTransferId, Path)), responses((status = 200, body = TransferView)))]
#[get("/stock-transfers/{stock_transfer_id}")]
async fn get_transfer(
    state: State,
    caller: Caller,
    id: PathId<StockTransferId>,
) -> Result<web::Json<TransferView>, Problem> {
    let staff = caller.staff()?;
    Ok(web::Json(query::find(state.db.read(), &staff, *id).await?.into()))
}
