//! Slots that come back each week, written out; no I/O.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::slot::{MOST_SLOTS, NewSlot};
use crate::calendar::{Calendar, iso_weekday};

/// A weekly pattern; local time.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    /// ISO: 1 is Monday.
    pub(super) weekdays: Vec<u8>,
    /// Minutes after midnight.
    pub(super) from_minute: i16,
    /// The last slot ends by then.
    pub(super) until_minute: i16,
    pub(super) slot_minutes: i16,
    pub(super) capacity: i32,
    pub(super) first_on: NaiveDate,
    /// With this day.
    pub(super) last_on: NaiveDate,
}

impl Pattern {
    /// The slots from `now` on, earliest first; one more than [`MOST_SLOTS`] where there are more.
    pub(super) fn slots(&self, calendar: Calendar, now: DateTime<Utc>) -> Vec<NewSlot> {
        let days = self.first_on.iter_days().take_while(|day| *day <= self.last_on);
        let days = days.filter(|day| self.weekdays.contains(&iso_weekday(*day)));
        let step = usize::try_from(self.slot_minutes).unwrap_or(1).max(1);
        let starts =
            || (self.from_minute..).step_by(step).take_while(|start| start + self.slot_minutes <= self.until_minute);
        let at = |day: NaiveDate, minute: i16| {
            calendar.instant(day.and_time(chrono::NaiveTime::MIN) + TimeDelta::minutes(i64::from(minute)))
        };
        days.flat_map(|day| starts().map(move |start| (day, start)))
            .map(|(day, start)| NewSlot {
                starts_at: at(day, start),
                ends_at: at(day, start + self.slot_minutes),
                capacity: self.capacity,
            })
            // Where clocks skip an hour, a slot of it has no length.
            .filter(|slot| slot.starts_at > now && slot.ends_at > slot.starts_at)
            .take(MOST_SLOTS + 1)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern() -> Pattern {
        Pattern {
            weekdays: vec![1, 6],
            from_minute: 8 * 60 + 30,
            until_minute: 11 * 60,
            slot_minutes: 60,
            capacity: 2,
            first_on: "2026-11-21".parse().unwrap(),
            last_on: "2026-11-30".parse().unwrap(),
        }
    }

    const CALENDAR: Calendar = Calendar::new(chrono_tz::Asia::Shanghai);

    #[test]
    fn each_day_has_as_many_as_fit_from_now_on() {
        let now = "2026-11-21T01:00:00Z".parse().unwrap(); // 9:00
        let slots: Vec<_> = pattern().slots(CALENDAR, now).iter().map(|slot| slot.starts_at.to_rfc3339()).collect();
        assert_eq!(
            slots,
            [
                "2026-11-21T01:30:00+00:00",
                "2026-11-23T00:30:00+00:00",
                "2026-11-23T01:30:00+00:00",
                "2026-11-28T00:30:00+00:00",
                "2026-11-28T01:30:00+00:00",
                "2026-11-30T00:30:00+00:00",
                "2026-11-30T01:30:00+00:00",
            ]
        );
        let longer = Pattern { slot_minutes: 200, ..pattern() };
        assert!(longer.slots(CALENDAR, now).is_empty());
        let later = Pattern { last_on: "2036-11-30".parse().unwrap(), ..pattern() };
        assert_eq!(later.slots(CALENDAR, now).len(), MOST_SLOTS + 1);
    }

    #[test]
    fn a_slot_may_end_at_midnight() {
        let night = Pattern { from_minute: 23 * 60, until_minute: 1440, ..pattern() };
        let slots = night.slots(CALENDAR, "2026-11-20T00:00:00Z".parse().unwrap());
        assert_eq!(slots[0].ends_at, "2026-11-21T16:00:00Z".parse::<DateTime<Utc>>().unwrap());
    }
}
