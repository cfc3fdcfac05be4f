//! Days, weeks, months and periods of the configured time zone, as half-open ranges of UTC instants.
//!
//! Storage knows instants only. Every rule that speaks of a day or a month (caps, boards, expiry) asks here; SQL never
//! does, because the two databases' date functions differ and neither is asked for a time zone.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use chrono::{
    DateTime, Datelike as _, Days, LocalResult, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone as _,
    Utc,
};
use chrono_tz::Tz;

/// A half-open range of instants: from the first, up to but without the second.
pub type Span = Range<DateTime<Utc>>;

/// The calendar of one time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calendar {
    zone: Tz,
}

impl Calendar {
    /// The calendar of `zone`.
    pub const fn new(zone: Tz) -> Self {
        Self { zone }
    }

    /// The time zone itself, for what reckons in it by itself.
    pub const fn zone(&self) -> Tz {
        self.zone
    }

    /// What the wall clock shows at an instant.
    pub fn local(&self, at: DateTime<Utc>) -> NaiveDateTime {
        at.with_timezone(&self.zone).naive_local()
    }

    /// The day an instant lies in.
    pub fn day_of(&self, at: DateTime<Utc>) -> NaiveDate {
        self.local(at).date()
    }

    /// The ISO weekday of an instant: Monday 1 … Sunday 7.
    pub fn weekday_of(&self, at: DateTime<Utc>) -> u8 {
        iso_weekday(self.day_of(at))
    }

    /// The instant at which the wall clock shows `local`: the first of two, and the end of the gap where clocks skip it.
    pub fn instant(&self, local: NaiveDateTime) -> DateTime<Utc> {
        match self.zone.from_local_datetime(&local) {
            LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at.to_utc(),
            LocalResult::None => self.after_gap(local),
        }
    }

    /// Clocks are put forward by an hour at most; the first minute they show again is looked for.
    fn after_gap(self, local: NaiveDateTime) -> DateTime<Utc> {
        (1..=180)
            .filter_map(|minutes| local.checked_add_signed(TimeDelta::minutes(minutes)))
            .find_map(|later| self.zone.from_local_datetime(&later).earliest())
            .map_or_else(|| local.and_utc(), |at| at.to_utc())
    }

    /// The first instant of a day.
    pub fn start_of(&self, day: NaiveDate) -> DateTime<Utc> {
        self.instant(day.and_time(NaiveTime::MIN))
    }

    /// One day.
    pub fn day(&self, day: NaiveDate) -> Span {
        self.days(day, day)
    }

    /// All days from `first` to `last`, both included.
    pub fn days(&self, first: NaiveDate, last: NaiveDate) -> Span {
        self.start_of(first)..self.start_of(last.checked_add_days(Days::new(1)).unwrap_or(NaiveDate::MAX))
    }

    /// The week an instant lies in, Monday to Sunday, as a range.
    pub fn week_around(&self, at: DateTime<Utc>) -> Span {
        let day = self.day_of(at);
        let monday = day.checked_sub_days(Days::new(u64::from(day.weekday().num_days_from_monday()))).unwrap_or(day);
        self.days(monday, monday.checked_add_days(Days::new(6)).unwrap_or(NaiveDate::MAX))
    }

    /// The month an instant lies in, as a range.
    pub fn month_around(&self, at: DateTime<Utc>) -> Span {
        let day = self.day_of(at);
        let first = day.with_day(1).unwrap_or(day);
        let next = first.checked_add_months(Months::new(1)).unwrap_or(NaiveDate::MAX);
        self.start_of(first)..self.start_of(next)
    }

    /// The period of a kind that an instant lies in.
    pub fn period_of(&self, at: DateTime<Utc>, kind: PeriodKind) -> Period {
        Period::of_day(self.day_of(at), kind)
    }

    /// The instants of a period; `None` for [`Period::All`], which has no bounds.
    pub fn range(&self, period: Period) -> Option<Span> {
        let (first, next) = (period.first_day()?, period.next()?.first_day()?);
        Some(self.start_of(first)..self.start_of(next))
    }

    /// Whether a period is over at `at`.
    pub fn has_closed(&self, period: Period, at: DateTime<Utc>) -> bool {
        self.range(period).is_some_and(|range| range.end <= at)
    }
}

/// The ISO weekday of a day: Monday 1 … Sunday 7.
pub fn iso_weekday(day: NaiveDate) -> u8 {
    u8::try_from(day.weekday().number_from_monday()).unwrap_or(7)
}

/// How long a [`Period`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeriodKind {
    Month,
    Quarter,
    Year,
    All,
}

/// A board's period as clients write it: `2026-11`, `2026-Q4`, `2026`, `all`. Years have four digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Period {
    /// Year and month (1…12).
    Month(i32, u32),
    /// Year and quarter (1…4).
    Quarter(i32, u32),
    Year(i32),
    All,
}

