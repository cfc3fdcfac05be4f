//! Taking listings in, changing and publishing them. All of it is to be run in a transaction.

use chrono::{DateTime, Utc};
use entity::category::Category;
use entity::id::{ListingId, MemberId, StationId, TaskId, UnitId};
use entity::listing::{self, CapacityPeriod, ListingKind, ListingStatus, OwnerKind};
use entity::{booking, listing_period};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, IntoActiveModel as _, QueryFilter as _};
use serde_json::json;

use super::check::{judge, over_fault, owner_fault, region_of, when_faults};
use super::domain::{LIVE, ListingStep};
use super::error::ListingError;
use super::opening::{Opening, Openings, Schedule};
use super::service::{By, allowed, own_skills, set_skills, step, take, write};
use super::{notice, round, waitlist};
use crate::audit::{self, AuditEvent};
use crate::calendar::Calendar;
use crate::identity::{Manager, StaffCaller};
use crate::notify;
use crate::region::RegionCode;
use crate::task::check::Point;

/// Whose a listing is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    Community,
    Unit(UnitId),
    Station(StationId),
    Member(MemberId),
}

/// A listing as somebody asks for it.
#[derive(Clone, Debug)]
pub struct NewListing {
    pub id: ListingId,
    pub kind: ListingKind,
    pub title: String,
    pub body: String,
    pub category: Category,
    pub domain: Option<String>,
    pub skills: Vec<String>,
    /// None: the member's community.
    pub region: Option<RegionCode>,
    pub owner: Owner,
    pub capacity: i32,
    pub measure: Option<String>,
    pub period: CapacityPeriod,
    pub window: Opening,
    pub place: Option<Point>,
    pub address: Option<String>,
    pub openings: Openings,
    pub special_group: Option<String>,
    pub special_group_sealed: Option<Vec<u8>>,
}

/// Takes a listing in, as a draft.
///
/// # Errors
/// [`ListingError::Invalid`] on each field that does not fit.
pub async fn post(
    db: &impl ConnectionTrait,
    calendar: Calendar,
    by: &By,
    mut new: NewListing,
    now: DateTime<Utc>,
) -> Result<listing::Model, ListingError> {
    let mut refused = judge(db, &mut new.skills, &mut new.domain, new.special_group.as_deref()).await?;
    let (kind, window) = (new.kind, new.window);
    refused.extend(when_faults(kind, window, &mut new.openings, new.period, calendar, now));
    let region = match region_of(db, by, new.region.as_ref()).await? {
        Ok(region) => {
            refused.extend(owner_fault(db, by, new.owner, &region).await?);
            Some(region)
        }
        Err(fault) => {
            refused.push(fault);
            None
        }
    };
    let (Some(region), true) = (region, refused.is_empty()) else { return Err(ListingError::Invalid(refused)) };
    let row = row(new, region, by, now)?;
    listing::Entity::insert(row.0.clone().into_active_model()).exec_without_returning(db).await?;
    set_skills(db, row.0.id, &row.1).await?;
    record(db, by, "listing.post", &row.0, now).await?;
    Ok(row.0)
}

fn row(
    new: NewListing,
    region: RegionCode,
    by: &By,
    now: DateTime<Utc>,
) -> Result<(listing::Model, Vec<String>), ListingError> {
    let (owner_kind, unit_id, station_id, member_id) = match new.owner {
        Owner::Community => (OwnerKind::Community, None, None, None),
        Owner::Unit(id) => (OwnerKind::Unit, Some(id), None, None),
        Owner::Station(id) => (OwnerKind::Station, None, Some(id), None),
        Owner::Member(id) => (OwnerKind::Member, None, None, Some(id)),
    };
    let row = listing::Model {
        id: new.id,
        ref_id: None,
        kind: new.kind,
        title: new.title,
        body: new.body,
        category: new.category,
        domain: new.domain,
        region_code: region.into(),
        owner_kind,
        unit_id,
        station_id,
        member_id,
        capacity: new.capacity,
        measure: new.measure,
        period: new.period,
        window_from: new.window.starts_at,
        window_until: new.window.ends_at,
        lat: new.place.map(|place| place.lat),
        lon: new.place.map(|place| place.lon),
        address: new.address,
        openings: stored(&new.openings)?,
        special_group_sealed: new.special_group_sealed,
        status: ListingStatus::Draft,
        risk_notice: None,
        reason: None,
        created_by: match by {
            By::Member(_) => None,
            By::Staff(staff) => Some(staff.id),
        },
        published_by: None,
        created_at: now,
        published_at: None,
        ended_at: None,
        updated_at: now,
        next_round_at: None,
    };
    Ok((row, new.skills))
}

fn stored(openings: &Openings) -> Result<serde_json::Value, ListingError> {
    serde_json::to_value(openings).map_err(|error| ListingError::Db(DbErr::Json(error.to_string())))
}

