//! Making and changing stations.

use chrono::{DateTime, Utc};
use entity::id::StationId;
use entity::station::{self, StationKind};
use sea_orm::{ActiveModelTrait as _, ActiveValue::Set, ConnectionTrait, DbErr};
use serde::Deserialize;
use utoipa::ToSchema;
use validator::Validate;

use super::code::{RegionCode, Subtree};
use super::query;
use crate::audit::{self, Actor, AuditEvent};
use crate::db::CommandError;
use crate::http::{Line, Problem};

/// A new station.
#[derive(Clone, Debug, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct NewStation {
    #[schema(value_type = String, min_length = 1, max_length = 50)]
    name: Line<50>,
    #[schema(inline)]
    kind: StationKind,
    region_code: RegionCode,
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    address: Option<Line<200>>,
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100)]
    opening_hours: Option<Line<100>>,
    #[validate(range(min = -90.0, max = 90.0))]
    #[schema(minimum = -90, maximum = 90)]
    lat: Option<f64>,
    #[validate(range(min = -180.0, max = 180.0))]
    #[schema(minimum = -180, maximum = 180)]
    lon: Option<f64>,
}

/// What changes of a station; what is absent stays.
#[derive(Clone, Debug, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct ChangeStation {
    #[schema(value_type = Option<String>, min_length = 1, max_length = 50)]
    name: Option<Line<50>>,
    #[schema(inline)]
    kind: Option<StationKind>,
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    address: Option<Line<200>>,
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100)]
    opening_hours: Option<Line<100>>,
    #[validate(range(min = -90.0, max = 90.0))]
    #[schema(minimum = -90, maximum = 90)]
    lat: Option<f64>,
    #[validate(range(min = -180.0, max = 180.0))]
    #[schema(minimum = -180, maximum = 180)]
    lon: Option<f64>,
    /// A closed station keeps its history and takes no more work.
    active: Option<bool>,
}

/// Why a station was not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum StationError {
    #[error("没有找到")]
    NotFound,
    #[error("没有这个区划代码，请从区划列表中选择")]
    UnknownRegion,
    #[error(transparent)]
    Db(#[from] DbErr),
}

impl CommandError for StationError {
    fn db_err(&self) -> Option<&DbErr> {
        match self {
            Self::Db(error) => Some(error),
            Self::NotFound | Self::UnknownRegion => None,
        }
    }
}

impl From<StationError> for Problem {
    fn from(error: StationError) -> Self {
        let detail = error.to_string();
        match error {
            StationError::NotFound => Self::not_found(),
            StationError::UnknownRegion => Self::invalid("region_code", "invalid", detail),
            StationError::Db(cause) => cause.into(),
        }
    }
}

/// Makes a station in the subtree.
///
/// # Errors
/// [`StationError::NotFound`] for a region outside the subtree, [`StationError::UnknownRegion`] for one that is none.
pub async fn add(
    db: &impl ConnectionTrait,
    actor: Actor,
    subtree: &Subtree,
    id: StationId,
    new: &NewStation,
    now: DateTime<Utc>,
) -> Result<station::Model, StationError> {
    if query::find(db, &new.region_code).await?.is_none() {
        return Err(StationError::UnknownRegion);
    }
    if !subtree.contains(&new.region_code) {
        return Err(StationError::NotFound);
    }
    let row = station::ActiveModel {
        id: Set(id),
        ref_id: Set(None),
        name: Set(new.name.to_string()),
        kind: Set(new.kind),
        region_code: Set(new.region_code.to_string()),
        address: Set(new.address.as_ref().map(ToString::to_string)),
        opening_hours: Set(new.opening_hours.as_ref().map(ToString::to_string)),
        lat: Set(new.lat),
        lon: Set(new.lon),
        active: Set(true),
        created_at: Set(now),
        updated_at: Set(now),
    };
    let made = row.insert(db).await?;
    audit::record(db, AuditEvent::new(actor, "station.add", "station", now).of(id).in_region(&made.region_code))
        .await?;
    Ok(made)
}

/// Changes a station of the subtree.
///
/// # Errors
/// [`StationError::NotFound`] for one outside it.
pub async fn change(
    db: &impl ConnectionTrait,
    actor: Actor,
    subtree: &Subtree,
    id: StationId,
    change: &ChangeStation,
    now: DateTime<Utc>,
) -> Result<station::Model, StationError> {
    let found = query::station(db, id).await?.filter(|row| subtree.contains(&row.region_code));
    let mut row: station::ActiveModel = found.ok_or(StationError::NotFound)?.into();
    if let Some(name) = &change.name {
        row.name = Set(name.to_string());
    }
    if let Some(kind) = change.kind {
        row.kind = Set(kind);
    }
    if let Some(address) = &change.address {
        row.address = Set(Some(address.to_string()));
    }
    if let Some(hours) = &change.opening_hours {
        row.opening_hours = Set(Some(hours.to_string()));
    }
    if let Some(lat) = change.lat {
        row.lat = Set(Some(lat));
    }
    if let Some(lon) = change.lon {
        row.lon = Set(Some(lon));
    }
    if let Some(active) = change.active {
        row.active = Set(active);
    }
    row.updated_at = Set(now);
    let changed = row.update(db).await?;
    let event = AuditEvent::new(actor, "station.change", "station", now).of(id).in_region(&changed.region_code);
    audit::record(db, event).await?;
    Ok(changed)
}

/// Writes down that staff reached for what lies outside their subtree.
///
/// # Errors
/// The database's.
pub async fn denied(
    db: &impl ConnectionTrait,
    actor: Actor,
    action: &'static str,
    id: Option<StationId>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let event = AuditEvent::new(actor, action, "station", now).denied();
    audit::record(db, if let Some(id) = id { event.of(id) } else { event }).await
}
