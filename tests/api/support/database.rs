//! A database per test: a file copied from a migrated one, or a schema of its own.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use linli::db::{Db, DbOptions};
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::cluster;

/// Which database a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

/// A database that nobody else uses. Its file is removed with the last clone, its schema by [`TestDatabase::remove`].
#[derive(Clone)]
pub(crate) struct TestDatabase {
    backend: Backend,
    url: String,
    folder: Arc<TempDir>,
    schema: Option<String>,
}

impl TestDatabase {
    /// Without tables. `None` where there is no PostgreSQL and need not be one.
    pub(crate) async fn empty(backend: Backend) -> Option<Self> {
        let folder = Arc::new(tempfile::Builder::new().prefix("linli-test-").tempdir().unwrap());
        if backend == Backend::Sqlite {
            let path = folder.path().join("linli.db");
            // An empty file is a database without tables, for whoever does not make one.
            std::fs::write(&path, "").unwrap();
            let url = sqlite_url(&path);
            return Some(Self { backend, url, folder, schema: None });
        }
        let server = cluster::url()?;
        let schema = schema_name();
        prepare_server(server).await;
        execute(server, &format!("CREATE SCHEMA {schema}")).await;
        let joint = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{joint}options=-c%20search_path%3D{schema}%2Cpublic");
        Some(Self { backend, url, folder, schema: Some(schema) })
    }

    /// With the newest schema.
    pub(crate) async fn migrated(backend: Backend) -> Option<Self> {
        let database = Self::empty(backend).await?;
        match backend {
            Backend::Sqlite => {
                std::fs::write(database.folder().join("linli.db"), sqlite_template().await).unwrap();
            }
            Backend::Postgres => migrate(&database.url).await,
        }
        Some(database)
    }

    pub(crate) fn backend(&self) -> Backend {
        self.backend
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// For a test's own files; removed with the database.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A connection beside the application's, for looking and for breaking things.
    pub(crate) async fn connect(&self) -> DatabaseConnection {
        connect(&self.url).await
    }

    /// Drops the schema, which the server would otherwise keep to the end of the run.
    pub(crate) async fn remove(self) {
        if let (Some(schema), Some(server)) = (self.schema, cluster::url()) {
            execute(server, &format!("DROP SCHEMA {schema} CASCADE")).await;
        }
    }
}

fn sqlite_url(path: &Path) -> String {
    format!("sqlite://{}", path.display())
}

/// No two tests and no two processes have the same.
fn schema_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

async fn migrate(url: &str) {
    let options = DbOptions { url: url.to_owned(), min_free_mib: 0, max_connections: 2 };
    Db::connect(&options).await.unwrap().migrate().await.unwrap();
}

/// The bytes of a migrated file, made once per process.
async fn sqlite_template() -> &'static [u8] {
    static TEMPLATE: OnceCell<Vec<u8>> = OnceCell::const_new();
    TEMPLATE
        .get_or_init(|| async {
            let folder = tempfile::tempdir().unwrap();
            let url = sqlite_url(&folder.path().join("linli.db"));
            migrate(&url).await;
            // Whatever still stands in the write-ahead log is in the copy.
            let copy = folder.path().join("copy.db");
            execute(&url, &format!("VACUUM INTO '{}'", copy.display())).await;
            std::fs::read(copy).unwrap()
        })
        .await
}

/// The extension is the server's, not a schema's: made once, under a lock, before any migration asks for it.
async fn prepare_server(server: &str) {
    static PREPARED: OnceCell<()> = OnceCell::const_new();
    let prepare = "BEGIN; SELECT pg_advisory_xact_lock(7061); \
                   CREATE EXTENSION IF NOT EXISTS btree_gist SCHEMA public; COMMIT";
    PREPARED.get_or_init(|| async { execute(server, prepare).await }).await;
}

async fn connect(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.unwrap()
}

async fn execute(url: &str, sql: &str) {
    let connection = connect(url).await;
    connection.execute_unprepared(sql).await.unwrap();
    connection.close().await.unwrap();
}
