//! The floor: the statements of a reservation, of a read and of the steps of a claim on the raw drivers, without HTTP, rights, validation or answers.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a program that measures ends loudly")]

pub(crate) mod postgres;
pub(crate) mod runner;
pub(crate) mod sqlite;
pub(crate) mod steps;

use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What one round of clients came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Round {
    pub(crate) done: u64,
    pub(crate) refused: u64,
    pub(crate) failed: u64,
    pub(crate) seconds: f64,
    /// Milliseconds, sorted.
    pub(crate) waits: Vec<f64>,
}

/// How one call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    /// A refusal with its name.
    Refused,
    Failed,
}

impl Round {
    pub(crate) fn per_second(&self) -> f64 {
        self.done as f64 / self.seconds
    }

    /// The wait below which the share `part` of all lay, milliseconds.
    pub(crate) fn percentile(&self, part: f64) -> f64 {
        let last = self.waits.len().saturating_sub(1);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a list")]
        let place = (last as f64 * part).round() as usize;
        self.waits.get(place).copied().unwrap_or(f64::NAN)
    }

    /// Rounds of one pattern, together.
    pub(crate) fn join(rounds: &[Self]) -> Self {
        let mut all = Self::default();
        for round in rounds {
            all.done += round.done;
            all.refused += round.refused;
            all.failed += round.failed;
            all.seconds += round.seconds;
            all.waits.extend(&round.waits);
        }
        all.waits.sort_by(f64::total_cmp);
        all
    }
}

/// Lets `clients` callers call for `time`; each call gets a number of its own.
pub(crate) async fn clients<F, R>(clients: usize, time: Duration, counter: &Arc<AtomicU64>, call: F) -> Round
where
    F: Fn(u64) -> R + Clone + Send + 'static,
    R: Future<Output = End> + Send,
{
    let start = Instant::now();
    let counter = Arc::clone(counter);
    let next = move || (start.elapsed() < time).then(|| counter.fetch_add(1, Ordering::Relaxed));
    run(clients, next, call).await
}

/// Lets `clients` callers call once for each of `items`.
pub(crate) async fn over<F, R>(clients: usize, items: Range<u64>, call: F) -> Round
where
    F: Fn(u64) -> R + Clone + Send + 'static,
    R: Future<Output = End> + Send,
{
    let counter = Arc::new(AtomicU64::new(items.start));
    let next = move || Some(counter.fetch_add(1, Ordering::Relaxed)).filter(|item| *item < items.end);
    run(clients, next, call).await
}

async fn run<N, F, R>(clients: usize, next: N, call: F) -> Round
where
    N: Fn() -> Option<u64> + Clone + Send + 'static,
    F: Fn(u64) -> R + Clone + Send + 'static,
    R: Future<Output = End> + Send,
{
    let start = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..clients {
        let (call, next) = (call.clone(), next.clone());
        running.spawn(async move {
            let mut round = Round::default();
            while let Some(turn) = next() {
                let asked = Instant::now();
                match call(turn).await {
                    End::Done => round.done += 1,
                    End::Refused => round.refused += 1,
                    End::Failed => round.failed += 1,
                }
                round.waits.push(asked.elapsed().as_secs_f64() * 1000.0);
            }
            round
        });
    }
    let rounds = running.join_all().await;
    Round { seconds: start.elapsed().as_secs_f64(), ..Round::join(&rounds) }
}

/// What the floors reserve: accounts and goods by their ids, as bytes.
pub(crate) struct Wares {
    pub(crate) members: Vec<uuid::Uuid>,
    pub(crate) accounts: Vec<uuid::Uuid>,
    pub(crate) goods: Vec<uuid::Uuid>,
    pub(crate) station: uuid::Uuid,
}

/// Whom the steps of claims are about, as stored.
pub(crate) struct People {
    /// Each with their account, in order of their refs.
    pub(crate) members: Vec<(uuid::Uuid, uuid::Uuid)>,
    /// The books that issue.
    pub(crate) books: uuid::Uuid,
    /// Who enters and who verifies.
    pub(crate) clerk: uuid::Uuid,
    pub(crate) manager: uuid::Uuid,
}

/// What [`People`] is read by; one row or one column of ids each.
pub(crate) const MEMBERS: &str =
    "SELECT member.id FROM member JOIN account ON account.member_id = member.id ORDER BY member.ref_id";
pub(crate) const ACCOUNTS: &str =
    "SELECT account.id FROM member JOIN account ON account.member_id = member.id ORDER BY member.ref_id";
pub(crate) const BOOKS: &str = "SELECT id FROM account WHERE kind = 'issued'";
pub(crate) const STAFF: &str = "SELECT id FROM staff ORDER BY username";

/// The size of a sealed answer of a reservation, bytes.
pub(crate) const ANSWER: usize = 420;
