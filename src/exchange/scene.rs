//! A data set as a simulation sees it: who volunteers, and which wishes came when. What became of them in the set (claimed, done, expired)
//! is not looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};
use rust_decimal::Decimal;

use super::assignment::availability;
use super::dataset::{DataSet, Loaded, SetFile};
use super::record::Record;
use super::report::Reason;
use super::row::{Layout, Row};
use super::table::Table;
use super::{text, time};
use crate::matching::score::Place;
use crate::simulation::{Person, Request, Scene};

const MINUTES_PER_DAY: i64 = 24 * 60;
/// As in an import.
const LONGEST_WINDOW: TimeDelta = TimeDelta::hours(24);
/// A wish for more people than this is a mistake.
const MOST_NEEDED: u64 = 10_000;

/// Why a set cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum SceneError {
    #[error("{folder}: {error}")]
    Folder { folder: String, error: std::io::Error },
    #[error("{folder} has no {}", missing.join(", no "))]
    Missing { folder: String, missing: Vec<&'static str> },
    #[error("{0}")]
    File(String),
}

/// A set, and what of it was left out.
#[derive(Debug, Default)]
pub struct Read {
    pub scene: Scene,
    /// `table: reason`, how many rows; the reasons are those of an import.
    pub left_out: BTreeMap<String, u64>,
}

/// Reads `members` and `wishes` of the set in `folder`. `tell` hears of each file before it is read.
///
/// # Errors
/// [`SceneError`]: the folder, a table that is not there, a file that cannot be read. Rows are no error but left out.
pub fn read(folder: &Path, tell: &mut dyn FnMut(&str)) -> Result<Read, SceneError> {
    let name = folder.display().to_string();
    let set = DataSet::open(folder).map_err(|error| SceneError::Folder { folder: name, error })?;
    of_set(&set, folder, tell)
}

/// The same of a set that was put together otherwise; `folder` is what it is called by.
///
/// # Errors
/// As [`read`].
pub fn of_set(set: &DataSet, folder: &Path, tell: &mut dyn FnMut(&str)) -> Result<Read, SceneError> {
    let name = folder.display().to_string();
    let wanted = [(Table::Members, "members.csv"), (Table::Wishes, "wishes.csv")];
    let missing: Vec<_> =
        wanted.iter().filter(|(table, _)| !set.tables.contains_key(table)).map(|(_, file)| *file).collect();
    if !missing.is_empty() {
        return Err(SceneError::Missing { folder: name, missing });
    }
    let mut left_out = BTreeMap::new();
    let mut people = Vec::new();
    rows(set, Table::Members, &mut left_out, tell, |row| {
        people.extend(person(row)?);
        Ok(())
    })?;
    let mut requests = Vec::new();
    rows(set, Table::Wishes, &mut left_out, tell, |row| {
        requests.push(request(row)?);
        Ok(())
    })?;
    Ok(Read { scene: Scene::new(people, requests), left_out })
}

/// Gives each row of a table to `take`, of several with one id the first.
fn rows(
    set: &DataSet,
    table: Table,
    left_out: &mut BTreeMap<String, u64>,
    tell: &mut dyn FnMut(&str),
    mut take: impl FnMut(&Row) -> Result<(), &'static str>,
) -> Result<(), SceneError> {
    let mut known = BTreeSet::new();
    for file in set.tables.get(&table).into_iter().flatten() {
        tell(&file.name);
        each(file, table, |row| {
            let outcome = row.and_then(|row| {
                if !known.insert(row.cell(0).to_owned()) {
                    return Err(Reason::DUPLICATE_ID.as_str());
                }
                take(row).inspect_err(|_| {
                    known.remove(row.cell(0));
                })
            });
            if let Err(reason) = outcome {
                *left_out.entry(format!("{}: {reason}", table.name())).or_default() += 1;
            }
        })?;
    }
    Ok(())
}

