//! Booking capacity, waiting for it, and giving it up. All of it is to be run in a transaction.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entity::booking::{self, BookingStatus};
use entity::id::{BookingId, ListingId, MemberId, PeriodId, WishId};
use entity::listing::{self, ListingKind, ListingStatus};
use entity::wish::{self, WishStatus};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, IntoActiveModel as _, QueryFilter as _,
    QuerySelect as _, SelectExt as _,
};
use serde_json::json;

use super::check::living;
use super::domain::BookingStep;
use super::error::ListingError;
use super::opening::{Opening, Schedule};
use super::service::{By, sees};
use super::{notice, waitlist};
use crate::audit::{self, AuditEvent};
use crate::calendar::Calendar;
use crate::identity::{Caller, Scope};
use crate::notify;
use crate::region::RegionCode;
use crate::wish::service as wishes;

/// How often a booking without a time looks for another one where the one it chose went to somebody else.
const ROUNDS: usize = 8;

/// A booking as somebody asks for it.
#[derive(Clone, Debug)]
pub struct NewBooking {
    pub id: BookingId,
    /// Of the period, if this is its first booking.
    pub period_id: PeriodId,
    /// At least 1.
    pub quantity: i32,
    pub wish: Option<WishId>,
    /// For whom, where staff book.
    pub member: Option<MemberId>,
    /// When the opening begins; none: the first that has as much.
    pub from: Option<DateTime<Utc>>,
    /// Wait in line rather than be refused.
    pub waitlist: bool,
}

/// Books a resource or a service.
///
/// # Errors
/// [`ListingError::NotFound`], [`ListingError::NotBookable`], [`ListingError::NotPublished`], [`ListingError::OpeningOver`],
/// [`ListingError::CapacityExhausted`], [`ListingError::AlreadyBooked`]; [`ListingError::SecondPerson`] for one's own;
/// [`ListingError::Invalid`] on `quantity`, `wish_id`, `member_id` and `from`.
pub async fn book(
    db: &impl ConnectionTrait,
    calendar: Calendar,
    caller: &Caller,
    by: &By,
    id: ListingId,
    new: &NewBooking,
    now: DateTime<Utc>,
) -> Result<booking::Model, ListingError> {
    let found = listing::Entity::find_by_id(id).filter(sees(caller)).lock_shared().one(db).await?;
    let listing = found.ok_or(ListingError::NotFound)?;
    if listing.kind == ListingKind::Need {
        return Err(ListingError::NotBookable);
    }
    if listing.status != ListingStatus::Published {
        return Err(ListingError::NotPublished);
    }
    let (member, wish) = for_whom(db, caller, by, &listing, new).await?;
    if listing.member_id == Some(member) {
        return Err(ListingError::SecondPerson("不能预约自己提供的资源或服务"));
    }
    if new.quantity > listing.capacity {
        let words = format!("每个时段最多 {}，请减少数量", listing.capacity);
        return Err(ListingError::field("quantity", "out_of_range", words));
    }
    let schedule = Schedule::of(&listing, calendar);
    let (opening, period, status) = reserve(db, &listing, &schedule, by, new, wish.as_ref(), now).await?;
    let row = booking::Model {
        id: new.id,
        listing_id: id,
        period_id: period,
        member_id: member,
        wish_id: new.wish,
        region_code: listing.region_code.clone(),
        quantity: new.quantity,
        starts_at: opening.starts_at,
        ends_at: opening.ends_at,
        held_until: schedule.held_until(opening),
        status,
        made_by: match by {
            By::Member(_) => None,
            By::Staff(staff) => Some(staff.id),
        },
        attended_at: None,
        attended_by: None,
        ended_at: None,
        record_id: None,
        reason: None,
        created_at: now,
        updated_at: now,
    };
    booking::Entity::insert(row.clone().into_active_model()).exec_without_returning(db).await?;
    notify::tell(db, member, notice::booked(&listing, &row, calendar), now).await?;
    if let Some(owner) = listing.member_id {
        notify::tell(db, owner, notice::to_provider(&listing, &row, calendar), now).await?;
    }
    record(db, by, "booking.make", &row, now).await?;
    Ok(row)
}

