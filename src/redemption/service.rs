//! The steps of a redemption. Each belongs inside one transaction.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use entity::id::{GoodsId, JournalId, MemberId, RedemptionId, StaffId, StationId};
use entity::journal::JournalKind;
use entity::redemption::{ActiveModel, Column, Entity, Model, RedemptionChannel, RedemptionStatus};
use entity::{goods, setting, station};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait as _, Query};
use sea_orm::{
    ActiveEnum as _, ColumnTrait as _, Condition, ConnectionTrait, DbBackend, DbErr, EntityTrait as _, FromQueryResult,
    IntoActiveModel as _, JoinType, QueryFilter as _, QueryOrder as _, QuerySelect as _, RelationDef, Statement, Value,
};
use uuid::Uuid;

use super::domain::{REFUND, RedemptionStep, SOURCE, read_code};
use super::error::{Foreign, RedemptionError};
use crate::audit::Actor;
use crate::identity::{Clerk, Scope, StaffCaller};
use crate::points::{self, Points, Posting, Reversing, Source, hold};

/// The setting that says for how many days reserved goods are kept.
pub const HOLD_DAYS: &str = "redemption.hold_days";
const DEFAULT_HOLD_DAYS: i64 = 7;
const MOST_HOLD_DAYS: i64 = 365;

/// What every step needs beside its object; drawn before the transaction.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Of the journal that the step may post.
    pub journal_id: JournalId,
    pub actor: Actor,
    pub now: DateTime<Utc>,
    /// The local day of now.
    pub today: NaiveDate,
}

/// An order of goods for a member.
#[derive(Clone, Debug)]
pub struct Order {
    pub id: RedemptionId,
    pub goods_id: GoodsId,
    pub member_id: MemberId,
    /// 1 to 1,000.
    pub quantity: i32,
    /// A new pick-up code.
    pub code: String,
}

/// Reserves goods for a member: holds the points, takes the stock.
///
/// # Errors
/// `NotFound` for goods that are not on offer, `OutOfStock`, `LimitReached`, and `Insufficient` points.
pub async fn reserve(db: &impl ConnectionTrait, order: &Order, moment: &Moment) -> Result<Model, RedemptionError> {
    let offer = Offer::find(db, order).await?;
    let row = offer.redemption(order, moment, RedemptionChannel::App)?;
    hold::open(db, &posting(&row, moment)).await?;
    offer.respect_limit(db, order).await?;
    place(db, &row).await?;
    Ok(row)
}

/// Sells goods over the counter: spends the points and hands out, in one step.
///
/// # Errors
/// As [`reserve`]; `OtherStation` for goods of a station where `clerk` does not work.
pub async fn sell(
    db: &impl ConnectionTrait,
    clerk: &Clerk,
    order: &Order,
    moment: &Moment,
) -> Result<Model, RedemptionError> {
    let offer = Offer::find(db, order).await?;
    if !clerk.serves(offer.station_id, &offer.region_code) {
        return Err(Foreign::goods(offer.id, offer.region_code));
    }
    let mut row = offer.redemption(order, moment, RedemptionChannel::Counter)?;
    row.status = RedemptionStatus::Fulfilled;
    row.code = None;
    row.expires_at = None;
    row.fulfilled_at = Some(moment.now);
    row.fulfilled_by = Some(clerk.id);
    points::post(db, &posting(&row, moment)).await?;
    offer.respect_limit(db, order).await?;
    place(db, &row).await?;
    Ok(row)
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
) -> Result<Model, RedemptionError> {
    let code = read_code(typed).ok_or(RedemptionError::NotFound)?;
    let known = Entity::find().filter(Column::Code.eq(code)).order_by_desc(Column::Id).all(db).await?;
    let (here, elsewhere): (Vec<_>, Vec<_>) =
        known.into_iter().partition(|row| clerk.serves(row.station_id, &row.region_code));
    let found = match (here.into_iter().next(), elsewhere.into_iter().next()) {
        (Some(found), _) => found,
        (None, Some(other)) => {
            return Err(Foreign::redemption(other.id, other.region_code));
        }
        (None, None) => return Err(RedemptionError::NotFound),
    };
    if found.status == RedemptionStatus::Reserved && found.expires_at.is_some_and(|end| end <= moment.now) {
        return Err(RedemptionError::TooLate);
    }
    let row = step(db, found, RedemptionStep::Fulfil, moment, None, Some(clerk.id)).await?;
    hold::capture(db, &posting(&row, moment)).await?;
    Ok(row)
}

/// Gives up a reserved redemption of the caller's: hold and stock go back. `step` is cancel or expire.
///
/// # Errors
/// `NotFound` outside `scope`, `InvalidTransition` where it is not reserved any more.
pub async fn give_up(
    db: &impl ConnectionTrait,
    scope: &Scope,
    id: RedemptionId,
    what: RedemptionStep,
    reason: Option<String>,
    moment: &Moment,
) -> Result<Model, RedemptionError> {
    let found = find(db, scope, id).await?;
    let row = step(db, found, what, moment, reason, None).await?;
    hold::release(db, &posting(&row, moment)).await?;
    return_stock(db, row.goods_id, row.quantity).await?;
    Ok(row)
}

