//! Our own connection to SQLite, without a thread between the statement and the library: the writer's, and those of
//! [`Here`](super::here::Here).
//!
//! sqlx keeps a thread for each connection and hands every statement over to it and back, which costs more than most
//! statements do. Results are built by SeaORM's `mock` feature, the only public way to make one; `kinds` keeps that exact.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::{Batch, Connection, OpenFlags, Row, Statement};
use sea_orm::{
    DbBackend, DbErr, ExecResult, MockDatabase, MockDatabaseTrait, MockExecResult, QueryResult, RuntimeErr, Value,
    Values,
};

use super::error::runtime_error;
use super::kinds::Columns;
use super::value::{Bound, Kind};

/// How many prepared texts are kept.
const CACHE: usize = 512;
/// A text with more values than this is not kept: it holds memory for each.
const MOST_KEPT_VALUES: usize = 4_096;

pub(in crate::db) struct Driver {
    state: Mutex<State>,
}

struct State {
    conn: Connection,
    known: Known,
    /// Nothing is executed outside a transaction: the writer's. A reader's statements each stand alone.
    in_transaction: bool,
}

impl State {
    fn check(&self) -> Result<(), Failure> {
        if self.in_transaction && self.conn.is_autocommit() {
            return Err(Failure::Refused("SQLite has rolled the transaction back".to_owned()));
        }
        Ok(())
    }
}

/// What is known about the results of texts.
#[derive(Default)]
struct Known {
    columns: HashMap<String, Columns>,
    /// Of a statement among several in one text.
    passing: Option<Columns>,
}

impl Known {
    fn columns(&mut self, conn: &Connection, sql: Option<&str>, statement: &Statement<'_>) -> &Columns {
        let Some(sql) = sql else {
            return self.passing.insert(Columns::of(conn, statement, None));
        };
        if !self.columns.contains_key(sql) {
            if self.columns.len() == CACHE {
                self.columns.clear();
            }
            self.columns.insert(sql.to_owned(), Columns::of(conn, statement, Some(sql)));
        }
        &self.columns[sql]
    }
}

/// What went wrong, before it is known whether it counts as an execution or a query.
enum Failure {
    Sqlite(rusqlite::Error),
    Refused(String),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Failure {
    fn runtime_error(self) -> RuntimeErr {
        match self {
            Self::Sqlite(error) => runtime_error(error),
            Self::Refused(why) => RuntimeErr::Internal(why),
        }
    }
}

type NamedValues = BTreeMap<String, Value>;

impl Driver {
    /// The writer's.
    pub(super) fn open(path: &Path) -> Result<Self, DbErr> {
        let open = || -> rusqlite::Result<Connection> {
            let conn = Connection::open(path)?;
            conn.busy_timeout(Duration::from_secs(5))?;
            conn.set_prepared_statement_cache_capacity(CACHE);
            conn.execute_batch(
                "PRAGMA foreign_keys = ON; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -32768;
                 PRAGMA journal_size_limit = 67108864;",
            )?;
            Ok(conn)
        };
        Self::over(open(), true)
    }

    /// One that only reads, never waits for anybody, and gives up a statement when `is_too_long`, which is asked after every
    /// `steps` of SQLite's machine.
    pub(super) fn open_reader(
        path: &Path,
        steps: i32,
        is_too_long: impl FnMut() -> bool + Send + 'static,
    ) -> Result<Self, DbErr> {
        let open = || -> rusqlite::Result<Connection> {
            let conn =
                Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
            conn.busy_timeout(Duration::ZERO)?;
            conn.set_prepared_statement_cache_capacity(CACHE);
            conn.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -8192;")?;
            conn.progress_handler(steps, Some(is_too_long))?;
            Ok(conn)
        };
        Self::over(open(), false)
    }

