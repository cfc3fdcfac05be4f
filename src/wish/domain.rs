//! What steps a wish may take, what its task's moves mean for it, and its clocks. No I/O.

use chrono::{DateTime, TimeDelta, Utc};
use entity::task::{self, TaskStatus};
use entity::wish::{self, WishStatus};

use crate::task::service::Window;

/// Longest window.
pub const LONGEST: TimeDelta = TimeDelta::hours(24);

/// Something that happens to a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WishStep {
    /// Reviewed and found good.
    Publish,
    /// Reviewed and refused.
    Reject,
    Cancel,
    /// The first claim was accepted.
    Claim,
    /// The last claim was withdrawn, or nobody came.
    Release,
    /// The first volunteer checked in.
    Begin,
    /// The last volunteer checked out.
    Finish,
    Confirm,
    Dispute,
    /// Arbitrated: it was done.
    Uphold,
    /// Arbitrated: it is to be done again.
    Republish,
    /// The requester asks for it to be done again.
    Reopen,
    /// Staff put it up again after it expired.
    Relist,
    /// The window is over and nobody claimed it.
    Expire,
}

impl WishStep {
    pub const ALL: [Self; 14] = [
        Self::Publish,
        Self::Reject,
        Self::Cancel,
        Self::Claim,
        Self::Release,
        Self::Begin,
        Self::Finish,
        Self::Confirm,
        Self::Dispute,
        Self::Uphold,
        Self::Republish,
        Self::Reopen,
        Self::Relist,
        Self::Expire,
    ];

    /// The status this step leads to from `at`; `None` where it is not allowed. A status allows what its line says and
    /// nothing else: a new status or step does not compile until placed.
    pub const fn apply_to(self, at: WishStatus) -> Option<WishStatus> {
        use WishStatus::{
            Cancelled, Claimed, Confirmed, Disputed, Expired, Fulfilled, InService, Published, Rejected, Submitted,
        };
        match self {
            Self::Publish => match at {
                Submitted => Some(Published),
                Published | Claimed | InService | Fulfilled | Confirmed | Rejected | Cancelled | Expired | Disputed => {
                    None
                }
            },
            Self::Reject => match at {
                Submitted => Some(Rejected),
                Published | Claimed | InService | Fulfilled | Confirmed | Rejected | Cancelled | Expired | Disputed => {
                    None
                }
            },
            Self::Cancel => match at {
                Submitted | Published | Claimed => Some(Cancelled),
                InService | Fulfilled | Confirmed | Rejected | Cancelled | Expired | Disputed => None,
            },
            Self::Claim => match at {
                Published => Some(Claimed),
                Submitted | Claimed | InService | Fulfilled | Confirmed | Rejected | Cancelled | Expired | Disputed => {
                    None
                }
            },
            Self::Release => match at {
                Claimed => Some(Published),
                Submitted | Published | InService | Fulfilled | Confirmed | Rejected | Cancelled | Expired
                | Disputed => None,
            },
            Self::Begin => match at {
                Claimed => Some(InService),
                Submitted | Published | InService | Fulfilled | Confirmed | Rejected | Cancelled | Expired
                | Disputed => None,
            },
            Self::Finish => match at {
                InService => Some(Fulfilled),
                Submitted | Published | Claimed | Fulfilled | Confirmed | Rejected | Cancelled | Expired | Disputed => {
                    None
                }
            },
            Self::Confirm => match at {
                Fulfilled => Some(Confirmed),
                Submitted | Published | Claimed | InService | Confirmed | Rejected | Cancelled | Expired | Disputed => {
                    None
                }
            },
            Self::Dispute => match at {
                Fulfilled => Some(Disputed),
                Submitted | Published | Claimed | InService | Confirmed | Rejected | Cancelled | Expired | Disputed => {
                    None
                }
            },
            Self::Uphold => match at {
                Disputed => Some(Confirmed),
                Submitted | Published | Claimed | InService | Fulfilled | Confirmed | Rejected | Cancelled
                | Expired => None,
            },
            Self::Republish => match at {
                Disputed => Some(Published),
                Submitted | Published | Claimed | InService | Fulfilled | Confirmed | Rejected | Cancelled
                | Expired => None,
            },
            Self::Reopen => match at {
                Confirmed => Some(Published),
                Submitted | Published | Claimed | InService | Fulfilled | Rejected | Cancelled | Expired | Disputed => {
                    None
                }
            },
            Self::Relist => match at {
                Expired => Some(Published),
                Submitted | Published | Claimed | InService | Fulfilled | Confirmed | Rejected | Cancelled
                | Disputed => None,
            },
            Self::Expire => match at {
                Published => Some(Expired),
                Submitted | Claimed | InService | Fulfilled | Confirmed | Rejected | Cancelled | Expired | Disputed => {
                    None
                }
            },
        }
    }

    /// What the step is called on the screen.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Publish => "发布",
            Self::Reject => "驳回",
            Self::Cancel => "取消",
            Self::Claim => "认领",
            Self::Release => "释放",
            Self::Begin => "开始服务",
            Self::Finish => "完成服务",
            Self::Confirm => "确认",
            Self::Dispute => "提出异议",
            Self::Uphold | Self::Republish => "裁定",
            Self::Reopen => "重新开启",
            Self::Relist => "重新上架",
            Self::Expire => "过期",
        }
    }
}

