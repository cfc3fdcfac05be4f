//! Who may do what: all pairs that pass the filters, or of very many the best of each wish.
//!
//! Volunteers of a district with the same availability are looked at together, so that time is compared once for all of them, and
//! within such a class by skill. What this costs grows with the pairs it finds.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::at;
use super::bounds::{Asked, Barrier, Demands, Limits};
use super::score::{self, DaySpan, Place, Window};

/// A wish to be assigned.
#[derive(Clone, Debug)]
pub struct Wish {
    pub place: Place,
    /// Sorted, without repeats.
    pub skills: Vec<u32>,
    /// Minutes since any common midnight; since that of 1970-01-01 where volunteers have hours to keep.
    pub from: i64,
    pub until: i64,
    /// The same time as availability sees it.
    pub window: Window,
    pub needed: u32,
    /// What it asks beyond the reference rules; none in files.
    pub demands: Option<Box<Demands>>,
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
    /// What holds of the person beyond the reference rules; none in files.
    pub limits: Option<Box<Limits>>,
}

impl Volunteer {
    /// Whose limits these are; the nil id in files.
    pub fn id(&self) -> Uuid {
        self.limits.as_ref().map_or(Uuid::nil(), |limits| limits.id)
    }
}

/// A candidate of a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub score: u8,
    pub volunteer: u32,
}

/// The counted factors of a pair; their sum is its score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    pub skill: u8,
    pub near: u8,
    pub time: u8,
}

impl Parts {
    /// At most 100.
    pub const fn score(self) -> u8 {
        self.skill + self.near + self.time
    }
}

/// How many of a wish's skills somebody has.
pub fn held(wish: &Wish, volunteer: &Volunteer) -> usize {
    volunteer.skills.iter().filter(|skill| wish.skills.binary_search(skill).is_ok()).count()
}

/// What a pair is worth, or the first filter that parts it, in the order of [`Barrier`].
///
/// # Errors
/// The [`Barrier`].
pub fn judge(wish: &Wish, volunteer: &Volunteer, asked: Asked) -> Result<Parts, Barrier> {
    let near = score::near(wish.place, volunteer.place).ok_or(Barrier::District)?;
    let skill = score::skill(wish.skills.len(), held(wish, volunteer)).ok_or(Barrier::Skill)?;
    let barrier = barrier(wish, volunteer, asked);
    if let Some(barrier) = barrier.filter(|barrier| *barrier < Barrier::Time) {
        return Err(barrier);
    }
    let time =
        score::time(wish.window.need, score::free(&wish.window, &volunteer.availability)).ok_or(Barrier::Time)?;
    barrier.map_or(Ok(Parts { skill, near, time }), Err)
}

/// What a pair is worth, where no filter parts it: as [`judge`], for those who do not ask which.
pub fn fits(wish: &Wish, volunteer: &Volunteer, asked: Asked) -> Option<Parts> {
    let near = score::near(wish.place, volunteer.place)?;
    let skill = score::skill(wish.skills.len(), held(wish, volunteer))?;
    let time = score::time(wish.window.need, score::free(&wish.window, &volunteer.availability))?;
    barrier(wish, volunteer, asked).is_none().then_some(Parts { skill, near, time })
}

/// The first filter beyond district, skill and time that parts a pair.
pub(super) fn barrier(wish: &Wish, volunteer: &Volunteer, asked: Asked) -> Option<Barrier> {
    match (&wish.demands, &volunteer.limits) {
        (None, None) => None,
        (Some(demands), None) => Limits::default().barrier(Some(demands), wish.from, wish.until, asked),
        (demands, Some(limits)) => limits.barrier(demands.as_deref(), wish.from, wish.until, asked),
    }
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
        let need = wish.window.need;
        let mut candidates = Vec::new();
        for (availability, class) in self.districts.get(&wish.place.district).into_iter().flatten() {
            let Some(time) = score::time(need, score::free(&wish.window, availability)) else {
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
            let who = &self.volunteers[at(volunteer)];
            let near = score::near(wish.place, who.place);
            if let (Some(skill), Some(near)) = (score::skill(wish.skills.len(), held), near)
                && barrier(wish, who, Asked::ByOthers).is_none()
            {
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
