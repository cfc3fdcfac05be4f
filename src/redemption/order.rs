//! What a member asks for, and what it comes to: goods as they are offered, slots as they are open.

use chrono::{DateTime, TimeDelta, Utc};
use entity::goods::{GoodsKind, LimitPeriod};
use entity::id::{GoodsId, MemberId, RedemptionId, SlotId, StationId};
use entity::redemption::{Model, RedemptionChannel, RedemptionStatus};
use entity::{goods, goods_slot, redemption_line, setting, station};
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, FromQueryResult, JoinType, QueryFilter as _,
    QuerySelect as _, RelationDef,
};

use super::error::RedemptionError;
use super::lines::Line;
use super::payment::PayWith;
use super::service::Moment;
use super::slot;
use crate::points::{Points, PointsError};

/// The setting that says for how many days reserved goods are kept.
pub(super) const HOLD_DAYS: &str = "redemption.hold_days";
const DEFAULT_HOLD_DAYS: i64 = 7;
const MOST_HOLD_DAYS: i64 = 365;
/// The setting that says for how many hours after its slot a booking can be fulfilled.
pub(super) const GRACE_HOURS: &str = "redemption.slot_grace_hours";
const DEFAULT_GRACE_HOURS: i64 = 24;
const MOST_GRACE_HOURS: i64 = 24 * 31;

/// Goods for a member.
#[derive(Clone, Debug)]
pub struct Order {
    pub id: RedemptionId,
    pub member_id: MemberId,
    /// 1 to 20, no two of the same goods and slot.
    pub lines: Vec<OrderLine>,
    /// They came as a list: faults name the line.
    pub listed: bool,
    pub pay_with: PayWith,
    /// A new pick-up code.
    pub code: String,
}

/// One line of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderLine {
    pub goods_id: GoodsId,
    /// 1 to 1,000.
    pub quantity: i32,
    pub slot_id: Option<SlotId>,
}

impl Order {
    fn fault(&self, line: usize, field: &'static str, code: &'static str, detail: &'static str) -> RedemptionError {
        RedemptionError::Line { line: self.listed.then_some(line), field, code, detail }
    }
}

/// Goods as they are offered, with their station's region and the days they are kept for.
#[derive(Clone, Debug, FromQueryResult)]
pub(super) struct Offer {
    pub(super) id: GoodsId,
    pub(super) name: String,
    pub(super) station_id: StationId,
    pub(super) region_code: String,
    programme: String,
    points: i64,
    stock: i32,
    pub(super) per_member_limit: Option<i32>,
    pub(super) per_household_limit: Option<i32>,
    pub(super) limit_period: LimitPeriod,
    bookable: bool,
    kind: GoodsKind,
    hold_days: Option<serde_json::Value>,
}

impl Offer {
    async fn find(db: &impl ConnectionTrait, order: &Order) -> Result<Vec<Self>, DbErr> {
        let at_station: RelationDef =
            goods::Entity::belongs_to(station::Entity).from(goods::Column::StationId).to(station::Column::Id).into();
        let days = Query::select()
            .column(setting::Column::Value)
            .from(setting::Entity)
            .and_where(setting::Column::Key.eq(HOLD_DAYS))
            .to_owned();
        let wanted = match &order.lines[..] {
            [line] => goods::Column::Id.eq(line.goods_id),
            lines => goods::Column::Id.is_in(lines.iter().map(|line| line.goods_id)),
        };
        goods::Entity::find()
            .select_only()
            .columns([
                goods::Column::Id,
                goods::Column::Name,
                goods::Column::StationId,
                goods::Column::Programme,
                goods::Column::Points,
                goods::Column::Stock,
                goods::Column::PerMemberLimit,
                goods::Column::PerHouseholdLimit,
                goods::Column::LimitPeriod,
                goods::Column::Bookable,
                goods::Column::Kind,
            ])
            .column(station::Column::RegionCode)
            .expr_as(Expr::from(days), "hold_days")
            .join(JoinType::InnerJoin, at_station)
            .filter(wanted)
            .filter(goods::Column::Active.eq(true))
            .filter(station::Column::Active.eq(true))
            .into_model::<Self>()
            .all(db)
            .await
    }
}

