//! What the sealed journals of one kind changed in a community's books in a local month.

use crate::journal::JournalKind;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "turnover")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    #[sea_orm(column_type = "Text")]
    pub programme: String,
    /// `2026-11`: the local month in which the journals count.
    #[sea_orm(primary_key, auto_increment = false)]
    #[sea_orm(column_type = "Text")]
    pub month: String,
    /// The community whose books it is in.
    #[sea_orm(primary_key, auto_increment = false)]
    #[sea_orm(column_type = "Text")]
    pub region_code: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: JournalKind,
    /// Hundredths that members gained; below zero they lost them.
    pub amount: i64,
    pub journals: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
