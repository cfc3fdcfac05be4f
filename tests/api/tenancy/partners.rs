//! What a station does with partners, at each place: a stock take, goods on their way in and out, a settlement.

use ::entity::goods;
use ::entity::id::{
    GoodsId, SettlementCloseId, SettlementId, StaffId, StationId, StockMovementId, StockTakeId, StockTransferId, UnitId,
};
use ::entity::stock_movement::{self, StockReason};
use ::entity::stock_transfer::{self, TransferStatus};
use ::entity::{settlement, settlement_close, stock_take, stock_take_line, unit};
use chrono::{DateTime, Utc};
use sea_orm::{EntityTrait as _, IntoActiveModel as _};

use crate::support::TestApp;

/// Ids of what lies at a place.
#[derive(Clone, Copy)]
pub(crate) struct Partners {
    pub(crate) stock_take: StockTakeId,
    /// From the station to its annex.
    pub(crate) outgoing: StockTransferId,
    /// From the annex to the station.
    pub(crate) incoming: StockTransferId,
    pub(crate) settlement: SettlementId,
    /// Another station of the community.
    pub(crate) annex: StationId,
}

struct Shelf {
    station: StationId,
    goods: GoodsId,
}

impl Partners {
    pub(crate) async fn plant(
        app: &TestApp,
        region: &'static str,
        station: StationId,
        goods_id: GoodsId,
        staff: StaffId,
        month: &str,
    ) -> Self {
        let (seed, now) = (app.seed(), app.clock.now());
        let annex = seed.station().in_region(region).await.id;
        let like = goods::Entity::find_by_id(goods_id).one(app.state.db.read()).await.unwrap().unwrap();
        let copy = goods::Model { id: GoodsId::new(), station_id: annex, stock: 5, ..like };
        let shelves = [Shelf { station, goods: goods_id }, Shelf { station: annex, goods: copy.id }];
        seed.insert(vec![copy.into_active_model()]).await;
        let [outgoing, incoming] = [(0, 1), (1, 0)].map(|(from, to)| (&shelves[from], &shelves[to]));
        let outgoing = transfer(app, region, outgoing, staff, now).await;
        let incoming = transfer(app, region, incoming, staff, now).await;
        let stock_take = take(app, region, &shelves[0], staff, now).await;
        let settlement = settle(app, region, staff, month, now).await;
        Self { stock_take, outgoing, incoming, settlement, annex }
    }
}

async fn transfer(
    app: &TestApp,
    region: &'static str,
    (from, to): (&Shelf, &Shelf),
    staff: StaffId,
    now: DateTime<Utc>,
) -> StockTransferId {
    let movement = stock_movement::Model {
        id: StockMovementId::new(),
        ref_id: None,
        goods_id: from.goods,
        quantity: -2,
        reason: StockReason::TransferOut,
        staff_id: Some(staff),
        at: now,
    };
    let row = stock_transfer::Model {
        id: StockTransferId::new(),
        from_goods_id: from.goods,
        from_station_id: from.station,
        from_region_code: region.to_owned(),
        to_goods_id: to.goods,
        to_station_id: to.station,
        to_region_code: region.to_owned(),
        quantity: 2,
        received: None,
        status: TransferStatus::Sent,
        sent_by: staff,
        sent_at: now,
        ended_by: None,
        ended_at: None,
        note: None,
        out_movement_id: movement.id,
        in_movement_id: None,
        loss_movement_id: None,
    };
    let id = row.id;
    app.seed().insert(vec![movement.into_active_model()]).await;
    app.seed().insert(vec![row.into_active_model()]).await;
    id
}

async fn take(app: &TestApp, region: &'static str, shelf: &Shelf, staff: StaffId, now: DateTime<Utc>) -> StockTakeId {
    let id = StockTakeId::new();
    let row = stock_take::Model {
        id,
        station_id: shelf.station,
        region_code: region.to_owned(),
        note: None,
        staff_id: staff,
        at: now,
    };
    let line = stock_take_line::Model {
        stock_take_id: id,
        goods_id: shelf.goods,
        expected: 20,
        reserved: 1,
        counted: 20,
        cost: Some(0),
        movement_id: None,
    };
    app.seed().insert(vec![row.into_active_model()]).await;
    app.seed().insert(vec![line.into_active_model()]).await;
    id
}

async fn settle(app: &TestApp, region: &'static str, staff: StaffId, month: &str, now: DateTime<Utc>) -> SettlementId {
    let supplier = unit::Model {
        id: UnitId::new(),
        ref_id: None,
        name: "惠民超市".to_owned(),
        unit_type: "商户".to_owned(),
        region_code: region.to_owned(),
        party_members: 0,
        created_at: now,
    };
    let close = settlement_close::Model {
        id: SettlementCloseId::new(),
        region_code: region.to_owned(),
        month: month.to_owned(),
        closed_by: staff,
        closed_at: now,
    };
    let row = settlement::Model {
        id: SettlementId::new(),
        close_id: close.id,
        supplier_unit_id: supplier.id,
        region_code: region.to_owned(),
        month: month.to_owned(),
        pieces: 1,
        points: 500,
        amount: 300,
        refunded_pieces: 0,
        refunded_points: 0,
        refunded_amount: 0,
        paid_on: None,
        payment_reference: None,
        paid_by: None,
        paid_at: None,
    };
    let id = row.id;
    app.seed().insert(vec![supplier.into_active_model()]).await;
    app.seed().insert(vec![close.into_active_model()]).await;
    app.seed().insert(vec![row.into_active_model()]).await;
    id
}
