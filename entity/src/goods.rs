//! A good or service on a station's shelf, priced in points.

use crate::id::{GoodsId, StationId, UnitId};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "goods")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: GoodsId,
    #[sea_orm(column_type = "Text", nullable)]
    pub ref_id: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub name: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub description: Option<String>,
    pub station_id: StationId,
    #[sea_orm(column_type = "Text")]
    pub programme: String,
    /// Price of one, hundredths.
    pub points: i64,
    pub stock: i32,
    pub per_member_limit: Option<i32>,
    pub supplier_unit_id: Option<UnitId>,
    pub active: bool,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