/// What may change about a listing; what is none stays.
#[derive(Clone, Debug, Default)]
pub struct Change {
    pub title: Option<String>,
    pub body: Option<String>,
    pub category: Option<Category>,
    pub domain: Option<String>,
    pub skills: Option<Vec<String>>,
    pub capacity: Option<i32>,
    pub measure: Option<String>,
    pub period: Option<CapacityPeriod>,
    pub window: Option<Opening>,
    pub place: Option<Point>,
    pub address: Option<String>,
    pub openings: Option<Openings>,
    pub special_group: Option<String>,
    pub special_group_sealed: Option<Vec<u8>>,
}

/// Changes a draft, by its owner or staff, or a published listing, by staff: the tasks of a need that nobody has claimed are made
/// anew, more capacity goes to who waits.
///
/// # Errors
/// [`ListingError::NotFound`], [`ListingError::NotYours`], [`ListingError::Published`], [`ListingError::Invalid`];
/// [`ListingError::InvalidTransition`] for one that has ended; [`ListingError::HasBookings`] where live bookings would not fit.
pub async fn change(
    db: &impl ConnectionTrait,
    calendar: Calendar,
    by: &By,
    id: ListingId,
    mut change: Change,
    tasks: &[TaskId],
    now: DateTime<Utc>,
) -> Result<listing::Model, ListingError> {
    let found = take(db, by, id).await?;
    let mut skills = change.skills.clone().unwrap_or_default();
    let mut refused = judge(db, &mut skills, &mut change.domain, change.special_group.as_deref()).await?;
    let timed = change.window.is_some() || change.openings.is_some() || change.period.is_some();
    let before = Schedule::of(&found, calendar);
    let mut openings = change.openings.clone().unwrap_or_else(|| before.openings.clone());
    let (window, period) = (change.window.unwrap_or(before.window), change.period.unwrap_or(before.period));
    if timed {
        refused.extend(when_faults(found.kind, window, &mut openings, period, calendar, now));
    }
    if !refused.is_empty() {
        return Err(ListingError::Invalid(refused));
    }
    match (found.status, by) {
        (ListingStatus::Draft, _) | (ListingStatus::Published, By::Staff(_)) => {}
        (ListingStatus::Published, By::Member(_)) => return Err(ListingError::Published),
        (at, _) => return Err(ListingError::InvalidTransition { at, step: ListingStep::Publish }),
    }
    if timed {
        let after = Schedule { openings: openings.clone(), window, period, ..before };
        keep_bookings(db, &found, &after).await?;
    }
    if let Some(capacity) = change.capacity.filter(|_| found.status == ListingStatus::Published) {
        set_capacity(db, &found, capacity, now).await?;
    }
    let changes = listing::ActiveModel {
        title: change.title.map_or_else(Default::default, Set),
        body: change.body.map_or_else(Default::default, Set),
        category: change.category.map_or_else(Default::default, Set),
        domain: change.domain.map_or_else(Default::default, |domain| Set(Some(domain))),
        capacity: change.capacity.map_or_else(Default::default, Set),
        measure: change.measure.map_or_else(Default::default, |measure| Set(Some(measure))),
        period: Set(period),
        window_from: Set(window.starts_at),
        window_until: Set(window.ends_at),
        lat: change.place.map_or_else(Default::default, |place| Set(Some(place.lat))),
        lon: change.place.map_or_else(Default::default, |place| Set(Some(place.lon))),
        address: change.address.map_or_else(Default::default, |address| Set(Some(address))),
        openings: Set(stored(&openings)?),
        special_group_sealed: change.special_group_sealed.map_or_else(Default::default, |sealed| Set(Some(sealed))),
        ..Default::default()
    };
    let row = write(db, &found, changes, now).await?;
    if change.skills.is_some() {
        set_skills(db, id, &skills).await?;
    }
    let row = if row.status == ListingStatus::Published && row.kind == ListingKind::Need {
        round::renew(db, calendar, row, tasks, now).await?
    } else {
        row
    };
    record(db, by, "listing.change", &row, now).await?;
    Ok(row)
}

/// What live bookings rest on stays: their openings are openings still, and the periods they count in are the same.
async fn keep_bookings(
    db: &impl ConnectionTrait,
    found: &listing::Model,
    after: &Schedule,
) -> Result<(), ListingError> {
    let live = booking::Entity::find()
        .filter(booking::Column::ListingId.eq(found.id))
        .filter(booking::Column::Status.is_in(LIVE))
        .all(db)
        .await?;
    let lost = |row: &&booking::Model| {
        let opening = Opening { starts_at: row.starts_at, ends_at: row.ends_at };
        found.period != after.period || after.at(row.starts_at).is_none_or(|kept| kept != opening)
    };
    match u64::try_from(live.iter().filter(lost).count()).unwrap_or(u64::MAX) {
        0 => Ok(()),
        count => Err(ListingError::HasBookings { count }),
    }
}