/// The member, and the wish it is for.
async fn for_whom(
    db: &impl ConnectionTrait,
    caller: &Caller,
    by: &By,
    listing: &listing::Model,
    new: &NewBooking,
) -> Result<(MemberId, Option<wish::Model>), ListingError> {
    let wish = match new.wish {
        None => None,
        Some(id) => Some(wish_of(db, &caller.scope(), id).await?),
    };
    let requester = wish.as_ref().map(|wish| wish.requester_id);
    match by {
        By::Member(member) => {
            if requester.is_some_and(|requester| requester != member.id) {
                return Err(no_such_wish());
            }
            if new.member.is_some_and(|other| other != member.id) {
                return Err(ListingError::field("member_id", "invalid", "居民只能为自己预约，请去掉此项"));
            }
            Ok((member.id, wish))
        }
        By::Staff(staff) => {
            let named = new.member.or(requester);
            let Some(member) = named else {
                return Err(ListingError::field("member_id", "required", "请选择为哪位居民预约"));
            };
            let home = living(db, member).await?.filter(|home| staff.subtree().contains(home));
            let district = RegionCode::try_from(&listing.region_code)?.district().subtree();
            let fits = home.is_some_and(|home| district.contains(&home));
            if !fits || requester.is_some_and(|requester| requester != member) {
                return Err(ListingError::field("member_id", "invalid", "没有找到该居民，或心愿不是其本人的，请核对"));
            }
            Ok((member, wish))
        }
    }
}

fn no_such_wish() -> ListingError {
    ListingError::field("wish_id", "invalid", "没有找到这个心愿，或它已经了结，请核对")
}

/// A wish that is still to be met.
async fn wish_of(db: &impl ConnectionTrait, scope: &Scope, id: WishId) -> Result<wish::Model, ListingError> {
    use crate::wish::error::WishError;
    let found = match wishes::find(db, scope, id).await {
        Ok(found) => found,
        Err(WishError::Db(error)) => return Err(ListingError::Db(error)),
        Err(_) => return Err(no_such_wish()),
    };
    let open = [WishStatus::Submitted, WishStatus::Published, WishStatus::Claimed];
    if open.contains(&found.status) { Ok(found) } else { Err(no_such_wish()) }
}

/// Takes the capacity, or a place in the line.
async fn reserve(
    db: &impl ConnectionTrait,
    listing: &listing::Model,
    schedule: &Schedule,
    by: &By,
    new: &NewBooking,
    wish: Option<&wish::Model>,
    now: DateTime<Utc>,
) -> Result<(Opening, PeriodId, BookingStatus), ListingError> {
    let mut left = 0;
    for _ in 0..ROUNDS {
        let opening = match new.from {
            Some(from) => given(schedule, by, from, now)?,
            None => chosen(db, listing, schedule, new, wish, now).await?,
        };
        let starts_at = schedule.period_of(opening);
        let period = waitlist::period(db, listing, new.period_id, starts_at, now).await?;
        if waitlist::take(db, period.id, new.quantity).await? {
            return Ok((opening, period.id, BookingStatus::Booked));
        }
        let waits = schedule.held_until(opening) > now;
        if new.waitlist && waits && waitlist::queue(db, period.id, new.quantity).await? {
            return Ok((opening, period.id, BookingStatus::Waiting));
        }
        left = if period.waiting > 0 { 0 } else { period.capacity - period.taken };
        if new.from.is_some() && !new.waitlist {
            break;
        }
    }
    Err(ListingError::CapacityExhausted { left })
}

/// The opening that somebody named.
fn given(schedule: &Schedule, by: &By, from: DateTime<Utc>, now: DateTime<Utc>) -> Result<Opening, ListingError> {
    let opening = schedule.at(from).ok_or_else(|| {
        ListingError::field("from", "invalid", "这个时间没有开放，请从开放时段（openings）中选择一个开始时间")
    })?;
    // Staff may book for who stands before them while it is still open.
    let until = match by {
        By::Member(_) => schedule.held_until(opening),
        By::Staff(_) => opening.ends_at,
    };
    if until <= now { Err(ListingError::OpeningOver) } else { Ok(opening) }
}

/// The first opening that has as much: of those during the wish's window, then of all. To wait for: the first of all.
async fn chosen(
    db: &impl ConnectionTrait,
    listing: &listing::Model,
    schedule: &Schedule,
    new: &NewBooking,
    wish: Option<&wish::Model>,
    now: DateTime<Utc>,
) -> Result<Opening, ListingError> {
    let known: HashMap<_, _> =
        waitlist::periods(db, [listing.id]).await?.into_iter().map(|period| (period.starts_at, period)).collect();
    let bookable = |opening: &Opening| schedule.held_until(*opening) > now;
    let has_room = |opening: &Opening| {
        bookable(opening)
            && known.get(&schedule.period_of(*opening)).is_none_or(|period| {
                period.waiting == 0 && period.taken.saturating_add(new.quantity) <= period.capacity
            })
    };
    if let Some(wish) = wish
        && let Some(found) = schedule.first(Ord::max(wish.window_from, now), wish.window_until, has_room)
    {
        return Ok(found);
    }
    if let Some(found) = schedule.first(now, listing.window_until, has_room) {
        return Ok(found);
    }
    let first = schedule.first(now, listing.window_until, bookable).ok_or(ListingError::OpeningOver)?;
    if new.waitlist {
        return Ok(first);
    }
    let left = known.get(&schedule.period_of(first)).filter(|period| period.waiting == 0);
    Err(ListingError::CapacityExhausted { left: left.map_or(0, |period| period.capacity - period.taken) })
}

