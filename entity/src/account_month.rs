//! What the sealed journals of a local month changed in an account, by expiry date.

use crate::id::{AccountId, JournalId};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "account_month")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// `2026-11`: the local month in which the journals count.
    #[sea_orm(primary_key, auto_increment = false)]
    #[sea_orm(column_type = "Text")]
    pub month: String,
    /// 9999-12-31: never.
    #[sea_orm(primary_key, auto_increment = false)]
    pub expires_on: Date,
    /// Signed hundredths.
    pub amount: i64,
    /// The journals lie between these; so may some of other months.
    pub first_journal: JournalId,
    pub last_journal: JournalId,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
