//! The storm: everybody wants the same few things at once, some ask twice.
//!
//! 10,000 redemptions with keys of their own over 100 goods with stock 1 to 5, one in five sent again; 200 clients for one
//! slot; 20 parallel spends of a balance that covers one. Then what moves points besides ([`books`]): gifts crosswise, three
//! refunds of one redemption, spending while points expire, 50 verifications on a budget for 30. On SQLite with one
//! server, on PostgreSQL with two. Ends with 1 unless oversold is 0, replays equal their first answers, each race has one winner, no
//! point is made or lost and `linli verify` is clean.
//!
//! `cargo bench --bench storm -- [--database sqlite|postgres] [--requests 10000] [--clients 64]`

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a program that measures ends loudly")]
#![allow(clippy::cast_precision_loss, reason = "figures are quoted to a few digits")]

mod books;
#[path = "../support/mod.rs"]
mod support;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::{Value, json};
use support::set::{COMMUNITY, STREET, Shelf};
use support::{Answer, Database, Dice, Place, Server, client, figure, get, number, post};

const GOODS: usize = 100;
const MEMBERS: usize = 2_000;
/// Who has 100 points more, which are over; they take no part in the first races.
const OVERDUE: std::ops::Range<usize> = 1_990..2_000;

#[tokio::main]
async fn main() {
    let mut held = true;
    for database in Database::chosen() {
        let place = Place::new(database);
        place.linli(&["migrate"], "");
        support::set::import(
            &place,
            MEMBERS,
            5,
            100,
            &OVERDUE,
            &[
                Shelf { prefix: "K", kinds: GOODS, stock: &stock, price: 10 },
                Shelf { prefix: "L", kinds: 1, stock: &|_| 1_000, price: 500 },
                Shelf { prefix: "M", kinds: 1, stock: &|_| 100_000, price: 10 },
            ],
        );
        let nodes = if database == Database::Postgres { 2 } else { 1 };
        let mut servers = Vec::new();
        for _ in 0..nodes {
            servers.push(Server::start(&place).await);
        }
        let storm = Arc::new(Storm::new(&place, &servers).await);
        held &= redemptions(&storm, database).await;
        held &= last_slot(&storm, &place, database).await;
        held &= one_balance(&storm, database).await;
        held &= books::all(&storm, &place, database).await;
        let verified = place.verified();
        figure(
            &json!({"program": "storm", "figure": "verify", "database": database.name(), "clean": verified.is_ok()}),
        );
        if let Err(findings) = verified {
            eprintln!("{findings}");
            held = false;
        }
    }
    std::process::exit(i32::from(!held));
}

/// Stock 1 to 5.
const fn stock(kind: usize) -> usize {
    kind % 5 + 1
}

struct Storm {
    client: reqwest::Client,
    bases: Vec<String>,
    members: Vec<String>,
    /// Goods by their ref.
    goods: HashMap<String, String>,
    turn: AtomicUsize,
}

