//! The kinds of points: who may set one up, and which one counts in a community.

use chrono::{DateTime, Utc};
use entity::programme::{ActiveModel, Column, Entity, Expiry, Model};
use entity::region;
use entity::staff::Role;
use sea_orm::ActiveValue;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, IntoActiveModel as _,
    QueryFilter as _, QuerySelect as _, SelectExt as _,
};

use super::error::PointsError;
use super::rules::refused;
use crate::http::FieldError;
use crate::identity::StaffCaller;
use crate::region::{RegionCode, Subtree};

/// The programme of every instance, of no region.
pub const DEFAULT: &str = "default";

/// What may be set; `None` leaves what is there.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub name: Option<String>,
    pub unit: Option<String>,
    /// Of points that come from now on.
    pub expiry: Option<Expiry>,
    pub expiry_months: Option<i32>,
    pub expiry_years: Option<i32>,
    pub notice_days: Option<i32>,
    pub reopen_days: Option<i32>,
    pub negative_allowed: Option<bool>,
    pub budget_required: Option<bool>,
    pub households_pool: Option<bool>,
    pub account_cap: Option<Option<i64>>,
    pub gifts_allowed: Option<bool>,
    pub gift_cap_day: Option<Option<i64>>,
    pub gift_cap_receiver: Option<Option<i64>>,
    pub point_cost: Option<i64>,
}

/// Makes a programme for the region of `staff` or one in it.
///
/// # Errors
/// [`PointsError::Fields`]: the code is taken, the region is not there or not in the subtree, the expiry contradicts itself.
pub async fn add(
    db: &impl ConnectionTrait,
    staff: &StaffCaller,
    code: &str,
    region: Option<&RegionCode>,
    settings: &Settings,
    now: DateTime<Utc>,
) -> Result<Model, PointsError> {
    let region = region.unwrap_or(&staff.region);
    if !staff.subtree().encloses(&region.subtree())
        || region::Entity::find_by_id(region.as_str()).one(db).await?.is_none()
    {
        return Err(refused("region_code", "invalid", "没有这个区划，或不在您的管辖范围内，请重新选择"));
    }
    if Entity::find_by_id(code).one(db).await?.is_some() {
        return Err(taken());
    }
    let blank = Model {
        code: code.to_owned(),
        name: String::new(),
        unit_name: "分".to_owned(),
        region_code: Some(region.to_string()),
        expiry: Expiry::Never,
        expiry_months: None,
        reopen_days: 7,
        created_at: now,
        expiry_years: 0,
        notice_days: 30,
        negative_allowed: false,
        budget_required: false,
        households_pool: false,
        account_cap: None,
        gifts_allowed: false,
        gift_cap_day: None,
        gift_cap_receiver: None,
        point_cost: 0,
        updated_at: None,
    };
    let row = with(blank, settings)?;
    let made =
        Entity::insert(row.clone().into_active_model()).on_conflict_do_nothing().exec_without_returning(db).await?;
    match made {
        sea_orm::TryInsertResult::Inserted(1) => Ok(row),
        _ => Err(taken()),
    }
}

fn taken() -> PointsError {
    refused("code", "invalid", "这个代码已被使用，请换一个")
}

/// Changes a programme's settings. How long points are good for changes for those that come later only.
///
/// # Errors
/// [`PointsError::NotFound`] outside the subtree; [`PointsError::Fields`] where the expiry contradicts itself.
pub async fn change(
    db: &impl ConnectionTrait,
    staff: &StaffCaller,
    code: &str,
    settings: &Settings,
    now: DateTime<Utc>,
) -> Result<Model, PointsError> {
    find(db, staff, code).await?;
    // Locked: two changes at once do not undo each other.
    let found = Entity::find_by_id(code).lock_exclusive().one(db).await?.ok_or(PointsError::NotFound)?;
    let row = Model { updated_at: Some(now), ..with(found, settings)? };
    let change = ActiveModel { code: ActiveValue::NotSet, ..row.clone().into_active_model().reset_all() };
    Entity::update_many().set(change).filter(Column::Code.eq(code)).exec(db).await?;
    Ok(row)
}

