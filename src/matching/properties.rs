//! What holds of every plan and every list of candidates, on random markets, against exact solvers.

use std::cmp::Reverse;

use pathfinding::kuhn_munkres::kuhn_munkres;
use pathfinding::matrix::Matrix;
use proptest::prelude::*;

use super::candidates::Pool;
use super::polish::parts;
use super::tests::{
    any_hours, any_volunteer, any_wish, best, greedy, keeps_the_rules, reference, slots, volunteer, wish,
};
use super::{Volunteer, Wish, assign, value};

/// A matching of greatest weight by another algorithm; wishes and volunteers as often as they can be taken.
fn dense(wishes: &[Wish], volunteers: &[Volunteer], rows: &[usize], columns: &[usize]) -> u64 {
    let width = columns.len().max(rows.len());
    if rows.is_empty() {
        return 0;
    }
    let scores = Matrix::from_fn(rows.len(), width, |(row, column)| {
        let pair = columns.get(column).and_then(|who| reference(&wishes[rows[row]], &volunteers[*who]));
        i64::from(pair.unwrap_or(0))
    });
    u64::try_from(kuhn_munkres(&scores).0).unwrap()
}

/// Each number as often as its count says.
fn repeated(counts: impl Iterator<Item = u32>) -> Vec<usize> {
    counts.enumerate().flat_map(|(number, count)| (0..count).map(move |_| number)).collect()
}

fn shuffled<T: Clone>(items: &[T], turn: usize) -> Vec<T> {
    let mut items = items.to_vec();
    let turn = turn % items.len().max(1);
    items.rotate_left(turn);
    items.reverse();
    items
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// No two windows overlap, so a volunteer is as many columns as wishes they take.
    #[test]
    fn as_good_as_a_dense_solver_where_all_windows_are_apart(
        wishes in proptest::collection::vec((any_wish(Just((8, 9))), 0_u16..16), 0..16),
        volunteers in proptest::collection::vec(any_volunteer(), 0..14),
    ) {
        let apart = |(at, (one, hour)): (usize, (Wish, u16))| {
            // A week each, so that no two ever meet, at any hour of a Monday.
            let week = i64::try_from(at).unwrap() * 7 * 24 * 60;
            let other = wish(0, &[], (8 + hour % 12, 10 + hour % 12), 1);
            Wish { from: week + other.from, until: week + other.until, window: other.window, needed: 1, ..one }
        };
        let wishes: Vec<Wish> = wishes.into_iter().enumerate().map(apart).collect();
        let plan = assign(&wishes, &volunteers);
        let rows = repeated(wishes.iter().map(|wish| wish.needed));
        let columns = repeated(volunteers.iter().map(|volunteer| volunteer.capacity));
        prop_assert!(keeps_the_rules(&wishes, &volunteers, &plan));
        prop_assert_eq!(value(&plan), dense(&wishes, &volunteers, &rows, &columns));
    }

    /// All windows are one, so a wish is as many rows as people it needs, and nobody takes two.
    #[test]
    fn as_good_as_a_dense_solver_where_all_windows_are_one(
        wishes in proptest::collection::vec(any_wish(Just((9, 12))), 0..12),
        volunteers in proptest::collection::vec(any_volunteer(), 0..24),
    ) {
        let plan = assign(&wishes, &volunteers);
        let rows = repeated(wishes.iter().map(|wish| wish.needed));
        let columns = repeated(volunteers.iter().map(|volunteer| volunteer.capacity.min(1)));
        prop_assert!(keeps_the_rules(&wishes, &volunteers, &plan));
        prop_assert_eq!(value(&plan), dense(&wishes, &volunteers, &rows, &columns));
    }

    #[test]
    fn the_order_of_rows_does_not_change_the_value(
        wishes in proptest::collection::vec(any_wish(slots()), 0..20),
        volunteers in proptest::collection::vec(any_volunteer(), 0..20),
        turns in (0_usize..20, 0_usize..20),
    ) {
        let plan = assign(&wishes, &volunteers);
        let (wishes_too, volunteers_too) = (shuffled(&wishes, turns.0), shuffled(&volunteers, turns.1));
        let other = assign(&wishes_too, &volunteers_too);
        prop_assert!(keeps_the_rules(&wishes_too, &volunteers_too, &other));
        prop_assert_eq!(value(&plan), value(&other));
    }

    /// With windows that cross, the plan is found by other means: a rule is never broken, greedy never better, the same rows
    /// give the same plan.
    #[test]
    fn crossing_windows_break_no_rule_and_never_lose_to_greedy(
        wishes in proptest::collection::vec(any_wish(any_hours()), 0..25),
        volunteers in proptest::collection::vec(any_volunteer(), 0..25),
    ) {
        let plan = assign(&wishes, &volunteers);
        prop_assert!(keeps_the_rules(&wishes, &volunteers, &plan));
        prop_assert!(value(&plan) >= greedy(&wishes, &volunteers));
        prop_assert_eq!(&plan, &assign(&wishes, &volunteers));
    }

    /// What one more volunteer is worth where windows cross, against the exact value of either market.
    #[test]
    fn one_more_volunteer_where_windows_cross(
        wishes in proptest::collection::vec(any_wish(any_hours()), 1..6),
        mut volunteers in proptest::collection::vec(any_volunteer(), 1..4),
    ) {
        let with = value(&assign(&wishes, &volunteers));
        prop_assert_eq!(with, best(&wishes, &volunteers));
        volunteers.pop();
        prop_assert!(with >= value(&assign(&wishes, &volunteers)));
    }

    /// What is solved together holds one moment, and no two moments of a part meet: else a part put back would lose something.
    #[test]
    fn moments_of_a_part_never_meet(
        wishes in proptest::collection::vec((0_i64..4, any_wish(any_hours())), 0..20),
    ) {
        let later = |(day, wish): (i64, Wish)| Wish {
            from: wish.from + day * 24 * 60,
            until: wish.until + day * 24 * 60,
            ..wish
        };
        let wishes: Vec<Wish> = wishes.into_iter().map(later).collect();
        for part in parts(&wishes) {
            for (one, moment) in &part {
                for (other, its) in &part {
                    let (one, other) = (&wishes[*one as usize], &wishes[*other as usize]);
                    prop_assert_eq!(one.from < other.until && other.from < one.until, moment == its);
                }
            }
        }
    }

    /// The candidates of a wish are all pairs that pass the filters, with their scores, and what is cut off is no better.
    #[test]
    fn candidates_are_those_who_pass_the_filters(
        wanted in any_wish(any_hours()),
        volunteers in proptest::collection::vec(any_volunteer(), 0..40),
        limit in 0_usize..12,
        turn in 0_usize..100,
    ) {
        let able = |volunteer: &Volunteer| volunteer.capacity > 0;
        let with_number = (0_u32..).zip(&volunteers).filter(|(_, volunteer)| able(volunteer));
        let mut expected: Vec<(Reverse<u32>, u32)> = with_number
            .filter_map(|(number, volunteer)| Some((Reverse(reference(&wanted, volunteer)?), number)))
            .collect();
        expected.sort_unstable();
        let pool = Pool::new(&volunteers);
        let pairs = |limit| {
            let list = pool.shortlist(&wanted, limit, turn);
            let pairs = list.candidates.iter().map(|found| (Reverse(u32::from(found.score)), found.volunteer));
            (pairs.collect::<Vec<_>>(), list.left_out)
        };
        prop_assert_eq!(pairs(usize::MAX), (expected.clone(), 0));
        let (cut, left_out) = pairs(limit);
        let scores = |pairs: &[(Reverse<u32>, u32)]| pairs.iter().map(|(score, _)| score.0).collect::<Vec<_>>();
        prop_assert_eq!(scores(&cut), scores(&expected[..limit.min(expected.len())]));
        prop_assert!(cut.iter().all(|pair| expected.contains(pair)));
        prop_assert_eq!(u32::from(left_out), expected.get(limit).map_or(0, |(score, _)| score.0));
    }
}

