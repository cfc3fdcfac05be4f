//! A station's shelf, counted: what should lie there, what does, and the movements that bring the stock in line.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use entity::goods::{self, GoodsKind};
use entity::id::{GoodsId, StationId, StockMovementId, StockTakeId};
use entity::stock_movement::StockReason;
use entity::{station, stock_movement, stock_take, stock_take_line};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, IntoActiveModel as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};

use super::error::StockError;
use super::{movement, reserved, shift};
use crate::db::insert_all;
use crate::http::{Listing, Page, Problem};
use crate::identity::StaffCaller;
use crate::redemption::goods::MOST_STOCK;

/// What was counted of one kind of goods.
#[derive(Clone, Copy, Debug)]
pub struct Count {
    pub goods_id: GoodsId,
    /// All that lies there, with those that wait to be picked up; 0 to [`MOST_STOCK`].
    pub counted: i32,
    /// Of the movement that it may need.
    pub movement_id: StockMovementId,
}

/// A count of a station's shelf, or of part of it.
#[derive(Clone, Debug)]
pub struct NewTake {
    pub id: StockTakeId,
    pub station_id: StationId,
    /// Why something is missing.
    pub note: Option<String>,
    pub counts: Vec<Count>,
}

/// A stock take with its difference journal.
#[derive(Clone, Debug)]
pub struct Taken {
    pub take: stock_take::Model,
    /// With the goods' names, in the order of the goods.
    pub lines: Vec<(stock_take_line::Model, String)>,
}

/// A station where `staff` works.
///
/// # Errors
/// `NotFound`.
pub async fn served_station(
    db: &impl ConnectionTrait,
    staff: &StaffCaller,
    id: StationId,
) -> Result<station::Model, StockError> {
    let found = station::Entity::find_by_id(id).one(db).await?;
    found.filter(|station| staff.serves(station.id, &station.region_code)).ok_or(StockError::NotFound)
}

/// Takes the count down and brings the stock of all counted goods in line, or of none.
///
/// # Errors
/// `NotFound` for a station where `staff` does not work; `Field` for goods that lie on another shelf, are named twice or are no
/// goods to count, and where something is missing and no note says why; `StockReserved`.
pub async fn take(
    db: &impl ConnectionTrait,
    staff: &StaffCaller,
    new: &NewTake,
    now: DateTime<Utc>,
) -> Result<Taken, StockError> {
    let station = served_station(db, staff, new.station_id).await?;
    let shelf = shelf(db, new).await?;
    let ids: Vec<GoodsId> = new.counts.iter().map(|count| count.goods_id).collect();
    let reserved = reserved(db, &ids).await?;
    let mut lines = Vec::with_capacity(new.counts.len());
    let mut movements = Vec::new();
    for count in &new.counts {
        let Some(goods) = shelf.get(&count.goods_id) else { return Err(StockError::NotFound) };
        let held = reserved.get(&goods.id).copied().unwrap_or(0);
        let line = line(new.id, goods, i32::try_from(held).unwrap_or(i32::MAX), count)?;
        if line.movement_id.is_some() {
            let difference = line.counted - line.expected;
            movements.push(movement(count.movement_id, goods.id, difference, StockReason::Count, Some(staff.id), now));
        }
        lines.push((line, goods.name.clone()));
    }
    if new.note.is_none() && lines.iter().any(|(line, _)| line.counted < line.expected) {
        return Err(StockError::field("note", "required", "有盘亏，请在备注中写明原因"));
    }
    lines.sort_by_key(|(line, _)| line.goods_id);
    let take = stock_take::Model {
        id: new.id,
        station_id: station.id,
        region_code: station.region_code,
        note: new.note.clone(),
        staff_id: staff.id,
        at: now,
    };
    write(db, &take, &lines, movements).await?;
    Ok(Taken { take, lines })
}

/// The goods that are counted, locked; each of them lies on the station's shelf and is counted once.
async fn shelf(db: &impl ConnectionTrait, new: &NewTake) -> Result<HashMap<GoodsId, goods::Model>, StockError> {
    let at = |index: usize| format!("lines[{index}].goods_id");
    let mut seen = HashSet::new();
    for (index, count) in new.counts.iter().enumerate() {
        if !seen.insert(count.goods_id) {
            return Err(StockError::field(at(index), "invalid", "同一兑换品只能盘点一次，请合并后提交"));
        }
    }
    let rows = goods::Entity::find()
        .filter(goods::Column::Id.is_in(seen))
        .filter(goods::Column::StationId.eq(new.station_id))
        .order_by_asc(goods::Column::Id)
        .lock_exclusive()
        .all(db)
        .await?;
    let shelf: HashMap<GoodsId, goods::Model> = rows.into_iter().map(|row| (row.id, row)).collect();
    for (index, count) in new.counts.iter().enumerate() {
        match shelf.get(&count.goods_id).map(|goods| goods.kind) {
            Some(GoodsKind::Good) => {}
            Some(GoodsKind::Service | GoodsKind::Voucher) => {
                return Err(StockError::field(at(index), "invalid", "服务和礼券不在货架上，无需盘点，请去掉这一行"));
            }
            None => return Err(StockError::field(at(index), "invalid", "本站点没有这个兑换品，请从本站货架中选择")),
        }
    }
    Ok(shelf)
}

