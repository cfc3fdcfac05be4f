//! What one member pays of a redemption that several pay for.

use crate::id::{MemberId, RedemptionId, RedemptionShareId};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "redemption_share")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RedemptionShareId,
    pub redemption_id: RedemptionId,
    pub member_id: MemberId,
    /// Hundredths.
    pub points: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
