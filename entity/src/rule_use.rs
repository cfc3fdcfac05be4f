//! What rules with a cap of their own have let each account earn; a reversal takes its row away.

use crate::id::{AccountId, RuleId};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rule_use")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    #[sea_orm(column_type = "Text")]
    pub source_kind: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub source_id: Uuid,
    pub rule_id: RuleId,
    pub account_id: AccountId,
    /// Hundredths, above zero.
    pub amount: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
