//! Questions to a district: who fits a task, what fits a volunteer, and everything at once for a batch.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use entity::id::{MemberId, TaskId};
use serde::Serialize;
use utoipa::ToSchema;

use super::district::{District, Open, Standing};
use super::load::RECENT;
use crate::matching::bounds::{Asked, Barrier};
use crate::matching::candidates::{self, Parts, Volunteer, Wish, judge};
use crate::matching::crowd::LeftOut;
use crate::region::Subtree;
use crate::task::view::{Precision, TaskView};

/// What a rating counts in the order where there is none: tenths.
const UNRATED: i64 = 40;

/// One part of an explanation. Those with a `max` above 0 add up to the score; the others only order what is equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Factor {
    pub name: &'static str,
    pub value: i64,
    pub max: i64,
}

impl Factor {
    const fn counted(name: &'static str, value: u8, max: i64) -> Self {
        Self { name, value: value as i64, max }
    }

    const fn order(name: &'static str, value: i64) -> Self {
        Self { name, value, max: 0 }
    }
}

fn counted(parts: Parts) -> [Factor; 3] {
    [
        Factor::counted("skill", parts.skill, 50),
        Factor::counted("near", parts.near, 30),
        Factor::counted("time", parts.time, 20),
    ]
}

/// A volunteer for a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranked {
    pub member_id: MemberId,
    pub score: u8,
    pub parts: Parts,
    /// As staff may see them: the counted ones, then `priority`, `wait` (days), `special_group`, `fair_share` (claims of the last 30 days),
    /// `no_shows`, `rating` (tenths) and `metres` where they are known.
    pub factors: Vec<Factor>,
}

/// A task for a volunteer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggested {
    pub task_id: TaskId,
    pub score: u8,
    pub parts: Parts,
    /// As volunteers may see them: the counted ones, then `priority` (with what the special group of who asked adds), `wait` (days),
    /// `fair_share` (people who have claimed it) and `metres` where both places are known.
    pub factors: Vec<Factor>,
}

/// All open tasks of a region and all volunteers of its district who may be asked, as [`crate::matching::assign()`] takes them.
/// Wishes and volunteers come in the order in which equals are to be served.
#[derive(Clone, Debug, Default)]
pub struct Market {
    pub wishes: Vec<Wish>,
    /// By wish.
    pub task_ids: Vec<TaskId>,
    pub volunteers: Vec<Volunteer>,
    /// By volunteer.
    pub member_ids: Vec<MemberId>,
}

/// What came of a question, where nothing did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Why {
    /// Volunteers, or tasks, that were looked at.
    pub looked_at: u32,
    pub left_out: LeftOut,
}

impl Why {
    /// The filter that those met who got furthest.
    pub fn furthest(&self) -> Option<Barrier> {
        self.left_out.furthest()
    }
}

impl Standing {
    fn recent(&self, now: DateTime<Utc>) -> usize {
        let since = (now - RECENT).timestamp();
        self.claimed.iter().filter(|at| **at > since).count()
    }

    /// The mean, in tenths.
    fn rating(&self) -> Option<i64> {
        (self.ratings > 0).then(|| i64::from((self.rated * 10 + self.ratings / 2) / self.ratings))
    }

    /// Less is served first: claims of late, then times not come, then what those served said.
    fn order(&self, now: DateTime<Utc>) -> (usize, u32, Reverse<i64>) {
        (self.recent(now), self.no_shows, Reverse(self.rating().unwrap_or(UNRATED)))
    }
}

impl Open {
    fn metres(&self, standing: &Standing) -> Option<i64> {
        self.spot?.metres_to(standing.home?)
    }

    /// Less is served first.
    fn order(&self) -> (Reverse<i64>, DateTime<Utc>) {
        (Reverse(self.priority + self.group), self.since)
    }

    fn waits(&self, now: DateTime<Utc>) -> i64 {
        (now - self.since).num_days().max(0)
    }
}

impl District {
    /// The best `limit` volunteers to be asked for a task; nobody where it cannot be claimed. Best first; equals by claims of late,
    /// no-shows, ratings, metres, then id.
    pub fn candidates(&self, task: TaskId, limit: usize, now: DateTime<Utc>) -> Vec<Ranked> {
        let Some(open) = self.tasks.get(&task).filter(|open| open.until > now) else { return Vec::new() };
        let standing = |who: u32| &self.standing[who as usize];
        let then = |who: u32| (open.metres(standing(who)).unwrap_or(i64::MAX), self.crowd.get(who).map(Volunteer::id));
        let best = self.crowd.best(&open.wish, limit, |who| standing(who).order(now), then);
        best.into_iter().filter_map(|found| self.ranked(open, found.volunteer, now)).collect()
    }

    fn ranked(&self, open: &Open, who: u32, now: DateTime<Utc>) -> Option<Ranked> {
        let volunteer = self.crowd.get(who)?;
        let parts = judge(&open.wish, volunteer, Asked::ByOthers).ok()?;
        let standing = &self.standing[who as usize];
        let mut factors = counted(parts).to_vec();
        factors.extend([
            Factor::order("priority", open.priority),
            Factor::order("wait", open.waits(now)),
            Factor::order("special_group", open.group),
            Factor::order("fair_share", i64::try_from(standing.recent(now)).unwrap_or(i64::MAX)),
            Factor::order("no_shows", standing.no_shows.into()),
        ]);
        factors.extend(standing.rating().map(|rating| Factor::order("rating", rating)));
        factors.extend(open.metres(standing).map(|metres| Factor::order("metres", metres)));
        Some(Ranked { member_id: volunteer.id().into(), score: parts.score(), parts, factors })
    }

