//! What may become of a merit, how it was proved, and what a rule has to know of it. Pure.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use entity::category::Category;
use entity::merit::{DisputeOutcome, MeritKind, MeritStatus, Model};
use entity::rule::Subject;
use entity::service_record::Evidence;

use crate::calendar::{Calendar, Period};
use crate::points::valuation::Facts;

/// Where a merit stands, with what became of an objection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Pending,
    Approved,
    /// Approved, and its member objects.
    Contested,
    /// Approved, and the objection was dismissed.
    Upheld,
    Rejected,
    Reversed,
}

/// What may be done to a merit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Approve,
    Reject,
    Reverse,
    Dispute,
    Dismiss,
}

impl Standing {
    pub const fn of(merit: &Model) -> Self {
        match (merit.status, merit.disputed_at.is_some(), merit.dispute_outcome) {
            (MeritStatus::Pending, ..) => Self::Pending,
            (MeritStatus::Rejected, ..) => Self::Rejected,
            (MeritStatus::Reversed, ..) => Self::Reversed,
            (MeritStatus::Approved, false, _) => Self::Approved,
            (MeritStatus::Approved, true, None) => Self::Contested,
            (MeritStatus::Approved, true, Some(DisputeOutcome::Dismissed | DisputeOutcome::Upheld)) => Self::Upheld,
        }
    }

    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "待审核",
            Self::Approved => "已通过",
            Self::Contested => "有异议",
            Self::Upheld => "异议已答复",
            Self::Rejected => "已驳回",
            Self::Reversed => "已冲正",
        }
    }
}

impl Step {
    /// Whether this step is open from `at`. Every pair is spelled out, so that a new standing does not compile until it is
    /// placed.
    pub const fn is_open(self, at: Standing) -> bool {
        use Standing::{Approved, Contested, Pending, Rejected, Reversed, Upheld};
        match (self, at) {
            (Self::Approve | Self::Reject, Pending)
            | (Self::Reverse, Approved | Contested | Upheld)
            | (Self::Dispute, Approved)
            | (Self::Dismiss, Contested) => true,
            (Self::Approve | Self::Reject, Approved | Contested | Upheld | Rejected | Reversed)
            | (Self::Reverse, Pending | Rejected | Reversed)
            | (Self::Dispute, Pending | Contested | Upheld | Rejected | Reversed)
            | (Self::Dismiss, Pending | Approved | Upheld | Rejected | Reversed) => false,
        }
    }

    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Approve => "通过",
            Self::Reject => "驳回",
            Self::Reverse => "冲正",
            Self::Dispute => "提出异议",
            Self::Dismiss => "答复异议",
        }
    }
}

/// For people.
pub const fn name(kind: MeritKind) -> &'static str {
    match kind {
        MeritKind::DonationGoods => "物品捐赠",
        MeritKind::DonationMoney => "资金捐赠",
        MeritKind::Event => "文明事件",
        MeritKind::HouseholdScore => "家庭评分",
    }
}

/// Which rules are asked.
pub const fn subject(kind: MeritKind) -> Subject {
    match kind {
        MeritKind::DonationGoods | MeritKind::DonationMoney => Subject::Donation,
        MeritKind::Event => Subject::Event,
        MeritKind::HouseholdScore => Subject::HouseholdScore,
    }
}

/// The category where none is given.
pub const fn usual_category(kind: MeritKind) -> Category {
    match kind {
        MeritKind::DonationGoods | MeritKind::DonationMoney => Category::Charity,
        MeritKind::Event | MeritKind::HouseholdScore => Category::Civility,
    }
}

/// What was typed in is D, what photos show C. B is a second person's own eyes, and that is for the one who approves to say.
pub const fn grade(photos: usize) -> Evidence {
    if photos > 0 { Evidence::C } else { Evidence::D }
}

