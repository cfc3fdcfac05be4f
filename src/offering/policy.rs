//! A region's rules for offers by the matcher.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use entity::id::StaffId;
use entity::offer_policy::{ActiveModel, Column, Entity, Model};
use entity::task_asking;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ConnectionTrait, DbErr, EntityTrait as _, Iterable as _};

use crate::region::RegionCode;

/// What holds in a region. The default is what holds where nobody said anything: no offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    pub enabled: bool,
    /// How long a task is open to all before anybody is asked.
    pub wait_minutes: i32,
    pub expires_minutes: i32,
    /// A window that begins so soon is urgent.
    pub urgent_minutes: i32,
    /// So is a task of this priority or more.
    pub urgent_priority: Option<i32>,
    pub urgent_expires_minutes: i32,
    /// How many are asked at once for each free slot of an urgent task.
    pub wave_size: i32,
    /// Open offers that one volunteer has at most.
    pub max_open_offers: i32,
    /// How many are asked for one task, at most.
    pub max_asked: i32,
    /// Nobody is asked below this score.
    pub min_score: i32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            enabled: false,
            wait_minutes: 10,
            expires_minutes: 120,
            urgent_minutes: 180,
            urgent_priority: Some(2),
            urgent_expires_minutes: 30,
            wave_size: 3,
            max_open_offers: 3,
            max_asked: 30,
            min_score: 0,
        }
    }
}

impl From<&Model> for Policy {
    fn from(row: &Model) -> Self {
        Self {
            enabled: row.enabled,
            wait_minutes: row.wait_minutes,
            expires_minutes: row.expires_minutes,
            urgent_minutes: row.urgent_minutes,
            urgent_priority: row.urgent_priority,
            urgent_expires_minutes: row.urgent_expires_minutes,
            wave_size: row.wave_size,
            max_open_offers: row.max_open_offers,
            max_asked: row.max_asked,
            min_score: row.min_score,
        }
    }
}

/// All rules, by region: a row for a region that said something.
#[derive(Clone, Debug, Default)]
pub struct Policies(BTreeMap<String, Model>);

impl Policies {
    /// Reads them. There are as many as there are regions that have rules of their own.
    ///
    /// # Errors
    /// The database's.
    pub async fn read(db: &impl ConnectionTrait) -> Result<Self, DbErr> {
        let rows = Entity::find().all(db).await?;
        Ok(Self(rows.into_iter().map(|row| (row.region_code.clone(), row)).collect()))
    }

    /// What holds in a region: its own rules, or those of the smallest region around it that has some.
    pub fn of(&self, region: &RegionCode) -> (Policy, Option<&Model>) {
        let row = region.enclosing().iter().find_map(|code| self.0.get(code));
        (row.map_or_else(Policy::default, Policy::from), row)
    }

    /// The regions that are switched on.
    pub fn enabled(&self) -> impl Iterator<Item = &str> {
        self.0.values().filter(|row| row.enabled).map(|row| row.region_code.as_str())
    }
}

/// Gives a region rules of its own, or other ones.
///
/// # Errors
/// The database's.
pub async fn set(
    db: &impl ConnectionTrait,
    region: &RegionCode,
    policy: Policy,
    by: StaffId,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let row = ActiveModel {
        region_code: Set(region.to_string()),
        enabled: Set(policy.enabled),
        wait_minutes: Set(policy.wait_minutes),
        expires_minutes: Set(policy.expires_minutes),
        urgent_minutes: Set(policy.urgent_minutes),
        urgent_priority: Set(policy.urgent_priority),
        urgent_expires_minutes: Set(policy.urgent_expires_minutes),
        wave_size: Set(policy.wave_size),
        max_open_offers: Set(policy.max_open_offers),
        max_asked: Set(policy.max_asked),
        min_score: Set(policy.min_score),
        updated_by: Set(Some(by)),
        updated_at: Set(now),
    };
    let others = Column::iter().filter(|column| !matches!(column, Column::RegionCode));
    let anew = OnConflict::column(Column::RegionCode).update_columns(others).to_owned();
    Entity::insert(row).on_conflict(anew).exec_without_returning(db).await?;
    look_anew(db, now).await
}

/// Takes a region's own rules away: those around it hold again. False where it had none.
///
/// # Errors
/// The database's.
pub async fn unset(db: &impl ConnectionTrait, region: &RegionCode, now: DateTime<Utc>) -> Result<bool, DbErr> {
    let gone = Entity::delete_by_id(region.as_str()).exec(db).await?.rows_affected == 1;
    look_anew(db, now).await?;
    Ok(gone)
}

/// Other rules may ask for others: whatever was left alone is looked at again. Rare, and the rows are few: only of tasks
/// that were looked at and are not over.
async fn look_anew(db: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<(), DbErr> {
    use sea_orm::{ColumnTrait as _, QueryFilter as _};
    task_asking::Entity::update_many()
        .set(task_asking::ActiveModel { look_at: Set(now), ..Default::default() })
        .filter(task_asking::Column::LookAt.gt(now))
        .exec(db)
        .await
        .map(drop)
}
