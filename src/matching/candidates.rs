//! Who may do what: all pairs that pass the filters, or of very many the best of each wish.
//!
//! Volunteers of a district with the same availability are looked at together, so that time is compared once for all of them, and
//! within such a class by skill. What this costs grows with the pairs it finds.

use std::collections::BTreeMap;

use super::at;
use super::score::{self, DaySpan, Place};

/// A wish to be assigned.
#[derive(Clone, Debug)]
pub struct Wish {
    pub place: Place,
    /// Without repeats.
    pub skills: Vec<u32>,
    /// Minutes since any common midnight; within one day.
    pub from: i64,
    pub until: i64,
    /// The same window in its day.
    pub window: DaySpan,
    pub needed: u32,
}

/// A volunteer to be assigned.
#[derive(Clone, Debug)]
pub struct Volunteer {
    pub place: Place,
    /// Sorted, without repeats.
    pub skills: Vec<u32>,
    /// As [`score::tidy`] leaves it.
    pub availability: Vec<DaySpan>,
    pub capacity: u32,
}

/// A candidate of a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub score: u8,
    pub volunteer: u32,
}

/// The best candidates of a wish, best first.
#[derive(Clone, Debug, Default)]
pub struct Shortlist {
    pub candidates: Vec<Candidate>,
    /// The best score among those left out; 0 where none is.
    pub left_out: u8,
}

/// Volunteers of one district and one availability.
#[derive(Debug, Default)]
struct Class {
    members: Vec<u32>,
    by_skill: BTreeMap<u32, Vec<u32>>,
}

/// All volunteers, by district and availability.
pub struct Pool<'a> {
    volunteers: &'a [Volunteer],
    districts: BTreeMap<u64, BTreeMap<&'a [DaySpan], Class>>,
}

impl<'a> Pool<'a> {
    /// Those without capacity are left out.
    pub fn new(volunteers: &'a [Volunteer]) -> Self {
        let mut districts: BTreeMap<u64, BTreeMap<&[DaySpan], Class>> = BTreeMap::new();
        for (number, volunteer) in (0_u32..).zip(volunteers) {
            if volunteer.capacity == 0 {
                continue;
            }
            let classes = districts.entry(volunteer.place.district).or_default();
            let class = classes.entry(&volunteer.availability).or_default();
            class.members.push(number);
            for skill in &volunteer.skills {
                class.by_skill.entry(*skill).or_default().push(number);
            }
        }
        Self { volunteers, districts }
    }

    /// The best `limit` candidates of a wish. Of equal ones near the cut some are taken by a turn of the list that depends on
    /// `turn`, so that wishes alike do not all look at the same few.
    pub fn shortlist(&self, wish: &Wish, limit: usize, turn: usize) -> Shortlist {
        let need = u32::from(wish.window.until.saturating_sub(wish.window.from));
        let mut candidates = Vec::new();
        for (availability, class) in self.districts.get(&wish.place.district).into_iter().flatten() {
            let Some(time) = score::time(need, score::free(wish.window, availability)) else {
                continue;
            };
            self.of_class(wish, class, time, &mut candidates);
        }
        let count = candidates.len();
        let turned =
            |volunteer: u32| (at(volunteer)).wrapping_add(turn.wrapping_mul(STRIDE)) % self.volunteers.len().max(1);
        let mut left_out = 0;
        if count > limit {
            let key = |found: &Candidate| (std::cmp::Reverse(found.score), turned(found.volunteer));
            let (_, cut, _) = candidates.select_nth_unstable_by_key(limit, key);
            left_out = cut.score;
            candidates.truncate(limit);
        }
        candidates.sort_unstable_by_key(|found| (std::cmp::Reverse(found.score), found.volunteer));
        Shortlist { candidates, left_out }
    }

    fn of_class(&self, wish: &Wish, class: &Class, time: u8, candidates: &mut Vec<Candidate>) {
        let mut add = |volunteer: u32, held: usize| {
            let near = score::near(wish.place, self.volunteers[at(volunteer)].place);
            if let (Some(skill), Some(near)) = (score::skill(wish.skills.len(), held), near) {
                candidates.push(Candidate { score: skill + near + time, volunteer });
            }
        };
        match wish.skills.as_slice() {
            [] => class.members.iter().for_each(|volunteer| add(*volunteer, 0)),
            [only] => class.by_skill.get(only).into_iter().flatten().for_each(|volunteer| add(*volunteer, 1)),
            several => {
                let mut found: Vec<u32> =
                    several.iter().filter_map(|skill| class.by_skill.get(skill)).flatten().copied().collect();
                found.sort_unstable();
                for held in found.chunk_by(|one, other| one == other) {
                    add(held[0], held.len());
                }
            }
        }
    }
}

/// A prime, so that turns fall all over the list.
const STRIDE: usize = 7_919;