fn line(
    id: StockTakeId,
    goods: &goods::Model,
    reserved: i32,
    count: &Count,
) -> Result<stock_take_line::Model, StockError> {
    let expected = goods.stock.saturating_add(reserved);
    if count.counted < reserved {
        return Err(StockError::StockReserved { name: goods.name.clone(), reserved, counted: count.counted });
    }
    Ok(stock_take_line::Model {
        stock_take_id: id,
        goods_id: goods.id,
        expected,
        reserved,
        counted: count.counted,
        cost: Some(goods.cost),
        movement_id: (count.counted != expected).then_some(count.movement_id),
    })
}

async fn write(
    db: &impl ConnectionTrait,
    take: &stock_take::Model,
    lines: &[(stock_take_line::Model, String)],
    movements: Vec<stock_movement::Model>,
) -> Result<(), StockError> {
    stock_take::Entity::insert(take.clone().into_active_model()).exec_without_returning(db).await?;
    for moved in movements {
        let (goods, quantity) = (moved.goods_id, moved.quantity);
        if !shift(db, moved, MOST_STOCK).await? {
            // The rows are locked, so only a count beyond what a shelf holds gets here.
            return Err(match goods::Entity::find_by_id(goods).one(db).await? {
                Some(found) if quantity < 0 => StockError::OutOfStock { left: found.stock },
                _ => StockError::field("lines", "out_of_range", "清点数过大，请核对"),
            });
        }
    }
    let rows: Vec<stock_take_line::ActiveModel> =
        lines.iter().map(|(line, _)| line.clone().into_active_model()).collect();
    insert_all(db, rows).await?;
    Ok(())
}

/// A stock take of a station where `staff` works.
///
/// # Errors
/// `NotFound`.
pub async fn find(db: &impl ConnectionTrait, staff: &StaffCaller, id: StockTakeId) -> Result<Taken, StockError> {
    let found = stock_take::Entity::find_by_id(id).one(db).await?;
    let take = found.filter(|take| staff.serves(take.station_id, &take.region_code)).ok_or(StockError::NotFound)?;
    let lines = stock_take_line::Entity::find()
        .filter(stock_take_line::Column::StockTakeId.eq(id))
        .order_by_asc(stock_take_line::Column::GoodsId)
        .all(db)
        .await?;
    let names = goods::Entity::find().filter(goods::Column::Id.is_in(lines.iter().map(|line| line.goods_id)));
    let names: HashMap<GoodsId, String> = names.all(db).await?.into_iter().map(|row| (row.id, row.name)).collect();
    let name = |id: GoodsId| names.get(&id).cloned().unwrap_or_default();
    Ok(Taken { take, lines: lines.into_iter().map(|line| (line.clone(), name(line.goods_id))).collect() })
}

/// How much a stock take found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sums {
    /// Kinds of goods counted.
    pub goods: i64,
    /// Pieces missing.
    pub short: i64,
    /// Pieces too many.
    pub over: i64,
}

/// The stock takes of a station, latest first.
///
/// # Errors
/// 422 for a forged cursor; the database's.
pub async fn list(
    db: &impl ConnectionTrait,
    station: StationId,
    page: &Page,
) -> Result<Listing<(stock_take::Model, Sums)>, Problem> {
    let mut query = stock_take::Entity::find().filter(stock_take::Column::StationId.eq(station));
    if let Some(after) = page.after::<StockTakeId>()? {
        query = query.filter(stock_take::Column::Id.lt(after));
    }
    let rows = query.order_by_desc(stock_take::Column::Id).limit(page.limit() + 1).all(db).await?;
    let sums = sums(db, rows.iter().map(|row| row.id).collect()).await?;
    let with_sums = |row: stock_take::Model| {
        let found = sums.get(&row.id).copied().unwrap_or_default();
        (row, found)
    };
    Ok(Listing::cut(rows, page, |last| last.id).map(with_sums))
}

async fn sums(db: &impl ConnectionTrait, takes: Vec<StockTakeId>) -> Result<HashMap<StockTakeId, Sums>, DbErr> {
    use stock_take_line::Column;
    let difference = || Expr::col(Column::Counted).sub(Expr::col(Column::Expected));
    let part = |when: Expr, value: Expr| Expr::case(when, value).finally(0).cast_as("bigint").sum().cast_as("bigint");
    let rows: Vec<(StockTakeId, i64, Option<i64>, Option<i64>)> = stock_take_line::Entity::find()
        .select_only()
        .column(Column::StockTakeId)
        .column_as(Expr::col(Column::GoodsId).count(), "goods")
        .column_as(part(difference().lt(0), Expr::val(0).sub(difference())), "short")
        .column_as(part(difference().gt(0), difference()), "over")
        .filter(Column::StockTakeId.is_in(takes))
        .group_by(Column::StockTakeId)
        .into_tuple()
        .all(db)
        .await?;
    let sums = |(id, goods, short, over): (StockTakeId, i64, Option<i64>, Option<i64>)| {
        (id, Sums { goods, short: short.unwrap_or(0), over: over.unwrap_or(0) })
    };
    Ok(rows.into_iter().map(sums).collect())
}
