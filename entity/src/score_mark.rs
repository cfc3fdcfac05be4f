//! A change of a record that boards have yet to count; written in its transaction, taken away when counted.

use crate::id::ServiceRecordId;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "score_mark")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub record_id: ServiceRecordId,
    /// 1: it counts from now on; -1: it was reversed.
    #[sea_orm(primary_key, auto_increment = false)]
    pub change: i16,
    pub marked_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
