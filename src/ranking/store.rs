//! Writing `score`: rows are added to, in as few statements as possible.

use std::fmt::Write as _;

use entity::category::Category;
use entity::score::SubjectKind;
use sea_orm::{ActiveEnum as _, ConnectionTrait, DbBackend, DbErr, Statement, Value};

use super::tally::Row;
use crate::db::rows_per_statement;

const COLUMNS: usize = 11;

/// What is there is added to. The region is that of the latest record; a later moment replaces an earlier one, and none
/// replaces nothing (`max` of the two databases differ on NULL).
const ADD: &str = " ON CONFLICT (subject_kind, period, category, subject_id) DO UPDATE SET
    points = score.points + excluded.points, minutes = score.minutes + excluded.minutes,
    records = score.records + excluded.records,
    region_code = CASE WHEN score.minutes_at IS NULL OR excluded.minutes_at >= score.minutes_at
        THEN excluded.region_code ELSE score.region_code END,
    points_at = CASE WHEN score.points_at IS NULL OR excluded.points_at > score.points_at
        THEN excluded.points_at ELSE score.points_at END,
    minutes_at = CASE WHEN score.minutes_at IS NULL OR excluded.minutes_at > score.minutes_at
        THEN excluded.minutes_at ELSE score.minutes_at END,
    tie = excluded.tie";

/// Adds `rows` to what is there; how many there were. The text of a full statement is made once: with a builder, an import
/// would spend more on texts than on rows.
pub(super) async fn add(db: &impl ConnectionTrait, rows: &[Row<'_>]) -> Result<u64, DbErr> {
    let backend = db.get_database_backend();
    let size = rows_per_statement(COLUMNS);
    let full = if rows.len() >= size { text(backend, size) } else { String::new() };
    for chunk in rows.chunks(size) {
        let sql = if chunk.len() == size { full.clone() } else { text(backend, chunk.len()) };
        let values = chunk.iter().flat_map(values);
        db.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    }
    Ok(rows.len() as u64)
}

fn text(backend: DbBackend, rows: usize) -> String {
    let mut sql =
        "INSERT INTO score (subject_kind, period, category, subject_id, region_code, points, minutes, records, \
         points_at, minutes_at, tie) VALUES "
            .to_owned();
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..COLUMNS {
            sql.push_str(if column == 0 { "" } else { "," });
            // Writing into a string cannot fail.
            let _ = match backend {
                DbBackend::Postgres => write!(sql, "${}", row * COLUMNS + column + 1),
                _ => write!(sql, "?"),
            };
        }
        sql.push(')');
    }
    sql.push_str(ADD);
    sql
}

fn values(row: &Row<'_>) -> [Value; COLUMNS] {
    [
        row.kind.to_value().into(),
        row.period.to_string().into(),
        category_text(row.category).into(),
        row.subject.text().into(),
        row.region_code.into(),
        row.points.into(),
        row.minutes.into(),
        row.records.into(),
        row.points_at.into(),
        row.minutes_at.into(),
        row.tie.into(),
    ]
}

/// Says that boards have changed. Last in a transaction: all of them meet at this row.
pub(super) async fn count_up(db: &impl ConnectionTrait) -> Result<(), DbErr> {
    let sql = "UPDATE score_version SET version = version + 1";
    db.execute_raw(Statement::from_string(db.get_database_backend(), sql)).await.map(drop)
}

/// As stored: empty for all categories together.
pub(super) fn category_text(category: Option<Category>) -> String {
    category.map(|category| category.to_value()).unwrap_or_default()
}

/// As stored.
pub(super) fn kind_text(kind: SubjectKind) -> String {
    kind.to_value()
}