/// An order with what it comes to.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    order: &'a Order,
    /// Of each line, in their order.
    offers: Vec<Offer>,
    /// Of each line.
    slots: Vec<Option<goods_slot::Model>>,
    /// Of each line.
    prices: Vec<Points>,
    /// How long after its slot a booking can be fulfilled.
    grace: TimeDelta,
}

impl<'a> Draft<'a> {
    /// Looks at goods and slots; nothing is taken yet.
    ///
    /// # Errors
    /// `NotFound` for goods that are not on offer, `Line` for what does not go together, `GoodsOut`, `SlotClosed`, `SlotFull`.
    pub(super) async fn find(
        db: &impl ConnectionTrait,
        order: &'a Order,
        now: DateTime<Utc>,
    ) -> Result<Self, RedemptionError> {
        let found = Offer::find(db, order).await?;
        let mut offers: Vec<Offer> = Vec::with_capacity(order.lines.len());
        for (at, line) in order.lines.iter().enumerate() {
            let offer = found.iter().find(|offer| offer.id == line.goods_id).cloned();
            offers.push(offer.ok_or_else(|| {
                if order.listed {
                    order.fault(at, "goods_id", "invalid", "该兑换品不存在或已下架，请去掉这一项或改选其他兑换品")
                } else {
                    RedemptionError::NotFound
                }
            })?);
        }
        let mut draft = Self { order, offers, slots: Vec::new(), prices: Vec::new(), grace: TimeDelta::zero() };
        draft.fits_together()?;
        draft.slots = draft.find_slots(db, now).await?;
        if draft.slots.iter().any(Option::is_some) {
            let hours = number(db, GRACE_HOURS).await?.unwrap_or(DEFAULT_GRACE_HOURS);
            draft.grace = TimeDelta::hours(hours.clamp(0, MOST_GRACE_HOURS));
        }
        for (line, offer) in order.lines.iter().zip(&draft.offers) {
            if !offer.bookable && offer.stock < line.quantity {
                return Err(RedemptionError::GoodsOut { name: offer.name.clone(), left: offer.stock });
            }
            let price = Points::from_hundredths(offer.points).checked_mul(line.quantity);
            draft.prices.push(price.ok_or(PointsError::TooLarge)?);
        }
        Ok(draft)
    }

    /// One station, one programme; vouchers by themselves; a slot where there are slots to choose from, and only there.
    fn fits_together(&self) -> Result<(), RedemptionError> {
        let first = self.first();
        for (at, (line, offer)) in self.order.lines.iter().zip(&self.offers).enumerate() {
            let fault = |field, code, detail| Err(self.order.fault(at, field, code, detail));
            if offer.station_id != first.station_id {
                return fault("goods_id", "invalid", "一次兑换只能选同一站点的兑换品，请分开兑换");
            }
            if offer.programme != first.programme {
                return fault("goods_id", "invalid", "一次兑换只能用同一种积分，请分开兑换");
            }
            if (offer.kind == GoodsKind::Voucher) != (first.kind == GoodsKind::Voucher) {
                return fault("goods_id", "invalid", "礼券即兑即得，不能与需领取的兑换品一起兑换，请分开兑换");
            }
            match (offer.bookable, line.slot_id) {
                (true, None) => return fault("slot_id", "required", "该服务须预约时段，请选择一个时段"),
                (false, Some(_)) => return fault("slot_id", "invalid", "该兑换品无须预约时段，请去掉 slot_id"),
                _ => {}
            }
        }
        Ok(())
    }

    async fn find_slots(
        &self,
        db: &impl ConnectionTrait,
        now: DateTime<Utc>,
    ) -> Result<Vec<Option<goods_slot::Model>>, RedemptionError> {
        let ids: Vec<SlotId> = self.order.lines.iter().filter_map(|line| line.slot_id).collect();
        if ids.is_empty() {
            return Ok(vec![None; self.order.lines.len()]);
        }
        let found = goods_slot::Entity::find().filter(goods_slot::Column::Id.is_in(ids)).all(db).await?;
        let mut slots = Vec::with_capacity(self.order.lines.len());
        for (at, line) in self.order.lines.iter().enumerate() {
            let Some(id) = line.slot_id else {
                slots.push(None);
                continue;
            };
            let slot = found.iter().find(|slot| slot.id == id && slot.goods_id == line.goods_id);
            let detail = "该服务没有这个时段，请从可约时段中选择";
            let slot = slot.ok_or_else(|| self.order.fault(at, "slot_id", "invalid", detail))?;
            slot::expect_free(slot, line.quantity, now)?;
            slots.push(Some(slot.clone()));
        }
        Ok(slots)
    }