/// Two hundred markets of a street whose windows cross.
#[test]
fn the_best_value_on_a_street_where_windows_cross() {
    let mut random = 11_u64;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    for _ in 0..200 {
        let mut hour = |first: u16, more: u64| first + u16::try_from(next(more)).unwrap();
        let wishes: Vec<Wish> = (0..6)
            .map(|at| {
                let from = hour(8, 9);
                wish(at % 5, &[u32::from(hour(0, 3))], (from, from + hour(1, 3)), 1 + u32::from(hour(0, 2)))
            })
            .collect();
        let volunteers: Vec<Volunteer> = (0..3)
            .map(|at| {
                let skills = [u32::from(hour(0, 3)), u32::from(hour(0, 3))];
                volunteer(at, &skills, &[(8, hour(13, 8))], 1 + u32::from(hour(0, 3)))
            })
            .collect();
        let found = value(&assign(&wishes, &volunteers));
        assert_eq!(found, best(&wishes, &volunteers));
        assert!(found >= greedy(&wishes, &volunteers));
    }
}

#[test]
fn volunteers_who_cannot_change_nothing() {
    let wishes: Vec<Wish> = (0..8).map(|at| wish(at % 4, &[1], (9, 11), 2)).collect();
    let volunteers: Vec<Volunteer> = (0..9).map(|at| volunteer(at % 4, &[1], &[(8, 12)], 1)).collect();
    let without = value(&assign(&wishes, &volunteers));
    let idle = [
        volunteer(0, &[1], &[], 5),
        volunteer(0, &[1], &[(8, 12)], 0),
        volunteer(0, &[2], &[(8, 12)], 5),
        volunteer(4, &[1], &[(8, 12)], 5),
        volunteer(0, &[1], &[(13, 20)], 5),
    ];
    let with: Vec<Volunteer> = idle.into_iter().chain(volunteers).collect();
    assert_eq!(value(&assign(&wishes, &with)), without);
}
