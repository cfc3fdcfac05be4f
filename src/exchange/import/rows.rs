//! What an accepted row of each table means: references resolved, times in UTC and moved by the set's shift.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use entity::account::AccountKind;
use entity::category::Category;
use entity::id::{
    ActivityId, GoodsId, ListingId, MemberId, RedemptionId, ServiceRecordId, StationId, StockMovementId, UnitId, WishId,
};
use entity::journal::JournalKind;
use entity::listing::{ListingKind, ListingStatus};
use entity::region::RegionLevel;
use entity::service_record::{Evidence, RecordStatus};
use entity::stock_movement::StockReason;
use entity::wish::WishStatus;
use uuid::Uuid;

use super::known::Person;
use crate::exchange::row::Fingerprint;

/// An accepted row and what is kept to know it again.
#[derive(Debug)]
pub(super) struct Accepted<T> {
    pub(super) reference: String,
    pub(super) fingerprint: Fingerprint,
    /// File of the table and line, should it be rejected after all.
    pub(super) place: (usize, u64),
    pub(super) row: T,
}

#[derive(Debug)]
pub(super) struct RegionRow {
    pub(super) code: String,
    pub(super) name: String,
    pub(super) level: RegionLevel,
    pub(super) parent: Option<String>,
    pub(super) kind: String,
}

#[derive(Debug)]
pub(super) struct CodeRow {
    pub(super) list: String,
    pub(super) code: String,
    pub(super) name: String,
    pub(super) parent: Option<String>,
}

#[derive(Debug)]
pub(super) struct UnitRow {
    pub(super) id: UnitId,
    pub(super) name: String,
    pub(super) unit_type: String,
    pub(super) region: String,
    pub(super) party_members: i32,
}

/// Available from one minute of the day until another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hours {
    pub(super) weekday: i16,
    pub(super) from_minute: i16,
    pub(super) until_minute: i16,
}

#[derive(Debug)]
pub(super) struct MemberRow {
    pub(super) id: MemberId,
    pub(super) name: String,
    pub(super) phone: String,
    pub(super) phone_index: Vec<u8>,
    pub(super) birth_year: Option<i32>,
    pub(super) region: String,
    pub(super) details: Details,
}

/// What RULES.md has no reason against.
#[derive(Debug, Default)]
pub(super) struct Details {
    pub(super) gender: Option<&'static str>,
    pub(super) resident: bool,
    pub(super) volunteer: bool,
    pub(super) party_member: bool,
    pub(super) unit: Option<UnitId>,
    pub(super) group_no: Option<String>,
    pub(super) skills: Vec<String>,
    pub(super) hours: Vec<Hours>,
    pub(super) max_hours_week: Option<i32>,
    pub(super) special_group: Option<String>,
    /// Degrees north and east.
    pub(super) home: Option<(f64, f64)>,
    pub(super) registered_on: Option<NaiveDate>,
}

#[derive(Debug)]
pub(super) struct ActivityRow {
    pub(super) id: ActivityId,
    pub(super) title: String,
    pub(super) category: Category,
    pub(super) region: String,
    pub(super) unit: Option<UnitId>,
    pub(super) starts_at: DateTime<Utc>,
    pub(super) ends_at: DateTime<Utc>,
    pub(super) capacity: i32,
    pub(super) points: i64,
    pub(super) participants: i32,
    pub(super) served_persons: i32,
}

/// A service record: of a participation, or as this service made it.
#[derive(Debug)]
pub(super) struct RecordRow {
    pub(super) id: ServiceRecordId,
    pub(super) person: Arc<Person>,
    pub(super) activity: Option<ActivityId>,
    pub(super) category: Category,
    pub(super) started_at: DateTime<Utc>,
    pub(super) ended_at: DateTime<Utc>,
    pub(super) minutes: i32,
    /// Hundredths; `None` where none were ever worked out.
    pub(super) points: Option<i64>,
    pub(super) evidence: Evidence,
    pub(super) status: RecordStatus,
    pub(super) verified_at: Option<DateTime<Utc>>,
    pub(super) counted_at: Option<DateTime<Utc>>,
    pub(super) reversed_at: Option<DateTime<Utc>>,
    pub(super) reason: Option<String>,
    /// Its points are to be posted: no journal of the set does.
    pub(super) post: bool,
}

