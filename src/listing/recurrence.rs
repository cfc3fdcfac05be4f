//! Dates that come back by a rule of RFC 5545, written by whoever keeps the listing and so read with suspicion: only the parts
//! that say days are taken, the time of day is that of the first date, and what is worked out ends with the listing's window.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use rrule::{RRule, RRuleSet, Unvalidated};
use serde::{Deserialize, Serialize};

use crate::calendar::Calendar;

/// The longest rule.
pub const LONGEST_RULE: usize = 200;
/// As many dates as a rule may have: more than the days of the longest window.
const MOST_DATES: u16 = 1_200;
/// The longest list of days or months in a rule.
const MOST_VALUES: usize = 31;

/// A rule, its first date, and how long it is open each time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recurrence {
    /// As in `FREQ=MONTHLY;BYDAY=2SA`.
    pub rule: String,
    /// DTSTART: the first date of the rule, with the time of day of all of them.
    pub starts_at: DateTime<Utc>,
    /// 1 to 1,440.
    pub minutes: i32,
}

/// Why a rule is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleFault {
    #[error("重复规则须是一行 RFC 5545 的 RRULE，如 FREQ=WEEKLY;BYDAY=SA 或 FREQ=MONTHLY;BYDAY=2SA")]
    NoRule,
    #[error("重复规则的频率须是 DAILY、WEEKLY、MONTHLY 或 YEARLY，不能按小时、分、秒重复")]
    TooOften,
    #[error(
        "重复规则只能写 FREQ、INTERVAL、COUNT、UNTIL、BYDAY、BYMONTHDAY、BYMONTH、BYSETPOS、WKST，各写一次；时刻由首次开始时间决定"
    )]
    UnknownPart,
    #[error("重复规则里的数太大或太多，请简化")]
    TooMuch,
    #[error("重复规则与首次开始时间不相容，请核对各项取值；UNTIL 须写成 UTC，如 20261231T160000Z")]
    Incompatible,
}

/// Brings a rule into its one form and says whether it may be kept.
///
/// # Errors
/// [`RuleFault`].
pub fn check(rule: &str, starts_at: DateTime<Utc>, calendar: Calendar) -> Result<String, RuleFault> {
    let rule = rule.trim().to_ascii_uppercase();
    let rule = rule.strip_prefix("RRULE:").unwrap_or(&rule);
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"=;,+-".contains(&byte);
    if rule.is_empty() || rule.len() > LONGEST_RULE || !rule.bytes().all(plain) {
        return Err(RuleFault::NoRule);
    }
    let mut seen = BTreeSet::new();
    for part in rule.split(';') {
        let (name, value) = part.split_once('=').ok_or(RuleFault::NoRule)?;
        if !seen.insert(name) {
            return Err(RuleFault::UnknownPart);
        }
        check_part(name, value)?;
    }
    if !seen.contains("FREQ") {
        return Err(RuleFault::NoRule);
    }
    let start = starts_at.with_timezone(&rrule::Tz::Tz(calendar.zone()));
    let parsed: RRule<Unvalidated> = rule.parse().map_err(|_| RuleFault::Incompatible)?;
    parsed.validate(start).map_err(|_| RuleFault::Incompatible)?;
    Ok(rule.to_owned())
}

fn check_part(name: &str, value: &str) -> Result<(), RuleFault> {
    let number = |most: u32| match value.parse::<u32>() {
        Ok(number) if (1..=most).contains(&number) && value.bytes().all(|byte| byte.is_ascii_digit()) => Ok(()),
        _ => Err(RuleFault::TooMuch),
    };
    let list = |shape: fn(&str) -> bool| {
        let few = value.split(',').count() <= MOST_VALUES;
        if few && value.split(',').all(shape) { Ok(()) } else { Err(RuleFault::TooMuch) }
    };
    match name {
        "FREQ" => match value {
            "DAILY" | "WEEKLY" | "MONTHLY" | "YEARLY" => Ok(()),
            _ => Err(RuleFault::TooOften),
        },
        "INTERVAL" => number(366),
        "COUNT" => number(u32::from(MOST_DATES)),
        "UNTIL" => Ok(()),
        "WKST" => list(is_weekday),
        "BYDAY" => list(|item| {
            let (head, day) = item.split_at(item.len().saturating_sub(2));
            let place = head.is_empty() || signed(head).is_some_and(|place| place.abs() <= 53);
            place && is_weekday(day)
        }),
        "BYMONTHDAY" => list(|item| signed(item).is_some_and(|day| day.abs() <= 31)),
        "BYMONTH" => list(|item| signed(item).is_some_and(|month| (1..=12).contains(&month))),
        "BYSETPOS" => list(|item| signed(item).is_some_and(|place| place.abs() <= 31)),
        _ => Err(RuleFault::UnknownPart),
    }
}

fn is_weekday(text: &str) -> bool {
    matches!(text, "MO" | "TU" | "WE" | "TH" | "FR" | "SA" | "SU")
}

/// One to three digits with at most a sign, and not zero.
fn signed(text: &str) -> Option<i32> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let plain = (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| plain && *number != 0)
}

