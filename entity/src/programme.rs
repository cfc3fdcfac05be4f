//! One kind of points; programmes never mix.

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
pub enum Expiry {
    Never,
    Months,
    YearEnd,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a column")]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "programme")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    #[sea_orm(column_type = "Text")]
    pub code: String,
    #[sea_orm(column_type = "Text")]
    pub name: String,
    /// What one point is called: 分, 福分.
    #[sea_orm(column_type = "Text")]
    pub unit_name: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub region_code: Option<String>,
    pub expiry: Expiry,
    pub expiry_months: Option<i32>,
    /// How long a confirmed wish may be reopened.
    pub reopen_days: i32,
    pub created_at: DateTimeUtc,
    /// With expiry `year_end`: how many years after the end of the year in which the points came.
    pub expiry_years: i32,
    /// How many days before points expire their member is told; 0: never.
    pub notice_days: i32,
    /// Whether rules may take points away.
    pub negative_allowed: bool,
    /// Whether nothing is issued without a budget.
    pub budget_required: bool,
    /// Whether members of a household may spend each other's points, by consent.
    pub households_pool: bool,
    /// Hundredths that a member may have at most; what comes above is donated.
    pub account_cap: Option<i64>,
    pub gifts_allowed: bool,
    /// Hundredths that a member may give away at most on one local day.
    pub gift_cap_day: Option<i64>,
    /// Hundredths that a member may give to the same receiver at most in one local month.
    pub gift_cap_receiver: Option<i64>,
    /// What one point costs whoever pays for it, in ten-thousandths of a yuan.
    pub point_cost: i64,
    pub updated_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
