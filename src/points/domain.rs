//! Amounts and how they fall on buckets; no I/O.

use std::fmt;

use chrono::{Days, NaiveDate};
use rust_decimal::Decimal;
use serde::{Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

/// Hundredths of a point. Written with two places: `"12.50"`. Arithmetic is checked: `None` where 64 bits do not hold it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Points(i64);

impl Points {
    pub const ZERO: Self = Self(0);

    pub const fn from_hundredths(hundredths: i64) -> Self {
        Self(hundredths)
    }

    pub const fn hundredths(self) -> i64 {
        self.0
    }

    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// As many times, such as a price for a quantity.
    pub fn checked_mul(self, times: i32) -> Option<Self> {
        self.0.checked_mul(i64::from(times)).map(Self)
    }
}

impl fmt::Display for Points {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", Decimal::from(*self))
    }
}

impl From<Points> for Decimal {
    fn from(points: Points) -> Self {
        Self::new(points.0, 2)
    }
}

impl Serialize for Points {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl PartialSchema for Points {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .pattern(Some(r"^-?[0-9]+\.[0-9]{2}$"))
            .examples(["12.50"])
            .description(Some("Points with two places."))
            .into()
    }
}

impl ToSchema for Points {}

/// What lies in one bucket, in hundredths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lot {
    /// The first local day on which it is gone; `None`: never.
    pub expires_on: Option<NaiveDate>,
    pub amount: i64,
}

/// Returned points whose own day is over are good for this many days more.
const GRACE_DAYS: u64 = 30;

/// Lots on their way back to where they came from: each to its bucket; where that day is over by `today`, to the bucket of
/// the days of grace.
pub(super) fn returned(lots: &[Lot], today: NaiveDate) -> Vec<Lot> {
    let grace = today.checked_add_days(Days::new(GRACE_DAYS)).unwrap_or(today);
    let mut back: Vec<Lot> = Vec::new();
    for lot in lots {
        let expires_on = lot.expires_on.map(|day| if day > today { day } else { grace });
        match back.iter_mut().find(|known| known.expires_on == expires_on) {
            Some(known) => known.amount += lot.amount,
            None => back.push(Lot { expires_on, amount: lot.amount }),
        }
    }
    back
}

/// An account's dated lots and what lies beside them, as of one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stock {
    /// Earliest first, each above zero.
    pub(super) dated: Vec<Lot>,
    pub(super) undated: i64,
    pub(super) held: i64,
}

impl Stock {
    /// What expires by `today`: of the lots that are over, all but what holds rest on. Holds rest on the earliest lots,
    /// because those are what they will spend.
    pub(super) fn overdue(&self, today: NaiveDate) -> Vec<Lot> {
        let over = |lot: &&Lot| lot.expires_on.is_some_and(|day| day <= today);
        let mut resting = self.held;
        let mut overdue = Vec::new();
        for lot in self.dated.iter().filter(over) {
            let kept = resting.min(lot.amount);
            resting -= kept;
            if lot.amount > kept {
                overdue.push(Lot { amount: lot.amount - kept, ..*lot });
            }
        }
        overdue
    }

    /// Takes lots away; those not there are ignored.
    pub(super) fn remove(&mut self, taken: &[Lot]) {
        for part in taken {
            match self.dated.iter_mut().find(|lot| lot.expires_on == part.expires_on) {
                Some(lot) => lot.amount -= part.amount,
                None if part.expires_on.is_none() => self.undated -= part.amount,
                None => {}
            }
        }
        self.dated.retain(|lot| lot.amount > 0);
    }

    /// Which lots `amount` is taken from: dated ones before undated ones, earliest first, `first` (the bucket that a
    /// reversed posting filled) before all. With `after`, lots that were over by that day are left to the holds that rest
    /// on them. `None` where there is not enough.
    pub(super) fn allocate(&self, amount: i64, after: Option<NaiveDate>, first: Option<&Lot>) -> Option<Vec<Lot>> {
        let usable = |lot: &&Lot| after.is_none_or(|today| lot.expires_on.is_none_or(|day| day > today));
        let undated = Lot { expires_on: None, amount: self.undated };
        let lots = || self.dated.iter().chain(std::iter::once(&undated));
        let preferred = |lot: &&Lot| first.is_some_and(|first| first.expires_on == lot.expires_on);
        let order = lots().filter(preferred).chain(lots().filter(|lot| !preferred(lot)));
        let mut missing = amount;
        let mut taken = Vec::new();
        for lot in order.filter(usable) {
            let part = missing.min(lot.amount);
            if part > 0 {
                missing -= part;
                taken.push(Lot { amount: part, ..*lot });
            }
        }
        (missing == 0).then_some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(number: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 11, number).unwrap()
    }

