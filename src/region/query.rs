//! Reading regions, stations and coded lists. All of it is public.

use entity::id::StationId;
use entity::region::{self, RegionLevel};
use entity::station::{self, StationKind};
use sea_orm::sea_query::{Expr, LikeExpr};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use serde::Deserialize;
use utoipa::IntoParams;
use validator::Validate;

use super::code::RegionCode;
use crate::http::{Line, Listing, Page, Problem};

/// Which regions, in order of code.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RegionQuery {
    /// Those directly below this one.
    #[param(value_type = Option<String>, pattern = "^[0-9]{6,24}$")]
    pub parent: Option<RegionCode>,
    #[param(inline)]
    pub level: Option<RegionLevel>,
    /// Part of the name.
    #[param(value_type = Option<String>, min_length = 1, max_length = 50)]
    pub q: Option<Line<50>>,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    pub page: Page,
}

/// Which stations, in order of region.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StationQuery {
    /// This region's subtree.
    #[param(value_type = Option<String>, pattern = "^[0-9]{6,24}$")]
    pub region: Option<RegionCode>,
    #[param(inline)]
    pub kind: Option<StationKind>,
    /// Part of the name.
    #[param(value_type = Option<String>, min_length = 1, max_length = 50)]
    pub q: Option<Line<50>>,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    pub page: Page,
}

/// A page of regions.
///
/// # Errors
/// 422 for a forged cursor; the database's.
pub async fn regions(db: &impl ConnectionTrait, query: &RegionQuery) -> Result<Listing<region::Model>, Problem> {
    use region::Column;
    let mut rows = region::Entity::find().order_by_asc(Column::Code).limit(query.page.limit() + 1);
    if let Some(parent) = &query.parent {
        rows = rows.filter(Column::ParentCode.eq(parent.as_str()));
    }
    if let Some(level) = query.level {
        rows = rows.filter(Column::Level.eq(level));
    }
    if let Some(part) = &query.q {
        rows = rows.filter(Column::Name.like(containing(part)));
    }
    if let Some(after) = query.page.after::<RegionCode>()? {
        rows = rows.filter(Column::Code.gt(after.as_str()));
    }
    Ok(Listing::cut(rows.all(db).await?, &query.page, |row| row.code.clone()))
}

/// One region.
///
/// # Errors
/// The database's.
pub async fn find(db: &impl ConnectionTrait, code: &str) -> Result<Option<region::Model>, DbErr> {
    region::Entity::find_by_id(code).one(db).await
}

/// A page of stations.
///
/// # Errors
/// 422 for a forged cursor; the database's.
pub async fn stations(db: &impl ConnectionTrait, query: &StationQuery) -> Result<Listing<station::Model>, Problem> {
    use station::Column;
    let mut rows =
        station::Entity::find().order_by_asc(Column::RegionCode).order_by_asc(Column::Id).limit(query.page.limit() + 1);
    if let Some(region) = &query.region {
        rows = rows.filter(region.subtree().covers(Expr::col(Column::RegionCode)));
    }
    if let Some(kind) = query.kind {
        rows = rows.filter(Column::Kind.eq(kind));
    }
    if let Some(part) = &query.q {
        rows = rows.filter(Column::Name.like(containing(part)));
    }
    if let Some((region, id)) = query.page.after::<(RegionCode, StationId)>()? {
        rows = rows.filter(after((Column::RegionCode, region.as_str()), (Column::Id, id)));
    }
    Ok(Listing::cut(rows.all(db).await?, &query.page, |row| (row.region_code.clone(), row.id)))
}

/// One station.
///
/// # Errors
/// The database's.
pub async fn station(db: &impl ConnectionTrait, id: StationId) -> Result<Option<station::Model>, DbErr> {
    station::Entity::find_by_id(id).one(db).await
}

/// `a > x OR (a = x AND b > y)`: the rows after a key of two columns.
pub fn after<A, B>(
    first: (A, impl Into<sea_orm::Value> + Clone),
    second: (B, impl Into<sea_orm::Value>),
) -> sea_orm::Condition
where
    A: sea_orm::ColumnTrait,
    B: sea_orm::ColumnTrait,
{
    let level = sea_orm::Condition::all().add(first.0.eq(first.1.clone())).add(second.0.gt(second.1));
    sea_orm::Condition::any().add(first.0.gt(first.1)).add(level)
}

/// The pattern for "contains `part`", taken at its letters.
pub fn containing(part: &str) -> LikeExpr {
    let escaped = part.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    LikeExpr::new(format!("%{escaped}%")).escape('\\')
}
