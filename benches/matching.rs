//! Matching: the best for a task and the best for a volunteer over a whole city's set, against reading one task by its id in the
//! same run.
//!
//! `cargo bench --bench matching -- [--database sqlite|postgres] [--scale 1] [--set FOLDER] [--clients 8] [--seconds 4]
//! [--rounds 3] [--weeks 20] [--binary LINLI]`
//!
//! The set's year ends `--weeks` from now, so that its open wishes can still be claimed. One JSON line per figure: waits in
//! milliseconds, and as multiples of the read's. Ends with 1 where the goals of the project are missed: the median within 4 ×,
//! p99 within 10 ×, the server below 600 MiB.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a program that measures ends loudly")]
#![allow(clippy::cast_precision_loss, reason = "figures are quoted to a few digits")]

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use serde_json::json;
use support::wire::Wire;
use support::{Database, Place, Server, figure, number, option};

const CITY: &str = "130200";
/// Members that ask, at most.
const ASKING: usize = 2_000;
/// Of so many communities the members of one ask.
const EVERY: usize = 15;
const MOST_MEDIAN: f64 = 4.0;
const MOST_P99: f64 = 10.0;
const MOST_MIB: u64 = 600;

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir_in(support::scratch()).expect("a folder");
    let set = option("--set").map_or_else(|| generate(folder.path()), PathBuf::from);
    let mut held = true;
    for database in Database::chosen() {
        held &= run(database, &set).await;
    }
    std::process::exit(i32::from(!held));
}

fn generate(folder: &Path) -> PathBuf {
    let out = folder.join("tangshan");
    let generator = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/generate.py");
    let scale = option("--scale").unwrap_or_else(|| "1".to_owned());
    let mut python = Command::new("python3");
    python.arg(generator).args(["--size", "tangshan", "--scale", &scale, "--out"]).arg(&out).stdout(Stdio::null());
    assert!(python.status().expect("python3").success(), "the generator failed");
    out
}

/// What is asked, each with the token that asks.
type Questions = Arc<Vec<(String, String)>>;

async fn run(database: Database, set: &Path) -> bool {
    let place = Place::new(database);
    place.linli(&["migrate"], "");
    let weeks = i64::try_from(number("--weeks", 20)).unwrap();
    let shift_to = (Utc::now() + TimeDelta::weeks(weeks)).date_naive().to_string();
    place.linli(&["import", &set.display().to_string(), "--shift-to", &shift_to], "");
    let manager = place.staff("matching", "manager", CITY);
    let mut tokens = Vec::new();
    for community in communities(set) {
        tokens.extend(place.tokens(&["token", "members", "--region", &community, "--limit", "1000"]));
    }
    let server = Server::start(&place).await;
    let wire = Arc::new(Wire::new(server.port));
    let tasks = open_tasks(&wire, &manager).await;
    let cold = cold(&wire, &tasks, &manager).await;
    let volunteers = volunteers(&wire, tokens).await;
    let of_tasks = |what: &str, token: &str| -> Questions {
        Arc::new(tasks.iter().map(|id| (format!("/api/v1/tasks/{id}{what}"), token.to_owned())).collect())
    };
    let for_me = volunteers.iter().map(|token| ("/api/v1/me/recommendations?limit=20".to_owned(), token.clone()));
    let for_me: Questions = Arc::new(for_me.collect());
    let read = of_tasks("", &manager);
    let mut held = true;
    for (name, questions) in [("matches", of_tasks("/matches?limit=20", &manager)), ("recommendations", for_me)] {
        let (mut floor, mut asked) = (Vec::new(), Vec::new());
        for _ in 0..number("--rounds", 3) {
            floor.extend(clients(&wire, &read).await);
            asked.extend(clients(&wire, &questions).await);
        }
        let (floor, asked) = (Waits::of(floor), Waits::of(asked));
        let (median, p99) = (asked.median / floor.median, asked.p99 / floor.p99);
        held &= median <= MOST_MEDIAN && p99 <= MOST_P99;
        figure(&json!({
            "program": "matching", "figure": name, "database": database.name(), "clients": number("--clients", 8),
            "tasks": tasks.len(), "volunteers": volunteers.len(), "asked": asked.count, "p50_ms": asked.median,
            "p99_ms": asked.p99, "read_p50_ms": floor.median, "read_p99_ms": floor.p99,
            "median_ratio": round(median), "p99_ratio": round(p99), "held": median <= MOST_MEDIAN && p99 <= MOST_P99,
        }));
    }
    let highest = server.memory_mib("VmHWM");
    held &= highest < MOST_MIB;
    figure(&json!({
        "program": "matching", "figure": "memory", "database": database.name(), "mib": server.memory_mib("VmRSS"),
        "highest_mib": highest, "first_answers_ms": cold, "held": highest < MOST_MIB,
    }));
    held
}

