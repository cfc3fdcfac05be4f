//! Activities, participations, and service records that this service made.

use chrono::{DateTime, TimeDelta, Utc};
use entity::id::{ActivityId, MemberId, ServiceRecordId};
use entity::service_record::{Evidence, RecordStatus};
use rust_decimal::Decimal;

use super::{Context, category, count, optional};
use crate::exchange::import::rows::{ActivityRow, RecordRow};
use crate::exchange::report::Reason;
use crate::exchange::row::Row;
use crate::exchange::table::Table;
use crate::exchange::{text, time};

const LONGEST: TimeDelta = TimeDelta::hours(12);
const MOST_POINTS: u64 = 100;

pub(in super::super) fn activity(cx: &mut Context<'_>, row: &Row) -> Result<ActivityRow, Reason> {
    const T: Table = Table::Activities;
    const REF: usize = T.position("activity_id");
    const CATEGORY: usize = T.position("category");
    const UNIT: usize = T.position("unit_id");
    const POINTS: usize = T.position("points");
    cx.unique()?;
    let category = category(row.cell(CATEGORY)).ok_or(Reason::UNKNOWN_CATEGORY)?;
    let region = cx.region(row.cell(const { T.position("region_code") }))?;
    let unit = match row.given(UNIT) {
        Some(unit) => Some(*cx.known.units.get(unit).ok_or(Reason::UNKNOWN_UNIT)?),
        None => None,
    };
    let starts_at = cx.times.moment(row.cell(const { T.position("starts_at") })).ok_or(Reason::BAD_TIME)?;
    let ends_at = cx.times.moment(row.cell(const { T.position("ends_at") })).ok_or(Reason::BAD_TIME)?;
    if ends_at <= starts_at {
        return Err(Reason::BAD_TIME);
    }
    let points = row.given(POINTS).map_or(Some(0), text::hundredths).filter(|points| *points >= 0);
    let id = ActivityId::new();
    let accepted = ActivityRow {
        id,
        title: row.cell(const { T.position("title") }).to_owned(),
        category,
        region,
        unit,
        starts_at,
        ends_at,
        capacity: count(row, const { T.position("capacity") }, 0)?,
        points: points.ok_or(Reason::BAD_NUMBER)?,
        participants: count(row, const { T.position("participants") }, 0)?,
        served_persons: count(row, const { T.position("served_persons") }, 0)?,
    };
    cx.known.activities.insert(row.cell(REF).into(), (id, category));
    Ok(accepted)
}

/// A verified service record with its points as given. Its evidence is D: an old system's list says that somebody was
/// there, and nothing that this service could check does (DESIGN, decision 12). It counts at the time of the service.
pub(in super::super) fn participation(cx: &mut Context<'_>, row: &Row) -> Result<RecordRow, Reason> {
    const T: Table = Table::Participations;
    const HOURS: usize = T.position("hours");
    const CATEGORY: usize = T.position("category");
    cx.unique()?;
    let activity = row.cell(const { T.position("activity_id") });
    let &(activity, own_category) = cx.known.activities.get(activity).ok_or(Reason::UNKNOWN_ACTIVITY)?;
    let person = cx.person(row.cell(const { T.position("member_id") }))?;
    let check_in = time::moment(row.cell(const { T.position("check_in") })).ok_or(Reason::BAD_TIME)?;
    let check_out = time::moment(row.cell(const { T.position("check_out") })).ok_or(Reason::BAD_TIME)?;
    let started_at = cx.times.utc(check_in).ok_or(Reason::BAD_TIME)?;
    let ended_at = cx.times.utc(check_out).ok_or(Reason::BAD_TIME)?;
    let length = check_out - check_in;
    let hours = row.given(HOURS).map(text::decimal);
    if length <= TimeDelta::zero() || hours.flatten().is_some_and(|hours| hours < Decimal::ZERO) {
        return Err(Reason::NEGATIVE_HOURS);
    }
    if length > LONGEST {
        return Err(Reason::TOO_LONG);
    }
    let minutes = i32::try_from(length.num_minutes()).map_err(|_| Reason::TOO_LONG)?;
    if let Some(hours) = hours {
        check_hours(hours, minutes)?;
    }
    let category = row.given(CATEGORY).map_or(Some(own_category), category).ok_or(Reason::UNKNOWN_CATEGORY)?;
    let points = text::whole(row.cell(const { T.position("points") })).filter(|points| *points <= MOST_POINTS);
    let points = points.and_then(|points| i64::try_from(points * 100).ok()).ok_or(Reason::BAD_POINTS)?;
    take_time(cx, person.id, started_at, ended_at)?;
    // A redemption later in the set may spend it.
    *cx.known.available.entry(person.id).or_default() += points;
    let id = ServiceRecordId::new();
    cx.known.records.insert(row.cell(0).into(), id);
    Ok(RecordRow {
        id,
        person,
        activity: Some(activity),
        category,
        started_at,
        ended_at,
        minutes,
        points: Some(points),
        evidence: Evidence::D,
        status: RecordStatus::Verified,
        verified_at: Some(cx.times.now),
        counted_at: Some(ended_at),
        reversed_at: None,
        reason: None,
        post: true,
    })
}

