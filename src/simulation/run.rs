//! Event by event, minute by minute.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use super::behaviour::{Answer, Chance};
use super::desk::Desk;
use super::policy::{Mode, Policy};
use super::report::{self, Outcome};
use super::scene::{DAY, Request, Scene};
use crate::matching::candidates::{Candidate, Pool};

/// Where an offer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Open,
    Accepted,
    Declined,
    Lapsed,
    /// Another took the place first.
    Withdrawn,
    Served,
    /// Promised and not done.
    Missed,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Offer {
    pub(super) request: u32,
    pub(super) person: u32,
    pub(super) stage: Stage,
    pub(super) made: i64,
    /// When it was answered, lapsed or was withdrawn.
    pub(super) ended: Option<i64>,
}

/// How a wish ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// As many served as were needed.
    Fulfilled,
    /// Some did.
    Partly,
    /// Nobody did.
    Unmet,
}

/// A wish on its way.
#[derive(Clone, Debug, Default)]
pub(super) struct Case {
    pub(super) arrived: bool,
    /// Best first; emptied when nobody is asked any more.
    pub(super) candidates: Vec<Candidate>,
    /// How many there were at first.
    pub(super) fitting: usize,
    pub(super) asked: BTreeSet<u32>,
    pub(super) offers: Vec<u32>,
    pub(super) open: u32,
    pub(super) promised: u32,
    pub(super) served: u32,
    /// When the last place was promised.
    pub(super) filled: Option<i64>,
    pub(super) end: Option<End>,
}

/// Of events in one minute, those of a smaller kind come first, and of one kind those of a smaller number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The window of a wish is over.
    Finish(u32),
    Answer(u32, bool),
    Lapse(u32),
    /// Nobody is asked for the wish any more.
    Close(u32),
    Arrive(u32),
    Urgent(u32),
    /// The hour of the day at this place in the policy.
    Round(usize),
}

/// See [`super`].
pub(super) struct Run<'a> {
    pub(super) scene: &'a Scene,
    pub(super) policy: &'a Policy,
    pub(super) pool: &'a Pool<'a>,
    pub(super) chance: Chance,
    pub(super) leanings: Vec<f64>,
    pub(super) desks: Vec<Desk>,
    pub(super) cases: Vec<Case>,
    pub(super) offers: Vec<Offer>,
    /// Wishes for which somebody may be asked.
    pub(super) waiting: BTreeSet<u32>,
    /// Hundredths.
    pub(super) points: u64,
    events: BinaryHeap<Reverse<(i64, Event)>>,
}

/// Replays `days` days from the day of the first wish. `progress` hears of each day before it begins, from 0.
pub fn simulate(scene: &Scene, policy: &Policy, days: u32, seed: u64, progress: &mut dyn FnMut(u32)) -> Outcome {
    replay(scene, policy, days, seed, progress, report::outcome)
}

