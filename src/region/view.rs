//! Places and lists as they are shown.

use entity::id::StationId;
use entity::region::RegionLevel;
use entity::station::StationKind;
use entity::{region, station};
use serde::Serialize;
use utoipa::ToSchema;

/// A region.
#[derive(Debug, Serialize, ToSchema)]
pub struct RegionView {
    code: String,
    name: String,
    level: RegionLevel,
    parent_code: Option<String>,
    /// As the statistics bureau names it; may be empty.
    kind: String,
}

impl From<region::Model> for RegionView {
    fn from(row: region::Model) -> Self {
        Self { code: row.code, name: row.name, level: row.level, parent_code: row.parent_code, kind: row.kind }
    }
}

/// A station.
#[derive(Debug, Serialize, ToSchema)]
pub struct StationView {
    id: StationId,
    /// The id it was imported under.
    r#ref: Option<String>,
    name: String,
    kind: StationKind,
    region_code: String,
    address: Option<String>,
    opening_hours: Option<String>,
    lat: Option<f64>,
    lon: Option<f64>,
    active: bool,
}

impl From<station::Model> for StationView {
    fn from(row: station::Model) -> Self {
        Self {
            id: row.id,
            r#ref: row.ref_id,
            name: row.name,
            kind: row.kind,
            region_code: row.region_code,
            address: row.address,
            opening_hours: row.opening_hours,
            lat: row.lat,
            lon: row.lon,
            active: row.active,
        }
    }
}
