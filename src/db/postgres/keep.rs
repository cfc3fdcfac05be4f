//! Connections that stay with us between two uses.
//!
//! sqlx's pool asks every connection that comes back whether it lives: one more round trip for each lookup and each
//! transaction. What went well needs no such question, so its connection is kept here for the next. The pool stays behind it:
//! it makes the connections, and takes those back with which something went wrong.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::{AssertSqlSafe, Executor as _, PgPool, Postgres, query_with};
use sea_orm::{DbErr, ExecResult, QueryResult, RuntimeErr, Statement, Values, sqlx};
use sea_query_sqlx::SqlxValues;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::super::fault::{connection_error, connection_is_dead};
use super::super::txn::bounded;
use super::{ACQUIRE, Suspicion, TRUST};

/// After so long a connection goes back to the pool, which ends the old ones.
const LONGEST: Duration = Duration::from_mins(20);

pub(in crate::db) struct Keep {
    pool: PgPool,
    /// So many are in use at once; the rest of the pool is for its other users.
    places: Arc<Semaphore>,
    idle: Mutex<Vec<Idle>>,
    suspicion: Arc<Suspicion>,
}

struct Idle {
    conn: PoolConnection<Postgres>,
    taken: Instant,
    since: Instant,
}

/// A connection in use. Dropped as it is, it goes back to the pool, or is closed if it was in a transaction.
pub(in crate::db) struct Kept {
    conn: Option<PoolConnection<Postgres>>,
    /// When the pool gave it.
    taken: Instant,
    in_transaction: bool,
    keep: Arc<Keep>,
    _place: OwnedSemaphorePermit,
}

impl Keep {
    pub(super) fn new(pool: PgPool, places: u32, suspicion: Arc<Suspicion>) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(places as usize));
        Arc::new(Self { pool, places, idle: Mutex::default(), suspicion })
    }

    /// A connection, after at most five seconds.
    pub(super) async fn take(self: &Arc<Self>) -> Result<Kept, DbErr> {
        bounded(ACQUIRE, async {
            let place = Arc::clone(&self.places).acquire_owned().await;
            let place = place.map_err(|_| connection_error("the pool is closed"))?;
            let (conn, taken) = match self.pop() {
                Some(idle) => (idle.conn, idle.taken),
                // Boxed: making a connection takes much room, which every future around a write would have to have.
                None => (
                    Box::pin(self.pool.acquire()).await.map_err(|error| DbErr::Conn(runtime_error(error)))?,
                    Instant::now(),
                ),
            };
            Ok(Kept { conn: Some(conn), taken, in_transaction: false, keep: Arc::clone(self), _place: place })
        })
        .await
    }

    /// The one used last, if it can still be trusted.
    fn pop(&self) -> Option<Idle> {
        loop {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            if !self.suspicion.trusts(idle.taken.elapsed()) {
                idle.conn.close_on_drop();
            } else if idle.since.elapsed() < TRUST && idle.taken.elapsed() < LONGEST {
                return Some(idle);
            }
            // The pool looks at it.
            drop(idle);
        }
    }

    /// One statement by itself, asked again on another connection if the first turns out to be dead: it only reads.
    pub(in crate::db) async fn query_all(self: &Arc<Self>, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match self.ask(statement.clone()).await {
            Err(error) if connection_is_dead(&error) => {
                self.suspicion.raise();
                self.ask(statement).await
            }
            answer => answer,
        }
    }

    async fn ask(self: &Arc<Self>, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let mut kept = self.take().await?;
        let rows = kept.query_all(statement).await?;
        kept.done();
        Ok(rows)
    }
}

impl Kept {
    fn conn(&mut self) -> Result<&mut PoolConnection<Postgres>, DbErr> {
        self.conn.as_mut().ok_or_else(|| connection_error("the connection was given back"))
    }

    /// Runs a text without values.
    pub(in crate::db) async fn run(&mut self, sql: &str) -> Result<ExecResult, DbErr> {
        let done = self.conn()?.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await;
        done.map(ExecResult::from).map_err(|error| DbErr::Exec(runtime_error(error)))
    }

    /// Begins a transaction, which [`Kept::end`] ends.
    pub(super) async fn begin(&mut self) -> Result<(), DbErr> {
        self.in_transaction = true;
        self.run("BEGIN").await.map(drop)
    }

    /// Ends the transaction with COMMIT or ROLLBACK, and keeps the connection.
    pub(super) async fn end(mut self, how: &'static str) -> Result<(), DbErr> {
        self.run(how).await?;
        self.in_transaction = false;
        self.done();
        Ok(())
    }

    pub(in crate::db) async fn execute(&mut self, statement: Statement) -> Result<ExecResult, DbErr> {
        let Statement { sql, values, .. } = statement;
        let query = query_with(AssertSqlSafe(sql), SqlxValues(values.unwrap_or(Values(Vec::new()))));
        let done = self.conn()?.execute(query).await;
        done.map(ExecResult::from).map_err(|error| DbErr::Exec(runtime_error(error)))
    }

    pub(in crate::db) async fn query_one(&mut self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let Statement { sql, values, .. } = statement;
        let query = query_with(AssertSqlSafe(sql), SqlxValues(values.unwrap_or(Values(Vec::new()))));
        let row = self.conn()?.fetch_optional(query).await;
        row.map(|row| row.map(QueryResult::from)).map_err(|error| DbErr::Query(runtime_error(error)))
    }

    pub(in crate::db) async fn query_all(&mut self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let Statement { sql, values, .. } = statement;
        let query = query_with(AssertSqlSafe(sql), SqlxValues(values.unwrap_or(Values(Vec::new()))));
        let rows = self.conn()?.fetch_all(query).await.map_err(|error| DbErr::Query(runtime_error(error)))?;
        Ok(rows.into_iter().map(QueryResult::from).collect())
    }

    /// All went well: the next may have it as it is.
    fn done(mut self) {
        if let Some(conn) = self.conn.take() {
            let idle = Idle { conn, taken: self.taken, since: Instant::now() };
            self.keep.idle.lock().unwrap_or_else(PoisonError::into_inner).push(idle);
        }
    }
}

/// The pool takes connections back in a task. Where the program ends and no runtime is left for it, they are only closed.
fn let_go(conn: PoolConnection<Postgres>) {
    if tokio::runtime::Handle::try_current().is_err() {
        drop(conn.detach());
    }
}

impl Drop for Keep {
    fn drop(&mut self) {
        let idle = self.idle.get_mut().unwrap_or_else(PoisonError::into_inner);
        idle.drain(..).for_each(|idle| let_go(idle.conn));
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if tokio::runtime::Handle::try_current().is_err()
            && let Some(conn) = self.conn.take()
        {
            let_go(conn);
        }
        if let Some(conn) = self.conn.as_mut().filter(|_| self.in_transaction) {
            // Its end is the end of the transaction.
            conn.close_on_drop();
        }
    }
}

fn runtime_error(error: sqlx::Error) -> RuntimeErr {
    RuntimeErr::SqlxError(Arc::new(error))
}
