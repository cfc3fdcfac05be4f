//! The two files of a batch assignment: wishes and volunteers, in the columns of the reference rules.
//!
//! Unlike an import, which leaves bad rows out and says so, this takes all rows or none: a plan that forgot somebody would
//! look like a plan.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{Datelike as _, NaiveDateTime, Timelike as _};

use super::csv::CsvRecords;
use super::decode::decode;
use super::record::Record;
use super::{text, time};
use crate::matching::score::{DaySpan, Place, tidy};
use crate::matching::{Volunteer, Wish};

const WISHES: [&str; 6] = ["wish_id", "region_code", "skills", "window_start", "window_end", "people_needed"];
const VOLUNTEERS: [&str; 5] = ["member_id", "region_code", "skills", "availability", "capacity"];
/// How many bad rows are named.
const NAMED: usize = 20;
const MINUTES_PER_DAY: u16 = 24 * 60;

/// What a file cannot be read for.
#[derive(Debug, thiserror::Error)]
pub enum AssignmentError {
    #[error("{file}: {error}")]
    Io { file: String, error: std::io::Error },
    #[error("{file} lacks the column {column}")]
    MissingColumn { file: String, column: &'static str },
    /// `file:line reason` of the first bad rows.
    #[error("{count} bad rows, the first: {}", rows.join(", "))]
    Rows { count: usize, rows: Vec<String> },
}

/// Wishes and volunteers with their ids, in the order of the files, so that equal scores are decided by it.
#[derive(Debug, Default)]
pub struct Assignment {
    pub wish_ids: Vec<String>,
    pub wishes: Vec<Wish>,
    pub member_ids: Vec<String>,
    pub volunteers: Vec<Volunteer>,
}

impl Assignment {
    /// Reads both files.
    ///
    /// # Errors
    /// [`AssignmentError`]: a file, a column, or rows: `bad_encoding`, `column_count`, `missing_field`, `duplicate_id`,
    /// `unknown_region`, `bad_time`, `bad_window` (empty, or not within one day), `bad_availability`, `bad_number`.
    pub fn read(wishes: &Path, volunteers: &Path) -> Result<Self, AssignmentError> {
        let mut all = Self::default();
        let mut skills = BTreeMap::new();
        let mut bad = Bad::default();
        each(wishes, WISHES, &mut bad, |[id, region, wanted, from, until, needed]| {
            all.wishes.push(wish(&mut skills, [region, wanted, from, until, needed])?);
            all.wish_ids.push(id.to_owned());
            Ok(())
        })?;
        each(volunteers, VOLUNTEERS, &mut bad, |[id, region, held, hours, capacity]| {
            all.volunteers.push(Volunteer {
                place: Place::parse(region).ok_or("unknown_region")?,
                skills: numbers(&mut skills, held),
                availability: availability(hours).ok_or("bad_availability")?,
                capacity: whole(capacity)?,
                limits: None,
            });
            all.member_ids.push(id.to_owned());
            Ok(())
        })?;
        if bad.count > 0 { Err(AssignmentError::Rows { count: bad.count, rows: bad.rows }) } else { Ok(all) }
    }
}

#[derive(Default)]
struct Bad {
    count: usize,
    rows: Vec<String>,
}

/// Calls `take` with the folded cells of each row, the id first.
fn each<const N: usize>(
    path: &Path,
    columns: [&'static str; N],
    bad: &mut Bad,
    mut take: impl FnMut([&str; N]) -> Result<(), &'static str>,
) -> Result<(), AssignmentError> {
    let file = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let bytes = std::fs::read(path).map_err(|error| AssignmentError::Io { file: file.clone(), error })?;
    let bytes = decode(bytes);
    let mut records = CsvRecords::new(&bytes);
    let mut record = Record::default();
    records.read(&mut record);
    let header: Vec<String> = record.cells().map(|cell| text::fold(cell).into_owned()).collect();
    let mut places = [0; N];
    for (place, column) in places.iter_mut().zip(columns) {
        *place = header
            .iter()
            .position(|name| name == column)
            .ok_or_else(|| AssignmentError::MissingColumn { file: file.clone(), column })?;
    }
    let mut known = std::collections::BTreeSet::new();
    while records.read(&mut record) {
        let cells = places.map(|place| text::fold(record.cell(place)));
        let cells: [&str; N] = std::array::from_fn(|column| cells[column].as_ref());
        let outcome = match cells.first() {
            _ if record.bad_encoding => Err("bad_encoding"),
            _ if record.len() != header.len() => Err("column_count"),
            None | Some(&"") => Err("missing_field"),
            Some(id) if !known.insert((*id).to_owned()) => Err("duplicate_id"),
            Some(_) => take(cells),
        };
        if let Err(reason) = outcome {
            bad.count += 1;
            if bad.rows.len() < NAMED {
                bad.rows.push(format!("{file}:{} {reason}", record.line));
            }
        }
    }
    Ok(())
}

fn wish(
    skills: &mut BTreeMap<String, u32>,
    [region, wanted, from, until, needed]: [&str; 5],
) -> Result<Wish, &'static str> {
    let from = time::moment(from).ok_or("bad_time")?;
    let until = time::moment(until).ok_or("bad_time")?;
    let window = window(from, until).ok_or("bad_window")?;
    let midnight = from.date().and_time(chrono::NaiveTime::MIN).and_utc().timestamp() / 60;
    Ok(Wish {
        place: Place::parse(region).ok_or("unknown_region")?,
        skills: numbers(skills, wanted),
        from: midnight + i64::from(window.from),
        until: midnight + i64::from(window.until),
        window: window.into(),
        needed: whole(needed)?,
        demands: None,
    })
}

/// `None` where it is empty or does not lie within one day; a day ends with the midnight after it.
pub(super) fn window(from: NaiveDateTime, until: NaiveDateTime) -> Option<DaySpan> {
    let minute = |at: NaiveDateTime| u16::try_from(at.hour() * 60 + at.minute()).ok();
    let end = match until.date() {
        day if day == from.date() => minute(until)?,
        day if Some(day) == from.date().succ_opt() && minute(until)? == 0 => MINUTES_PER_DAY,
        _ => return None,
    };
    let weekday = u8::try_from(from.weekday().number_from_monday()).ok()?;
    let span = DaySpan { weekday, from: minute(from)?, until: end };
    (span.from < span.until).then_some(span)
}

/// `6@08:30-11:30;7@14:00-17:00`; empty: never.
pub(super) fn availability(cell: &str) -> Option<Vec<DaySpan>> {
    let span = |part: &str| {
        let (weekday, hours) = part.split_once('@')?;
        let (from, until) = hours.split_once('-')?;
        let weekday =
            text::whole(weekday).and_then(|day| u8::try_from(day).ok()).filter(|day| (1..=7).contains(day))?;
        let span = DaySpan { weekday, from: minute_of_day(from)?, until: minute_of_day(until)? };
        (span.from < span.until).then_some(span)
    };
    text::list(cell).map(span).collect::<Option<Vec<_>>>().map(tidy)
}

fn minute_of_day(cell: &str) -> Option<u16> {
    if cell == "24:00" {
        return Some(MINUTES_PER_DAY);
    }
    let clock = time::clock(cell)?;
    u16::try_from(clock.hour() * 60 + clock.minute()).ok()
}

fn whole(cell: &str) -> Result<u32, &'static str> {
    text::whole(cell).and_then(|count| u32::try_from(count).ok()).ok_or("bad_number")
}

/// Skills as numbers, sorted, without repeats. Codes are numbered as they come.
fn numbers(known: &mut BTreeMap<String, u32>, cell: &str) -> Vec<u32> {
    let number = |code: &str| {
        let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
        *known.entry(code.to_owned()).or_insert(next)
    };
    let mut skills: Vec<u32> = text::list(cell).map(number).collect();
    skills.sort_unstable();
    skills.dedup();
    skills
}
