//! How listings and bookings look from outside.

use chrono::{DateTime, NaiveDate, Utc};
use entity::booking::{self, BookingStatus};
use entity::category::Category;
use entity::id::{BookingId, ListingId, MemberId, ServiceRecordId, TaskId, WishId};
use entity::listing::{self, CapacityPeriod, ListingKind, ListingStatus, OwnerKind};
use entity::task::TaskStatus;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::opening::{Opening, Openings};
use crate::identity::hours::HourMinute;
use crate::task::view::WindowView;

/// Whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct OwnerView {
    pub kind: OwnerKind,
    /// Of the unit or the station; of a member for staff and for oneself.
    pub id: Option<Uuid>,
    /// Of the unit or the station; a member's is masked: 张*.
    pub name: Option<String>,
}

/// Where it is.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ListingPlaceView {
    pub lat: f64,
    pub lon: f64,
    pub address: Option<String>,
}

/// Hours that come back each week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct WeeklyView {
    pub weekday: i16,
    pub from: HourMinute,
    /// Where it is not after `from`, on the day after.
    pub until: HourMinute,
}

/// Dates by a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RecurrenceView {
    pub rule: String,
    pub starts_at: DateTime<Utc>,
    pub minutes: i32,
}

/// When it is open within its window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct OpeningsView {
    pub weekly: Vec<WeeklyView>,
    pub recurrence: Option<RecurrenceView>,
    pub closed_on: Vec<NaiveDate>,
}

impl From<Openings> for OpeningsView {
    fn from(openings: Openings) -> Self {
        let weekly = openings.weekly.into_iter();
        let recurrence = openings.recurrence;
        Self {
            weekly: weekly
                .map(|hours| WeeklyView { weekday: hours.weekday, from: hours.from, until: hours.until })
                .collect(),
            recurrence: recurrence.map(|found| RecurrenceView {
                rule: found.rule,
                starts_at: found.starts_at,
                minutes: found.minutes,
            }),
            closed_on: openings.closed_on,
        }
    }
}

/// A task that a need made for one of its openings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RoundView {
    pub task_id: TaskId,
    pub window: WindowView,
    pub slots: i32,
    pub taken: i32,
    pub status: TaskStatus,
}

/// A need, a resource or a service.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ListingView {
    pub id: ListingId,
    /// Its id in the data set it was imported from.
    #[serde(rename = "ref")]
    pub ref_id: Option<String>,
    pub kind: ListingKind,
    pub title: String,
    pub body: String,
    pub category: Category,
    /// A code of the list `domain`.
    pub domain: Option<String>,
    /// Codes of the list `skill`.
    pub skills: Vec<String>,
    pub region_code: String,
    pub owner: OwnerView,
    /// How much there is in one period.
    pub capacity: i32,
    /// What is counted: 人, 次, 台.
    pub measure: Option<String>,
    /// In what time the capacity counts anew.
    pub period: CapacityPeriod,
    pub window: WindowView,
    pub place: Option<ListingPlaceView>,
    pub openings: OpeningsView,
    pub status: ListingStatus,
    pub risk_notice: Option<String>,
    /// Why it was closed or withdrawn.
    pub reason: Option<String>,
    /// A code of the list `special_group`; for staff and the owner, of one listing, not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub special_group: Option<String>,
    /// Of a need, its tasks that are not closed, the latest first; of one listing, not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tasks: Option<Vec<RoundView>>,
    pub created_at: DateTime<Utc>,
    pub published_at: Option<DateTime<Utc>>,
    /// When it was closed, withdrawn or expired.
    pub ended_at: Option<DateTime<Utc>>,
    pub updated_at: DateTime<Utc>,
}

impl ListingView {
    /// Without what only some may see.
    pub fn new(row: listing::Model, skills: Vec<String>, owner: OwnerView) -> Self {
        let openings: Openings = serde_json::from_value(row.openings).unwrap_or_default();
        let address = row.address;
        Self {
            id: row.id,
            ref_id: row.ref_id,
            kind: row.kind,
            title: row.title,
            body: row.body,
            category: row.category,
            domain: row.domain,
            skills,
            region_code: row.region_code,
            owner,
            capacity: row.capacity,
            measure: row.measure,
            period: row.period,
            window: WindowView { from: row.window_from, until: row.window_until },
            place: row.lat.zip(row.lon).map(|(lat, lon)| ListingPlaceView { lat, lon, address }),
            openings: openings.into(),
            status: row.status,
            risk_notice: row.risk_notice,
            reason: row.reason,
            special_group: None,
            tasks: None,
            created_at: row.created_at,
            published_at: row.published_at,
            ended_at: row.ended_at,
            updated_at: row.updated_at,
        }
    }
}

/// A time at which a listing is open, and what is left of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct OpeningView {
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    /// Of the period that it counts in.
    pub capacity: i32,
    pub taken: i32,
    /// What a booking can take now; none where somebody waits, or where it has begun.
    pub left: i32,
    /// How many bookings wait.
    pub waiting: i32,
}

impl OpeningView {
    pub(super) fn new(opening: Opening, capacity: i32, taken: i32, waiting: i32, bookable: bool) -> Self {
        let left = if bookable && waiting == 0 { (capacity - taken).max(0) } else { 0 };
        Self { starts_at: opening.starts_at, ends_at: opening.ends_at, capacity, taken, left, waiting }
    }
}

/// A booking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct BookingView {
    pub id: BookingId,
    pub listing_id: ListingId,
    /// The listing's.
    pub title: String,
    pub member_id: MemberId,
    /// Masked: 张*.
    pub name: String,
    /// For the member and staff.
    pub wish_id: Option<WishId>,
    pub region_code: String,
    pub quantity: i32,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    pub status: BookingStatus,
    /// Of one that waits, which in line: 1 is next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    pub attended_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    /// Of the provider, for this opening.
    pub service_record_id: Option<ServiceRecordId>,
    /// Why it was cancelled.
    pub reason: Option<String>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl BookingView {
    pub fn new(row: booking::Model, title: String, name: String, position: Option<u64>) -> Self {
        Self {
            id: row.id,
            listing_id: row.listing_id,
            title,
            member_id: row.member_id,
            name,
            wish_id: row.wish_id,
            region_code: row.region_code,
            quantity: row.quantity,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            status: row.status,
            position,
            attended_at: row.attended_at,
            ended_at: row.ended_at,
            service_record_id: row.record_id,
            reason: row.reason,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}
