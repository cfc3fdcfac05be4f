//! What redemptions take from shelves and slots, and give back. Goods come before slots, each in the order of ids, so that
//! two baskets with the same things cannot wait for each other; all is taken or nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use entity::goods_slot::SlotStatus;
use entity::id::{GoodsId, SlotId};
use entity::redemption::{Entity, Model};
use entity::{goods, goods_slot, redemption_line, redemption_share};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ActiveEnum as _, ColumnTrait as _, ConnectionTrait, DbBackend, DbErr, EntityTrait as _, IntoActiveModel as _,
    QueryFilter as _, Statement, Value,
};
use uuid::Uuid;

use super::error::RedemptionError;
use super::lines::Basket;
use super::slot;

/// Writes the redemption and takes what it takes, last: those are the rows for which many compete.
///
/// # Errors
/// `GoodsOut`, `SlotFull`, `SlotClosed`; `NotFound` where goods were taken off the shelf meanwhile.
pub(super) async fn place(
    db: &impl ConnectionTrait,
    row: &Model,
    further: Vec<redemption_line::Model>,
    shares: Vec<redemption_share::Model>,
) -> Result<(), RedemptionError> {
    let is_plain = further.is_empty() && row.slot_id.is_none() && !row.shared;
    if is_plain && db.get_database_backend() == DbBackend::Postgres {
        let placed = place_in_one(db, row).await?;
        return if placed { Ok(()) } else { Err(missing(db, row.goods_id).await?) };
    }
    let mut taking = Taking::default();
    taking.add(row.goods_id, row.slot_id, row.quantity);
    for line in &further {
        taking.add(line.goods_id, line.slot_id, line.quantity);
    }
    Entity::insert(row.clone().into_active_model()).exec_without_returning(db).await?;
    if !further.is_empty() {
        let lines = further.into_iter().map(sea_orm::IntoActiveModel::into_active_model);
        redemption_line::Entity::insert_many(lines).exec_without_returning(db).await?;
    }
    if !shares.is_empty() {
        let shares = shares.into_iter().map(sea_orm::IntoActiveModel::into_active_model);
        redemption_share::Entity::insert_many(shares).exec_without_returning(db).await?;
    }
    taking.take(db, row.created_at).await
}

/// Pieces by goods and by slot; what is booked is taken from its slot only.
#[derive(Debug, Default)]
pub(super) struct Taking {
    goods: BTreeMap<GoodsId, i32>,
    slots: BTreeMap<SlotId, i32>,
}

impl Taking {
    pub(super) fn of<'a>(baskets: impl IntoIterator<Item = &'a Basket>) -> Self {
        let mut taking = Self::default();
        for line in baskets.into_iter().flat_map(|basket| &basket.lines) {
            taking.add(line.goods_id, line.slot.as_ref().map(|slot| slot.id), line.quantity);
        }
        taking
    }

    fn add(&mut self, goods: GoodsId, slot: Option<SlotId>, quantity: i32) {
        match slot {
            Some(slot) => *self.slots.entry(slot).or_default() += quantity,
            None => *self.goods.entry(goods).or_default() += quantity,
        }
    }

    async fn take(self, db: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<(), RedemptionError> {
        for (id, quantity) in self.goods {
            if !take_stock(db, id, quantity).await? {
                return Err(missing(db, id).await?);
            }
        }
        for (id, quantity) in self.slots {
            take_slot(db, id, quantity, now).await?;
        }
        Ok(())
    }

    /// Gives all of it back.
    pub(super) async fn give_back(self, db: &impl ConnectionTrait) -> Result<(), DbErr> {
        for (id, quantity) in self.goods {
            goods::Entity::update_many()
                .col_expr(goods::Column::Stock, Expr::col(goods::Column::Stock).add(quantity))
                .filter(goods::Column::Id.eq(id))
                .exec(db)
                .await?;
        }
        for (id, quantity) in self.slots {
            free_slot(db, id, quantity).await?;
        }
        Ok(())
    }
}

