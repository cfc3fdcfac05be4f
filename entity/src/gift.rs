//! Points that one member gave another. Its journal has the gift as its source.

use crate::id::{GiftId, MemberId, StaffId};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "gift")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: GiftId,
    #[sea_orm(column_type = "Text")]
    pub programme: String,
    pub giver_id: MemberId,
    pub receiver_id: MemberId,
    /// The giver's community at that time.
    #[sea_orm(column_type = "Text")]
    pub region_code: String,
    /// The receiver's community at that time.
    #[sea_orm(column_type = "Text")]
    pub receiver_region_code: String,
    /// Hundredths, above zero.
    pub amount: i64,
    /// The giver's words.
    #[sea_orm(column_type = "Text", nullable)]
    pub message: Option<String>,
    pub given_at: DateTimeUtc,
    pub reversed_at: Option<DateTimeUtc>,
    pub reversed_by: Option<StaffId>,
    /// Why it was reversed.
    #[sea_orm(column_type = "Text", nullable)]
    pub reason: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
