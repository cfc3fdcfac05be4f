//! One decision to give many members the same: each grant is an adjustment with this round's id.

use crate::adjustment::AdjustmentStatus;
use crate::id::{BudgetId, GrantRoundId, StaffId};
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
pub enum GrantSource {
    /// Issued from a budget.
    Budget,
    /// Taken from what members of the community donated.
    Donations,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "grant_round")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: GrantRoundId,
    /// Whose members were looked at.
    #[sea_orm(column_type = "Text")]
    pub region_code: String,
    #[sea_orm(column_type = "Text")]
    pub programme: String,
    pub source: GrantSource,
    /// The budget that was named; none: the one that serves each member's community.
    pub budget_id: Option<BudgetId>,
    /// Hundredths, above zero.
    pub amount_each: i64,
    /// How many were given to.
    pub members: i32,
    #[sea_orm(column_type = "Text")]
    pub reason: String,
    pub status: AdjustmentStatus,
    pub requested_by: StaffId,
    /// The second manager; never the first. None where one was enough.
    pub decided_by: Option<StaffId>,
    pub created_at: DateTimeUtc,
    pub decided_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
