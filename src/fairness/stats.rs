//! Waits and shares. No I/O.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

/// Fewer of a special group are not shown by themselves: who knows the neighbourhood would know the person.
pub(super) const FEWEST: usize = 3;

/// How one wish fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Somebody claimed it.
    Met,
    /// Nobody has yet.
    Waiting,
    /// Nobody did before its window was over.
    Expired,
    /// Called off before anybody claimed it; counted, but it says nothing about waiting.
    Cancelled,
}

/// How long one wish waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wait {
    pub(super) fate: Fate,
    /// Whole minutes from publication until it was first claimed, until now, or until its window was over.
    pub(super) minutes: i64,
}

/// How long the wishes of a group waited. Minutes are whole; null where nothing waited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct WaitStats {
    /// Published in the period.
    pub(super) count: usize,
    pub(super) met: usize,
    pub(super) waiting: usize,
    pub(super) expired: usize,
    /// Called off unclaimed: in no figure below.
    pub(super) cancelled: usize,
    /// Of an even number the mean of the middle two, rounded down.
    pub(super) median_minutes: Option<i64>,
    /// Nine of ten waited no longer.
    pub(super) p90_minutes: Option<i64>,
    pub(super) worst_minutes: Option<i64>,
}

impl WaitStats {
    pub(super) fn of(waits: &[Wait]) -> Self {
        let count = |fate| waits.iter().filter(|wait| wait.fate == fate).count();
        let mut minutes: Vec<i64> =
            waits.iter().filter(|wait| wait.fate != Fate::Cancelled).map(|wait| wait.minutes).collect();
        minutes.sort_unstable();
        let middle = |minutes: &[i64]| {
            let half = minutes.len() / 2;
            if minutes.len() % 2 == 1 { minutes[half] } else { (minutes[half - 1] + minutes[half]).div_euclid(2) }
        };
        let some = !minutes.is_empty();
        Self {
            count: waits.len(),
            met: count(Fate::Met),
            waiting: count(Fate::Waiting),
            expired: count(Fate::Expired),
            cancelled: count(Fate::Cancelled),
            median_minutes: some.then(|| middle(&minutes)),
            p90_minutes: some.then(|| minutes[(minutes.len() * 9).div_ceil(10) - 1]),
            worst_minutes: minutes.last().copied(),
        }
    }
}

/// Waits by group; `None` is what small groups were put together as.
pub(super) type Groups = Vec<(Option<String>, Vec<Wait>)>;

/// Puts groups of fewer than [`FEWEST`] together, and where even together they are so few, the next smallest with them: what
/// is left out could otherwise be worked out from the total.
pub(super) fn suppress(groups: BTreeMap<String, Vec<Wait>>) -> Groups {
    let mut by_size: Vec<(String, Vec<Wait>)> = groups.into_iter().collect();
    by_size.sort_by(|one, other| (one.1.len(), &one.0).cmp(&(other.1.len(), &other.0)));
    let mut shown: Groups = Vec::new();
    let mut others: Vec<Wait> = Vec::new();
    for (code, waits) in by_size {
        if waits.len() < FEWEST || (!others.is_empty() && others.len() < FEWEST) {
            others.extend(waits);
        } else {
            shown.push((Some(code), waits));
        }
    }
    shown.sort_by(|one, other| one.0.cmp(&other.0));
    if others.len() >= FEWEST {
        shown.push((None, others));
    }
    shown
}

/// A tenth of the volunteers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Decile {
    /// 1: those who did most.
    #[serde(rename = "decile")]
    pub(super) number: usize,
    pub(super) volunteers: usize,
    pub(super) minutes: i64,
    pub(super) records: i64,
    /// Of all minutes, in percent with one place.
    pub(super) share_percent: String,
}

/// Volunteers in ten parts as equal as can be, from those who did most; `done` has minutes and records of those who did
/// anything.
pub(super) fn deciles(mut done: Vec<(i64, i64)>, volunteers: usize) -> Vec<Decile> {
    let volunteers = volunteers.max(done.len());
    if volunteers == 0 {
        return Vec::new();
    }
    done.sort_unstable_by(|one, other| other.cmp(one));
    let total: i64 = done.iter().map(|(minutes, _)| *minutes).sum();
    let part = |number: usize| {
        let (from, until) = (volunteers * (number - 1) / 10, volunteers * number / 10);
        let theirs = done.get(from.min(done.len())..until.min(done.len())).unwrap_or_default();
        let minutes = theirs.iter().map(|(minutes, _)| *minutes).sum();
        Decile {
            number,
            volunteers: until - from,
            minutes,
            records: theirs.iter().map(|(_, records)| *records).sum(),
            share_percent: percent(minutes, total),
        }
    };
    (1..=10).map(part).collect()
}

