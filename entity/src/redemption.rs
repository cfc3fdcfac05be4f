//! Points held, then spent, for goods; fulfilled at a station with a code.

use crate::id::{GoodsId, MemberId, RedemptionId, SlotId, StaffId, StationId};
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
pub enum RedemptionStatus {
    Reserved,
    Fulfilled,
    Refunded,
    Cancelled,
    Expired,
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
pub enum RedemptionChannel {
    App,
    Counter,
    Import,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "redemption")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RedemptionId,
    #[sea_orm(column_type = "Text", nullable)]
    pub ref_id: Option<String>,
    pub member_id: MemberId,
    /// Of the first line, as `quantity`.
    pub goods_id: GoodsId,
    pub station_id: StationId,
    /// The station's community.
    #[sea_orm(column_type = "Text")]
    pub region_code: String,
    #[sea_orm(column_type = "Text")]
    pub programme: String,
    pub quantity: i32,
    /// Of all lines, hundredths.
    pub points: i64,
    pub status: RedemptionStatus,
    pub channel: RedemptionChannel,
    /// Pick-up code, never used again at its station.
    #[sea_orm(column_type = "Text", nullable)]
    pub code: Option<String>,
    pub created_at: DateTimeUtc,
    pub expires_at: Option<DateTimeUtc>,
    pub fulfilled_at: Option<DateTimeUtc>,
    pub fulfilled_by: Option<StaffId>,
    /// Cancelled, expired or refunded.
    pub ended_at: Option<DateTimeUtc>,
    #[sea_orm(column_type = "Text", nullable)]
    pub reason: Option<String>,
    /// Of the first line.
    pub slot_id: Option<SlotId>,
    /// This row is the first line; the others are `redemption_line`s.
    pub line_count: i16,
    /// Paid by others than its member alone: each payer has a `redemption_share`.
    pub shared: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
