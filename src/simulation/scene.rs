//! What is replayed: people and their wishes, in a form that does not remember the order of rows.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::matching::bounds::{Demands, Limits};
use crate::matching::candidates::{Volunteer, Wish};
use crate::matching::score::{DaySpan, Place, Window};

/// Minutes of a day.
pub(super) const DAY: i64 = 24 * 60;

/// The number of the week, Monday to Sunday, in which a minute lies. 1970-01-01 was a Thursday.
pub(super) const fn week_of(minute: i64) -> i64 {
    (minute + 3 * DAY).div_euclid(7 * DAY)
}

/// The minute at which the week begins in which another lies.
pub(super) const fn begin_of_week(minute: i64) -> i64 {
    week_of(minute) * 7 * DAY - 3 * DAY
}

/// A volunteer. Times are minutes since the local midnight of 1970-01-01.
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
    /// Until after from, by 24 hours at most.
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

    /// Wishes and volunteers for the engine, in the order of [`Self::requests`] and [`Self::people`].
    pub fn market(&self, capacity: u32) -> (Vec<Wish>, Vec<Volunteer>) {
        let wishes = (0_u32..).zip(&self.requests).map(|(number, request)| self.wish(number, request.needed)).collect();
        let volunteers = (0..self.people.len()).map(|who| self.volunteer(number(who), capacity, Limits::default()));
        (wishes, volunteers.collect())
    }

    fn numbers(&self, skills: &[String]) -> Vec<u32> {
        let mut numbers: Vec<u32> = skills.iter().filter_map(|skill| self.skills.get(skill).copied()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// The person as the engine knows one. `limits`: what has come about since.
    pub(super) fn volunteer(&self, who: u32, capacity: u32, limits: Limits) -> Volunteer {
        let person = &self.people[who as usize];
        Volunteer {
            place: person.place,
            skills: self.numbers(&person.skills),
            availability: person.availability.clone(),
            capacity,
            limits: Some(Box::new(Limits { id: person_id(who), week_minutes: person.most_minutes_week, ..limits })),
        }
    }

    /// The request as the engine knows one.
    pub(super) fn wish(&self, number: u32, needed: u32) -> Wish {
        let request = &self.requests[number as usize];
        let owner = self.people.binary_search_by(|person| person.id.cmp(&request.requester));
        Wish {
            place: request.place,
            skills: self.numbers(&request.skills),
            from: request.from,
            until: request.until,
            window: Window::of(request.from, request.until),
            needed,
            demands: Some(Box::new(Demands {
                task: request_id(number),
                owner: owner.ok().map(|who| person_id(self::number(who))),
                ..Demands::default()
            })),
        }
    }
}

/// What the engine calls a request.
pub(super) fn request_id(number: u32) -> Uuid {
    Uuid::from_u128(u128::from(number) + 1)
}

fn person_id(who: u32) -> Uuid {
    Uuid::from_u128((u128::from(who) + 1) << 64)
}

fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
