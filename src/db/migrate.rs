//! Bringing the schema up to date, on a connection of its own: the write path's time limits are not for migrations.

use std::path::Path;
use std::time::Duration;

use migration::Migrator;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr, SqliteTransactionMode, Statement,
    TransactionOptions, TransactionTrait,
};

use sea_orm_migration::MigratorTrait;

use super::fault::connection_error;
use super::sqlite;

/// Any number, so that linli's lock is not somebody else's.
const LOCK: i32 = 0x6c6c;
/// How long to wait for another node's migration.
const PATIENCE: Duration = Duration::from_mins(1);

pub(super) async fn sqlite(path: &Path) -> Result<(), DbErr> {
    let db = sqlite::for_migration(path).await?;
    let immediate = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    // All of them or none, and nobody else's in between.
    let txn = db.begin_with_options(immediate).await?;
    let outcome = match Migrator::up(&txn, None).await {
        Ok(()) => txn.commit().await,
        Err(error) => Err(error),
    };
    db.close().await.and(outcome)
}

/// Under an advisory lock of the schema it works in, so that one node migrates and the others find it done.
pub(super) async fn postgres(url: &str) -> Result<(), DbErr> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(2).acquire_timeout(Duration::from_secs(5)).sqlx_logging(false);
    options.map_sqlx_postgres_opts(|options| options.options([("lock_timeout", "5000")]));
    let db = Database::connect(options).await?;
    // The lock lives as long as its transaction; the migrations run beside it.
    let guard = db.begin().await?;
    let outcome = match lock(&guard).await {
        Ok(()) => Migrator::up(&db, None).await,
        Err(error) => Err(error),
    };
    let released = guard.rollback().await;
    outcome.and(released).and(db.close().await)
}

async fn lock(db: &impl ConnectionTrait) -> Result<(), DbErr> {
    let ask = format!("SELECT pg_try_advisory_xact_lock({LOCK}, hashtext(current_schema()))");
    let began = tokio::time::Instant::now();
    while began.elapsed() < PATIENCE {
        let answer = db.query_one_raw(Statement::from_string(db.get_database_backend(), ask.as_str())).await?;
        if answer.is_some_and(|row| row.try_get_by_index(0).unwrap_or(false)) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Err(connection_error("another node has been migrating for more than a minute"))
}

pub(super) async fn pending(db: &DatabaseConnection) -> Result<usize, DbErr> {
    Ok(Migrator::get_pending_migrations_read_only(db).await?.len())
}
