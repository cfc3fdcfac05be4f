//! What lies on a station's shelf, counted by its staff.

use crate::id::{StaffId, StationId, StockTakeId};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "stock_take")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: StockTakeId,
    pub station_id: StationId,
    /// The station's community.
    #[sea_orm(column_type = "Text")]
    pub region_code: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub note: Option<String>,
    pub staff_id: StaffId,
    pub at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
