//! The volunteers of a district, kept for questions about one wish at a time: who are the best, and why nobody is.
//!
//! Volunteers stand in a grid of communities, which is the address tree. Near ones are looked at first, and the search ends as
//! soon as nobody further away can be as good; where skills are asked for, those who have one are looked at. Those with the same availability share a class, so that time is compared once
//! for all of them. The pair itself is judged as everywhere, by [`super::candidates`].

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::bounds::{Asked, Barrier};
use super::candidates::{Candidate, Volunteer, Wish, barrier, held, judge};
use super::score::{self, DaySpan, Place};
use super::{at, number};

/// What a class was not compared for yet, and what is too little time.
const UNKNOWN: u8 = u8::MAX;
const TOO_LITTLE: u8 = u8::MAX - 1;

/// Volunteers with numbers that stay theirs while they are here.
#[derive(Debug, Default)]
pub struct Crowd {
    volunteers: Vec<Option<Volunteer>>,
    /// By volunteer.
    class: Vec<u32>,
    classes: Classes,
    /// By community: who lives there.
    grid: BTreeMap<u64, Vec<u32>>,
    /// By skill: who has it.
    by_skill: HashMap<u32, Vec<u32>>,
    /// Numbers nobody has.
    vacant: Vec<u32>,
}

/// Availabilities, each once.
#[derive(Debug, Default)]
struct Classes {
    spans: Vec<Vec<DaySpan>>,
    members: Vec<u32>,
    known: HashMap<Vec<DaySpan>, u32>,
    vacant: Vec<u32>,
}

impl Classes {
    fn enter(&mut self, spans: &[DaySpan]) -> u32 {
        if let Some(class) = self.known.get(spans) {
            self.members[at(*class)] += 1;
            return *class;
        }
        let class = self.vacant.pop().unwrap_or_else(|| {
            self.spans.push(Vec::new());
            self.members.push(0);
            number(self.spans.len() - 1)
        });
        spans.clone_into(&mut self.spans[at(class)]);
        self.members[at(class)] = 1;
        self.known.insert(spans.to_vec(), class);
        class
    }

    fn leave(&mut self, class: u32) {
        self.members[at(class)] -= 1;
        if self.members[at(class)] == 0 {
            let spans = std::mem::take(&mut self.spans[at(class)]);
            self.known.remove(&spans);
            self.vacant.push(class);
        }
    }
}

/// Who was left out, by the first filter that parted them, in the order of [`Barrier::ALL`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut([u32; Barrier::ALL.len()]);

impl LeftOut {
    /// Counts one.
    pub fn add(&mut self, barrier: Barrier) {
        self.0[barrier as usize] += 1;
    }

    /// The filters that parted anybody, with how many.
    pub fn counts(&self) -> impl Iterator<Item = (Barrier, u32)> {
        Barrier::ALL.into_iter().zip(self.0).filter(|(_, count)| *count > 0)
    }

    /// The filter that those met who got furthest.
    pub fn furthest(&self) -> Option<Barrier> {
        self.counts().last().map(|(barrier, _)| barrier)
    }
}

impl Crowd {
    /// Takes somebody in; the number is theirs until they leave.
    pub fn enter(&mut self, volunteer: Volunteer) -> u32 {
        let who = self.vacant.pop().unwrap_or_else(|| {
            self.volunteers.push(None);
            self.class.push(0);
            number(self.volunteers.len() - 1)
        });
        self.class[at(who)] = self.classes.enter(&volunteer.availability);
        self.grid.entry(volunteer.place.community).or_default().push(who);
        for skill in &volunteer.skills {
            self.by_skill.entry(*skill).or_default().push(who);
        }
        self.volunteers[at(who)] = Some(volunteer);
        who
    }

    /// Lets somebody go; nobody, where the number is nobody's.
    pub fn leave(&mut self, who: u32) {
        let Some(volunteer) = self.volunteers.get_mut(at(who)).and_then(Option::take) else { return };
        self.classes.leave(self.class[at(who)]);
        strike(&mut self.grid, volunteer.place.community, who);
        for skill in &volunteer.skills {
            if let Some(held_by) = self.by_skill.get_mut(skill) {
                held_by.retain(|other| *other != who);
            }
        }
        self.vacant.push(who);
    }

    /// The volunteer of a number.
    pub fn get(&self, who: u32) -> Option<&Volunteer> {
        self.volunteers.get(at(who))?.as_ref()
    }

