//! A dated event; imported ones carry the points each participant got.

use crate::category::Category;
use crate::id::{ActivityId, UnitId};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "activity")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ActivityId,
    #[sea_orm(column_type = "Text", nullable)]
    pub ref_id: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub title: String,
    pub category: Category,
    #[sea_orm(column_type = "Text")]
    pub region_code: String,
    pub unit_id: Option<UnitId>,
    pub starts_at: DateTimeUtc,
    pub ends_at: DateTimeUtc,
    pub capacity: i32,
    pub points: i64,
    pub participants: i32,
    pub served_persons: i32,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
