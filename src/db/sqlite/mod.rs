//! SQLite: a pool of readers, connections for short reads in place, and one writer in a thread of its own.

mod driver;
mod error;
mod here;
mod kinds;
mod space;
mod value;
mod writer;

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr, RuntimeErr, Statement};

use super::fault::{CommandError, connection_error};
use super::lookup::Near;
use super::{DbOptions, Lookup, Txn};
pub(super) use driver::Driver;
pub(super) use here::Here;
use writer::Writer;

/// Older ones may lose commits when a WAL is reset.
const OLDEST: [u32; 3] = [3, 51, 3];

pub(super) struct Sqlite {
    path: PathBuf,
    lookup: Lookup,
    writer: Writer,
}

impl Sqlite {
    pub(super) async fn connect(options: &DbOptions) -> Result<Self, DbErr> {
        let path = file_of(&options.url)?;
        create(&path).map_err(|error| connection_error(format!("{}: {error}", path.display())))?;
        let writer = Writer::start(&path, options.min_free_mib).await?;
        let readers = readers(&path, options.max_connections).await?;
        check_version(&readers).await?;
        let lookup = Lookup::new(Near::Here(Here::new(&path)), readers);
        Ok(Self { path, lookup, writer })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn readers(&self) -> &DatabaseConnection {
        self.lookup.pool()
    }

    pub(super) fn lookup(&self) -> &Lookup {
        &self.lookup
    }

    /// Another connection has changed the schema.
    pub(super) fn forget_schema(&self) {
        self.writer.forget_schema();
        self.lookup.forget_schema();
    }

    pub(super) fn limit_pages(&self, most: u32) {
        self.writer.limit_pages(most);
    }

    pub(super) async fn write<F, T, E>(&self, command: F, alone: bool) -> Result<T, E>
    where
        F: AsyncFn(&Txn) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: CommandError + Send + 'static,
    {
        self.writer.write(command, alone).await
    }
}

fn file_of(url: &str) -> Result<PathBuf, DbErr> {
    let options =
        SqliteConnectOptions::from_str(url).map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(error.into())))?;
    let path = options.get_filename();
    if path.as_os_str().is_empty() || url.contains(":memory:") || url.contains("mode=memory") {
        return Err(connection_error(
            "linli keeps SQLite in a file: readers and the writer would not share a memory database",
        ));
    }
    Ok(path.to_owned())
}

/// Makes the file for its owner only; SQLite gives its companions (`-wal`, `-shm`) the same mode.
fn create(path: &Path) -> io::Result<()> {
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    OpenOptions::new().append(true).create(true).mode(0o600).open(path).map(drop)
}

fn file_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .synchronous(SqliteSynchronous::Full)
}

async fn connect(
    path: &Path,
    most: u32,
    change: impl Fn(SqliteConnectOptions) -> SqliteConnectOptions + Send + Sync + 'static,
) -> Result<DatabaseConnection, DbErr> {
    let base = file_options(path);
    let mut options = ConnectOptions::new("sqlite:");
    options
        .max_connections(most)
        .acquire_timeout(Duration::from_secs(5))
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |_| change(sea_orm::sqlx::ConnectOptions::disable_statement_logging(base.clone())));
    Database::connect(options).await
}

async fn readers(path: &Path, most: u32) -> Result<DatabaseConnection, DbErr> {
    connect(path, most, |options| options.pragma("query_only", "ON").statement_cache_capacity(256)).await
}

/// One connection that may write, for whom the writer is no use.
pub(super) async fn for_migration(path: &Path) -> Result<DatabaseConnection, DbErr> {
    connect(path, 1, |options| options.journal_mode(SqliteJournalMode::Wal)).await
}

async fn check_version(db: &DatabaseConnection) -> Result<(), DbErr> {
    let ask = Statement::from_string(db.get_database_backend(), "SELECT sqlite_version()");
    let row = db.query_one_raw(ask).await?.ok_or(DbErr::RecordNotFound("sqlite_version".to_owned()))?;
    let version: String = row.try_get_by_index(0)?;
    let parts: Vec<u32> = version.split('.').map_while(|part| part.parse().ok()).collect();
    if parts.as_slice() < OLDEST.as_slice() {
        return Err(connection_error(format!("SQLite {version} is too old: linli needs 3.51.3")));
    }
    Ok(())
}

/// Columns of the schema whose declared type the writer does not know.
#[cfg(test)]
pub(super) fn unknown_types(path: &Path) -> Vec<String> {
    let conn = rusqlite::Connection::open(path).unwrap();
    let sql = "SELECT t.name || '.' || c.name, c.type FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table'";
    let mut columns = conn.prepare(sql).unwrap();
    let columns = columns.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).unwrap();
    let unknown = columns.map(Result::unwrap).filter(|(_, declared)| value::Kind::declared(declared).is_none());
    unknown.map(|(column, declared)| format!("{column} {declared}")).collect()
}
