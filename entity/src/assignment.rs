//! A plan of whom to ask for which task, over a region at one moment.

use crate::id::{AssignmentId, StaffId};
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
pub enum AssignmentStatus {
    /// Nobody has been asked.
    Planned,
    /// Its offers are being made.
    Offering,
    Offered,
    /// Its open offers were taken back.
    Withdrawn,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "assignment")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AssignmentId,
    /// Tasks of this region's subtree.
    #[sea_orm(column_type = "Text")]
    pub region_code: String,
    /// It was asked for without offers; they may have been made since.
    pub dry_run: bool,
    pub status: AssignmentStatus,
    pub max_claims_per_member: i32,
    /// How long its offers may be answered.
    pub expires_minutes: i32,
    /// Only tasks whose window ends after this.
    pub window_from: Option<DateTimeUtc>,
    /// Only tasks whose window begins before this.
    pub window_until: Option<DateTimeUtc>,
    /// Only tasks of these categories; an empty list: of all.
    pub categories: Json,
    /// Tasks that were looked at.
    pub tasks: i32,
    /// Volunteers who were looked at.
    pub volunteers: i32,
    pub assigned: i32,
    /// Free slots that nobody was found for.
    pub unassigned: i32,
    /// The sum of scores.
    pub objective: i64,
    /// Why the plan is empty.
    #[sea_orm(column_type = "Text", nullable)]
    pub reason: Option<String>,
    pub created_by: StaffId,
    pub created_at: DateTimeUtc,
    pub offered_by: Option<StaffId>,
    pub offered_at: Option<DateTimeUtc>,
    pub withdrawn_by: Option<StaffId>,
    pub withdrawn_at: Option<DateTimeUtc>,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
