//! The figures on SQLite.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::Sender;

use crate::compare::{compare, memory, round, start};
use crate::floor::runner::Runner;
use crate::floor::sqlite::{self, Job};
use crate::floor::{Round, Wares};
use crate::gift;
use crate::pipeline::{self, Prepared};
use crate::service::Service;
use crate::support::set::CITY;
use crate::support::{Database, Place};

pub(crate) async fn measure(place: &Place, prepared: Prepared, members: usize) {
    let admin = place.staff("load-c-admin", "admin", CITY);
    let file = sqlite::copy(&PathBuf::from(place.url.trim_start_matches("sqlite://")), place.dir.path());
    let server = start(place, Database::Sqlite).await;
    let service = Service::new(place, &server, members).await;
    for (name, prefix, hot) in [("reserve", "K", false), ("reserve_hot", "L", true)] {
        let wares = Arc::new(sqlite::wares(&file, prefix));
        let writer = sqlite::writer(file.clone(), move |conn, turn| sqlite::reserve(conn, &wares, turn));
        let counter = Arc::new(AtomicU64::new(0));
        let floor = async || asked(&writer, &counter).await;
        compare(Database::Sqlite, name, floor, async || service.reserve(hot).await).await;
    }
    let wares: Arc<Wares> = Arc::new(sqlite::wares(&file, "K"));
    let (pool, counter) = (sqlite::pool(&file, 8, &wares), Arc::new(AtomicU64::new(0)));
    let floor = async || asked(&pool, &counter).await;
    compare(Database::Sqlite, "reserve_pool_of_eight", floor, async || service.reserve(false).await).await;
    let writer = sqlite::writer(file.clone(), |conn, steps: Vec<_>| sqlite::run(conn, &steps));
    let (people, runner) = (Arc::new(sqlite::people(&file)), Runner::Sqlite(writer));
    gift::allow(&server, &admin).await;
    gift::measure(Database::Sqlite, &service, &people, &runner).await;
    pipeline::measure(Database::Sqlite, &service, prepared, people, &runner).await;
    reads(&service, &file).await;
    memory(&server, Database::Sqlite, "memory_after_load");
}

async fn reads(service: &Service, file: &Path) {
    let database = Database::Sqlite;
    let redemptions = service.some("redemptions").await;
    let readers = sqlite::readers(file, 4, &Arc::new(sqlite::redemptions(file)));
    let counter = Arc::default();
    let read = async || service.read("redemptions", &redemptions).await;
    compare(database, "read_by_id", async || asked(&readers, &counter).await, read).await;
    compare(database, "read_by_id_of_hello", async || service.hello().await, read).await;
    compare(database, "board", read, async || service.board("period=2023").await).await;
}

/// All clients asking threads that hold connections.
async fn asked(threads: &Sender<Job<u64>>, counter: &Arc<AtomicU64>) -> Round {
    let threads = threads.clone();
    round(counter, move |turn| {
        let threads = threads.clone();
        async move { sqlite::ask(&threads, turn).await }
    })
    .await
}
