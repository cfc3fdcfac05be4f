//! When a listing is open, and in which period its capacity counts. No I/O.
//!
//! Opening times are weekly hours, which may pass midnight, and dates by a rule; closed days take theirs away. A listing without any
//! is open all through its window: then each period of its capacity is one opening. All of it is local time, worked out when it
//! is asked for and never beyond the window.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use entity::listing::{self, CapacityPeriod};
use serde::{Deserialize, Serialize};

use super::recurrence::Recurrence;
use crate::calendar::{Calendar, Span, iso_weekday};
use crate::identity::hours::HourMinute;

/// The longest window of a listing.
pub const LONGEST: TimeDelta = TimeDelta::days(1_096);
/// The longest span that openings are asked for at once.
pub const MOST_DAYS: i64 = 92;
const MINUTES_A_WEEK: i64 = 7 * 1_440;

/// Hours that come back each week, local time. Where `until` is not after `from`, they end on the day after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeeklyHours {
    /// ISO: 1 is Monday.
    pub weekday: i16,
    pub from: HourMinute,
    pub until: HourMinute,
}

impl WeeklyHours {
    /// Minutes from its beginning to its end: 1 to 1,440.
    fn minutes(self) -> i64 {
        let (from, until) = (i64::from(self.from.minutes()), i64::from(self.until.minutes()));
        if until > from { until - from } else { until + 1_440 - from }
    }

    /// Minutes from Monday midnight to its beginning.
    fn begins(self) -> i64 {
        i64::from(self.weekday - 1) * 1_440 + i64::from(self.from.minutes())
    }
}

/// The first hours that overlap hours before them in the list, around the week's end too.
pub fn overlapping(hours: &[WeeklyHours]) -> Option<usize> {
    let clash = |one: &WeeklyHours, other: &WeeklyHours| {
        let apart = (other.begins() - one.begins()).rem_euclid(MINUTES_A_WEEK);
        apart < one.minutes() || (MINUTES_A_WEEK - apart) % MINUTES_A_WEEK < other.minutes()
    };
    hours.iter().enumerate().find_map(|(at, span)| hours[..at].iter().any(|other| clash(other, span)).then_some(at))
}

/// When a listing is open, as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Openings {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weekly: Vec<WeeklyHours>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recurrence: Option<Recurrence>,
    /// Local days on which nothing begins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closed_on: Vec<NaiveDate>,
}

/// A time at which a listing is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Opening {
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
}

impl Opening {
    fn of(span: &Span) -> Self {
        Self { starts_at: span.start, ends_at: span.end }
    }

    /// Whole minutes of it.
    pub fn minutes(&self) -> i64 {
        (self.ends_at - self.starts_at).num_minutes()
    }
}

/// What of a listing decides about its openings.
#[derive(Clone, Debug)]
pub struct Schedule {
    pub openings: Openings,
    pub window: Opening,
    pub period: CapacityPeriod,
    /// Where the one period of a capacity in all begins.
    pub created_at: DateTime<Utc>,
    pub calendar: Calendar,
}

impl Schedule {
    /// Of a stored listing; openings that cannot be read are none.
    pub fn of(listing: &listing::Model, calendar: Calendar) -> Self {
        Self {
            openings: serde_json::from_value(listing.openings.clone()).unwrap_or_default(),
            window: Opening { starts_at: listing.window_from, ends_at: listing.window_until },
            period: listing.period,
            created_at: listing.created_at,
            calendar,
        }
    }

    /// Whether it has hours or dates of its own.
    pub fn has_hours(&self) -> bool {
        !self.openings.weekly.is_empty() || self.openings.recurrence.is_some()
    }

    /// Until when an opening can be booked and given up: until it begins; where there are no hours, until it ends.
    pub fn held_until(&self, opening: Opening) -> DateTime<Utc> {
        if self.has_hours() { opening.starts_at } else { opening.ends_at }
    }

