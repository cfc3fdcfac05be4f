//! Goods on their way from one station to another.

use crate::id::{GoodsId, StaffId, StationId, StockMovementId, StockTransferId};
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
pub enum TransferStatus {
    Sent,
    Received,
    Cancelled,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "stock_transfer")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: StockTransferId,
    pub from_goods_id: GoodsId,
    pub from_station_id: StationId,
    #[sea_orm(column_type = "Text")]
    pub from_region_code: String,
    /// The same goods on the other shelf.
    pub to_goods_id: GoodsId,
    pub to_station_id: StationId,
    #[sea_orm(column_type = "Text")]
    pub to_region_code: String,
    pub quantity: i32,
    /// How many arrived; the rest is lost.
    pub received: Option<i32>,
    pub status: TransferStatus,
    pub sent_by: StaffId,
    pub sent_at: DateTimeUtc,
    /// Who received or cancelled.
    pub ended_by: Option<StaffId>,
    pub ended_at: Option<DateTimeUtc>,
    /// Why fewer arrived, or why it was cancelled.
    #[sea_orm(column_type = "Text", nullable)]
    pub note: Option<String>,
    pub out_movement_id: StockMovementId,
    /// All of them on the other shelf; back on the first where it was cancelled.
    pub in_movement_id: Option<StockMovementId>,
    /// Those that did not arrive.
    pub loss_movement_id: Option<StockMovementId>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
