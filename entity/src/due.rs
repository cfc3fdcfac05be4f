//! Points that were earned and wait for a budget.

use crate::id::{DueId, MemberId};
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
pub enum DueStatus {
    Waiting,
    Paid,
    /// What earned it was taken back before it was paid.
    Cancelled,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "due")]
pub struct Model {
    /// Ordered by time: the oldest is paid first.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DueId,
    #[sea_orm(column_type = "Text")]
    pub programme: String,
    pub member_id: MemberId,
    /// The community whose books will issue it.
    #[sea_orm(column_type = "Text")]
    pub region_code: String,
    /// Hundredths, above zero.
    pub amount: i64,
    /// What it was earned by; the journal that pays it is posted for the same.
    #[sea_orm(column_type = "Text")]
    pub source_kind: String,
    pub source_id: Uuid,
    #[sea_orm(column_type = "Text", nullable)]
    pub reason: Option<String>,
    /// Who acknowledged it.
    #[sea_orm(column_type = "Text", nullable)]
    pub actor_kind: Option<String>,
    pub actor_id: Option<Uuid>,
    /// When it counts, as the journal will say.
    pub at: DateTimeUtc,
    pub created_at: DateTimeUtc,
    pub status: DueStatus,
    /// When it was paid or cancelled.
    pub ended_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
