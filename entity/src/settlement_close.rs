//! A month that was closed for a region: what was handed out until then is settled.

use crate::id::{SettlementCloseId, StaffId};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "settlement_close")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SettlementCloseId,
    #[sea_orm(column_type = "Text")]
    pub region_code: String,
    /// `2026-10`, local.
    #[sea_orm(column_type = "Text")]
    pub month: String,
    pub closed_by: StaffId,
    pub closed_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