/// Some communities in which members live, from all over the city. Whose ids come first in a set are residents who do not volunteer.
fn communities(set: &Path) -> Vec<String> {
    let mut rows = csv::Reader::from_path(set.join("members.csv")).expect("the members");
    let column = rows.headers().unwrap().iter().position(|name| name == "region_code").expect("where they live");
    let all: BTreeSet<String> = rows.records().map(|row| row.unwrap()[column].to_owned()).collect();
    all.into_iter().step_by(EVERY).collect()
}

/// Ids of all open tasks.
async fn open_tasks(wire: &Wire, manager: &str) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/v1/tasks?status=open&limit=100{cursor}");
        let page = wire.get(&path, manager).await.expect("tasks").json();
        let items = page["items"].as_array().expect("items");
        found.extend(items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert!(!found.is_empty(), "no open tasks: are the weeks enough?");
    found
}

/// Those who may ask for recommendations and get some.
async fn volunteers(wire: &Wire, tokens: Vec<(String, String)>) -> Vec<String> {
    let mut found = Vec::new();
    for (_, token) in tokens {
        let answer = wire.get("/api/v1/me/recommendations?limit=1", &token).await.expect("an answer");
        if answer.status == 200 && answer.json()["items"].as_array().is_some_and(|items| !items.is_empty()) {
            found.push(token);
        }
        if found.len() == ASKING {
            break;
        }
    }
    assert!(!found.is_empty(), "nobody is recommended anything");
    found
}

/// How long the longest of the first answers took, while the server is still reading its districts.
async fn cold(wire: &Wire, tasks: &[String], manager: &str) -> f64 {
    let mut longest = Duration::ZERO;
    for id in tasks.iter().take(200) {
        let began = Instant::now();
        let answer = wire.get(&format!("/api/v1/tasks/{id}/matches"), manager).await.expect("an answer");
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        longest = longest.max(began.elapsed());
    }
    round(longest.as_secs_f64() * 1e3)
}

/// All clients asking for `--seconds`, each on a connection of its own: how long each answer took.
async fn clients(wire: &Arc<Wire>, questions: &Questions) -> Vec<Duration> {
    let clients = number("--clients", 8);
    let until = Instant::now() + Duration::from_secs(number("--seconds", 4) as u64);
    let running: Vec<_> = (0..clients)
        .map(|client| {
            let (wire, questions) = (Arc::clone(wire), Arc::clone(questions));
            tokio::spawn(async move {
                let (mut waits, mut next) = (Vec::new(), client * 7_919);
                while Instant::now() < until {
                    let (path, token) = &questions[next % questions.len()];
                    next += clients;
                    let began = Instant::now();
                    let answer = wire.get(path, token).await.expect("an answer");
                    assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
                    waits.push(began.elapsed());
                }
                waits
            })
        })
        .collect();
    let mut waits = Vec::new();
    for client in running {
        waits.extend(client.await.expect("a client"));
    }
    waits
}

struct Waits {
    count: usize,
    median: f64,
    p99: f64,
}

impl Waits {
    fn of(mut waits: Vec<Duration>) -> Self {
        waits.sort_unstable();
        let at = |share: usize| round(waits[(waits.len() - 1) * share / 100].as_secs_f64() * 1e3);
        Self { count: waits.len(), median: at(50), p99: at(99) }
    }
}

fn round(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}
