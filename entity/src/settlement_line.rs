//! Goods handed out, or taken back, that one settlement counts.

use crate::id::{GoodsId, RedemptionId, SettlementCloseId, UnitId};
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
pub enum SettlementLineKind {
    Fulfilled,
    Refunded,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "settlement_line")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub redemption_id: RedemptionId,
    /// 1 for the redemption's own row, else that of its `redemption_line`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub line: i16,
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: SettlementLineKind,
    pub close_id: SettlementCloseId,
    pub supplier_unit_id: UnitId,
    pub goods_id: GoodsId,
    pub quantity: i32,
    /// Hundredths.
    pub points: i64,
    /// Of one piece, fen.
    pub cost: i64,
    /// When it was handed out or came back.
    pub at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
