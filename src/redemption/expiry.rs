//! What was not picked up in time goes back to the shelf. Safe on several nodes: each step is conditional on the status.

use entity::id::{JournalId, RedemptionId};
use entity::redemption::{Column, Entity, RedemptionStatus};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _};

use super::domain::RedemptionStep;
use super::error::RedemptionError;
use super::route::tell;
use super::service::{self, Moment};
use crate::app::AppState;
use crate::audit::Actor;
use crate::identity::Scope;
use crate::jobs::{JobError, Lease};

const BATCH: u64 = 200;

/// Expires what is due; how many there were.
///
/// # Errors
/// The database's.
pub async fn run(state: &AppState, _: &Lease) -> Result<u64, JobError> {
    let mut done = 0;
    let mut after = RedemptionId::NIL;
    loop {
        let due: Vec<RedemptionId> = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::Status.eq(RedemptionStatus::Reserved))
            .filter(Column::ExpiresAt.lte(state.clock.now()))
            .filter(Column::Id.gt(after))
            .order_by_asc(Column::Id)
            .limit(BATCH)
            .into_tuple()
            .all(state.db.read())
            .await?;
        let Some(last) = due.last() else { return Ok(done) };
        after = *last;
        for id in due {
            done += u64::from(expire(state, id).await?);
        }
    }
}

/// False where somebody was faster.
async fn expire(state: &AppState, id: RedemptionId) -> Result<bool, JobError> {
    let now = state.clock.now();
    let calendar = state.calendar;
    let moment =
        Moment { journal_id: JournalId::new(), actor: Actor::System, now, today: calendar.day_of(now), calendar };
    let outcome = state
        .db
        .write(async move |txn| {
            let basket = service::give_up(txn, &Scope::System, id, RedemptionStep::Expire, None, &moment).await?;
            let words = if basket.lines.iter().any(|line| line.slot.is_some()) {
                "您预约的服务已过时段，没有核销记录，已自动取消，积分已退回可用余额。如仍需要，请重新预约；如已接受服务，请联系站点。"
            } else {
                "您预约的兑换超过领取期限，已自动取消，积分已退回可用余额。如仍需要，请重新兑换。"
            };
            tell(txn, &basket.row, "redemption.expired", "兑换已过期", words, now).await
        })
        .await;
    match outcome {
        Ok(()) => Ok(true),
        Err(RedemptionError::InvalidTransition { .. } | RedemptionError::NotFound) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
