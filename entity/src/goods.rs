//! A good or service on a station's shelf, priced in points.

use crate::id::{GoodsId, StationId, UnitId};
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
    Default,
    EnumIter,
    DeriveActiveEnum,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum GoodsKind {
    /// Lies on the shelf.
    #[default]
    Good,
    /// Is done for the member, at a time booked or not.
    Service,
    /// A code of a merchant's, each given once.
    Voucher,
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
    Default,
    EnumIter,
    DeriveActiveEnum,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum LimitPeriod {
    /// What was ever redeemed counts.
    #[default]
    All,
    /// The local day; the others likewise.
    Day,
    /// Monday to Sunday.
    Week,
    Month,
    Quarter,
    Year,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "goods")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: GoodsId,
    #[sea_orm(column_type = "Text", nullable)]
    pub ref_id: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub name: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub description: Option<String>,
    pub station_id: StationId,
    #[sea_orm(column_type = "Text")]
    pub programme: String,
    /// Price of one, hundredths.
    pub points: i64,
    pub stock: i32,
    pub per_member_limit: Option<i32>,
    pub supplier_unit_id: Option<UnitId>,
    pub active: bool,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub kind: GoodsKind,
    /// Of a service.
    pub duration_minutes: Option<i32>,
    /// What the supplier is owed for one, fen.
    pub cost: i64,
    /// In which the limits count.
    pub limit_period: LimitPeriod,
    /// How many the members of one household may have together.
    pub per_household_limit: Option<i32>,
    /// Has slots: it is taken from a slot's capacity, and `stock` says nothing.
    pub bookable: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
