//! The figures on PostgreSQL.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::compare::{compare, memory, round, start};
use crate::floor::postgres::{self, Connection};
use crate::floor::runner::Runner;
use crate::floor::{End, Round, Wares};
use crate::gift;
use crate::pipeline::{self, Prepared};
use crate::service::Service;
use crate::support::set::CITY;
use crate::support::{Database, Place, number};

type Connections = Arc<Vec<Arc<Connection>>>;

pub(crate) async fn measure(place: &Place, prepared: Prepared, members: usize) {
    let database = Database::Postgres;
    let admin = place.staff("load-c-admin", "admin", CITY);
    let url = postgres::copy(&place.url).await;
    let mut connections = Vec::new();
    for _ in 0..number("--clients", 32) {
        connections.push(Connection::open(&url).await);
    }
    let connections = Arc::new(connections);
    let server = start(place, database).await;
    let service = Service::new(place, &server, members).await;
    let spread = Arc::new(postgres::wares(&url, "K").await);
    let one_each = async || singles(&connections, &spread).await;
    compare(database, "reserve", one_each, async || service.reserve(false).await).await;
    let hot = Arc::new(postgres::wares(&url, "L").await);
    let grouped = async || groups(&connections[0], &hot).await;
    compare(database, "reserve_hot", grouped, async || service.reserve(true).await).await;
    let runner = Runner::postgres(&connections);
    let people = Arc::new(postgres::people(&url).await);
    gift::allow(&server, &admin).await;
    gift::measure(database, &service, &people, &runner).await;
    pipeline::measure(database, &service, prepared, people, &runner).await;
    reads(&service, &url, &connections).await;
    memory(&server, database, "memory_after_load");
}

async fn reads(service: &Service, url: &str, connections: &Connections) {
    let database = Database::Postgres;
    let ids = Arc::new(postgres::redemptions(url).await);
    let redemptions = service.some("redemptions").await;
    let floor = async || {
        let (connections, ids) = (Arc::clone(connections), Arc::clone(&ids));
        round(&Arc::default(), move |turn| {
            let (connection, id) =
                (Arc::clone(&connections[turn as usize % connections.len()]), ids[turn as usize % ids.len()]);
            async move { connection.read(id).await }
        })
        .await
    };
    let read = async || service.read("redemptions", &redemptions).await;
    compare(database, "read_by_id", floor, read).await;
    compare(database, "read_by_id_of_hello", async || service.hello().await, read).await;
    compare(database, "board", read, async || service.board("period=2023").await).await;
}

/// One statement each, every client on a connection of its own.
async fn singles(connections: &Connections, wares: &Arc<Wares>) -> Round {
    let (connections, wares) = (Arc::clone(connections), Arc::clone(wares));
    round(&Arc::default(), move |turn| {
        let (connection, wares) = (Arc::clone(&connections[turn as usize % connections.len()]), Arc::clone(&wares));
        async move { connection.reserve(&wares, turn).await }
    })
    .await
}

/// Groups of a hundred on one connection, committed together.
async fn groups(connection: &Arc<Connection>, wares: &Arc<Wares>) -> Round {
    let time = Duration::from_secs(number("--seconds", 4) as u64);
    let start = Instant::now();
    let (mut done, mut turn) = (0, 0);
    while start.elapsed() < time {
        connection.batch("BEGIN").await;
        for _ in 0..100 {
            done += u64::from(connection.reserve(wares, turn).await == End::Done);
            turn += 1;
        }
        connection.batch("COMMIT").await;
    }
    Round { done, seconds: start.elapsed().as_secs_f64(), ..Round::default() }
}
