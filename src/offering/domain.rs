//! How many are asked for a task, and when. No I/O.

use chrono::{DateTime, TimeDelta, Utc};

use super::policy::Policy;

/// How long a task that has enough offers, or nobody more to ask, is left alone, unless something happens to it.
const REST: TimeDelta = TimeDelta::minutes(10);

/// What the matcher looks at.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub opened_at: DateTime<Utc>,
    pub window_from: DateTime<Utc>,
    pub priority: i32,
    /// The source's clock has run out.
    pub overdue: bool,
    pub free_slots: usize,
    /// Offers that wait for an answer.
    pub open_offers: usize,
    /// All who were ever asked.
    pub asked: usize,
}

/// What is to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Nothing before then.
    Rest { until: DateTime<Utc> },
    /// Ask so many more.
    Ask(Wave),
}

/// People to be asked at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wave {
    pub people: usize,
    /// How many for each free slot.
    pub per_slot: usize,
    pub expires_at: DateTime<Utc>,
    pub urgent: bool,
}

/// Whether a task is urgent: its window begins soon, it stands high on the list, or its clock has run out.
pub fn is_urgent(policy: &Policy, look: &Look, now: DateTime<Utc>) -> bool {
    look.overdue
        || look.window_from <= after(now, policy.urgent_minutes)
        || policy.urgent_priority.is_some_and(|least| look.priority >= least)
}

/// What to do at `now`.
pub fn plan(policy: &Policy, look: &Look, now: DateTime<Utc>) -> Plan {
    let ready = after(look.opened_at, policy.wait_minutes);
    if ready > now {
        return Plan::Rest { until: ready };
    }
    let urgent = is_urgent(policy, look, now);
    let per_slot = if urgent { size(policy.wave_size) } else { 1 };
    let wanted = look.free_slots.saturating_mul(per_slot);
    let left = size(policy.max_asked).saturating_sub(look.asked);
    let people = wanted.saturating_sub(look.open_offers).min(left);
    if people == 0 {
        return Plan::Rest { until: rest(policy, look, urgent, now) };
    }
    let expires_at = after(now, if urgent { policy.urgent_expires_minutes } else { policy.expires_minutes });
    Plan::Ask(Wave { people, per_slot, expires_at, urgent })
}

/// When to look at a task again that needs nothing now: at the latest when it becomes urgent.
pub fn rest(policy: &Policy, look: &Look, urgent: bool, now: DateTime<Utc>) -> DateTime<Utc> {
    let later = now + REST;
    let becomes = look.window_from - minutes(policy.urgent_minutes);
    if !urgent && becomes > now { later.min(becomes) } else { later }
}

fn after(at: DateTime<Utc>, count: i32) -> DateTime<Utc> {
    at.checked_add_signed(minutes(count)).unwrap_or(at)
}

fn minutes(count: i32) -> TimeDelta {
    TimeDelta::minutes(count.into())
}

fn size(count: i32) -> usize {
    usize::try_from(count).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000, 0).unwrap()
    }

    fn policy() -> Policy {
        Policy { enabled: true, urgent_priority: Some(5), ..Policy::default() }
    }

    /// Opened an hour ago, begins in a day, one free slot.
    fn look() -> Look {
        Look {
            opened_at: now() - TimeDelta::hours(1),
            window_from: now() + TimeDelta::days(1),
            priority: 0,
            overdue: false,
            free_slots: 1,
            open_offers: 0,
            asked: 0,
        }
    }

    fn people(look: &Look) -> usize {
        match plan(&policy(), look, now()) {
            Plan::Ask(wave) => wave.people,
            Plan::Rest { .. } => 0,
        }
    }

    #[test]
    fn one_is_asked_for_each_slot_and_a_wave_where_it_is_urgent() {
        assert_eq!(people(&look()), 1);
        assert_eq!(people(&Look { free_slots: 3, ..look() }), 3);
        assert_eq!(people(&Look { free_slots: 3, open_offers: 2, ..look() }), 1);
        assert_eq!(people(&Look { open_offers: 1, ..look() }), 0);
        let soon = Look { window_from: now() + TimeDelta::hours(1), ..look() };
        assert_eq!(people(&soon), 3);
        assert_eq!(people(&Look { free_slots: 2, open_offers: 1, ..soon }), 5);
        assert_eq!(people(&Look { priority: 5, ..look() }), 3);
        assert_eq!(people(&Look { overdue: true, ..look() }), 3);
    }

    #[test]
    fn nobody_is_asked_before_the_wait_is_over_nor_beyond_the_most() {
        let fresh = Look { opened_at: now() - TimeDelta::minutes(9), ..look() };
        assert_eq!(plan(&policy(), &fresh, now()), Plan::Rest { until: now() + TimeDelta::minutes(1) });
        assert_eq!(people(&Look { opened_at: now() - TimeDelta::minutes(10), ..look() }), 1);
        assert_eq!(people(&Look { asked: 30, ..look() }), 0);
    }

    #[test]
    fn a_task_is_looked_at_again_when_it_becomes_urgent() {
        let full = Look { open_offers: 1, window_from: now() + TimeDelta::minutes(184), ..look() };
        assert_eq!(plan(&policy(), &full, now()), Plan::Rest { until: now() + TimeDelta::minutes(4) });
        let later = Look { window_from: now() + TimeDelta::days(2), ..full };
        assert_eq!(plan(&policy(), &later, now()), Plan::Rest { until: now() + REST });
    }

    proptest! {
        #[test]
        fn offers_never_exceed_the_slots_times_the_wave(
            free in 0..20_usize, open in 0..80_usize, asked in 0..60_usize, hours in -2..48_i64, priority in 0..9
        ) {
            let look = Look {
                free_slots: free, open_offers: open, asked, priority, window_from: now() + TimeDelta::hours(hours), ..look()
            };
            match plan(&policy(), &look, now()) {
                Plan::Ask(wave) => {
                    prop_assert!(wave.people > 0 && open + wave.people <= free * wave.per_slot);
                    prop_assert!(asked + wave.people <= 30 && wave.expires_at > now());
                    prop_assert!(wave.urgent || wave.per_slot == 1);
                }
                Plan::Rest { until } => prop_assert!(until > now() && until <= now() + REST),
            }
        }
    }
}
