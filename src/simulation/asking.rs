//! Who is asked next: in a round for all waiting wishes together, or for one.

use std::collections::BTreeMap;

use super::figures::whole;
use super::run::Run;
use super::scene::{DAY, request_id};
use crate::matching::bounds::{Answer, Limits};
use crate::matching::{self, Volunteer, Wish};

impl Run<'_> {
    /// How many more people may be asked for a wish.
    fn wanted(&self, number: u32, now: i64) -> u32 {
        let (request, case) = (self.request(number), &self.cases[number as usize]);
        let offers = &self.policy.offers;
        let wave = if self.urgent(request, now) { offers.urgent_wave } else { offers.wave };
        (request.needed - case.promised).saturating_mul(wave).saturating_sub(case.open)
    }

    fn askable(&self, number: u32, who: u32, now: i64) -> bool {
        let (request, person) = (self.request(number), &self.scene.people()[who as usize]);
        let (case, desk) = (&self.cases[number as usize], &self.desks[who as usize]);
        person.registered <= now
            && person.id != request.requester
            && desk.room(&self.policy.offers, now) > 0
            && !case.asked.contains(&who)
            && desk.fits(person, &self.policy.offers, request)
    }

    /// Of volunteers with the same score the one with less comes first.
    fn share(&self, who: u32, now: i64) -> u64 {
        let weight = self.policy.order.fair_share;
        if weight == 0.0 {
            return 0;
        }
        let minutes = u32::try_from(self.desks[who as usize].share(now)).unwrap_or(u32::MAX);
        whole(weight * f64::from(minutes) / 60.0)
    }

    /// Of wishes that want the same volunteer for the same score the one with more comes first.
    fn priority(&self, number: u32, now: i64) -> u64 {
        let (order, request) = (&self.policy.order, self.request(number));
        let days = u32::try_from((now - request.created).div_euclid(DAY)).unwrap_or(0);
        let special = if request.special_group.is_some() { order.special_group } else { 0.0 };
        whole((order.wait * f64::from(days) + special) * 1000.0)
    }

    /// Asks the best candidates who may be asked, as many as are wanted.
    pub(super) fn ask_next(&mut self, number: u32, now: i64) {
        if now >= self.asked_until(self.request(number)) {
            return;
        }
        let mut wanted = self.wanted(number, now) as usize;
        let mut chosen = Vec::new();
        for equals in self.cases[number as usize].candidates.chunk_by(|one, other| one.score == other.score) {
            if wanted == 0 {
                break;
            }
            let equals = equals.iter().map(|candidate| candidate.volunteer);
            let mut equals: Vec<u32> = equals.filter(|who| self.askable(number, *who, now)).collect();
            equals.sort_by_cached_key(|who| (self.share(*who, now), *who));
            equals.truncate(wanted);
            wanted -= equals.len();
            chosen.extend(equals);
        }
        for who in chosen {
            self.offer(number, who, now);
        }
    }

    /// One round: by district, the greatest sum of scores.
    pub(super) fn round(&mut self, now: i64) {
        let mut districts: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
        for number in self.waiting.iter().copied().filter(|number| self.wanted(*number, now) > 0) {
            districts.entry(self.request(number).place.district).or_default().push(number);
        }
        for (_, mut numbers) in districts {
            numbers.sort_by_cached_key(|number| {
                (std::cmp::Reverse(self.priority(*number, now)), self.request(*number).created, *number)
            });
            self.district(&numbers, now);
        }
    }

    /// Asks as the engine proposes. It knows nothing of a policy's caps over a week: where it proposes more, the wish takes the
    /// next of its candidates.
    fn district(&mut self, numbers: &[u32], now: i64) {
        let wishes: Vec<Wish> =
            numbers.iter().map(|number| self.scene.wish(*number, self.wanted(*number, now))).collect();
        let (people, volunteers) = self.available(numbers, now);
        for pair in matching::assign(&wishes, &volunteers) {
            let (number, who) = (numbers[pair.wish as usize], people[pair.volunteer as usize]);
            if self.askable(number, who, now) {
                self.offer(number, who, now);
            }
        }
        for number in numbers {
            self.ask_next(*number, now);
        }
    }

    /// Who may be asked for at least one of the wishes, those with a smaller share of the work first.
    fn available(&self, numbers: &[u32], now: i64) -> (Vec<u32>, Vec<Volunteer>) {
        let mut people: Vec<u32> = Vec::new();
        for number in numbers {
            let candidates = self.cases[*number as usize].candidates.iter().map(|candidate| candidate.volunteer);
            people.extend(candidates.filter(|who| self.askable(*number, *who, now)));
        }
        people.sort_unstable();
        people.dedup();
        people.sort_by_cached_key(|who| (self.share(*who, now), *who));
        let volunteer = |who: &u32| {
            let desk = &self.desks[*who as usize];
            let asked = numbers.iter().filter(|number| self.cases[**number as usize].asked.contains(who));
            // Nobody is asked twice.
            let answers = asked.map(|number| (request_id(*number), Answer::Let)).collect();
            let limits = Limits { busy: desk.busy(), answers, ..Limits::default() };
            self.scene.volunteer(*who, desk.room(&self.policy.offers, now), limits)
        };
        let volunteers = people.iter().map(volunteer).collect();
        (people, volunteers)
    }
}