/// When it counts: at the end of its day, or when it was entered where that was on the day itself. Rules of that instant
/// apply, so one that begins today covers what is entered today, and none covers what was before it.
pub fn counts_at(calendar: &Calendar, happened_on: NaiveDate, entered_at: DateTime<Utc>) -> DateTime<Utc> {
    let end = calendar.day(happened_on).end - TimeDelta::microseconds(1);
    end.min(entered_at)
}

/// What a rule has to know of it.
pub fn facts(calendar: &Calendar, merit: &Model) -> Facts {
    Facts {
        subject: subject(merit.kind),
        item: merit.item.clone(),
        category: Some(merit.category),
        at: counts_at(calendar, merit.happened_on, merit.created_at),
        minutes: 0,
        items: i64::from(merit.quantity),
        value_fen: merit.value_fen.unwrap_or(0),
        evidence: Some(merit.evidence),
        difficulty: 1,
        organiser: false,
    }
}

/// The earliest day of which something may be entered today.
pub fn earliest(today: NaiveDate, most_days: i64) -> NaiveDate {
    let days = Days::new(u64::try_from(most_days).unwrap_or(0));
    today.checked_sub_days(days).unwrap_or(NaiveDate::MIN)
}

/// The day of a household's score of a month: its last one, or today where the month is not over. `None` for a month to come,
/// one that ended before `earliest`, and what is no month.
pub fn day_of_score(period: Period, today: NaiveDate, earliest: NaiveDate) -> Option<NaiveDate> {
    let Period::Month(year, month) = period else { return None };
    let first = NaiveDate::from_ymd_opt(year, month, 1)?;
    let last = first.checked_add_months(chrono::Months::new(1))?.pred_opt()?;
    (first <= today && last >= earliest).then_some(last.min(today))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    const STEPS: [Step; 5] = [Step::Approve, Step::Reject, Step::Reverse, Step::Dispute, Step::Dismiss];

    fn after(step: Step) -> Standing {
        match step {
            Step::Approve => Standing::Approved,
            Step::Reject => Standing::Rejected,
            Step::Reverse => Standing::Reversed,
            Step::Dispute => Standing::Contested,
            Step::Dismiss => Standing::Upheld,
        }
    }

    proptest! {
        /// Whatever is done in whatever order: points move once and back once at most, after one objection at most.
        #[test]
        fn points_move_once_and_back_once(steps in proptest::collection::vec(0..STEPS.len(), 0..20)) {
            let (mut at, mut posted, mut reversed, mut disputed) = (Standing::Pending, 0, 0, 0);
            for step in steps.into_iter().map(|step| STEPS[step]) {
                if step.is_open(at) {
                    posted += u32::from(step == Step::Approve);
                    reversed += u32::from(step == Step::Reverse);
                    disputed += u32::from(step == Step::Dispute);
                    at = after(step);
                }
            }
            prop_assert!(posted <= 1 && reversed <= posted && disputed <= posted);
            prop_assert_eq!(at == Standing::Reversed, reversed == 1);
        }
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[rstest]
    #[case(Period::Month(2026, 11), Some("2026-11-21"))]
    #[case(Period::Month(2026, 10), Some("2026-10-31"))]
    #[case(Period::Month(2026, 8), Some("2026-08-31"))]
    #[case(Period::Month(2026, 7), None)]
    #[case(Period::Month(2026, 12), None)]
    #[case(Period::Year(2026), None)]
    fn a_score_is_of_a_month_not_long_past(#[case] period: Period, #[case] expected: Option<&str>) {
        let today = day("2026-11-21");
        assert_eq!(day_of_score(period, today, earliest(today, 90)), expected.map(day));
    }

    #[test]
    fn it_counts_on_its_day_and_not_in_the_future() {
        let calendar = Calendar::new(chrono_tz::Asia::Shanghai);
        let entered: DateTime<Utc> = "2026-11-21T02:00:00Z".parse().unwrap();
        assert_eq!(counts_at(&calendar, day("2026-11-21"), entered), entered);
        let before = counts_at(&calendar, day("2026-11-20"), entered);
        assert_eq!(before, "2026-11-20T15:59:59.999999Z".parse::<DateTime<Utc>>().unwrap());
    }
}
