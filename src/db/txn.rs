//! The transaction a command works in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};
use tokio::sync::Mutex;

use super::fault::{CommandError, connection_error};
use super::postgres::Kept;
use super::sqlite::Driver;

/// The open transaction of one command. Services take it as `&impl ConnectionTrait`.
///
/// As on PostgreSQL, so on SQLite: after a statement failed, every further one fails and the command cannot commit, unless
/// the failed one was inside a [`Txn::nested`] that was undone.
pub struct Txn {
    side: Side,
    /// A statement failed and nothing was undone since.
    aborted: AtomicBool,
}

enum Side {
    Sqlite(Arc<Driver>),
    /// With how long one statement may take, measured here: this also ends the wait on a connection whose other end has
    /// vanished.
    Postgres(Mutex<Kept>, Duration),
}

impl Txn {
    pub(super) fn sqlite(driver: Arc<Driver>) -> Self {
        Self { side: Side::Sqlite(driver), aborted: AtomicBool::new(false) }
    }

    pub(super) fn postgres(inner: Kept, patience: Duration) -> Self {
        Self { side: Side::Postgres(Mutex::new(inner), patience), aborted: AtomicBool::new(false) }
    }

    /// Runs `part` so that it can fail alone: where it answers `Err`, what it did is undone and the command goes on.
    ///
    /// ```ignore
    /// let outcome = txn.nested(async |txn| reserve(txn, goods, quantity).await).await;
    /// match outcome {
    ///     Err(RedemptionError::OutOfStock) => remember_refusal(txn).await?, // nothing of `reserve` is left
    ///     other => other?,
    /// }
    /// ```
    ///
    /// It may be nested again. The parts of one command run one after the other, never joined.
    ///
    /// # Errors
    /// What `part` answers, or the error of the savepoint itself: the command must then give up.
    pub async fn nested<F, T, E>(&self, part: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&Self) -> Result<T, E>,
        E: CommandError,
    {
        self.step("SAVEPOINT part").await?;
        match part(self).await {
            Ok(value) => {
                self.step("RELEASE SAVEPOINT part").await?;
                Ok(value)
            }
            Err(error) => {
                self.revive();
                self.step("ROLLBACK TO SAVEPOINT part").await?;
                self.step("RELEASE SAVEPOINT part").await?;
                Err(error)
            }
        }
    }

    /// Whether a statement failed and was not undone: the transaction must not be committed.
    pub(super) fn aborted(&self) -> bool {
        self.aborted.load(Ordering::Relaxed)
    }

    /// Forgets a failure, after what failed was undone.
    pub(super) fn revive(&self) {
        self.aborted.store(false, Ordering::Relaxed);
    }

    /// PostgreSQL's transaction, to be ended.
    pub(super) fn into_postgres(self) -> Option<Kept> {
        match self.side {
            Side::Sqlite(_) => None,
            Side::Postgres(inner, _) => Some(inner.into_inner()),
        }
    }

    /// No statement after a failed one.
    fn alive(&self) -> Result<(), DbErr> {
        if self.aborted() { Err(aborted_error()) } else { Ok(()) }
    }

    /// Remembers whether a statement failed.
    fn note<T>(&self, outcome: Result<T, DbErr>) -> Result<T, DbErr> {
        if outcome.is_err() {
            self.aborted.store(true, Ordering::Relaxed);
        }
        outcome
    }

    async fn step(&self, sql: &'static str) -> Result<(), DbErr> {
        self.alive()?;
        self.note(match &self.side {
            Side::Sqlite(driver) => driver.step(sql),
            Side::Postgres(txn, patience) => {
                bounded(*patience, async { txn.lock().await.run(sql).await }).await.map(drop)
            }
        })
    }
}

/// `work`, or [`Fault::Unavailable`](super::Fault::Unavailable) after `limit`.
pub(super) async fn bounded<T>(limit: Duration, work: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(connection_error("the database does not answer")))
}

/// What a command meets that goes on after a failed statement.
pub(super) fn aborted_error() -> DbErr {
    DbErr::Exec(RuntimeErr::Internal(
        "a statement of this command failed before; nothing more can be done in it".into(),
    ))
}

#[async_trait]
impl ConnectionTrait for Txn {
    fn get_database_backend(&self) -> DbBackend {
        match &self.side {
            Side::Sqlite(_) => DbBackend::Sqlite,
            Side::Postgres(..) => DbBackend::Postgres,
        }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.alive()?;
        self.note(match &self.side {
            Side::Sqlite(driver) => driver.execute(&statement.sql, statement.values.as_ref()),
            Side::Postgres(txn, patience) => {
                bounded(*patience, async { txn.lock().await.execute(statement).await }).await
            }
        })
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.alive()?;
        self.note(match &self.side {
            Side::Sqlite(driver) => driver.execute_unprepared(sql),
            Side::Postgres(txn, patience) => bounded(*patience, async { txn.lock().await.run(sql).await }).await,
        })
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.alive()?;
        self.note(match &self.side {
            Side::Sqlite(driver) => driver.query_one(&statement.sql, statement.values.as_ref()),
            Side::Postgres(txn, patience) => {
                bounded(*patience, async { txn.lock().await.query_one(statement).await }).await
            }
        })
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.alive()?;
        self.note(match &self.side {
            Side::Sqlite(driver) => driver.query_all(&statement.sql, statement.values.as_ref()),
            Side::Postgres(txn, patience) => {
                bounded(*patience, async { txn.lock().await.query_all(statement).await }).await
            }
        })
    }
}
