//! What steps a claim may take, and what a task is, given the claims on it. No I/O.
//!
//! A task's status follows from its claims and nothing else. A claim *holds a slot* from its acceptance on, unless it is
//! withdrawn or nobody came; `taken` counts these. Of those that hold one, some are still expected (`accepted`), some are
//! there (`checked_in`), some are through (`checked_out`, `verified`, `rejected`):
//!
//! - nobody came yet: `open`, or `full` where all slots are taken;
//! - somebody came: `in_progress`, and free slots may still be claimed;
//! - somebody is through, nobody is there, and nobody is expected or the window is over: `done`. Those who were expected
//!   keep their claims: staff may still enter when they came and went, or that they did not.
//!
//! `closed` is said by the source (cancelled, expired) before anybody came. `done` and `closed` are the end.

use std::num::TryFromIntError;

use entity::claim::ClaimStatus;
use entity::task::TaskStatus;

/// Something that happens to a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClaimStep {
    Accept,
    Decline,
    /// The offer ran out, or what it was for is gone.
    Lapse,
    /// The volunteer cannot come, or what was accepted is gone.
    Withdraw,
    CheckIn,
    CheckOut,
    /// Nobody came.
    Miss,
    /// The service record was verified.
    Verify,
    /// The service record was rejected.
    Reject,
}

impl ClaimStep {
    pub const ALL: [Self; 9] = [
        Self::Accept,
        Self::Decline,
        Self::Lapse,
        Self::Withdraw,
        Self::CheckIn,
        Self::CheckOut,
        Self::Miss,
        Self::Verify,
        Self::Reject,
    ];

    /// The status this step leads to from `at`; `None` where it is not allowed.
    /// Every pair is spelled out, so a new status does not compile until placed.
    pub const fn apply_to(self, at: ClaimStatus) -> Option<ClaimStatus> {
        use ClaimStatus::{
            Accepted, CheckedIn, CheckedOut, Declined, Lapsed, NoShow, Offered, Rejected, Verified, Withdrawn,
        };
        match (at, self) {
            (Offered, Self::Accept) => Some(Accepted),
            (Offered, Self::Decline) => Some(Declined),
            (Offered, Self::Lapse) => Some(Lapsed),
            (Accepted, Self::Withdraw) => Some(Withdrawn),
            (Accepted, Self::CheckIn) => Some(CheckedIn),
            (Accepted, Self::Miss) => Some(NoShow),
            (CheckedIn, Self::CheckOut) => Some(CheckedOut),
            // A rejected one: the volunteer disputed it and was right.
            (CheckedOut | Rejected, Self::Verify) => Some(Verified),
            (CheckedOut, Self::Reject) => Some(Rejected),
            (Offered, Self::Withdraw | Self::CheckIn | Self::CheckOut | Self::Miss | Self::Verify | Self::Reject)
            | (Accepted, Self::Accept | Self::Decline | Self::Lapse | Self::CheckOut | Self::Verify | Self::Reject)
            | (
                CheckedIn,
                Self::Accept
                | Self::Decline
                | Self::Lapse
                | Self::Withdraw
                | Self::CheckIn
                | Self::Miss
                | Self::Verify
                | Self::Reject,
            )
            | (
                CheckedOut,
                Self::Accept
                | Self::Decline
                | Self::Lapse
                | Self::Withdraw
                | Self::CheckIn
                | Self::CheckOut
                | Self::Miss,
            )
            | (
                Rejected,
                Self::Accept
                | Self::Decline
                | Self::Lapse
                | Self::Withdraw
                | Self::CheckIn
                | Self::CheckOut
                | Self::Miss
                | Self::Reject,
            )
            | (Verified | Declined | Lapsed | Withdrawn | NoShow, _) => None,
        }
    }

    /// What the step is called on the screen.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accept => "接单",
            Self::Decline => "婉拒",
            Self::Lapse => "过期",
            Self::Withdraw => "退出",
            Self::CheckIn => "签到",
            Self::CheckOut => "签退",
            Self::Miss => "登记未到",
            Self::Verify => "审核通过",
            Self::Reject => "审核驳回",
        }
    }
}

/// What a claim's status is called on the screen.
pub const fn claim_status_name(status: ClaimStatus) -> &'static str {
    match status {
        ClaimStatus::Offered => "待答复",
        ClaimStatus::Accepted => "已接单",
        ClaimStatus::CheckedIn => "已签到",
        ClaimStatus::CheckedOut => "已签退",
        ClaimStatus::Verified => "已核实",
        ClaimStatus::Declined => "已婉拒",
        ClaimStatus::Lapsed => "已过期",
        ClaimStatus::Withdrawn => "已退出",
        ClaimStatus::NoShow => "未到",
        ClaimStatus::Rejected => "未通过",
    }
}

/// Whether a claim of this status holds one of the task's slots.
pub const fn holds_slot(status: ClaimStatus) -> bool {
    match status {
        ClaimStatus::Accepted
        | ClaimStatus::CheckedIn
        | ClaimStatus::CheckedOut
        | ClaimStatus::Verified
        | ClaimStatus::Rejected => true,
        ClaimStatus::Offered
        | ClaimStatus::Declined
        | ClaimStatus::Lapsed
        | ClaimStatus::Withdrawn
        | ClaimStatus::NoShow => false,
    }
}