    /// Why nobody is a candidate of a task; `None` where the task cannot be claimed.
    pub fn why_nobody(&self, task: TaskId, now: DateTime<Utc>) -> Option<Why> {
        let open = self.tasks.get(&task).filter(|open| open.until > now)?;
        let looked_at = u32::try_from(self.crowd.len()).unwrap_or(u32::MAX);
        Some(Why { looked_at, left_out: self.crowd.left_out(&open.wish) })
    }

    /// How many may claim but never said when they are free: they cannot be matched.
    pub fn never_free(&self) -> u64 {
        self.silent.len() as u64
    }

    /// Whether somebody can be matched at all: may claim, and says when they are free.
    pub fn knows(&self, member: MemberId) -> bool {
        self.numbers.contains_key(&member)
    }

    /// Whether somebody does not want to be asked for now.
    pub fn has_paused(&self, member: MemberId) -> bool {
        self.volunteer(member).and_then(|(_, who)| who.limits.as_ref()).is_some_and(|limits| limits.paused)
    }

    fn volunteer(&self, member: MemberId) -> Option<(u32, &Volunteer)> {
        let who = *self.numbers.get(&member)?;
        Some((who, self.crowd.get(who)?))
    }

    /// The best `limit` tasks for a volunteer; none for who is not known. Best first; equals by priority, then who waits longest,
    /// then what fewer people have taken up, metres, then id.
    pub fn recommendations(&self, member: MemberId, limit: usize, now: DateTime<Utc>) -> Vec<Suggested> {
        let Some((who, volunteer)) = self.volunteer(member) else { return Vec::new() };
        let standing = &self.standing[who as usize];
        let fits = |(id, open): (&TaskId, &Open)| {
            let parts = candidates::fits(&open.wish, volunteer, Asked::ByThemselves)?;
            Some((Reverse(parts.score()), open.order(), open.taken, *id, parts))
        };
        let mut found: Vec<_> = self.tasks.iter().filter(|(_, open)| open.takes_claims(now)).filter_map(fits).collect();
        if found.len() > limit && limit > 0 {
            let (_, cut, _) = found.select_nth_unstable_by_key(limit - 1, |found| found.0);
            let least = cut.0;
            found.retain(|found| found.0 <= least);
        }
        let metres = |id: &TaskId| self.tasks.get(id).and_then(|open| open.metres(standing));
        found.sort_by_cached_key(|(score, order, taken, id, _)| {
            (*score, *order, *taken, metres(id).unwrap_or(i64::MAX), *id)
        });
        found.truncate(limit);
        let suggested = |(_, _, _, id, parts): (_, _, _, TaskId, Parts)| {
            let open = self.tasks.get(&id)?;
            let mut factors = counted(parts).to_vec();
            factors.extend([
                Factor::order("priority", open.priority + open.group),
                Factor::order("wait", open.waits(now)),
                Factor::order("fair_share", open.taken.into()),
            ]);
            factors.extend(metres(&id).map(|metres| Factor::order("metres", metres)));
            Some(Suggested { task_id: id, score: parts.score(), parts, factors })
        };
        found.into_iter().filter_map(suggested).collect()
    }

    /// Why nothing is recommended to a volunteer; `None` for who is not known.
    pub fn why_nothing(&self, member: MemberId, now: DateTime<Utc>) -> Option<Why> {
        let (_, volunteer) = self.volunteer(member)?;
        let mut why = Why::default();
        for open in self.tasks.values().filter(|open| open.takes_claims(now)) {
            why.looked_at += 1;
            if let Err(barrier) = judge(&open.wish, volunteer, Asked::ByThemselves) {
                why.left_out.add(barrier);
            }
        }
        Some(why)
    }

    /// A task as every member of the district may see it.
    pub fn task(&self, id: TaskId) -> Option<TaskView> {
        let open = self.tasks.get(&id)?;
        Some(TaskView::new(open.row.clone(), open.skills.clone(), Precision::Coarse, None))
    }

    /// All volunteers that can be matched, by id.
    pub fn members(&self) -> Vec<MemberId> {
        let mut members: Vec<MemberId> = self.numbers.keys().copied().collect();
        members.sort_unstable();
        members
    }

    /// Open tasks within `region`, and all volunteers of the district who may be asked, each for `per_member` tasks at most.
    pub fn market(&self, region: &Subtree, per_member: u32, now: DateTime<Utc>) -> Market {
        let mut tasks: Vec<_> = self
            .tasks
            .iter()
            .filter(|(_, open)| open.takes_claims(now) && region.contains(&open.row.region_code))
            .collect();
        tasks.sort_by_cached_key(|(id, open)| (open.order(), **id));
        let mut volunteers: Vec<_> = self
            .crowd
            .iter()
            .filter(|(_, volunteer)| volunteer.limits.as_ref().is_none_or(|limits| !limits.paused))
            .collect();
        volunteers.sort_by_cached_key(|(who, volunteer)| (self.standing[*who as usize].order(now), volunteer.id()));
        Market {
            task_ids: tasks.iter().map(|(id, _)| **id).collect(),
            wishes: tasks.into_iter().map(|(_, open)| open.wish.clone()).collect(),
            member_ids: volunteers.iter().map(|(_, volunteer)| volunteer.id().into()).collect(),
            volunteers: volunteers
                .into_iter()
                .map(|(_, volunteer)| Volunteer { capacity: per_member, ..volunteer.clone() })
                .collect(),
        }
    }
}
