//! The batch assignment: who is to be asked for which wish, so that the sum of scores is as great as the rules allow: at
//! most as many people as a wish needs, at most as many wishes as a volunteer takes, and no two that overlap in time.
//!
//! 1. Each wish's best candidates are listed, and each volunteer's are parted into *shifts*, sets of windows that all overlap.
//! 2. [`flow`] finds the best plan in which nobody takes two windows of a shift.
//! 3. Where a list was cut and somebody left out might have changed the plan, it is made longer and the flow solved again.
//! 4. If nothing overlaps now, that is the best plan there is. Otherwise windows of two shifts of somebody overlap: then an
//!    [`auction`](super::auction) finds a plan by prices, [`polish`](super::polish) makes it better, it is taken where it
//!    is better than what is left of the flow, and [`branch`](super::branch) looks for the best one where the market is small.

use super::auction::{COARSE, FINE};
use super::candidates::{Candidate, Pool, Shortlist, Volunteer, Wish};
use super::draft::Draft;
use super::flow::{self, Market, NONE};
use super::{at, number};

/// One volunteer for one wish, by their numbers in the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    pub wish: u32,
    pub volunteer: u32,
    pub score: u8,
}

/// How long a first list is: for each person needed, and at least.
const PER_PERSON: usize = 12;
const AT_LEAST: usize = 48;
/// How many times as long a list becomes where it was too short.
const LONGER: usize = 8;

/// The plan, by wish and then volunteer.
pub fn assign(wishes: &[Wish], volunteers: &[Volunteer]) -> Vec<Pair> {
    let pool = Pool::new(volunteers);
    let mut limits: Vec<usize> =
        wishes.iter().map(|wish| at(wish.needed).saturating_mul(PER_PERSON).max(AT_LEAST)).collect();
    let with_turn = wishes.iter().zip(&limits).enumerate();
    let mut lists: Vec<_> = with_turn.map(|(turn, (wish, limit))| pool.shortlist(wish, *limit, turn)).collect();
    loop {
        let market = market(wishes, volunteers, &lists);
        let flow = flow::solve(&market);
        let mut short = false;
        for (turn, wish) in wishes.iter().enumerate() {
            if i32::from(lists[turn].left_out) > flow.bid[turn] {
                limits[turn] = limits[turn].saturating_mul(LONGER);
                lists[turn] = pool.shortlist(wish, limits[turn], turn);
                short = true;
            }
        }
        if !short {
            return settle(wishes, volunteers, &market, &flow.taken);
        }
    }
}

/// The sum of scores.
pub fn value(plan: &[Pair]) -> u64 {
    plan.iter().map(|pair| u64::from(pair.score)).sum()
}

/// The flow where it is a plan; else the best that is found.
fn settle(wishes: &[Wish], volunteers: &[Volunteer], market: &Market, taken: &[u32]) -> Vec<Pair> {
    let mut flowed = Draft::new(wishes, volunteers, market);
    if flowed.take(taken.iter().copied().filter(|pair| *pair != NONE)) {
        return flowed.pairs();
    }
    flowed.polish();
    let auctioned = |steps| {
        let mut draft = Draft::new(wishes, volunteers, market);
        let settled = draft.auction(steps);
        draft.polish();
        (draft, settled)
    };
    let (fine, settled) = auctioned(FINE);
    let coarse = (!settled).then(|| auctioned(COARSE).0);
    let mut greedy = Draft::new(wishes, volunteers, market);
    greedy.take(0..number(market.wish.len()));
    // Of equal ones the first.
    let drafts = [Some(fine), coarse, Some(flowed), Some(greedy)].into_iter().rev().flatten();
    drafts.max_by_key(Draft::value).map_or_else(Vec::new, |mut best| {
        best.branch();
        best.pairs()
    })
}

fn market(wishes: &[Wish], volunteers: &[Volunteer], lists: &[Shortlist]) -> Market {
    let mut market = Market {
        slots: wishes.iter().map(|wish| wish.needed).collect(),
        capacity: volunteers.iter().map(|volunteer| volunteer.capacity).collect(),
        ..Market::new()
    };
    let shifts = shifts(wishes, volunteers, lists, &mut market);
    for (wish, list) in (0_u32..).zip(lists) {
        for Candidate { score, volunteer } in &list.candidates {
            let offered = &shifts[at(*volunteer)];
            let found = offered.binary_search_by_key(&wish, |(wish, _)| *wish);
            // Every candidate was offered to its volunteer above.
            if let Ok(found) = found {
                market.add_pair(wish, offered[found].1, *score);
            }
        }
        market.end_wish();
    }
    market
}

/// Adds the volunteers' shifts to the market. By volunteer: (wish, shift) by wish.
fn shifts(wishes: &[Wish], volunteers: &[Volunteer], lists: &[Shortlist], market: &mut Market) -> Vec<Vec<(u32, u32)>> {
    let mut offered: Vec<Vec<u32>> = vec![Vec::new(); volunteers.len()];
    for (wish, list) in (0_u32..).zip(lists) {
        for found in &list.candidates {
            offered[at(found.volunteer)].push(wish);
        }
    }
    let mut all = Vec::with_capacity(volunteers.len());
    for (who, (volunteer, offered)) in (0_u32..).zip(volunteers.iter().zip(&offered)) {
        let first = number(market.owner.len());
        let (mut parted, count) = part(wishes, offered, volunteer.capacity);
        for (_, shift) in &mut parted {
            *shift += first;
        }
        parted.sort_unstable();
        all.push(parted);
        market.add_shifts(who, count);
        market.end_volunteer();
    }
    all
}

/// Parts windows into as few sets as can be, of which each meets in one moment: (wish, set), and how many sets. Somebody who
/// takes one wish at most needs one set.
fn part(wishes: &[Wish], offered: &[u32], capacity: u32) -> (Vec<(u32, u32)>, u32) {
    if capacity <= 1 || offered.len() <= 1 {
        return (offered.iter().map(|wish| (*wish, 0)).collect(), u32::from(!offered.is_empty()));
    }
    let mut by_end = offered.to_vec();
    by_end.sort_unstable_by_key(|wish| (wishes[at(*wish)].until, *wish));
    let mut parted = Vec::with_capacity(by_end.len());
    let mut sets = 0;
    while let Some(first) = by_end.first() {
        let end = wishes[at(*first)].until;
        by_end.retain(|wish| {
            let meets = wishes[at(*wish)].from < end;
            if meets {
                parted.push((*wish, sets));
            }
            !meets
        });
        sets += 1;
    }
    (parted, sets)
}