    /// The openings that overlap `[from, until)`, earliest first; no two begin together.
    pub fn between(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<Opening> {
        let (from, until) = (from.max(self.window.starts_at), until.min(self.window.ends_at));
        if until <= from {
            return Vec::new();
        }
        let mut found = if self.has_hours() { self.by_hours(from, until) } else { self.by_periods(from, until) };
        found.retain(|opening| opening.ends_at > from && opening.starts_at < until);
        found.sort_unstable();
        found.dedup_by_key(|opening| opening.starts_at);
        found
    }

    fn by_hours(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<Opening> {
        let closed = |day: &NaiveDate| self.openings.closed_on.contains(day);
        let local = |day: NaiveDate, minute: i64| {
            let midnight = day.and_time(chrono::NaiveTime::MIN);
            midnight.checked_add_signed(TimeDelta::minutes(minute)).map(|at| self.calendar.instant(at))
        };
        let mut found = Vec::new();
        // What began the day before may still be open.
        let mut day = self.calendar.day_of(from).checked_sub_days(Days::new(1));
        let last = self.calendar.day_of(until);
        while let Some(today) = day.filter(|day| *day <= last) {
            let weekday = i16::from(iso_weekday(today));
            for hours in self.openings.weekly.iter().filter(|hours| hours.weekday == weekday && !closed(&today)) {
                let begins = i64::from(hours.from.minutes());
                let span = local(today, begins).zip(local(today, begins + hours.minutes()));
                found.extend(span.map(|(starts_at, ends_at)| Opening { starts_at, ends_at }));
            }
            day = today.checked_add_days(Days::new(1));
        }
        if let Some(recurrence) = &self.openings.recurrence {
            let length = recurrence.length();
            let dates = recurrence.dates(self.calendar, from - length, until);
            let open = dates.into_iter().filter(|at| !closed(&self.calendar.day_of(*at)));
            found.extend(open.map(|starts_at| Opening { starts_at, ends_at: starts_at + length }));
        }
        // It begins within the window, wherever it ends.
        found.retain(|opening| self.window.starts_at <= opening.starts_at && opening.ends_at > opening.starts_at);
        found
    }

    fn by_periods(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<Opening> {
        let mut found = Vec::new();
        let mut at = from;
        while at < until {
            let span = match self.period {
                CapacityPeriod::Opening | CapacityPeriod::All => return vec![self.window],
                CapacityPeriod::Day => self.calendar.day(self.calendar.day_of(at)),
                CapacityPeriod::Week => self.calendar.week_around(at),
                CapacityPeriod::Month => self.calendar.month_around(at),
            };
            if span.end <= at {
                break;
            }
            at = span.end;
            let closed = self.period == CapacityPeriod::Day
                && self.openings.closed_on.contains(&self.calendar.day_of(span.start));
            let opening = Opening::of(&span);
            if !closed {
                found.push(Opening {
                    starts_at: opening.starts_at.max(self.window.starts_at),
                    ends_at: opening.ends_at.min(self.window.ends_at),
                });
            }
        }
        found
    }

    /// The opening that begins at `at`, or, where there are no hours, the one that `at` lies in.
    pub fn at(&self, at: DateTime<Utc>) -> Option<Opening> {
        let around = self.between(at, at.checked_add_signed(TimeDelta::microseconds(1))?);
        let hours = self.has_hours();
        around.into_iter().find(|opening| opening.starts_at == at || !hours)
    }

    /// The first opening that overlaps `[from, until)` and for which `wanted` holds; looked for month by month.
    pub fn first(
        &self,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
        mut wanted: impl FnMut(&Opening) -> bool,
    ) -> Option<Opening> {
        let until = until.min(self.window.ends_at);
        let mut at = from.max(self.window.starts_at);
        while at < until {
            let next = at + TimeDelta::days(31);
            if let Some(found) = self.between(at, next.min(until)).into_iter().find(|opening| wanted(opening)) {
                return Some(found);
            }
            at = next;
        }
        None
    }

    /// Where the period begins in which the capacity of `opening` counts.
    pub fn period_of(&self, opening: Opening) -> DateTime<Utc> {
        match self.period {
            CapacityPeriod::Opening => opening.starts_at,
            CapacityPeriod::Day => self.calendar.start_of(self.calendar.day_of(opening.starts_at)),
            CapacityPeriod::Week => self.calendar.week_around(opening.starts_at).start,
            CapacityPeriod::Month => self.calendar.month_around(opening.starts_at).start,
            CapacityPeriod::All => self.created_at,
        }
    }

    /// Minutes of `[from, until)` in which it is open.
    pub fn open_minutes(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> u32 {
        // What overlaps is counted once: each minute is at most open.
        let mut free = 0;
        let mut reached = from;
        for opening in self.between(from, until) {
            let (begin, end) = (opening.starts_at.max(reached), opening.ends_at.min(until));
            if end > begin {
                free += (end - begin).num_minutes();
                reached = end;
            }
        }
        u32::try_from(free).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SHANGHAI: Calendar = Calendar::new(chrono_tz::Asia::Shanghai);

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn hours(weekday: i16, from: &str, until: &str) -> WeeklyHours {
        WeeklyHours { weekday, from: HourMinute::parse(from).unwrap(), until: HourMinute::parse(until).unwrap() }
    }

    fn schedule(weekly: Vec<WeeklyHours>, period: CapacityPeriod) -> Schedule {
        Schedule {
            openings: Openings { weekly, ..Openings::default() },
            window: Opening { starts_at: at("2026-11-15T16:00:00Z"), ends_at: at("2027-01-31T16:00:00Z") },
            period,
            created_at: at("2026-11-01T00:00:00Z"),
            calendar: SHANGHAI,
        }
    }

    fn shown(schedule: &Schedule, from: &str, until: &str) -> Vec<String> {
        let show = |at| SHANGHAI.local(at).format("%d %H:%M").to_string();
        let found = schedule.between(at(from), at(until));
        found.iter().map(|opening| format!("{}-{}", show(opening.starts_at), show(opening.ends_at))).collect()
    }

    #[test]
    fn hours_pass_midnight_and_the_end_of_the_week() {
        let night = schedule(vec![hours(7, "19:00", "07:00")], CapacityPeriod::Opening);
        assert_eq!(
            shown(&night, "2026-11-16T00:00:00Z", "2026-11-30T00:00:00Z"),
            ["22 19:00-23 07:00", "29 19:00-30 07:00"]
        );
        // What began on Sunday is still open on Monday at six.
        assert_eq!(shown(&night, "2026-11-22T22:00:00Z", "2026-11-22T22:30:00Z"), ["22 19:00-23 07:00"]);
        assert_eq!(overlapping(&[hours(7, "19:00", "07:00"), hours(1, "06:59", "08:00")]), Some(1));
        assert_eq!(overlapping(&[hours(1, "06:59", "08:00"), hours(7, "19:00", "07:00")]), Some(1));
        assert_eq!(overlapping(&[hours(7, "19:00", "07:00"), hours(1, "07:00", "08:00")]), None);
        assert_eq!(overlapping(&[hours(2, "09:00", "10:00"), hours(2, "10:00", "11:00")]), None);
        assert_eq!(overlapping(&[hours(2, "09:00", "10:00"), hours(2, "09:00", "10:00")]), Some(1));
    }

    #[test]
    fn closed_days_and_the_window_take_openings_away() {
        let mut morning = schedule(vec![hours(1, "09:00", "11:00"), hours(3, "09:00", "11:00")], CapacityPeriod::Day);
        morning.openings.closed_on = vec![NaiveDate::from_ymd_opt(2026, 11, 18).unwrap()];
        let all = shown(&morning, "2026-11-01T00:00:00Z", "2026-11-25T16:00:00Z");
        assert_eq!(all, ["16 09:00-16 11:00", "23 09:00-23 11:00", "25 09:00-25 11:00"]);
        assert_eq!(morning.between(at("2027-02-01T00:00:00Z"), at("2027-03-01T00:00:00Z")), []);
    }

    #[test]
    fn without_hours_each_period_is_an_opening() {
        let by = |period| schedule(Vec::new(), period).between(at("2026-11-20T00:00:00Z"), at("2026-12-02T00:00:00Z"));
        let counts = [CapacityPeriod::Day, CapacityPeriod::Week, CapacityPeriod::Month, CapacityPeriod::All]
            .map(|period| by(period).len());
        assert_eq!(counts, [13, 3, 2, 1]);
        assert!(by(CapacityPeriod::Month)[0].starts_at == at("2026-11-15T16:00:00Z"));
    }

    #[test]
    fn an_opening_is_named_by_its_beginning() {
        let morning = schedule(vec![hours(1, "09:00", "11:00")], CapacityPeriod::Opening);
        assert!(morning.at(at("2026-11-16T01:00:00Z")).is_some());
        assert_eq!(morning.at(at("2026-11-16T01:30:00Z")), None);
        let whole = schedule(Vec::new(), CapacityPeriod::All);
        assert_eq!(whole.at(at("2026-11-16T01:30:00Z")), Some(whole.window));
        assert_eq!(whole.at(at("2027-06-01T00:00:00Z")), None);
        assert_eq!(whole.period_of(whole.window), whole.created_at);
    }

    #[test]
    fn overlapping_rules_count_a_minute_once() {
        let mut both = schedule(vec![hours(6, "09:00", "11:00")], CapacityPeriod::Opening);
        both.openings.recurrence = Some(Recurrence {
            rule: "FREQ=WEEKLY;BYDAY=SA".into(),
            starts_at: at("2026-11-21T02:00:00Z"),
            minutes: 120,
        });
        // 09:00 to 11:00 and 10:00 to 12:00.
        assert_eq!(both.open_minutes(at("2026-11-21T00:00:00Z"), at("2026-11-21T08:00:00Z")), 180);
    }

    proptest! {
        #[test]
        fn asking_in_parts_finds_the_same(
            spans in proptest::collection::vec((1..8_i16, 0..1440_i16, 1..1440_i16), 0..6),
            period in 0..5_usize, from in 0..60_i64, cut in 0..20_i64, length in 1..20_i64,
        ) {
            let kinds = [CapacityPeriod::Opening, CapacityPeriod::Day, CapacityPeriod::Week, CapacityPeriod::Month, CapacityPeriod::All];
            let text = |minute: i16| format!("{:02}:{:02}", minute / 60, minute % 60);
            let weekly = spans.into_iter().map(|(day, from, length)| hours(day, &text(from), &text((from + length) % 1440))).collect();
            let schedule = schedule(weekly, kinds[period]);
            let start = schedule.window.starts_at + TimeDelta::days(from);
            let (middle, end) = (start + TimeDelta::days(cut), start + TimeDelta::days(cut + length));
            let mut parts = schedule.between(start, middle);
            parts.extend(schedule.between(middle, end));
            parts.sort_unstable();
            parts.dedup();
            let whole = schedule.between(start, end);
            prop_assert_eq!(&parts, &whole);
            prop_assert!(whole.iter().all(|opening| opening.starts_at < opening.ends_at && schedule.period_of(*opening) <= opening.starts_at));
            let open = schedule.open_minutes(start, end);
            prop_assert!(i64::from(open) <= (end - start).num_minutes());
        }
    }
}
