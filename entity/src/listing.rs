//! An entry of the three lists: a need, a resource or a service (清单条目).

use crate::category::Category;
use crate::id::{ListingId, MemberId, StaffId, StationId, UnitId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which of the three lists it stands on.
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
pub enum ListingKind {
    Need,
    Resource,
    Service,
}

/// Whose it is.
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
pub enum OwnerKind {
    Community,
    Unit,
    Station,
    Member,
}

/// In what time the capacity counts anew; `all`: never.
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
pub enum CapacityPeriod {
    Opening,
    Day,
    Week,
    Month,
    All,
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
pub enum ListingStatus {
    Draft,
    Published,
    Closed,
    Withdrawn,
    Expired,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "listing")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ListingId,
    #[sea_orm(column_type = "Text", nullable)]
    pub ref_id: Option<String>,
    pub kind: ListingKind,
    #[sea_orm(column_type = "Text")]
    pub title: String,
    #[sea_orm(column_type = "Text")]
    pub body: String,
    pub category: Category,
    /// A code of the list `domain`.
    #[sea_orm(column_type = "Text", nullable)]
    pub domain: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub region_code: String,
    pub owner_kind: OwnerKind,
    pub unit_id: Option<UnitId>,
    pub station_id: Option<StationId>,
    pub member_id: Option<MemberId>,
    /// In one period; of a need, people wanted each time.
    pub capacity: i32,
    /// What is counted: 人, 次, 台.
    #[sea_orm(column_type = "Text", nullable)]
    pub measure: Option<String>,
    pub period: CapacityPeriod,
    pub window_from: DateTimeUtc,
    pub window_until: DateTimeUtc,
    #[sea_orm(column_type = "Double", nullable)]
    pub lat: Option<f64>,
    #[sea_orm(column_type = "Double", nullable)]
    pub lon: Option<f64>,
    /// For everybody who sees the listing.
    #[sea_orm(column_type = "Text", nullable)]
    pub address: Option<String>,
    /// Weekly hours, a recurrence and closed days; `{}`: open all through the window.
    pub openings: Json,
    /// Whom it is meant for; sealed.
    #[sea_orm(column_type = "Blob", nullable)]
    pub special_group_sealed: Option<Vec<u8>>,
    pub status: ListingStatus,
    #[sea_orm(column_type = "Text", nullable)]
    pub risk_notice: Option<String>,
    /// Why it was withdrawn or closed.
    #[sea_orm(column_type = "Text", nullable)]
    pub reason: Option<String>,
    /// Staff who wrote it down.
    pub created_by: Option<StaffId>,
    pub published_by: Option<StaffId>,
    pub created_at: DateTimeUtc,
    pub published_at: Option<DateTimeUtc>,
    /// When it was closed, withdrawn or expired.
    pub ended_at: Option<DateTimeUtc>,
    pub updated_at: DateTimeUtc,
    /// Of a published need: when its next openings are to become tasks.
    pub next_round_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
