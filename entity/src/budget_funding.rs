//! What was given to a budget or taken from it. Never changed, never deleted.

use crate::id::{BudgetId, FundingId, StaffId};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "budget_funding")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: FundingId,
    pub budget_id: BudgetId,
    /// Hundredths; below zero was withdrawn.
    pub amount: i64,
    #[sea_orm(column_type = "Text")]
    pub reason: String,
    pub staff_id: StaffId,
    pub at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
