//! What came of it. Everything is counted in whole minutes, people and hundredths; shares have four places.

use std::collections::BTreeMap;

use serde::Serialize;

use super::figures::{deciles, gini, percentile, share};
use super::run::{Case, End, Run, Stage};
use super::scene::Request;

/// The report of one policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Outcome {
    pub policy: String,
    pub wishes: Tally,
    /// Of people of any special group, and of all others.
    pub special_groups: Tally,
    pub others: Tally,
    /// Those of nobody in particular under `none`.
    pub by_special_group: BTreeMap<String, Tally>,
    pub by_category: BTreeMap<String, Tally>,
    pub by_community: BTreeMap<String, Tally>,
    pub offers: OfferCounts,
    pub work: Work,
    /// Decimal with two places.
    pub points: String,
    /// Of wishes that were not met or in part, most wished for first.
    pub unmet_skills: Vec<UnmetSkill>,
}

/// Wishes, each in one state: `wishes = fulfilled + partly + unmet + open`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Tally {
    pub wishes: u64,
    pub fulfilled: u64,
    pub partly: u64,
    pub unmet: u64,
    /// Not over when the last day was.
    pub open: u64,
    /// Of those that were not met: nobody passed the filters.
    pub nobody_fits: u64,
    pub places: u64,
    pub places_served: u64,
    /// Fulfilled ones of those that are over.
    pub fulfilment: Option<f64>,
    pub waiting: Waiting,
}

/// Minutes from a wish until its last place was promised, of those of which it was.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Waiting {
    pub filled: u64,
    pub median: Option<u64>,
    pub p90: Option<u64>,
    pub worst: Option<u64>,
}

/// `made = accepted + declined + lapsed + withdrawn + open`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct OfferCounts {
    pub made: u64,
    pub accepted: u64,
    pub declined: u64,
    pub lapsed: u64,
    /// Others took the places first.
    pub withdrawn: u64,
    /// Not answered when the last day was over.
    pub open: u64,
    /// Minutes until those were answered that were: the median.
    pub answered_after: Option<u64>,
}

/// Who did the work, of all volunteers.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Work {
    pub volunteers: u64,
    pub asked: u64,
    pub served: u64,
    pub minutes: u64,
    /// Promises that were not kept.
    pub missed: u64,
    /// The share of each tenth of the volunteers, the busiest first.
    pub deciles: Vec<f64>,
    pub gini: Option<f64>,
}

/// A skill that was looked for in vain.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct UnmetSkill {
    pub skill: String,
    pub wishes: u64,
    pub places: u64,
    /// Wishes for which nobody passed the filters.
    pub nobody_fits: u64,
}

/// A tally in the making.
#[derive(Default)]
struct Count {
    tally: Tally,
    waits: Vec<u64>,
}

impl Count {
    fn add(&mut self, request: &Request, case: &Case) {
        let tally = &mut self.tally;
        tally.wishes += 1;
        tally.places += u64::from(request.needed);
        tally.places_served += u64::from(case.served);
        match case.end {
            Some(End::Fulfilled) => tally.fulfilled += 1,
            Some(End::Partly) => tally.partly += 1,
            Some(End::Unmet) => {
                tally.unmet += 1;
                tally.nobody_fits += u64::from(case.fitting == 0);
            }
            None => tally.open += 1,
        }
        self.waits.extend(case.filled.and_then(|filled| u64::try_from(filled - request.created).ok()));
    }

    fn finish(mut self) -> Tally {
        self.waits.sort_unstable();
        let at = |percent| percentile(&self.waits, percent);
        let waiting =
            Waiting { filled: self.waits.len() as u64, median: at(50), p90: at(90), worst: self.waits.last().copied() };
        let tally = self.tally;
        Tally { fulfilment: share(tally.fulfilled, tally.wishes - tally.open), waiting, ..tally }
    }
}

pub(super) fn outcome(run: &Run<'_>) -> Outcome {
    let (mut all, mut special_groups, mut others) = (Count::default(), Count::default(), Count::default());
    let mut groups: [BTreeMap<String, Count>; 3] = Default::default();
    for (request, case) in run.scene.requests().iter().zip(&run.cases).filter(|(_, case)| case.arrived) {
        all.add(request, case);
        let side = if request.special_group.is_some() { &mut special_groups } else { &mut others };
        side.add(request, case);
        let special = request.special_group.as_deref().unwrap_or("none");
        for (counts, name) in groups.iter_mut().zip([special, &request.category, &request.region]) {
            counts.entry(name.to_owned()).or_default().add(request, case);
        }
    }
    let [by_special_group, by_category, by_community] =
        groups.map(|counts| counts.into_iter().map(|(name, count)| (name, count.finish())).collect());
    Outcome {
        policy: run.policy.name.clone(),
        wishes: all.finish(),
        special_groups: special_groups.finish(),
        others: others.finish(),
        by_special_group,
        by_category,
        by_community,
        offers: offers(run),
        work: work(run),
        points: format!("{}.{:02}", run.points / 100, run.points % 100),
        unmet_skills: unmet(run),
    }
}

fn offers(run: &Run<'_>) -> OfferCounts {
    let mut counts = OfferCounts { made: run.offers.len() as u64, ..OfferCounts::default() };
    for offer in &run.offers {
        let count = match offer.stage {
            Stage::Open => &mut counts.open,
            Stage::Accepted | Stage::Served | Stage::Missed => &mut counts.accepted,
            Stage::Declined => &mut counts.declined,
            Stage::Lapsed => &mut counts.lapsed,
            Stage::Withdrawn => &mut counts.withdrawn,
        };
        *count += 1;
    }
    let answered = |stage| matches!(stage, Stage::Accepted | Stage::Served | Stage::Missed | Stage::Declined);
    let times = run.offers.iter().filter(|offer| answered(offer.stage));
    let mut times: Vec<u64> = times.filter_map(|offer| u64::try_from(offer.ended? - offer.made).ok()).collect();
    times.sort_unstable();
    counts.answered_after = percentile(&times, 50);
    counts
}

fn work(run: &Run<'_>) -> Work {
    let minutes: Vec<u64> = run.desks.iter().map(super::desk::Desk::served).collect();
    let asked: std::collections::BTreeSet<u32> = run.offers.iter().map(|offer| offer.person).collect();
    Work {
        volunteers: minutes.len() as u64,
        asked: asked.len() as u64,
        served: minutes.iter().filter(|minutes| **minutes > 0).count() as u64,
        minutes: minutes.iter().sum(),
        missed: run.offers.iter().filter(|offer| offer.stage == Stage::Missed).count() as u64,
        deciles: deciles(&minutes),
        gini: gini(&minutes),
    }
}

fn unmet(run: &Run<'_>) -> Vec<UnmetSkill> {
    let mut skills: BTreeMap<&str, UnmetSkill> = BTreeMap::new();
    for (request, case) in run.scene.requests().iter().zip(&run.cases) {
        if !matches!(case.end, Some(End::Partly | End::Unmet)) {
            continue;
        }
        for skill in &request.skills {
            let unmet = skills.entry(skill).or_default();
            unmet.wishes += 1;
            unmet.places += u64::from(request.needed - case.served);
            unmet.nobody_fits += u64::from(case.fitting == 0);
        }
    }
    let named = skills.into_iter().map(|(skill, unmet)| UnmetSkill { skill: skill.to_owned(), ..unmet });
    let mut sorted: Vec<UnmetSkill> = named.collect();
    sorted.sort_by(|one, other| other.wishes.cmp(&one.wishes).then_with(|| one.skill.cmp(&other.skill)));
    sorted
}
