//! Claimable work: slots, a window, a place, skills and a points category.

use crate::category::Category;
use crate::id::TaskId;
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
pub enum TaskStatus {
    Open,
    Full,
    InProgress,
    Done,
    Closed,
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
pub enum TaskSource {
    Wish,
    Activity,
    Post,
    WorkOrder,
    Listing,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "task")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TaskId,
    pub source_kind: TaskSource,
    pub source_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub region_code: String,
    #[sea_orm(column_type = "Text")]
    pub title: String,
    #[sea_orm(column_type = "Text")]
    pub body: String,
    pub category: Category,
    pub slots: i32,
    pub taken: i32,
    pub window_from: DateTimeUtc,
    pub window_until: DateTimeUtc,
    #[sea_orm(column_type = "Double", nullable)]
    pub lat: Option<f64>,
    #[sea_orm(column_type = "Double", nullable)]
    pub lon: Option<f64>,
    /// Check-in asks for place as well as code.
    pub place_required: bool,
    pub status: TaskStatus,
    #[sea_orm(column_type = "Text", nullable)]
    pub risk_notice: Option<String>,
    pub priority: i32,
    #[sea_orm(column_type = "Text")]
    pub programme: String,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    /// 1 to 3: rules may pay more for harder work.
    pub difficulty: i16,
    /// A code of the list `domain`.
    #[sea_orm(column_type = "Text", nullable)]
    pub domain: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
