//! The volunteers of a district, kept for questions about one wish at a time: who are the best, and why nobody is.
//!
//! Volunteers stand in a grid of communities, which is the address tree. Near ones are looked at first, and the search ends as
//! soon as nobody further away can be as good. Those with the same availability share a class, so that time is compared once
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
        self.volunteers[at(who)] = Some(volunteer);
        who
    }

    /// Lets somebody go; nobody, where the number is nobody's.
    pub fn leave(&mut self, who: u32) {
        let Some(volunteer) = self.volunteers.get_mut(at(who)).and_then(Option::take) else { return };
        self.classes.leave(self.class[at(who)]);
        if let Some(cell) = self.grid.get_mut(&volunteer.place.community) {
            cell.retain(|other| *other != who);
            if cell.is_empty() {
                self.grid.remove(&volunteer.place.community);
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

    /// The best `limit` candidates of a wish: by score, then by `order`, then by number. As a look at everybody would find.
    pub fn best<K: Ord>(&self, wish: &Wish, limit: usize, order: impl Fn(u32) -> K) -> Vec<Candidate> {
        if limit == 0 {
            return Vec::new();
        }
        let mut search =
            Search { crowd: self, wish, times: vec![UNKNOWN; self.classes.spans.len()], found: Vec::new() };
        let Place { district, street, community } = wish.place;
        let (in_street, in_district) =
            (street * 1_000..(street + 1) * 1_000, district * 1_000_000..(district + 1) * 1_000_000);
        search.look(community..community + 1, &(0..0));
        if !search.has_enough(limit, 18) {
            search.look(in_street.clone(), &(community..community + 1));
            if !search.has_enough(limit, 8) {
                search.look(in_district, &in_street);
            }
        }
        let mut found = search.found;
        if found.len() > limit {
            let (_, cut, _) = found.select_nth_unstable_by_key(limit - 1, |found| Reverse(found.score));
            let least = cut.score;
            found.retain(|found| found.score >= least);
        }
        found.sort_by_cached_key(|found| (Reverse(found.score), order(found.volunteer), found.volunteer));
        found.truncate(limit);
        found
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
                if let Some(volunteer) = crowd.get(*who) {
                    self.judge(*who, volunteer);
                }
            }
        }
    }

    /// As [`judge`], with the time of a class compared once.
    fn judge(&mut self, who: u32, volunteer: &Volunteer) {
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
        let Some(skill) = score::skill(self.wish.skills.len(), held(self.wish, volunteer)) else { return };
        let Some(near) = score::near(self.wish.place, volunteer.place) else { return };
        if barrier(self.wish, volunteer, Asked::ByOthers).is_none() {
            self.found.push(Candidate { score: skill + near + time, volunteer: who });
        }
    }
}
