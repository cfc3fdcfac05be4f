//! Points given or taken by hand, with reason; a large grant waits for a second manager.

use crate::id::{AdjustmentId, GrantRoundId, MemberId, StaffId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    EnumIter,
    DeriveActiveEnum,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Grant,
    Deduct,
}

#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    EnumIter,
    DeriveActiveEnum,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum AdjustmentStatus {
    Pending,
    Posted,
    Rejected,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "adjustment")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AdjustmentId,
    pub member_id: MemberId,
    /// The member's community when it was asked for.
    #[sea_orm(column_type = "Text")]
    pub region_code: String,
    #[sea_orm(column_type = "Text")]
    pub programme: String,
    pub direction: Direction,
    /// Hundredths, above zero.
    pub amount: i64,
    #[sea_orm(column_type = "Text")]
    pub reason: String,
    pub status: AdjustmentStatus,
    pub requested_by: StaffId,
    /// The second manager; never the first. None where one was enough.
    pub decided_by: Option<StaffId>,
    pub created_at: DateTimeUtc,
    pub decided_at: Option<DateTimeUtc>,
    /// Of one of many that a round of grants gave; decided with its round.
    pub round_id: Option<GrantRoundId>,
    /// Of a grant: the first local day without the points; None: as the programme says.
    pub expires_on: Option<Date>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
