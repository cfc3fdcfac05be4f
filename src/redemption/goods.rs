//! Goods and what happens to their stock other than by redemption.

use chrono::{DateTime, Utc};
use entity::goods::{ActiveModel, Column, Entity, GoodsKind, LimitPeriod, Model};
use entity::id::{GoodsId, StationId, StockMovementId, UnitId};
use entity::redemption::{self, RedemptionStatus};
use entity::stock_movement::{self, StockReason};
use entity::{programme, station, unit};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, IntoActiveModel as _, JoinType, QueryFilter as _,
    QuerySelect as _, RelationDef,
};

use super::error::{Foreign, RedemptionError};
use super::settlement::terms;
use crate::identity::StaffCaller;
use crate::region::Subtree;

/// No shelf holds more of one good.
pub const MOST_STOCK: i32 = 10_000_000;

/// New goods.
#[derive(Clone, Debug)]
pub struct NewGoods {
    pub id: GoodsId,
    pub name: String,
    pub description: Option<String>,
    pub station_id: StationId,
    pub programme: String,
    /// Price of one, hundredths.
    pub points: i64,
    /// What lies on the shelf already; 0 to [`MOST_STOCK`].
    pub stock: i32,
    pub per_member_limit: Option<i32>,
    pub supplier_unit_id: Option<UnitId>,
    pub kind: GoodsKind,
    /// Of a service.
    pub duration_minutes: Option<i32>,
    /// What the supplier is owed for one, fen.
    pub cost: i64,
    /// In which the limits count.
    pub limit_period: LimitPeriod,
    pub per_household_limit: Option<i32>,
}

/// What may change about goods; stock and station may not. `None` leaves as it is, the inner `None` empties.
#[derive(Clone, Debug, Default)]
#[allow(clippy::option_option, reason = "the inner `None` empties")]
pub struct GoodsChange {
    pub name: Option<String>,
    pub description: Option<Option<String>>,
    /// Price of one, hundredths; what is reserved keeps its price.
    pub points: Option<i64>,
    pub per_member_limit: Option<Option<i32>>,
    pub active: Option<bool>,
    pub supplier_unit_id: Option<Option<UnitId>>,
    pub duration_minutes: Option<Option<i32>>,
    /// Fen for one; what was handed out before counts at the cost of its settlement.
    pub cost: Option<i64>,
    pub limit_period: Option<LimitPeriod>,
    pub per_household_limit: Option<Option<i32>>,
}

/// Puts new goods on the shelf of a station in `staff`'s subtree, with a first movement where there is stock.
///
/// # Errors
/// `Field` where station, programme or unit are not there.
pub async fn add(
    db: &impl ConnectionTrait,
    staff: &StaffCaller,
    new: &NewGoods,
    now: DateTime<Utc>,
) -> Result<(Model, String), RedemptionError> {
    let field = |field, detail| RedemptionError::Field { field, detail };
    expect_duration(new.kind, new.duration_minutes)?;
    if new.kind == GoodsKind::Voucher && new.stock > 0 {
        return Err(field("stock", "礼券的库存由导入的券码决定，请先建兑换品再导入券码"));
    }
    let station = station::Entity::find_by_id(new.station_id).one(db).await?;
    let station = station
        .filter(|station| staff.serves(station.id, &station.region_code))
        .ok_or(field("station_id", "没有这个站点，请从站点列表中选择"))?;
    if programme::Entity::find_by_id(&new.programme).one(db).await?.is_none() {
        return Err(field("programme", "没有这个积分项目，请从积分项目列表中选择"));
    }
    expect_unit(db, new.supplier_unit_id).await?;
    let row = Model {
        id: new.id,
        ref_id: None,
        name: new.name.clone(),
        description: new.description.clone(),
        station_id: new.station_id,
        programme: new.programme.clone(),
        points: new.points,
        stock: new.stock,
        per_member_limit: new.per_member_limit,
        supplier_unit_id: new.supplier_unit_id,
        active: true,
        created_at: now,
        updated_at: now,
        kind: new.kind,
        duration_minutes: new.duration_minutes,
        cost: new.cost,
        limit_period: new.limit_period,
        per_household_limit: new.per_household_limit,
        bookable: false,
    };
    Entity::insert(row.clone().into_active_model()).exec_without_returning(db).await?;
    if new.stock > 0 {
        let id = StockMovementId(new.id.0); // one first movement for each good
        record(db, id, new.id, (new.stock, StockReason::Initial), staff, now).await?;
    }
    Ok((row, station.region_code))
}

