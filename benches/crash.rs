//! The crash: kill -9 at random moments under load, again and again.
//!
//! Clients reserve goods, post wishes, give each other points and get grants from a budget, and note what was acknowledged. At a
//! random moment the server is killed (on PostgreSQL every other time the database server instead, with linli left running);
//! after the restart every acknowledged object must be there, every key must give the answer it gave, and `linli verify` be clean.
//! Ends with 1 otherwise.
//!
//! `cargo bench --bench crash -- [--database sqlite|postgres] [--kills 50] [--clients 16] [--seed 1]`

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a program that measures ends loudly")]
#![allow(clippy::cast_precision_loss, reason = "figures are quoted to a few digits")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::set::{CITY, COMMUNITY, STREET, Shelf};
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

/// Something acknowledged: what was asked under which key, the answer, and where it is read.
struct Acknowledged {
    path: &'static str,
    key: String,
    body: Value,
    answer: Vec<u8>,
    token: String,
    object: Option<String>,
}

/// What the clients share while one load runs.
struct Load {
    client: reqwest::Client,
    base: String,
    /// Id and token.
    members: Vec<(String, String)>,
    manager: String,
    goods: String,
    stop: AtomicBool,
    turn: AtomicU64,
}

async fn run(database: Database) -> bool {
    let place = Place::new(database);
    place.linli(&["migrate"], "");
    // 5,000 points each and a price of 1: nobody runs dry in a run.
    support::set::import(
        &place,
        MEMBERS,
        50,
        100,
        &(0..0),
        &[Shelf { prefix: "K", kinds: 1, stock: &|_| 2_000_000, price: 1 }],
    );
    let tokens = place.tokens(&["token", "members", "--limit", &MEMBERS.to_string()]);
    let mut server = Server::start(&place).await;
    let (members, manager) = prepare(&place, &server, tokens).await;
    let page = get(&client(), &server.url("/goods"), &members[0].1).await.expect("goods").json();
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
            manager: manager.clone(),
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

/// Allows gifts and funds a budget for grants: the members' ids and tokens, and a manager's.
async fn prepare(place: &Place, server: &Server, tokens: Vec<(String, String)>) -> (Vec<(String, String)>, String) {
    let client = client();
    let admin = place.staff("crash-admin", "admin", CITY);
    let manager = place.staff("crash-manager", "manager", STREET);
    let allow = client.patch(server.url("/points/programmes/default")).bearer_auth(&admin);
    let allowed = allow.json(&json!({"gifts_allowed": true})).send().await.expect("an answer");
    assert!(allowed.status().is_success(), "gifts are not allowed");
    let budget = json!({"programme": "default", "name": "慰问预算", "owner_kind": "community", "region_code": COMMUNITY,
        "amount": "10000000.00"});
    let funded = post(&client, &server.url("/points/budgets"), &manager, "crash-budget", &budget).await;
    assert_eq!(funded.expect("an answer").status, 201);
    let mut members = Vec::new();
    for (_, token) in tokens {
        let me = get(&client, &server.url("/me"), &token).await.expect("an answer").json();
        members.push((me["id"].as_str().expect("an id").to_owned(), token));
    }
    (members, manager)
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
    let mut dice = Dice::new(turn + 1);
    let from = dice.below(MEMBERS);
    let (to, _) = &load.members[(from + 1 + dice.below(MEMBERS - 1)) % MEMBERS];
    let member = load.members[from].1.clone();
    let (path, token, body) = match turn % 5 {
        4 => ("/wishes", member, wish()),
        3 => ("/points/gifts", member, json!({"to_member_id": to, "programme": "default", "amount": "0.05"})),
        2 => {
            let body = json!({"member_id": to, "programme": "default", "direction": "grant", "amount": "1.00", "reason": "慰问"});
            ("/points/adjustments", load.manager.clone(), body)
        }
        _ => ("/redemptions", member, json!({"goods_id": load.goods, "quantity": 1})),
    };
    let key = format!("crash-{turn}");
    let answer = post(&load.client, &format!("{}{path}", load.base), &token, &key, &body).await?;
    match answer.status {
        201 => {
            let id = answer.json()["id"].as_str()?.to_owned();
            let object = matches!(turn % 5, 0 | 1 | 4).then(|| format!("{path}/{id}"));
            Some(Acknowledged { path, key, body, answer: answer.body, token, object })
        }
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
        let checks = chunk.iter().map(|note| is_missing(&client, server, note));
        missing += futures_util::future::join_all(checks).await.into_iter().filter(|gone| *gone).count();
    }
    missing
}

async fn is_missing(client: &reqwest::Client, server: &Server, note: &Acknowledged) -> bool {
    if let Some(object) = &note.object {
        let found = get(client, &server.url(object), &note.token).await;
        if found.is_none_or(|answer| answer.status != 200) {
            return true;
        }
    }
    let again = post(client, &server.url(note.path), &note.token, &note.key, &note.body).await;
    again.is_none_or(|answer| !answer.replayed || answer.body != note.answer)
}
