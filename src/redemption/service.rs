//! The steps of a redemption. Each belongs inside one transaction.

use chrono::{DateTime, NaiveDate, Utc};
use entity::id::{JournalId, RedemptionId, StaffId};
use entity::redemption::{ActiveModel, Column, Entity, Model, RedemptionChannel, RedemptionStatus};
use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _};

use super::domain::{RedemptionStep, read_code};
use super::error::{Foreign, RedemptionError};
use super::limit;
use super::lines::{Basket, Named, named};
use super::order::{Draft, Order};
use super::payment::{self, Way};
use super::shelf::{self, Taking};
use super::voucher;
use crate::audit::Actor;
use crate::calendar::Calendar;
use crate::household;
use crate::identity::{Clerk, Scope, StaffCaller};

/// What every step needs beside its object; drawn before the transaction.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Of the journal that the step may post.
    pub journal_id: JournalId,
    pub actor: Actor,
    pub now: DateTime<Utc>,
    /// The local day of now.
    pub today: NaiveDate,
    pub calendar: Calendar,
}

/// Reserves goods for a member: holds the points, takes the stock or the booked places; all of it or nothing. Vouchers are
/// handed out at once, and their points spent.
///
/// # Errors
/// `NotFound` for goods that are not on offer, `Line` for lines that do not go together, `GoodsOut`, `SlotFull`, `SlotClosed`,
/// `LimitReached`, and `Insufficient` points.
pub async fn reserve(db: &impl ConnectionTrait, order: &Order, moment: &Moment) -> Result<Basket, RedemptionError> {
    let draft = Draft::find(db, order, moment.now).await?;
    let mut row = draft.row(moment, RedemptionChannel::App)?;
    if draft.gives_codes() {
        hand_over(&mut row, None, moment);
    }
    place(db, order, draft, row, None, moment).await
}

/// Sells goods over the counter: spends the points and hands out, in one step.
///
/// # Errors
/// As [`reserve`]; `OtherStation` for goods of a station where `clerk` does not work; `SecondPerson` where it is the clerk's
/// own points that would be spent.
pub async fn sell(
    db: &impl ConnectionTrait,
    clerk: &Clerk,
    order: &Order,
    moment: &Moment,
) -> Result<Basket, RedemptionError> {
    let draft = Draft::find(db, order, moment.now).await?;
    let offer = draft.first();
    if !clerk.serves(offer.station_id, &offer.region_code) {
        return Err(Foreign::goods(offer.id, offer.region_code.clone()));
    }
    let mut row = draft.row(moment, RedemptionChannel::Counter)?;
    hand_over(&mut row, Some(clerk.id), moment);
    place(db, order, draft, row, Some(clerk), moment).await
}

/// Makes a row fulfilled from the beginning.
fn hand_over(row: &mut Model, by: Option<StaffId>, moment: &Moment) {
    row.status = RedemptionStatus::Fulfilled;
    row.code = None;
    row.expires_at = None;
    row.fulfilled_at = Some(moment.now);
    row.fulfilled_by = by;
}

/// Takes the locks in the room's order: household, balances, goods, slots.
async fn place(
    db: &impl ConnectionTrait,
    order: &Order,
    draft: Draft<'_>,
    mut row: Model,
    clerk: Option<&StaffCaller>,
    moment: &Moment,
) -> Result<Basket, RedemptionError> {
    let counts_household = draft.goods().iter().any(|(offer, _)| offer.per_household_limit.is_some());
    let household = if counts_household { Some(household::lock(db, order.member_id).await?) } else { None };
    let way = if row.status == RedemptionStatus::Fulfilled { Way::Spend } else { Way::Hold };
    let shares = payment::pay(db, &mut row, order.pay_with, way, moment).await?;
    if clerk.is_some_and(|clerk| shares.iter().any(|share| clerk.member == Some(share.member_id))) {
        return Err(RedemptionError::SecondPerson);
    }
    limit::respect(db, &draft, order.member_id, household.as_deref(), moment).await?;
    shelf::place(db, &row, draft.further(), shares).await?;
    let gives_codes = draft.gives_codes();
    if gives_codes {
        give_codes(db, &row, &draft, moment).await?;
    }
    Ok(Basket { row, lines: draft.into_lines(), gives_codes })
}

