//! One volunteer for one task in an assignment.

use crate::id::{AssignmentId, ClaimId, MemberId, TaskId};
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
pub enum PairOutcome {
    /// Not asked, or not yet.
    Planned,
    Offered,
    /// It had become impossible when the offer was to be made.
    Skipped,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "assignment_pair")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub assignment_id: AssignmentId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub task_id: TaskId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub member_id: MemberId,
    /// Of 50.
    pub skill_points: i32,
    /// Of 30.
    pub near_points: i32,
    /// Of 20.
    pub time_points: i32,
    /// Their sum.
    pub score: i32,
    pub outcome: PairOutcome,
    /// Why it was skipped, as a code.
    #[sea_orm(column_type = "Text", nullable)]
    pub skipped_as: Option<String>,
    /// The offer that was made.
    pub claim_id: Option<ClaimId>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
