//! An organisation that reports to a community, provides resources or fields a team.

use crate::id::UnitId;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "unit")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UnitId,
    /// The id it had in the data set it was imported from.
    #[sea_orm(column_type = "Text", nullable)]
    pub ref_id: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub name: String,
    #[sea_orm(column_type = "Text")]
    pub unit_type: String,
    /// The community it is paired with.
    #[sea_orm(column_type = "Text")]
    pub region_code: String,
    pub party_members: i32,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
