//! Connecting, the write path, and what a database error means. The only room that knows which database it is.
//!
//! - All writes go through [`Db::write`]: one command, one transaction. On SQLite one writer thread groups the waiting
//!   commands into one transaction, a savepoint each, and answers after the common commit; on PostgreSQL each command has
//!   its own transaction and runs again when the database asks for it (40001, 40P01).
//! - Plain reads go through [`Db::read`], those of a row or a few by a key through [`Db::lookup`].
//! - Part of a command that may fail alone runs in [`Txn::nested`].
//! - A command reads what it needs through `txn`. An expression in such a read says its type, as in `CAST(… AS bigint)`
//!   (SeaORM: `cast_as("bigint")`), unless it is `COUNT`, `SUM`, `EXISTS`, or `MAX`, `MIN`, `COALESCE` of a column: see
//!   `sqlite/kinds.rs`.
//! - [`fault`] tells what a [`DbErr`] means, the same on both databases.
//!
//! What is measured and why it looks like this: `docs/adr/0001-write-path.md`.

mod bulk;
mod changes;
mod fault;
mod insert;
mod lookup;
mod migrate;
mod postgres;
mod sqlite;
#[cfg(test)]
mod tests;
mod txn;

use std::sync::Arc;

use chrono::{DateTime, SubsecRound, Utc};
use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, IsolationLevel, Statement,
    TransactionTrait as _,
};

pub use bulk::Bulk;
pub use changes::{Change, Changes, Position, sweep_changes};
pub use fault::{CommandError, Fault, Violation, contended, fault};
pub use insert::{insert_all, rows_per_statement};
pub use lookup::Lookup;
pub use txn::Txn;

/// How to reach the database.
#[derive(Clone, Debug)]
pub struct DbOptions {
    /// `sqlite://data/linli.db` or `postgres://user@host/name`. What the URL says in `options` is kept
    /// (`?options=-c%20search_path%3Dmine,public`).
    pub url: String,
    /// SQLite: below this much free space (MiB) beside the file, writes answer [`Fault::Unavailable`]. 0 switches it off.
    pub min_free_mib: u64,
    /// Readers on SQLite, the whole pool on PostgreSQL.
    pub max_connections: u32,
}

/// The database. Cheap to clone; all clones share the connections and, on SQLite, the writer.
#[derive(Clone)]
pub struct Db {
    shared: Arc<Shared>,
}

struct Shared {
    options: DbOptions,
    side: Side,
}

enum Side {
    Sqlite(sqlite::Sqlite),
    Postgres(postgres::Postgres),
}

impl Db {
    /// Opens the database; SQLite's file (0600) and directory are made if missing. Runs no migration.
    ///
    /// # Errors
    /// The URL is of neither database, nothing answers there, or SQLite is older than 3.51.3.
    pub async fn connect(options: &DbOptions) -> Result<Self, DbErr> {
        let side = if options.url.starts_with("sqlite:") {
            Side::Sqlite(sqlite::Sqlite::connect(options).await?)
        } else if DbBackend::Postgres.is_prefix_of(&options.url) {
            Side::Postgres(postgres::Postgres::connect(options).await?)
        } else {
            return Err(fault::connection_error("the database URL begins with neither sqlite: nor postgres:"));
        };
        Ok(Self { shared: Arc::new(Shared { options: options.clone(), side }) })
    }

    /// For plain reads. SQLite refuses to write here; on PostgreSQL nothing but this sentence does.
    #[must_use]
    pub fn read(&self) -> &DatabaseConnection {
        match &self.shared.side {
            Side::Sqlite(sqlite) => sqlite.readers(),
            Side::Postgres(postgres) => postgres.pool(),
        }
    }

    /// For reads of a row or a few by a key, as most requests make: on SQLite they are made in the caller's thread, without the way to
    /// another and back. What turns out to be more than a millisecond's work goes to the pool of [`Db::read`] after all, so
    /// anything may be asked here; it is only not worth it. On PostgreSQL it is that pool.
    #[must_use]
    pub fn lookup(&self) -> &Lookup {
        match &self.shared.side {
            Side::Sqlite(sqlite) => sqlite.lookup(),
            Side::Postgres(postgres) => postgres.lookup(),
        }
    }

    /// Runs `command` in one transaction and answers after its commit.
    ///
    /// The command may run more than once (PostgreSQL) and shares the writer with everybody (SQLite): nothing but `txn` is
    /// awaited in it, never `db.write`; ids and times are drawn before. `Err` undoes all it did, and so does a panic.
    /// A [`DbErr`] that it met must come out as its error, unless it happened inside [`Txn::nested`].
    ///
    /// # Errors
    /// The command's own; [`Fault::Serialization`] after five tries; [`Fault::Unavailable`] where the database or the space
    /// is gone. If that came from the commit, the outcome is unknown: a repeat with the same key finds out.
    pub async fn write<F, T, E>(&self, command: F) -> Result<T, E>
    where
        F: AsyncFn(&Txn) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: CommandError + Send + 'static,
    {
        match &self.shared.side {
            Side::Sqlite(sqlite) => sqlite.write(command, false).await,
            // In a box: it is a large future, and callers would carry it in theirs.
            Side::Postgres(postgres) => Box::pin(postgres.write(&command, postgres::Pace::Short)).await,
        }
    }

