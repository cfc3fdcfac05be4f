//! A plan in the making, which keeps every rule at every moment.

use super::assign::Pair;
use super::candidates::{Volunteer, Wish};
use super::flow::Market;
use super::{at, number};

pub(super) struct Draft<'a> {
    pub(super) wishes: &'a [Wish],
    volunteers: &'a [Volunteer],
    pub(super) market: &'a Market,
    /// By wish: slots still to fill.
    pub(super) open: Vec<u32>,
    /// By volunteer: the pairs taken.
    pub(super) taken: Vec<Vec<u32>>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(wishes: &'a [Wish], volunteers: &'a [Volunteer], market: &'a Market) -> Self {
        Self { wishes, volunteers, market, open: market.slots.clone(), taken: vec![Vec::new(); market.capacity.len()] }
    }

    pub(super) fn score(&self, pair: u32) -> i32 {
        i32::from(self.market.score[at(pair)])
    }

    pub(super) fn wish(&self, pair: u32) -> usize {
        at(self.market.wish[at(pair)])
    }

    pub(super) fn volunteer(&self, pair: u32) -> usize {
        at(self.market.owner[at(self.market.shift[at(pair)])])
    }

    pub(super) fn overlap(&self, one: u32, other: u32) -> bool {
        let (one, other) = (&self.wishes[self.wish(one)], &self.wishes[self.wish(other)]);
        one.from < other.until && other.from < one.until
    }

    /// Whether its volunteer can take a pair beside what they have.
    pub(super) fn fits(&self, pair: u32) -> bool {
        let volunteer = self.volunteer(pair);
        let taken = &self.taken[volunteer];
        taken.len() < at(self.market.capacity[volunteer])
            && !taken.iter().any(|other| self.overlap(pair, *other))
            && self.has_hours(pair, volunteer)
    }

    /// Whether the hours that a volunteer gives in a week are enough for a pair beside what they have.
    fn has_hours(&self, pair: u32, volunteer: usize) -> bool {
        let taken = &self.taken[volunteer];
        let Some(limits) = self.volunteers[volunteer].limits.as_deref().filter(|_| !taken.is_empty()) else {
            return true;
        };
        let window = |pair: u32| (self.wishes[self.wish(pair)].from, self.wishes[self.wish(pair)].until);
        let (from, until) = window(pair);
        limits.has_hours_beside(from, until, &mut taken.iter().map(|other| window(*other)))
    }

    /// Takes a pair if no rule forbids it.
    pub(super) fn add(&mut self, pair: u32) -> bool {
        let (wish, volunteer) = (self.wish(pair), self.volunteer(pair));
        let may = self.open[wish] > 0 && self.fits(pair);
        if may {
            self.open[wish] -= 1;
            self.taken[volunteer].push(pair);
        }
        may
    }

    pub(super) fn remove(&mut self, pair: u32) {
        let (wish, volunteer) = (self.wish(pair), self.volunteer(pair));
        self.open[wish] += 1;
        self.taken[volunteer].retain(|other| *other != pair);
    }

    /// Takes pairs by score, then wish, then volunteer; whether all could be taken.
    pub(super) fn take(&mut self, pairs: impl Iterator<Item = u32>) -> bool {
        let mut order: Vec<u32> = pairs.collect();
        order.sort_unstable_by_key(|pair| {
            (std::cmp::Reverse(self.score(*pair)), self.wish(*pair), self.volunteer(*pair))
        });
        let mut all = true;
        for pair in order {
            all &= self.add(pair);
        }
        all
    }

    pub(super) fn value(&self) -> i64 {
        self.taken.iter().flatten().map(|pair| i64::from(self.score(*pair))).sum()
    }

    /// By wish, then volunteer.
    pub(super) fn pairs(&self) -> Vec<Pair> {
        let pair = |pair: &u32| Pair {
            wish: self.market.wish[at(*pair)],
            volunteer: number(self.volunteer(*pair)),
            score: self.market.score[at(*pair)],
        };
        let mut pairs: Vec<Pair> = self.taken.iter().flatten().map(pair).collect();
        pairs.sort_unstable_by_key(|pair| (pair.wish, pair.volunteer));
        pairs
    }
}
