//! From which day on how many minutes give how many stars.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "star_threshold")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub valid_from: Date,
    #[sea_orm(primary_key, auto_increment = false)]
    pub stars: i16,
    pub minutes: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
