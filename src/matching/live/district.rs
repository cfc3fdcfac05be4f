//! What a node knows of one district: its volunteers and the tasks that may be claimed, as the pure engine takes them.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use entity::claim::ClaimStatus;
use entity::id::{MemberId, TaskId};
use entity::qualification::QualificationKind;
use entity::task;
use uuid::Uuid;

use super::codes::Codes;
use super::load::{MemberFacts, TaskFacts};
use super::place::Spot;
use crate::calendar::Calendar;
use crate::crypto::Keys;
use crate::db::Position;
use crate::identity::sealed::{open_home, open_special_group};
use crate::matching::bounds::{Answer, Busy, Demands, Limits, Proof, ProofOf};
use crate::matching::candidates::{Volunteer, Wish};
use crate::matching::crowd::Crowd;
use crate::matching::score::{Place, Window, tidy};

/// A district as of one position of the change feed.
#[derive(Debug)]
pub struct District {
    position: Mutex<Position>,
    pub(super) codes: Codes,
    pub(super) crowd: Crowd,
    pub(super) numbers: HashMap<MemberId, u32>,
    /// Who may claim but never said when they are free: they cannot be matched, and are counted where nobody is found.
    pub(super) silent: HashSet<MemberId>,
    /// By volunteer's number; what those who left had stays until somebody takes the place.
    pub(super) standing: Vec<Standing>,
    pub(super) tasks: HashMap<TaskId, Open>,
}

/// What orders equals among volunteers.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    /// When claims were made that count in the fair share: seconds since 1970.
    pub(super) claimed: Vec<i64>,
    pub(super) ratings: u32,
    /// The sum of all.
    pub(super) rated: u32,
    pub(super) no_shows: u32,
    pub(super) home: Option<Spot>,
}

/// A task that may be claimed, or be free again.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) wish: Wish,
    /// As stored, with its skills as they were asked for, in order of code.
    pub(super) row: task::Model,
    pub(super) skills: Vec<String>,
    pub(super) slots: u32,
    pub(super) taken: u32,
    pub(super) until: DateTime<Utc>,
    pub(super) priority: i64,
    /// What the special group of who asked is worth among equals. For staff only.
    pub(super) group: i64,
    /// Since when somebody waits.
    pub(super) since: DateTime<Utc>,
    pub(super) spot: Option<Spot>,
}

impl Open {
    /// Whether somebody can still claim it.
    pub(super) fn takes_claims(&self, now: DateTime<Utc>) -> bool {
        self.until > now && self.taken < self.slots
    }
}

impl District {
    /// A district of which nothing is known yet.
    pub(super) fn new(position: Position, codes: Codes) -> Self {
        Self {
            position: Mutex::new(position),
            codes,
            crowd: Crowd::default(),
            numbers: HashMap::new(),
            silent: HashSet::new(),
            standing: Vec::new(),
            tasks: HashMap::new(),
        }
    }

