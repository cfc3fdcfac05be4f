//! One kind of goods of a stock take: what should have been there and what was.

use crate::id::{GoodsId, StockMovementId, StockTakeId};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "stock_take_line")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub stock_take_id: StockTakeId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub goods_id: GoodsId,
    /// What should lie there: the stock and the pieces that wait to be picked up.
    pub expected: i32,
    /// Those of them that wait to be picked up.
    pub reserved: i32,
    pub counted: i32,
    /// Of one piece as of then, fen.
    pub cost: Option<i64>,
    /// What brought the stock in line, where it was not.
    pub movement_id: Option<StockMovementId>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