/// What a wish's status is called on the screen.
pub const fn status_name(status: WishStatus) -> &'static str {
    match status {
        WishStatus::Submitted => "待审核",
        WishStatus::Published => "已发布",
        WishStatus::Claimed => "已认领",
        WishStatus::InService => "服务中",
        WishStatus::Fulfilled => "待确认",
        WishStatus::Confirmed => "已确认",
        WishStatus::Rejected => "未通过",
        WishStatus::Cancelled => "已取消",
        WishStatus::Expired => "已过期",
        WishStatus::Disputed => "有异议",
    }
}

/// The step that a wish takes because its present task is now as it is, if it stands where that step begins.
pub fn follows(task: &task::Model) -> Option<WishStep> {
    match (task.status, task.taken) {
        (TaskStatus::Open | TaskStatus::Full, 0) => Some(WishStep::Release),
        (TaskStatus::Open | TaskStatus::Full, _) => Some(WishStep::Claim),
        (TaskStatus::InProgress, _) => Some(WishStep::Begin),
        (TaskStatus::Done, _) => Some(WishStep::Finish),
        // Closing is the wish's own doing.
        (TaskStatus::Closed, _) => None,
    }
}

/// How long each answer may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From submission or dispute to its review.
    pub answer: TimeDelta,
    /// From the first claim to the first contact: the check-in, or the window's end if that is earlier.
    pub contact: TimeDelta,
    /// From the window's end to the last check-out.
    pub completion: TimeDelta,
}

/// When the clock that runs in status `at`, entered at `now`, runs out; `None` where nobody has to do anything by a time.
pub fn due_at(at: WishStatus, window: Window, limits: Limits, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    match at {
        WishStatus::Submitted | WishStatus::Disputed => now.checked_add_signed(limits.answer),
        WishStatus::Claimed => now.checked_add_signed(limits.contact).map(|due| due.min(window.until)),
        WishStatus::InService => window.until.checked_add_signed(limits.completion),
        WishStatus::Published
        | WishStatus::Fulfilled
        | WishStatus::Confirmed
        | WishStatus::Rejected
        | WishStatus::Cancelled
        | WishStatus::Expired => None,
    }
}

/// Why a window is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowRefusal {
    #[error("结束时间须晚于开始时间")]
    Empty,
    #[error("服务时段已经过去，请选择将来的时间")]
    Over,
    #[error("服务时段最长 24 小时，请缩短")]
    TooLong,
}

/// Ends after it begins, in the future, at most 24 h later; it may have begun.
///
/// # Errors
/// [`WindowRefusal`].
pub fn check_window(window: Window, now: DateTime<Utc>) -> Result<(), WindowRefusal> {
    if window.until <= window.from {
        Err(WindowRefusal::Empty)
    } else if window.until <= now {
        Err(WindowRefusal::Over)
    } else if window.until - window.from > LONGEST {
        Err(WindowRefusal::TooLong)
    } else {
        Ok(())
    }
}

/// The window of another round where none is given: the same while it lasts, else whole weeks later, the first that begins
/// in the future. So it stays the weekday and the time that the requester chose.
pub fn next_window(window: Window, now: DateTime<Utc>) -> Window {
    if window.until > now {
        return window;
    }
    let weeks = (now - window.from).num_weeks() + 1;
    let later = TimeDelta::try_weeks(weeks).unwrap_or_default();
    Window { from: window.from + later, until: window.until + later }
}

/// A wish's window.
pub const fn window_of(wish: &wish::Model) -> Window {
    Window { from: wish.window_from, until: wish.window_until }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sea_orm::Iterable as _;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000 + minutes * 60, 0).unwrap()
    }

    #[test]
    fn the_ends_are_ends() {
        for status in [WishStatus::Rejected, WishStatus::Cancelled] {
            assert!(WishStep::ALL.iter().all(|step| step.apply_to(status).is_none()), "{status:?}");
        }
    }

    #[test]
    fn every_status_can_be_reached_from_submission() {
        let mut reached = vec![WishStatus::Submitted];
        while let Some(next) = reached
            .iter()
            .flat_map(|at| WishStep::ALL.map(|step| step.apply_to(*at)))
            .flatten()
            .find(|next| !reached.contains(next))
        {
            reached.push(next);
        }
        assert_eq!(reached.len(), WishStatus::iter().count());
    }

    #[test]
    fn a_wish_in_service_cannot_be_called_off() {
        assert_eq!(WishStep::Cancel.apply_to(WishStatus::Claimed), Some(WishStatus::Cancelled));
        assert_eq!(WishStep::Cancel.apply_to(WishStatus::InService), None);
    }

    #[test]
    fn windows_are_bounded() {
        let window = |from, until| check_window(Window { from: at(from), until: at(until) }, at(0));
        assert_eq!(window(-60, 60), Ok(()));
        assert_eq!(window(0, 24 * 60), Ok(()));
        assert_eq!(window(0, 24 * 60 + 1), Err(WindowRefusal::TooLong));
        assert_eq!(window(60, 60), Err(WindowRefusal::Empty));
        assert_eq!(window(60, 30), Err(WindowRefusal::Empty));
        assert_eq!(window(-60, 0), Err(WindowRefusal::Over));
    }

    proptest! {
        #[test]
        fn another_round_is_the_same_time_of_the_week(from in -100_000..100_000_i64, length in 1..1440_i64, now in -100_000..100_000_i64) {
            let window = Window { from: at(from), until: at(from + length) };
            let next = next_window(window, at(now));
            prop_assert_eq!(next.until - next.from, window.until - window.from);
            prop_assert_eq!((next.from - window.from).num_minutes() % (7 * 24 * 60), 0);
            prop_assert!(next.until > at(now));
            prop_assert!(next == window || next.from > at(now));
            prop_assert!(next == window || next.from - TimeDelta::weeks(1) <= at(now));
        }
    }
}
