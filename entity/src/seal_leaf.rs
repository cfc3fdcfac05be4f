//! Where a journal stands in a seal, and its hash. Never changed, never deleted.

use crate::id::JournalId;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "seal_leaf")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub seal_no: i64,
    /// 0, 1, 2 … in order of journal id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i32,
    /// Unique: a journal is sealed once.
    pub journal_id: JournalId,
    pub hash: Vec<u8>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
