//! Local rules that are one number: rows of `setting`, with defaults that hold until staff change them.

use std::ops::RangeInclusive;

use chrono::TimeDelta;
use entity::setting::{Column, Entity};
use sea_orm::{ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _};

/// A number that staff may set. A row that is no whole number within the range counts as none.
#[derive(Clone, Copy, Debug)]
pub struct Number {
    pub key: &'static str,
    pub default: i64,
    /// The least and the greatest that make sense.
    pub range: (i64, i64),
}

impl Number {
    pub const fn new(key: &'static str, default: i64, range: RangeInclusive<i64>) -> Self {
        Self { key, default, range: (*range.start(), *range.end()) }
    }
}

/// The values of `numbers`, in their order, by one query.
///
/// # Errors
/// The database's.
pub async fn numbers<const N: usize>(db: &impl ConnectionTrait, numbers: [Number; N]) -> Result<[i64; N], DbErr> {
    let keys = numbers.map(|number| number.key);
    let rows = Entity::find().filter(Column::Key.is_in(keys)).all(db).await?;
    Ok(numbers.map(|Number { key, default, range: (least, most) }| {
        let set = rows.iter().find(|row| row.key == key).and_then(|row| row.value.as_i64());
        set.filter(|value| (least..=most).contains(value)).unwrap_or(default)
    }))
}

/// Hours as a span of time.
pub fn hours(hours: i64) -> TimeDelta {
    TimeDelta::try_hours(hours).unwrap_or(TimeDelta::MAX)
}
