//! Goods on their way between two stations: sent, then received or called back.
//!
//! Sending takes them off one shelf, receipt puts all of them on the other and writes off those that did not arrive; so what
//! is neither here nor there is exactly what is `sent`.

use chrono::{DateTime, Utc};
use entity::goods::{self, GoodsKind};
use entity::id::{GoodsId, StaffId, StationId, StockMovementId, StockTransferId};
use entity::station;
use entity::stock_movement::{self, StockReason};
use entity::stock_transfer::{ActiveModel, Column, Entity, Model, TransferStatus};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel as _, PaginatorTrait as _, QueryFilter as _,
    QueryOrder as _,
};

use super::error::StockError;
use super::transfer_query::{cancellable, receivable};
use super::{movement, shift};
use crate::identity::StaffCaller;
use crate::redemption::goods::{self as shelf, MOST_STOCK};

/// Goods to be sent. Ids are drawn before the transaction.
#[derive(Clone, Debug)]
pub struct NewTransfer {
    pub id: StockTransferId,
    pub goods_id: GoodsId,
    pub to_station_id: StationId,
    /// Above zero.
    pub quantity: i32,
    pub note: Option<String>,
    /// Of the goods on the other shelf, where they have never been there.
    pub copy_id: GoodsId,
    pub movement_id: StockMovementId,
}

/// Sends goods off the shelf of a station where `staff` works, to another one of their subtree.
///
/// # Errors
/// `NotFound`, `Field` for a station that is not there or the same, `NotOnShelf`, `OutOfStock`.
pub async fn send(
    db: &impl ConnectionTrait,
    staff: &StaffCaller,
    new: &NewTransfer,
    now: DateTime<Utc>,
) -> Result<Model, StockError> {
    let (found, from_region_code) = served(db, staff, new.goods_id).await?;
    let to = other_station(db, staff, &found, new.to_station_id).await?;
    if found.kind != GoodsKind::Good {
        return Err(StockError::NotOnShelf);
    }
    // The row of the goods is taken first: who sends the same at the same time waits, and then finds the copy.
    let out = movement(new.movement_id, found.id, -new.quantity, StockReason::TransferOut, Some(staff.id), now);
    if !shift(db, out, MOST_STOCK).await? {
        let left = goods::Entity::find_by_id(found.id).one(db).await?.map_or(0, |row| row.stock);
        return Err(StockError::OutOfStock { left });
    }
    let row = Model {
        id: new.id,
        from_goods_id: found.id,
        from_station_id: found.station_id,
        from_region_code,
        to_goods_id: counterpart(db, &found, &to, new.copy_id, now).await?,
        to_station_id: to.id,
        to_region_code: to.region_code,
        quantity: new.quantity,
        received: None,
        status: TransferStatus::Sent,
        sent_by: staff.id,
        sent_at: now,
        ended_by: None,
        ended_at: None,
        note: new.note.clone(),
        out_movement_id: new.movement_id,
        in_movement_id: None,
        loss_movement_id: None,
    };
    Entity::insert(row.clone().into_active_model()).exec_without_returning(db).await?;
    Ok(row)
}

/// Goods of a station where `staff` works, with the station's region.
///
/// # Errors
/// `NotFound`.
pub async fn served(
    db: &impl ConnectionTrait,
    staff: &StaffCaller,
    id: GoodsId,
) -> Result<(goods::Model, String), StockError> {
    use crate::redemption::RedemptionError;
    shelf::find_served(db, staff, id).await.map_err(|error| match error {
        RedemptionError::Db(error) => StockError::Db(error),
        _ => StockError::NotFound,
    })
}

