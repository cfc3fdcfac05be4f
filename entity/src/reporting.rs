//! A party member's registration with a community for their unit (双报到).

use crate::id::{MemberId, ReportingId, UnitId};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "reporting")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ReportingId,
    pub member_id: MemberId,
    pub unit_id: UnitId,
    #[sea_orm(column_type = "Text")]
    pub region_code: String,
    pub reported_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
