//! Reading a board: one statement, along an index.
//!
//! A page's length decides what it costs, not the board's: the order of a value index is the board's order, and a page
//! begins at its cursor. A subtree's board down to the street is read off the whole one, whose index carries the region; a
//! community's few rows are fetched by region and sorted. The expressions `|| ''` and `+ 0` below keep the planners from
//! choosing the other way: neither knows how a region's rows lie along the values.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use entity::category::Category;
use entity::score::SubjectKind;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement, Value};
use serde::{Deserialize, Serialize};

use super::domain::{Board, Metric};
use super::store::{category_text, kind_text};
use crate::calendar::Period;
use crate::region::RegionCode;

/// Which part of which board.
#[derive(Clone, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) board: Board,
    pub(super) metric: Metric,
    pub(super) period: Period,
    pub(super) region: Option<&'a RegionCode>,
    pub(super) category: Option<Category>,
    pub(super) limit: u64,
    pub(super) after: Option<&'a Place>,
}

impl Wanted<'_> {
    /// The same for the same page, to know it by.
    pub(super) fn question(&self) -> String {
        let Self { board, metric, period, region, category, limit, after } = self;
        let region = region.map_or("", RegionCode::as_str);
        format!("{board:?} {metric:?} {period} {region} {category:?} {limit} {after:?}")
    }
}

/// Where a row stands: the order of the board, and the rank reached. `tie` is a ref, which only staff may see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) rank: u64,
    pub(super) value: i64,
    pub(super) at: DateTime<Utc>,
    pub(super) tie: String,
    pub(super) id: String,
}

/// What all boards together are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// Another one wherever a page may look different.
    pub(super) version: i64,
    /// Marks wait to be counted.
    pub(super) is_behind: bool,
}

/// Read before a page, it is never newer than the page.
pub(super) async fn standing(db: &impl ConnectionTrait) -> Result<Standing, DbErr> {
    const SQL: &str =
        "SELECT version, (SELECT COUNT(*) FROM (SELECT 1 FROM score_mark LIMIT 1) AS waiting) FROM score_version";
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), SQL)).await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound("score_version".to_owned()))?;
    Ok(Standing { version: row.try_get_by_index(0)?, is_behind: row.try_get_by_index::<i64>(1)? > 0 })
}

/// A row of a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) place: Place,
    pub(super) region_code: String,
    pub(super) name: Option<String>,
    pub(super) ref_id: Option<String>,
    /// Of a member: agreed to be named.
    pub(super) is_named: bool,
}

/// One row more than wanted, where there is more.
pub(super) async fn page(db: &impl ConnectionTrait, wanted: &Wanted<'_>) -> Result<Vec<Found>, DbErr> {
    let Some(kind) = subject(wanted.board) else { return Ok(Vec::new()) };
    let (sql, values) = statement(db.get_database_backend(), kind, wanted);
    let rows = db.query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
    let mut found = Vec::with_capacity(rows.len());
    let (mut rank, mut last) = wanted.after.map_or((0, None), |place| (place.rank, Some(place.value)));
    for row in rows {
        let value: i64 = row.try_get_by_index(1)?;
        // Dense: the same value has the same rank, on this page and from the one before.
        if last != Some(value) {
            rank += 1;
            last = Some(value);
        }
        found.push(read(&row, rank, value)?);
    }
    Ok(found)
}

fn read(row: &QueryResult, rank: u64, value: i64) -> Result<Found, DbErr> {
    let place = Place {
        rank,
        value,
        at: row.try_get_by_index(2)?,
        tie: row.try_get_by_index(3)?,
        id: row.try_get_by_index(0)?,
    };
    Ok(Found {
        place,
        region_code: row.try_get_by_index(4)?,
        name: row.try_get_by_index(5)?,
        ref_id: row.try_get_by_index(6)?,
        is_named: row.try_get_by_index::<Option<bool>>(7)?.unwrap_or(false),
    })
}

/// `None`: a board of which there are no subjects yet.
const fn subject(board: Board) -> Option<SubjectKind> {
    match board {
        Board::Members => Some(SubjectKind::Member),
        Board::Units => Some(SubjectKind::Unit),
        Board::Teams => None,
        Board::Communities => Some(SubjectKind::Community),
    }
}

