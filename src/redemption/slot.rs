//! Times at which a service can be had: made by staff, taken by redemptions, closed again.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use entity::goods::GoodsKind;
use entity::goods_slot::{ActiveModel, Column, Entity, Model, SlotStatus};
use entity::id::{GoodsId, RedemptionId, SlotId};
use entity::redemption::{self, RedemptionStatus};
use entity::{goods, redemption_line};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, JoinType, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, RelationDef,
};

use super::error::{Foreign, RedemptionError};
use super::goods as shelf;
use super::lines::Basket;
use super::service::{self, Moment};
use crate::http::{Listing, Page, Problem};
use crate::identity::StaffCaller;

/// One call makes at most so many.
pub const MOST_SLOTS: usize = 500;
/// How often closing looks again for bookings made meanwhile.
const ROUNDS: usize = 8;

/// A slot to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewSlot {
    pub starts_at: DateTime<Utc>,
    /// After it starts, within a day.
    pub ends_at: DateTime<Utc>,
    /// 1 to 1,000.
    pub capacity: i32,
}

/// Refuses a slot that cannot be booked.
///
/// # Errors
/// `SlotClosed`, also where it has begun; `SlotFull`.
pub(super) fn expect_free(slot: &Model, quantity: i32, now: DateTime<Utc>) -> Result<(), RedemptionError> {
    if slot.status == SlotStatus::Closed || slot.starts_at <= now {
        return Err(RedemptionError::SlotClosed);
    }
    let left = slot.capacity - slot.taken;
    if left < quantity { Err(RedemptionError::SlotFull { left }) } else { Ok(()) }
}

/// Gives a service slots, after which it is had by slots only. Answers them with the station's region.
///
/// # Errors
/// `NotFound`, `OtherStation`; `NotAService`; `SlotExists` where a slot of it starts at the same time.
pub async fn add(
    db: &impl ConnectionTrait,
    staff: &StaffCaller,
    goods: GoodsId,
    new: &[(SlotId, NewSlot)],
    now: DateTime<Utc>,
) -> Result<(Vec<Model>, String), RedemptionError> {
    let (found, region) = shelf::find_served(db, staff, goods).await?;
    if found.kind != GoodsKind::Service {
        return Err(RedemptionError::NotAService);
    }
    // Whoever else adds slots to these goods waits here.
    goods::Entity::update_many()
        .set(goods::ActiveModel { bookable: Set(true), updated_at: Set(now), ..Default::default() })
        .filter(goods::Column::Id.eq(goods))
        .exec(db)
        .await?;
    let starts: BTreeSet<_> = new.iter().map(|(_, slot)| slot.starts_at).collect();
    let known = Entity::find().filter(Column::GoodsId.eq(goods)).filter(Column::StartsAt.is_in(starts.iter().copied()));
    if let Some(known) = known.order_by_asc(Column::StartsAt).one(db).await? {
        return Err(RedemptionError::SlotExists { starts_at: known.starts_at });
    }
    let rows: Vec<Model> = new
        .iter()
        .map(|(id, slot)| Model {
            id: *id,
            goods_id: goods,
            starts_at: slot.starts_at,
            ends_at: slot.ends_at,
            capacity: slot.capacity,
            taken: 0,
            status: SlotStatus::Open,
            created_at: now,
        })
        .collect();
    crate::db::insert_all(db, rows.iter().cloned().map(sea_orm::IntoActiveModel::into_active_model)).await?;
    Ok((rows, region))
}

/// Which slots to list.
#[derive(Clone, Copy, Debug)]
pub struct SlotFilter {
    pub goods: GoodsId,
    /// Those that start from then on.
    pub from: DateTime<Utc>,
    /// Those that start before.
    pub until: Option<DateTime<Utc>>,
    /// Only those that can be booked now.
    pub free: Option<DateTime<Utc>>,
}

/// Slots of a service, earliest first.
///
/// # Errors
/// 422 for a forged cursor; the database's.
pub async fn list(db: &impl ConnectionTrait, filter: &SlotFilter, page: &Page) -> Result<Listing<Model>, Problem> {
    let mut query = Entity::find().filter(Column::GoodsId.eq(filter.goods)).filter(Column::StartsAt.gte(filter.from));
    if let Some(until) = filter.until {
        query = query.filter(Column::StartsAt.lt(until));
    }
    if let Some(now) = filter.free {
        query = query
            .filter(Column::Status.eq(SlotStatus::Open))
            .filter(Column::StartsAt.gt(now))
            .filter(Expr::col(Column::Taken).lt(Expr::col(Column::Capacity)));
    }
    // Of one service no two slots start together.
    if let Some(after) = page.after::<DateTime<Utc>>()? {
        query = query.filter(Column::StartsAt.gt(after));
    }
    let rows = query.order_by_asc(Column::StartsAt).limit(page.limit() + 1).all(db).await?;
    Ok(Listing::cut(rows, page, |last| last.starts_at))
}