    fn over(conn: rusqlite::Result<Connection>, in_transaction: bool) -> Result<Self, DbErr> {
        let conn = conn.map_err(|error| DbErr::Conn(runtime_error(error)))?;
        Ok(Self { state: Mutex::new(State { conn, known: Known::default(), in_transaction }) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a short text between the commands of a group.
    pub(in crate::db) fn step(&self, sql: &str) -> Result<(), DbErr> {
        let state = self.state();
        let ran = state.conn.prepare_cached(sql).and_then(|mut statement| statement.raw_query().next().map(drop));
        ran.map_err(|error| DbErr::Exec(runtime_error(error)))
    }

    /// The file may not grow beyond this many pages, on this connection; 0 for no limit.
    pub(super) fn limit_pages(&self, most: u32) -> Result<(), DbErr> {
        let most = if most == 0 { u32::MAX - 1 } else { most };
        let limited = self.state().conn.pragma_update(None, "max_page_count", most);
        limited.map_err(|error| DbErr::Exec(runtime_error(error)))
    }

    pub(in crate::db) fn execute(&self, sql: &str, values: Option<&Values>) -> Result<ExecResult, DbErr> {
        let state = self.state();
        let mut rows_affected = 0;
        state.check().map_err(|failure| DbErr::Exec(failure.runtime_error()))?;
        let run = each(&state.conn, sql, values, |_, statement| {
            let mut rows = statement.raw_query();
            while rows.next()?.is_some() {}
            drop(rows);
            rows_affected += if statement.readonly() { 0 } else { state.conn.changes() };
            Ok(true)
        });
        run.map_err(|failure| DbErr::Exec(failure.runtime_error()))?;
        let last_insert_id = u64::try_from(state.conn.last_insert_rowid()).unwrap_or_default();
        let result = MockExecResult { last_insert_id, rows_affected };
        MockDatabase::new(DbBackend::Sqlite).append_exec_results([result]).execute(0, blank())
    }

    /// A text without values. It may change the schema.
    pub(in crate::db) fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let executed = self.execute(sql, None);
        self.forget_schema();
        executed
    }

    /// Somebody else may have changed the schema.
    pub(super) fn forget_schema(&self) {
        self.state().known = Known::default();
    }

    pub(in crate::db) fn query_all(&self, sql: &str, values: Option<&Values>) -> Result<Vec<QueryResult>, DbErr> {
        self.query(sql, values, usize::MAX)
    }

    pub(in crate::db) fn query_one(&self, sql: &str, values: Option<&Values>) -> Result<Option<QueryResult>, DbErr> {
        Ok(self.query(sql, values, 1)?.pop())
    }

    fn query(&self, sql: &str, values: Option<&Values>, most: usize) -> Result<Vec<QueryResult>, DbErr> {
        let mut state = self.state();
        state.check().map_err(|failure| DbErr::Query(failure.runtime_error()))?;
        let State { conn, known, .. } = &mut *state;
        let mut found: Vec<NamedValues> = Vec::new();
        let run = each(conn, sql, values, |sql, statement| {
            let columns = known.columns(conn, sql, statement);
            let mut rows = statement.raw_query();
            while found.len() < most
                && let Some(row) = rows.next()?
            {
                found.push(read_row(columns, row)?);
            }
            Ok(found.len() < most)
        });
        run.map_err(|failure| DbErr::Query(failure.runtime_error()))?;
        if found.is_empty() {
            return Ok(Vec::new());
        }
        MockDatabase::new(DbBackend::Sqlite).append_query_results([found]).query(0, blank())
    }
}

/// Binds and runs the statements of `sql` one after the other, until `run` says that it is enough. Plain `?` take the
/// values in order through all statements. `run` gets the text where it is that of the one statement.
fn each(
    conn: &Connection,
    sql: &str,
    values: Option<&Values>,
    mut run: impl FnMut(Option<&str>, &mut Statement<'_>) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    let mut values = values.map(|values| values.0.as_slice()).unwrap_or_default();
    if !sql.trim_end().trim_end_matches(';').contains(';') {
        let sql = &*with_limit(sql, &mut values);
        let mut statement = conn.prepare_cached(sql)?;
        let outcome = bind(&mut statement, &mut values).and_then(|()| run(Some(sql), &mut statement).map(drop));
        if statement.parameter_count() > MOST_KEPT_VALUES {
            statement.discard();
        }
        return outcome;
    }
    let mut batch = Batch::new(conn, sql);
    while let Some(mut statement) = batch.next()? {
        bind(&mut statement, &mut values)?;
        if !run(None, &mut statement)? {
            break;
        }
    }
    Ok(())
}

/// SQLite parses and plans a statement anew at each run where the number after LIMIT is a value, as SeaORM writes it: the
/// plan could depend on it. So the number goes into the text, of which there are a few then.
fn with_limit<'a>(sql: &'a str, values: &mut &[Value]) -> Cow<'a, str> {
    match (sql.strip_suffix("LIMIT ?"), values.split_last()) {
        (Some(before), Some((Value::BigUnsigned(Some(limit)), others))) => {
            *values = others;
            format!("{before}LIMIT {limit}").into()
        }
        _ => sql.into(),
    }
}

/// Takes as many `values` as the statement has places.
fn bind(statement: &mut Statement<'_>, values: &mut &[Value]) -> Result<(), Failure> {
    let places = statement.parameter_count();
    let Some((mine, rest)) = values.split_at_checked(places) else {
        return Err(Failure::Refused(format!("{places} places and only {} values", values.len())));
    };
    for (at, value) in mine.iter().enumerate() {
        statement.raw_bind_parameter(at + 1, Bound(value))?;
    }
    *values = rest;
    Ok(())
}

fn blank() -> sea_orm::Statement {
    sea_orm::Statement { sql: String::new(), values: None, db_backend: DbBackend::Sqlite }
}

fn read_row(columns: &Columns, row: &Row<'_>) -> Result<NamedValues, Failure> {
    let mut values = Vec::with_capacity(columns.kinds.len());
    for (at, kind) in columns.kinds.iter().enumerate() {
        let raw = row.get_ref(at)?;
        let value = match kind {
            Some(kind) => kind.read(raw),
            None if raw == rusqlite::types::ValueRef::Null => Some(Value::String(None)),
            None => None,
        };
        values.push(value.ok_or_else(|| unreadable(row.as_ref(), at, *kind))?);
    }
    if columns.keys.len() == values.len() {
        return Ok(columns.keys.iter().map(|(key, _)| key.clone()).zip(values).collect());
    }
    // In order already, which the map is quick with.
    Ok(columns.keys.iter().map(|(key, at)| (key.clone(), values[*at].clone())).collect())
}

fn unreadable(statement: &Statement<'_>, at: usize, kind: Option<Kind>) -> Failure {
    let name = statement.column_name(at).unwrap_or_default();
    Failure::Refused(match kind {
        Some(kind) => format!("the value of column {name} is no {kind:?}"),
        None => format!("the type of column {name} cannot be told: write CAST(… AS type)"),
    })
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn a_limit_does_not_have_a_statement_planned_anew() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE item (id INTEGER PRIMARY KEY); INSERT INTO item VALUES (1), (2), (3), (4)")
            .unwrap();
        for (after, limit, expected) in [(0_i64, 2_u64, 2), (3, 9, 1), (0, 0, 0), (1, 2, 2)] {
            let values = Values(vec![after.into(), limit.into()]);
            let mut rows = 0;
            each(&conn, "SELECT id FROM item WHERE id > ? LIMIT ?", Some(&values), |_, statement| {
                let mut found = statement.raw_query();
                while found.next()?.is_some() {
                    rows += 1;
                }
                drop(found);
                assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
                Ok(true)
            })
            .unwrap_or_else(|_| panic!("refused"));
            assert_eq!(rows, expected);
        }
    }
}