    /// Everything that this position shows is known.
    pub(super) fn position(&self) -> Position {
        self.position.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says that everything is known that `position` shows.
    pub(super) fn advance(&self, position: Position) {
        *self.position.lock().unwrap_or_else(PoisonError::into_inner) = position;
    }

    /// Puts somebody in, in the place of what was known of them.
    pub(super) fn put_member(&mut self, facts: &MemberFacts, keys: &Keys, calendar: Calendar) {
        let Some(row) = &facts.row else { return };
        self.remove_member(row.id);
        let Some(place) = row.region_code.as_deref().and_then(Place::within) else { return };
        let limits = self.limits(row.id, facts, calendar);
        let volunteer = Volunteer {
            place,
            skills: self.codes.skills(&facts.skills),
            availability: tidy(facts.availability.clone()),
            capacity: 1,
            limits: Some(Box::new(limits)),
        };
        let who = self.crowd.enter(volunteer);
        self.numbers.insert(row.id, who);
        let at = who as usize;
        if self.standing.len() <= at {
            self.standing.resize_with(at + 1, Standing::default);
        }
        // What another key sealed is no place that could be known.
        let home = row.home_sealed.as_deref().and_then(|sealed| open_home(keys, sealed).ok());
        self.standing[at] = Standing { home: home.and_then(|home| Spot::of(home.lat, home.lon)), ..standing(facts) };
    }

    /// Takes somebody out.
    pub(super) fn remove_member(&mut self, id: MemberId) {
        self.silent.remove(&id);
        if let Some(who) = self.numbers.remove(&id) {
            self.crowd.leave(who);
        }
    }

    fn limits(&mut self, id: MemberId, facts: &MemberFacts, calendar: Calendar) -> Limits {
        let row = facts.row.as_ref();
        let hours = row.and_then(|row| row.max_hours_week).filter(|hours| *hours > 0);
        let mut proofs = Vec::with_capacity(facts.proofs.len());
        for proof in &facts.proofs {
            let of = match proof.kind {
                QualificationKind::Licence => ProofOf::Licence(self.codes.skill(&proof.code)),
                QualificationKind::Training => ProofOf::Training(self.codes.training(&proof.code)),
                QualificationKind::Insurance => ProofOf::Insurance,
            };
            proofs.push(Proof { of, until: proof.valid_until.map_or(i32::MAX, day_number) });
        }
        let mut busy = Vec::new();
        let mut answers: Vec<(Uuid, Answer)> = Vec::new();
        for claim in &facts.claims {
            if let Some(blocks) = gives_time(claim.status) {
                let (from, until) = local_span(calendar, claim.window_from, claim.window_until);
                busy.push(Busy { from, until, blocks });
            }
            let answer = answer(claim.status);
            match answers.iter_mut().find(|(task, _)| *task == claim.task_id.0) {
                // Of several claims on a task the one that says most.
                Some((_, known)) if rank(answer) > rank(*known) => *known = answer,
                Some(_) => {}
                None => answers.push((claim.task_id.0, answer)),
            }
        }
        Limits {
            id: id.0,
            paused: row.is_some_and(|row| row.offers_paused),
            birth_year: row.and_then(|row| row.birth_year),
            week_minutes: hours.and_then(|hours| u32::try_from(hours * 60).ok()),
            proofs,
            busy,
            answers,
        }
    }

    /// Puts a task in, in the place of what was known of it.
    pub(super) fn put_task(&mut self, facts: &TaskFacts, keys: &Keys, calendar: Calendar) {
        let row = &facts.row;
        let Some(place) = Place::within(&row.region_code) else { return };
        let (from, until) = local_span(calendar, row.window_from, row.window_until);
        let wish = Wish {
            place,
            skills: self.codes.skills(&facts.skills),
            from,
            until,
            window: Window::of(from, until),
            needed: count(row.slots - row.taken),
            demands: Some(Box::new(self.demands(facts, calendar))),
        };
        let sealed = facts.wish.as_ref().and_then(|wish| wish.special_group_sealed.as_deref());
        let group = sealed.and_then(|sealed| open_special_group(keys, sealed).ok());
        let open = Open {
            wish,
            row: row.clone(),
            skills: facts.skills.clone(),
            slots: count(row.slots),
            taken: count(row.taken),
            until: row.window_until,
            priority: row.priority.into(),
            group: group.map_or(0, |group| self.codes.group(&group).into()),
            since: facts.wish.as_ref().map_or(row.created_at, |wish| wish.created_at),
            spot: Spot::of(row.lat, row.lon),
        };
        self.tasks.insert(row.id, open);
    }

    fn demands(&mut self, facts: &TaskFacts, calendar: Calendar) -> Demands {
        // A window that ends with a midnight ends on the day before it.
        let last = calendar.day_of(facts.row.window_until - chrono::TimeDelta::microseconds(1));
        let hazards: Vec<_> = facts.hazards.iter().map(|code| self.codes.hazard(code)).collect();
        let trainings: Vec<&String> = hazards.iter().filter_map(|hazard| hazard.training.as_ref()).collect();
        Demands {
            task: facts.row.id.0,
            owner: facts.wish.as_ref().map(|wish| wish.requester_id.0),
            min_age: hazards.iter().map(|hazard| hazard.min_age).max().unwrap_or(0),
            year: last.year(),
            day: day_number(last),
            licences: self.codes.licences(&facts.skills),
            trainings: trainings.into_iter().map(|code| self.codes.training(code)).collect(),
            insured: hazards.iter().any(|hazard| hazard.insurance),
        }
    }

    /// Lets go of tasks that are over.
    pub(super) fn forget_past(&mut self, now: DateTime<Utc>) {
        self.tasks.retain(|_, task| task.until > now);
    }
}

fn standing(facts: &MemberFacts) -> Standing {
    let mut standing = Standing::default();
    for claim in &facts.claims {
        if gives_time(claim.status).is_some() {
            standing.claimed.push(claim.created_at.timestamp());
        }
        if claim.status == ClaimStatus::NoShow {
            standing.no_shows += 1;
        }
        let served = matches!(claim.status, ClaimStatus::CheckedOut | ClaimStatus::Verified);
        if let Some(rating) = claim.rating.and_then(|rating| u32::try_from(rating).ok()).filter(|_| served) {
            standing.ratings += 1;
            standing.rated += rating;
        }
    }
    standing
}

/// Whether a claim of this status takes time from its member: `Some(true)` where nothing else may be done then.
const fn gives_time(status: ClaimStatus) -> Option<bool> {
    match status {
        ClaimStatus::Accepted | ClaimStatus::CheckedIn => Some(true),
        ClaimStatus::CheckedOut | ClaimStatus::Verified | ClaimStatus::Rejected => Some(false),
        ClaimStatus::Offered
        | ClaimStatus::Declined
        | ClaimStatus::Lapsed
        | ClaimStatus::Withdrawn
        | ClaimStatus::NoShow => None,
    }
}

const fn answer(status: ClaimStatus) -> Answer {
    match status {
        ClaimStatus::Offered
        | ClaimStatus::Accepted
        | ClaimStatus::CheckedIn
        | ClaimStatus::CheckedOut
        | ClaimStatus::Verified
        | ClaimStatus::Rejected => Answer::Open,
        ClaimStatus::Declined => Answer::Declined,
        ClaimStatus::Lapsed | ClaimStatus::Withdrawn | ClaimStatus::NoShow => Answer::Let,
    }
}

const fn rank(answer: Answer) -> u8 {
    match answer {
        Answer::Let => 0,
        Answer::Declined => 1,
        Answer::Open => 2,
    }
}

/// Days since 1970-01-01.
fn day_number(day: NaiveDate) -> i32 {
    let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap_or_default();
    i32::try_from((day - epoch).num_days()).unwrap_or(i32::MAX)
}

/// Minutes since 1970-01-01 as the wall clock shows them; at least one, also where clocks are put back.
pub(super) fn local_span(calendar: Calendar, from: DateTime<Utc>, until: DateTime<Utc>) -> (i64, i64) {
    let minute = |at: DateTime<Utc>| calendar.local(at).and_utc().timestamp().div_euclid(60);
    let from = minute(from);
    (from, minute(until).max(from + 1))
}

fn count(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}
