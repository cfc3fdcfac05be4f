//! Making, funding, changing and closing budgets. All of it to be run in a transaction.

use chrono::{DateTime, NaiveDate, Utc};
use entity::budget::{self, ActiveModel, BudgetOwner, BudgetStatus, Column, Entity, Model};
use entity::id::{BudgetId, FundingId, StationId, UnitId};
use entity::{budget_funding, programme, region, station, unit};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, IntoActiveModel as _, QueryFilter as _};

use super::super::domain::Points;
use super::super::error::PointsError;
use super::super::paying::{self, When};
use super::super::{due, issuing};
use crate::identity::StaffCaller;
use crate::region::{RegionCode, Subtree};

/// How many dues the command that brings the money pays by itself; a job pays the rest.
const PAID_AT_ONCE: u64 = 200;
/// The reason of a budget's first funding.
const FIRST: &str = "设立预算";

/// Whose budget it is, and so for whom it pays.
#[derive(Clone, Debug)]
pub enum Owner {
    /// For the station's community.
    Station(StationId),
    /// `None`: the region of the one who makes it.
    Community(Option<RegionCode>),
    /// A unit or somebody else who gives.
    Sponsor(Option<RegionCode>, Option<UnitId>),
}

/// A budget to be made, with its first funds.
#[derive(Clone, Debug)]
pub struct NewBudget {
    pub id: BudgetId,
    pub funding_id: FundingId,
    pub programme: String,
    pub name: String,
    pub owner: Owner,
    /// Hundredths, above zero.
    pub amount: i64,
    /// 1 to 100.
    pub warn_share: i16,
    /// Not before today.
    pub valid_until: Option<NaiveDate>,
}

/// Makes a budget, open from today, and pays what waited for it.
///
/// # Errors
/// `Field` for what is not there, lies outside the subtree of `staff`, or a programme of another district.
pub async fn create(
    db: &impl ConnectionTrait,
    staff: &StaffCaller,
    new: &NewBudget,
    when: When,
) -> Result<Model, PointsError> {
    let (owner_kind, station_id, unit_id, region) = owner(db, staff, &new.owner).await?;
    serves(db, &new.programme, &region).await?;
    let subtree = region.subtree();
    let row = Model {
        id: new.id,
        programme: new.programme.clone(),
        name: new.name.clone(),
        owner_kind,
        station_id,
        unit_id,
        region_lo: subtree.lo().to_owned(),
        region_hi: subtree.hi().to_owned(),
        region_code: region.into(),
        funded: new.amount,
        issued: 0,
        warn_share: new.warn_share,
        warned_at: None,
        valid_from: when.today,
        valid_until: new.valid_until,
        status: BudgetStatus::Active,
        created_by: staff.id,
        created_at: when.now,
        updated_at: when.now,
        closed_at: None,
    };
    Entity::insert(row.clone().into_active_model()).exec_without_returning(db).await?;
    let funding = Funding { id: new.funding_id, amount: new.amount, reason: FIRST.to_owned() };
    note(db, row.id, staff, &funding, when.now).await?;
    Ok(paying::settle(db, &row, 0, when, PAID_AT_ONCE).await?.0)
}

type Place = (BudgetOwner, Option<StationId>, Option<UnitId>, RegionCode);

async fn owner(db: &impl ConnectionTrait, staff: &StaffCaller, owner: &Owner) -> Result<Place, PointsError> {
    let (kind, region, unit_id) = match owner {
        Owner::Station(id) => {
            let found = station::Entity::find_by_id(*id).one(db).await?;
            let found = found
                .filter(|station| staff.serves(station.id, &station.region_code))
                .and_then(|station| RegionCode::parse(&station.region_code).ok()?.community());
            let detail = "没有这个站点，或不在您的管辖范围内，请从站点列表中选择";
            let community = found.ok_or(PointsError::Field { field: "station_id", detail })?;
            return Ok((BudgetOwner::Station, Some(*id), None, community));
        }
        Owner::Community(region) => (BudgetOwner::Community, region, None),
        Owner::Sponsor(region, unit) => (BudgetOwner::Sponsor, region, *unit),
    };
    let region = region.clone().unwrap_or_else(|| staff.region.clone());
    let within = staff.subtree().encloses(&region.subtree()) && region.enclosing().len() <= 5;
    if !within || region::Entity::find_by_id(region.as_str()).one(db).await?.is_none() {
        let detail = "没有这个社区或更大的区划，或不在您的管辖范围内，请重新选择";
        return Err(PointsError::Field { field: "region_code", detail });
    }
    if let Some(id) = unit_id
        && unit::Entity::find_by_id(id).one(db).await?.is_none()
    {
        return Err(PointsError::Field {
            field: "unit_id", detail: "没有这个单位，请从单位列表中选择"
        });
    }
    Ok((kind, None, unit_id, region))
}

/// The programme is there, and is not another district's.
async fn serves(db: &impl ConnectionTrait, code: &str, region: &RegionCode) -> Result<(), PointsError> {
    let refused = |detail| PointsError::Field { field: "programme", detail };
    let found = programme::Entity::find_by_id(code).one(db).await?;
    let found = found.ok_or(refused("没有这个积分项目，请从积分项目列表中选择"))?;
    let Some(of) = &found.region_code else { return Ok(()) };
    if Subtree::of(&RegionCode::try_from(of)?).encloses(&region.subtree()) {
        return Ok(());
    }
    Err(refused("这个积分项目属于其他区划，不能由此预算支付，请选择本地的积分项目"))
}

