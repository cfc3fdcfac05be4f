//! What happens by itself to listings and bookings. Any node may run it at any time, several at once: each step is a command of
//! its own, conditional on what it found.

use chrono::{DateTime, Utc};
use entity::booking::{self, BookingStatus};
use entity::id::{BookingId, ListingId, ServiceRecordId};
use entity::listing;
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};

use super::booking::take;
use super::error::ListingError;
use super::service::own_skills;
use super::{attendance, ending, round, waitlist};
use crate::app::AppState;
use crate::db::Txn;
use crate::identity::Scope;
use crate::jobs::{JobError, Lease};
use crate::service_record::error::RecordError;
use crate::setting::{self, Number};
use crate::task::error::TaskError;

/// How many of a kind are read at once.
const BATCH: u64 = 200;
/// How long after its end a booking that nobody said anything of is closed.
const CLOSE_HOURS: Number = Number::new("booking.close_hours", 72, 1..=24 * 60);

/// Lets go who waited in vain, closes bookings whose time is over, ends listings whose window is over, makes the next tasks of
/// needs. Answers how many things it did.
///
/// # Errors
/// The database does not answer.
pub async fn run(state: &AppState, _: &Lease) -> Result<u64, JobError> {
    Ok(sweep_all(state).await?)
}

async fn sweep_all(state: &AppState) -> Result<u64, ListingError> {
    let (now, calendar) = (state.clock.now(), state.calendar);
    let mut done = 0;
    loop {
        let mut moved = 0;
        for (id, status) in due(state.db.read(), now).await? {
            let record = ServiceRecordId::new();
            let step = state.db.write(async move |txn: &Txn| settle(txn, id, status, record, now).await).await;
            moved += count(step)?;
        }
        for id in ending::over(state.db.read(), now, BATCH).await? {
            let ended = state.db.write(async move |txn: &Txn| ending::expire(txn, id, now).await).await;
            moved += count(ended)?;
        }
        for id in round::due(state.db.read(), now, BATCH).await? {
            let ids = round::draw();
            let opened = state.db.write(async move |txn: &Txn| next_round(txn, calendar, id, &ids, now).await).await;
            moved += count(opened)?;
        }
        done += moved;
        if moved == 0 {
            return Ok(done);
        }
    }
}

/// Bookings that something is to be done about.
async fn due(db: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<Vec<(BookingId, BookingStatus)>, DbErr> {
    use booking::Column::{EndsAt, HeldUntil, Id, Status};
    let [hours] = setting::numbers(db, [CLOSE_HOURS]).await?;
    let waited = Condition::all().add(Status.eq(BookingStatus::Waiting)).add(HeldUntil.lte(now));
    let over = Condition::all()
        .add(Status.is_in([BookingStatus::Booked, BookingStatus::Attended]))
        .add(EndsAt.lte(now - setting::hours(hours)));
    let mut found = Vec::new();
    for (condition, order) in [(waited, HeldUntil), (over, EndsAt)] {
        let rows: Vec<(BookingId, BookingStatus)> = booking::Entity::find()
            .select_only()
            .columns([Id, Status])
            .filter(condition)
            .order_by_asc(order)
            .limit(BATCH)
            .into_tuple()
            .all(db)
            .await?;
        found.extend(rows);
    }
    Ok(found)
}

async fn settle(
    txn: &Txn,
    id: BookingId,
    status: BookingStatus,
    record: ServiceRecordId,
    now: DateTime<Utc>,
) -> Result<bool, ListingError> {
    if status == BookingStatus::Attended {
        let recorded = txn.nested(async |txn| attendance::complete_itself(txn, id, Some(record), now).await).await;
        match recorded {
            // The provider was elsewhere at that time by another record: it stands, and the booking ends all the same.
            Err(ListingError::Record(RecordError::Overlapping | RecordError::NotFound)) => {
                attendance::complete_itself(txn, id, None, now).await?;
            }
            other => drop(other?),
        }
        return Ok(true);
    }
    let (found, listing) = take(txn, &Scope::System, id).await?;
    if found.status != status {
        return Ok(false);
    }
    waitlist::lapse(txn, &listing, &found, now).await?;
    waitlist::promote(txn, &listing, found.period_id, now).await?;
    Ok(true)
}

async fn next_round(
    txn: &Txn,
    calendar: crate::calendar::Calendar,
    id: ListingId,
    ids: &[entity::id::TaskId],
    now: DateTime<Utc>,
) -> Result<bool, ListingError> {
    let found = listing::Entity::find_by_id(id).lock_exclusive().one(txn).await?;
    let Some(need) = found.filter(|need| need.next_round_at.is_some_and(|at| at <= now)) else { return Ok(false) };
    if need.status != listing::ListingStatus::Published {
        return Ok(false);
    }
    let skills = own_skills(txn, id).await?;
    let before = need.next_round_at;
    let after = round::open(txn, calendar, need, &skills, ids, now).await?;
    Ok(after.next_round_at != before)
}

/// Only an unreachable database ends the run.
fn count(step: Result<bool, ListingError>) -> Result<u64, ListingError> {
    match step {
        Ok(done) => Ok(u64::from(done)),
        Err(error @ (ListingError::Db(_) | ListingError::Task(TaskError::Db(_)))) => Err(error),
        Err(ListingError::Raced | ListingError::BookingTransition { .. } | ListingError::NotFound) => Ok(0),
        Err(other) => {
            tracing::warn!(error = %other, "a listing or booking could not be moved by itself");
            Ok(0)
        }
    }
}
