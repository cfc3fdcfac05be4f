//! The load: what the service does through HTTP with everything switched on, as a share of the raw database in the same run.
//!
//! `cargo bench --bench load -- [--database sqlite|postgres] [--clients 32] [--rounds 3] [--seconds 4]`
//!
//! One JSON line per figure: `floor` and `service` in calls per second, `ratio`, the service's waits in milliseconds. Floor and service take
//! turns, so that a slower minute of the machine slows both.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a program that measures ends loudly")]
#![allow(clippy::cast_precision_loss, reason = "figures are quoted to a few digits")]
#![allow(clippy::cast_possible_truncation, reason = "64-bit machines only")]

mod floor;
mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use floor::{End, Round, Wares, clients};
use serde_json::{Value, json};
use support::set::Shelf;
use support::wire::Wire;
use support::{Database, Place, Server, client, figure, get, number};
use uuid::Uuid;

const MEMBERS: usize = 2_000;
const KINDS: usize = 1_000;

#[tokio::main]
async fn main() {
    for database in Database::chosen() {
        let place = Place::new(database);
        place.linli(&["migrate"], "");
        support::set::import(
            &place,
            MEMBERS,
            50,
            100,
            &[
                Shelf { prefix: "K", kinds: KINDS, stock: &|_| 1_000_000, price: 1 },
                Shelf { prefix: "L", kinds: 1, stock: &|_| 1_000_000, price: 1 },
            ],
        );
        match database {
            Database::Sqlite => sqlite(&place).await,
            Database::Postgres => postgres(&place).await,
        }
        let verified = place.verified();
        figure(&json!({"program": "load", "figure": "verify", "database": database.name(), "clean": verified.is_ok()}));
        if let Err(findings) = verified {
            eprintln!("{findings}");
            std::process::exit(1);
        }
    }
}

/// The service of one run, with what its clients need.
struct Service {
    wire: Arc<Wire>,
    members: Arc<Vec<String>>,
    goods: Arc<Vec<String>>,
    hot: String,
    counter: Arc<AtomicU64>,
}

