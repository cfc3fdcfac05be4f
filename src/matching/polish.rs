//! Making a plan better by solving parts of it anew.
//!
//! All windows that hold one moment overlap each other, so nobody takes two of them: taken out of the plan together, they are
//! given back in the best way beside what stays by [`flow::solve`], exactly. The plan never becomes worse by it.

use super::candidates::Wish;
use super::draft::Draft;
use super::flow::{self, Market, NONE};
use super::{at, number};

/// How often all moments are gone through at most.
const ROUNDS: usize = 12;
/// Minutes of a day.
const DAY: i64 = 24 * 60;

impl Draft<'_> {
    /// Goes through all moments until a whole round gains nothing.
    pub(super) fn polish(&mut self) {
        let parts = parts(self.wishes);
        for _ in 0..ROUNDS {
            let before = self.value();
            for part in &parts {
                self.redo(part);
            }
            if self.value() == before {
                return;
            }
        }
    }

    /// Solves a part anew. `part`: (wish, which of the part's moments it holds), by wish.
    fn redo(&mut self, part: &[(u32, u32)]) {
        let mut is_in = vec![false; self.wishes.len()];
        for (wish, _) in part {
            is_in[at(*wish)] = true;
        }
        let out: Vec<u32> = self.taken.iter().flatten().copied().filter(|pair| is_in[self.wish(*pair)]).collect();
        for pair in out {
            self.remove(pair);
        }
        let (market, pairs) = self.market_of(part);
        for pair in flow::solve(&market).taken {
            if pair != NONE {
                self.add(pairs[at(pair)]);
            }
        }
    }

    /// The market of a part beside what stays: one shift for each volunteer and moment. With it, its pairs as ours.
    fn market_of(&self, part: &[(u32, u32)]) -> (Market, Vec<u32>) {
        let mut found: Vec<(usize, u32, u32)> = Vec::new();
        for (wish, moment) in part.iter().filter(|(wish, _)| self.open[at(*wish)] > 0) {
            let pairs = self.market.pairs(*wish).filter(|pair| self.fits(*pair));
            found.extend(pairs.map(|pair| (self.volunteer(pair), *moment, pair)));
        }
        found.sort_unstable();
        let mut market = Market::new();
        let mut shift_of: Vec<(u32, u32)> = Vec::with_capacity(found.len());
        for one in found.chunk_by(|one, other| one.0 == other.0) {
            let who = number(market.capacity.len());
            let already = number(self.taken[one[0].0].len());
            market.capacity.push(self.market.capacity[one[0].0] - already);
            for shift in one.chunk_by(|one, other| one.1 == other.1) {
                let id = number(market.owner.len());
                market.add_shifts(who, 1);
                shift_of.extend(shift.iter().map(|(_, _, pair)| (*pair, id)));
            }
            market.end_volunteer();
        }
        shift_of.sort_unstable();
        for one in shift_of.chunk_by(|one, other| self.wish(one.0) == self.wish(other.0)) {
            let wish = number(market.slots.len());
            market.slots.push(self.open[self.wish(one[0].0)]);
            for (pair, shift) in one {
                market.add_pair(wish, *shift, self.market.score[at(*pair)]);
            }
            market.end_wish();
        }
        (market, shift_of.into_iter().map(|(pair, _)| pair).collect())
    }
}

/// Parts to be solved together: one for each first moment of a day, holding that moment of each day, and after it always the
/// next that no window so far reaches.
pub(super) fn parts(wishes: &[Wish]) -> Vec<Vec<(u32, u32)>> {
    let mut by_start: Vec<u32> = (0..number(wishes.len())).collect();
    by_start.sort_unstable_by_key(|wish| (wishes[at(*wish)].from, *wish));
    let mut starts: Vec<i64> = wishes.iter().map(|wish| wish.from).collect();
    starts.sort_unstable();
    starts.dedup();
    let days: Vec<&[i64]> = starts.chunk_by(|one, other| one.div_euclid(DAY) == other.div_euclid(DAY)).collect();
    let most = days.iter().map(|day| day.len()).max().unwrap_or(0);
    let longest = wishes.iter().map(|wish| wish.until - wish.from).max().unwrap_or(0);
    let part = |first: usize| {
        let mut part = Vec::new();
        let (mut moment, mut end) = (0, i64::MIN);
        for day in &days {
            let mut rest = &day[first.min(day.len() - 1)..];
            // Windows may last beyond their day.
            rest = &rest[rest.partition_point(|start| *start < end)..];
            while let Some(start) = rest.first() {
                // What began before the windows of the last moment are over would overlap them.
                let earliest = end.max(start - longest);
                end = start + 1;
                let earliest = by_start.partition_point(|wish| wishes[at(*wish)].from < earliest);
                let latest = by_start.partition_point(|wish| wishes[at(*wish)].from <= *start);
                for wish in by_start[earliest..latest].iter().filter(|wish| wishes[at(**wish)].until > *start) {
                    part.push((*wish, moment));
                    end = end.max(wishes[at(*wish)].until);
                }
                moment += 1;
                rest = &rest[rest.partition_point(|start| *start < end)..];
            }
        }
        part.sort_unstable();
        part
    };
    (0..most).map(part).collect()
}