#[derive(Debug)]
pub(super) struct OpeningRow {
    pub(super) person: Arc<Person>,
    pub(super) as_of: NaiveDate,
    pub(super) minutes: i64,
}

#[derive(Debug)]
pub(super) struct WishRow {
    pub(super) id: WishId,
    pub(super) requester: Arc<Person>,
    pub(super) region: String,
    pub(super) title: String,
    pub(super) body: String,
    pub(super) category: Category,
    pub(super) skills: Vec<String>,
    pub(super) special_group: Option<String>,
    pub(super) slots: i32,
    pub(super) est_minutes: Option<i32>,
    pub(super) window: (DateTime<Utc>, DateTime<Utc>),
    pub(super) deadline_on: Option<NaiveDate>,
    pub(super) due_at: Option<DateTime<Utc>>,
    pub(super) status: WishStatus,
    pub(super) created_at: DateTime<Utc>,
    /// Who and since when.
    pub(super) claim: Option<(Arc<Person>, DateTime<Utc>)>,
    pub(super) done_at: Option<DateTime<Utc>>,
    pub(super) rating: Option<i16>,
}

/// Who provides a listing of a data set.
#[derive(Debug)]
pub(super) enum ListingOwner {
    Community,
    Unit(UnitId),
    Member(Arc<Person>),
}

#[derive(Debug)]
pub(super) struct ListingRow {
    pub(super) id: ListingId,
    pub(super) kind: ListingKind,
    pub(super) title: String,
    pub(super) body: String,
    pub(super) category: Category,
    pub(super) skills: Vec<String>,
    pub(super) region: String,
    pub(super) owner: ListingOwner,
    pub(super) capacity: i32,
    pub(super) measure: Option<String>,
    pub(super) window: (DateTime<Utc>, DateTime<Utc>),
    pub(super) special_group: Option<String>,
    /// Published, or over already.
    pub(super) status: ListingStatus,
}

#[derive(Debug)]
pub(super) struct GoodsRow {
    pub(super) id: GoodsId,
    pub(super) name: String,
    pub(super) station: StationId,
    /// The station is made for these goods: code and name of its community.
    pub(super) new_station: Option<(String, String)>,
    pub(super) points: i64,
    pub(super) stock: i32,
    pub(super) per_member_limit: Option<i32>,
    pub(super) supplier: Option<UnitId>,
}

#[derive(Debug)]
pub(super) struct MovementRow {
    pub(super) id: StockMovementId,
    pub(super) goods: GoodsId,
    pub(super) quantity: i32,
    pub(super) reason: StockReason,
    pub(super) at: DateTime<Utc>,
}

#[derive(Debug)]
pub(super) struct RedemptionRow {
    pub(super) id: RedemptionId,
    pub(super) person: Arc<Person>,
    pub(super) goods: GoodsId,
    pub(super) station: StationId,
    pub(super) region: String,
    pub(super) quantity: i32,
    pub(super) points: i64,
    pub(super) at: DateTime<Utc>,
    /// Its points are to be posted: no journal of the set does.
    pub(super) post: bool,
}

/// One entry of a journal.
#[derive(Debug)]
pub(super) struct EntryRow {
    pub(super) journal: String,
    pub(super) line: i16,
    pub(super) kind: JournalKind,
    pub(super) programme: String,
    pub(super) account: EntryAccount,
    pub(super) amount: i64,
    pub(super) expires_on: Option<NaiveDate>,
    pub(super) at: DateTime<Utc>,
    pub(super) reason: Option<String>,
    pub(super) source_kind: String,
    pub(super) source_id: Uuid,
    /// The journal that it takes back.
    pub(super) reverses: Option<String>,
}

#[derive(Debug)]
pub(super) enum EntryAccount {
    Member(Arc<Person>),
    Books(AccountKind, String),
}
