//! The floor: the statements of a reservation and of a read on the raw drivers, without HTTP, rights, validation or answers.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a program that measures ends loudly")]

pub(crate) mod postgres;
pub(crate) mod sqlite;

use std::future::Future;
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
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..clients {
        let (call, counter) = (call.clone(), Arc::clone(counter));
        running.spawn(async move {
            let mut round = Round::default();
            while start.elapsed() < time {
                let asked = Instant::now();
                match call(counter.fetch_add(1, Ordering::Relaxed)).await {
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

/// The size of a sealed answer of a reservation, bytes.
pub(crate) const ANSWER: usize = 420;
