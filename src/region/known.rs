//! Whether a code that somebody gave exists.

use entity::{code_item, region};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QuerySelect as _, SelectExt as _,
};

use super::RegionCode;

/// Whether there is such a region.
///
/// # Errors
/// The database's.
pub async fn region_exists(db: &impl ConnectionTrait, code: &RegionCode) -> Result<bool, DbErr> {
    region::Entity::find_by_id(code.as_str()).exists(db).await
}

/// The places in `codes` of those that `list` does not know. A list without entries (nothing imported yet) knows all.
///
/// # Errors
/// The database's.
pub async fn unknown_codes(db: &impl ConnectionTrait, list: &str, codes: &[String]) -> Result<Vec<usize>, DbErr> {
    if codes.is_empty() {
        return Ok(Vec::new());
    }
    let known: Vec<String> = code_item::Entity::find()
        .select_only()
        .column(code_item::Column::Code)
        .filter(code_item::Column::List.eq(list))
        .into_tuple()
        .all(db)
        .await?;
    if known.is_empty() {
        return Ok(Vec::new());
    }
    Ok(codes.iter().enumerate().filter(|(_, code)| !known.contains(code)).map(|(place, _)| place).collect())
}
