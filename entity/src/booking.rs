//! Capacity of a resource or service put aside for a resident, or a place in the line for it (预约).

use crate::id::{BookingId, ListingId, MemberId, PeriodId, ServiceRecordId, StaffId, WishId};
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
pub enum BookingStatus {
    Waiting,
    Booked,
    Attended,
    Done,
    Cancelled,
    NoShow,
    Lapsed,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "booking")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: BookingId,
    pub listing_id: ListingId,
    pub period_id: PeriodId,
    /// For whom.
    pub member_id: MemberId,
    pub wish_id: Option<WishId>,
    /// The listing's: its staff see the booking.
    #[sea_orm(column_type = "Text")]
    pub region_code: String,
    pub quantity: i32,
    /// The opening that is booked; where there are none, the listing's window.
    pub starts_at: DateTimeUtc,
    pub ends_at: DateTimeUtc,
    /// Until then it can be given up, and who waits may still get it.
    pub held_until: DateTimeUtc,
    pub status: BookingStatus,
    /// Staff who booked for the member.
    pub made_by: Option<StaffId>,
    pub attended_at: Option<DateTimeUtc>,
    pub attended_by: Option<StaffId>,
    pub ended_at: Option<DateTimeUtc>,
    /// Of the provider.
    pub record_id: Option<ServiceRecordId>,
    /// Why it was cancelled.
    #[sea_orm(column_type = "Text", nullable)]
    pub reason: Option<String>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
