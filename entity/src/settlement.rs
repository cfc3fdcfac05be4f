//! What one supplier is owed for one month in one region. Frozen; only the payment is added.

use crate::id::{SettlementCloseId, SettlementId, StaffId, UnitId};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "settlement")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SettlementId,
    pub close_id: SettlementCloseId,
    pub supplier_unit_id: UnitId,
    #[sea_orm(column_type = "Text")]
    pub region_code: String,
    /// `2026-10`, local.
    #[sea_orm(column_type = "Text")]
    pub month: String,
    /// Handed out.
    pub pieces: i64,
    /// Spent on them, hundredths.
    pub points: i64,
    /// Their cost, fen.
    pub amount: i64,
    /// That came back.
    pub refunded_pieces: i64,
    /// Hundredths.
    pub refunded_points: i64,
    /// Fen; owed is `amount` less this.
    pub refunded_amount: i64,
    pub paid_on: Option<Date>,
    #[sea_orm(column_type = "Text", nullable)]
    pub payment_reference: Option<String>,
    pub paid_by: Option<StaffId>,
    pub paid_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
