//! A plan by prices, for volunteers with windows that overlap.
//!
//! Each volunteer in turn takes the best day's work at the present prices (the best set of windows that do not overlap), bids
//! for each wish in it as much as it gains by it, and puts out whoever bid least for a wish that is full; who is put out
//! looks again. Prices only rise, so it ends, and close to the best plan: each bid is off by a step at most, and a step is an
//! eighth of a point, or a point where very many want the same.

use std::collections::VecDeque;

use super::draft::Draft;
use super::{at, number};

/// Prices are in steps; so many make a point.
pub(super) const FINE: i32 = 8;
/// Where that takes too long.
pub(super) const COARSE: i32 = 1;
/// How much is looked at in all, each window as often as it is; what is not settled by then stays as it is, and is a plan.
const EFFORT: usize = 25_000_000;
/// What a turn costs beside its windows.
const PER_TURN: usize = 20;

struct Auction<'d, 'a> {
    draft: &'d mut Draft<'a>,
    /// By volunteer: its pairs, by the end of their windows.
    pairs: Vec<Vec<u32>>,
    /// By wish: (bid, pair) of those who have it.
    bids: Vec<Vec<(i32, u32)>>,
    queue: VecDeque<usize>,
    queued: Vec<bool>,
    effort: usize,
    steps: i32,
}

impl Draft<'_> {
    /// Fills an empty draft; so many steps make a point. Whether all was settled: what is there is a plan anyway.
    pub(super) fn auction(&mut self, steps: i32) -> bool {
        let mut pairs: Vec<Vec<u32>> = vec![Vec::new(); self.taken.len()];
        for pair in 0..number(self.market.wish.len()) {
            pairs[self.volunteer(pair)].push(pair);
        }
        for pairs in &mut pairs {
            pairs.sort_unstable_by_key(|pair| (self.wishes[self.wish(*pair)].until, *pair));
        }
        let bidders = (0..pairs.len()).filter(|who| !pairs[*who].is_empty()).collect();
        let queued = vec![true; pairs.len()];
        let bids = vec![Vec::new(); self.wishes.len()];
        Auction { draft: self, pairs, bids, queue: bidders, queued, effort: EFFORT, steps }.run()
    }
}

impl Auction<'_, '_> {
    /// Whether all was settled.
    fn run(&mut self) -> bool {
        while let Some(who) = self.queue.pop_front() {
            // A turn looks at the volunteer's windows once for each that may be taken, and again for each that is.
            let most = at(self.draft.market.capacity[who]).min(self.pairs[who].len());
            let cost = PER_TURN + self.pairs[who].len() * most.max(1) * (most + 1);
            if self.effort < cost {
                return false;
            }
            self.effort -= cost;
            self.queued[who] = false;
            self.bid(who);
        }
        true
    }

    fn bid(&mut self, who: usize) {
        let gains: Vec<i32> = self.pairs[who].iter().map(|pair| self.gain(who, *pair)).collect();
        let (most, chosen) = self.schedule(who, &gains, None);
        let wanted: Vec<u32> = chosen.iter().map(|index| self.pairs[who][*index]).collect();
        for pair in self.draft.taken[who].clone() {
            if !wanted.contains(&pair) {
                self.give_up(pair);
            }
        }
        let share = i32::try_from(chosen.len()).unwrap_or(i32::MAX);
        for index in chosen {
            let pair = self.pairs[who][index];
            if self.draft.taken[who].contains(&pair) {
                continue;
            }
            let (without, _) = self.schedule(who, &gains, Some(index));
            let price = self.draft.score(pair) * self.steps - gains[index];
            self.win(pair, price + (most - without) / share);
        }
    }

    /// What a volunteer would gain by a pair, in steps.
    fn gain(&self, who: usize, pair: u32) -> i32 {
        let bids = &self.bids[self.draft.wish(pair)];
        let mine = bids.iter().find(|(_, other)| *other == pair && self.draft.taken[who].contains(&pair));
        let least = bids.iter().map(|(bid, _)| *bid).min();
        let full = bids.len() >= at(self.draft.market.slots[self.draft.wish(pair)]);
        let price = match (mine, least) {
            (Some((bid, _)), _) => *bid,
            (None, Some(least)) if full => least + 1,
            (None, None) if full => return 0,
            (None, _) => 0,
        };
        self.draft.score(pair) * self.steps - price
    }

    fn give_up(&mut self, pair: u32) {
        self.bids[self.draft.wish(pair)].retain(|(_, other)| *other != pair);
        self.draft.remove(pair);
    }

    fn win(&mut self, pair: u32, bid: i32) {
        let wish = self.draft.wish(pair);
        if self.draft.open[wish] == 0
            && let Some((_, out)) = self.bids[wish].iter().min().copied()
        {
            let loser = self.draft.volunteer(out);
            self.give_up(out);
            if !self.queued[loser] {
                self.queued[loser] = true;
                self.queue.push_back(loser);
            }
        }
        if self.draft.add(pair) {
            self.bids[wish].push((bid, pair));
        }
    }

    /// The best set of windows that do not overlap, as many as the volunteer takes at most: what it gains, and which.
    /// Windows come by their ends; `skip` is left out.
    fn schedule(&self, who: usize, gains: &[i32], skip: Option<usize>) -> (i32, Vec<usize>) {
        let useful: Vec<usize> = (0..gains.len()).filter(|index| gains[*index] > 0 && Some(*index) != skip).collect();
        let most = at(self.draft.market.capacity[who]).min(useful.len());
        if most <= 1 {
            let best = useful.into_iter().max_by_key(|index| (gains[*index], std::cmp::Reverse(*index)));
            return best.filter(|_| most == 1).map_or((0, Vec::new()), |index| (gains[index], vec![index]));
        }
        let window = |index: usize| &self.draft.wishes[self.draft.wish(self.pairs[who][index])];
        let before: Vec<usize> = useful
            .iter()
            .map(|index| useful.partition_point(|other| window(*other).until <= window(*index).from))
            .collect();
        // best[k][j]: by at most k of the first j.
        let mut best = vec![vec![0; useful.len() + 1]; most + 1];
        for k in 1..=most {
            for j in 1..=useful.len() {
                best[k][j] = best[k][j - 1].max(gains[useful[j - 1]] + best[k - 1][before[j - 1]]);
            }
        }
        let (mut k, mut j, mut chosen) = (most, useful.len(), Vec::new());
        while k > 0 && j > 0 {
            if best[k][j] == best[k][j - 1] {
                j -= 1;
            } else {
                chosen.push(useful[j - 1]);
                (k, j) = (k - 1, before[j - 1]);
            }
        }
        (best[most][useful.len()], chosen)
    }
}
