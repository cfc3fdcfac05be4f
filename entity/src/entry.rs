//! A signed line of a journal, in hundredths.

use crate::id::{AccountId, JournalId};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "entry")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub journal_id: JournalId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub line: i16,
    pub account_id: AccountId,
    pub amount: i64,
    /// The bucket it moves; None: points that never expire.
    pub expires_on: Option<Date>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
