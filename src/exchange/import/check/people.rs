//! Members and the hours they bring along.

use std::sync::Arc;

use entity::id::MemberId;

use super::{Context, minutes, optional};
use crate::exchange::import::known::Person;
use crate::exchange::import::rows::{Details, Hours, MemberRow, OpeningRow};
use crate::exchange::report::Reason;
use crate::exchange::row::Row;
use crate::exchange::table::Table;
use crate::exchange::{text, time};
use crate::identity::sealed;

const LONGEST_NAME: usize = 50;
const MINUTES_OF_WEEK: u64 = 7 * 24 * 60;
const BIRTH_YEARS: std::ops::RangeInclusive<u64> = 1900..=2020;

const REF: usize = Table::Members.position("member_id");
const NAME: usize = Table::Members.position("name");
const PHONE: usize = Table::Members.position("phone");
const GENDER: usize = Table::Members.position("gender");
const BIRTH_YEAR: usize = Table::Members.position("birth_year");
const REGION: usize = Table::Members.position("region_code");
const KINDS: usize = Table::Members.position("kinds");
const UNIT: usize = Table::Members.position("unit_id");
const GROUP: usize = Table::Members.position("group_no");
const SKILLS: usize = Table::Members.position("skills");
const AVAILABILITY: usize = Table::Members.position("availability");
const MAX_HOURS: usize = Table::Members.position("max_hours_week");
const SPECIAL_GROUP: usize = Table::Members.position("special_group");
const LAT: usize = Table::Members.position("lat");
const LON: usize = Table::Members.position("lon");
const REGISTERED_ON: usize = Table::Members.position("registered_on");

/// RULES.md knows no reason against the cells that it does not name: such a cell counts as empty and is told of in the
/// warnings, the member is accepted.
pub(in super::super) fn member(cx: &mut Context<'_>, row: &Row) -> Result<MemberRow, Reason> {
    let name = row.cell(NAME);
    if name.chars().count() > LONGEST_NAME {
        return Err(Reason::NAME_TOO_LONG);
    }
    if row.starts_formula(NAME) {
        return Err(Reason::FORMULA_CELL);
    }
    let phone = text::phone(row.cell(PHONE)).ok_or(Reason::BAD_PHONE)?;
    let birth_year = match row.given(BIRTH_YEAR) {
        None => None,
        Some(cell) => {
            let year = text::whole(cell).filter(|year| BIRTH_YEARS.contains(year)).ok_or(Reason::BAD_BIRTH_YEAR)?;
            i32::try_from(year).ok()
        }
    };
    let region = cx.community(row.cell(REGION))?;
    cx.unique()?;
    let phone_index = sealed::phone_index(cx.keys, &phone);
    if cx.known.phones.contains(&phone_index) {
        return Err(Reason::DUPLICATE_PHONE);
    }
    let details = Details::read(cx, row);
    let id = MemberId::new();
    cx.known.phones.insert(phone_index.clone());
    let person = Person { id, reference: row.cell(REF).into(), region: region.as_str().into(), unit: details.unit };
    cx.known.members.insert(row.cell(REF).into(), Arc::new(person));
    Ok(MemberRow { id, name: name.to_owned(), phone, phone_index, birth_year, region, details })
}

