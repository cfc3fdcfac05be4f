//! Stations, goods, what came to the shelf, redemptions.

use std::collections::BTreeMap;

use entity::id::{GoodsId, JournalId, StockMovementId};
use entity::journal::JournalKind;
use entity::redemption::{RedemptionChannel, RedemptionStatus};
use entity::station::StationKind;
use entity::stock_movement::StockReason;
use sea_orm::{ConnectionTrait, DbErr, Value};

use super::{Stamp, WriteError, word};
use crate::audit::Actor;
use crate::db::Bulk;
use crate::exchange::import::REDEMPTION;
use crate::exchange::import::known::PROGRAMME;
use crate::exchange::import::rows::{Accepted, GoodsRow, MovementRow, RedemptionRow};
use crate::points::bulk::{Batch, Transfer, post_all};

pub(in super::super) async fn goods(
    db: &impl ConnectionTrait,
    stamp: &Stamp,
    rows: &[Accepted<GoodsRow>],
) -> Result<(), WriteError> {
    stations(db, stamp, rows).await?;
    let columns = [
        "id",
        "ref_id",
        "name",
        "station_id",
        "programme",
        "points",
        "stock",
        "per_member_limit",
        "supplier_unit_id",
        "active",
        "created_at",
        "updated_at",
    ];
    let mut lines = Bulk::insert(db, "goods", &columns);
    for Accepted { row, reference, .. } in rows {
        let line = [
            row.id.into(),
            reference.as_str().into(),
            row.name.as_str().into(),
            row.station.into(),
            PROGRAMME.into(),
            row.points.into(),
            row.stock.into(),
            row.per_member_limit.into(),
            row.supplier.into(),
            true.into(),
            stamp.now.into(),
            stamp.now.into(),
        ];
        lines.push(db, line).await?;
    }
    lines.finish(db).await?;
    let mut movements = Bulk::insert(db, "stock_movement", &["id", "goods_id", "quantity", "reason", "at"]);
    for Accepted { row, .. } in rows.iter().filter(|accepted| accepted.row.stock > 0) {
        let id = StockMovementId::new();
        let line = [id.into(), row.id.into(), row.stock.into(), word(&StockReason::Initial), stamp.now.into()];
        movements.push(db, line).await?;
    }
    movements.finish(db).await?;
    Ok(())
}

/// One for each community that has goods; its code is the ref.
async fn stations(db: &impl ConnectionTrait, stamp: &Stamp, rows: &[Accepted<GoodsRow>]) -> Result<(), DbErr> {
    let columns = ["id", "ref_id", "name", "kind", "region_code", "active", "created_at", "updated_at"];
    let mut lines = Bulk::insert(db, "station", &columns);
    for Accepted { row, .. } in rows {
        let Some((code, name)) = &row.new_station else { continue };
        let line = [
            row.station.into(),
            code.as_str().into(),
            name.as_str().into(),
            word(&StationKind::PointsShop),
            code.as_str().into(),
            true.into(),
            stamp.now.into(),
            stamp.now.into(),
        ];
        lines.push(db, line).await?;
    }
    lines.finish(db).await.map(drop)
}

pub(in super::super) async fn stock_movements(
    db: &impl ConnectionTrait,
    _: &Stamp,
    rows: &[Accepted<MovementRow>],
) -> Result<(), WriteError> {
    let mut lines = Bulk::insert(db, "stock_movement", &["id", "ref_id", "goods_id", "quantity", "reason", "at"]);
    let mut sums: BTreeMap<GoodsId, i32> = BTreeMap::new();
    for Accepted { row, reference, .. } in rows {
        let line = [
            row.id.into(),
            reference.as_str().into(),
            row.goods.into(),
            row.quantity.into(),
            word(&row.reason),
            row.at.into(),
        ];
        lines.push(db, line).await?;
        *sums.entry(row.goods).or_default() += row.quantity;
    }
    lines.finish(db).await?;
    move_stock(db, &sums).await?;
    Ok(())
}

/// Where the shelf would fall below zero, the database refuses.
async fn move_stock(db: &impl ConnectionTrait, sums: &BTreeMap<GoodsId, i32>) -> Result<(), DbErr> {
    let mut lines = Bulk::update(db, "goods", 2, "stock = goods.stock + v.column2", "goods.id = v.column1");
    for (goods, sum) in sums {
        lines.push(db, [(*goods).into(), (*sum).into()]).await?;
    }
    lines.finish(db).await.map(drop)
}

const REDEMPTION_COLUMNS: [&str; 13] = [
    "id",
    "ref_id",
    "member_id",
    "goods_id",
    "station_id",
    "region_code",
    "programme",
    "quantity",
    "points",
    "status",
    "channel",
    "created_at",
    "fulfilled_at",
];

/// Fulfilled ones: their points are spent, their goods gone.
pub(in super::super) async fn redemptions(
    db: &impl ConnectionTrait,
    stamp: &Stamp,
    rows: &[Accepted<RedemptionRow>],
) -> Result<(), WriteError> {
    let mut lines = Bulk::insert(db, "redemption", &REDEMPTION_COLUMNS);
    let mut sums: BTreeMap<GoodsId, i32> = BTreeMap::new();
    for Accepted { row, reference, .. } in rows {
        lines.push(db, redemption(reference, row)).await?;
        *sums.entry(row.goods).or_default() -= row.quantity;
    }
    lines.finish(db).await?;
    let spent: Vec<Transfer<'_>> =
        rows.iter().filter(|accepted| accepted.row.post).map(|accepted| transfer(&accepted.row)).collect();
    let batch = Batch {
        kind: JournalKind::Spend,
        programme: PROGRAMME,
        source_kind: REDEMPTION,
        actor: Actor::System,
        posted_at: stamp.now,
        today: stamp.calendar.day_of(stamp.now),
    };
    post_all(db, &batch, &spent).await?;
    move_stock(db, &sums).await?;
    Ok(())
}

fn redemption(reference: &str, row: &RedemptionRow) -> [Value; 13] {
    [
        row.id.into(),
        reference.into(),
        row.person.id.into(),
        row.goods.into(),
        row.station.into(),
        row.region.as_str().into(),
        PROGRAMME.into(),
        row.quantity.into(),
        row.points.into(),
        word(&RedemptionStatus::Fulfilled),
        word(&RedemptionChannel::Import),
        row.at.into(),
        row.at.into(),
    ]
}

/// Spent in the books of the station's community, as at the counter.
fn transfer(row: &RedemptionRow) -> Transfer<'_> {
    Transfer {
        journal_id: JournalId::new(),
        member_id: row.person.id,
        community: &row.region,
        amount: row.points,
        source_id: row.id.0,
        at: row.at,
    }
}