/// Only a service takes time.
fn expect_duration(kind: GoodsKind, minutes: Option<i32>) -> Result<(), RedemptionError> {
    let detail = "只有服务类兑换品才有时长，请去掉时长或将类别改为服务";
    let fits = minutes.is_none() || kind == GoodsKind::Service;
    fits.then_some(()).ok_or(RedemptionError::Field { field: "duration_minutes", detail })
}

async fn expect_unit(db: &impl ConnectionTrait, id: Option<UnitId>) -> Result<(), RedemptionError> {
    let Some(id) = id else { return Ok(()) };
    let found = unit::Entity::find_by_id(id).one(db).await?;
    let detail = "没有这个单位，请从单位列表中选择";
    found.map(drop).ok_or(RedemptionError::Field { field: "supplier_unit_id", detail })
}

/// Changes goods in `staff`'s subtree.
///
/// # Errors
/// `NotFound`, `OtherStation`; `Field` where the unit is not there, or goods that are no service get a duration.
pub async fn change(
    db: &impl ConnectionTrait,
    staff: &StaffCaller,
    id: GoodsId,
    change: &GoodsChange,
    now: DateTime<Utc>,
) -> Result<(Model, String), RedemptionError> {
    let (found, region) = find_served(db, staff, id).await?;
    expect_unit(db, change.supplier_unit_id.flatten()).await?;
    expect_duration(found.kind, change.duration_minutes.flatten())?;
    terms::keep(db, id, change.supplier_unit_id, change.cost, now).await?;
    let set = ActiveModel {
        name: change.name.clone().map_or_else(Default::default, Set),
        description: change.description.clone().map_or_else(Default::default, Set),
        points: change.points.map_or_else(Default::default, Set),
        per_member_limit: change.per_member_limit.map_or_else(Default::default, Set),
        active: change.active.map_or_else(Default::default, Set),
        supplier_unit_id: change.supplier_unit_id.map_or_else(Default::default, Set),
        duration_minutes: change.duration_minutes.map_or_else(Default::default, Set),
        cost: change.cost.map_or_else(Default::default, Set),
        limit_period: change.limit_period.map_or_else(Default::default, Set),
        per_household_limit: change.per_household_limit.map_or_else(Default::default, Set),
        updated_at: Set(now),
        ..Default::default()
    };
    let changed = Entity::update_many().set(set).filter(Column::Id.eq(id)).exec_with_returning(db).await?;
    let row = changed.into_iter().next().ok_or(RedemptionError::NotFound)?;
    Ok((row, region))
}

/// Goods of a station where `staff` works, with the station's region.
///
/// # Errors
/// `NotFound`, `OtherStation`.
pub async fn find_served(
    db: &impl ConnectionTrait,
    staff: &StaffCaller,
    id: GoodsId,
) -> Result<(Model, String), RedemptionError> {
    let found = Entity::find_by_id(id).one(db).await?.ok_or(RedemptionError::NotFound)?;
    let station = station::Entity::find_by_id(found.station_id).one(db).await?.ok_or(RedemptionError::NotFound)?;
    if staff.serves(station.id, &station.region_code) {
        return Ok((found, station.region_code));
    }
    Err(Foreign::goods(id, station.region_code))
}

/// What is done to the stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Movement {
    /// So many came; above zero.
    Receipt(i32),
    /// So many are broken, spoilt or gone; above zero.
    Loss(i32),
    /// So many lie on the shelf, with those that are reserved; zero or more.
    Count(i32),
}

