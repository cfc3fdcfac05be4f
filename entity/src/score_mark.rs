//! A member whose boards are to be counted anew.

use crate::id::{MemberId, ScoreMarkId};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "score_mark")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ScoreMarkId,
    pub member_id: MemberId,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