/// Gives the periods that have begun to be booked another capacity, and what became free to who waits.
async fn set_capacity(
    db: &impl ConnectionTrait,
    found: &listing::Model,
    capacity: i32,
    now: DateTime<Utc>,
) -> Result<(), ListingError> {
    use listing_period::{Column, Entity};
    let own = || Column::ListingId.eq(found.id);
    let over = Entity::find().filter(own()).filter(Expr::col(Column::Taken).gt(capacity)).all(db).await?;
    if !over.is_empty() {
        return Err(ListingError::HasBookings { count: u64::try_from(over.len()).unwrap_or(u64::MAX) });
    }
    Entity::update_many().col_expr(Column::Capacity, Expr::value(capacity)).filter(own()).exec(db).await?;
    let waited = Entity::find().filter(own()).filter(Column::Waiting.gt(0)).all(db).await?;
    for period in waited {
        waitlist::promote(db, found, period.id, now).await?;
    }
    Ok(())
}

/// What a manager says when publishing.
#[derive(Clone, Debug, Default)]
pub struct Publication {
    /// What volunteers of a need have to know (志愿服务条例 art. 12).
    pub risk_notice: Option<String>,
    pub category: Option<Category>,
    pub domain: Option<String>,
    pub skills: Option<Vec<String>>,
}

/// Puts a draft on the list. A need's openings of the next days become tasks.
///
/// # Errors
/// [`ListingError::NotFound`], [`ListingError::SecondPerson`] for one's own, [`ListingError::InvalidTransition`],
/// [`ListingError::Invalid`] on codes, or on `window.until` where its window is over by now.
pub async fn publish(
    db: &impl ConnectionTrait,
    calendar: Calendar,
    manager: &Manager,
    id: ListingId,
    mut publication: Publication,
    tasks: &[TaskId],
    now: DateTime<Utc>,
) -> Result<listing::Model, ListingError> {
    let by = By::Staff((**manager).clone());
    let found = take(db, &by, id).await?;
    not_ones_own(manager, &found)?;
    allowed(&found, ListingStep::Publish)?;
    let mut skills = publication.skills.clone().unwrap_or_default();
    let mut refused = judge(db, &mut skills, &mut publication.domain, None).await?;
    refused.extend(over_fault(&found, now));
    if !refused.is_empty() {
        return Err(ListingError::Invalid(refused));
    }
    if publication.skills.is_some() {
        set_skills(db, id, &skills).await?;
    }
    let changes = listing::ActiveModel {
        risk_notice: Set(publication.risk_notice.or_else(|| found.risk_notice.clone())),
        category: publication.category.map_or_else(Default::default, Set),
        domain: publication.domain.map_or_else(Default::default, |domain| Set(Some(domain))),
        published_by: Set(Some(manager.id)),
        published_at: Set(Some(now)),
        ended_at: Set(None),
        reason: Set(None),
        ..Default::default()
    };
    put_up(db, calendar, &by, (&found, ListingStep::Publish), changes, tasks, now).await
}

/// The last part of publishing and reopening: the step, the tasks of a need, the word to its owner, the trail.
pub(super) async fn put_up(
    db: &impl ConnectionTrait,
    calendar: Calendar,
    by: &By,
    (found, why): (&listing::Model, ListingStep),
    changes: listing::ActiveModel,
    tasks: &[TaskId],
    now: DateTime<Utc>,
) -> Result<listing::Model, ListingError> {
    let mut row = step(db, found, why, changes, now).await?;
    if row.kind == ListingKind::Need {
        let skills = own_skills(db, row.id).await?;
        row = round::open(db, calendar, row, &skills, tasks, now).await?;
    }
    if let Some(owner) = row.member_id {
        notify::tell(db, owner, notice::published(&row), now).await?;
    }
    record(db, by, "listing.publish", &row, now).await?;
    Ok(row)
}

/// Nobody decides about the listing of the member that they are.
pub(super) fn not_ones_own(staff: &StaffCaller, found: &listing::Model) -> Result<(), ListingError> {
    if staff.member.is_some() && staff.member == found.member_id {
        return Err(ListingError::SecondPerson("不能审核自己的条目，请由另一位工作人员办理"));
    }
    Ok(())
}

pub(super) async fn record(
    db: &impl ConnectionTrait,
    by: &By,
    action: &'static str,
    row: &listing::Model,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let event = AuditEvent::new(by.actor(), action, "listing", now).of(row.id).in_region(&row.region_code);
    audit::record(db, event.with(json!({"kind": row.kind, "status": row.status}))).await
}