/// Moves the stock of goods at a station where `staff` works. Answers the movement and the stock after it.
///
/// # Errors
/// `NotFound`, `OtherStation`; `CodesOnly` for vouchers; `OutOfStock` where more is lost than there is, or fewer were counted than are reserved; `Field` where the
/// shelf would hold more than [`MOST_STOCK`].
pub async fn move_stock(
    db: &impl ConnectionTrait,
    staff: &StaffCaller,
    goods: GoodsId,
    id: StockMovementId,
    movement: Movement,
    now: DateTime<Utc>,
) -> Result<(stock_movement::Model, i32, String), RedemptionError> {
    let (_, region) = find_served(db, staff, goods).await?;
    let found = Entity::find_by_id(goods).lock_exclusive().one(db).await?.ok_or(RedemptionError::NotFound)?;
    if found.kind == GoodsKind::Voucher {
        return Err(RedemptionError::CodesOnly);
    }
    let (quantity, reason) = match movement {
        Movement::Receipt(quantity) => (quantity, StockReason::Receipt),
        Movement::Loss(quantity) => (-quantity, StockReason::Loss),
        Movement::Count(counted) => {
            let free = i64::from(counted) - reserved(db, goods).await?;
            let free = i32::try_from(free).ok().filter(|free| *free >= 0);
            (free.ok_or(RedemptionError::OutOfStock { left: found.stock })? - found.stock, StockReason::Count)
        }
    };
    let stock = found.stock + quantity;
    if stock < 0 {
        return Err(RedemptionError::OutOfStock { left: found.stock });
    }
    if stock > MOST_STOCK {
        return Err(RedemptionError::Field { field: "quantity", detail: "库存数量过大，请核对" });
    }
    let row = record(db, id, goods, (quantity, reason), staff, now).await?;
    let moved = Entity::update_many()
        .col_expr(Column::Stock, Expr::col(Column::Stock).add(quantity))
        .filter(Column::Id.eq(goods))
        .filter(Column::Stock.eq(found.stock))
        .exec(db)
        .await?;
    if moved.rows_affected != 1 {
        return Err(RedemptionError::OutOfStock { left: found.stock });
    }
    Ok((row, stock, region))
}

/// How many of the goods lie there for those who come to pick them up, whichever line they stand in.
async fn reserved(db: &impl ConnectionTrait, goods: GoodsId) -> Result<i64, RedemptionError> {
    use entity::redemption_line::{Column as Further, Entity as Lines};
    let waits = || redemption::Column::Status.eq(RedemptionStatus::Reserved);
    let first: Option<Option<i64>> = redemption::Entity::find()
        .select_only()
        .column_as(Expr::col(redemption::Column::Quantity).sum().cast_as("bigint"), "reserved")
        .filter(redemption::Column::GoodsId.eq(goods))
        .filter(redemption::Column::SlotId.is_null())
        .filter(waits())
        .into_tuple()
        .one(db)
        .await?;
    let whole: RelationDef =
        Lines::belongs_to(redemption::Entity).from(Further::RedemptionId).to(redemption::Column::Id).into();
    let further: Option<Option<i64>> = Lines::find()
        .select_only()
        .column_as(Expr::col((Lines, Further::Quantity)).sum().cast_as("bigint"), "reserved")
        .join(JoinType::InnerJoin, whole)
        .filter(Further::GoodsId.eq(goods))
        .filter(Further::SlotId.is_null())
        .filter(waits())
        .into_tuple()
        .one(db)
        .await?;
    Ok(first.flatten().unwrap_or(0) + further.flatten().unwrap_or(0))
}

async fn record(
    db: &impl ConnectionTrait,
    id: StockMovementId,
    goods_id: GoodsId,
    (quantity, reason): (i32, StockReason),
    staff: &StaffCaller,
    now: DateTime<Utc>,
) -> Result<stock_movement::Model, RedemptionError> {
    let row = stock_movement::Model { id, ref_id: None, goods_id, quantity, reason, staff_id: Some(staff.id), at: now };
    stock_movement::Entity::insert(row.clone().into_active_model()).exec_without_returning(db).await?;
    Ok(row)
}

/// Rows of stations in a subtree, by a column that holds a station's id.
pub(super) fn stations_in(column: impl sea_orm::ColumnTrait, subtree: &Subtree) -> Condition {
    use sea_orm::QueryTrait as _;
    let stations = station::Entity::find()
        .select_only()
        .column(station::Column::Id)
        .filter(subtree.covers(Expr::col((station::Entity, station::Column::RegionCode))))
        .into_query();
    Condition::all().add(column.in_subquery(stations))
}

/// Rows of one station, given by id or by ref.
pub(super) fn at_station(column: impl sea_orm::ColumnTrait, station: &str) -> Condition {
    use sea_orm::QueryTrait as _;
    if let Ok(id) = station.parse::<StationId>() {
        return Condition::all().add(column.eq(id));
    }
    let by_ref = station::Entity::find()
        .select_only()
        .column(station::Column::Id)
        .filter(station::Column::RefId.eq(station))
        .into_query();
    Condition::all().add(column.in_subquery(by_ref))
}