/// A slot of a station where `staff` works, with the station's region.
///
/// # Errors
/// `NotFound`, `OtherStation`.
pub async fn find_served(
    db: &impl ConnectionTrait,
    staff: &StaffCaller,
    id: SlotId,
) -> Result<(Model, String), RedemptionError> {
    let slot = Entity::find_by_id(id).one(db).await?.ok_or(RedemptionError::NotFound)?;
    match shelf::find_served(db, staff, slot.goods_id).await {
        Ok((_, region)) => Ok((slot, region)),
        Err(RedemptionError::OtherStation(Foreign { region, .. })) => {
            Err(RedemptionError::OtherStation(Foreign { kind: "goods_slot", id: id.0, region }))
        }
        Err(other) => Err(other),
    }
}

/// What may change about a slot.
#[derive(Clone, Copy, Debug, Default)]
pub struct SlotChange {
    /// Not below what is taken.
    pub capacity: Option<i32>,
    pub status: Option<SlotStatus>,
    /// Closing cancels what is booked and not yet fulfilled, whole redemptions, so that everything goes back.
    pub cancel_bookings: bool,
}

/// Changes a slot of a station where `staff` works. Answers it, the redemptions cancelled, and the station's region.
///
/// # Errors
/// `NotFound`, `OtherStation`; `SlotBooked` where more is taken than it would hold, or it would be closed over bookings.
pub async fn change(
    db: &impl ConnectionTrait,
    staff: &StaffCaller,
    id: SlotId,
    change: &SlotChange,
    moment: &Moment,
) -> Result<(Model, Vec<Basket>, String), RedemptionError> {
    let (mut slot, region) = find_served(db, staff, id).await?;
    let closes = change.status == Some(SlotStatus::Closed) && slot.status == SlotStatus::Open;
    let mut cancelled = Vec::new();
    for _ in 0..ROUNDS {
        let booked = if closes { bookings(db, id).await? } else { Vec::new() };
        if !booked.is_empty() {
            if !change.cancel_bookings {
                break;
            }
            cancelled.extend(service::cancel_all(db, booked, moment).await?);
        } else if change.capacity.is_some_and(|capacity| capacity < slot.taken) {
            break;
        } else if let Some(changed) = write(db, &slot, change).await? {
            return Ok((changed, cancelled, region));
        }
        // Somebody booked or gave up meanwhile.
        slot = Entity::find_by_id(id).one(db).await?.ok_or(RedemptionError::NotFound)?;
    }
    Err(RedemptionError::SlotBooked { taken: slot.taken })
}

/// Writes the change, on condition that as much is taken as when `slot` was read; `None` otherwise.
async fn write(db: &impl ConnectionTrait, slot: &Model, change: &SlotChange) -> Result<Option<Model>, DbErr> {
    let set = ActiveModel {
        capacity: Set(change.capacity.unwrap_or(slot.capacity)),
        status: Set(change.status.unwrap_or(slot.status)),
        ..Default::default()
    };
    let as_read = Column::Id.eq(slot.id).and(Column::Taken.eq(slot.taken));
    let changed = Entity::update_many().set(set).filter(as_read).exec_with_returning(db).await?;
    Ok(changed.into_iter().next())
}

/// The reserved redemptions with a line in a slot, in the order of ids.
async fn bookings(db: &impl ConnectionTrait, id: SlotId) -> Result<Vec<RedemptionId>, DbErr> {
    use redemption_line::Column as Further;
    let reserved = || {
        redemption::Entity::find()
            .select_only()
            .column(redemption::Column::Id)
            .filter(redemption::Column::Status.eq(RedemptionStatus::Reserved))
    };
    let first = reserved().filter(redemption::Column::SlotId.eq(id));
    let mut found: BTreeSet<RedemptionId> = first.into_tuple::<RedemptionId>().all(db).await?.into_iter().collect();
    let whole: RelationDef = redemption::Entity::belongs_to(redemption_line::Entity)
        .from(redemption::Column::Id)
        .to(Further::RedemptionId)
        .into();
    let further = reserved().join(JoinType::InnerJoin, whole).filter(Further::SlotId.eq(id));
    found.extend(further.into_tuple::<RedemptionId>().all(db).await?);
    Ok(found.into_iter().collect())
}
