//! What may become of a record, how it was proved, and how many minutes it gives. Pure.

use chrono::{DateTime, Utc};
use entity::claim::CheckMeans;
use entity::service_record::{Evidence, RecordStatus};

/// Where a record stands. A dispute remembers whether the record counts already: then its points are earned and only a
/// reversal takes them back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Pending,
    Verified,
    Rejected,
    Reversed,
    /// Disputed before it counted.
    Disputed,
    /// Disputed after it had counted, and still counting.
    DisputedCounted,
}

/// What may be done to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Verify,
    Reject,
    Reverse,
    Dispute,
}

impl Standing {
    /// From the two columns that say it: the status, and whether `counted_at` is set.
    pub const fn new(status: RecordStatus, counted: bool) -> Self {
        match (status, counted) {
            (RecordStatus::Pending, _) => Self::Pending,
            (RecordStatus::Verified, _) => Self::Verified,
            (RecordStatus::Rejected, _) => Self::Rejected,
            (RecordStatus::Reversed, _) => Self::Reversed,
            (RecordStatus::Disputed, false) => Self::Disputed,
            (RecordStatus::Disputed, true) => Self::DisputedCounted,
        }
    }

    /// The status as stored and shown.
    pub const fn status(self) -> RecordStatus {
        match self {
            Self::Pending => RecordStatus::Pending,
            Self::Verified => RecordStatus::Verified,
            Self::Rejected => RecordStatus::Rejected,
            Self::Reversed => RecordStatus::Reversed,
            Self::Disputed | Self::DisputedCounted => RecordStatus::Disputed,
        }
    }

    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "待核实",
            Self::Verified => "已核实",
            Self::Rejected => "已驳回",
            Self::Reversed => "已冲正",
            Self::Disputed | Self::DisputedCounted => "有异议",
        }
    }
}

impl Step {
    /// Where this step leads from `at`; `None` where it is not open. Every pair is spelled out, so that a new standing
    /// does not compile until it is placed.
    ///
    /// A volunteer may contest whatever was decided or entered, except what was reversed: there is nothing left to correct
    /// but by a new record. A dispute about a record that counts ends by verifying it as it is, or by reversing it.
    pub const fn apply_to(self, at: Standing) -> Option<Standing> {
        use Standing::{Disputed, DisputedCounted, Pending, Rejected, Reversed, Verified};
        match (at, self) {
            (Pending | Disputed | DisputedCounted, Self::Verify) => Some(Verified),
            (Pending | Disputed, Self::Reject) => Some(Rejected),
            (Verified | DisputedCounted, Self::Reverse) => Some(Reversed),
            (Pending | Rejected, Self::Dispute) => Some(Disputed),
            (Verified, Self::Dispute) => Some(DisputedCounted),
            (Pending, Self::Reverse)
            | (Verified, Self::Verify | Self::Reject)
            | (Rejected, Self::Verify | Self::Reject | Self::Reverse)
            | (Disputed, Self::Reverse | Self::Dispute)
            | (DisputedCounted, Self::Reject | Self::Dispute)
            | (Reversed, Self::Verify | Self::Reject | Self::Reverse | Self::Dispute) => None,
        }
    }

    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Verify => "核实",
            Self::Reject => "驳回",
            Self::Reverse => "冲正",
            Self::Dispute => "提出异议",
        }
    }
}

/// How a claim's service was proved by the way it began and ended.
///
/// B needs proof of presence at both ends: code, place, or staff who saw it at that moment. A time that staff gave is D.
/// So is a check-out that happened by itself: nobody showed that the volunteer was there until the window's end, and hours
/// cannot be bought by checking in and walking away. Since nobody typed it in, any one manager may verify it.
pub const fn grade(begun: CheckMeans, ended: CheckMeans) -> Evidence {
    if is_presence(begun) && is_presence(ended) { Evidence::B } else { Evidence::D }
}

const fn is_presence(means: CheckMeans) -> bool {
    match means {
        CheckMeans::Code | CheckMeans::Place | CheckMeans::CodeAndPlace | CheckMeans::Staff => true,
        CheckMeans::StaffTime | CheckMeans::Automatic => false,
    }
}

/// Whole minutes from `started_at` to `ended_at`, rounded down; none where the end lies before the start.
pub fn minutes_between(started_at: DateTime<Utc>, ended_at: DateTime<Utc>) -> i32 {
    i32::try_from((ended_at - started_at).num_minutes().max(0)).unwrap_or(i32::MAX)
}

/// Hundredths of an hour, rounded down, as hours are shown.
pub const fn hours(minutes: i64) -> i64 {
    minutes * 100 / 60
}

/// Why a number of minutes is refused at verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MinutesRefusal {
    /// Below 1 or above the window's length, which is given.
    OutOfRange { most: i32 },
    /// Raised without a reason.
    ReasonMissing,
}

