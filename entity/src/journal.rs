//! One posting; its entries sum to zero. Never changed, never deleted.

use crate::id::{BudgetId, JournalId};
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
pub enum JournalKind {
    Earn,
    Spend,
    Refund,
    Grant,
    Deduct,
    Expire,
    Reversal,
    Gift,
    Opening,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "journal")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: JournalId,
    #[sea_orm(column_type = "Text")]
    pub programme: String,
    pub kind: JournalKind,
    #[sea_orm(column_type = "Text")]
    pub source_kind: String,
    /// Unique with `source_kind`: the same cause cannot post twice.
    pub source_id: Uuid,
    #[sea_orm(column_type = "Text", nullable)]
    pub reason: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub actor_kind: Option<String>,
    pub actor_id: Option<Uuid>,
    pub reverses_id: Option<JournalId>,
    /// When it counts; an import writes into the past.
    pub at: DateTimeUtc,
    pub posted_at: DateTimeUtc,
    /// Of points issued, and of their reversal: who pays. None: nobody in particular.
    pub budget_id: Option<BudgetId>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