/// Statuses in which the volunteer is committed: the time is theirs to keep, and whom they help is shown to them.
pub const OPEN: [ClaimStatus; 2] = [ClaimStatus::Accepted, ClaimStatus::CheckedIn];

/// Statuses that hold a slot, see [`holds_slot`].
pub const HOLDING: [ClaimStatus; 5] = [
    ClaimStatus::Accepted,
    ClaimStatus::CheckedIn,
    ClaimStatus::CheckedOut,
    ClaimStatus::Verified,
    ClaimStatus::Rejected,
];

/// How many claims on a task hold a slot, by how far they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attendance {
    /// Accepted and not there yet.
    pub expected: i32,
    /// Checked in.
    pub inside: i32,
    /// Checked out.
    pub through: i32,
}

impl Attendance {
    /// From the number of claims in each status.
    ///
    /// # Errors
    /// More claims than an `i32` counts.
    pub fn of(counts: impl IntoIterator<Item = (ClaimStatus, i64)>) -> Result<Self, TryFromIntError> {
        let mut attendance = Self::default();
        for (status, count) in counts {
            let count = i32::try_from(count)?;
            match status {
                ClaimStatus::Accepted => attendance.expected += count,
                ClaimStatus::CheckedIn => attendance.inside += count,
                ClaimStatus::CheckedOut | ClaimStatus::Verified | ClaimStatus::Rejected => attendance.through += count,
                ClaimStatus::Offered
                | ClaimStatus::Declined
                | ClaimStatus::Lapsed
                | ClaimStatus::Withdrawn
                | ClaimStatus::NoShow => {}
            }
        }
        Ok(attendance)
    }

    /// The slots taken.
    pub const fn taken(self) -> i32 {
        self.expected + self.inside + self.through
    }

    /// What a task that was `before` is now; `over` where its window is.
    pub const fn status(self, before: TaskStatus, slots: i32, over: bool) -> TaskStatus {
        match before {
            TaskStatus::Done | TaskStatus::Closed => before,
            TaskStatus::Open | TaskStatus::Full | TaskStatus::InProgress => {
                if self.inside == 0 && self.through > 0 && (self.expected == 0 || over) {
                    TaskStatus::Done
                } else if self.inside + self.through > 0 {
                    TaskStatus::InProgress
                } else if self.taken() >= slots {
                    TaskStatus::Full
                } else {
                    TaskStatus::Open
                }
            }
        }
    }
}

/// Whether claims on a task of this status may still be made while slots are free and its window lasts.
pub const fn takes_claims(status: TaskStatus) -> bool {
    match status {
        TaskStatus::Open | TaskStatus::Full | TaskStatus::InProgress => true,
        TaskStatus::Done | TaskStatus::Closed => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sea_orm::Iterable as _;

    fn steps() -> impl Strategy<Value = Vec<(usize, usize)>> {
        prop::collection::vec((0..4_usize, 0..ClaimStep::ALL.len()), 0..60)
    }

    #[test]
    fn the_ends_are_ends() {
        use ClaimStatus::{Declined, Lapsed, NoShow, Verified, Withdrawn};
        for at in [Verified, Declined, Lapsed, Withdrawn, NoShow] {
            assert!(ClaimStep::ALL.iter().all(|step| step.apply_to(at).is_none()), "{at:?}");
        }
    }

    #[test]
    fn every_status_but_the_first_is_reached_by_one_step_only() {
        for status in ClaimStatus::iter().filter(|status| *status != ClaimStatus::Offered) {
            let from: Vec<_> = ClaimStatus::iter()
                .flat_map(|at| ClaimStep::ALL.map(|step| (at, step)))
                .filter(|(at, step)| step.apply_to(*at) == Some(status))
                .map(|(_, step)| step)
                .collect();
            assert!(!from.is_empty() && from.iter().all(|step| *step == from[0]), "{status:?}: {from:?}");
        }
    }

    #[test]
    fn holding_lists_those_that_hold() {
        for status in ClaimStatus::iter() {
            assert_eq!(HOLDING.contains(&status), holds_slot(status), "{status:?}");
        }
    }

    proptest! {
        #[test]
        fn a_task_never_goes_back_once_somebody_came(steps in steps(), slots in 1..4_i32) {
            let mut claims = [ClaimStatus::Offered; 4];
            let mut status = TaskStatus::Open;
            for (which, step) in steps {
                let step = ClaimStep::ALL[step];
                let taken = claims.iter().filter(|claim| holds_slot(**claim)).count();
                if step == ClaimStep::Accept && (taken >= usize::try_from(slots).unwrap() || !takes_claims(status)) {
                    continue;
                }
                let Some(next) = step.apply_to(claims[which]) else { continue };
                claims[which] = next;
                let attendance = Attendance::of(claims.iter().map(|claim| (*claim, 1))).unwrap();
                let after = attendance.status(status, slots, false);
                prop_assert!(attendance.taken() <= slots);
                let legal = matches!(
                    (status, after),
                    (TaskStatus::Open | TaskStatus::Full, TaskStatus::Open | TaskStatus::Full | TaskStatus::InProgress)
                        | (TaskStatus::InProgress, TaskStatus::InProgress | TaskStatus::Done)
                        | (TaskStatus::Done, TaskStatus::Done)
                );
                prop_assert!(legal, "{status:?} to {after:?}");
                status = after;
            }
        }
    }
}
