//! A booked time is changed for another one of the same service, before it begins.

use entity::goods_slot::{self, SlotStatus};
use entity::id::{RedemptionId, SlotId};
use entity::redemption::{ActiveModel, Column, Entity, RedemptionStatus};
use entity::redemption_line;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _};

use super::domain::RedemptionStep;
use super::error::RedemptionError;
use super::lines::Basket;
use super::order::runs_out;
use super::service::{self, Moment};
use super::shelf::{free_slot, take_slot};
use super::slot::expect_free;
use crate::identity::Scope;

/// Moves a booking of the caller's to another slot. `line` (1, 2 …) says which where several lines are booked.
///
/// # Errors
/// `NotFound` outside `scope`, `InvalidTransition` where it is not reserved any more; `Field` for a line or a slot that is
/// not there; `SlotClosed` where either slot has begun or the new one is closed, `SlotFull`.
pub(super) async fn rebook(
    db: &impl ConnectionTrait,
    scope: &Scope,
    id: RedemptionId,
    line: Option<usize>,
    slot_id: SlotId,
    moment: &Moment,
) -> Result<Basket, RedemptionError> {
    let mut basket = service::find(db, scope, id).await?;
    if basket.row.status != RedemptionStatus::Reserved {
        return Err(RedemptionError::InvalidTransition { at: basket.row.status, step: RedemptionStep::Rebook });
    }
    let at = booked_line(&basket, line)?;
    let (goods, quantity) = (basket.lines[at].goods_id, basket.lines[at].quantity);
    let Some(old) = basket.lines[at].slot.clone() else { return Err(RedemptionError::NotFound) };
    if old.starts_at <= moment.now {
        return Err(RedemptionError::SlotBegun);
    }
    let field = |detail| RedemptionError::Field { field: "slot_id", detail };
    let new = goods_slot::Entity::find_by_id(slot_id).one(db).await?.filter(|slot| slot.goods_id == goods);
    let new = new.ok_or(field("该服务没有这个时段，请从可约时段中选择"))?;
    if new.id == old.id {
        return Err(field("已预约的就是这个时段，请选择另一个时段"));
    }
    expect_free(&new, quantity, moment.now)?;
    basket.lines[at].slot = Some(goods_slot::Model { taken: new.taken + quantity, status: SlotStatus::Open, ..new });
    write(db, &mut basket, at, old.id).await?;
    // In the order of ids, as everywhere.
    if slot_id < old.id {
        take_slot(db, slot_id, quantity, moment.now).await?;
        free_slot(db, old.id, quantity).await?;
    } else {
        free_slot(db, old.id, quantity).await?;
        take_slot(db, slot_id, quantity, moment.now).await?;
    }
    Ok(basket)
}

fn booked_line(basket: &Basket, line: Option<usize>) -> Result<usize, RedemptionError> {
    let field = |detail| RedemptionError::Field { field: "line", detail };
    let mut booked = basket.lines.iter().enumerate().filter(|(_, line)| line.slot.is_some()).map(|(at, _)| at);
    match (line, booked.next(), booked.next()) {
        (None, Some(only), None) => Ok(only),
        (None, None, _) => Err(field("该兑换没有预约时段，无须改约")),
        (None, Some(_), Some(_)) => Err(field("该兑换预约了多个时段，请说明改约哪一项")),
        (Some(line), ..) => {
            let found = line.checked_sub(1).filter(|at| basket.lines.get(*at).is_some_and(|line| line.slot.is_some()));
            found.ok_or(field("该兑换没有这一项预约，请核对"))
        }
    }
}

/// Writes the new slot, on condition that the redemption is still reserved and the line still has the old one.
async fn write(db: &impl ConnectionTrait, basket: &mut Basket, at: usize, old: SlotId) -> Result<(), RedemptionError> {
    let slots = || basket.lines.iter().filter_map(|line| line.slot.as_ref());
    if let Some(end) = slots().map(|slot| slot.ends_at).max() {
        basket.row.expires_at = Some(runs_out(db, end).await?);
    }
    let new = basket.lines[at].slot.as_ref().map(|slot| slot.id);
    let mut set = ActiveModel { expires_at: Set(basket.row.expires_at), ..Default::default() };
    let mut still = Column::Status.eq(RedemptionStatus::Reserved).and(Column::Id.eq(basket.row.id));
    if at == 0 {
        basket.row.slot_id = new;
        set.slot_id = Set(new);
        still = still.and(Column::SlotId.eq(old));
    }
    let mut moved = Entity::update_many().set(set).filter(still).exec(db).await?.rows_affected;
    if at > 0 && moved == 1 {
        let number = i16::try_from(at + 1).unwrap_or(i16::MAX);
        let set = redemption_line::ActiveModel { slot_id: Set(new), ..Default::default() };
        moved = redemption_line::Entity::update_many()
            .set(set)
            .filter(redemption_line::Column::RedemptionId.eq(basket.row.id))
            .filter(redemption_line::Column::Line.eq(number))
            .filter(redemption_line::Column::SlotId.eq(old))
            .exec(db)
            .await?
            .rows_affected;
    }
    if moved == 1 {
        return Ok(());
    }
    // Somebody was faster: tell what it has become.
    let now = Entity::find_by_id(basket.row.id).one(db).await?.map_or(basket.row.status, |row| row.status);
    Err(RedemptionError::InvalidTransition { at: now, step: RedemptionStep::Rebook })
}
