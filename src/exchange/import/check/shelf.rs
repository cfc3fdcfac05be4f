//! Goods, what came to the shelf, and redemptions.

use entity::id::{GoodsId, StationId, StockMovementId};
use entity::stock_movement::StockReason;

use super::{Context, count};
use crate::exchange::import::known::Shelf;
use crate::exchange::import::rows::{GoodsRow, MovementRow, RedemptionRow};
use crate::exchange::report::Reason;
use crate::exchange::row::Row;
use crate::exchange::table::Table;
use crate::exchange::text;

pub(in super::super) fn goods(cx: &mut Context<'_>, row: &Row) -> Result<GoodsRow, Reason> {
    const T: Table = Table::Goods;
    const LIMIT: usize = T.position("per_member_limit");
    const SUPPLIER: usize = T.position("supplier_unit_id");
    cx.unique()?;
    let region = cx.community(row.cell(const { T.position("station_region_code") }))?;
    let supplier = match row.given(SUPPLIER) {
        Some(unit) => Some(*cx.known.units.get(unit).ok_or(Reason::UNKNOWN_UNIT)?),
        None => None,
    };
    let points = text::hundredths(row.cell(const { T.position("points_cost") })).filter(|points| *points > 0);
    let points = points.ok_or(Reason::BAD_NUMBER)?;
    let stock = count(row, const { T.position("stock") }, 0)?;
    let per_member_limit = match (row.given(LIMIT), count(row, LIMIT, 0)?) {
        (None, _) => None,
        (Some(_), 0) => return Err(Reason::BAD_NUMBER),
        (Some(_), limit) => Some(limit),
    };
    let (station, new_station) = match cx.known.stations.get(region.as_str()) {
        Some(station) => (*station, None),
        None => (StationId::new(), Some((region.clone(), station_name(cx, &region)))),
    };
    let id = GoodsId::new();
    cx.known.stations.insert(region.as_str().into(), station);
    let reference = row.cell(const { T.position("goods_id") });
    let shelf = Shelf { id, station, region: region.into(), left: stock, limit: per_member_limit };
    cx.known.goods.insert(reference.into(), shelf);
    let name = row.cell(const { T.position("name") }).to_owned();
    Ok(GoodsRow { id, name, station, new_station, points, stock, per_member_limit, supplier })
}

/// The points shop of a community, by the community's short name.
fn station_name(cx: &Context<'_>, region: &str) -> String {
    let full = cx.known.regions.get(region).map_or(region, |region| &region.name);
    let tails = ["社区居民委员会", "居民委员会", "社区居委会", "居委会", "村民委员会", "村委会"];
    let short = tails.iter().find_map(|tail| Some((full.strip_suffix(tail)?, tail)));
    let short = short.map_or_else(
        || full.to_owned(),
        |(name, tail)| name.to_owned() + if tail.starts_with('村') { "村" } else { "社区" },
    );
    short + "积分超市"
}

pub(in super::super) fn stock_movement(cx: &mut Context<'_>, row: &Row) -> Result<MovementRow, Reason> {
    const T: Table = Table::StockMovements;
    cx.unique()?;
    let reference = row.cell(const { T.position("goods_id") });
    if !cx.known.goods.contains_key(reference) {
        return Err(Reason::UNKNOWN_GOODS);
    }
    let reason = match row.cell(const { T.position("reason") }) {
        "initial" => StockReason::Initial,
        "receipt" => StockReason::Receipt,
        "loss" => StockReason::Loss,
        "count" => StockReason::Count,
        "transfer_out" => StockReason::TransferOut,
        "transfer_in" => StockReason::TransferIn,
        _ => return Err(Reason::UNKNOWN_REASON),
    };
    let at = cx.times.instant(row.cell(const { T.position("at") })).ok_or(Reason::BAD_TIME)?;
    let quantity =
        text::decimal(row.cell(const { T.position("quantity") })).filter(|quantity| quantity.fract().is_zero());
    let quantity: i32 =
        quantity.and_then(|quantity| quantity.try_into().ok()).filter(|q| *q != 0).ok_or(Reason::BAD_NUMBER)?;
    let shelf = cx.known.goods.get_mut(reference).ok_or(Reason::UNKNOWN_GOODS)?;
    shelf.left = shelf.left.checked_add(quantity).filter(|left| *left >= 0).ok_or(Reason::OUT_OF_STOCK)?;
    Ok(MovementRow { id: StockMovementId::new(), goods: shelf.id, quantity, reason, at })
}

/// A fulfilled redemption. What the member has and what the shelf holds are taken as they are in all, not as they were at
/// that hour: the set may know the hour of a redemption better than that of what paid for it.
pub(in super::super) fn redemption(cx: &mut Context<'_>, row: &Row) -> Result<RedemptionRow, Reason> {
    const T: Table = Table::Redemptions;
    const STATION: usize = T.position("station_region_code");
    cx.unique()?;
    let person = cx.person(row.cell(const { T.position("member_id") }))?;
    let reference = row.cell(const { T.position("goods_id") });
    let shelf = cx.known.goods.get(reference).ok_or(Reason::UNKNOWN_GOODS)?;
    if row.given(STATION).is_some_and(|code| code != &*shelf.region) {
        return Err(Reason::UNKNOWN_STATION);
    }
    let at = cx.times.moment(row.cell(const { T.position("redeemed_at") })).ok_or(Reason::BAD_TIME)?;
    let quantity = count(row, const { T.position("quantity") }, 0)?;
    let points = text::hundredths(row.cell(const { T.position("points") })).filter(|points| *points > 0);
    let points = points.filter(|_| quantity > 0).ok_or(Reason::BAD_NUMBER)?;
    let member = person.id;
    let posted = cx.known.posted_redemptions.get(row.cell(0)).copied();
    let available = cx.known.available.get(&member).copied().unwrap_or(0);
    if posted.is_none() && available < points {
        return Err(Reason::INSUFFICIENT_POINTS);
    }
    if shelf.left < quantity {
        return Err(Reason::OUT_OF_STOCK);
    }
    let bought = cx.known.bought.get(&(shelf.id, member)).copied().unwrap_or(0);
    if shelf.limit.is_some_and(|limit| bought.saturating_add(quantity) > limit) {
        return Err(Reason::LIMIT_REACHED);
    }
    let accepted = RedemptionRow {
        id: posted.unwrap_or_default(),
        person,
        goods: shelf.id,
        station: shelf.station,
        region: shelf.region.to_string(),
        quantity,
        points,
        at,
        post: posted.is_none(),
    };
    if accepted.post {
        cx.known.available.insert(member, available - points);
    }
    cx.known.bought.insert((accepted.goods, member), bought + quantity);
    if let Some(shelf) = cx.known.goods.get_mut(reference) {
        shelf.left -= quantity;
    }
    Ok(accepted)
}
