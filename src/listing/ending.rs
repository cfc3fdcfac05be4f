//! Closing, withdrawing, expiring listings, and putting them up again. All of it is to be run in a transaction.

use chrono::{DateTime, Utc};
use entity::booking::{self, BookingStatus};
use entity::id::{ListingId, MemberId, TaskId};
use entity::listing::{self, ListingKind, ListingStatus};
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::check::{over_fault, when_faults};
use super::domain::ListingStep;
use super::error::ListingError;
use super::intake::{not_ones_own, put_up, record};
use super::opening::{Opening, Schedule};
use super::service::{By, allowed, step, take};
use super::{notice, round, waitlist};
use crate::calendar::Calendar;
use crate::notify;

/// Nothing more is given; what is booked or claimed stays, who waits is told.
///
/// # Errors
/// [`ListingError::NotFound`], [`ListingError::NotYours`], [`ListingError::InvalidTransition`].
pub async fn close(
    db: &impl ConnectionTrait,
    by: &By,
    id: ListingId,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<listing::Model, ListingError> {
    end(db, by, id, ListingStep::Close, reason, now).await
}

/// Takes a listing back, with what is booked and claimed; everybody concerned is told.
///
/// # Errors
/// As [`close`].
pub async fn withdraw(
    db: &impl ConnectionTrait,
    by: &By,
    id: ListingId,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<listing::Model, ListingError> {
    end(db, by, id, ListingStep::Withdraw, reason, now).await
}

async fn end(
    db: &impl ConnectionTrait,
    by: &By,
    id: ListingId,
    why: ListingStep,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<listing::Model, ListingError> {
    let found = take(db, by, id).await?;
    let all = why == ListingStep::Withdraw;
    let row = put_down(db, &found, why, reason, now).await?;
    end_bookings(db, &row, all, now).await?;
    if row.kind == ListingKind::Need {
        round::close(db, &row, all, now).await?;
    }
    if let (Some(owner), By::Staff(_)) = (row.member_id, by) {
        notify::tell(db, owner, notice::ended(&row), now).await?;
    }
    let action = if all { "listing.withdraw" } else { "listing.close" };
    record(db, by, action, &row, now).await?;
    Ok(row)
}

async fn put_down(
    db: &impl ConnectionTrait,
    found: &listing::Model,
    why: ListingStep,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<listing::Model, ListingError> {
    let changes = listing::ActiveModel {
        reason: Set(reason.map(str::to_owned)),
        ended_at: Set(Some(now)),
        next_round_at: Set(None),
        ..Default::default()
    };
    step(db, found, why, changes, now).await
}

/// Lets who waits go, and with `all` who has booked and not come yet.
async fn end_bookings(
    db: &impl ConnectionTrait,
    row: &listing::Model,
    all: bool,
    now: DateTime<Utc>,
) -> Result<(), ListingError> {
    let mut status = vec![BookingStatus::Waiting];
    if all {
        status.push(BookingStatus::Booked);
    }
    let live = booking::Entity::find()
        .filter(booking::Column::ListingId.eq(row.id))
        .filter(booking::Column::Status.is_in(status))
        .order_by_asc(booking::Column::PeriodId)
        .order_by_asc(booking::Column::Id)
        .all(db)
        .await?;
    let ended = waitlist::end_all(db, live, now).await?;
    let told: Vec<_> = ended.iter().map(|booking| (booking.member_id, notice::called_off(row, booking))).collect();
    notify::tell_all(db, told, now).await?;
    Ok(())
}

/// Published listings whose window is over, oldest first.
///
/// # Errors
/// The database's.
pub async fn over(db: &impl ConnectionTrait, now: DateTime<Utc>, limit: u64) -> Result<Vec<ListingId>, DbErr> {
    listing::Entity::find()
        .select_only()
        .column(listing::Column::Id)
        .filter(listing::Column::Status.eq(ListingStatus::Published))
        .filter(listing::Column::WindowUntil.lte(now))
        .filter(listing::Column::EndedAt.is_null())
        .order_by_asc(listing::Column::WindowUntil)
        .limit(limit)
        .into_tuple()
        .all(db)
        .await
}

/// Ends a published listing whose window is over: a need that somebody served is closed, all others expire. False where there
/// was nothing to do (any more).
///
/// # Errors
/// The database's.
pub async fn expire(db: &impl ConnectionTrait, id: ListingId, now: DateTime<Utc>) -> Result<bool, ListingError> {
    let Some(found) = listing::Entity::find_by_id(id).lock_exclusive().one(db).await? else { return Ok(false) };
    if found.status != ListingStatus::Published || found.window_until > now {
        return Ok(false);
    }
    let served = found.kind == ListingKind::Need && round::was_served(db, id).await?;
    let why = if served { ListingStep::Close } else { ListingStep::Expire };
    let row = put_down(db, &found, why, None, now).await?;
    end_bookings(db, &row, false, now).await?;
    if row.kind == ListingKind::Need {
        round::close(db, &row, false, now).await?;
    }
    if let Some(owner) = row.member_id.filter(|_| !served) {
        notify::tell(db, owner, notice::expired(&row), now).await?;
    }
    Ok(true)
}

/// Puts an ended listing up again: staff at once, its owner as a draft that waits for another review. Where its window is over, a
/// new one is needed.
///
/// # Errors
/// [`ListingError::NotFound`], [`ListingError::NotYours`], [`ListingError::SecondPerson`], [`ListingError::InvalidTransition`],
/// [`ListingError::Invalid`] on `window` and `openings`.
pub async fn reopen(
    db: &impl ConnectionTrait,
    calendar: Calendar,
    by: &By,
    id: ListingId,
    window: Option<Opening>,
    tasks: &[TaskId],
    now: DateTime<Utc>,
) -> Result<listing::Model, ListingError> {
    let found = take(db, by, id).await?;
    let why = match by {
        By::Member(_) => ListingStep::Redraft,
        By::Staff(staff) => {
            not_ones_own(staff, &found)?;
            ListingStep::Reopen
        }
    };
    let mut changes = listing::ActiveModel { reason: Set(None), ended_at: Set(None), ..Default::default() };
    if let Some(window) = window {
        let mut openings = Schedule::of(&found, calendar).openings;
        let refused = when_faults(found.kind, window, &mut openings, found.period, calendar, now);
        if !refused.is_empty() {
            return Err(ListingError::Invalid(refused));
        }
        allowed(&found, why)?;
        (changes.window_from, changes.window_until) = (Set(window.starts_at), Set(window.ends_at));
    } else if allowed(&found, why).is_err() {
        return Err(ListingError::InvalidTransition { at: found.status, step: why });
    } else if let Some(fault) = over_fault(&found, now) {
        return Err(ListingError::Invalid(vec![fault]));
    }
    match by {
        By::Member(_) => {
            let row = step(db, &found, why, changes, now).await?;
            record(db, by, "listing.redraft", &row, now).await?;
            Ok(row)
        }
        By::Staff(staff) => {
            changes.published_at = Set(Some(now));
            changes.published_by = Set(Some(staff.id));
            put_up(db, calendar, by, (&found, why), changes, tasks, now).await
        }
    }
}

/// How many listings of `member` are on a list or wait for it: an account is not erased over them.
///
/// # Errors
/// The database's.
pub async fn open_of(db: &impl ConnectionTrait, member: MemberId) -> Result<u64, DbErr> {
    use sea_orm::PaginatorTrait as _;
    listing::Entity::find()
        .filter(listing::Column::MemberId.eq(member))
        .filter(listing::Column::Status.is_in([ListingStatus::Draft, ListingStatus::Published]))
        .count(db)
        .await
}