/// Why the stock could not be taken.
async fn missing(db: &impl ConnectionTrait, id: GoodsId) -> Result<RedemptionError, DbErr> {
    let found = goods::Entity::find_by_id(id).one(db).await?.filter(|found| found.active);
    Ok(found
        .map_or(RedemptionError::NotFound, |found| RedemptionError::GoodsOut { name: found.name, left: found.stock }))
}

async fn take_stock(db: &impl ConnectionTrait, id: GoodsId, quantity: i32) -> Result<bool, DbErr> {
    let taken = goods::Entity::update_many()
        .col_expr(goods::Column::Stock, Expr::col(goods::Column::Stock).sub(quantity))
        .filter(goods::Column::Id.eq(id))
        .filter(goods::Column::Active.eq(true))
        .filter(goods::Column::Stock.gte(quantity))
        .exec(db)
        .await?;
    Ok(taken.rows_affected == 1)
}

/// Takes places of a slot, by one conditional statement.
///
/// # Errors
/// `SlotFull`, `SlotClosed`.
pub(super) async fn take_slot(
    db: &impl ConnectionTrait,
    id: SlotId,
    quantity: i32,
    now: DateTime<Utc>,
) -> Result<(), RedemptionError> {
    use goods_slot::Column;
    let taken = goods_slot::Entity::update_many()
        .col_expr(Column::Taken, Expr::col(Column::Taken).add(quantity))
        .filter(Column::Id.eq(id))
        .filter(Column::Status.eq(SlotStatus::Open))
        .filter(Column::StartsAt.gt(now))
        .filter(Expr::col(Column::Capacity).sub(Expr::col(Column::Taken)).gte(quantity))
        .exec(db)
        .await?;
    if taken.rows_affected == 1 {
        return Ok(());
    }
    let found = goods_slot::Entity::find_by_id(id).one(db).await?.ok_or(RedemptionError::SlotClosed)?;
    // Where it is free again by now, it was full a moment ago.
    slot::expect_free(&found, quantity, now)?;
    Err(RedemptionError::SlotFull { left: found.capacity - found.taken })
}

/// Gives places of a slot back.
///
/// # Errors
/// The database's.
pub(super) async fn free_slot(db: &impl ConnectionTrait, id: SlotId, quantity: i32) -> Result<(), DbErr> {
    use goods_slot::Column;
    goods_slot::Entity::update_many()
        .col_expr(Column::Taken, Expr::col(Column::Taken).sub(quantity))
        .filter(Column::Id.eq(id))
        .exec(db)
        .await
        .map(drop)
}

/// The insert and [`take_stock`] in one round trip to PostgreSQL, for one line of a shelf's goods.
const PLACE: &str = "WITH taken AS (
    UPDATE goods SET stock = stock - $2 WHERE id = $1 AND active AND stock >= $2 RETURNING id
)
INSERT INTO redemption (goods_id, quantity, id, member_id, station_id, region_code, programme, points, status, channel, code,
    created_at, expires_at, fulfilled_at, fulfilled_by)
SELECT id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15 FROM taken";

async fn place_in_one(db: &impl ConnectionTrait, row: &Model) -> Result<bool, DbErr> {
    let values: [Value; 15] = [
        row.goods_id.into(),
        row.quantity.into(),
        row.id.into(),
        row.member_id.into(),
        row.station_id.into(),
        row.region_code.as_str().into(),
        row.programme.as_str().into(),
        row.points.into(),
        row.status.to_value().into(),
        row.channel.to_value().into(),
        row.code.as_deref().into(),
        row.created_at.into(),
        row.expires_at.into(),
        row.fulfilled_at.into(),
        row.fulfilled_by.map(Uuid::from).into(),
    ];
    let placed = db.execute_raw(Statement::from_sql_and_values(DbBackend::Postgres, PLACE, values)).await?;
    Ok(placed.rows_affected() == 1)
}