impl Service {
    async fn new(place: &Place, server: &Server) -> Self {
        let client = client();
        let members: Vec<String> = place
            .tokens(&["token", "members", "--limit", &MEMBERS.to_string()])
            .into_iter()
            .map(|(_, token)| token)
            .collect();
        let (mut goods, mut hot, mut cursor) = (Vec::new(), String::new(), String::new());
        loop {
            let page = get(&client, &format!("{}?limit=100{cursor}", server.url("/goods")), &members[0])
                .await
                .expect("goods")
                .json();
            for item in page["items"].as_array().expect("items") {
                let id = item["id"].as_str().expect("an id").to_owned();
                if item["ref"].as_str().is_some_and(|name| name.starts_with('L')) { hot = id } else { goods.push(id) }
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        Self {
            wire: Arc::new(Wire::new(server.port)),
            members: Arc::new(members),
            goods: Arc::new(goods),
            hot,
            counter: Arc::default(),
        }
    }

    /// Reservations by many members, of many goods or of one.
    async fn reserve(&self, hot: bool) -> Round {
        let (wire, members) = (Arc::clone(&self.wire), Arc::clone(&self.members));
        let goods = if hot { Arc::new(vec![self.hot.clone()]) } else { Arc::clone(&self.goods) };
        round(&self.counter, move |turn| {
            let (wire, members, goods) = (Arc::clone(&wire), Arc::clone(&members), Arc::clone(&goods));
            async move {
                let body = format!(r#"{{"goods_id":"{}","quantity":1}}"#, goods[turn as usize % goods.len()]);
                let key = Uuid::now_v7().to_string();
                let token = &members[turn as usize % members.len()];
                end(wire.post("/api/v1/redemptions", token, &key, &body).await, 201)
            }
        })
        .await
    }

    /// Ids of redemptions with their members' tokens.
    async fn some_redemptions(&self) -> Arc<Vec<(String, String)>> {
        let mut found = Vec::new();
        for token in self.members.iter().take(500) {
            let page = self.wire.get("/api/v1/me/redemptions?limit=5", token).await.expect("redemptions").json();
            let ids = page["items"].as_array().into_iter().flatten();
            found.extend(ids.filter_map(|item| item["id"].as_str()).map(|id| (id.to_owned(), token.clone())));
        }
        Arc::new(found)
    }

    async fn read(&self, redemptions: &Arc<Vec<(String, String)>>) -> Round {
        let (wire, redemptions) = (Arc::clone(&self.wire), Arc::clone(redemptions));
        round(&self.counter, move |turn| {
            let (wire, redemptions) = (Arc::clone(&wire), Arc::clone(&redemptions));
            async move {
                let (id, token) = &redemptions[turn as usize % redemptions.len()];
                end(wire.get(&format!("/api/v1/redemptions/{id}"), token).await, 200)
            }
        })
        .await
    }

    async fn board(&self) -> Round {
        let (wire, members) = (Arc::clone(&self.wire), Arc::clone(&self.members));
        round(&self.counter, move |turn| {
            let (wire, members) = (Arc::clone(&wire), Arc::clone(&members));
            async move {
                let path = "/api/v1/rankings?board=members&metric=points&period=2023&limit=100";
                end(wire.get(path, &members[turn as usize % members.len()]).await, 200)
            }
        })
        .await
    }
}

/// The process answering without looking at anything: what HTTP itself allows.
async fn hello(service: &Service) -> Round {
    let wire = Arc::clone(&service.wire);
    round(&service.counter, move |_| {
        let wire = Arc::clone(&wire);
        async move { end(wire.get("/healthz", "").await, 200) }
    })
    .await
}

fn end(answer: Option<support::Answer>, good: u16) -> End {
    match answer {
        Some(answer) if answer.status == good => End::Done,
        Some(answer) if answer.status == 409 => End::Refused,
        other => {
            eprintln!("{other:?}");
            End::Failed
        }
    }
}

async fn round<F, R>(counter: &Arc<AtomicU64>, call: F) -> Round
where
    F: Fn(u64) -> R + Clone + Send + 'static,
    R: Future<Output = End> + Send,
{
    clients(number("--clients", 32), Duration::from_secs(number("--seconds", 4) as u64), counter, call).await
}

/// Floor and service in turn; one line.
async fn compare(
    database: Database,
    name: &str,
    mut floor: impl AsyncFnMut() -> Round,
    mut service: impl AsyncFnMut() -> Round,
) {
    let (mut floors, mut services) = (Vec::new(), Vec::new());
    for _ in 0..number("--rounds", 3) {
        floors.push(floor().await);
        services.push(service().await);
    }
    let (floor, service) = (Round::join(&floors), Round::join(&services));
    figure(&json!({
        "program": "load", "figure": name, "database": database.name(), "clients": number("--clients", 32),
        "floor": floor.per_second().round(), "service": service.per_second().round(),
        "ratio": (service.per_second() / floor.per_second() * 100.0).round() / 100.0,
        "p50_ms": service.percentile(0.5), "p99_ms": service.percentile(0.99),
        "refused": service.refused, "failed": service.failed, "floor_failed": floor.failed,
    }));
}

async fn sqlite(place: &Place) {
    let original = PathBuf::from(place.url.trim_start_matches("sqlite://"));
    let file = floor::sqlite::copy(&original, place.dir.path());
    let started = Instant::now();
    let server = Server::start(place).await;
    figure(
        &json!({"program": "load", "figure": "start", "database": "sqlite", "seconds": started.elapsed().as_secs_f64()}),
    );
    let service = Service::new(place, &server).await;
    for (name, prefix, hot) in [("reserve", "K", false), ("reserve_hot", "L", true)] {
        let wares: Arc<Wares> = Arc::new(floor::sqlite::wares(&file, prefix));
        let writer = floor::sqlite::writer(file.clone(), wares);
        let counter = Arc::new(AtomicU64::new(0));
        let floor = async || {
            let writer = writer.clone();
            round(&counter, move |turn| {
                let writer = writer.clone();
                async move { floor::sqlite::ask(&writer, turn).await }
            })
            .await
        };
        compare(Database::Sqlite, name, floor, async || service.reserve(hot).await).await;
    }
    let redemptions = service.some_redemptions().await;
    compare(
        Database::Sqlite,
        "read_by_id",
        async || sqlite_reads(&file).await,
        async || service.read(&redemptions).await,
    )
    .await;
    compare(
        Database::Sqlite,
        "read_by_id_of_hello",
        async || hello(&service).await,
        async || service.read(&redemptions).await,
    )
    .await;
    compare(Database::Sqlite, "board", async || service.read(&redemptions).await, async || service.board().await).await;
    memory(&server, Database::Sqlite);
}

async fn sqlite_reads(file: &Path) -> Round {
    let ids = Arc::new(floor::sqlite::redemptions(file));
    let readers = floor::sqlite::readers(file, 4, &ids);
    round(&Arc::default(), move |turn| {
        let readers = readers.clone();
        async move { floor::sqlite::ask(&readers, turn).await }
    })
    .await
}

async fn postgres(place: &Place) {
    let url = floor::postgres::copy(&place.url).await;
    let mut connections = Vec::new();
    for _ in 0..number("--clients", 32) {
        connections.push(floor::postgres::Connection::open(&url).await);
    }
    let connections = Arc::new(connections);
    let started = Instant::now();
    let server = Server::start(place).await;
    figure(
        &json!({"program": "load", "figure": "start", "database": "postgres", "seconds": started.elapsed().as_secs_f64()}),
    );
    let service = Service::new(place, &server).await;
    let spread = Arc::new(floor::postgres::wares(&url, "K").await);
    let one_each = async || postgres_singles(&connections, &spread).await;
    compare(Database::Postgres, "reserve", one_each, async || service.reserve(false).await).await;
    let hot = Arc::new(floor::postgres::wares(&url, "L").await);
    let grouped = async || postgres_groups(&connections[0], &hot).await;
    compare(Database::Postgres, "reserve_hot", grouped, async || service.reserve(true).await).await;
    let ids = Arc::new(floor::postgres::redemptions(&url).await);
    let redemptions = service.some_redemptions().await;
    let reads = async || {
        let (connections, ids) = (Arc::clone(&connections), Arc::clone(&ids));
        round(&Arc::default(), move |turn| {
            let (connection, id) =
                (Arc::clone(&connections[turn as usize % connections.len()]), ids[turn as usize % ids.len()]);
            async move { connection.read(id).await }
        })
        .await
    };
    compare(Database::Postgres, "read_by_id", reads, async || service.read(&redemptions).await).await;
    compare(
        Database::Postgres,
        "read_by_id_of_hello",
        async || hello(&service).await,
        async || service.read(&redemptions).await,
    )
    .await;
    compare(Database::Postgres, "board", async || service.read(&redemptions).await, async || service.board().await)
        .await;
    memory(&server, Database::Postgres);
}

/// One statement each, every client on a connection of its own.
async fn postgres_singles(connections: &Arc<Vec<Arc<floor::postgres::Connection>>>, wares: &Arc<Wares>) -> Round {
    let (connections, wares) = (Arc::clone(connections), Arc::clone(wares));
    round(&Arc::default(), move |turn| {
        let (connection, wares) = (Arc::clone(&connections[turn as usize % connections.len()]), Arc::clone(&wares));
        async move { connection.reserve(&wares, turn).await }
    })
    .await
}

/// Groups of a hundred on one connection, committed together.
async fn postgres_groups(connection: &Arc<floor::postgres::Connection>, wares: &Arc<Wares>) -> Round {
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

fn memory(server: &Server, database: Database) {
    let line: Value = json!({"program": "load", "figure": "memory_after_load", "database": database.name(),
        "mib": server.memory_mib("VmRSS"), "highest_mib": server.memory_mib("VmHWM")});
    figure(&line);
}
