//! What one volunteer has been asked, has promised and has done: the caps of a policy are kept here.

use std::collections::BTreeMap;

use super::policy::Offers;
use super::scene::{DAY, Person, Request, WEEK};

/// Work of so long ago counts for a fair share.
const MEMORY: i64 = 28 * DAY;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Desk {
    pub(super) open: u32,
    /// Windows of open offers and promises: (from, until, minutes).
    taken: Vec<(i64, i64, u32)>,
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
        let asked = self.asked.get(&now.div_euclid(WEEK)).copied().unwrap_or(0);
        offers.open_per_volunteer.saturating_sub(self.open).min(offers.offers_per_week.saturating_sub(asked))
    }

    /// Whether this window fits into the week as it stands: nothing overlaps, no cap is passed.
    pub(super) fn fits(&self, person: &Person, offers: &Offers, request: &Request) -> bool {
        let week = request.from.div_euclid(WEEK);
        let of_week = || self.taken.iter().filter(|(from, ..)| from.div_euclid(WEEK) == week);
        let clash = self.taken.iter().any(|(from, until, _)| *from < request.until && request.from < *until);
        let minutes: u64 = of_week().map(|(.., minutes)| u64::from(*minutes)).sum();
        let most = person.most_minutes_week.map_or(u64::MAX, u64::from);
        !clash && of_week().count() < offers.claims_per_week as usize && minutes + u64::from(request.minutes) <= most
    }

    pub(super) fn ask(&mut self, request: &Request, now: i64) {
        self.open += 1;
        *self.asked.entry(now.div_euclid(WEEK)).or_default() += 1;
        self.taken.push((request.from, request.until, request.minutes));
    }

    /// An offer became a promise: its window stays taken.
    pub(super) fn promise(&mut self) {
        self.open -= 1;
    }

    /// An offer came to nothing.
    pub(super) fn release(&mut self, request: &Request) {
        self.open -= 1;
        let window = (request.from, request.until, request.minutes);
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
        let recent =
            self.served.iter().rev().take_while(|(until, _)| *until > now - MEMORY).map(|(_, minutes)| minutes);
        let ahead = self.taken.iter().filter(|(_, until, _)| *until > now).map(|(.., minutes)| minutes);
        recent.chain(ahead).map(|minutes| u64::from(*minutes)).sum()
    }

    /// Minutes in all.
    pub(super) fn served(&self) -> u64 {
        self.served.iter().map(|(_, minutes)| u64::from(*minutes)).sum()
    }

    /// Forgets windows of weeks that are over.
    pub(super) fn tidy(&mut self, now: i64) {
        let week = now.div_euclid(WEEK) * WEEK;
        self.taken.retain(|(_, until, _)| *until > week);
    }
}
