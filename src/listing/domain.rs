//! What steps a listing and a booking may take, and what they are called. No I/O.

use entity::booking::BookingStatus;
use entity::listing::{ListingKind, ListingStatus};

/// Something that happens to a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListingStep {
    /// Reviewed and put on the list.
    Publish,
    /// No more is given; what is booked stays.
    Close,
    /// Taken back, with all that is booked.
    Withdraw,
    /// Its window is over.
    Expire,
    /// Put on the list again.
    Reopen,
    /// Taken in hand again by its owner, for another review.
    Redraft,
}

impl ListingStep {
    pub const ALL: [Self; 6] = [Self::Publish, Self::Close, Self::Withdraw, Self::Expire, Self::Reopen, Self::Redraft];

    /// The status this step leads to from `at`; `None` where it is not allowed. Every pair is spelled out.
    pub const fn apply_to(self, at: ListingStatus) -> Option<ListingStatus> {
        use ListingStatus::{Closed, Draft, Expired, Published, Withdrawn};
        match (at, self) {
            (Draft, Self::Publish) | (Closed | Withdrawn | Expired, Self::Reopen) => Some(Published),
            (Published, Self::Close) => Some(Closed),
            (Draft | Published, Self::Withdraw) => Some(Withdrawn),
            (Published, Self::Expire) => Some(Expired),
            (Closed | Withdrawn | Expired, Self::Redraft) => Some(Draft),
            (Draft, Self::Close | Self::Expire | Self::Reopen | Self::Redraft)
            | (Published, Self::Publish | Self::Reopen | Self::Redraft)
            | (Closed | Withdrawn | Expired, Self::Publish | Self::Close | Self::Withdraw | Self::Expire) => None,
        }
    }

    /// What the step is called on the screen.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Publish => "发布",
            Self::Close => "关闭",
            Self::Withdraw => "撤下",
            Self::Expire => "过期",
            Self::Reopen => "重新发布",
            Self::Redraft => "重新提交",
        }
    }
}

/// What a listing's status is called on the screen.
pub const fn status_name(status: ListingStatus) -> &'static str {
    match status {
        ListingStatus::Draft => "待审核",
        ListingStatus::Published => "已发布",
        ListingStatus::Closed => "已关闭",
        ListingStatus::Withdrawn => "已撤下",
        ListingStatus::Expired => "已过期",
    }
}

/// What a listing's kind is called on the screen.
pub const fn kind_name(kind: ListingKind) -> &'static str {
    match kind {
        ListingKind::Need => "需求",
        ListingKind::Resource => "资源",
        ListingKind::Service => "服务",
    }
}

/// Something that happens to a booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BookingStep {
    /// From the waiting list to the capacity that became free.
    Promote,
    /// The member came.
    Attend,
    /// What was booked has been given.
    Complete,
    Cancel,
    /// The member did not come.
    Miss,
    /// Its time is over and nobody said anything.
    Lapse,
}

impl BookingStep {
    pub const ALL: [Self; 6] = [Self::Promote, Self::Attend, Self::Complete, Self::Cancel, Self::Miss, Self::Lapse];

    /// The status this step leads to from `at`; `None` where it is not allowed. Every pair is spelled out.
    pub const fn apply_to(self, at: BookingStatus) -> Option<BookingStatus> {
        use BookingStatus::{Attended, Booked, Cancelled, Done, Lapsed, NoShow, Waiting};
        match (at, self) {
            (Waiting, Self::Promote) => Some(Booked),
            (Booked, Self::Attend) => Some(Attended),
            (Attended, Self::Complete) => Some(Done),
            (Waiting | Booked, Self::Cancel) => Some(Cancelled),
            // Of one who was noted as having come by mistake, too.
            (Booked | Attended, Self::Miss) => Some(NoShow),
            (Waiting | Booked, Self::Lapse) => Some(Lapsed),
            (Waiting, Self::Attend | Self::Complete | Self::Miss)
            | (Booked, Self::Promote | Self::Complete)
            | (Attended, Self::Promote | Self::Attend | Self::Cancel | Self::Lapse)
            | (Done | Cancelled | NoShow | Lapsed, _) => None,
        }
    }

    /// What the step is called on the screen.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Promote => "候补转正",
            Self::Attend => "登记到场",
            Self::Complete => "登记完成",
            Self::Cancel => "取消",
            Self::Miss => "登记未到",
            Self::Lapse => "过期",
        }
    }
}

/// What a booking's status is called on the screen.
pub const fn booking_status_name(status: BookingStatus) -> &'static str {
    match status {
        BookingStatus::Waiting => "候补中",
        BookingStatus::Booked => "已预约",
        BookingStatus::Attended => "已到场",
        BookingStatus::Done => "已完成",
        BookingStatus::Cancelled => "已取消",
        BookingStatus::NoShow => "未到",
        BookingStatus::Lapsed => "已过期",
    }
}

/// Bookings that take capacity. Who did not come gives it back.
pub const HOLDING: [BookingStatus; 3] = [BookingStatus::Booked, BookingStatus::Attended, BookingStatus::Done];

/// Bookings that something may still become of.
pub const LIVE: [BookingStatus; 3] = [BookingStatus::Waiting, BookingStatus::Booked, BookingStatus::Attended];

/// Whether a booking of this status takes capacity.
pub const fn holds(status: BookingStatus) -> bool {
    matches!(status, BookingStatus::Booked | BookingStatus::Attended | BookingStatus::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sea_orm::Iterable as _;

    #[test]
    fn every_status_of_a_listing_can_be_reached_and_left() {
        let mut reached = vec![ListingStatus::Draft];
        while let Some(next) = reached
            .iter()
            .flat_map(|at| ListingStep::ALL.map(|step| step.apply_to(*at)))
            .flatten()
            .find(|next| !reached.contains(next))
        {
            reached.push(next);
        }
        assert_eq!(reached.len(), ListingStatus::iter().count());
        assert!(ListingStatus::iter().all(|at| ListingStep::ALL.iter().any(|step| step.apply_to(at).is_some())));
    }

    #[test]
    fn what_is_over_stays_over() {
        let over = [BookingStatus::Done, BookingStatus::Cancelled, BookingStatus::NoShow, BookingStatus::Lapsed];
        for at in over {
            assert!(BookingStep::ALL.iter().all(|step| step.apply_to(at).is_none()), "{at:?}");
        }
        assert!(BookingStatus::iter().all(|at| HOLDING.contains(&at) == holds(at)));
        assert!(BookingStatus::iter().all(|at| over.contains(&at) != LIVE.contains(&at)));
    }
}