/// A change to what a budget holds.
#[derive(Clone, Debug)]
pub struct Funding {
    pub id: FundingId,
    /// Hundredths, above zero, whichever way it goes.
    pub amount: i64,
    pub reason: String,
}

/// Adds funds and pays what waited for them, oldest first.
///
/// # Errors
/// `NotFound`, `BudgetClosed`, `TooLarge`.
pub async fn fund(
    db: &impl ConnectionTrait,
    staff: &StaffCaller,
    id: BudgetId,
    funding: &Funding,
    when: When,
) -> Result<Model, PointsError> {
    let row = find(db, &staff.subtree(), id).await?;
    if row.status == BudgetStatus::Closed {
        return Err(PointsError::BudgetClosed);
    }
    row.funded.checked_add(funding.amount).ok_or(PointsError::TooLarge)?;
    note(db, id, staff, funding, when.now).await?;
    Ok(paying::settle(db, &row, funding.amount, when, PAID_AT_ONCE).await?.0)
}

/// Takes funds back that are neither issued nor, while the budget is open, owed.
///
/// # Errors
/// `NotFound`; `BudgetCommitted` where less would be left than is issued or owed.
pub async fn withdraw(
    db: &impl ConnectionTrait,
    staff: &StaffCaller,
    id: BudgetId,
    funding: &Funding,
    when: When,
) -> Result<Model, PointsError> {
    let row = find(db, &staff.subtree(), id).await?;
    let owed = if row.status == BudgetStatus::Active { due::waiting_in(db, &row).await?.1 } else { 0 };
    let taken = Entity::update_many()
        .col_expr(Column::Funded, Expr::col(Column::Funded).sub(funding.amount))
        .col_expr(Column::UpdatedAt, Expr::value(when.now))
        .filter(Column::Id.eq(id))
        .filter(Expr::col(Column::Funded).sub(Expr::col(Column::Issued)).sub(owed).gte(funding.amount))
        .exec_with_returning(db)
        .await?;
    let Some(row) = taken.into_iter().next() else {
        let committed = Points::from_hundredths(row.issued.saturating_add(owed));
        return Err(PointsError::BudgetCommitted { committed, funded: Points::from_hundredths(row.funded) });
    };
    note(db, id, staff, &Funding { amount: -funding.amount, ..funding.clone() }, when.now).await?;
    Ok(issuing::mark(db, row, when.now).await?)
}

async fn note(
    db: &impl ConnectionTrait,
    budget_id: BudgetId,
    staff: &StaffCaller,
    funding: &Funding,
    at: DateTime<Utc>,
) -> Result<(), DbErr> {
    let row = budget_funding::ActiveModel {
        id: Set(funding.id),
        budget_id: Set(budget_id),
        amount: Set(funding.amount),
        reason: Set(funding.reason.clone()),
        staff_id: Set(staff.id),
        at: Set(at),
    };
    budget_funding::Entity::insert(row).exec_without_returning(db).await.map(drop)
}

/// What may be changed; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct Change {
    pub name: Option<String>,
    pub warn_share: Option<i16>,
    /// Not before today; `Some(None)`: no end.
    pub valid_until: Option<Option<NaiveDate>>,
}

/// Changes an open budget.
///
/// # Errors
/// `NotFound`, `BudgetClosed`.
pub async fn change(
    db: &impl ConnectionTrait,
    staff: &StaffCaller,
    id: BudgetId,
    change: &Change,
    now: DateTime<Utc>,
) -> Result<Model, PointsError> {
    find(db, &staff.subtree(), id).await?;
    let set = ActiveModel {
        name: change.name.clone().map_or_else(Default::default, Set),
        warn_share: change.warn_share.map_or_else(Default::default, Set),
        valid_until: change.valid_until.map_or_else(Default::default, Set),
        updated_at: Set(now),
        ..Default::default()
    };
    let row = step(db, id, set).await?.ok_or(PointsError::BudgetClosed)?;
    Ok(issuing::mark(db, row, now).await?)
}

/// Ends a budget: it pays no more, and what is left in it can be withdrawn.
///
/// # Errors
/// `NotFound`; `BudgetClosed` where it is closed already.
pub async fn close(
    db: &impl ConnectionTrait,
    staff: &StaffCaller,
    id: BudgetId,
    now: DateTime<Utc>,
) -> Result<Model, PointsError> {
    find(db, &staff.subtree(), id).await?;
    let set = ActiveModel {
        status: Set(BudgetStatus::Closed),
        closed_at: Set(Some(now)),
        updated_at: Set(now),
        ..Default::default()
    };
    step(db, id, set).await?.ok_or(PointsError::BudgetClosed)
}

/// Changes an open budget; `None` where it is closed by now.
async fn step(db: &impl ConnectionTrait, id: BudgetId, set: ActiveModel) -> Result<Option<Model>, DbErr> {
    let open = Entity::update_many()
        .set(set)
        .filter(Column::Id.eq(id))
        .filter(Column::Status.eq(BudgetStatus::Active))
        .exec_with_returning(db)
        .await?;
    Ok(open.into_iter().next())
}

/// A budget of `subtree`.
///
/// # Errors
/// `NotFound`.
pub(super) async fn find(
    db: &impl ConnectionTrait,
    subtree: &Subtree,
    id: BudgetId,
) -> Result<budget::Model, PointsError> {
    Entity::find_by_id(id)
        .filter(subtree.covers(Expr::col((Entity, Column::RegionCode))))
        .one(db)
        .await?
        .ok_or(PointsError::NotFound)
}