/// The columns of a metric: the value, and when it was reached.
const fn columns(metric: Metric) -> (&'static str, &'static str) {
    match metric {
        Metric::Points => ("points", "points_at"),
        Metric::Hours => ("minutes", "minutes_at"),
        Metric::Records => ("records", "minutes_at"),
    }
}

/// Texts of ours are written out, because a partial index is only found by a literal; values are bound.
struct Sql {
    text: String,
    values: Vec<Value>,
}

impl Sql {
    fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }
}

fn statement(backend: DbBackend, kind: SubjectKind, wanted: &Wanted<'_>) -> (String, Vec<Value>) {
    let (value, at) = columns(wanted.metric);
    let by_region = wanted.region.is_some_and(|region| region.community().is_some());
    // See the head of this file.
    let (value, region) =
        if by_region { (format!("({value} + 0)"), "region_code") } else { (value.into(), "(region_code || '')") };
    let mut sql = Sql { text: String::new(), values: Vec::new() };
    let limit = i64::try_from(wanted.limit + 1).unwrap_or(i64::MAX);
    let mut part = |more: &dyn Fn(&mut Sql) -> String| {
        let period = sql.bind(wanted.period.to_string());
        let mut text = format!(
            "SELECT subject_id, {value} AS value, {at} AS at, tie, region_code FROM score \
             WHERE subject_kind = '{}' AND period = {period} AND category = '{}'",
            kind_text(kind),
            category_text(wanted.category),
        );
        if let Some(subtree) = wanted.region.map(RegionCode::subtree) {
            let (lo, hi) = (sql.bind(subtree.lo()), sql.bind(subtree.hi()));
            let _ = write!(text, " AND {region} >= {lo} AND {region} < {hi}");
        }
        text += &more(&mut sql);
        let limit = sql.bind(limit);
        text + &format!(" ORDER BY {value} DESC, {at}, tie, subject_id LIMIT {limit}")
    };
    let inner = match wanted.after {
        None => part(&|_| format!(" AND {value} > 0")),
        Some(place) => {
            // The rest of those with the last value, then all below: one range of the index each.
            let same = part(&|sql| {
                let (last, reached) = (sql.bind(place.value), sql.bind(place.at));
                let (tie, id) = (sql.bind(place.tie.as_str()), sql.bind(place.id.as_str()));
                format!(" AND {value} = {last} AND ({at}, tie, subject_id) > ({reached}, {tie}, {id})")
            });
            let below = part(&|sql| format!(" AND {value} < {} AND {value} > 0", sql.bind(place.value)));
            let rest = sql.bind(limit);
            format!(
                "SELECT * FROM (SELECT * FROM ({same}) AS same UNION ALL SELECT * FROM ({below}) AS below) AS both_parts \
                 ORDER BY value DESC, at, tie, subject_id LIMIT {rest}"
            )
        }
    };
    let (name, join) = named(backend, kind);
    sql.text = format!(
        "SELECT s.subject_id, s.value, s.at, s.tie, s.region_code, {name} FROM ({inner}) AS s {join} ORDER BY s.value DESC, s.at, s.tie, s.subject_id"
    );
    (sql.text, sql.values)
}

/// The subject's name, ref and consent, and where they stand.
fn named(backend: DbBackend, kind: SubjectKind) -> (&'static str, &'static str) {
    let sqlite = backend == DbBackend::Sqlite;
    match kind {
        SubjectKind::Member if sqlite => {
            ("n.name, n.ref_id, n.named_on_boards", "LEFT JOIN member AS n ON n.id = unhex(s.subject_id, '-')")
        }
        SubjectKind::Member => {
            ("n.name, n.ref_id, n.named_on_boards", "LEFT JOIN member AS n ON n.id = s.subject_id::uuid")
        }
        SubjectKind::Unit if sqlite => {
            ("n.name, n.ref_id, NULL", "LEFT JOIN unit AS n ON n.id = unhex(s.subject_id, '-')")
        }
        SubjectKind::Unit => ("n.name, n.ref_id, NULL::boolean", "LEFT JOIN unit AS n ON n.id = s.subject_id::uuid"),
        SubjectKind::Community if sqlite => ("n.name, NULL, NULL", "LEFT JOIN region AS n ON n.code = s.subject_id"),
        SubjectKind::Community => {
            ("n.name, NULL::text, NULL::boolean", "LEFT JOIN region AS n ON n.code = s.subject_id")
        }
    }
}
