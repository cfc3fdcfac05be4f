//! Codes that have ended leave the shelf. Safe on several nodes: each step is conditional on the codes' status.

use chrono::NaiveDate;
use entity::goods;
use entity::id::{GoodsId, StockMovementId, VoucherId};
use entity::stock_movement::StockReason;
use entity::voucher::{ActiveModel, Column, Entity, VoucherStatus};
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use crate::app::AppState;
use crate::jobs::{JobError, Lease};
use crate::redemption::goods::MOST_STOCK;
use crate::redemption::stock::{movement, shift};

/// How many codes leave in one step.
const BATCH: u64 = 500;

/// Takes ended codes off the shelves; how many there were.
///
/// # Errors
/// The database's.
pub async fn run(state: &AppState, _: &Lease) -> Result<u64, JobError> {
    let now = state.clock.now();
    let today = state.calendar.day_of(now);
    let goods: Vec<GoodsId> = Entity::find()
        .select_only()
        .column(Column::GoodsId)
        .distinct()
        .filter(Column::Status.eq(VoucherStatus::Free))
        .filter(Column::ExpiresOn.lt(today))
        .into_tuple()
        .all(state.db.read())
        .await?;
    let mut done = 0;
    for id in goods {
        loop {
            let movement_id = StockMovementId::new();
            let gone = state.db.write(async move |txn| expire(txn, id, movement_id, today, now).await).await?;
            done += gone;
            if gone < BATCH {
                break;
            }
        }
    }
    Ok(done)
}

async fn expire(
    db: &impl ConnectionTrait,
    goods: GoodsId,
    movement_id: StockMovementId,
    today: NaiveDate,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<u64, DbErr> {
    goods::Entity::find_by_id(goods).lock_exclusive().one(db).await?;
    let ended: Vec<VoucherId> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::GoodsId.eq(goods))
        .filter(Column::Status.eq(VoucherStatus::Free))
        .filter(Column::ExpiresOn.lt(today))
        .order_by_asc(Column::ExpiresOn)
        .limit(BATCH)
        .into_tuple()
        .all(db)
        .await?;
    if ended.is_empty() {
        return Ok(0);
    }
    let change = ActiveModel { status: Set(VoucherStatus::Expired), ended_at: Set(Some(now)), ..Default::default() };
    let gone = Entity::update_many()
        .set(change)
        .filter(Column::Id.is_in(ended))
        .filter(Column::Status.eq(VoucherStatus::Free))
        .exec(db)
        .await?
        .rows_affected;
    let less = i32::try_from(gone).unwrap_or(i32::MAX);
    if gone > 0 && !shift(db, movement(movement_id, goods, -less, StockReason::Loss, None, now), MOST_STOCK).await? {
        return Err(DbErr::Custom(format!("goods {goods} have fewer pieces than codes")));
    }
    Ok(gone)
}