/// The codes of vouchers whose stock has been taken.
async fn give_codes(
    db: &impl ConnectionTrait,
    row: &Model,
    draft: &Draft<'_>,
    moment: &Moment,
) -> Result<(), RedemptionError> {
    for (offer, quantity) in draft.goods() {
        let quantity = i32::try_from(quantity).unwrap_or(i32::MAX);
        let left = voucher::give(db, row.id, offer.id, quantity, moment).await?;
        if left < quantity {
            return Err(RedemptionError::GoodsOut { name: offer.name.clone(), left });
        }
    }
    Ok(())
}

/// Hands out what a pick-up code stands for and spends the points held.
///
/// # Errors
/// `NotFound` for a code that nobody has, `OtherStation` for one of a station where `clerk` does not work,
/// `InvalidTransition` for one used or ended, `TooLate` after its time.
pub async fn fulfil(
    db: &impl ConnectionTrait,
    clerk: &Clerk,
    typed: &str,
    moment: &Moment,
) -> Result<Basket, RedemptionError> {
    let code = read_code(typed).ok_or(RedemptionError::NotFound)?;
    let known = named(Entity::find().filter(Column::Code.eq(code)).order_by_desc(Column::Id)).all(db).await?;
    let (here, elsewhere): (Vec<Named>, Vec<Named>) =
        known.into_iter().partition(|known| clerk.serves(known.row.station_id, &known.row.region_code));
    let found = match (here.into_iter().next(), elsewhere.into_iter().next()) {
        (Some(found), _) => found,
        (None, Some(other)) => {
            return Err(Foreign::redemption(other.row.id, other.row.region_code));
        }
        (None, None) => return Err(RedemptionError::NotFound),
    };
    if found.row.status == RedemptionStatus::Reserved && found.row.expires_at.is_some_and(|end| end <= moment.now) {
        return Err(RedemptionError::TooLate);
    }
    let mut basket = Basket::of(db, found).await?;
    basket.row = step(db, &basket.row, RedemptionStep::Fulfil, moment, None, Some(clerk.id)).await?;
    let shares = payment::shares_of(db, &basket.row).await?;
    payment::capture(db, &basket.row, &shares, moment).await?;
    Ok(basket)
}

/// Gives up a reserved redemption of the caller's: holds, stock and booked places go back. `what` is cancel or expire.
///
/// # Errors
/// `NotFound` outside `scope`, `InvalidTransition` where it is not reserved any more; `SlotBegun` where a member cancels what
/// is booked for a time that has begun.
pub async fn give_up(
    db: &impl ConnectionTrait,
    scope: &Scope,
    id: RedemptionId,
    what: RedemptionStep,
    reason: Option<String>,
    moment: &Moment,
) -> Result<Basket, RedemptionError> {
    let mut basket = find(db, scope, id).await?;
    let by_member = matches!(moment.actor, Actor::Member(_)) && basket.row.status == RedemptionStatus::Reserved;
    if by_member && basket.has_begun(moment.now) {
        return Err(RedemptionError::SlotBegun);
    }
    basket.row = step(db, &basket.row, what, moment, reason, None).await?;
    payment::release(db, &[&basket.row], moment).await?;
    Taking::of([&basket]).give_back(db).await?;
    Ok(basket)
}

/// Cancels those of some redemptions that are still reserved, and answers them. The locks are taken for all together: all
/// redemptions, then all balances, goods and slots.
///
/// # Errors
/// The database's.
pub(super) async fn cancel_all(
    db: &impl ConnectionTrait,
    ids: Vec<RedemptionId>,
    moment: &Moment,
) -> Result<Vec<Basket>, RedemptionError> {
    let mut cancelled = Vec::new();
    if ids.is_empty() {
        return Ok(cancelled);
    }
    let found = named(Entity::find().filter(Column::Id.is_in(ids)).order_by_asc(Column::Id)).all(db).await?;
    for mut basket in Basket::all(db, found).await? {
        match step(db, &basket.row, RedemptionStep::Cancel, moment, None, None).await {
            Ok(row) => {
                basket.row = row;
                cancelled.push(basket);
            }
            // Somebody was faster.
            Err(RedemptionError::InvalidTransition { .. }) => {}
            Err(other) => return Err(other),
        }
    }
    let rows: Vec<&Model> = cancelled.iter().map(|basket| &basket.row).collect();
    payment::release(db, &rows, moment).await?;
    Taking::of(&cancelled).give_back(db).await?;
    Ok(cancelled)
}