/// The settings laid over what is there.
fn with(row: Model, settings: &Settings) -> Result<Model, PointsError> {
    let expiry = settings.expiry.unwrap_or(row.expiry);
    // A number of months or years belongs to its own kind of expiry and goes with it.
    let kept_months = row.expiry_months.filter(|_| expiry == Expiry::Months);
    let kept_years = if expiry == Expiry::YearEnd { row.expiry_years } else { 0 };
    let row = Model {
        name: settings.name.clone().unwrap_or(row.name),
        unit_name: settings.unit.clone().unwrap_or(row.unit_name),
        expiry,
        expiry_months: settings.expiry_months.or(kept_months),
        expiry_years: settings.expiry_years.unwrap_or(kept_years),
        notice_days: settings.notice_days.unwrap_or(row.notice_days),
        reopen_days: settings.reopen_days.unwrap_or(row.reopen_days),
        negative_allowed: settings.negative_allowed.unwrap_or(row.negative_allowed),
        budget_required: settings.budget_required.unwrap_or(row.budget_required),
        households_pool: settings.households_pool.unwrap_or(row.households_pool),
        account_cap: settings.account_cap.unwrap_or(row.account_cap),
        gifts_allowed: settings.gifts_allowed.unwrap_or(row.gifts_allowed),
        gift_cap_day: settings.gift_cap_day.unwrap_or(row.gift_cap_day),
        gift_cap_receiver: settings.gift_cap_receiver.unwrap_or(row.gift_cap_receiver),
        point_cost: settings.point_cost.unwrap_or(row.point_cost),
        ..row
    };
    let mut errors = Vec::new();
    match (row.expiry, row.expiry_months) {
        (Expiry::Months, None) => {
            errors.push(FieldError::new("expiry_months", "required").saying("按月过期须填写有效月数"));
        }
        (Expiry::Never | Expiry::YearEnd, Some(_)) => {
            errors.push(FieldError::new("expiry_months", "invalid").saying("只有按月过期时才填有效月数，请去掉此项"));
        }
        _ => {}
    }
    if row.expiry != Expiry::YearEnd && row.expiry_years != 0 {
        errors.push(FieldError::new("expiry_years", "invalid").saying("只有年底过期时才填年数，请去掉此项"));
    }
    if errors.is_empty() { Ok(row) } else { Err(PointsError::Fields(errors)) }
}

/// A programme that `staff` may change.
///
/// # Errors
/// [`PointsError::NotFound`].
pub async fn find(db: &impl ConnectionTrait, staff: &StaffCaller, code: &str) -> Result<Model, PointsError> {
    let found = Entity::find_by_id(code).one(db).await?.ok_or(PointsError::NotFound)?;
    if !may_change(db, staff, found.region_code.as_deref()).await? {
        return Err(PointsError::NotFound);
    }
    Ok(found)
}

/// Whether `staff` may change what belongs to a region: one in the subtree. What belongs to none concerns everybody, so it
/// takes an admin whose subtree holds every region there is.
pub(super) async fn may_change(
    db: &impl ConnectionTrait,
    staff: &StaffCaller,
    region: Option<&str>,
) -> Result<bool, DbErr> {
    let subtree = staff.subtree();
    if let Some(region) = region {
        return Ok(RegionCode::parse(region).is_ok_and(|region| subtree.encloses(&Subtree::of(&region))));
    }
    if staff.role != Role::Admin {
        return Ok(false);
    }
    let outside = subtree.covers(Expr::col(region::Column::Code)).not();
    Ok(!region::Entity::find().filter(outside).exists(db).await?)
}

/// The programme that rules of a place may be for: everybody's, one that encloses the place, or one within it.
///
/// # Errors
/// [`PointsError::Fields`] on `programme`.
pub fn within_reach(found: Option<Model>, place: &Subtree) -> Result<Model, PointsError> {
    let Some(found) = found else {
        return Err(refused("programme", "invalid", "没有这个积分项目，请从积分项目列表中选择"));
    };
    let of = found.region_code.as_deref().and_then(|code| RegionCode::parse(code).ok()).map(|code| code.subtree());
    if of.is_some_and(|of| !of.encloses(place) && !place.encloses(&of)) {
        return Err(refused("programme", "invalid", "该积分项目属于其他地区，请从本地区的积分项目中选择"));
    }
    Ok(found)
}

/// The programme that counts in a community: that of the smallest region which encloses it, of two the older one; else
/// [`DEFAULT`].
///
/// # Errors
/// The database's.
pub async fn programme_of(db: &impl ConnectionTrait, community: &str) -> Result<String, DbErr> {
    let Ok(code) = RegionCode::parse(community) else { return Ok(DEFAULT.to_owned()) };
    let found: Vec<(String, Option<String>, DateTime<Utc>)> = Entity::find()
        .select_only()
        .columns([Column::Code, Column::RegionCode, Column::CreatedAt])
        .filter(Column::RegionCode.is_in(code.enclosing()))
        .into_tuple()
        .all(db)
        .await?;
    let depth = |region: Option<&str>| {
        region.and_then(|code| RegionCode::parse(code).ok()).map_or(0, |code| code.subtree().lo().len())
    };
    let best = found.into_iter().min_by_key(|(code, region, created_at)| {
        (std::cmp::Reverse(depth(region.as_deref())), *created_at, code.clone())
    });
    Ok(best.map_or_else(|| DEFAULT.to_owned(), |(code, ..)| code))
}
