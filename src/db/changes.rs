//! Reading the change feed of matching (`match_change`): what changed since a reader last looked, with nothing lost.
//!
//! On SQLite there is one writer, so what is committed later has the greater number, and the greatest one seen says all. On
//! PostgreSQL transactions commit out of order: a row may appear below others that were read long ago. There each row carries
//! the number of its transaction, a reader keeps the *snapshot* of its last look, and asks for the rows that this snapshot did
//! not show. The oldest transaction that was then running bounds what must be looked at, so the index serves.
//!
//! What is older than an hour is swept ([`sweep_changes`]). A reader that has not looked for so long is told so
//! ([`Changes::lost`]) and begins anew.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, Value};
use uuid::Uuid;

use super::Db;

/// What has been seen of the feed: on SQLite a number, on PostgreSQL a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position(String);

/// A row of the feed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Change {
    /// `member`, `task` or `codes`.
    pub kind: String,
    pub id: Uuid,
}

/// What a look at the feed found.
#[derive(Clone, Debug)]
pub struct Changes {
    /// Where the next look begins.
    pub position: Position,
    /// Each object once.
    pub rows: Vec<Change>,
    /// Rows that were never seen may have been swept, or are too many: what is known is to be read anew.
    pub lost: bool,
}

/// Rows of one look, at most: who is further behind reads everything anew, by fewer and larger queries.
const MOST_ROWS: usize = 5_000;
/// Rows that SQLite sweeps at once, at most: its one writer is everybody's.
const MOST_SWEPT: i64 = 20_000;

const SQLITE_HERE: &str = "SELECT CAST(COALESCE(MAX(position), 0) AS text) AS here FROM match_change";
const POSTGRES_HERE: &str = "SELECT CAST(pg_current_snapshot() AS text) AS here";

const SQLITE_SINCE: &str = "SELECT CAST((SELECT COALESCE(MAX(position), 0) FROM match_change) AS text) AS here,
        CAST((SELECT COALESCE(MAX(position), 0) FROM match_mark WHERE swept) AS bigint) AS swept,
        c.kind AS kind, c.object_id AS object_id
    FROM (SELECT 1) AS one LEFT JOIN match_change c ON c.district IN (?, '*') AND c.position > CAST(? AS bigint)
    LIMIT 5000";
const POSTGRES_SINCE: &str =
    "SELECT CAST(pg_current_snapshot() AS text) AS here, m.swept AS swept, c.kind AS kind, c.object_id AS object_id
    FROM (SELECT COALESCE(MAX(position), 0) AS swept FROM match_mark WHERE swept) m LEFT JOIN match_change c
        ON c.district IN ($1, '*')
        AND c.position >= CAST(CAST(pg_snapshot_xmin(CAST(CAST($2 AS text) AS pg_snapshot)) AS text) AS bigint)
        AND NOT pg_visible_in_snapshot(CAST(CAST(c.position AS text) AS xid8), CAST(CAST($2 AS text) AS pg_snapshot))
    LIMIT 5000";

impl Position {
    /// Everything below this number has been seen.
    fn floor(&self, backend: DbBackend) -> Result<i64, DbErr> {
        let number = match backend {
            DbBackend::Postgres => self.0.split(':').next().and_then(|xmin| xmin.parse::<i64>().ok()),
            _ => self.0.parse::<i64>().ok().map(|seen| seen + 1),
        };
        number.ok_or_else(|| DbErr::Custom("a position of the change feed is damaged".to_owned()))
    }
}

impl Db {
    /// The feed's end. Taken before something is read, it makes sure that no later change of it is missed.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn changes_end(&self) -> Result<Position, DbErr> {
        here(self.lookup()).await
    }

    /// What changed in a district (six digits) after `position`, by one indexed read.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn changes_since(&self, district: &str, position: &Position) -> Result<Changes, DbErr> {
        let (backend, db) = (self.backend(), self.lookup());
        let sql = if backend == DbBackend::Postgres { POSTGRES_SINCE } else { SQLITE_SINCE };
        let values: [Value; 2] = [district.into(), position.0.as_str().into()];
        let found = db.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
        let first = found.first().ok_or_else(|| DbErr::RecordNotFound("the end of the change feed".to_owned()))?;
        let next = Position(first.try_get("", "here")?);
        let swept: i64 = first.try_get("", "swept")?;
        let mut rows = Vec::new();
        for row in &found {
            if let Some(kind) = row.try_get::<Option<String>>("", "kind")? {
                rows.push(Change { kind, id: row.try_get("", "object_id")? });
            }
        }
        rows.sort_unstable();
        rows.dedup();
        let lost = position.floor(backend)? < swept || found.len() >= MOST_ROWS;
        Ok(Changes { position: next, rows, lost })
    }
}

async fn here(db: &impl ConnectionTrait) -> Result<Position, DbErr> {
    let backend = db.get_database_backend();
    let sql = if backend == DbBackend::Postgres { POSTGRES_HERE } else { SQLITE_HERE };
    let row = db.query_one_raw(Statement::from_string(backend, sql)).await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound("the end of the change feed".to_owned()))?;
    Ok(Position(row.try_get("", "here")?))
}

/// Takes away what every reader has seen that looked within `keep`. To be run in a transaction, some times within `keep`: each
/// run marks where the feed is, and takes away what lies before the newest mark that is old enough. So a transaction that was
/// open for hours is not forgotten when it commits.
///
/// # Errors
/// The database's.
pub async fn sweep_changes(db: &impl ConnectionTrait, keep: TimeDelta, now: DateTime<Utc>) -> Result<u64, DbErr> {
    let backend = db.get_database_backend();
    let run = |sql: &str, values: Vec<Value>| {
        let text = if backend == DbBackend::Postgres { numbered(sql) } else { sql.to_owned() };
        db.execute_raw(Statement::from_sql_and_values(backend, text, values))
    };
    // SQLite keeps the last row, by which the next is numbered.
    let mut mark = here(db).await?.floor(backend)?;
    if backend != DbBackend::Postgres {
        mark -= 1;
    }
    let insert = "INSERT INTO match_mark (marked_at, position, swept) VALUES (?, ?, FALSE) ON CONFLICT DO NOTHING";
    run(insert, vec![now.into(), mark.into()]).await?;
    let old = now - keep;
    run("UPDATE match_mark SET swept = TRUE WHERE marked_at <= ?", vec![old.into()]).await?;
    let mark = "SELECT COALESCE(MAX(position), 0) FROM match_mark WHERE swept";
    let sweep = match backend {
        DbBackend::Postgres => format!("DELETE FROM match_change WHERE position < ({mark})"),
        _ => format!(
            "DELETE FROM match_change WHERE position < ({mark})
             AND position < (SELECT MIN(position) FROM match_change) + {MOST_SWEPT}"
        ),
    };
    let swept = run(&sweep, Vec::new()).await?.rows_affected();
    let forget =
        "DELETE FROM match_mark WHERE swept AND marked_at < (SELECT MAX(marked_at) FROM match_mark WHERE swept)";
    run(forget, Vec::new()).await?;
    Ok(swept)
}

/// With PostgreSQL's places for values.
fn numbered(sql: &str) -> String {
    let mut parts = sql.split('?');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.zip(1..).fold(first, |text, (part, number)| format!("{text}${number}{part}"))
}
