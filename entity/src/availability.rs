//! A weekly span in which a volunteer can serve; local time.

use crate::id::MemberId;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "availability")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub member_id: MemberId,
    /// ISO: 1 is Monday.
    #[sea_orm(primary_key, auto_increment = false)]
    pub weekday: i16,
    /// Minutes after midnight.
    #[sea_orm(primary_key, auto_increment = false)]
    pub from_minute: i16,
    pub until_minute: i16,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
