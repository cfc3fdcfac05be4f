//! A journal that waits for its seal. Written with the journal, gone with the sealing.

use crate::id::JournalId;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "unsealed")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub journal_id: JournalId,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
