//! What boards there are and when a record counts on them. Pure.

use chrono::{DateTime, Utc};
use entity::category::Category;
use entity::id::{MemberId, UnitId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::calendar::{Calendar, Period, PeriodKind};

/// Who stands on a board.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Board {
    #[default]
    Members,
    Units,
    /// Volunteer teams; there are none yet.
    Teams,
    Communities,
}

/// What a board counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Points earned.
    #[default]
    Points,
    Hours,
    Records,
}

/// A verified record as boards see it.
#[derive(Clone, Debug)]
pub struct Boarded<'a> {
    pub member_id: MemberId,
    /// Orders what is equal.
    pub member_ref: Option<&'a str>,
    /// The member's unit at the time of the service.
    pub unit_id: Option<UnitId>,
    /// The member's community at the time of the service.
    pub region_code: &'a str,
    pub category: Category,
    /// Hundredths.
    pub points: i64,
    pub minutes: i32,
    pub ended_at: DateTime<Utc>,
    pub counted_at: DateTime<Utc>,
    pub reversed_at: Option<DateTime<Utc>>,
}

/// Every instant lies in one period of each of these.
pub(super) const KINDS: [PeriodKind; 4] = [PeriodKind::Month, PeriodKind::Quarter, PeriodKind::Year, PeriodKind::All];

/// The month, quarter and year of an instant, and all time.
pub(super) fn periods(calendar: Calendar, at: DateTime<Utc>) -> [Period; 4] {
    let day = calendar.day_of(at);
    KINDS.map(|kind| Period::of_day(day, kind))
}

/// When a record counts that ended at `ended_at` and is verified at `now`: for its end, unless the local month of the end
/// has closed. Quarters and years close with a month, so their boards stay frozen as well.
pub fn counted_at(calendar: Calendar, ended_at: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
    let month = calendar.period_of(ended_at, PeriodKind::Month);
    if calendar.has_closed(month, now) { now } else { ended_at }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const CALENDAR: Calendar = Calendar::new(chrono_tz::Asia::Shanghai);

    #[rstest]
    #[case("2026-11-30T15:59:59Z", "2026-11-30T15:59:59.999999Z", "2026-11-30T15:59:59Z")]
    #[case("2026-11-30T15:59:59Z", "2026-11-30T16:00:00Z", "2026-11-30T16:00:00Z")]
    #[case("2026-11-30T16:00:00Z", "2026-12-31T15:00:00Z", "2026-11-30T16:00:00Z")]
    #[case("2026-12-31T15:59:00Z", "2026-12-31T16:00:00Z", "2026-12-31T16:00:00Z")]
    fn late_verification_counts_when_it_happens(#[case] ended: &str, #[case] now: &str, #[case] expected: &str) {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        assert_eq!(counted_at(CALENDAR, at(ended), at(now)), at(expected));
    }

    #[test]
    fn an_instant_has_four_periods() {
        let found = periods(CALENDAR, "2026-12-31T16:00:00Z".parse().unwrap());
        assert_eq!(found.map(|period| period.to_string()), ["2027-01", "2027-Q1", "2027", "all"]);
    }
}
