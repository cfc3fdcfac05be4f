//! Who came, what was given, and the service record of the provider. All of it is to be run in a transaction.
//!
//! However many had booked an opening, its provider gets one record for it, made by the first booking that is completed. It is
//! proved as any service is: staff who saw it begin and end, B; a time that staff gave, or that nobody said, D.

use chrono::{DateTime, TimeDelta, Utc};
use entity::booking::{self, BookingStatus};
use entity::claim::CheckMeans;
use entity::id::{BookingId, ServiceRecordId, StaffId};
use entity::listing;
use entity::listing_service;
use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _};

use super::booking::{record, take};
use super::domain::BookingStep;
use super::error::ListingError;
use super::notice;
use super::service::By;
use super::waitlist;
use crate::identity::{Clerk, Scope};
use crate::notify;
use crate::points::programme_of;
use crate::service_record::service::{FromBooking, open_from_booking};
use crate::task::check::EARLY;

/// Until so long after the end a check-out by staff is one that they saw.
const LATE: TimeDelta = TimeDelta::minutes(30);
/// The longest service.
const LONGEST: TimeDelta = TimeDelta::hours(24);

/// When staff saw something, as evidence.
fn means(at: DateTime<Utc>, row: &booking::Model) -> CheckMeans {
    if (row.starts_at - EARLY..=row.ends_at + LATE).contains(&at) { CheckMeans::Staff } else { CheckMeans::StaffTime }
}

/// Notes that the member came; from half an hour before the opening.
///
/// # Errors
/// [`ListingError::NotFound`], [`ListingError::TooEarly`], [`ListingError::SecondPerson`], [`ListingError::BookingTransition`].
pub async fn attend(
    db: &impl ConnectionTrait,
    clerk: &Clerk,
    id: BookingId,
    now: DateTime<Utc>,
) -> Result<booking::Model, ListingError> {
    let (found, _) = taken(db, clerk, id).await?;
    if found.status == BookingStatus::Booked && now < found.starts_at - EARLY {
        return Err(ListingError::TooEarly("预约的时段尚未开始，开始前 30 分钟起可以登记到场"));
    }
    let changes =
        booking::ActiveModel { attended_at: Set(Some(now)), attended_by: Set(Some(clerk.id)), ..Default::default() };
    let row = waitlist::step(db, &found, BookingStep::Attend, changes, now).await?;
    record(db, &By::Staff((**clerk).clone()), "booking.attend", &row, now).await?;
    Ok(row)
}

/// What staff say of a service that is over.
#[derive(Clone, Debug, Default)]
pub struct Completion {
    /// When it began and ended, where it was not the whole opening; the record is then of grade D.
    pub times: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// The provider gets no record.
    pub without_record: bool,
}

/// Notes that what was booked has been given, and opens the record of the provider, if a member provides it.
///
/// # Errors
/// [`ListingError::NotFound`], [`ListingError::TooEarly`], [`ListingError::SecondPerson`], [`ListingError::BookingTransition`];
/// [`ListingError::Invalid`] on the times; [`ListingError::Record`] where they overlap another record of the provider.
pub async fn complete(
    db: &impl ConnectionTrait,
    clerk: &Clerk,
    id: BookingId,
    completion: &Completion,
    new: ServiceRecordId,
    now: DateTime<Utc>,
) -> Result<booking::Model, ListingError> {
    let (found, listing) = taken(db, clerk, id).await?;
    if found.status == BookingStatus::Attended && now <= found.starts_at {
        return Err(ListingError::TooEarly("预约的时段尚未开始，结束后再登记完成"));
    }
    check_times(&found, completion, now)?;
    let out = if completion.times.is_some() { CheckMeans::StaffTime } else { means(now, &found) };
    let opened = if completion.without_record {
        None
    } else {
        open_record(db, &listing, &found, completion.times, (out, Some(clerk.id)), new, now).await?
    };
    let row = finish(db, &listing, &found, opened, now).await?;
    record(db, &By::Staff((**clerk).clone()), "booking.complete", &row, now).await?;
    Ok(row)
}

/// The same by the job, once nobody can be expected to say more. The record is of grade D: nobody showed how long it took.
///
/// # Errors
/// As [`complete`], but for what staff say.
pub(super) async fn complete_itself(
    db: &impl ConnectionTrait,
    id: BookingId,
    new: Option<ServiceRecordId>,
    now: DateTime<Utc>,
) -> Result<booking::Model, ListingError> {
    let (found, listing) = take(db, &Scope::System, id).await?;
    let opened = match new {
        Some(new) => open_record(db, &listing, &found, None, (CheckMeans::Automatic, None), new, now).await?,
        None => None,
    };
    finish(db, &listing, &found, opened, now).await
}

async fn finish(
    db: &impl ConnectionTrait,
    listing: &listing::Model,
    found: &booking::Model,
    record: Option<ServiceRecordId>,
    now: DateTime<Utc>,
) -> Result<booking::Model, ListingError> {
    let changes = booking::ActiveModel { ended_at: Set(Some(now)), record_id: Set(record), ..Default::default() };
    let row = waitlist::step(db, found, BookingStep::Complete, changes, now).await?;
    notify::tell(db, row.member_id, notice::done(listing, &row), now).await?;
    Ok(row)
}