impl Storm {
    async fn new(place: &Place, servers: &[Server]) -> Self {
        let client = client();
        let members = place.tokens(&["token", "members", "--limit", &MEMBERS.to_string()]);
        let mut goods = HashMap::new();
        let mut cursor = String::new();
        loop {
            let url = format!("{}?limit=100{cursor}", servers[0].url("/goods"));
            let page = get(&client, &url, &members[0].1).await.expect("goods").json();
            for item in page["items"].as_array().expect("items") {
                goods.insert(text(&item["ref"]), text(&item["id"]));
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let bases = servers.iter().map(|server| server.url("")).collect();
        Self {
            client,
            bases,
            members: members.into_iter().map(|(_, token)| token).collect(),
            goods,
            turn: AtomicUsize::new(0),
        }
    }

    /// Sends to the nodes in turn; a 409 that says the first is still running, and a 503, are sent again.
    async fn post(&self, path: &str, token: &str, key: &str, body: &Value) -> Answer {
        loop {
            let node = self.turn.fetch_add(1, Ordering::Relaxed) % self.bases.len();
            let url = format!("{}{path}", self.bases[node]);
            match post(&self.client, &url, token, key, body).await {
                Some(answer) if answer.status != 503 && answer.code() != "idempotency_in_progress" => return answer,
                _ => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            }
        }
    }
}

impl Storm {
    async fn get(&self, path: &str, token: &str) -> Answer {
        get(&self.client, &format!("{}{path}", self.bases[0]), token).await.expect("an answer")
    }

    async fn patch(&self, path: &str, token: &str, body: &Value) -> Answer {
        let request = self.client.patch(format!("{}{path}", self.bases[0])).bearer_auth(token).json(body);
        let response = request.send().await.expect("an answer");
        let status = response.status().as_u16();
        Answer { status, body: response.bytes().await.expect("a body").to_vec(), replayed: false }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What became of one redemption: which goods, its first answer, whether the second was the same.
struct Outcome {
    kind: usize,
    answer: Answer,
    replay_equal: Option<bool>,
}

async fn redemptions(storm: &Arc<Storm>, database: Database) -> bool {
    let requests = number("--requests", 10_000);
    let next = Arc::new(AtomicUsize::new(0));
    let start = Instant::now();
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..number("--clients", 64) {
        let (storm, next) = (Arc::clone(storm), Arc::clone(&next));
        clients.spawn(async move {
            let mut outcomes = Vec::new();
            loop {
                let turn = next.fetch_add(1, Ordering::Relaxed);
                if turn >= requests {
                    return outcomes;
                }
                outcomes.push(redeem(&storm, turn).await);
            }
        });
    }
    let outcomes: Vec<Outcome> = clients.join_all().await.into_iter().flatten().collect();
    let seconds = start.elapsed().as_secs_f64();
    let mut sold = vec![0_usize; GOODS];
    let mut codes: HashMap<String, usize> = HashMap::new();
    for outcome in &outcomes {
        if outcome.answer.status == 201 {
            sold[outcome.kind] += 1;
        } else {
            *codes.entry(format!("{} {}", outcome.answer.status, outcome.answer.code())).or_default() += 1;
        }
    }
    let oversold: usize = sold.iter().enumerate().map(|(kind, sold)| sold.saturating_sub(stock(kind))).sum();
    let unsold: usize = sold.iter().enumerate().map(|(kind, sold)| stock(kind).saturating_sub(*sold)).sum();
    let replays: Vec<bool> = outcomes.iter().filter_map(|outcome| outcome.replay_equal).collect();
    let unequal = replays.iter().filter(|equal| !**equal).count();
    let named = codes.keys().all(|code| code == "409 out_of_stock" || code == "409 insufficient_points");
    figure(&json!({
        "program": "storm", "figure": "redemptions", "database": database.name(), "nodes": storm.bases.len(),
        "requests": outcomes.len(), "replays": replays.len(), "sold": sold.iter().sum::<usize>(),
        "oversold": oversold, "unsold": unsold, "replays_unequal": unequal, "refusals": codes, "seconds": seconds,
        "per_second": ((outcomes.len() + replays.len()) as f64 / seconds).round(),
    }));
    oversold == 0 && unsold == 0 && unequal == 0 && named
}

async fn redeem(storm: &Storm, turn: usize) -> Outcome {
    let mut dice = Dice::new(turn as u64 + 1);
    let kind = dice.below(GOODS);
    let token = &storm.members[dice.below(OVERDUE.start - 1) + 1];
    let body = json!({"goods_id": storm.goods[&format!("K{kind:05}")], "quantity": 1});
    let key = format!("storm-{turn}");
    if !turn.is_multiple_of(5) {
        return Outcome { kind, answer: storm.post("/redemptions", token, &key, &body).await, replay_equal: None };
    }
    // One in five is sent twice at once, as an impatient finger does it.
    let (one, two) =
        tokio::join!(storm.post("/redemptions", token, &key, &body), storm.post("/redemptions", token, &key, &body));
    let equal = one.status == two.status && one.body == two.body && (one.replayed != two.replayed);
    if !equal {
        eprintln!("unequal: {one:?} {two:?}");
    }
    Outcome { kind, answer: one, replay_equal: Some(equal) }
}

async fn last_slot(storm: &Arc<Storm>, place: &Place, database: Database) -> bool {
    let manager = place.staff("storm-manager", "manager", STREET);
    let now = chrono::Utc::now();
    let window = json!({"from": now + chrono::Duration::hours(2), "until": now + chrono::Duration::hours(4)});
    let wish = json!({"title": "换灯泡", "body": "客厅的灯坏了，够不着。", "category": "neighbourly",
        "region_code": COMMUNITY, "slots": 1, "window": window});
    let wish = storm.post("/wishes", &storm.members[0], "storm-wish", &wish).await;
    assert_eq!(wish.status, 201, "{wish:?}");
    let path = format!("/wishes/{}/review", text(&wish.json()["id"]));
    let review = storm
        .post(&path, &manager, "storm-review", &json!({"decision": "publish", "risk_notice": "登高请两人同行"}))
        .await;
    assert_eq!(review.status, 200, "{review:?}");
    let task = text(&review.json()["task_id"]);
    let mut clients = tokio::task::JoinSet::new();
    for member in 1..=200 {
        let (storm, path) = (Arc::clone(storm), format!("/tasks/{task}/claims"));
        clients.spawn(
            async move { storm.post(&path, &storm.members[member], &format!("slot-{member}"), &json!({})).await },
        );
    }
    one_winner("last_slot", database, &clients.join_all().await, 201, &["task_full", "task_closed"])
}

async fn one_balance(storm: &Arc<Storm>, database: Database) -> bool {
    // Member 0 took no part in the redemptions and holds 500 points: the price of one.
    let goods = storm.goods["L00000"].clone();
    let mut clients = tokio::task::JoinSet::new();
    for turn in 0..20 {
        let (storm, body) = (Arc::clone(storm), json!({"goods_id": goods, "quantity": 1}));
        clients
            .spawn(async move { storm.post("/redemptions", &storm.members[0], &format!("spend-{turn}"), &body).await });
    }
    one_winner("one_balance", database, &clients.join_all().await, 201, &["insufficient_points"])
}

fn one_winner(name: &str, database: Database, answers: &[Answer], won: u16, refusals: &[&str]) -> bool {
    let winners = answers.iter().filter(|answer| answer.status == won).count();
    let unnamed = answers.iter().filter(|answer| answer.status != won && !refusals.contains(&answer.code().as_str()));
    let unnamed: Vec<String> = unnamed.map(|answer| format!("{} {}", answer.status, answer.code())).collect();
    figure(&json!({"program": "storm", "figure": name, "database": database.name(), "clients": answers.len(),
        "winners": winners, "unnamed_refusals": unnamed}));
    winners == 1 && unnamed.is_empty()
}
