//! What lies on the shelves, beside what members do: a shelf counted as a whole, and goods on their way from one station to
//! another.
//!
//! What always holds, and `linli verify` proves: each difference of a stock take has its movement, and goods sent are on the
//! other shelf, on their way, back, or written off: nothing is lost in between.
//!
//! Rows of goods are taken in ascending order of their ids, and at most those of one station in one transaction.

mod error;
pub mod take;
mod take_route;
pub mod transfer;
pub mod transfer_query;
mod transfer_route;
pub mod verify;

use std::collections::HashMap;

use entity::goods;
use entity::id::{GoodsId, StaffId, StockMovementId};
use entity::redemption::{self, RedemptionStatus};
use entity::redemption_line;
use entity::stock_movement::{self, StockReason};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, IntoActiveModel as _, QueryFilter as _,
    QuerySelect as _, QueryTrait as _,
};
use utoipa_actix_web::service_config::ServiceConfig;

pub use error::StockError;

/// The routes of stock takes and transfers.
pub(super) fn routes(config: &mut ServiceConfig) {
    take_route::routes(config);
    transfer_route::routes(config);
}

/// How many pieces of each lie there and wait to be picked up, those taken from a time to book not among them; none of what is
/// not named.
async fn reserved(db: &impl ConnectionTrait, goods: &[GoodsId]) -> Result<HashMap<GoodsId, i64>, DbErr> {
    let mut pieces: HashMap<GoodsId, i64> = HashMap::new();
    let first: Vec<(GoodsId, Option<i64>)> = redemption::Entity::find()
        .select_only()
        .column(redemption::Column::GoodsId)
        .column_as(Expr::col(redemption::Column::Quantity).sum().cast_as("bigint"), "pieces")
        .filter(redemption::Column::GoodsId.is_in(goods.iter().copied()))
        .filter(redemption::Column::Status.eq(RedemptionStatus::Reserved))
        .filter(redemption::Column::SlotId.is_null())
        .group_by(redemption::Column::GoodsId)
        .into_tuple()
        .all(db)
        .await?;
    let waiting = redemption::Entity::find()
        .select_only()
        .column(redemption::Column::Id)
        .filter(redemption::Column::Status.eq(RedemptionStatus::Reserved))
        .filter(redemption::Column::LineCount.gt(1))
        .into_query();
    let others: Vec<(GoodsId, Option<i64>)> = redemption_line::Entity::find()
        .select_only()
        .column(redemption_line::Column::GoodsId)
        .column_as(Expr::col(redemption_line::Column::Quantity).sum().cast_as("bigint"), "pieces")
        .filter(redemption_line::Column::GoodsId.is_in(goods.iter().copied()))
        .filter(redemption_line::Column::RedemptionId.in_subquery(waiting))
        .filter(redemption_line::Column::SlotId.is_null())
        .group_by(redemption_line::Column::GoodsId)
        .into_tuple()
        .all(db)
        .await?;
    for (goods, found) in first.into_iter().chain(others) {
        *pieces.entry(goods).or_default() += found.unwrap_or(0);
    }
    Ok(pieces)
}

/// Writes a movement and lets the stock follow; false where the stock would fall below zero or rise above `most`, and then
/// nothing is written.
pub(super) async fn shift(
    db: &impl ConnectionTrait,
    movement: stock_movement::Model,
    most: i32,
) -> Result<bool, DbErr> {
    let after = Expr::col(goods::Column::Stock).add(movement.quantity);
    let moved = goods::Entity::update_many()
        .col_expr(goods::Column::Stock, after.clone())
        .filter(goods::Column::Id.eq(movement.goods_id))
        .filter(after.between(0, most))
        .exec(db)
        .await?;
    if moved.rows_affected != 1 {
        return Ok(false);
    }
    stock_movement::Entity::insert(movement.into_active_model()).exec_without_returning(db).await?;
    Ok(true)
}

/// A movement by staff.
pub(super) fn movement(
    id: StockMovementId,
    goods_id: GoodsId,
    quantity: i32,
    reason: StockReason,
    staff: Option<StaffId>,
    at: chrono::DateTime<chrono::Utc>,
) -> stock_movement::Model {
    stock_movement::Model { id, ref_id: None, goods_id, quantity, reason, staff_id: staff, at }
}