impl Period {
    /// The period of `kind` that holds `day`.
    pub fn of_day(day: NaiveDate, kind: PeriodKind) -> Self {
        match kind {
            PeriodKind::Month => Self::Month(day.year(), day.month()),
            PeriodKind::Quarter => Self::Quarter(day.year(), day.month0() / 3 + 1),
            PeriodKind::Year => Self::Year(day.year()),
            PeriodKind::All => Self::All,
        }
    }

    /// The kind of this period.
    pub const fn kind(self) -> PeriodKind {
        match self {
            Self::Month(..) => PeriodKind::Month,
            Self::Quarter(..) => PeriodKind::Quarter,
            Self::Year(_) => PeriodKind::Year,
            Self::All => PeriodKind::All,
        }
    }

    /// The first day; `None` for [`Period::All`].
    pub fn first_day(self) -> Option<NaiveDate> {
        match self {
            Self::Month(year, month) => NaiveDate::from_ymd_opt(year, month, 1),
            Self::Quarter(year, quarter) => NaiveDate::from_ymd_opt(year, quarter * 3 - 2, 1),
            Self::Year(year) => NaiveDate::from_ymd_opt(year, 1, 1),
            Self::All => None,
        }
    }

    /// The period after this one; `None` for [`Period::All`].
    pub const fn next(self) -> Option<Self> {
        match self {
            Self::Month(year, 12) => Some(Self::Month(year + 1, 1)),
            Self::Month(year, month) => Some(Self::Month(year, month + 1)),
            Self::Quarter(year, 4) => Some(Self::Quarter(year + 1, 1)),
            Self::Quarter(year, quarter) => Some(Self::Quarter(year, quarter + 1)),
            Self::Year(year) => Some(Self::Year(year + 1)),
            Self::All => None,
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Month(year, month) => write!(formatter, "{year:04}-{month:02}"),
            Self::Quarter(year, quarter) => write!(formatter, "{year:04}-Q{quarter}"),
            Self::Year(year) => write!(formatter, "{year:04}"),
            Self::All => formatter.write_str("all"),
        }
    }
}

/// A text that is no period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a period: 2026-11, 2026-Q4, 2026 or all")]
pub struct NotAPeriod;

impl FromStr for Period {
    type Err = NotAPeriod;

    fn from_str(text: &str) -> Result<Self, NotAPeriod> {
        if text == "all" {
            return Ok(Self::All);
        }
        let (year, rest) = text.split_once('-').map_or((text, None), |(year, rest)| (year, Some(rest)));
        let year = digits(year, 4).and_then(|year| i32::try_from(year).ok()).ok_or(NotAPeriod)?;
        let period = match rest {
            None => Some(Self::Year(year)),
            Some(rest) => match rest.strip_prefix('Q') {
                Some(quarter) => digits(quarter, 1).map(|quarter| Self::Quarter(year, quarter)),
                None => digits(rest, 2).map(|month| Self::Month(year, month)),
            },
        };
        period
            .filter(|period| match period {
                Self::Month(_, month) => (1..=12).contains(month),
                Self::Quarter(_, quarter) => (1..=4).contains(quarter),
                Self::Year(_) | Self::All => true,
            })
            .filter(|_| year > 0)
            .ok_or(NotAPeriod)
    }
}

