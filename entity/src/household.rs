//! A household: members who live together and may pool their points, each by consent.

use crate::id::{HouseholdId, MemberId, StaffId};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "household")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: HouseholdId,
    /// The community it lives in.
    #[sea_orm(column_type = "Text")]
    pub region_code: String,
    #[sea_orm(column_type = "Text")]
    pub name: String,
    /// The member who founded it; none where staff did.
    pub created_by_member: Option<MemberId>,
    pub created_by_staff: Option<StaffId>,
    pub created_at: DateTimeUtc,
    /// When the last of its members left.
    pub ended_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