    /// What all lines have in common.
    pub(super) fn first(&self) -> &Offer {
        &self.offers[0]
    }

    /// Whether it is vouchers that are ordered: they are handed out at once.
    pub(super) fn gives_codes(&self) -> bool {
        self.first().kind == GoodsKind::Voucher
    }

    /// The goods with how many of them are ordered, each once.
    pub(super) fn goods(&self) -> Vec<(&Offer, i64)> {
        let mut sums: Vec<(&Offer, i64)> = Vec::with_capacity(self.offers.len());
        for (line, offer) in self.order.lines.iter().zip(&self.offers) {
            let quantity = i64::from(line.quantity);
            match sums.iter_mut().find(|(known, _)| known.id == offer.id) {
                Some((_, sum)) => *sum += quantity,
                None => sums.push((offer, quantity)),
            }
        }
        sums
    }

    /// Its row: reserved.
    ///
    /// # Errors
    /// `TooLarge`.
    pub(super) fn row(&self, moment: &Moment, channel: RedemptionChannel) -> Result<Model, RedemptionError> {
        let (order, offer) = (self.order, self.first());
        let total = self.prices.iter().try_fold(Points::ZERO, |sum, price| sum.checked_add(*price));
        Ok(Model {
            id: order.id,
            ref_id: None,
            member_id: order.member_id,
            goods_id: offer.id,
            station_id: offer.station_id,
            region_code: offer.region_code.clone(),
            programme: offer.programme.clone(),
            quantity: order.lines[0].quantity,
            points: total.ok_or(PointsError::TooLarge)?.hundredths(),
            status: RedemptionStatus::Reserved,
            channel,
            code: Some(order.code.clone()),
            created_at: moment.now,
            expires_at: Some(self.expires_at(moment.now)),
            fulfilled_at: None,
            fulfilled_by: None,
            ended_at: None,
            reason: None,
            slot_id: order.lines[0].slot_id,
            line_count: i16::try_from(order.lines.len()).unwrap_or(i16::MAX),
            shared: false,
        })
    }

    /// With times booked: some hours after the last of them; else the days that goods are kept for.
    fn expires_at(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        if let Some(end) = self.slots.iter().flatten().map(|slot| slot.ends_at).max() {
            return end + self.grace;
        }
        let days = self.first().hold_days.as_ref().and_then(serde_json::Value::as_i64).unwrap_or(DEFAULT_HOLD_DAYS);
        now + TimeDelta::days(days.clamp(1, MOST_HOLD_DAYS))
    }

    /// The rows of the lines after the first.
    pub(super) fn further(&self) -> Vec<redemption_line::Model> {
        let lines = (1_i16..).zip(self.order.lines.iter().zip(&self.prices)).skip(1);
        lines
            .map(|(number, (line, price))| redemption_line::Model {
                redemption_id: self.order.id,
                line: number,
                member_id: self.order.member_id,
                goods_id: line.goods_id,
                quantity: line.quantity,
                points: price.hundredths(),
                slot_id: line.slot_id,
            })
            .collect()
    }

    /// As they are shown.
    pub(super) fn into_lines(self) -> Vec<Line> {
        let parts = self.order.lines.iter().zip(self.offers).zip(self.slots.into_iter().zip(self.prices));
        parts
            .map(|((line, offer), (slot, price))| Line {
                goods_id: line.goods_id,
                name: offer.name,
                quantity: line.quantity,
                points: price,
                slot,
            })
            .collect()
    }
}

/// A setting that is a whole number.
pub(super) async fn number(db: &impl ConnectionTrait, key: &str) -> Result<Option<i64>, DbErr> {
    let found = setting::Entity::find_by_id(key).one(db).await?;
    Ok(found.and_then(|row| row.value.as_i64()))
}

/// When a booking of a slot that ends then runs out.
///
/// # Errors
/// The database's.
pub(super) async fn runs_out(db: &impl ConnectionTrait, ends_at: DateTime<Utc>) -> Result<DateTime<Utc>, DbErr> {
    let hours = number(db, GRACE_HOURS).await?.unwrap_or(DEFAULT_GRACE_HOURS);
    Ok(ends_at + TimeDelta::hours(hours.clamp(0, MOST_GRACE_HOURS)))
}
