//! The house that the tests live in.
//!
//! ```ignore
//! both!(an_offer_is_accepted_once, async |app| {
//!     let volunteer = app.seed().member().volunteer().await;
//!     app.post("/api/v1/claims/x/acceptance", json!({})).bearer(&volunteer).await.expect_problem(404, "not_found");
//! });
//! ```
//!
//! makes two tests, `an_offer_is_accepted_once::sqlite` and `::postgres`. Each has a database of its own.
#![allow(dead_code, unused_imports, reason = "what no slice needs yet, the next one will")]

mod call;
mod cluster;
mod database;
pub(crate) mod dataset;
mod process;
mod seed;

use chrono::{DateTime, Utc};
use linli::app::{AppState, app};
use linli::clock::Clock;
use linli::config::Config;
use linli::crypto::Keys;
use linli::db::{Db, DbOptions};
use serde_json::Value;

pub(crate) use call::{Answer, Bearer, Call, User, at_once, service};
pub(crate) use database::{Backend, TestDatabase};
pub(crate) use process::{Process, expect_exit, linli};
pub(crate) use seed::{CITY, COMMUNITY, DISTRICT, FOREIGN, Member, SISTER, STREET, Seed, Staff, Station};

/// The secret of all tests, as settings write it.
pub(crate) const SECRET_KEY: &str = "bGlubGkncyB0ZXN0cyBhbGwga25vdyB0aGlzIHNlY3JldCE=";

/// Makes one test of both databases: `both!(name, async |app| { … });`
macro_rules! both {
    ($(#[$attribute:meta])* $name:ident, $test:expr $(,)?) => {
        mod $name {
            #[allow(unused_imports, reason = "a test that names nothing of its file")]
            use super::*;

            async fn run(backend: $crate::support::Backend) {
                if let Some(app) = $crate::support::TestApp::spawn(backend).await {
                    let database = app.database.clone();
                    $crate::support::typed($test)(app).await;
                    database.remove().await;
                }
            }

            $(#[$attribute])*
            #[actix_web::test]
            async fn sqlite() {
                run($crate::support::Backend::Sqlite).await;
            }

            $(#[$attribute])*
            #[actix_web::test]
            async fn postgres() {
                run($crate::support::Backend::Postgres).await;
            }
        }
    };
}

/// Tells the compiler what `app` is in `async |app| …`.
pub(crate) fn typed<F: AsyncFnOnce(TestApp)>(test: F) -> F {
    test
}

/// The application over a database of its own, with a clock that stands still at [`TestApp::START`].
pub(crate) struct TestApp {
    pub(crate) state: AppState,
    pub(crate) clock: Clock,
    pub(crate) database: TestDatabase,
    service: call::Service,
    seeded: seed::Seeded,
}

impl TestApp {
    /// A Saturday, 10:00 in Shanghai.
    pub(crate) const START: &str = "2026-11-21T02:00:00Z";

    /// `None` where this machine has no PostgreSQL and need not have it; said loudly.
    pub(crate) async fn spawn(backend: Backend) -> Option<Self> {
        let database = TestDatabase::migrated(backend).await?;
        let state = test_state(&database, Clock::manual(at(Self::START))).await;
        Some(Self::over(state, database).await)
    }

    /// An application over a state that the test has changed (another clock, a fake for a client).
    pub(crate) async fn over(state: AppState, database: TestDatabase) -> Self {
        let service = call::service(app(state.clone())).await;
        Self { clock: state.clock.clone(), state, database, service, seeded: seed::Seeded::default() }
    }

    /// A second node over the same database, with its own connections and the same clock.
    pub(crate) async fn second_node(&self) -> Self {
        let state = test_state(&self.database, self.clock.clone()).await;
        Self::over(state, self.database.clone()).await
    }

    pub(crate) fn get(&self, path: &str) -> Call {
        self.call("GET", path)
    }

    /// With `body` as JSON.
    pub(crate) fn post(&self, path: &str, body: Value) -> Call {
        self.call("POST", path).json(body)
    }

    /// With `body` as JSON.
    pub(crate) fn patch(&self, path: &str, body: Value) -> Call {
        self.call("PATCH", path).json(body)
    }

    pub(crate) fn delete(&self, path: &str) -> Call {
        self.call("DELETE", path)
    }

    /// Any method; bodies by [`Call::json`] and [`Call::raw`].
    pub(crate) fn call(&self, method: &str, path: &str) -> Call {
        Call::new(self.service.clone(), method, path)
    }

    /// The same calls with a token: `app.by(&volunteer).get("/api/v1/me")`.
    pub(crate) fn by(&self, who: &(impl Bearer + ?Sized)) -> User<'_> {
        User::new(self, who.token().to_owned())
    }

    /// Rows made directly, without the API.
    pub(crate) fn seed(&self) -> Seed<'_> {
        Seed::new(self)
    }
}

/// The state of a node over `database`, as production makes it but for the clock.
pub(crate) async fn test_state(database: &TestDatabase, clock: Clock) -> AppState {
    linli::cli::install_tls();
    let mut config = Config::from_variables([
        ("LINLI_DATABASE_URL".to_owned(), database.url().to_owned()),
        ("LINLI_SECRET_KEY".to_owned(), SECRET_KEY.to_owned()),
        ("LINLI_MIN_FREE_MIB".to_owned(), "0".to_owned()),
    ])
    .unwrap();
    config.data_dir = database.folder().to_owned();
    let db = connect(database).await;
    AppState::new(config, test_keys(), db, clock)
}

/// The keys of all tests.
pub(crate) fn test_keys() -> Keys {
    let variables = [("LINLI_SECRET_KEY".to_owned(), SECRET_KEY.to_owned())];
    Config::from_variables(variables).unwrap().secret_key.keys().unwrap()
}

/// A few connections: some hundred tests share one server.
pub(crate) async fn connect(database: &TestDatabase) -> Db {
    let options = DbOptions { url: database.url().to_owned(), min_free_mib: 0, max_connections: 8 };
    Db::connect(&options).await.unwrap()
}

/// Not by eprintln!, which the test runner keeps to itself for a test that passes.
fn say(words: &str) {
    use std::io::Write as _;
    let _ = std::io::stderr().write_all(words.as_bytes());
}

/// An instant as texts write it.
#[track_caller]
pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}