/// The hours given may be off by 0.02; what is no number is off.
fn check_hours(hours: Option<Decimal>, minutes: i32) -> Result<(), Reason> {
    let off = hours
        .and_then(|hours| hours.checked_mul(Decimal::from(60)))
        .map(|given| (given - Decimal::from(minutes)).abs());
    if off.is_some_and(|off| off <= Decimal::new(12, 1)) { Ok(()) } else { Err(Reason::HOURS_MISMATCH) }
}

/// The member is nowhere else then.
fn take_time(cx: &mut Context<'_>, member: MemberId, from: DateTime<Utc>, until: DateTime<Utc>) -> Result<(), Reason> {
    let served = cx.known.served.entry(member).or_default();
    if served.insert(from.timestamp_micros(), until.timestamp_micros()) { Ok(()) } else { Err(Reason::OVERLAP) }
}

/// A record that this service made and exported, in whatever state it was. What it earned stands in the set's journals.
pub(in super::super) fn service_record(cx: &mut Context<'_>, row: &Row) -> Result<RecordRow, Reason> {
    const T: Table = Table::ServiceRecords;
    const ACTIVITY: usize = T.position("activity_id");
    const POINTS: usize = T.position("points");
    cx.unique()?;
    let activity = match row.given(ACTIVITY) {
        Some(activity) => Some(cx.known.activities.get(activity).ok_or(Reason::UNKNOWN_ACTIVITY)?.0),
        None => None,
    };
    let person = cx.person(row.cell(const { T.position("member_id") }))?;
    let category = category(row.cell(const { T.position("category") })).ok_or(Reason::UNKNOWN_CATEGORY)?;
    let evidence = match row.cell(const { T.position("evidence") }) {
        "A" => Evidence::A,
        "B" => Evidence::B,
        "C" => Evidence::C,
        "D" => Evidence::D,
        _ => return Err(Reason::UNKNOWN_EVIDENCE),
    };
    let status = match row.cell(const { T.position("status") }) {
        "pending" => RecordStatus::Pending,
        "verified" => RecordStatus::Verified,
        "rejected" => RecordStatus::Rejected,
        "reversed" => RecordStatus::Reversed,
        "disputed" => RecordStatus::Disputed,
        _ => return Err(Reason::UNKNOWN_STATUS),
    };
    let time = |column: usize| row.given(column).map(|cell| cx.times.instant(cell).ok_or(Reason::BAD_TIME)).transpose();
    let started_at = time(const { T.position("started_at") })?.ok_or(Reason::BAD_TIME)?;
    let ended_at = time(const { T.position("ended_at") })?.ok_or(Reason::BAD_TIME)?;
    let verified_at = time(const { T.position("verified_at") })?;
    let counted_at = time(const { T.position("counted_at") })?;
    let reversed_at = time(const { T.position("reversed_at") })?;
    let counts = matches!(status, RecordStatus::Verified | RecordStatus::Reversed);
    if ended_at < started_at
        || (counts && counted_at.is_none())
        || ((status == RecordStatus::Reversed) != reversed_at.is_some())
    {
        return Err(Reason::BAD_TIME);
    }
    let minutes = count(row, const { T.position("minutes") }, 0)?;
    let points =
        row.given(POINTS).map(|cell| text::hundredths(cell).filter(|points| *points >= 0).ok_or(Reason::BAD_NUMBER));
    let points = points.transpose()?;
    if matches!(status, RecordStatus::Pending | RecordStatus::Verified | RecordStatus::Disputed) {
        take_time(cx, person.id, started_at, ended_at)?;
    }
    let id = ServiceRecordId::new();
    cx.known.records.insert(row.cell(0).into(), id);
    Ok(RecordRow {
        id,
        person,
        activity,
        category,
        started_at,
        ended_at,
        minutes,
        points,
        evidence,
        status,
        verified_at,
        counted_at,
        reversed_at,
        reason: optional(row.cell(const { T.position("reason") })),
        post: false,
    })
}
