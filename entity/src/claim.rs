//! One volunteer's commitment to one slot of a task.

use crate::id::{ClaimId, MemberId, StaffId, TaskId};
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
pub enum ClaimStatus {
    Offered,
    Accepted,
    CheckedIn,
    CheckedOut,
    Verified,
    Declined,
    Lapsed,
    Withdrawn,
    NoShow,
    Rejected,
}

/// How a check-in or check-out was made.
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
pub enum CheckMeans {
    Code,
    Place,
    CodeAndPlace,
    Staff,
    StaffTime,
    Automatic,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "claim")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ClaimId,
    pub task_id: TaskId,
    pub member_id: MemberId,
    /// The task's, for who may see it.
    #[sea_orm(column_type = "Text")]
    pub region_code: String,
    pub status: ClaimStatus,
    /// The task's, so that the database can refuse overlaps.
    pub window_from: DateTimeUtc,
    pub window_until: DateTimeUtc,
    pub offered_by: Option<StaffId>,
    pub offer_expires_at: Option<DateTimeUtc>,
    pub accepted_at: Option<DateTimeUtc>,
    pub checked_in_at: Option<DateTimeUtc>,
    pub check_in_means: Option<CheckMeans>,
    /// Which rotating code was used; the same one does not count twice.
    pub check_in_step: Option<i64>,
    pub checked_out_at: Option<DateTimeUtc>,
    pub check_out_means: Option<CheckMeans>,
    /// Staff who gave the time of the check-in or check-out: another one verifies.
    pub entered_by: Option<StaffId>,
    /// When it came to its end: declined, lapsed, withdrawn, missed, or its record judged.
    pub ended_at: Option<DateTimeUtc>,
    #[sea_orm(column_type = "Text", nullable)]
    pub reason: Option<String>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
