//! From sums by month to what they mean; no I/O.

use std::collections::BTreeMap;

use entity::journal::JournalKind;

use super::super::turnover::Sum;

/// How points ended, in hundredths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) spent: i64,
    pub(super) expired: i64,
}

impl Ended {
    /// So much of so many was or will be spent.
    pub(super) fn share(self) -> (i128, i128) {
        let (spent, expired) = (i128::from(self.spent.max(0)), i128::from(self.expired.max(0)));
        if spent + expired == 0 { (1, 1) } else { (spent, spent + expired) }
    }

    /// What hundredths of points will cost in fen, at so many ten-thousandths of a yuan for a point; half a fen counts as one.
    pub(super) fn cost(self, hundredths: i64, point_cost: i64) -> i64 {
        let (spent, ended) = self.share();
        let (over, under) = (i128::from(hundredths) * i128::from(point_cost), 10_000 * ended);
        let fen = over.checked_mul(spent).map(|product| (2 * product + under).div_euclid(2 * under));
        fen.and_then(|fen| i64::try_from(fen).ok()).unwrap_or(i64::MAX)
    }
}

/// A region directly below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) region_code: String,
    pub(super) name: String,
    pub(super) outstanding: i64,
    pub(super) expected_cost: i64,
}

/// What happened in a month. All above zero, but for `outstanding`, which is what members had when it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "the field is what it is called everywhere")]
pub(super) struct Month {
    pub(super) month: String,
    /// Earned, granted and carried over.
    pub(super) issued: i64,
    pub(super) reversed: i64,
    pub(super) spent: i64,
    pub(super) refunded: i64,
    pub(super) expired: i64,
    pub(super) deducted: i64,
    pub(super) donated: i64,
    pub(super) outstanding: i64,
}

impl Month {
    fn add(&mut self, kind: JournalKind, gained: i64) {
        match kind {
            JournalKind::Earn | JournalKind::Grant | JournalKind::Opening => self.issued += gained,
            JournalKind::Reversal => self.reversed -= gained,
            JournalKind::Spend => self.spent -= gained,
            JournalKind::Refund => self.refunded += gained,
            JournalKind::Expire => self.expired -= gained,
            JournalKind::Deduct => self.deducted -= gained,
            JournalKind::Gift => self.donated -= gained,
        }
    }
}

/// How each programme's points ended in these months.
pub(super) fn ended<'a>(turnover: &'a [Sum], months: &[String]) -> BTreeMap<&'a str, Ended> {
    let mut ended: BTreeMap<&str, Ended> = BTreeMap::new();
    for sum in turnover.iter().filter(|sum| months.contains(&sum.month)) {
        let of = ended.entry(&sum.programme).or_default();
        match sum.kind {
            JournalKind::Spend | JournalKind::Refund => of.spent -= sum.amount,
            JournalKind::Expire => of.expired -= sum.amount,
            JournalKind::Earn
            | JournalKind::Grant
            | JournalKind::Deduct
            | JournalKind::Reversal
            | JournalKind::Gift
            | JournalKind::Opening => {}
        }
    }
    ended
}

pub(super) fn total(ended: &BTreeMap<&str, Ended>) -> Ended {
    ended.values().fold(Ended::default(), |sum, of| Ended {
        spent: sum.spent + of.spent.max(0),
        expired: sum.expired + of.expired.max(0),
    })
}

/// What was earned and granted in these months, less what was reversed; of one programme where it is given.
pub(super) fn issued(turnover: &[Sum], months: &[String], programme: Option<&str>) -> i64 {
    let counts = |kind| matches!(kind, JournalKind::Earn | JournalKind::Grant | JournalKind::Reversal);
    let asked = |sum: &&Sum| programme.is_none_or(|code| code == sum.programme);
    let of_months = turnover.iter().filter(asked).filter(|sum| months.contains(&sum.month));
    of_months.filter(|sum| counts(sum.kind)).map(|sum| sum.amount).sum()
}

/// The last `count` of `months`, each with what members had when it ended: what they have now, less what came since.
pub(super) fn by_month(turnover: &[Sum], months: &[String], count: usize, now: i64) -> Vec<Month> {
    let mut outstanding = now;
    let mut rows: Vec<Month> = Vec::with_capacity(count);
    for month in months.iter().rev().take(count) {
        let mut row = Month { month: month.clone(), outstanding, ..Default::default() };
        for sum in turnover.iter().filter(|sum| sum.month == *month) {
            row.add(sum.kind, sum.amount);
            outstanding -= sum.amount;
        }
        rows.push(row);
    }
    rows.reverse();
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(month: &str, kind: JournalKind, amount: i64) -> Sum {
        Sum { programme: "default".to_owned(), month: month.to_owned(), kind, amount }
    }

    #[test]
    fn costs_follow_what_is_redeemed_and_are_rounded_to_the_fen() {
        let all = Ended::default();
        // 100.00 points at 0.1000 yuan.
        assert_eq!(all.cost(10_000, 1_000), 1_000);
        // A third of it expires.
        assert_eq!(Ended { spent: 200, expired: 100 }.cost(10_000, 1_000), 667);
        assert_eq!(all.cost(1, 5_000), 1);
        assert_eq!(all.cost(1, 4_999), 0);
        assert_eq!(all.cost(i64::MAX, i64::MAX), i64::MAX);
    }

    #[test]
    fn a_month_shows_what_happened_and_what_was_there_when_it_ended() {
        let months: Vec<String> = ["2026-09", "2026-10", "2026-11"].map(str::to_owned).to_vec();
        let turnover = [
            sum("2026-01", JournalKind::Opening, 500),
            sum("2026-10", JournalKind::Earn, 300),
            sum("2026-10", JournalKind::Spend, -200),
            sum("2026-11", JournalKind::Reversal, -100),
        ];
        let rows = by_month(&turnover, &months, 2, 500);
        let october =
            Month { month: "2026-10".to_owned(), issued: 300, spent: 200, outstanding: 600, ..Default::default() };
        let november = Month { month: "2026-11".to_owned(), reversed: 100, outstanding: 500, ..Default::default() };
        assert_eq!(rows, [october, november]);
        assert_eq!(by_month(&turnover, &months, 3, 500)[0].outstanding, 500);
        assert_eq!(issued(&turnover, &months, None), 200);
    }
}
