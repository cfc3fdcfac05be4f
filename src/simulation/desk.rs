//! What one volunteer has been asked, has promised and has done: the caps of a policy are kept here.

use std::collections::BTreeMap;

use super::policy::Offers;
use super::scene::{DAY, Person, Request, begin_of_week, week_of};
use crate::matching::bounds::Busy;

/// Work of so long ago counts for a fair share.
const MEMORY: i64 = 28 * DAY;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Desk {
    pub(super) open: u32,
    /// Windows of open offers and promises.
    taken: Vec<(i64, i64)>,
    /// By week: offers made in it.
    asked: BTreeMap<i64, u32>,
    /// Windows and minutes of kept promises, by time.
    served: Vec<(i64, u32)>,
    /// Hundredths earned, by day.
    earned: BTreeMap<i64, u64>,
}

impl Desk {
    /// How many offers may be made now.
    pub(super) fn room(&self, offers: &Offers, now: i64) -> u32 {
        let asked = self.asked.get(&week_of(now)).copied().unwrap_or(0);
        offers.open_per_volunteer.saturating_sub(self.open).min(offers.offers_per_week.saturating_sub(asked))
    }

    /// Whether this window fits into the week as it stands: nothing overlaps, no cap is passed.
    pub(super) fn fits(&self, person: &Person, offers: &Offers, request: &Request) -> bool {
        let week = week_of(request.from);
        let of_week = || self.taken.iter().filter(|(from, _)| week_of(*from) == week);
        let clash = self.taken.iter().any(|(from, until)| *from < request.until && request.from < *until);
        let minutes: i64 = of_week().map(|(from, until)| until - from).sum();
        let most = person.most_minutes_week.map_or(i64::MAX, i64::from);
        !clash && of_week().count() < offers.claims_per_week as usize && minutes + request.until - request.from <= most
    }

    /// The time that is taken, as the engine knows it.
    pub(super) fn busy(&self) -> Vec<Busy> {
        self.taken.iter().map(|(from, until)| Busy { from: *from, until: *until, blocks: true }).collect()
    }

    pub(super) fn ask(&mut self, request: &Request, now: i64) {
        self.open += 1;
        *self.asked.entry(week_of(now)).or_default() += 1;
        self.taken.push((request.from, request.until));
    }

    /// An offer became a promise: its window stays taken.
    pub(super) fn promise(&mut self) {
        self.open -= 1;
    }

    /// An offer came to nothing.
    pub(super) fn release(&mut self, request: &Request) {
        self.open -= 1;
        let window = (request.from, request.until);
        if let Some(at) = self.taken.iter().position(|taken| *taken == window) {
            self.taken.swap_remove(at);
        }
    }

    /// A promise was kept; of `amount` hundredths, so many count under the cap of the day (0: none).
    pub(super) fn serve(&mut self, request: &Request, amount: u64, per_day: u64) -> u64 {
        self.served.push((request.until, request.minutes));
        let earned = self.earned.entry(request.from.div_euclid(DAY)).or_default();
        let counted = if per_day == 0 { amount } else { amount.min(per_day.saturating_sub(*earned)) };
        *earned += counted;
        counted
    }

    /// Minutes served in the last 28 days or promised from now on.
    pub(super) fn share(&self, now: i64) -> u64 {
        let recent = self.served.iter().rev().take_while(|(until, _)| *until > now - MEMORY);
        let ahead = self.taken.iter().filter(|(_, until)| *until > now).map(|(from, until)| until.abs_diff(*from));
        recent.map(|(_, minutes)| u64::from(*minutes)).chain(ahead).sum()
    }

    /// Minutes in all.
    pub(super) fn served(&self) -> u64 {
        self.served.iter().map(|(_, minutes)| u64::from(*minutes)).sum()
    }

    /// Forgets windows of weeks that are over.
    pub(super) fn tidy(&mut self, now: i64) {
        let week = begin_of_week(now);
        self.taken.retain(|(_, until)| *until > week);
    }
}
