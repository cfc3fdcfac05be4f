//! What a verified record earns: versioned, dated, per region and category.

use crate::id::{RuleId, StaffId};
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
pub enum RuleBasis {
    Time,
    Event,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rule")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RuleId,
    #[sea_orm(column_type = "Text")]
    pub programme: String,
    /// None: everywhere; the most specific region wins.
    #[sea_orm(column_type = "Text", nullable)]
    pub region_code: Option<String>,
    /// None: every category; a rule for the category wins.
    #[sea_orm(column_type = "Text", nullable)]
    pub category: Option<String>,
    pub basis: RuleBasis,
    /// Hundredths for each `per_minutes` of service, or for each event.
    pub amount: i64,
    /// With basis `time`: 30, 60 …
    pub per_minutes: Option<i32>,
    /// Hundredths at most per member and local day.
    pub cap_day: Option<i64>,
    pub cap_month: Option<i64>,
    pub version: i32,
    pub valid_from: DateTimeUtc,
    pub valid_until: Option<DateTimeUtc>,
    pub created_by: Option<StaffId>,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