/// Exactly `count` ASCII digits; `parse` alone would take a sign.
fn digits(text: &str, count: usize) -> Option<u32> {
    (text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    const CALENDAR: Calendar = Calendar::new(chrono_tz::Asia::Shanghai);

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[rstest]
    #[case("2026-11", "2026-10-31T16:00:00Z", "2026-11-30T16:00:00Z")]
    #[case("2026-12", "2026-11-30T16:00:00Z", "2026-12-31T16:00:00Z")]
    #[case("2024-02", "2024-01-31T16:00:00Z", "2024-02-29T16:00:00Z")]
    #[case("2026-Q4", "2026-09-30T16:00:00Z", "2026-12-31T16:00:00Z")]
    #[case("2026-Q1", "2025-12-31T16:00:00Z", "2026-03-31T16:00:00Z")]
    #[case("2026", "2025-12-31T16:00:00Z", "2026-12-31T16:00:00Z")]
    fn a_period_begins_and_ends_at_midnight_in_shanghai(
        #[case] period: Period,
        #[case] from: &str,
        #[case] until: &str,
    ) {
        assert_eq!(CALENDAR.range(period), Some(utc(from)..utc(until)));
    }

    #[rstest]
    #[case("2026-11-30T15:59:59.999999Z", "2026-11", 1)]
    #[case("2026-11-30T16:00:00Z", "2026-12", 2)]
    #[case("2026-12-05T16:00:00Z", "2026-12", 7)]
    fn an_instant_lies_in_the_local_day(#[case] at: &str, #[case] month: Period, #[case] weekday: u8) {
        assert_eq!(CALENDAR.period_of(utc(at), PeriodKind::Month), month);
        assert_eq!(CALENDAR.weekday_of(utc(at)), weekday);
    }

    #[test]
    fn a_period_has_closed_from_its_end_on() {
        let november = Period::Month(2026, 11);
        assert!(!CALENDAR.has_closed(november, utc("2026-11-30T15:59:59Z")));
        assert!(CALENDAR.has_closed(november, utc("2026-11-30T16:00:00Z")));
        assert!(!CALENDAR.has_closed(Period::All, utc("2999-01-01T00:00:00Z")));
        assert_eq!(CALENDAR.range(Period::All), None);
    }

    #[test]
    fn days_include_the_last_one() {
        let day = NaiveDate::from_ymd_opt(2026, 11, 30).unwrap();
        assert_eq!(CALENDAR.day(day), utc("2026-11-29T16:00:00Z")..utc("2026-11-30T16:00:00Z"));
        assert_eq!(
            CALENDAR.month_around(utc("2026-11-29T16:00:00Z")),
            CALENDAR.range(Period::Month(2026, 11)).unwrap()
        );
    }

    #[test]
    fn a_week_goes_from_monday_to_sunday() {
        let week = utc("2026-11-22T16:00:00Z")..utc("2026-11-29T16:00:00Z");
        for at in ["2026-11-22T16:00:00Z", "2026-11-26T00:00:00Z", "2026-11-29T15:59:59Z"] {
            assert_eq!(CALENDAR.week_around(utc(at)), week);
        }
        assert_eq!(CALENDAR.week_around(utc("2026-11-22T15:59:59Z")).end, week.start);
    }

    #[test]
    fn a_time_that_clocks_skip_is_the_end_of_the_gap() {
        let berlin = Calendar::new(chrono_tz::Europe::Berlin);
        let skipped = NaiveDate::from_ymd_opt(2026, 3, 29).unwrap().and_hms_opt(2, 30, 0).unwrap();
        assert_eq!(berlin.instant(skipped), utc("2026-03-29T01:00:00Z"));
        let twice = NaiveDate::from_ymd_opt(2026, 10, 25).unwrap().and_hms_opt(2, 30, 0).unwrap();
        assert_eq!(berlin.instant(twice), utc("2026-10-25T00:30:00Z"));
    }

    #[rstest]
    #[case("")]
    #[case("2026-13")]
    #[case("2026-00")]
    #[case("2026-1")]
    #[case("2026-Q5")]
    #[case("2026-Q0")]
    #[case("2026-q1")]
    #[case("26")]
    #[case("0000")]
    #[case("+202")]
    #[case("2026-+1")]
    #[case("２０２６")]
    #[case("2026-11-01")]
    #[case("ALL")]
    fn other_texts_are_no_period(#[case] text: &str) {
        assert_eq!(text.parse::<Period>(), Err(NotAPeriod));
    }

    fn instants() -> impl Strategy<Value = DateTime<Utc>> {
        // 1970 to 2200, with the years in which China had summer time.
        (0..7_258_118_400_000_000_i64).prop_map(|us| DateTime::from_timestamp_micros(us).unwrap())
    }

    fn kinds() -> impl Strategy<Value = PeriodKind> {
        prop_oneof![Just(PeriodKind::Month), Just(PeriodKind::Quarter), Just(PeriodKind::Year)]
    }

    proptest! {
        #[test]
        fn an_instant_lies_in_its_period_and_in_no_other(at in instants(), kind in kinds()) {
            let period = CALENDAR.period_of(at, kind);
            let range = CALENDAR.range(period).unwrap();
            prop_assert!(range.contains(&at));
            let next = CALENDAR.range(period.next().unwrap()).unwrap();
            prop_assert_eq!(range.end, next.start);
            prop_assert!(!next.contains(&at));
            prop_assert_eq!(period.kind(), kind);
        }

        #[test]
        fn a_period_reads_back_as_written(at in instants(), kind in kinds()) {
            let period = CALENDAR.period_of(at, kind);
            prop_assert_eq!(period.to_string().parse(), Ok(period));
        }

        #[test]
        fn local_time_and_instant_are_inverse(at in instants()) {
            // Within the hour that summer time shows twice the first one is meant.
            let back = CALENDAR.instant(CALENDAR.local(at));
            prop_assert!(back == at || back == at - TimeDelta::hours(1));
            prop_assert!(CALENDAR.day(CALENDAR.day_of(at)).contains(&at));
            prop_assert!((1..=7).contains(&CALENDAR.weekday_of(at)));
        }
    }
}
