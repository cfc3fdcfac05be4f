//! The crash: kill -9 at random moments under load, again and again.
//!
//! Clients reserve goods and post wishes and note what was acknowledged. At a random moment the server is killed (on PostgreSQL
//! every other time the database server instead, with linli left running); after the restart every acknowledged object must be there,
//! and `linli verify` clean. Ends with 1 otherwise.
//!
//! `cargo bench --bench crash -- [--database sqlite|postgres] [--kills 50] [--clients 16] [--seed 1]`

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a program that measures ends loudly")]
#![allow(clippy::cast_precision_loss, reason = "figures are quoted to a few digits")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::set::{COMMUNITY, Shelf};
use support::{Database, Dice, Place, Server, client, figure, get, number, post};

const MEMBERS: usize = 200;

#[tokio::main]
async fn main() {
    let mut held = true;
    for database in Database::chosen() {
        held &= run(database).await;
    }
    std::process::exit(i32::from(!held));
}

/// Something acknowledged: where it is read, and by whom.
struct Acknowledged {
    path: String,
    token: String,
}

/// What the clients share while one load runs.
struct Load {
    client: reqwest::Client,
    base: String,
    members: Vec<String>,
    goods: String,
    stop: AtomicBool,
    turn: AtomicU64,
}

async fn run(database: Database) -> bool {
    let place = Place::new(database);
    place.linli(&["migrate"], "");
    // 5,000 points each and a price of 1: nobody runs dry in a run.
    support::set::import(&place, MEMBERS, 50, 100, &[Shelf { prefix: "K", kinds: 1, stock: &|_| 2_000_000, price: 1 }]);
    let members: Vec<String> = place
        .tokens(&["token", "members", "--limit", &MEMBERS.to_string()])
        .into_iter()
        .map(|(_, token)| token)
        .collect();
    let mut server = Server::start(&place).await;
    let page = get(&client(), &server.url("/goods"), &members[0]).await.expect("goods").json();
    let goods = page["items"][0]["id"].as_str().expect("goods").to_owned();
    let mut dice = Dice::new(number("--seed", 1) as u64);
    let (mut acknowledged, mut missing, mut dirty, mut slowest) = (0, 0, 0, Duration::ZERO);
    let kills = number("--kills", 50);
    let turn = Arc::new(AtomicU64::new(0));
    for kill in 0..kills {
        let load = Arc::new(Load {
            client: client(),
            base: server.url(""),
            members: members.clone(),
            goods: goods.clone(),
            stop: AtomicBool::new(false),
            turn: AtomicU64::new(turn.fetch_add(1 << 32, Ordering::Relaxed)),
        });
        let clients = start(&load);
        tokio::time::sleep(Duration::from_millis(100 + dice.below(900) as u64)).await;
        let victim = place.cluster.as_ref().filter(|_| kill % 2 == 1);
        match victim {
            Some(cluster) => cluster.kill(),
            None => server.kill(),
        }
        load.stop.store(true, Ordering::Relaxed);
        let notes: Vec<Acknowledged> = clients.join_all().await.into_iter().flatten().collect();
        let back = Instant::now();
        match victim {
            Some(cluster) => {
                cluster.resume();
                server.ready().await;
            }
            None => server = Server::start_on(&place, server.port).await,
        }
        slowest = slowest.max(back.elapsed());
        acknowledged += notes.len();
        missing += count_missing(&server, &notes).await;
        if let Err(findings) = place.verified() {
            eprintln!("after kill {kill}: {findings}");
            dirty += 1;
        }
    }
    figure(&json!({"program": "crash", "database": database.name(), "kills": kills, "acknowledged": acknowledged,
        "missing": missing, "verify_not_clean": dirty, "slowest_restart_ms": slowest.as_secs_f64() * 1000.0}));
    missing == 0 && dirty == 0 && acknowledged > 0
}

fn start(load: &Arc<Load>) -> tokio::task::JoinSet<Vec<Acknowledged>> {
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..number("--clients", 16) {
        let load = Arc::clone(load);
        clients.spawn(async move {
            let mut notes = Vec::new();
            while !load.stop.load(Ordering::Relaxed) {
                notes.extend(one(&load).await);
            }
            notes
        });
    }
    clients
}

/// One command; a note of it if it was acknowledged.
async fn one(load: &Load) -> Option<Acknowledged> {
    let turn = load.turn.fetch_add(1, Ordering::Relaxed);
    let token = load.members[Dice::new(turn + 1).below(MEMBERS)].clone();
    let (path, body) = if turn % 5 == 4 {
        ("/wishes", wish())
    } else {
        ("/redemptions", json!({"goods_id": load.goods, "quantity": 1}))
    };
    let answer = post(&load.client, &format!("{}{path}", load.base), &token, &format!("crash-{turn}"), &body).await?;
    match answer.status {
        201 => Some(Acknowledged { path: format!("{path}/{}", answer.json()["id"].as_str()?), token }),
        503 => None,
        status => panic!("{path} answered {status}: {}", String::from_utf8_lossy(&answer.body)),
    }
}

fn wish() -> Value {
    let now = chrono::Utc::now();
    json!({"title": "陪读报", "body": "眼睛不好，想听听新闻。", "category": "culture", "region_code": COMMUNITY,
        "window": {"from": now + chrono::Duration::hours(1), "until": now + chrono::Duration::hours(2)}})
}

async fn count_missing(server: &Server, notes: &[Acknowledged]) -> usize {
    let client = client();
    let mut missing = 0;
    for chunk in notes.chunks(64) {
        let checks = chunk.iter().map(|note| {
            let (client, url) = (client.clone(), server.url(&note.path));
            async move { get(&client, &url, &note.token).await.is_none_or(|answer| answer.status != 200) }
        });
        missing += futures_util::future::join_all(checks).await.into_iter().filter(|gone| *gone).count();
    }
    missing
}
