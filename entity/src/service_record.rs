//! What was done: who, what, when, minutes, and how it was proved.

use crate::category::Category;
use crate::id::{ActivityId, ClaimId, MemberId, RuleId, ServiceRecordId, StaffId, TaskId, UnitId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Evidence grade: A confirmed by the person served, B code, place or staff, C photo, D typed in.
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
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Evidence {
    #[sea_orm(string_value = "A")]
    A,
    #[sea_orm(string_value = "B")]
    B,
    #[sea_orm(string_value = "C")]
    C,
    #[sea_orm(string_value = "D")]
    D,
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
pub enum RecordStatus {
    Pending,
    Verified,
    Rejected,
    Reversed,
    Disputed,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "service_record")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ServiceRecordId,
    #[sea_orm(column_type = "Text", nullable)]
    pub ref_id: Option<String>,
    pub claim_id: Option<ClaimId>,
    pub task_id: Option<TaskId>,
    pub activity_id: Option<ActivityId>,
    pub member_id: MemberId,
    /// The member's community at the time: boards and staff go by it.
    #[sea_orm(column_type = "Text")]
    pub region_code: String,
    /// The member's unit at the time, for its board.
    pub unit_id: Option<UnitId>,
    /// Where the work was, if that is known: its staff see the record as well.
    #[sea_orm(column_type = "Text", nullable)]
    pub task_region_code: Option<String>,
    pub category: Category,
    pub started_at: DateTimeUtc,
    pub ended_at: DateTimeUtc,
    /// Verification may raise the minutes up to this; None: not beyond what is recorded.
    pub window_minutes: Option<i32>,
    pub minutes: i32,
    pub evidence: Evidence,
    pub status: RecordStatus,
    #[sea_orm(column_type = "Text", nullable)]
    pub reason: Option<String>,
    pub entered_by: Option<StaffId>,
    pub verified_by: Option<StaffId>,
    pub verified_at: Option<DateTimeUtc>,
    #[sea_orm(column_type = "Text")]
    pub programme: String,
    /// Hundredths earned when verified.
    pub points: Option<i64>,
    pub rule_id: Option<RuleId>,
    /// When it counts on boards; None until verified.
    pub counted_at: Option<DateTimeUtc>,
    pub reversed_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    /// 1 to 3: the task's, or as the verifying manager says.
    pub difficulty: i16,
    /// Whether the member led the service.
    pub organiser: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