fn check_times(found: &booking::Model, completion: &Completion, now: DateTime<Utc>) -> Result<(), ListingError> {
    let Some((from, until)) = completion.times else { return Ok(()) };
    if until <= from || until - from > LONGEST {
        return Err(ListingError::field("ended_at", "out_of_range", "结束时间须晚于开始时间，且不超过 24 小时"));
    }
    if until > now {
        return Err(ListingError::field("ended_at", "out_of_range", "只能登记已经结束的服务"));
    }
    if from < found.starts_at || until > found.ends_at {
        return Err(ListingError::field("started_at", "out_of_range", "服务时间须在预约的时段之内"));
    }
    Ok(())
}

/// The record of the opening: the one that is there, or a new one. None where no member provides it, or where the booking is of
/// more than a day and nobody says when it was.
async fn open_record(
    db: &impl ConnectionTrait,
    listing: &listing::Model,
    found: &booking::Model,
    times: Option<(DateTime<Utc>, DateTime<Utc>)>,
    (means_out, entered_by): (CheckMeans, Option<StaffId>),
    new: ServiceRecordId,
    now: DateTime<Utc>,
) -> Result<Option<ServiceRecordId>, ListingError> {
    let (Some(provider), BookingStatus::Attended) = (listing.member_id, found.status) else { return Ok(None) };
    if let Some(known) = record_of(db, found).await? {
        return Ok(Some(known));
    }
    let span = times.or_else(|| {
        let until = found.ends_at.min(now);
        (found.ends_at - found.starts_at <= LONGEST && until > found.starts_at).then_some((found.starts_at, until))
    });
    let Some((started_at, ended_at)) = span else { return Ok(None) };
    let means_in = match found.attended_at {
        Some(_) if times.is_some() => CheckMeans::StaffTime,
        Some(at) => means(at, found),
        None => CheckMeans::StaffTime,
    };
    let typed_in = [means_in, means_out].contains(&CheckMeans::StaffTime);
    let programme = programme_of(db, &listing.region_code).await?;
    let from = FromBooking {
        id: new,
        member_id: provider,
        category: listing.category,
        programme: &programme,
        region: &listing.region_code,
        window_from: started_at,
        window_until: if times.is_some() { ended_at } else { found.ends_at },
        started_at,
        ended_at,
        means_in,
        means_out,
        entered_by: entered_by.or(found.attended_by).filter(|_| typed_in),
        now,
    };
    let opened = open_from_booking(db, &from).await?;
    let row = listing_service::ActiveModel {
        listing_id: Set(found.listing_id),
        starts_at: Set(found.starts_at),
        record_id: Set(opened.id),
    };
    listing_service::Entity::insert(row).exec_without_returning(db).await?;
    notify::tell(db, provider, notice::recorded(listing, opened.id), now).await?;
    Ok(Some(opened.id))
}

async fn record_of(db: &impl ConnectionTrait, found: &booking::Model) -> Result<Option<ServiceRecordId>, DbErr> {
    let known = listing_service::Entity::find()
        .filter(listing_service::Column::ListingId.eq(found.listing_id))
        .filter(listing_service::Column::StartsAt.eq(found.starts_at))
        .one(db)
        .await?;
    Ok(known.map(|row| row.record_id))
}

/// Notes that nobody came, once the opening has begun; what was put aside is free again.
///
/// # Errors
/// [`ListingError::NotFound`], [`ListingError::TooEarly`], [`ListingError::SecondPerson`], [`ListingError::BookingTransition`].
pub async fn miss(
    db: &impl ConnectionTrait,
    clerk: &Clerk,
    id: BookingId,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<booking::Model, ListingError> {
    let (found, listing) = taken(db, clerk, id).await?;
    if found.status == BookingStatus::Booked && now < found.starts_at {
        return Err(ListingError::TooEarly("预约的时段尚未开始，开始后才能登记未到"));
    }
    let changes = booking::ActiveModel {
        reason: Set(reason.map(str::to_owned)),
        attended_at: Set(None),
        attended_by: Set(None),
        ended_at: Set(Some(now)),
        ..Default::default()
    };
    let row = waitlist::step(db, &found, BookingStep::Miss, changes, now).await?;
    waitlist::promote(db, &listing, row.period_id, now).await?;
    notify::tell(db, row.member_id, notice::missed(&listing, &row), now).await?;
    record(db, &By::Staff((**clerk).clone()), "booking.no_show", &row, now).await?;
    Ok(row)
}

/// A booking that `clerk` may settle: neither as who provides it nor as who booked it.
async fn taken(
    db: &impl ConnectionTrait,
    clerk: &Clerk,
    id: BookingId,
) -> Result<(booking::Model, listing::Model), ListingError> {
    let (found, listing) = take(db, &Scope::Staff(clerk.subtree()), id).await?;
    let oneself =
        clerk.member.is_some() && (clerk.member == listing.member_id || clerk.member == Some(found.member_id));
    if oneself {
        return Err(ListingError::SecondPerson("不能为自己办理，请由另一位工作人员处理"));
    }
    Ok((found, listing))
}
