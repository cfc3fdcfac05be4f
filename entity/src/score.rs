//! One subject's place on the boards of one period and category.

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
pub enum SubjectKind {
    Member,
    Unit,
    Community,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "score")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject_kind: SubjectKind,
    /// `2026-11`, `2026-Q4`, `2026` or `all`.
    #[sea_orm(primary_key, auto_increment = false)]
    #[sea_orm(column_type = "Text")]
    pub period: String,
    /// A category's code, or empty for all.
    #[sea_orm(primary_key, auto_increment = false)]
    #[sea_orm(column_type = "Text")]
    pub category: String,
    /// UUID of the member or unit, code of the community.
    #[sea_orm(primary_key, auto_increment = false)]
    #[sea_orm(column_type = "Text")]
    pub subject_id: String,
    /// The community of the member's latest record counted here, of the unit, or the community itself.
    #[sea_orm(column_type = "Text")]
    pub region_code: String,
    pub points: i64,
    pub minutes: i64,
    pub records: i64,
    /// Latest `ended_at` among counted records with points.
    pub points_at: Option<DateTimeUtc>,
    pub minutes_at: Option<DateTimeUtc>,
    /// Orders what is equal: the ref, or `~` where there is none; the id comes after it.
    #[sea_orm(column_type = "Text")]
    pub tie: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