/// The minutes to verify: what was `asked` for, or the recorded ones. They may be lowered freely, and raised up to the
/// window's length with a reason.
///
/// # Errors
/// See [`MinutesRefusal`].
pub fn verified_minutes(
    recorded: i32,
    window: Option<i32>,
    asked: Option<i32>,
    has_reason: bool,
) -> Result<i32, MinutesRefusal> {
    let Some(asked) = asked.filter(|asked| *asked != recorded) else { return Ok(recorded) };
    let most = window.unwrap_or(recorded).max(recorded);
    if !(1..=most).contains(&asked) {
        return Err(MinutesRefusal::OutOfRange { most });
    }
    if asked > recorded && !has_reason {
        return Err(MinutesRefusal::ReasonMissing);
    }
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    const STANDINGS: [Standing; 6] = [
        Standing::Pending,
        Standing::Verified,
        Standing::Rejected,
        Standing::Reversed,
        Standing::Disputed,
        Standing::DisputedCounted,
    ];
    const STEPS: [Step; 4] = [Step::Verify, Step::Reject, Step::Reverse, Step::Dispute];

    fn counts(standing: Standing) -> bool {
        matches!(standing, Standing::Verified | Standing::DisputedCounted)
    }

    proptest! {
        /// Whatever is done in whatever order: a record is counted once and uncounted once at most, and reversed is the end.
        #[test]
        fn a_record_counts_once_at_most(steps in proptest::collection::vec(0..STEPS.len(), 0..20)) {
            let (mut at, mut earned, mut reversed) = (Standing::Pending, 0, 0);
            for step in steps.into_iter().map(|step| STEPS[step]) {
                let Some(next) = step.apply_to(at) else { continue };
                prop_assert!(at != Standing::Reversed);
                earned += u32::from(!counts(at) && counts(next));
                reversed += u32::from(counts(at) && !counts(next));
                prop_assert_eq!(counts(at) && !counts(next), step == Step::Reverse);
                at = next;
            }
            prop_assert!(earned <= 1 && reversed <= earned);
            prop_assert_eq!(counts(at), earned > reversed);
        }
    }

    #[test]
    fn a_standing_reads_back_as_stored() {
        for at in STANDINGS {
            let counted = counts(at) || at == Standing::Reversed;
            assert_eq!(Standing::new(at.status(), counted), at);
        }
    }

    #[rstest]
    #[case(CheckMeans::Code, CheckMeans::Code, Evidence::B)]
    #[case(CheckMeans::Code, CheckMeans::Place, Evidence::B)]
    #[case(CheckMeans::CodeAndPlace, CheckMeans::Staff, Evidence::B)]
    #[case(CheckMeans::Staff, CheckMeans::Staff, Evidence::B)]
    #[case(CheckMeans::StaffTime, CheckMeans::Code, Evidence::D)]
    #[case(CheckMeans::Staff, CheckMeans::StaffTime, Evidence::D)]
    #[case(CheckMeans::Code, CheckMeans::Automatic, Evidence::D)]
    fn presence_at_both_ends_is_needed(
        #[case] begun: CheckMeans,
        #[case] ended: CheckMeans,
        #[case] expected: Evidence,
    ) {
        assert_eq!(grade(begun, ended), expected);
    }

    #[rstest]
    #[case("2026-11-07T01:00:00Z", "2026-11-07T02:59:59.999999Z", 119)]
    #[case("2026-11-07T01:00:00Z", "2026-11-07T01:00:59Z", 0)]
    #[case("2026-11-07T01:00:00Z", "2026-11-07T00:00:00Z", 0)]
    #[case("2026-11-07T01:00:30Z", "2026-11-07T02:00:30Z", 60)]
    fn minutes_are_rounded_down(#[case] from: &str, #[case] until: &str, #[case] expected: i32) {
        assert_eq!(minutes_between(from.parse().unwrap(), until.parse().unwrap()), expected);
    }

    #[rstest]
    #[case(None, false, Ok(90))]
    #[case(Some(90), false, Ok(90))]
    #[case(Some(1), false, Ok(1))]
    #[case(Some(120), true, Ok(120))]
    #[case(Some(120), false, Err(MinutesRefusal::ReasonMissing))]
    #[case(Some(121), true, Err(MinutesRefusal::OutOfRange { most: 120 }))]
    #[case(Some(0), true, Err(MinutesRefusal::OutOfRange { most: 120 }))]
    #[case(Some(-5), true, Err(MinutesRefusal::OutOfRange { most: 120 }))]
    fn minutes_may_be_lowered_and_raised_to_the_window(
        #[case] asked: Option<i32>,
        #[case] has_reason: bool,
        #[case] expected: Result<i32, MinutesRefusal>,
    ) {
        assert_eq!(verified_minutes(90, Some(120), asked, has_reason), expected);
    }

    #[test]
    fn without_a_window_minutes_are_only_lowered() {
        assert_eq!(verified_minutes(90, None, Some(91), true), Err(MinutesRefusal::OutOfRange { most: 90 }));
        assert_eq!(hours(750), 1250);
        assert_eq!(hours(100), 166);
    }
}
