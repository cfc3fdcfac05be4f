//! What a verified record, donation, event or household score earns: versioned, dated, per region, category and item.

use crate::id::{RuleId, StaffId};
use crate::service_record::Evidence;
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
    /// For each `per_minutes` of service.
    Time,
    /// Once, whatever it took.
    Event,
    /// For each `per_units` items.
    Item,
    /// For each `per_units` yuan of value.
    Yuan,
}

/// What a rule is for.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
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
pub enum Subject {
    #[default]
    Record,
    Donation,
    Event,
    HouseholdScore,
}

/// How high the region of the manager must be who decides: any manager's, a street's, a district's.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
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
pub enum Approver {
    #[default]
    Manager,
    Street,
    District,
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
    /// Hundredths for each unit of the basis; below zero only for events and household scores.
    pub amount: i64,
    /// With basis `time`: 30, 60 …
    pub per_minutes: Option<i32>,
    /// Hundredths at most per member and local day, over the whole programme.
    pub cap_day: Option<i64>,
    pub cap_month: Option<i64>,
    pub version: i32,
    pub valid_from: DateTimeUtc,
    pub valid_until: Option<DateTimeUtc>,
    pub created_by: Option<StaffId>,
    pub created_at: DateTimeUtc,
    pub subject: Subject,
    /// None: every item; a rule for the item wins.
    #[sea_orm(column_type = "Text", nullable)]
    pub item: Option<String>,
    /// What people call it: 高空抛物.
    #[sea_orm(column_type = "Text", nullable)]
    pub name: Option<String>,
    /// With basis `item` and `yuan`: how many items or yuan the amount is for.
    pub per_units: Option<i32>,
    /// Factors are hundredths, 1 to 10,000. By evidence grade:
    pub factor_grade_a: i32,
    pub factor_grade_b: i32,
    pub factor_grade_c: i32,
    pub factor_grade_d: i32,
    /// By difficulty:
    pub factor_level_1: i32,
    pub factor_level_2: i32,
    pub factor_level_3: i32,
    /// For whoever organised it.
    pub factor_organiser: i32,
    /// Hundredths at most per member and local week, Monday to Sunday, over the whole programme.
    pub cap_week: Option<i64>,
    /// Hundredths at most per member by this version of the rule.
    pub cap_rule: Option<i64>,
    /// What is proved worse earns nothing.
    pub min_evidence: Option<Evidence>,
    pub approver: Approver,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
