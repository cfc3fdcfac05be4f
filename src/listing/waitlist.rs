//! Capacity of a period and the line of those who wait for it. All of it is to be run in a transaction.
//!
//! A period's row is made by its first booking. Capacity is taken by one conditional statement that asks for three things at once:
//! that there is as much, that nobody waits (whoever comes later does not pass those in line), and it counts up. What becomes free is
//! given to the line in the same transaction, in the order in which the bookings were made; the line stands still at the first
//! whose quantity does not fit, so that those who want more are not passed for ever.

use chrono::{DateTime, Utc};
use entity::booking::{self, BookingStatus};
use entity::id::{ListingId, PeriodId};
use entity::listing;
use entity::listing_period::{self, Column, Entity};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::domain::{BookingStep, holds};
use super::error::ListingError;
use super::notice;
use crate::notify;

/// Finds or makes the period of a listing that begins at `starts_at`.
pub(super) async fn period(
    db: &impl ConnectionTrait,
    listing: &listing::Model,
    new: PeriodId,
    starts_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<listing_period::Model, DbErr> {
    let known = || Entity::find().filter(Column::ListingId.eq(listing.id)).filter(Column::StartsAt.eq(starts_at));
    if let Some(found) = known().one(db).await? {
        return Ok(found);
    }
    let row = listing_period::ActiveModel {
        id: Set(new),
        listing_id: Set(listing.id),
        starts_at: Set(starts_at),
        capacity: Set(listing.capacity),
        taken: Set(0),
        waiting: Set(0),
        created_at: Set(now),
    };
    let there = OnConflict::columns([Column::ListingId, Column::StartsAt]).do_nothing().to_owned();
    Entity::insert(row).on_conflict(there).exec_without_returning(db).await?;
    known().one(db).await?.ok_or_else(|| DbErr::RecordNotFound("a period that was just made".into()))
}

/// Takes `quantity` of a period, if there is as much and nobody waits for it.
pub(super) async fn take(db: &impl ConnectionTrait, id: PeriodId, quantity: i32) -> Result<bool, DbErr> {
    let taken = Entity::update_many()
        .col_expr(Column::Taken, Expr::col(Column::Taken).add(quantity))
        .filter(Column::Id.eq(id))
        .filter(Expr::col(Column::Taken).add(quantity).lte(Expr::col(Column::Capacity)))
        .filter(Column::Waiting.eq(0))
        .exec(db)
        .await?;
    Ok(taken.rows_affected == 1)
}

/// Joins the line of a period, unless there is `quantity` of it and nobody waits.
pub(super) async fn queue(db: &impl ConnectionTrait, id: PeriodId, quantity: i32) -> Result<bool, DbErr> {
    let short = Expr::col(Column::Taken).add(quantity).gt(Expr::col(Column::Capacity));
    let queued = Entity::update_many()
        .col_expr(Column::Waiting, Expr::col(Column::Waiting).add(1))
        .filter(Column::Id.eq(id))
        .filter(short.or(Expr::col(Column::Waiting).gt(0)))
        .exec(db)
        .await?;
    Ok(queued.rows_affected == 1)
}

/// Reads a period and, on PostgreSQL, holds its row until the transaction ends.
pub(super) async fn lock(db: &impl ConnectionTrait, id: PeriodId) -> Result<listing_period::Model, ListingError> {
    Entity::find_by_id(id).lock_exclusive().one(db).await?.ok_or(ListingError::NotFound)
}

/// Moves a booking by one step, conditional on the status just read, and keeps its period true to it. The period is locked.
pub(super) async fn step(
    db: &impl ConnectionTrait,
    found: &booking::Model,
    step: BookingStep,
    mut changes: booking::ActiveModel,
    now: DateTime<Utc>,
) -> Result<booking::Model, ListingError> {
    let at = found.status;
    let next = step.apply_to(at).ok_or(ListingError::BookingTransition { at, step })?;
    changes.status = Set(next);
    changes.updated_at = Set(now);
    let moved = booking::Entity::update_many()
        .set(changes)
        .filter(booking::Column::Id.eq(found.id))
        .filter(booking::Column::Status.eq(at))
        .exec_with_returning(db)
        .await?;
    let moved = moved.into_iter().next().ok_or(ListingError::Raced)?;
    let taken = i32::from(holds(next)) - i32::from(holds(at));
    let waiting = -i32::from(at == BookingStatus::Waiting);
    if taken != 0 || waiting != 0 {
        Entity::update_many()
            .col_expr(Column::Taken, Expr::col(Column::Taken).add(taken * found.quantity))
            .col_expr(Column::Waiting, Expr::col(Column::Waiting).add(waiting))
            .filter(Column::Id.eq(found.period_id))
            .exec(db)
            .await?;
    }
    Ok(moved)
}

/// Gives what is free of a period to who waits for it, in order; they are told.
///
/// # Errors
/// The database's.
pub(super) async fn promote(
    db: &impl ConnectionTrait,
    listing: &listing::Model,
    id: PeriodId,
    now: DateTime<Utc>,
) -> Result<(), ListingError> {
    loop {
        let period = lock(db, id).await?;
        if period.waiting == 0 {
            return Ok(());
        }
        let first = booking::Entity::find()
            .filter(booking::Column::PeriodId.eq(id))
            .filter(booking::Column::Status.eq(BookingStatus::Waiting))
            .order_by_asc(booking::Column::Id)
            .one(db)
            .await?;
        let Some(first) = first else { return Ok(()) };
        if first.held_until <= now {
            lapse(db, listing, &first, now).await?;
        } else if period.taken + first.quantity <= period.capacity {
            let row = step(db, &first, BookingStep::Promote, booking::ActiveModel::default(), now).await?;
            notify::tell(db, row.member_id, notice::promoted(listing, &row), now).await?;
        } else {
            return Ok(());
        }
    }
}

/// Ends a booking that nobody said anything of, or that waited in vain.
pub(super) async fn lapse(
    db: &impl ConnectionTrait,
    listing: &listing::Model,
    found: &booking::Model,
    now: DateTime<Utc>,
) -> Result<booking::Model, ListingError> {
    let changes = booking::ActiveModel { ended_at: Set(Some(now)), ..Default::default() };
    let row = step(db, found, BookingStep::Lapse, changes, now).await?;
    notify::tell(db, row.member_id, notice::lapsed(listing, found), now).await?;
    Ok(row)
}

/// Calls bookings off, those that wait as well; in the order of their periods. Nobody is promoted: the listing is going.
pub(super) async fn end_all(
    db: &impl ConnectionTrait,
    bookings: Vec<booking::Model>,
    now: DateTime<Utc>,
) -> Result<Vec<booking::Model>, ListingError> {
    let mut ended = Vec::with_capacity(bookings.len());
    let mut held = None;
    for found in bookings {
        if held != Some(found.period_id) {
            lock(db, found.period_id).await?;
            held = Some(found.period_id);
        }
        let changes = booking::ActiveModel { ended_at: Set(Some(now)), ..Default::default() };
        ended.push(step(db, &found, BookingStep::Cancel, changes, now).await?);
    }
    Ok(ended)
}

/// How many wait before a booking, itself counted: 1 is next.
pub(super) async fn position(db: &impl ConnectionTrait, row: &booking::Model) -> Result<Option<u64>, DbErr> {
    use sea_orm::PaginatorTrait as _;
    if row.status != BookingStatus::Waiting {
        return Ok(None);
    }
    let before = booking::Entity::find()
        .filter(booking::Column::PeriodId.eq(row.period_id))
        .filter(booking::Column::Status.eq(BookingStatus::Waiting))
        .filter(booking::Column::Id.lte(row.id))
        .count(db)
        .await?;
    Ok(Some(before))
}

/// The periods of a listing that begin from `from` on, and, of a capacity in all, its one.
pub(super) async fn periods(
    db: &impl ConnectionTrait,
    ids: impl IntoIterator<Item = ListingId>,
) -> Result<Vec<listing_period::Model>, DbErr> {
    Entity::find().filter(Column::ListingId.is_in(ids)).all(db).await
}
