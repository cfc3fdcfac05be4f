//! What came to the shelf or left it other than by redemption.

use crate::id::{GoodsId, StaffId, StockMovementId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    EnumIter,
    DeriveActiveEnum,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum StockReason {
    Initial,
    Receipt,
    Loss,
    Count,
    TransferOut,
    TransferIn,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "stock_movement")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: StockMovementId,
    #[sea_orm(column_type = "Text", nullable)]
    pub ref_id: Option<String>,
    pub goods_id: GoodsId,
    /// What it changed the stock by; 0 only where a count found what was known.
    pub quantity: i32,
    pub reason: StockReason,
    pub staff_id: Option<StaffId>,
    pub at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
