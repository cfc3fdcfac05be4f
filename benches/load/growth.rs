//! What a posting costs as the ledger grows: two servers take turns, one over a ledger that stays small, one over a ledger that is filled
//! up to the next size before each figure. `ratio` is large to small: 1 is flat.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use chrono::Utc;
use serde_json::json;
use uuid::Uuid;

use crate::compare::{compare, end, round};
use crate::floor::{End, Round};
use crate::service::Service;
use crate::support::set::{self, CITY, Shelf};
use crate::support::{Database, Place, Server, figure, number, option};

mod fill;

/// Entries; the first is the ledger that stays small.
const SIZES: [u64; 5] = [10_000, 100_000, 1_000_000, 2_000_000, 5_000_000];
/// At this size `linli verify` is timed: a million journals.
const VERIFIED: u64 = 2_000_000;
const MEMBERS: usize = 2_000;

/// Whether `--growth` is given.
pub(crate) fn is_asked_for() -> bool {
    std::env::args().any(|word| word == "--growth")
}

/// A server over a ledger of its own.
struct Side {
    place: Place,
    clerk: String,
    entries: u64,
}

impl Side {
    fn new(database: Database) -> Self {
        let place = Place::new(database);
        place.linli(&["migrate"], "");
        let shelves = [Shelf { prefix: "K", kinds: 1_000, stock: &|_| 1_000_000, price: 1 }];
        set::import(&place, MEMBERS, 1, 100, &(0..0), &shelves);
        let clerk = place.staff("growth-clerk", "clerk", CITY);
        Self { place, clerk, entries: 2 * MEMBERS as u64 }
    }

    async fn grow(&mut self, entries: u64) {
        let begun = Instant::now();
        fill::fill(&self.place, self.entries / 2, entries / 2).await;
        self.entries = entries;
        let seconds = begun.elapsed().as_secs_f64();
        eprintln!("filled up to {entries} entries in {seconds:.0} s");
    }

    async fn serve(&self) -> Serving {
        let server = Server::start(&self.place).await;
        let service = Service::new(&self.place, &server, MEMBERS).await;
        self.sealed().await;
        Serving { service, clerk: Arc::new(self.clerk.clone()), counter: Arc::default(), _server: server }
    }

    /// Waits until the server has sealed what was filled in.
    async fn sealed(&self) {
        let (begun, waiting) = (Instant::now(), fill::waiting(&self.place).await);
        while fill::waiting(&self.place).await > 0 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let seconds = begun.elapsed().as_secs_f64();
        eprintln!("{waiting} journals sealed in {seconds:.0} s, up to 15 of them until the job begins");
    }
}

struct Serving {
    service: Arc<Service>,
    clerk: Arc<String>,
    counter: Arc<AtomicU64>,
    _server: Server,
}

impl Serving {
    /// Reservations handed out at once: one journal, two calls.
    async fn post(&self) -> Round {
        let (service, clerk) = (Arc::clone(&self.service), Arc::clone(&self.clerk));
        round(&self.counter, move |turn| {
            let (service, clerk) = (Arc::clone(&service), Arc::clone(&clerk));
            async move {
                let Some(reserved) = service.reserve_one(turn, false).await.filter(|answer| answer.status == 201)
                else {
                    return End::Failed;
                };
                let body = json!({"code": reserved.json()["code"]}).to_string();
                let key = Uuid::now_v7().to_string();
                let path = "/api/v1/redemptions/fulfilments";
                end(service.wire.post(path, &clerk, &key, &body).await.as_ref(), 200)
            }
        })
        .await
    }

    /// Members reading at `path`.
    async fn read(&self, path: &Arc<str>) -> Round {
        let (service, path) = (Arc::clone(&self.service), Arc::clone(path));
        round(&self.counter, move |turn| {
            let (service, path) = (Arc::clone(&service), Arc::clone(&path));
            async move {
                let token = &service.members[turn as usize % service.members.len()];
                end(service.wire.get(&path, token).await.as_ref(), 200)
            }
        })
        .await
    }
}

pub(crate) async fn measure(database: Database) {
    let mut small = Side::new(database);
    small.grow(SIZES[0]).await;
    let mut large = Side::new(database);
    let most = option("--most").map_or(u64::MAX, |most| most.parse().expect("a number"));
    for entries in SIZES.into_iter().skip(1).filter(|size| *size <= most) {
        large.grow(entries).await;
        let (one, other) = (small.serve().await, large.serve().await);
        compare(database, &format!("posting_at_{entries}"), async || one.post().await, async || other.post().await)
            .await;
        // As many lines on one side as on the other: everybody has two, and this month's are those just posted.
        let month = Utc::now().format("/api/v1/me/points/statements/%Y-%m").to_string();
        for (name, path) in [("page", "/api/v1/me/points/entries?limit=2"), ("statement", &*month)] {
            let path: Arc<str> = path.into();
            let name = format!("{name}_at_{entries}");
            compare(database, &name, async || one.read(&path).await, async || other.read(&path).await).await;
        }
        drop((one, other));
        if entries == VERIFIED {
            verify(&large.place, database);
        }
    }
}

/// `linli verify --seals` over all of it, by itself.
fn verify(place: &Place, database: Database) {
    let begun = Instant::now();
    let (code, output) = place.try_linli(&["verify", "--seals"], "");
    let seconds = begun.elapsed().as_secs_f64();
    let words = output.lines().next().unwrap_or_default().chars().take(200).collect::<String>();
    figure(&json!({"program": "load", "figure": "verify_seals_of_a_million_journals", "database": database.name(),
        "seconds": seconds, "code": code, "first_line": words, "rounds": number("--rounds", 3)}));
}
