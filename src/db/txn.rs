//! The transaction a command works in.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};

use super::fault::{CommandError, connection_error};

/// The open transaction of one command. Services take it as `&impl ConnectionTrait`.
///
/// As on PostgreSQL, so on SQLite: after a statement failed, every further one fails and the command cannot commit, unless
/// the failed one was inside a [`Txn::nested`] that was undone.
pub struct Txn {
    inner: DatabaseTransaction,
    /// A statement failed and nothing was undone since.
    aborted: AtomicBool,
    /// How long one statement may take, measured here: it also ends the wait on a connection whose other end has vanished.
    patience: Option<Duration>,
}

impl Txn {
    pub(super) fn new(inner: DatabaseTransaction, patience: Option<Duration>) -> Self {
        Self { inner, aborted: AtomicBool::new(false), patience }
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
        self.execute_unprepared("SAVEPOINT part").await?;
        match part(self).await {
            Ok(value) => {
                self.execute_unprepared("RELEASE SAVEPOINT part").await?;
                Ok(value)
            }
            Err(error) => {
                self.aborted.store(false, Ordering::Relaxed);
                self.execute_unprepared("ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part").await?;
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

    pub(super) fn into_inner(self) -> DatabaseTransaction {
        self.inner
    }

    /// Runs one statement: not after a failed one, not longer than allowed, and remembers whether it failed.
    async fn guarded<T>(&self, statement: impl Future<Output = Result<T, DbErr>> + Send) -> Result<T, DbErr> {
        if self.aborted() {
            return Err(aborted_error());
        }
        let outcome = match self.patience {
            None => statement.await,
            Some(patience) => tokio::time::timeout(patience, statement)
                .await
                .unwrap_or_else(|_| Err(connection_error("the database does not answer"))),
        };
        if outcome.is_err() {
            self.aborted.store(true, Ordering::Relaxed);
        }
        outcome
    }
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
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.guarded(self.inner.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.guarded(self.inner.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.guarded(self.inner.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.guarded(self.inner.query_all_raw(statement)).await
    }
}
