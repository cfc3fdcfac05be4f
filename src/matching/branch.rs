//! The best plan exactly, where the market is small enough to look for it.
//!
//! What the flow finds is worth at least as much as the best plan, for it only knows that nobody takes two windows of one shift. Where
//! somebody takes two that overlap all the same, one of two things holds of the best plan: it does without the first of them, or without
//! all that overlap it. Either is looked at in turn and left as soon as its flow is worth no more than the best plan so far.
//! Parts of the market that have nobody in common are looked at each on its own.

use super::draft::Draft;
use super::flow::{self, Market, NONE};
use super::{at, number};

/// Parts with more pairs than this are left as they are.
const MOST_PAIRS: usize = 5_000;
/// Pairs that are looked at in all, each as often as it is: some hundredths of a second.
const EFFORT: usize = 200_000;
/// What a flow costs beside its pairs.
const PER_FLOW: usize = 40;

impl Draft<'_> {
    /// Makes the plan better where a part of the market has a better one.
    pub(super) fn branch(&mut self) {
        let mut effort = EFFORT;
        let mut taken = vec![false; self.market.wish.len()];
        for pair in self.taken.iter().flatten() {
            taken[at(*pair)] = true;
        }
        for pairs in self.parts().into_iter().filter(|pairs| pairs.len() <= MOST_PAIRS) {
            let mine: Vec<u32> = pairs.iter().copied().filter(|pair| taken[at(*pair)]).collect();
            for pair in &mine {
                self.remove(*pair);
            }
            let best = mine.iter().map(|pair| self.score(*pair)).sum();
            let mut tree = Tree { draft: self, best, plan: mine, effort };
            tree.look(&pairs);
            let (plan, left) = (tree.plan, tree.effort);
            effort = left;
            for pair in plan {
                self.add(pair);
            }
        }
    }

    /// The pairs by the parts of the market, those of the first wish first.
    fn parts(&self) -> Vec<Vec<u32>> {
        let wishes = self.wishes.len();
        let mut group: Vec<usize> = (0..wishes + self.taken.len()).collect();
        for pair in 0..number(self.market.wish.len()) {
            let (one, other) = (root(&mut group, self.wish(pair)), root(&mut group, wishes + self.volunteer(pair)));
            group[one.max(other)] = one.min(other);
        }
        let mut parts: Vec<Vec<u32>> = vec![Vec::new(); wishes];
        for pair in 0..number(self.market.wish.len()) {
            let part = root(&mut group, self.wish(pair));
            parts[part].push(pair);
        }
        parts.retain(|pairs| !pairs.is_empty());
        parts
    }
}

/// The first of those that belong together; the way to it becomes shorter.
fn root(group: &mut [usize], mut of: usize) -> usize {
    while group[of] != of {
        group[of] = group[group[of]];
        of = group[of];
    }
    of
}

struct Tree<'t, 'a> {
    /// Without the part that is looked at.
    draft: &'t mut Draft<'a>,
    best: i32,
    plan: Vec<u32>,
    effort: usize,
}

impl Tree<'_, '_> {
    /// Looks for a better plan among the plans of these pairs.
    fn look(&mut self, pairs: &[u32]) {
        let cost = pairs.len() + PER_FLOW;
        if self.effort < cost {
            self.effort = 0;
            return;
        }
        self.effort -= cost;
        let (market, names) = part_of(self.draft.market, pairs);
        let flow = flow::solve(&market).taken.into_iter().filter(|pair| *pair != NONE);
        let mut flow: Vec<u32> = flow.map(|pair| names[at(pair)]).collect();
        if self.worth(&flow) <= self.best {
            return;
        }
        flow.sort_unstable_by_key(|pair| (std::cmp::Reverse(self.draft.score(*pair)), *pair));
        let Some((first, others)) = self.take(&flow, pairs) else { return };
        // With the first of them, then without it. Where only together they are too much, each is left out in turn.
        let overlapping: Vec<u32> = pairs.iter().copied().filter(|pair| self.meets(first, *pair)).collect();
        if overlapping.is_empty() {
            for out in others.into_iter().chain([first]) {
                self.look(&without(pairs, &[out]));
            }
        } else {
            self.look(&without(pairs, &overlapping));
            self.look(&without(pairs, &[first]));
        }
    }

    /// Takes what can be taken of the flow, and of the other pairs what then still can, and keeps it where it is the best so far. What
    /// stood in the way: a pair that was taken, and those that clash with it; `None` where all could be taken.
    fn take(&mut self, flow: &[u32], pairs: &[u32]) -> Option<(u32, Vec<u32>)> {
        let (mut taken, mut clash) = (Vec::new(), None);
        for pair in flow {
            if self.draft.add(*pair) {
                taken.push(*pair);
            } else if clash.is_none() {
                let who = self.draft.volunteer(*pair);
                let others: Vec<u32> =
                    taken.iter().copied().filter(|other| self.draft.volunteer(*other) == who).collect();
                let met = others.iter().copied().find(|other| self.meets(*other, *pair));
                clash = Some(met.map_or((*pair, others), |met| (met, vec![*pair])));
            }
        }
        if clash.is_some() {
            for pair in pairs {
                if self.draft.add(*pair) {
                    taken.push(*pair);
                }
            }
        }
        for pair in &taken {
            self.draft.remove(*pair);
        }
        let worth = self.worth(&taken);
        if worth > self.best {
            (self.best, self.plan) = (worth, taken);
        }
        clash
    }

    fn worth(&self, pairs: &[u32]) -> i32 {
        pairs.iter().map(|pair| self.draft.score(*pair)).sum()
    }

    /// Whether both are of one volunteer and overlap.
    fn meets(&self, one: u32, other: u32) -> bool {
        one != other && self.draft.volunteer(one) == self.draft.volunteer(other) && self.draft.overlap(one, other)
    }
}

fn without(pairs: &[u32], out: &[u32]) -> Vec<u32> {
    pairs.iter().copied().filter(|pair| !out.contains(pair)).collect()
}

/// The market of some pairs, in order. With it, its pairs as those of the whole.
fn part_of(whole: &Market, pairs: &[u32]) -> (Market, Vec<u32>) {
    let mut shifts: Vec<u32> = pairs.iter().map(|pair| whole.shift[at(*pair)]).collect();
    shifts.sort_unstable();
    shifts.dedup();
    let mut market = Market::new();
    // The shifts of a volunteer stand beside each other.
    for mine in shifts.chunk_by(|one, other| whole.owner[at(*one)] == whole.owner[at(*other)]) {
        let who = number(market.capacity.len());
        market.capacity.push(whole.capacity[at(whole.owner[at(mine[0])])]);
        market.add_shifts(who, number(mine.len()));
        market.end_volunteer();
    }
    let mut names = Vec::with_capacity(pairs.len());
    for of_wish in pairs.chunk_by(|one, other| whole.wish[at(*one)] == whole.wish[at(*other)]) {
        let wish = number(market.slots.len());
        market.slots.push(whole.slots[at(whole.wish[at(of_wish[0])])]);
        for pair in of_wish {
            // Every shift is among them.
            let shift = shifts.partition_point(|shift| *shift < whole.shift[at(*pair)]);
            market.add_pair(wish, number(shift), whole.score[at(*pair)]);
            names.push(*pair);
        }
        market.end_wish();
    }
    (market, names)
}