    /// As [`Db::write`], for a command of many or heavy statements, such as an import: PostgreSQL gives each of its
    /// statements a minute instead of eight seconds; SQLite commits it alone, so that nobody's answer waits for it who came
    /// before. The time of a whole command is never limited, but on SQLite no other writes happen meanwhile.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub async fn write_long<F, T, E>(&self, command: F) -> Result<T, E>
    where
        F: AsyncFn(&Txn) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: CommandError + Send + 'static,
    {
        match &self.shared.side {
            Side::Sqlite(sqlite) => sqlite.write(command, true).await,
            Side::Postgres(postgres) => Box::pin(postgres.write(&command, postgres::Pace::Long)).await,
        }
    }

    /// Which database it is.
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        match &self.shared.side {
            Side::Sqlite(_) => DbBackend::Sqlite,
            Side::Postgres(_) => DbBackend::Postgres,
        }
    }

    /// The database's clock, in microseconds. SQLite has none of its own: there it is this machine's.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn now(&self) -> Result<DateTime<Utc>, DbErr> {
        match &self.shared.side {
            Side::Sqlite(_) => Ok(Utc::now().trunc_subsecs(6)),
            Side::Postgres(postgres) => postgres.now().await,
        }
    }

    /// One instant of the whole database, to read at leisure while the service works: nothing in it changes, nothing can be
    /// written through it, no statement is cut off. Roll it back when done.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn snapshot(&self) -> Result<DatabaseTransaction, DbErr> {
        match &self.shared.side {
            Side::Sqlite(sqlite) => sqlite.readers().begin().await,
            Side::Postgres(postgres) => {
                let (isolation, access) = (IsolationLevel::RepeatableRead, AccessMode::ReadOnly);
                let snapshot = postgres.pool().begin_with_config(Some(isolation), Some(access)).await?;
                let patience = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";
                snapshot.execute_unprepared(patience).await?;
                Ok(snapshot)
            }
        }
    }

    /// What the database itself finds wrong with its file and its foreign keys: table and words. PostgreSQL keeps its
    /// foreign keys by itself; there only those are told that were never checked.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn damage(&self, snapshot: &DatabaseTransaction) -> Result<Vec<(String, String)>, DbErr> {
        let text = |sql: &'static str| snapshot.query_all_raw(Statement::from_string(self.backend(), sql));
        let mut found = Vec::new();
        match &self.shared.side {
            Side::Sqlite(_) => {
                for row in text("PRAGMA integrity_check").await? {
                    let words: String = row.try_get_by_index(0)?;
                    if words != "ok" {
                        found.push(("the file".to_owned(), words));
                    }
                }
                for row in text("PRAGMA foreign_key_check").await? {
                    let (table, parent): (String, String) = (row.try_get_by_index(0)?, row.try_get_by_index(2)?);
                    let number: Option<i64> = row.try_get_by_index(1)?;
                    let number = number.map_or_else(|| "a row".to_owned(), |number| format!("row {number}"));
                    found.push((table, format!("{number} points at what is not in {parent}")));
                }
            }
            Side::Postgres(_) => {
                let sql = "SELECT CAST(conrelid::regclass AS text), CAST(conname AS text) FROM pg_constraint
                    WHERE NOT convalidated AND connamespace = CAST(current_schema() AS regnamespace)";
                for row in text(sql).await? {
                    let (table, name): (String, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
                    found.push((table, format!("the constraint {name} was never checked")));
                }
            }
        }
        Ok(found)
    }

    /// Brings the schema up to date, one migrator at a time on whatever node.
    ///
    /// # Errors
    /// A migration failed, or on PostgreSQL another node has been migrating for more than a minute.
    pub async fn migrate(&self) -> Result<(), DbErr> {
        match &self.shared.side {
            Side::Sqlite(sqlite) => {
                let outcome = migrate::sqlite(sqlite.path()).await;
                sqlite.forget_schema();
                outcome
            }
            Side::Postgres(_) => migrate::postgres(&self.shared.options.url).await,
        }
    }

    /// How many migrations this program knows and the database has not.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn pending_migrations(&self) -> Result<usize, DbErr> {
        migrate::pending(self.read()).await
    }

    /// For trying out a full disk: SQLite's file may not grow beyond `most` pages (of 4 KiB); 0 takes the limit away. Nothing
    /// on PostgreSQL.
    pub fn limit_pages(&self, most: u32) {
        if let Side::Sqlite(sqlite) = &self.shared.side {
            sqlite.limit_pages(most);
        }
    }
}