/// Gives what the last day left to `look`.
pub(super) fn replay<T>(
    scene: &Scene,
    policy: &Policy,
    days: u32,
    seed: u64,
    progress: &mut dyn FnMut(u32),
    look: impl FnOnce(&Run<'_>) -> T,
) -> T {
    let (_, volunteers) = scene.market(1);
    let pool = Pool::new(&volunteers);
    let chance = Chance::new(seed);
    let mut run = Run {
        scene,
        policy,
        pool: &pool,
        chance,
        leanings: scene.people().iter().map(|person| chance.leaning(&person.id)).collect(),
        desks: vec![Desk::default(); volunteers.len()],
        cases: vec![Case::default(); scene.requests().len()],
        offers: Vec::new(),
        waiting: BTreeSet::new(),
        points: 0,
        events: BinaryHeap::new(),
    };
    run.days(days, progress);
    look(&run)
}

impl<'a> Run<'a> {
    fn days(&mut self, days: u32, progress: &mut dyn FnMut(u32)) {
        let Some(begin) = self.scene.begins() else { return };
        let end = begin + i64::from(days) * DAY;
        for (number, request) in (0_u32..).zip(self.scene.requests()) {
            if request.created < end {
                self.later(request.created, Event::Arrive(number));
            }
        }
        for (place, hour) in self.policy.assignment.hours.iter().enumerate() {
            self.later(begin + i64::from(*hour) * 60, Event::Round(place));
        }
        let mut day = None;
        while let Some(Reverse((now, event))) = self.events.pop() {
            if now >= end {
                break;
            }
            let today = u32::try_from((now - begin).div_euclid(DAY)).unwrap_or(0);
            if day != Some(today) {
                day = Some(today);
                progress(today);
            }
            self.happen(now, event);
        }
    }

    fn later(&mut self, at: i64, event: Event) {
        self.events.push(Reverse((at, event)));
    }

    fn happen(&mut self, now: i64, event: Event) {
        match event {
            Event::Arrive(request) => self.arrive(request, now),
            Event::Urgent(request) => self.ask_at_once(request, now),
            Event::Answer(offer, accepted) => self.answered(offer, accepted, now),
            Event::Lapse(offer) => self.ended(offer, Stage::Lapsed, now),
            Event::Close(request) => self.close(request),
            Event::Finish(request) => self.finish(request),
            Event::Round(place) => {
                self.round(now);
                self.later(now + DAY, Event::Round(place));
            }
        }
    }

    pub(super) fn request(&self, number: u32) -> &'a Request {
        &self.scene.requests()[number as usize]
    }

    pub(super) fn case(&mut self, number: u32) -> &mut Case {
        &mut self.cases[number as usize]
    }

    /// From then on nobody is asked.
    pub(super) fn asked_until(&self, request: &Request) -> i64 {
        request.deadline.min(request.from - i64::from(self.policy.assignment.lead_minutes))
    }

    pub(super) fn urgent(&self, request: &Request, now: i64) -> bool {
        request.from - now <= i64::from(self.policy.offers.urgent_hours) * 60
    }

    fn arrive(&mut self, number: u32, now: i64) {
        let request = self.request(number);
        let candidates = self.pool.shortlist(&self.scene.wish(number, request.needed), usize::MAX, 0).candidates;
        let case = self.case(number);
        case.arrived = true;
        case.fitting = candidates.len();
        case.candidates = candidates;
        let until = self.asked_until(request);
        if until <= now {
            self.close(number);
            return;
        }
        self.waiting.insert(number);
        self.later(until, Event::Close(number));
        self.later(request.until, Event::Finish(number));
        let urgent = request.from - i64::from(self.policy.offers.urgent_hours) * 60;
        if urgent > now && urgent < until {
            self.later(urgent, Event::Urgent(number));
        }
        self.ask_at_once(number, now);
    }

    /// Where the policy does not wait for a round.
    fn ask_at_once(&mut self, number: u32, now: i64) {
        let at_once = match self.policy.assignment.mode {
            Mode::Immediate => true,
            Mode::Batch => self.policy.assignment.urgent_at_once && self.urgent(self.request(number), now),
        };
        if at_once && self.waiting.contains(&number) {
            self.ask_next(number, now);
        }
    }

    /// Makes an offer; the answer is drawn now and heard later.
    pub(super) fn offer(&mut self, number: u32, who: u32, now: i64) {
        let request = self.request(number);
        let person = &self.scene.people()[who as usize];
        let offers = &self.policy.offers;
        let hours = if self.urgent(request, now) { offers.urgent_expiry_hours } else { offers.expiry_hours };
        let expires = (now + i64::from(hours) * 60).min(self.asked_until(request));
        let offer = u32::try_from(self.offers.len()).unwrap_or(u32::MAX);
        self.offers.push(Offer { request: number, person: who, stage: Stage::Open, made: now, ended: None });
        self.desks[who as usize].ask(request, now);
        let case = self.case(number);
        case.asked.insert(who);
        case.offers.push(offer);
        case.open += 1;
        let leaning = self.leanings[who as usize];
        match self.chance.answer(&self.policy.answers, leaning, &person.id, &request.id) {
            Answer::Accept(delay) if now + delay < expires => self.later(now + delay, Event::Answer(offer, true)),
            Answer::Decline(delay) if now + delay < expires => self.later(now + delay, Event::Answer(offer, false)),
            Answer::Accept(_) | Answer::Decline(_) | Answer::Silence => self.later(expires, Event::Lapse(offer)),
        }
    }

    fn answered(&mut self, offer: u32, accepted: bool, now: i64) {
        if !accepted {
            self.ended(offer, Stage::Declined, now);
            return;
        }
        let found = &mut self.offers[offer as usize];
        if found.stage != Stage::Open {
            return;
        }
        found.stage = Stage::Accepted;
        found.ended = Some(now);
        let (number, person) = (found.request, found.person);
        self.desks[person as usize].promise();
        let needed = self.request(number).needed;
        let case = self.case(number);
        case.open -= 1;
        case.promised += 1;
        if case.promised == needed {
            case.filled = Some(now);
            case.candidates = Vec::new();
            for other in case.offers.clone() {
                self.ended(other, Stage::Withdrawn, now);
            }
            self.waiting.remove(&number);
        }
    }

    /// An offer came to nothing; where the policy does not wait, the next candidate is asked.
    fn ended(&mut self, offer: u32, stage: Stage, now: i64) {
        let found = &mut self.offers[offer as usize];
        if found.stage != Stage::Open {
            return;
        }
        found.stage = stage;
        found.ended = Some(now);
        let (number, person) = (found.request, found.person);
        let request = self.request(number);
        self.desks[person as usize].release(request);
        self.case(number).open -= 1;
        if stage != Stage::Withdrawn {
            self.ask_at_once(number, now);
        }
    }

    fn close(&mut self, number: u32) {
        self.waiting.remove(&number);
        let case = self.case(number);
        case.candidates = Vec::new();
        if case.promised == 0 {
            case.end = Some(End::Unmet);
        }
    }

    /// The promises are kept or not, and the wish has ended.
    fn finish(&mut self, number: u32) {
        if self.case(number).end.is_some() {
            return;
        }
        let request = self.request(number);
        let amount = self.amount(request);
        let per_day = hundredths(self.policy.points.per_day);
        for offer in self.case(number).offers.clone() {
            let Offer { person, stage, .. } = self.offers[offer as usize];
            if stage != Stage::Accepted {
                continue;
            }
            let id = &self.scene.people()[person as usize].id;
            let kept = self.chance.keeps(&self.policy.answers, id, &request.id);
            let desk = &mut self.desks[person as usize];
            if kept {
                self.points += desk.serve(request, amount, per_day);
                self.cases[number as usize].served += 1;
            }
            desk.tidy(request.until);
            self.offers[offer as usize].stage = if kept { Stage::Served } else { Stage::Missed };
        }
        let case = self.case(number);
        case.end = Some(match case.served {
            0 => End::Unmet,
            served if served < request.needed => End::Partly,
            _ => End::Fulfilled,
        });
    }

    /// What a kept promise earns, in hundredths, rounded down.
    fn amount(&self, request: &Request) -> u64 {
        let points = &self.policy.points;
        let special = if request.special_group.is_some() { hundredths(points.special_group) } else { 0 };
        hundredths(points.per_hour) * u64::from(request.minutes) / 60 + hundredths(points.per_wish) + special
    }
}

/// Points as hundredths.
fn hundredths(points: f64) -> u64 {
    super::figures::whole(points * 100.0)
}
