//! What the matcher knew when it offered a task: the claim with the same id says what became of it. Offers that staff make by
//! hand have no row here.

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
pub enum OfferSource {
    /// By itself, as the region's policy says.
    Matcher,
    /// From a plan that a manager asked for.
    Assignment,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "offer")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub claim_id: ClaimId,
    pub task_id: TaskId,
    pub member_id: MemberId,
    pub source: OfferSource,
    /// Those asked together have the same; 1 is a task's first.
    pub wave: i32,
    pub assignment_id: Option<AssignmentId>,
    /// Of 50.
    pub skill_points: i32,
    /// Of 30.
    pub near_points: i32,
    /// Of 20.
    pub time_points: i32,
    /// Their sum.
    pub score: i32,
    /// Factors that only order what is equal: a list of name and value, as the volunteer may see them.
    pub ordering: Json,
    /// Staff took it back: the volunteer may be asked again.
    pub withdrawn_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