/// Where the goods go: an open station of the subtree, whichever one `staff` themselves is bound to.
async fn other_station(
    db: &impl ConnectionTrait,
    staff: &StaffCaller,
    goods: &goods::Model,
    id: StationId,
) -> Result<station::Model, StockError> {
    const FIELD: &str = "to_station_id";
    if id == goods.station_id {
        return Err(StockError::field(FIELD, "invalid", "兑换品已在这个站点，请选择另一个站点"));
    }
    let found = station::Entity::find_by_id(id).one(db).await?;
    found.filter(|station| station.active && staff.subtree().contains(&station.region_code)).ok_or(StockError::field(
        FIELD,
        "invalid",
        "辖区内没有这个站点，或站点已停用，请从站点列表中选择",
    ))
}

/// The same goods on the other shelf: those that they went to before, else the like of them, else a copy, which stands off the
/// shelf until some have arrived.
async fn counterpart(
    db: &impl ConnectionTrait,
    goods: &goods::Model,
    to: &station::Model,
    copy_id: GoodsId,
    now: DateTime<Utc>,
) -> Result<GoodsId, StockError> {
    let before = Entity::find()
        .filter(Column::FromGoodsId.eq(goods.id))
        .filter(Column::ToStationId.eq(to.id))
        .order_by_desc(Column::Id)
        .one(db)
        .await?;
    if let Some(before) = before {
        return Ok(before.to_goods_id);
    }
    // Goods that go back come from here, too.
    let back = Entity::find()
        .filter(Column::ToGoodsId.eq(goods.id))
        .filter(Column::FromStationId.eq(to.id))
        .order_by_desc(Column::Id)
        .one(db)
        .await?;
    if let Some(back) = back {
        return Ok(back.from_goods_id);
    }
    let supplier = match goods.supplier_unit_id {
        Some(unit) => goods::Column::SupplierUnitId.eq(unit),
        None => goods::Column::SupplierUnitId.is_null(),
    };
    let like = goods::Entity::find()
        .filter(goods::Column::StationId.eq(to.id))
        .filter(goods::Column::Name.eq(goods.name.as_str()))
        .filter(goods::Column::Programme.eq(goods.programme.as_str()))
        .filter(goods::Column::Points.eq(goods.points))
        .filter(goods::Column::Kind.eq(GoodsKind::Good))
        .filter(supplier)
        .order_by_asc(goods::Column::Id)
        .one(db)
        .await?;
    if let Some(like) = like {
        return Ok(like.id);
    }
    let copy = goods::Model {
        id: copy_id,
        ref_id: None,
        station_id: to.id,
        stock: 0,
        active: false,
        created_at: now,
        updated_at: now,
        ..goods.clone()
    };
    goods::Entity::insert(copy.into_active_model()).exec_without_returning(db).await?;
    Ok(copy_id)
}

/// How a transfer ends.
#[derive(Clone, Debug)]
pub struct Ending {
    pub in_movement_id: StockMovementId,
    pub loss_movement_id: StockMovementId,
    /// Why fewer arrived, or why it is called back.
    pub note: Option<String>,
    pub now: DateTime<Utc>,
}

/// Receives goods at a station where `staff` works: `received` of them, the others are lost.
///
/// # Errors
/// `NotFound`; `Field` where more are received than were sent, or fewer without a note; `InvalidTransition`.
pub async fn receive(
    db: &impl ConnectionTrait,
    staff: &StaffCaller,
    id: StockTransferId,
    received: i32,
    ending: &Ending,
) -> Result<Model, StockError> {
    let found = receivable(db, staff, id).await?;
    let lost = found.quantity - received;
    if found.status == TransferStatus::Sent {
        if lost < 0 {
            return Err(StockError::field("quantity", "out_of_range", "签收数量不能多于发出数量，多出部分请另行入库"));
        }
        if lost > 0 && ending.note.is_none() {
            return Err(StockError::field("note", "required", "签收数量少于发出数量，请在备注中写明原因"));
        }
    }
    let ended = Ended { status: TransferStatus::Received, received: Some(received), lost, step: "签收" };
    let row = ended.apply_to(found, staff.id, ending)?;
    let before = stock_movement::Entity::find().filter(stock_movement::Column::GoodsId.eq(row.to_goods_id));
    let first = before.count(db).await? == 0;
    arrive(db, staff.id, row.to_goods_id, row.quantity, ending).await?;
    if lost > 0 {
        let (id, goods) = (ending.loss_movement_id, row.to_goods_id);
        shift(db, movement(id, goods, -lost, StockReason::Loss, Some(staff.id), ending.now), MOST_STOCK).await?;
    }
    if first && received > 0 {
        let shown = goods::Entity::update_many().col_expr(goods::Column::Active, Expr::value(true));
        shown.filter(goods::Column::Id.eq(row.to_goods_id)).exec(db).await?;
    }
    end(db, row, ended.step).await
}