/// Takes goods back and gives the points back, to the buckets they came from.
///
/// # Errors
/// `NotFound` outside `scope`, `InvalidTransition` where it was not handed out or has been refunded.
pub async fn refund(
    db: &impl ConnectionTrait,
    scope: &Scope,
    id: RedemptionId,
    reason: String,
    moment: &Moment,
) -> Result<Model, RedemptionError> {
    let found = find(db, scope, id).await?;
    let row = step(db, found, RedemptionStep::Refund, moment, Some(reason), None).await?;
    let reversing = Reversing {
        journal_id: moment.journal_id,
        original: Source { kind: SOURCE, id: row.id.0 },
        source: Source { kind: REFUND, id: row.id.0 },
        reason: row.reason.as_deref(),
        actor: moment.actor,
        now: moment.now,
        today: moment.today,
    };
    points::refund(db, &reversing).await?;
    return_stock(db, row.goods_id, row.quantity).await?;
    Ok(row)
}

/// A redemption that `scope` sees.
///
/// # Errors
/// `NotFound`.
pub async fn find(db: &impl ConnectionTrait, scope: &Scope, id: RedemptionId) -> Result<Model, RedemptionError> {
    Entity::find_by_id(id)
        .filter(scope.owned((Entity, Column::MemberId), (Entity, Column::RegionCode)))
        .one(db)
        .await?
        .ok_or(RedemptionError::NotFound)
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
) -> Result<Model, RedemptionError> {
    let Some(staff) = staff else { return find(db, scope, id).await };
    // Whoever reaches beyond their subtree is to be told from whoever reaches for nothing.
    let found = find(db, &Scope::System, id).await?;
    let served = staff.serves(found.station_id, &found.region_code);
    if served { Ok(found) } else { Err(Foreign::redemption(found.id, found.region_code)) }
}

/// Moves the row, on condition that it is still as it was read: of two at once one wins.
async fn step(
    db: &impl ConnectionTrait,
    found: Model,
    what: RedemptionStep,
    moment: &Moment,
    reason: Option<String>,
    fulfilled_by: Option<StaffId>,
) -> Result<Model, RedemptionError> {
    let at = found.status;
    let status = what.apply_to(at).ok_or(RedemptionError::InvalidTransition { at, step: what })?;
    let mut row = Model { status, ..found };
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

fn posting<'a>(row: &'a Model, moment: &Moment) -> Posting<'a> {
    Posting {
        journal_id: moment.journal_id,
        kind: JournalKind::Spend,
        programme: &row.programme,
        member_id: row.member_id,
        community: &row.region_code,
        amount: Points::from_hundredths(row.points),
        expires_on: None,
        source: Source { kind: SOURCE, id: row.id.0 },
        reason: None,
        actor: moment.actor,
        at: moment.now,
        posted_at: moment.now,
        today: moment.today,
    }
}

/// Goods as they are offered, with their station's region and the days they are kept for.
#[derive(Debug, FromQueryResult)]
struct Offer {
    id: GoodsId,
    station_id: StationId,
    region_code: String,
    programme: String,
    points: i64,
    stock: i32,
    per_member_limit: Option<i32>,
    hold_days: Option<serde_json::Value>,
}

impl Offer {
    async fn find(db: &impl ConnectionTrait, order: &Order) -> Result<Self, RedemptionError> {
        let at_station: RelationDef =
            goods::Entity::belongs_to(station::Entity).from(goods::Column::StationId).to(station::Column::Id).into();
        let days = Query::select()
            .column(setting::Column::Value)
            .from(setting::Entity)
            .and_where(setting::Column::Key.eq(HOLD_DAYS))
            .to_owned();
        let found = goods::Entity::find()
            .select_only()
            .columns([
                goods::Column::Id,
                goods::Column::StationId,
                goods::Column::Programme,
                goods::Column::Points,
                goods::Column::Stock,
                goods::Column::PerMemberLimit,
            ])
            .column(station::Column::RegionCode)
            .expr_as(Expr::from(days), "hold_days")
            .join(JoinType::InnerJoin, at_station)
            .filter(goods::Column::Id.eq(order.goods_id))
            .filter(goods::Column::Active.eq(true))
            .filter(station::Column::Active.eq(true))
            .into_model::<Self>()
            .one(db)
            .await?;
        let offer = found.ok_or(RedemptionError::NotFound)?;
        if offer.stock < order.quantity {
            return Err(RedemptionError::OutOfStock { left: offer.stock });
        }
        Ok(offer)
    }