    fn lot(number: u32, amount: i64) -> Lot {
        Lot { expires_on: Some(day(number)), amount }
    }

    #[test]
    fn points_are_written_with_two_places() {
        for (hundredths, text) in [(1250, "12.50"), (0, "0.00"), (-5, "-0.05"), (i64::MIN, "-92233720368547758.08")] {
            assert_eq!(Points(hundredths).to_string(), text);
        }
    }

    #[test]
    fn arithmetic_never_wraps() {
        assert_eq!(Points(i64::MAX).checked_add(Points(1)), None);
        assert_eq!(Points(i64::MIN).checked_sub(Points(1)), None);
        assert_eq!(Points(i64::MAX / 2).checked_mul(3), None);
        assert_eq!(Points(150).checked_mul(3), Some(Points(450)));
    }

    #[test]
    fn dated_points_go_first_and_the_earliest_of_them() {
        let stock = Stock { dated: vec![lot(5, 100), lot(9, 50)], undated: 30, held: 0 };
        let taken = stock.allocate(160, None, None).unwrap();
        assert_eq!(taken, [lot(5, 100), lot(9, 50), Lot { expires_on: None, amount: 10 }]);
        assert_eq!(stock.allocate(181, None, None), None);
        assert_eq!(stock.allocate(60, Some(day(5)), None).unwrap()[0], lot(9, 50));
        assert_eq!(stock.allocate(60, None, Some(&lot(9, 1))).unwrap(), [lot(9, 50), lot(5, 10)]);
    }

    #[test]
    fn what_comes_back_late_has_days_of_grace() {
        let back = returned(&[lot(5, 100), lot(9, 50), lot(20, 7), Lot { expires_on: None, amount: 3 }], day(9));
        let grace = Lot { expires_on: NaiveDate::from_ymd_opt(2026, 12, 9), amount: 150 };
        assert_eq!(back, [grace, lot(20, 7), Lot { expires_on: None, amount: 3 }]);
    }

    #[test]
    fn what_a_hold_rests_on_does_not_expire() {
        let mut stock = Stock { dated: vec![lot(5, 100), lot(9, 50)], undated: 30, held: 120 };
        assert!(stock.overdue(day(5)).is_empty());
        assert_eq!(stock.overdue(day(9)), [lot(9, 30)]);
        stock.held = 20;
        assert_eq!(stock.overdue(day(9)), [lot(5, 80), lot(9, 50)]);
        assert!(stock.overdue(day(4)).is_empty());
    }

    proptest! {
        #[test]
        fn what_is_taken_is_there_and_sums_up(
            amounts in proptest::collection::vec(1_i64..100, 0..5), undated in 0_i64..100,
            amount in 1_i64..300, held in 0_i64..200, today in 1_u32..28,
        ) {
            let dated: Vec<_> = (1..).zip(&amounts).map(|(at, amount)| lot(at * 5, *amount)).collect();
            let total = amounts.iter().sum::<i64>() + undated;
            let held = held.min(total);
            let mut stock = Stock { dated, undated, held };
            let overdue = stock.overdue(day(today));
            stock.remove(&overdue);
            let left = stock.undated + stock.dated.iter().map(|lot| lot.amount).sum::<i64>();
            prop_assert!(left >= held);
            prop_assert!(stock.overdue(day(today)).is_empty());
            // Whatever is free after expiry can be spent without touching what holds rest on.
            if amount <= left - held {
                let taken = stock.allocate(amount, Some(day(today)), None).unwrap();
                prop_assert_eq!(taken.iter().map(|lot| lot.amount).sum::<i64>(), amount);
                prop_assert!(taken.iter().all(|lot| lot.expires_on.is_none_or(|on| on > day(today))));
                stock.remove(&taken);
                prop_assert!(stock.undated >= 0 && stock.dated.iter().all(|lot| lot.amount > 0));
            }
        }
    }
}