/// With one place, rounded; `0.0` of nothing.
pub(super) fn percent(part: i64, whole: i64) -> String {
    if whole <= 0 {
        return "0.0".to_owned();
    }
    let tenths = (i128::from(part) * 2000 + i128::from(whole)) / (2 * i128::from(whole));
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn met(minutes: impl IntoIterator<Item = i64>) -> Vec<Wait> {
        minutes.into_iter().map(|minutes| Wait { fate: Fate::Met, minutes }).collect()
    }

    #[test]
    fn median_and_worst_are_those_of_the_waits() {
        let stats = WaitStats::of(&met([30, 10, 20]));
        assert_eq!((stats.median_minutes, stats.p90_minutes, stats.worst_minutes), (Some(20), Some(30), Some(30)));
        let stats = WaitStats::of(&met(1..=10));
        assert_eq!((stats.median_minutes, stats.p90_minutes, stats.worst_minutes), (Some(5), Some(9), Some(10)));
        assert_eq!(WaitStats::of(&[]).median_minutes, None);
        let off = WaitStats::of(&[Wait { fate: Fate::Cancelled, minutes: 5 }]);
        assert_eq!((off.count, off.cancelled, off.worst_minutes), (1, 1, None));
    }

    #[test]
    fn small_groups_are_not_shown_and_cannot_be_worked_out() {
        let groups = |sizes: &[(&str, i64)]| {
            let groups = sizes.iter().map(|(code, size)| ((*code).to_owned(), met(0..*size))).collect();
            suppress(groups).into_iter().map(|(code, waits)| (code, waits.len())).collect::<Vec<_>>()
        };
        assert_eq!(groups(&[("a", 5), ("b", 3)]), [(Some("a".into()), 5), (Some("b".into()), 3)]);
        assert_eq!(groups(&[("a", 5), ("b", 2), ("c", 2)]), [(Some("a".into()), 5), (None, 4)]);
        // One person alone takes the smallest group along.
        assert_eq!(groups(&[("a", 9), ("b", 4), ("c", 1)]), [(Some("a".into()), 9), (None, 5)]);
        assert_eq!(groups(&[("a", 9), ("c", 1)]), [(None, 10)]);
        assert!(groups(&[("c", 2)]).is_empty());
    }

    #[test]
    fn deciles_count_those_who_did_nothing() {
        let found = deciles(vec![(60, 1), (30, 1), (10, 1)], 20);
        assert_eq!((found[0].volunteers, found[0].minutes, found[0].share_percent.as_str()), (2, 90, "90.0"));
        assert_eq!((found[1].minutes, found[9].minutes), (10, 0));
        assert!(deciles(Vec::new(), 0).is_empty());
        assert_eq!(percent(1, 3), "33.3");
        assert_eq!(percent(2, 3), "66.7");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_small_is_shown(sizes in prop::collection::vec(0..9_i64, 0..12)) {
            let groups: BTreeMap<_, _> = sizes
                .iter()
                .enumerate()
                .filter(|(_, size)| **size > 0)
                .map(|(number, size)| (format!("g{number}"), met(0..*size)))
                .collect();
            let total: usize = groups.values().map(Vec::len).sum();
            let shown = suppress(groups);
            let sum: usize = shown.iter().map(|(_, waits)| waits.len()).sum();
            prop_assert!(shown.iter().all(|(_, waits)| waits.len() >= FEWEST));
            prop_assert!(sum == total || (shown.is_empty() && total < FEWEST));
        }

        #[test]
        fn deciles_share_out_everything(done in prop::collection::vec((0..500_i64, 0..9_i64), 0..40), idle in 0..40_usize) {
            let volunteers = done.len() + idle;
            let minutes: i64 = done.iter().map(|(minutes, _)| *minutes).sum();
            let found = deciles(done, volunteers);
            prop_assert_eq!(found.iter().map(|decile| decile.minutes).sum::<i64>(), minutes);
            prop_assert_eq!(found.iter().map(|decile| decile.volunteers).sum::<usize>(), volunteers);
        }
    }
}
