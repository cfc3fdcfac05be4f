//! A funded account that pays for the points of a region's communities.

use crate::id::{BudgetId, StaffId, StationId, UnitId};
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
pub enum BudgetOwner {
    Station,
    Community,
    Sponsor,
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
pub enum BudgetStatus {
    Active,
    Closed,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "budget")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: BudgetId,
    #[sea_orm(column_type = "Text")]
    pub programme: String,
    #[sea_orm(column_type = "Text")]
    pub name: String,
    pub owner_kind: BudgetOwner,
    /// Of a station's budget.
    pub station_id: Option<StationId>,
    /// Of a sponsor's budget, where the sponsor is known as a unit.
    pub unit_id: Option<UnitId>,
    /// It pays for the communities in this region.
    #[sea_orm(column_type = "Text")]
    pub region_code: String,
    /// The region's subtree: `lo <= code < hi`. Never changes.
    #[sea_orm(column_type = "Text")]
    pub region_lo: String,
    #[sea_orm(column_type = "Text")]
    pub region_hi: String,
    /// Hundredths: the sum of its fundings.
    pub funded: i64,
    /// Hundredths drawn, without what was given back; never above `funded`.
    pub issued: i64,
    /// Percent of `funded` from which on staff are warned.
    pub warn_share: i16,
    /// When `warn_share` was crossed; none again after a funding that brings it below.
    pub warned_at: Option<DateTimeUtc>,
    /// The first local day on which it pays.
    pub valid_from: Date,
    /// The last local day on which it pays.
    pub valid_until: Option<Date>,
    pub status: BudgetStatus,
    pub created_by: StaffId,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub closed_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
