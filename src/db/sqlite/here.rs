//! Reads made where the caller is.
//!
//! sqlx keeps a thread for each connection to SQLite: a read of three microseconds waits for two threads to wake. So short
//! reads go to connections of our own, in the caller's thread. They hold that thread up, and with it all requests that it
//! serves; therefore a statement may do so much work and no more. What takes longer, and whatever else cannot be done here,
//! is left to the pool.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use sea_orm::{DbErr, QueryResult, Statement};

use super::Driver;

/// How many steps SQLite's machine makes between two looks at what a statement has cost.
const STEPS: i32 = 1_000;
/// After so many looks it is given up: 20,000 steps, about a millisecond, or some thousand rows of an index.
const MOST_LOOKS: u32 = 20;
/// Connections, at most.
const MOST_SEATS: usize = 32;

/// As many connections as there are threads that serve requests, each opened at its first use.
pub(in crate::db) struct Here {
    path: PathBuf,
    seats: Vec<Mutex<Option<Reader>>>,
}

struct Reader {
    driver: Driver,
    /// At what the running statement has cost.
    looks: Arc<AtomicU32>,
}

impl Reader {
    fn open(path: &Path) -> Result<Self, DbErr> {
        let looks = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&looks);
        let is_too_long = move || counted.fetch_add(1, Ordering::Relaxed) >= MOST_LOOKS;
        Ok(Self { driver: Driver::open_reader(path, STEPS, is_too_long)?, looks })
    }
}

/// Each thread has a number and keeps to its connection, so that nobody waits for one.
fn number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static NUMBER: usize = NEXT.fetch_add(1, Ordering::Relaxed));
    NUMBER.with(|number| *number)
}

impl Here {
    pub(super) fn new(path: &Path) -> Self {
        let seats = thread::available_parallelism().map_or(4, usize::from).min(MOST_SEATS);
        Self { path: path.to_owned(), seats: (0..seats).map(|_| Mutex::default()).collect() }
    }

    /// The rows of `statement`; `None` where it is not for here.
    pub(in crate::db) fn query_all(&self, statement: &Statement) -> Option<Vec<QueryResult>> {
        self.ask(|driver| driver.query_all(&statement.sql, statement.values.as_ref()))
    }

    /// The first row of `statement`; `None` where it is not for here.
    #[expect(clippy::option_option, reason = "the outer says who answers, the inner what")]
    pub(in crate::db) fn query_one(&self, statement: &Statement) -> Option<Option<QueryResult>> {
        self.ask(|driver| driver.query_one(&statement.sql, statement.values.as_ref()))
    }

    /// Another connection has changed the schema.
    pub(in crate::db) fn forget_schema(&self) {
        for seat in &self.seats {
            *seat.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    fn ask<T>(&self, query: impl FnOnce(&Driver) -> Result<T, DbErr>) -> Option<T> {
        let mut seat = self.seats[number() % self.seats.len()].lock().unwrap_or_else(PoisonError::into_inner);
        let reader = match seat.take() {
            Some(reader) => reader,
            None => Reader::open(&self.path).ok()?,
        };
        reader.looks.store(0, Ordering::Relaxed);
        let answer = query(&reader.driver);
        // After an error that is not the limit's the connection may be broken: the next read makes another.
        if answer.is_ok() || reader.looks.load(Ordering::Relaxed) > MOST_LOOKS {
            *seat = Some(reader);
        }
        answer.ok()
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::DbBackend;

    use super::*;

    fn here() -> (Here, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("test.db");
        let conn = rusqlite::Connection::open(&path).unwrap();
        conn.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
            .unwrap();
        conn.execute_batch("INSERT INTO item (name) VALUES ('a'), ('b')").unwrap();
        (Here::new(&path), directory)
    }

    fn text(sql: &str) -> Statement {
        Statement::from_string(DbBackend::Sqlite, sql)
    }

    const LONG: &str =
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1000000) SELECT COUNT(*) FROM n";

    #[test]
    fn what_is_short_is_read_here() {
        let (here, _directory) = here();
        let rows = here.query_all(&text("SELECT name FROM item ORDER BY id")).unwrap();
        let names: Vec<String> = rows.iter().map(|row| row.try_get("", "name").unwrap()).collect();
        assert_eq!(names, ["a", "b"]);
        assert!(here.query_one(&text("SELECT name FROM item WHERE id = 9")).unwrap().is_none());
    }

    #[test]
    fn what_is_not_for_here_is_left_and_does_no_harm() {
        let (here, _directory) = here();
        for refused in [LONG, "SELECT nonsense", "SELECT 40 + 2", "INSERT INTO item (name) VALUES ('c') RETURNING name"]
        {
            assert!(here.query_all(&text(refused)).is_none(), "{refused}");
            assert_eq!(here.query_all(&text("SELECT name FROM item")).unwrap().len(), 2);
        }
    }

    /// The limit is for one statement, however often its prepared text was run.
    #[test]
    fn short_reads_never_add_up() {
        let (here, _directory) = here();
        let short = LONG.replace("1000000", "500");
        for _ in 0..200 {
            assert!(here.query_one(&text(&short)).is_some());
        }
    }
}
