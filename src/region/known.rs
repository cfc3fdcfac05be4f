//! Whether a code that somebody gave exists.

use entity::region;
use sea_orm::{ConnectionTrait, DbErr, EntityTrait as _, SelectExt as _};

use super::RegionCode;

/// Whether there is such a region.
///
/// # Errors
/// The database's.
pub async fn region_exists(db: &impl ConnectionTrait, code: &RegionCode) -> Result<bool, DbErr> {
    region::Entity::find_by_id(code.as_str()).exists(db).await
}