fn each(file: &SetFile, table: Table, mut take: impl FnMut(Result<&Row, &'static str>)) -> Result<(), SceneError> {
    let loaded = Loaded::open(file).map_err(SceneError::File)?;
    let Some(mut records) = loaded.records() else { return Ok(()) };
    let layout = Layout::new(table, &records.header);
    let (mut record, mut row) = (Record::default(), Row::default());
    while records.read(&mut record) {
        match row.fill(&layout, &record) {
            Ok(()) => take(Ok(&row)),
            Err(reason) => take(Err(reason.as_str())),
        }
    }
    Ok(())
}

/// `None` for a member who does not volunteer: neither of that kind nor with hours.
fn person(row: &Row) -> Result<Option<Person>, &'static str> {
    const T: Table = Table::Members;
    let place = Place::parse(row.cell(const { T.position("region_code") })).ok_or(Reason::UNKNOWN_REGION.as_str())?;
    let kinds = row.cell(const { T.position("kinds") });
    let volunteers = text::list(kinds).any(|kind| matches!(kind, "volunteer" | "志愿者"));
    let party_member = text::list(kinds).any(|kind| matches!(kind, "party_member" | "党员"));
    // What cannot be read counts as empty, as in an import.
    let availability = availability(row.cell(const { T.position("availability") })).unwrap_or_default();
    if !volunteers && (!party_member || availability.is_empty()) {
        return Ok(None);
    }
    let hours =
        text::whole(row.cell(const { T.position("max_hours_week") })).and_then(|hours| u32::try_from(hours).ok());
    Ok(Some(Person {
        id: row.cell(0).to_owned(),
        place,
        skills: text::list(row.cell(const { T.position("skills") })).map(str::to_owned).collect(),
        availability,
        most_minutes_week: hours.filter(|hours| *hours <= 7 * 24).map(|hours| hours * 60),
        registered: time::day(row.cell(const { T.position("registered_on") })).map_or(0, minute_of_day),
    }))
}

fn request(row: &Row) -> Result<Request, &'static str> {
    const T: Table = Table::Wishes;
    let region = row.cell(const { T.position("region_code") });
    let place = Place::parse(region).ok_or(Reason::UNKNOWN_REGION.as_str())?;
    let created = time::moment(row.cell(const { T.position("created_at") })).ok_or(Reason::BAD_TIME.as_str())?;
    let (from, until) =
        time::window(row.cell(const { T.position("preferred_window") })).ok_or(Reason::BAD_TIME.as_str())?;
    if until <= from || until - from > LONGEST_WINDOW {
        return Err(Reason::BAD_TIME.as_str());
    }
    let deadline = match row.given(const { T.position("deadline") }) {
        // Until the end of that day.
        Some(cell) => minute_of_day(time::day(cell).ok_or(Reason::BAD_TIME.as_str())?) + MINUTES_PER_DAY,
        None => minute(until),
    };
    let needed = match row.given(const { T.position("people_needed") }) {
        Some(cell) => text::whole(cell).filter(|needed| (1..=MOST_NEEDED).contains(needed)),
        None => Some(1),
    };
    let long = minute(until) - minute(from);
    let estimated = row.given(const { T.position("est_hours") }).and_then(minutes).filter(|minutes| *minutes <= long);
    Ok(Request {
        id: row.cell(0).to_owned(),
        requester: row.cell(const { T.position("requester_id") }).to_owned(),
        region: region.to_owned(),
        place,
        skills: text::list(row.cell(const { T.position("skills") })).map(str::to_owned).collect(),
        category: row.cell(const { T.position("category") }).to_owned(),
        special_group: row.given(const { T.position("special_group") }).map(str::to_owned),
        needed: needed.and_then(|needed| u32::try_from(needed).ok()).ok_or(Reason::BAD_NUMBER.as_str())?,
        created: minute(created),
        from: minute(from),
        until: minute(until),
        deadline,
        minutes: u32::try_from(estimated.unwrap_or(long)).unwrap_or(0),
    })
}

fn minutes(hours: &str) -> Option<i64> {
    (text::decimal(hours)?.checked_mul(Decimal::from(60))?).round().try_into().ok().filter(|minutes| *minutes >= 0)
}

/// The minute at which a day begins, since the local midnight of 1970-01-01.
fn minute_of_day(day: NaiveDate) -> i64 {
    minute(day.and_time(chrono::NaiveTime::MIN))
}

fn minute(at: NaiveDateTime) -> i64 {
    at.and_utc().timestamp().div_euclid(60)
}

/// The day in which such a minute lies.
pub fn day_of(minute: i64) -> Option<NaiveDate> {
    chrono::DateTime::from_timestamp(minute.checked_mul(60)?, 0).map(|at| at.date_naive())
}