    /// All, in order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Volunteer)> {
        (0_u32..).zip(&self.volunteers).filter_map(|(who, volunteer)| Some((who, volunteer.as_ref()?)))
    }

    /// How many are here.
    pub fn len(&self) -> usize {
        self.volunteers.len() - self.vacant.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The best `limit` candidates of a wish: by score, then by `first`, then by `then`, then by number. As a look at everybody
    /// would find; `then` is asked only of those whom nothing before it parts from the last.
    pub fn best<A: Ord + Copy, B: Ord>(
        &self,
        wish: &Wish,
        limit: usize,
        first: impl Fn(u32) -> A,
        then: impl Fn(u32) -> B,
    ) -> Vec<Candidate> {
        if limit == 0 {
            return Vec::new();
        }
        let mut search =
            Search { crowd: self, wish, times: vec![UNKNOWN; self.classes.spans.len()], found: Vec::new() };
        if wish.skills.is_empty() {
            search.nearest(limit);
        } else {
            search.skilled();
        }
        let mut found = search.found;
        if found.len() > limit {
            let (_, cut, _) = found.select_nth_unstable_by_key(limit - 1, |found| Reverse(found.score));
            let least = cut.score;
            found.retain(|found| found.score >= least);
        }
        let mut found: Vec<_> =
            found.into_iter().map(|found| (Reverse(found.score), first(found.volunteer), found)).collect();
        if found.len() > limit {
            let (_, cut, _) = found.select_nth_unstable_by_key(limit - 1, |found| (found.0, found.1));
            let last = (cut.0, cut.1);
            found.retain(|found| (found.0, found.1) <= last);
        }
        found.sort_by_cached_key(|(score, first, found)| (*score, *first, then(found.volunteer), found.volunteer));
        found.truncate(limit);
        found.into_iter().map(|(_, _, found)| found).collect()
    }

    /// Why those who are here are no candidates of a wish.
    pub fn left_out(&self, wish: &Wish) -> LeftOut {
        let mut left_out = LeftOut::default();
        for barrier in self.iter().filter_map(|(_, volunteer)| judge(wish, volunteer, Asked::ByOthers).err()) {
            left_out.add(barrier);
        }
        left_out
    }
}

struct Search<'a> {
    crowd: &'a Crowd,
    wish: &'a Wish,
    /// By class.
    times: Vec<u8>,
    found: Vec<Candidate>,
}

impl Search<'_> {
    /// Looks near first, and ends where nobody further away can be as good.
    fn nearest(&mut self, limit: usize) {
        let Place { district, street, community } = self.wish.place;
        let in_street = street * 1_000..(street + 1) * 1_000;
        let in_district = district * 1_000_000..(district + 1) * 1_000_000;
        self.look(community..community + 1, &(0..0));
        if !self.has_enough(limit, 18) {
            self.look(in_street.clone(), &(community..community + 1));
            if !self.has_enough(limit, 8) {
                self.look(in_district, &in_street);
            }
        }
    }

    /// Looks at those who have one of the skills: few, so that nearness saves nothing.
    fn skilled(&mut self) {
        let crowd = self.crowd;
        let lists = self.wish.skills.iter().filter_map(|skill| crowd.by_skill.get(skill));
        let mut held_by: Vec<u32> = lists.flatten().copied().collect();
        held_by.sort_unstable();
        held_by.dedup();
        for who in held_by {
            self.judge(who);
        }
    }

    /// Whether nobody who is as near as `near` is worth, or further, can come among the best.
    fn has_enough(&self, limit: usize, near: u8) -> bool {
        let bound = 50 + near + 20;
        self.found.iter().filter(|found| found.score > bound).take(limit).count() == limit
    }

    /// Goes through communities, but those of `seen`.
    fn look(&mut self, communities: Range<u64>, seen: &Range<u64>) {
        let crowd = self.crowd;
        for (_, cell) in crowd.grid.range(communities).filter(|(community, _)| !seen.contains(community)) {
            for who in cell {
                self.judge(*who);
            }
        }
    }

    /// As [`super::candidates::fits`], with the time of a class compared once, and first.
    fn judge(&mut self, who: u32) {
        let class = at(self.crowd.class[at(who)]);
        if self.times[class] == UNKNOWN {
            let window = &self.wish.window;
            let free = score::free(window, &self.crowd.classes.spans[class]);
            self.times[class] = score::time(window.need, free).unwrap_or(TOO_LITTLE);
        }
        let time = self.times[class];
        if time == TOO_LITTLE {
            return;
        }
        let Some(volunteer) = self.crowd.get(who) else { return };
        let Some(skill) = score::skill(self.wish.skills.len(), held(self.wish, volunteer)) else { return };
        let Some(near) = score::near(self.wish.place, volunteer.place) else { return };
        if barrier(self.wish, volunteer, Asked::ByOthers).is_none() {
            self.found.push(Candidate { score: skill + near + time, volunteer: who });
        }
    }
}

/// Takes a number off a list, and the list away where it was the last.
fn strike(lists: &mut BTreeMap<u64, Vec<u32>>, key: u64, who: u32) {
    if let Some(list) = lists.get_mut(&key) {
        list.retain(|other| *other != who);
        if list.is_empty() {
            lists.remove(&key);
        }
    }
}
