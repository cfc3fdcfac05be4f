//! PostgreSQL: a pool, and each command in a transaction of its own.

mod keep;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, RuntimeErr, Statement};

use uuid::Uuid;

use super::fault::{CommandError, Fault, connection_error, connection_is_dead, fault};
use super::lookup::Near;
use super::txn::{Txn, aborted_error, bounded};
use super::{DbOptions, Lookup};
pub(super) use keep::{Keep, Kept};

/// How often a command is run before its serialization failure is told.
const RUNS: u32 = 5;
/// For connecting, or for a free connection.
const ACQUIRE: Duration = Duration::from_secs(5);
/// A COMMIT can wait for a standby, where `statement_timeout` does not reach it.
const COMMIT: Duration = Duration::from_secs(10);
/// A connection idle for longer than this is asked whether it lives before it is used.
const TRUST: Duration = Duration::from_secs(5);

/// How long one statement may take.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// Eight seconds, by the server.
    Short,
    /// A minute.
    Long,
}

impl Pace {
    /// The server's limit, and two seconds for a server that has stopped answering.
    const fn patience(self) -> Duration {
        match self {
            Self::Short => Duration::from_secs(10),
            Self::Long => Duration::from_secs(62),
        }
    }
}

pub(super) struct Postgres {
    pool: DatabaseConnection,
    keep: Arc<Keep>,
    lookup: Lookup,
    suspicion: Arc<Suspicion>,
}

impl Postgres {
    pub(super) async fn connect(options: &DbOptions) -> Result<Self, DbErr> {
        let suspicion = Arc::new(Suspicion::default());
        let (before, after) = (Arc::clone(&suspicion), Arc::clone(&suspicion));
        let mut connect = ConnectOptions::new(&options.url);
        // Those who read at leisure get what the keep leaves.
        let kept = (options.max_connections - options.max_connections / 4).max(1);
        connect
            .max_connections(options.max_connections.max(kept + 1))
            .acquire_timeout(ACQUIRE)
            .test_before_acquire_if_idle_for(TRUST)
            .sqlx_logging(false)
            .map_sqlx_postgres_before_acquire(move |_, about| {
                let trusted = before.trusts(about.age);
                Box::pin(async move { Ok(trusted) })
            })
            .map_sqlx_postgres_pool_opts(move |pool| {
                // Before the pool asks a connection whether it lives, and waits for one whose other end has vanished.
                let after = Arc::clone(&after);
                pool.after_release(move |_, about| {
                    let trusted = after.trusts(about.age);
                    Box::pin(async move { Ok(trusted) })
                })
            })
            .map_sqlx_postgres_opts(|options| {
                options.application_name("linli").options([
                    ("statement_timeout", "8000"),
                    ("lock_timeout", "4000"),
                    ("idle_in_transaction_session_timeout", "15000"),
                    ("timezone", "UTC"),
                ])
            });
        let pool = Database::connect(connect).await?;
        let keep = Keep::new(pool.get_postgres_connection_pool().clone(), kept, Arc::clone(&suspicion));
        let lookup = Lookup::new(Near::Kept(Arc::clone(&keep)), pool.clone());
        Ok(Self { pool, keep, lookup, suspicion })
    }

    /// The server's clock.
    pub(super) async fn now(&self) -> Result<DateTime<Utc>, DbErr> {
        let ask = Statement::from_string(DbBackend::Postgres, "SELECT clock_timestamp()");
        let row = bounded(ACQUIRE, self.pool.query_one_raw(ask)).await.inspect_err(|error| self.suspect(error))?;
        row.ok_or(DbErr::RecordNotFound("clock_timestamp".to_owned()))?.try_get_by_index(0)
    }

    pub(super) fn pool(&self) -> &DatabaseConnection {
        &self.pool
    }

    pub(super) fn lookup(&self) -> &Lookup {
        &self.lookup
    }

    /// After an error that speaks of a dead or demoted server no connection made before now is handed out again.
    pub(super) fn suspect(&self, error: &DbErr) {
        if connection_is_dead(error) {
            self.suspicion.raise();
        }
    }

