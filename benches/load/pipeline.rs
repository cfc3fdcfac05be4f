//! A claim's way: claimed, checked in and out by staff, its record verified. Each step is measured over the same claims, one
//! of each member, spread over tasks of twenty slots whose windows have begun.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::compare::{compare, end, work_off};
use crate::floor::runner::Runner;
use crate::floor::steps::{Item, window};
use crate::floor::{End, People, Round};
use crate::service::Service;
use crate::support::set::STREET;
use crate::support::wire::Wire;
use crate::support::{Answer, Database, Place, Server, number};

const SLOTS: usize = 20;
const STEPS: [&str; 4] = ["claim", "check_in", "check_out", "verify"];

/// Published tasks, and who moves their claims.
pub(crate) struct Prepared {
    /// Each with its wish.
    tasks: Vec<(Uuid, Uuid)>,
    window: (DateTime<Utc>, DateTime<Utc>),
    clerk: String,
    manager: String,
}

/// Has members post wishes and a manager review them, one slot for each member.
pub(crate) async fn prepare(place: &Place, members: usize) -> Prepared {
    // In the order of their names, as the floor reads them.
    let clerk = place.staff("load-a-clerk", "clerk", STREET);
    let manager = place.staff("load-b-manager", "manager", STREET);
    let server = Server::start(place).await;
    let wire = Wire::new(server.port);
    let window = window();
    let posted =
        json!({"title": "陪同就医", "body": "陪同前往社区卫生服务站。", "category": "neighbourly", "slots": SLOTS,
        "window": {"from": rfc3339(window.0), "until": rfc3339(window.1)}})
        .to_string();
    let reviewed = json!({"decision": "publish", "risk_notice": "路滑，请注意安全。"}).to_string();
    let mut tasks = Vec::new();
    for (_, token) in place.tokens(&["token", "members", "--limit", &(members / SLOTS).to_string()]) {
        let wish = asked(&wire, "/api/v1/wishes", &token, &posted).await;
        let wish = wish["id"].as_str().expect("an id");
        let published = asked(&wire, &format!("/api/v1/wishes/{wish}/review"), &manager, &reviewed).await;
        tasks.push((uuid(&published["task_id"]), wish.parse().expect("an id")));
    }
    Prepared { tasks, window, clerk, manager }
}

async fn asked(wire: &Wire, path: &str, token: &str, body: &str) -> Value {
    let answer = wire.post(path, token, &Uuid::now_v7().to_string(), body).await.expect("an answer");
    assert!(answer.status < 300, "{path}: {answer:?}");
    answer.json()
}

/// One line for each step.
pub(crate) async fn measure(
    database: Database,
    service: &Service,
    prepared: Prepared,
    people: Arc<People>,
    runner: &Runner,
) {
    let calls = Arc::new(Calls::new(service, prepared));
    let items = Arc::new(calls.items(&people));
    for what in STEPS {
        let (mut at_floor, mut at_service) = (Turns::new(items.len()), Turns::new(items.len()));
        let floor = async || {
            let (items, people, runner) = (Arc::clone(&items), Arc::clone(&people), runner.clone());
            work_off(at_floor.next(), move |item| {
                let (items, people, runner) = (Arc::clone(&items), Arc::clone(&people), runner.clone());
                async move { runner.run(items[item as usize].steps(what, &people, &runner)).await }
            })
            .await
        };
        let served = async || calls.work_off(what, at_service.next()).await;
        compare(database, what, floor, served).await;
    }
}

/// The items of each round in turn.
struct Turns {
    at: u64,
    size: u64,
}

impl Turns {
    fn new(items: usize) -> Self {
        Self { at: 0, size: (items / number("--rounds", 3)) as u64 }
    }

    const fn next(&mut self) -> Range<u64> {
        let start = self.at;
        self.at += self.size;
        start..self.at
    }
}

/// The calls of the steps: item by item the same claims as the floor's.
struct Calls {
    wire: Arc<Wire>,
    members: Arc<Vec<String>>,
    prepared: Prepared,
    /// Of each item, once they are known: the claim and its record.
    ids: Mutex<Vec<(String, String)>>,
}

impl Calls {
    fn new(service: &Service, prepared: Prepared) -> Self {
        let items = prepared.tasks.len() * SLOTS;
        Self {
            wire: Arc::clone(&service.wire),
            members: Arc::clone(&service.members),
            prepared,
            ids: Mutex::new(vec![<_>::default(); items]),
        }
    }

    /// Item after item another task and another member.
    fn items(&self, people: &People) -> Vec<Item> {
        let tasks = &self.prepared.tasks;
        let size = tasks.len() * SLOTS / number("--rounds", 3);
        let last = size * number("--rounds", 3) - 1;
        let item = |item: usize| {
            let task = item % tasks.len();
            let place = (item < tasks.len(), item + tasks.len() > last);
            let (member, requester) = (people.members[self.member(item)], people.members[task].0);
            Item::new(tasks[task], requester, member, self.prepared.window, place)
        };
        (0..tasks.len() * SLOTS).map(item).collect()
    }

    /// Who claims: never the one who asked, whose number is that of the task.
    fn member(&self, item: usize) -> usize {
        (item + 1) % self.members.len()
    }

    async fn work_off(self: &Arc<Self>, what: &'static str, items: Range<u64>) -> Round {
        let calls = Arc::clone(self);
        work_off(items, move |item| {
            let calls = Arc::clone(&calls);
            async move { calls.call(what, item as usize).await }
        })
        .await
    }

    async fn call(&self, what: &str, item: usize) -> End {
        let (claim, record) = self.ids.lock().expect("the ids")[item].clone();
        let key = Uuid::now_v7().to_string();
        let (path, token, body, good) = match what {
            "claim" => {
                let task = self.prepared.tasks[item % self.prepared.tasks.len()].0;
                (format!("/api/v1/tasks/{task}/claims"), &self.members[self.member(item)], "{}".to_owned(), 201)
            }
            "check_in" => {
                let body = json!({"at": rfc3339(self.prepared.window.0)}).to_string();
                (format!("/api/v1/claims/{claim}/check-in"), &self.prepared.clerk, body, 200)
            }
            "check_out" => (format!("/api/v1/claims/{claim}/check-out"), &self.prepared.clerk, "{}".to_owned(), 200),
            _ => {
                let path = format!("/api/v1/service-records/{record}/verification");
                (path, &self.prepared.manager, r#"{"decision":"verify"}"#.to_owned(), 200)
            }
        };
        let answer = self.wire.post(&path, token, &key, &body).await;
        if let Some(answer) = answer.as_ref().filter(|answer| answer.status == good) {
            self.learn(what, item, answer);
        }
        end(answer.as_ref(), good)
    }

    fn learn(&self, what: &str, item: usize, answer: &Answer) {
        let told = |field: &str| answer.json()[field].as_str().unwrap_or_default().to_owned();
        match what {
            "claim" => self.ids.lock().expect("the ids")[item].0 = told("id"),
            "check_out" => self.ids.lock().expect("the ids")[item].1 = told("service_record_id"),
            _ => {}
        }
    }
}

fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn uuid(value: &Value) -> Uuid {
    value.as_str().expect("an id").parse().expect("an id")
}
