//! What is replayed: people and their wishes, in a form that does not remember the order of rows.

use std::collections::BTreeMap;

use crate::matching::candidates::{Volunteer, Wish};
use crate::matching::score::{DaySpan, Place};

/// Minutes of a day.
pub(super) const DAY: i64 = 24 * 60;
/// Minutes of a week.
pub(super) const WEEK: i64 = 7 * DAY;

/// A volunteer. Times are local minutes since the midnight before 0001-01-01, a Monday.
#[derive(Clone, Debug)]
pub struct Person {
    pub id: String,
    pub place: Place,
    pub skills: Vec<String>,
    /// Disjoint, as [`crate::matching::score::tidy`] leaves it.
    pub availability: Vec<DaySpan>,
    /// As the member said; `None` for no limit.
    pub most_minutes_week: Option<u32>,
    /// Nobody is asked before.
    pub registered: i64,
}

/// A wish. Times as with [`Person`].
#[derive(Clone, Debug)]
pub struct Request {
    pub id: String,
    /// Is not asked to meet the own wish.
    pub requester: String,
    /// Of the community.
    pub region: String,
    pub place: Place,
    pub skills: Vec<String>,
    pub category: String,
    pub special_group: Option<String>,
    pub needed: u32,
    pub created: i64,
    /// Within one day, until after from.
    pub from: i64,
    pub until: i64,
    /// Nobody is asked from then on: the end of the day it was wanted by.
    pub deadline: i64,
    /// What each who helps is credited with.
    pub minutes: u32,
}

/// Everybody and everything, by id.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    people: Vec<Person>,
    requests: Vec<Request>,
    skills: BTreeMap<String, u32>,
}

impl Scene {
    /// Sorts both by id; of several with one id the first given stays.
    pub fn new(mut people: Vec<Person>, mut requests: Vec<Request>) -> Self {
        people.sort_by(|one, other| one.id.cmp(&other.id));
        people.dedup_by(|one, other| one.id == other.id);
        requests.sort_by(|one, other| one.id.cmp(&other.id));
        requests.dedup_by(|one, other| one.id == other.id);
        let all = people.iter().flat_map(|person| &person.skills);
        let all = all.chain(requests.iter().flat_map(|request| &request.skills));
        let mut skills: BTreeMap<String, u32> = all.map(|skill| (skill.clone(), 0)).collect();
        for (number, skill) in (0_u32..).zip(skills.values_mut()) {
            *skill = number;
        }
        Self { people, requests, skills }
    }

    /// By id.
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// By id.
    pub fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// The minute at which the day of the first wish begins; `None` without wishes.
    pub fn begins(&self) -> Option<i64> {
        self.requests.iter().map(|request| request.created.div_euclid(DAY) * DAY).min()
    }

    fn numbers(&self, skills: &[String]) -> Vec<u32> {
        let mut numbers: Vec<u32> = skills.iter().filter_map(|skill| self.skills.get(skill).copied()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// The person as the engine knows one.
    pub(super) fn volunteer(&self, person: &Person, capacity: u32) -> Volunteer {
        Volunteer {
            place: person.place,
            skills: self.numbers(&person.skills),
            availability: person.availability.clone(),
            capacity,
            limits: None,
        }
    }

    /// The request as the engine knows one.
    pub(super) fn wish(&self, request: &Request, needed: u32) -> Wish {
        let midnight = request.from.div_euclid(DAY) * DAY;
        let minute = |at: i64| u16::try_from(at - midnight).unwrap_or(u16::MAX);
        let weekday = u8::try_from(request.from.div_euclid(DAY).rem_euclid(7) + 1).unwrap_or(1);
        Wish {
            place: request.place,
            skills: self.numbers(&request.skills),
            from: request.from,
            until: request.until,
            window: DaySpan { weekday, from: minute(request.from), until: minute(request.until) }.into(),
            needed,
            demands: None,
        }
    }
}