/// Bookings of one's own, and on one's own listings; those of the subtree's listings for staff.
pub(super) fn sees_booking(scope: &Scope) -> Condition {
    use booking::Column::{ListingId, MemberId, RegionCode};
    let owned = scope.owned((booking::Entity, MemberId), (booking::Entity, RegionCode));
    match scope {
        Scope::Member(id) => {
            let provided = sea_orm::sea_query::Query::select()
                .column(listing::Column::Id)
                .from(listing::Entity)
                .and_where(listing::Column::MemberId.eq(*id))
                .take();
            Condition::any().add(owned).add(Expr::col((booking::Entity, ListingId)).in_subquery(provided))
        }
        Scope::Staff(_) | Scope::System => owned,
    }
}

/// A booking that `scope` may see.
///
/// # Errors
/// [`ListingError::NotFound`].
pub async fn find(db: &impl ConnectionTrait, scope: &Scope, id: BookingId) -> Result<booking::Model, ListingError> {
    booking::Entity::find_by_id(id).filter(sees_booking(scope)).one(db).await?.ok_or(ListingError::NotFound)
}

/// Whether there is such a booking, whoever may see it.
///
/// # Errors
/// The database's.
pub async fn exists(db: &impl ConnectionTrait, id: BookingId) -> Result<bool, DbErr> {
    booking::Entity::find_by_id(id).exists(db).await
}

/// A booking with its listing, its period locked and then read again as it stands.
pub(super) async fn take(
    db: &impl ConnectionTrait,
    scope: &Scope,
    id: BookingId,
) -> Result<(booking::Model, listing::Model), ListingError> {
    let found = find(db, scope, id).await?;
    waitlist::lock(db, found.period_id).await?;
    let found = find(db, scope, id).await?;
    let listing = listing::Entity::find_by_id(found.listing_id).one(db).await?.ok_or(ListingError::NotFound)?;
    Ok((found, listing))
}

/// Gives a booking up; what it held goes to who waits. By its member until it begins, by the provider and staff until somebody came.
///
/// # Errors
/// [`ListingError::NotFound`], [`ListingError::BookingTransition`], [`ListingError::Begun`].
pub async fn cancel(
    db: &impl ConnectionTrait,
    calendar: Calendar,
    by: &By,
    id: BookingId,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<booking::Model, ListingError> {
    let scope = match by {
        By::Member(member) => Scope::Member(member.id),
        By::Staff(staff) => Scope::Staff(staff.subtree()),
    };
    let (found, listing) = take(db, &scope, id).await?;
    let own = by.member() == Some(found.member_id);
    if own && found.status == BookingStatus::Booked && found.held_until <= now {
        return Err(ListingError::Begun);
    }
    let changes =
        booking::ActiveModel { reason: Set(reason.map(str::to_owned)), ended_at: Set(Some(now)), ..Default::default() };
    let row = waitlist::step(db, &found, BookingStep::Cancel, changes, now).await?;
    if listing.status == ListingStatus::Published {
        waitlist::promote(db, &listing, row.period_id, now).await?;
    }
    if !own {
        notify::tell(db, row.member_id, notice::cancelled(&listing, &row, calendar), now).await?;
    } else if let Some(owner) = listing.member_id {
        notify::tell(db, owner, notice::given_up(&listing, &row, calendar), now).await?;
    }
    record(db, by, "booking.cancel", &row, now).await?;
    Ok(row)
}

pub(super) async fn record(
    db: &impl ConnectionTrait,
    by: &By,
    action: &'static str,
    row: &booking::Model,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let By::Staff(staff) = by else { return Ok(()) };
    let actor = crate::audit::Actor::Staff(staff.id);
    let event = AuditEvent::new(actor, action, "booking", now).of(row.id).in_region(&row.region_code);
    audit::record(db, event.with(json!({"status": row.status, "quantity": row.quantity}))).await
}