    pub(super) async fn write<F, T, E>(&self, command: &F, pace: Pace) -> Result<T, E>
    where
        F: AsyncFn(&Txn) -> Result<T, E>,
        E: CommandError,
    {
        let mut run = 1;
        loop {
            let outcome = self.attempt(command, pace).await;
            let error = outcome.as_ref().err().and_then(CommandError::db_err);
            if run == RUNS || !error.is_some_and(|error| fault(error) == Fault::Serialization) {
                return outcome;
            }
            tokio::time::sleep(pause(run)).await;
            run += 1;
        }
    }

    async fn attempt<F, T, E>(&self, command: &F, pace: Pace) -> Result<T, E>
    where
        F: AsyncFn(&Txn) -> Result<T, E>,
        E: CommandError,
    {
        let txn = Txn::postgres(self.begin(pace).await?, pace.patience());
        let outcome = AssertUnwindSafe(async { command(&txn).await }).catch_unwind().await;
        let outcome = outcome.unwrap_or_else(|_| Err(panicked().into()));
        let aborted = txn.aborted();
        match outcome {
            // PostgreSQL would answer this COMMIT with a rollback, and no error.
            Ok(_) if aborted => {
                self.roll_back(txn).await;
                Err(aborted_error().into())
            }
            Ok(value) => self.commit(txn).await.map(|()| value).map_err(E::from),
            Err(error) => {
                if error.db_err().is_some_and(connection_is_dead) {
                    self.suspicion.raise();
                } else {
                    self.roll_back(txn).await;
                }
                Err(error)
            }
        }
    }

    /// Nothing has happened yet, so a connection that turns out to be dead is simply replaced by another.
    async fn begin(&self, pace: Pace) -> Result<Kept, DbErr> {
        let mut begun = match self.try_begin().await {
            Err(error) if connection_is_dead(&error) => {
                self.suspicion.raise();
                self.try_begin().await?
            }
            begun => begun?,
        };
        if pace == Pace::Long {
            begun.run("SET LOCAL statement_timeout = 60000; SET LOCAL lock_timeout = 30000").await?;
        }
        Ok(begun)
    }

    async fn try_begin(&self) -> Result<Kept, DbErr> {
        bounded(ACQUIRE, async {
            let mut kept = self.keep.take().await?;
            kept.begin().await?;
            Ok(kept)
        })
        .await
    }

    /// A failed COMMIT has an unknown outcome, except where the server itself says that it rolled back.
    async fn commit(&self, txn: Txn) -> Result<(), DbErr> {
        let Some(txn) = txn.into_postgres() else { return Ok(()) };
        let error = match bounded(COMMIT, txn.end("COMMIT")).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        match fault(&error) {
            Fault::Unique(_) | Fault::ForeignKey(_) | Fault::Check(_) | Fault::Exclusion(_) | Fault::Serialization => {
                Err(error)
            }
            Fault::LockTimeout | Fault::Unavailable | Fault::Other => {
                self.suspicion.raise();
                Err(connection_error(format!("the outcome of a commit is unknown: {error}")))
            }
        }
    }

    async fn roll_back(&self, txn: Txn) {
        let Some(txn) = txn.into_postgres() else { return };
        if let Err(error) = bounded(Pace::Short.patience(), txn.end("ROLLBACK")).await {
            self.suspect(&error);
        }
    }
}

/// What the caller of a command that panicked gets; the panic itself has been printed where it happened.
pub(super) fn panicked() -> DbErr {
    DbErr::Exec(RuntimeErr::Internal("the command panicked".into()))
}

/// 10 to 160 ms, growing with each run and different for each caller, so that those who collided part.
fn pause(run: u32) -> Duration {
    let spread = Uuid::now_v7().as_bytes()[15];
    Duration::from_millis((5 << run) + (5 << run) * u64::from(spread) / 256)
}

/// Until when connections made are not to be trusted.
struct Suspicion {
    start: Instant,
    until_ms: AtomicU64,
}

impl Default for Suspicion {
    fn default() -> Self {
        Self { start: Instant::now(), until_ms: AtomicU64::new(0) }
    }
}

impl Suspicion {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn raise(&self) {
        self.until_ms.store(self.now_ms() + 1, Ordering::Relaxed);
    }

    /// Whether a connection of this age was made after the last suspicion.
    fn trusts(&self, age: Duration) -> bool {
        let made_ms = self.now_ms().saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        let until_ms = self.until_ms.load(Ordering::Relaxed);
        until_ms == 0 || made_ms > until_ms
    }
}
