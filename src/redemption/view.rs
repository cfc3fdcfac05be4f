//! A redemption as it is shown.

use chrono::{DateTime, Utc};
use entity::goods_slot;
use entity::id::{GoodsId, MemberId, RedemptionId, SlotId, StationId};
use entity::redemption::{RedemptionChannel, RedemptionStatus};
use sea_orm::{ConnectionTrait, DbErr};
use serde::Serialize;
use utoipa::ToSchema;

use super::lines::{Basket, Line};
use super::payment::PayWith;
use super::voucher::{self, Given, VoucherView};
use crate::crypto::Keys;
use crate::points::Points;

/// A redemption. `code` is shown to its member only, while it is reserved.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct RedemptionView {
    id: RedemptionId,
    /// The id it was imported under.
    r#ref: Option<String>,
    status: RedemptionStatus,
    /// What the member shows at the station.
    code: Option<String>,
    member_id: MemberId,
    /// Of the first line.
    goods_id: GoodsId,
    station_id: StationId,
    programme: String,
    /// Of the first line.
    quantity: i32,
    /// Of all lines.
    points: Points,
    /// All lines, the first one first.
    lines: Vec<LineView>,
    /// The codes of vouchers, in a single redemption (lists leave them out): whole for its member, `****` and their end for staff.
    vouchers: Vec<VoucherView>,
    /// Who paid: the member alone, or with others of the household.
    pay_with: PayWith,
    channel: RedemptionChannel,
    created_at: DateTime<Utc>,
    /// Until when it can be picked up; of what is booked, some hours after its time.
    expires_at: Option<DateTime<Utc>>,
    fulfilled_at: Option<DateTime<Utc>>,
    /// When it was cancelled, expired or refunded.
    ended_at: Option<DateTime<Utc>>,
    reason: Option<String>,
}

/// One line of a redemption.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct LineView {
    /// 1, 2, 3 …
    line: usize,
    goods_id: GoodsId,
    /// As the goods are called now.
    name: String,
    quantity: i32,
    /// Of this line.
    points: Points,
    /// The time that is booked.
    slot: Option<BookedView>,
}

/// A time that is booked.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct BookedView {
    id: SlotId,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
}

impl RedemptionView {
    pub(super) fn new(basket: Basket, to_its_member: bool) -> Self {
        let Basket { row, lines, gives_codes: _ } = basket;
        let shown = to_its_member && row.status == RedemptionStatus::Reserved;
        Self {
            id: row.id,
            r#ref: row.ref_id,
            status: row.status,
            code: row.code.filter(|_| shown),
            member_id: row.member_id,
            goods_id: row.goods_id,
            station_id: row.station_id,
            programme: row.programme,
            quantity: row.quantity,
            points: Points::from_hundredths(row.points),
            lines: (1..).zip(lines).map(LineView::new).collect(),
            vouchers: Vec::new(),
            pay_with: if row.shared { PayWith::Household } else { PayWith::Own },
            channel: row.channel,
            created_at: row.created_at,
            expires_at: row.expires_at,
            fulfilled_at: row.fulfilled_at,
            ended_at: row.ended_at,
            reason: row.reason,
        }
    }
}

impl RedemptionView {
    /// The same with the codes that it has.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn with_codes(
        db: &impl ConnectionTrait,
        keys: &Keys,
        basket: Basket,
        to_its_member: bool,
    ) -> Result<Self, DbErr> {
        let given = if basket.gives_codes { voucher::given_to(db, keys, basket.row.id).await? } else { Vec::new() };
        let shown = |given: Given| VoucherView::from(if to_its_member { given } else { given.masked() });
        Ok(Self { vouchers: given.into_iter().map(shown).collect(), ..Self::new(basket, to_its_member) })
    }
}

impl LineView {
    fn new((number, line): (usize, Line)) -> Self {
        Self {
            line: number,
            goods_id: line.goods_id,
            name: line.name,
            quantity: line.quantity,
            points: line.points,
            slot: line.slot.as_ref().map(BookedView::new),
        }
    }
}

impl BookedView {
    fn new(slot: &goods_slot::Model) -> Self {
        Self { id: slot.id, starts_at: slot.starts_at, ends_at: slot.ends_at }
    }
}
