//! What a member's service sums up to: hours, stars, categories.

use chrono::NaiveDate;
use entity::category::Category;
use entity::id::MemberId;
use entity::service_record::{Column, Entity};
use entity::{member, opening_balance, star_threshold};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QuerySelect as _};

use super::error::RecordError;
use crate::identity::Scope;

/// A member's service. Minutes and stars count what was carried over from an older system, the rest does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Verified records, without those reversed.
    pub records: i64,
    pub minutes: i64,
    /// 0 to 5.
    pub star_level: i16,
    /// Categories with records, in their order.
    pub by_category: Vec<CategorySum>,
}

/// One category's part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CategorySum {
    pub category: Category,
    pub records: i64,
    pub minutes: i64,
}

/// The summary of a member as of a local day.
///
/// # Errors
/// [`RecordError::NotFound`] where the member is not within `scope`.
pub async fn summary(
    db: &impl ConnectionTrait,
    scope: &Scope,
    id: MemberId,
    today: NaiveDate,
) -> Result<Summary, RecordError> {
    let known: Option<MemberId> = member::Entity::find_by_id(id)
        .select_only()
        .column(member::Column::Id)
        .filter(scope.owned(member::Column::Id, member::Column::RegionCode))
        .into_tuple()
        .one(db)
        .await?;
    known.ok_or(RecordError::NotFound)?;
    let by_category = categories(db, id).await?;
    let served: i64 = by_category.iter().map(|sum| sum.minutes).sum();
    let minutes = served + carried_over(db, id).await?;
    Ok(Summary {
        records: by_category.iter().map(|sum| sum.records).sum(),
        minutes,
        star_level: stars(&thresholds(db, today).await?, minutes),
        by_category,
    })
}

async fn categories(db: &impl ConnectionTrait, id: MemberId) -> Result<Vec<CategorySum>, DbErr> {
    let rows: Vec<(Category, i64, i64)> = Entity::find()
        .select_only()
        .column(Column::Category)
        .column_as(Column::Id.count(), "records")
        .column_as(Column::Minutes.sum().cast_as("bigint"), "minutes")
        .filter(Column::MemberId.eq(id))
        .filter(Column::CountedAt.is_not_null())
        .filter(Column::ReversedAt.is_null())
        .group_by(Column::Category)
        .into_tuple()
        .all(db)
        .await?;
    let mut sums: Vec<_> =
        rows.into_iter().map(|(category, records, minutes)| CategorySum { category, records, minutes }).collect();
    sums.sort_unstable_by_key(|sum| sum.category);
    Ok(sums)
}

async fn carried_over(db: &impl ConnectionTrait, id: MemberId) -> Result<i64, DbErr> {
    let sum: Option<Option<i64>> = opening_balance::Entity::find()
        .select_only()
        .column_as(Expr::col(opening_balance::Column::Minutes).sum().cast_as("bigint"), "minutes")
        .filter(opening_balance::Column::MemberId.eq(id))
        .into_tuple()
        .one(db)
        .await?;
    Ok(sum.flatten().unwrap_or(0))
}

async fn thresholds(db: &impl ConnectionTrait, today: NaiveDate) -> Result<Vec<star_threshold::Model>, DbErr> {
    star_threshold::Entity::find().filter(star_threshold::Column::ValidFrom.lte(today)).all(db).await
}

/// The highest level whose threshold is reached; of several thresholds for a level the latest one is in force.
fn stars(thresholds: &[star_threshold::Model], minutes: i64) -> i16 {
    let in_force = |level: &star_threshold::Model| {
        !thresholds.iter().any(|other| other.stars == level.stars && other.valid_from > level.valid_from)
    };
    let reached = thresholds.iter().filter(|level| level.minutes <= minutes && in_force(level));
    reached.map(|level| level.stars).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_threshold_of_a_level_counts() {
        let row = |year, stars, hours: i64| star_threshold::Model {
            valid_from: NaiveDate::from_ymd_opt(year, 1, 1).unwrap(),
            stars,
            minutes: hours * 60,
        };
        let old = [row(1970, 1, 100), row(1970, 2, 300), row(1970, 3, 600)];
        for (minutes, level) in [(0, 0), (5_999, 0), (6_000, 1), (18_000, 2), (90_000, 3)] {
            assert_eq!(stars(&old, minutes), level, "{minutes}");
        }
        let new = [old[0].clone(), old[1].clone(), row(2025, 1, 30), row(2026, 2, 500)];
        for (minutes, level) in [(1_800, 1), (18_000, 1), (30_000, 2)] {
            assert_eq!(stars(&new, minutes), level, "{minutes}");
        }
    }
}
