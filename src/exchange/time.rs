//! Dates and times as data sets write them, in local time, to the minute.

use std::ops::RangeInclusive;

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use rust_decimal::{Decimal, RoundingStrategy};

use super::text;

/// Day numbers of the 1900 date system: 1 is 1900-01-01, the last is 9999-12-31.
const SERIALS: RangeInclusive<i64> = 1..=2_958_465;
/// From here on the system's own 1900-02-29, a day that never was, lies behind.
const AFTER_FALSE_LEAP_DAY: i64 = 60;
const MINUTES_PER_DAY: i64 = 24 * 60;

/// A moment: `YYYY-MM-DD HH:MM` or one of its kin in RULES.md, rounded to the nearest minute. Expects a folded cell.
pub fn moment(cell: &str) -> Option<NaiveDateTime> {
    if let Some(serial) = serial(cell) {
        return Some(serial);
    }
    let (day, clock) = cell.split_once(char::is_whitespace)?;
    on_the_minute(date_part(day)?.and_time(clock_part(text::trim(clock))?))
}

/// Where a moment stands that may be given exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instant {
    Utc(DateTime<Utc>),
    Local(NaiveDateTime),
}

/// RFC 3339 with its offset, or a [`moment`].
pub fn instant(cell: &str) -> Option<Instant> {
    match DateTime::parse_from_rfc3339(cell) {
        Ok(at) => Some(Instant::Utc(at.to_utc())),
        Err(_) => moment(cell).map(Instant::Local),
    }
}

/// A day: the date part of a [`moment`], alone or with a time that is ignored. Expects a folded cell.
pub fn day(cell: &str) -> Option<NaiveDate> {
    if let Some(date) = date_part(cell) {
        return Some(date);
    }
    moment(cell).map(|at| at.date())
}

/// A window `2023-08-27 14:00/16:00`; the end may carry a date of its own.
pub fn window(cell: &str) -> Option<(NaiveDateTime, NaiveDateTime)> {
    // The day may be written with slashes too, so the end is what stands behind the last one.
    let (from, until) = cell.rsplit_once('/')?;
    let from = moment(text::trim(from))?;
    let until = text::trim(until);
    let until = match clock_part(until) {
        Some(clock) => on_the_minute(from.date().and_time(clock))?,
        None => moment(until)?,
    };
    Some((from, until))
}

/// `08:30` or `8:30:00`.
pub fn clock(cell: &str) -> Option<NaiveTime> {
    clock_part(cell)
}

fn on_the_minute(at: NaiveDateTime) -> Option<NaiveDateTime> {
    let seconds = at.and_utc().timestamp();
    at.checked_add_signed(TimeDelta::seconds((seconds + 30).div_euclid(60) * 60 - seconds))
}

fn serial(cell: &str) -> Option<NaiveDateTime> {
    if !cell.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    let days = text::decimal(cell)?;
    let minutes = days.checked_mul(Decimal::from(MINUTES_PER_DAY))?;
    let minutes: i64 = minutes.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero).try_into().ok()?;
    let day = minutes.div_euclid(MINUTES_PER_DAY);
    if !SERIALS.contains(&day) {
        return None;
    }
    let epoch = NaiveDate::from_ymd_opt(1899, 12, if day < AFTER_FALSE_LEAP_DAY { 31 } else { 30 })?;
    let midnight = epoch.checked_add_days(Days::new(day.unsigned_abs()))?.and_time(NaiveTime::MIN);
    midnight.checked_add_signed(TimeDelta::minutes(minutes.rem_euclid(MINUTES_PER_DAY)))
}

/// `2023-03-05`, `2023/3/5` or `2023年3月5日`.
fn date_part(cell: &str) -> Option<NaiveDate> {
    let (year, month, day) = if let Some((year, rest)) = cell.split_once('年') {
        let (month, rest) = rest.split_once('月')?;
        (year, month, rest.strip_suffix('日')?)
    } else {
        let mark = if cell.contains('/') { '/' } else { '-' };
        let mut parts = cell.splitn(3, mark);
        (parts.next()?, parts.next()?, parts.next()?)
    };
    if year.len() != 4 {
        return None;
    }
    NaiveDate::from_ymd_opt(i32::try_from(text::whole(year)?).ok()?, short(month)?, short(day)?)
}

/// `9:05`, `09:05` or `09:05:59`.
fn clock_part(cell: &str) -> Option<NaiveTime> {
    let mut parts = cell.splitn(3, ':');
    let (hour, minute) = (short(parts.next()?)?, short(parts.next()?)?);
    let second = parts.next().map_or(Some(0), short)?;
    NaiveTime::from_hms_opt(hour, minute, second)
}

/// One or two digits.
fn short(part: &str) -> Option<u32> {
    if part.len() > 2 {
        return None;
    }
    text::whole(part).and_then(|number| u32::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<NaiveDateTime> {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").ok()
    }

    #[test]
    fn every_form_of_a_time_is_read() {
        for cell in [
            "2023-03-15 09:00",
            "2023/03/15 09:00",
            "2023-3-15 9:00",
            "2023/3/15 9:0",
            "2023-03-15 09:00:00",
            "2023-03-15 08:59:30",
            "2023-03-15 09:00:29",
            "2023年3月15日 9:00",
            "2023年03月15日 09:00:00",
            "45000.375",
            "45000.37500001",
            "2023-03-15  09:00",
        ] {
            assert_eq!(moment(cell), at("2023-03-15 09:00"), "{cell}");
        }
        assert_eq!(moment("45000"), at("2023-03-15 00:00"));
        assert_eq!(moment("45000.999999"), at("2023-03-16 00:00"));
        assert_eq!(moment("61"), at("1900-03-01 00:00"));
        assert_eq!(moment("59"), at("1900-02-28 00:00"));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for cell in [
            "",
            "昨天",
            "2023-13-01 09:00",
            "2023-02-29 09:00",
            "2023-03-15",
            "2023-03-15 24:00",
            "2023-03-15 09:60",
            "23-03-15 09:00",
            "2023-03/15 09:00",
            "2023-03-15T09:00",
            "-45000",
            "4.5e4",
            "99999999",
            "0.5",
            "2023-03-15 09",
            "2023-03-15 9:00 AM",
            "1.2.3",
            "+1-1-1 9:00",
        ] {
            assert_eq!(moment(cell), None, "{cell}");
        }
    }

    #[test]
    fn days_and_windows() {
        let date = NaiveDate::from_ymd_opt(2023, 8, 27);
        for cell in ["2023-08-27", "2023/8/27", "2023年8月27日", "45165", "2023-08-27 14:00"] {
            assert_eq!(day(cell), date, "{cell}");
        }
        let expected = at("2023-08-27 14:00").zip(at("2023-08-27 16:00"));
        for cell in [
            "2023-08-27 14:00/16:00",
            "2023/8/27 14:00/16:00",
            "2023-08-27 14:00/2023-08-27 16:00",
            "2023年8月27日 14:00 / 16:00",
        ] {
            assert_eq!(window(cell), expected, "{cell}");
        }
        assert_eq!(window("2023-08-27 14:00"), None);
    }
}