    fn redemption(&self, order: &Order, moment: &Moment, channel: RedemptionChannel) -> Result<Model, RedemptionError> {
        let price =
            Points::from_hundredths(self.points).checked_mul(order.quantity).ok_or(points::PointsError::TooLarge)?;
        let days = self.hold_days.as_ref().and_then(serde_json::Value::as_i64).unwrap_or(DEFAULT_HOLD_DAYS);
        let expires_at = moment.now + TimeDelta::days(days.clamp(1, MOST_HOLD_DAYS));
        Ok(Model {
            id: order.id,
            ref_id: None,
            member_id: order.member_id,
            goods_id: self.id,
            station_id: self.station_id,
            region_code: self.region_code.clone(),
            programme: self.programme.clone(),
            quantity: order.quantity,
            points: price.hundredths(),
            status: RedemptionStatus::Reserved,
            channel,
            code: Some(order.code.clone()),
            created_at: moment.now,
            expires_at: Some(expires_at),
            fulfilled_at: None,
            fulfilled_by: None,
            ended_at: None,
            reason: None,
            slot_id: None,
            line_count: 1,
            shared: false,
        })
    }

    /// Counted after the member's balance row was taken, before this order's row is there.
    async fn respect_limit(&self, db: &impl ConnectionTrait, order: &Order) -> Result<(), RedemptionError> {
        let Some(limit) = self.per_member_limit else { return Ok(()) };
        let counts = Condition::any()
            .add(Column::Status.eq(RedemptionStatus::Reserved))
            .add(Column::Status.eq(RedemptionStatus::Fulfilled));
        let taken: Option<Option<i64>> = Entity::find()
            .select_only()
            .column_as(Expr::col(Column::Quantity).sum().cast_as("bigint"), "taken")
            .filter(Column::GoodsId.eq(self.id))
            .filter(Column::MemberId.eq(order.member_id))
            .filter(counts)
            .into_tuple()
            .one(db)
            .await?;
        let taken = taken.flatten().unwrap_or(0);
        if taken + i64::from(order.quantity) > i64::from(limit) {
            return Err(RedemptionError::LimitReached { limit, taken });
        }
        Ok(())
    }
}

/// Writes the redemption and takes the stock, last: the row for which many compete.
async fn place(db: &impl ConnectionTrait, row: &Model) -> Result<(), RedemptionError> {
    let placed = if db.get_database_backend() == DbBackend::Postgres {
        place_in_one(db, row).await?
    } else {
        Entity::insert(row.clone().into_active_model()).exec_without_returning(db).await?;
        take_stock(db, row).await?
    };
    if placed {
        return Ok(());
    }
    let left = goods::Entity::find_by_id(row.goods_id).one(db).await?.filter(|found| found.active);
    Err(left.map_or(RedemptionError::NotFound, |found| RedemptionError::OutOfStock { left: found.stock }))
}

async fn take_stock(db: &impl ConnectionTrait, row: &Model) -> Result<bool, DbErr> {
    let taken = goods::Entity::update_many()
        .col_expr(goods::Column::Stock, Expr::col(goods::Column::Stock).sub(row.quantity))
        .filter(goods::Column::Id.eq(row.goods_id))
        .filter(goods::Column::Active.eq(true))
        .filter(goods::Column::Stock.gte(row.quantity))
        .exec(db)
        .await?;
    Ok(taken.rows_affected == 1)
}

/// The insert and [`take_stock`] in one round trip to PostgreSQL.
const PLACE: &str = "WITH taken AS (
    UPDATE goods SET stock = stock - $2 WHERE id = $1 AND active AND stock >= $2 RETURNING id
)
INSERT INTO redemption (goods_id, quantity, id, member_id, station_id, region_code, programme, points, status, channel, code,
    created_at, expires_at, fulfilled_at, fulfilled_by)
SELECT id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15 FROM taken";

async fn place_in_one(db: &impl ConnectionTrait, row: &Model) -> Result<bool, DbErr> {
    let values: [Value; 15] = [
        row.goods_id.into(),
        row.quantity.into(),
        row.id.into(),
        row.member_id.into(),
        row.station_id.into(),
        row.region_code.as_str().into(),
        row.programme.as_str().into(),
        row.points.into(),
        row.status.to_value().into(),
        row.channel.to_value().into(),
        row.code.as_deref().into(),
        row.created_at.into(),
        row.expires_at.into(),
        row.fulfilled_at.into(),
        row.fulfilled_by.map(Uuid::from).into(),
    ];
    let placed = db.execute_raw(Statement::from_sql_and_values(DbBackend::Postgres, PLACE, values)).await?;
    Ok(placed.rows_affected() == 1)
}

async fn return_stock(db: &impl ConnectionTrait, id: GoodsId, quantity: i32) -> Result<(), DbErr> {
    goods::Entity::update_many()
        .col_expr(goods::Column::Stock, Expr::col(goods::Column::Stock).add(quantity))
        .filter(goods::Column::Id.eq(id))
        .exec(db)
        .await
        .map(drop)
}
