//! A line of a redemption after the first, which its own row is.

use crate::id::{GoodsId, MemberId, RedemptionId, SlotId};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "redemption_line")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub redemption_id: RedemptionId,
    /// 2, 3, 4 …
    #[sea_orm(primary_key, auto_increment = false)]
    pub line: i16,
    /// The redemption's: limits are counted by it.
    pub member_id: MemberId,
    pub goods_id: GoodsId,
    pub quantity: i32,
    /// Of this line, hundredths.
    pub points: i64,
    pub slot_id: Option<SlotId>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
