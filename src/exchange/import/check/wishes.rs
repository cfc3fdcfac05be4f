//! Wishes.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use entity::id::{MemberId, WishId};
use entity::wish::WishStatus;

use super::{Context, category, count, minutes};
use crate::exchange::import::known::Person;
use crate::exchange::import::rows::WishRow;
use crate::exchange::report::Reason;
use crate::exchange::row::Row;
use crate::exchange::table::Table;
use crate::exchange::{text, time};

const T: Table = Table::Wishes;
const LONGEST_WINDOW: TimeDelta = TimeDelta::hours(24);

/// The states as data sets call them: open, claimed, done, expired, withdrawn.
fn status(cell: &str) -> Option<WishStatus> {
    Some(match cell {
        "open" => WishStatus::Published,
        "claimed" => WishStatus::Claimed,
        "done" => WishStatus::Confirmed,
        "expired" => WishStatus::Expired,
        "withdrawn" => WishStatus::Cancelled,
        _ => return None,
    })
}

pub(in super::super) fn wish(cx: &mut Context<'_>, row: &Row) -> Result<WishRow, Reason> {
    const SPECIAL_GROUP: usize = T.position("special_group");
    const EST_HOURS: usize = T.position("est_hours");
    cx.unique()?;
    let category = category(row.cell(const { T.position("category") })).ok_or(Reason::UNKNOWN_CATEGORY)?;
    let skills = skills(cx, row)?;
    let region = cx.community(row.cell(const { T.position("region_code") }))?;
    let requester = cx.person(row.cell(const { T.position("requester_id") }))?;
    let special_group = match row.given(SPECIAL_GROUP) {
        Some(group) => Some(cx.known.code_in("special_group", group).ok_or(Reason::UNKNOWN_SPECIAL_GROUP)?.to_owned()),
        None => None,
    };
    let status = status(row.cell(const { T.position("status") })).ok_or(Reason::UNKNOWN_STATUS)?;
    let times = Times::read(cx, row)?;
    let claim = claim(cx, row, status, &times)?;
    let slots = count(row, const { T.position("people_needed") }, 1)?;
    if slots == 0 {
        return Err(Reason::BAD_NUMBER);
    }
    let est_minutes = row.given(EST_HOURS).map(|cell| minutes(cell).and_then(|minutes| i32::try_from(minutes).ok()));
    let est_minutes = est_minutes.map(|minutes| minutes.ok_or(Reason::BAD_NUMBER)).transpose()?;
    let rating = match count(row, const { T.position("rating") }, 0)? {
        0 if row.given(const { T.position("rating") }).is_none() => None,
        stars @ 1..=5 => i16::try_from(stars).ok(),
        _ => return Err(Reason::BAD_NUMBER),
    };
    if let Some((volunteer, _)) = &claim
        && status == WishStatus::Claimed
    {
        promise_time(cx, volunteer.id, times.window)?;
    }
    let waits = matches!(status, WishStatus::Published | WishStatus::Claimed);
    Ok(WishRow {
        id: WishId::new(),
        requester,
        region,
        title: row.cell(const { T.position("title") }).to_owned(),
        body: row.cell(const { T.position("body") }).to_owned(),
        category,
        skills,
        special_group,
        slots,
        est_minutes,
        window: times.window,
        deadline_on: times.deadline_on,
        due_at: times
            .deadline_on
            .and_then(|day| day.succ_opt())
            .map(|day| cx.times.calendar.start_of(day))
            .filter(|_| waits),
        status,
        created_at: times.created_at,
        claim,
        done_at: times.done_at,
        rating: rating.filter(|_| status == WishStatus::Confirmed),
    })
}

fn skills(cx: &Context<'_>, row: &Row) -> Result<Vec<String>, Reason> {
    listed_skills(cx, row.cell(const { T.position("skills") }))
}

/// The codes of skills in a cell, each once.
pub(super) fn listed_skills(cx: &Context<'_>, cell: &str) -> Result<Vec<String>, Reason> {
    let mut skills = Vec::new();
    for skill in text::list(cell) {
        skills.push(cx.known.code_in("skill", skill).ok_or(Reason::UNKNOWN_SKILL)?.to_owned());
    }
    skills.sort_unstable();
    skills.dedup();
    Ok(skills)
}

struct Times {
    window: (DateTime<Utc>, DateTime<Utc>),
    deadline_on: Option<chrono::NaiveDate>,
    created_at: DateTime<Utc>,
    claimed_at: Option<DateTime<Utc>>,
    done_at: Option<DateTime<Utc>>,
}

impl Times {
    fn read(cx: &Context<'_>, row: &Row) -> Result<Self, Reason> {
        let window = time::window(row.cell(const { T.position("preferred_window") })).ok_or(Reason::BAD_TIME)?;
        let window = cx.times.utc(window.0).zip(cx.times.utc(window.1)).ok_or(Reason::BAD_TIME)?;
        if window.1 <= window.0 || window.1 - window.0 > LONGEST_WINDOW {
            return Err(Reason::BAD_TIME);
        }
        let moment =
            |column: usize| row.given(column).map(|cell| cx.times.moment(cell).ok_or(Reason::BAD_TIME)).transpose();
        let deadline = row.given(const { T.position("deadline") });
        Ok(Self {
            window,
            deadline_on: deadline.map(|cell| cx.times.day(cell).ok_or(Reason::BAD_TIME)).transpose()?,
            created_at: moment(const { T.position("created_at") })?.ok_or(Reason::BAD_TIME)?,
            claimed_at: moment(const { T.position("claimed_at") })?,
            done_at: moment(const { T.position("done_at") })?,
        })
    }
}

/// Who, and when.
type Claimed = (Arc<Person>, DateTime<Utc>);

/// Who claimed it, where its state knows of somebody.
fn claim(cx: &Context<'_>, row: &Row, status: WishStatus, times: &Times) -> Result<Option<Claimed>, Reason> {
    let claimed_by = row.given(const { T.position("claimed_by") });
    let volunteer = claimed_by.map(|reference| cx.person(reference)).transpose()?;
    match (status, volunteer) {
        (WishStatus::Claimed, None) => Err(Reason::MISSING_FIELD),
        (WishStatus::Claimed | WishStatus::Confirmed, Some(volunteer)) => {
            Ok(Some((volunteer, times.claimed_at.unwrap_or(times.created_at))))
        }
        _ => Ok(None),
    }
}

/// Nobody has promised to be in two places at once.
fn promise_time(
    cx: &mut Context<'_>,
    volunteer: MemberId,
    window: (DateTime<Utc>, DateTime<Utc>),
) -> Result<(), Reason> {
    let claimed = cx.known.claimed.entry(volunteer).or_default();
    let free = claimed.insert(window.0.timestamp_micros(), window.1.timestamp_micros());
    if free { Ok(()) } else { Err(Reason::OVERLAP) }
}
