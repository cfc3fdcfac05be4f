//! What a volunteer may do beyond their skills: a licence, a training, an insurance; recorded by managers.

use crate::id::{MemberId, StaffId};
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
pub enum QualificationKind {
    /// Of the list `skill`.
    Licence,
    /// Of the list `training`.
    Training,
    /// The code is always `insurance`.
    Insurance,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "qualification")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub member_id: MemberId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: QualificationKind,
    #[sea_orm(primary_key, auto_increment = false)]
    #[sea_orm(column_type = "Text")]
    pub code: String,
    /// The last day on which it counts, in the region's calendar; none: without end.
    pub valid_until: Option<Date>,
    /// Number of the certificate or policy.
    #[sea_orm(column_type = "Blob", nullable)]
    pub reference_sealed: Option<Vec<u8>>,
    pub recorded_by: StaffId,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