/// Calls goods back to the station that sent them, where `staff` works.
///
/// # Errors
/// `NotFound`, `InvalidTransition`.
pub async fn call_back(
    db: &impl ConnectionTrait,
    staff: &StaffCaller,
    id: StockTransferId,
    ending: &Ending,
) -> Result<Model, StockError> {
    let found = cancellable(db, staff, id).await?;
    let ended = Ended { status: TransferStatus::Cancelled, received: None, lost: 0, step: "撤回" };
    let row = ended.apply_to(found, staff.id, ending)?;
    arrive(db, staff.id, row.from_goods_id, row.quantity, ending).await?;
    end(db, row, ended.step).await
}

struct Ended {
    status: TransferStatus,
    received: Option<i32>,
    lost: i32,
    /// In words.
    step: &'static str,
}

impl Ended {
    fn apply_to(&self, found: Model, staff: StaffId, ending: &Ending) -> Result<Model, StockError> {
        if found.status != TransferStatus::Sent {
            return Err(StockError::InvalidTransition { at: found.status, step: self.step });
        }
        let note = match (&found.note, &ending.note) {
            (Some(before), Some(now)) => Some(format!("{before}\n{now}")),
            (before, now) => now.clone().or_else(|| before.clone()),
        };
        Ok(Model {
            status: self.status,
            received: self.received,
            ended_by: Some(staff),
            ended_at: Some(ending.now),
            note,
            in_movement_id: Some(ending.in_movement_id),
            loss_movement_id: (self.lost > 0).then_some(ending.loss_movement_id),
            ..found
        })
    }
}

/// Moves the row, last, on condition that the goods are still on their way: of two at once one wins, and what the other did to
/// the shelf is undone with its transaction.
async fn end(db: &impl ConnectionTrait, row: Model, step: &'static str) -> Result<Model, StockError> {
    let change = ActiveModel {
        status: Set(row.status),
        received: Set(row.received),
        ended_by: Set(row.ended_by),
        ended_at: Set(row.ended_at),
        note: Set(row.note.clone()),
        in_movement_id: Set(row.in_movement_id),
        loss_movement_id: Set(row.loss_movement_id),
        ..Default::default()
    };
    let moved = Entity::update_many()
        .set(change)
        .filter(Column::Id.eq(row.id))
        .filter(Column::Status.eq(TransferStatus::Sent))
        .exec(db)
        .await?;
    if moved.rows_affected == 1 {
        return Ok(row);
    }
    // Somebody was faster: tell what it has become.
    let at = Entity::find_by_id(row.id).one(db).await?.map_or(row.status, |now| now.status);
    Err(StockError::InvalidTransition { at, step })
}

/// All that was sent is put on a shelf.
async fn arrive(
    db: &impl ConnectionTrait,
    staff: StaffId,
    goods: GoodsId,
    quantity: i32,
    ending: &Ending,
) -> Result<(), StockError> {
    let arrival = movement(ending.in_movement_id, goods, quantity, StockReason::TransferIn, Some(staff), ending.now);
    let fits = shift(db, arrival, MOST_STOCK).await?;
    fits.then_some(()).ok_or(StockError::field("quantity", "out_of_range", "入库后库存数量过大，请核对"))
}
