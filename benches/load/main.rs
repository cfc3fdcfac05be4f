//! The load: what the service does through HTTP with everything switched on, as a share of the raw database in the same run.
//!
//! `cargo bench --bench load -- [--database sqlite|postgres] [--clients 32] [--rounds 3] [--seconds 4] [--members 6000]
//! [--only reserve,read_by_id] [--tangshan [DIR]] [--growth [--most ENTRIES]]
//! [--binary LINLI]`
//!
//! One JSON line per figure: `floor` and `service` in calls per second, `ratio`, the waits in milliseconds, what a call costs the
//! server's process in microseconds of processor time. Floor and service
//! take turns, so that a slower minute of the machine slows both. Each member (at least 40) makes one claim; a round of their steps ends
//! when its share of them is through, every other after `--seconds`. With `--tangshan` the figures are those of a whole
//! city's set: the one in DIR, or one made for the run; with `--growth` those of ledgers up to five million entries.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a program that measures ends loudly")]
#![allow(clippy::cast_precision_loss, reason = "figures are quoted to a few digits")]
#![allow(clippy::cast_possible_truncation, reason = "64-bit machines only")]

mod compare;
mod floor;
mod gift;
mod growth;
mod pipeline;
mod postgres;
mod service;
mod sqlite;
#[path = "../support/mod.rs"]
mod support;
mod tangshan;

use serde_json::json;
use support::set::Shelf;
use support::{Database, Place, figure, number};

/// Of each member, in the past.
const SHIFTS: usize = 20;
const KINDS: usize = 1_000;

#[tokio::main]
async fn main() {
    for database in Database::chosen() {
        if growth::is_asked_for() {
            growth::measure(database).await;
            continue;
        }
        let place = Place::new(database);
        place.linli(&["migrate"], "");
        if tangshan::is_asked_for() {
            tangshan::measure(&place, database).await;
        } else {
            measure(&place, database).await;
        }
        let verified = place.verified();
        figure(
            &json!({"program": "load", "figure": "verified", "database": database.name(), "clean": verified.is_ok()}),
        );
        if let Err(findings) = verified {
            eprintln!("{findings}");
            std::process::exit(1);
        }
    }
}

async fn measure(place: &Place, database: Database) {
    let members = number("--members", 6_000);
    let shelves = [
        Shelf { prefix: "K", kinds: KINDS, stock: &|_| 1_000_000, price: 1 },
        Shelf { prefix: "L", kinds: 1, stock: &|_| 1_000_000, price: 1 },
    ];
    support::set::import(place, members, SHIFTS, 100, &(0..0), &shelves);
    let prepared = pipeline::prepare(place, members).await;
    match database {
        Database::Sqlite => sqlite::measure(place, prepared, members).await,
        Database::Postgres => postgres::measure(place, prepared, members).await,
    }
}