/// Takes goods back and gives the points back, to the buckets they came from. Codes that come back are void, or with
/// `reissue` on the shelf again.
///
/// # Errors
/// `NotFound` outside `scope`, `InvalidTransition` where it was not handed out or has been refunded; `SecondPerson` where it is
/// `staff`'s own points that would come back.
pub async fn refund(
    db: &impl ConnectionTrait,
    scope: &Scope,
    staff: &StaffCaller,
    id: RedemptionId,
    reason: String,
    reissue: bool,
    moment: &Moment,
) -> Result<Basket, RedemptionError> {
    let mut basket = find(db, scope, id).await?;
    let shares = payment::shares_of(db, &basket.row).await?;
    let mut receivers = shares.iter().map(|share| share.member_id).chain([basket.row.member_id]);
    if receivers.any(|receiver| staff.member == Some(receiver)) {
        return Err(RedemptionError::SecondPerson);
    }
    basket.row = step(db, &basket.row, RedemptionStep::Refund, moment, Some(reason), None).await?;
    payment::refund(db, &basket.row, &shares, moment).await?;
    Taking::of([&basket]).give_back(db).await?;
    if basket.gives_codes {
        voucher::take_back(db, id, reissue, moment).await?;
    }
    Ok(basket)
}

/// A redemption that `scope` sees.
///
/// # Errors
/// `NotFound`.
pub async fn find(db: &impl ConnectionTrait, scope: &Scope, id: RedemptionId) -> Result<Basket, RedemptionError> {
    let seen = scope.owned((Entity, Column::MemberId), (Entity, Column::RegionCode));
    let found = named(Entity::find_by_id(id).filter(seen)).one(db).await?;
    Ok(Basket::of(db, found.ok_or(RedemptionError::NotFound)?).await?)
}

/// A redemption for a step that only `staff` of its station may do; `None`: its member does it, who is the `scope`.
///
/// # Errors
/// `NotFound`, `OtherStation`.
pub async fn find_served(
    db: &impl ConnectionTrait,
    scope: &Scope,
    staff: Option<&StaffCaller>,
    id: RedemptionId,
) -> Result<Basket, RedemptionError> {
    let Some(staff) = staff else { return find(db, scope, id).await };
    // Whoever reaches beyond their subtree is to be told from whoever reaches for nothing.
    let found = find(db, &Scope::System, id).await?;
    let served = staff.serves(found.row.station_id, &found.row.region_code);
    if served { Ok(found) } else { Err(Foreign::redemption(found.row.id, found.row.region_code)) }
}

/// Moves the row, on condition that it is still as it was read: of two at once one wins.
async fn step(
    db: &impl ConnectionTrait,
    found: &Model,
    what: RedemptionStep,
    moment: &Moment,
    reason: Option<String>,
    fulfilled_by: Option<StaffId>,
) -> Result<Model, RedemptionError> {
    let at = found.status;
    let status = what.apply_to(at).ok_or(RedemptionError::InvalidTransition { at, step: what })?;
    let mut row = Model { status, ..found.clone() };
    let mut change = ActiveModel { status: Set(status), ..Default::default() };
    if what == RedemptionStep::Fulfil {
        (row.fulfilled_at, row.fulfilled_by) = (Some(moment.now), fulfilled_by);
        (change.fulfilled_at, change.fulfilled_by) = (Set(row.fulfilled_at), Set(row.fulfilled_by));
    } else {
        (row.ended_at, row.reason) = (Some(moment.now), reason);
        (change.ended_at, change.reason) = (Set(row.ended_at), Set(row.reason.clone()));
    }
    let moved =
        Entity::update_many().set(change).filter(Column::Id.eq(row.id)).filter(Column::Status.eq(at)).exec(db).await?;
    if moved.rows_affected == 1 {
        return Ok(row);
    }
    // Somebody was faster: tell what it has become.
    let at = Entity::find_by_id(row.id).one(db).await?.map_or(at, |now| now.status);
    Err(RedemptionError::InvalidTransition { at, step: what })
}