impl Recurrence {
    /// The dates that begin in `[from, until)`, earliest first; at most 1,200 counted from the first of the rule. None where
    /// a kept rule is not one any more.
    pub fn dates(&self, calendar: Calendar, from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<DateTime<Utc>> {
        if until <= from || until <= self.starts_at {
            return Vec::new();
        }
        let zone = rrule::Tz::Tz(calendar.zone());
        let start = self.starts_at.with_timezone(&zone);
        let Ok(rule) = self.rule.parse::<RRule<Unvalidated>>() else { return Vec::new() };
        let Ok(rule) = rule.validate(start) else { return Vec::new() };
        let last = until - TimeDelta::microseconds(1);
        let set = RRuleSet::new(start).rrule(rule).after(from.with_timezone(&zone)).before(last.with_timezone(&zone));
        set.all(MOST_DATES).dates.into_iter().map(|at| at.to_utc()).collect()
    }

    /// How long it is open each time.
    pub fn length(&self) -> TimeDelta {
        TimeDelta::minutes(i64::from(self.minutes))
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

    /// A Saturday, nine o'clock.
    fn start() -> DateTime<Utc> {
        at("2026-11-21T01:00:00Z")
    }

    fn days(rule: &str) -> Vec<String> {
        let rule = check(rule, start(), SHANGHAI).unwrap();
        let recurrence = Recurrence { rule, starts_at: start(), minutes: 60 };
        let dates = recurrence.dates(SHANGHAI, start(), at("2027-02-20T16:00:00Z"));
        dates.into_iter().map(|at| SHANGHAI.local(at).format("%m-%d %H:%M").to_string()).collect()
    }

    #[test]
    fn rules_are_read_as_the_standard_says() {
        assert_eq!(days("FREQ=WEEKLY;BYDAY=SA;COUNT=3"), ["11-21 09:00", "11-28 09:00", "12-05 09:00"]);
        assert_eq!(days("freq=monthly;byday=2SA"), ["12-12 09:00", "01-09 09:00", "02-13 09:00"]);
        assert_eq!(days("RRULE:FREQ=MONTHLY;BYMONTHDAY=-1"), ["11-30 09:00", "12-31 09:00", "01-31 09:00"]);
        assert_eq!(days("FREQ=DAILY;INTERVAL=30;UNTIL=20261231T160000Z"), ["11-21 09:00", "12-21 09:00"]);
        assert_eq!(days("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1").len(), 3);
    }

    #[test]
    fn rules_that_mean_no_good_are_named() {
        let fault = |rule: &str| check(rule, start(), SHANGHAI).unwrap_err();
        for rule in ["", "x", "FREQ", "FREQ=DAILY\nRRULE:FREQ=DAILY", "INTERVAL=2", "每周六", &"A".repeat(5_000)] {
            assert_eq!(fault(rule), RuleFault::NoRule, "{rule}");
        }
        for rule in ["FREQ=SECONDLY", "FREQ=MINUTELY;INTERVAL=1", "FREQ=HOURLY", "FREQ="] {
            assert_eq!(fault(rule), RuleFault::TooOften, "{rule}");
        }
        for rule in
            ["FREQ=DAILY;BYSECOND=1", "FREQ=DAILY;FREQ=DAILY", "FREQ=YEARLY;BYEASTER=1", "FREQ=DAILY;BYHOUR=1,2"]
        {
            assert_eq!(fault(rule), RuleFault::UnknownPart, "{rule}");
        }
        for rule in [
            "FREQ=DAILY;INTERVAL=0",
            "FREQ=DAILY;INTERVAL=65536",
            "FREQ=DAILY;COUNT=99999999999999999999",
            "FREQ=MONTHLY;BYMONTHDAY=32",
            "FREQ=MONTHLY;BYDAY=99MO",
            "FREQ=MONTHLY;BYDAY=XX",
            "FREQ=YEARLY;BYMONTH=13",
        ] {
            assert_eq!(fault(rule), RuleFault::TooMuch, "{rule}");
        }
        for rule in ["FREQ=DAILY;UNTIL=x", "FREQ=DAILY;UNTIL=20200101T000000Z", "FREQ=WEEKLY;BYMONTHDAY=1"] {
            assert!(matches!(fault(rule), RuleFault::Incompatible | RuleFault::NoRule), "{rule}");
        }
    }

    // A day that never comes is looked for, but not for ever.
    #[test]
    fn a_rule_without_any_date_ends() {
        let began = std::time::Instant::now();
        assert_eq!(days("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"), [""; 0]);
        assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_stumble(rule in "[A-Z0-9=;,+-]{0,60}") {
            drop(check(&rule, start(), SHANGHAI));
        }

        #[test]
        fn dates_lie_where_they_are_asked_for(
            freq in "DAILY|WEEKLY|MONTHLY", interval in 1..40_u32, day in "MO|WE|SU", by_day in any::<bool>(), from in 0..400_i64, length in 1..400_i64,
        ) {
            let by = if by_day { format!(";BYDAY={day}") } else { String::new() };
            let rule = check(&format!("FREQ={freq};INTERVAL={interval}{by}"), start(), SHANGHAI).unwrap();
            let recurrence = Recurrence { rule, starts_at: start(), minutes: 60 };
            let (from, until) = (start() + TimeDelta::days(from), start() + TimeDelta::days(from + length));
            let dates = recurrence.dates(SHANGHAI, from, until);
            prop_assert!(dates.iter().all(|at| from <= *at && *at < until));
            prop_assert!(dates.is_sorted());
            // The same as a part of all.
            let all = recurrence.dates(SHANGHAI, start(), until);
            prop_assert_eq!(dates, all.into_iter().filter(|at| from <= *at).collect::<Vec<_>>());
        }
    }
}