impl Details {
    /// What cannot be understood is left out and noted.
    fn read(cx: &mut Context<'_>, row: &Row) -> Self {
        let mut left_out = |column| cx.notes.left_out(Table::Members, column, row);
        let known = &*cx.known;
        let mut details = Self { gender: gender(row.cell(GENDER)), ..Self::default() };
        if details.gender.is_none() && row.given(GENDER).is_some() {
            left_out("gender");
        }
        for kind in text::list(row.cell(KINDS)) {
            match kind {
                "resident" | "居民" => details.resident = true,
                "volunteer" | "志愿者" => details.volunteer = true,
                "party_member" | "党员" => details.party_member = true,
                _ => left_out("kinds"),
            }
        }
        for skill in text::list(row.cell(SKILLS)) {
            match known.code_in("skill", skill) {
                Some(code) => details.skills.push(code.to_owned()),
                None => left_out("skills"),
            }
        }
        details.skills.sort_unstable();
        details.skills.dedup();
        let mut read = |column: usize, name: &'static str, take: &mut dyn FnMut(&str) -> bool| {
            if row.given(column).is_some_and(|cell| !take(cell)) {
                left_out(name);
            }
        };
        read(UNIT, "unit_id", &mut |cell| set(&mut details.unit, known.units.get(cell).copied()));
        read(SPECIAL_GROUP, "special_group", &mut |cell| {
            set(&mut details.special_group, known.code_in("special_group", cell).map(str::to_owned))
        });
        read(AVAILABILITY, "availability", &mut |cell| match availability(cell) {
            Some(hours) => {
                details.hours = hours;
                true
            }
            None => false,
        });
        read(MAX_HOURS, "max_hours_week", &mut |cell| {
            let hours = text::whole(cell).filter(|hours| *hours <= MINUTES_OF_WEEK / 60);
            set(&mut details.max_hours_week, hours.and_then(|hours| i32::try_from(hours).ok()))
        });
        read(REGISTERED_ON, "registered_on", &mut |cell| set(&mut details.registered_on, cx.times.day(cell)));
        read(LAT, "lat", &mut |lat| set(&mut details.home, position(lat, row.cell(LON))));
        details.group_no = optional(row.cell(GROUP));
        details
    }
}

/// Whether there was something to set.
fn set<T>(field: &mut Option<T>, value: Option<T>) -> bool {
    *field = value;
    field.is_some()
}

fn gender(cell: &str) -> Option<&'static str> {
    match cell {
        "F" | "女" => Some("F"),
        "M" | "男" => Some("M"),
        _ => None,
    }
}

/// `6@08:30-11:30;7@14:00-17:00`; `None` where a part is anything else.
fn availability(cell: &str) -> Option<Vec<Hours>> {
    let mut all = Vec::new();
    for part in text::list(cell) {
        let (weekday, span) = part.split_once('@')?;
        let (from, until) = span.split_once('-')?;
        let weekday =
            text::whole(weekday).filter(|day| (1..=7).contains(day)).and_then(|day| i16::try_from(day).ok())?;
        let (from_minute, until_minute) = (minute_of_day(from)?, minute_of_day(until)?);
        if from_minute >= until_minute {
            return None;
        }
        all.push(Hours { weekday, from_minute, until_minute });
    }
    all.sort_unstable();
    all.dedup_by_key(|hours| (hours.weekday, hours.from_minute));
    Some(all)
}

fn minute_of_day(cell: &str) -> Option<i16> {
    use chrono::Timelike as _;
    if cell == "24:00" {
        return Some(24 * 60);
    }
    let clock = time::clock(cell)?;
    i16::try_from(clock.hour() * 60 + clock.minute()).ok()
}

/// Degrees.
fn position(lat: &str, lon: &str) -> Option<(f64, f64)> {
    let degrees = |cell: &str, most: f64| {
        text::decimal(cell).and_then(|_| cell.parse().ok()).filter(|degrees: &f64| degrees.abs() <= most)
    };
    degrees(lat, 90.0).zip(degrees(lon, 180.0))
}

pub(in super::super) fn opening_balance(cx: &mut Context<'_>, row: &Row) -> Result<OpeningRow, Reason> {
    const MEMBER: usize = Table::OpeningBalances.position("member_id");
    const HOURS: usize = Table::OpeningBalances.position("hours");
    const AS_OF: usize = Table::OpeningBalances.position("as_of");
    cx.unique()?;
    let person = cx.person(row.cell(MEMBER))?;
    let as_of = cx.times.day(row.cell(AS_OF)).ok_or(Reason::BAD_TIME)?;
    let minutes = minutes(row.cell(HOURS)).ok_or(Reason::BAD_NUMBER)?;
    Ok(OpeningRow { person, as_of, minutes })
}
