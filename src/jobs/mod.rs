//! Scheduled work. Every node runs the same loops; a lease row says whose turn it is.
//!
//! A job is a name, an interval and an async function: it adds one line to [`JOBS`] and lives in a file of its own. It may be
//! run twice (a node died in the middle), so each of its steps leaves the database in order by itself, and looks by
//! conditional statements at what is still to do. Where a late second hand could do harm, a step first asks
//! [`Lease::is_held`] in its own transaction.

mod lease;
pub mod outbox;
mod sweep;

use std::error::Error;
use std::time::{Duration, Instant};

use futures_util::future::LocalBoxFuture;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::AppState;
use crate::db::{Fault, fault};

pub use lease::Lease;
use lease::Turn;

/// Why a run of a job failed. Logged, never shown.
pub type JobError = Box<dyn Error + Send + Sync>;

/// A piece of scheduled work.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    /// Its name in the log and in `job_lease`; never changes.
    pub name: &'static str,
    /// From one run's start to the next one's, over all nodes.
    pub every: Duration,
    /// The work; the answer is how many things it did.
    pub run: for<'a> fn(&'a AppState, &'a Lease) -> LocalBoxFuture<'a, Result<u64, JobError>>,
}

/// All jobs. `run: |state, lease| Box::pin(expiry::run(state, lease))` for `async fn run(&AppState, &Lease) -> Result<u64, JobError>`.
pub const JOBS: &[Job] = &[
    Job { name: "outbox", every: Duration::from_secs(10), run: |state, lease| Box::pin(outbox::run(state, lease)) },
    Job { name: "sweep", every: Duration::from_mins(10), run: |state, lease| Box::pin(sweep::run(state, lease)) },
    Job {
        name: "deadlines",
        every: Duration::from_secs(30),
        run: |state, lease| Box::pin(crate::pipeline::deadlines::run(state, lease)),
    },
    Job {
        name: "matching_offers",
        every: Duration::from_secs(30),
        run: |state, lease| Box::pin(crate::offering::job::run(state, lease)),
    },
    Job {
        name: "assignments",
        every: Duration::from_secs(30),
        run: |state, lease| Box::pin(crate::assignment::job::run(state, lease)),
    },
    Job {
        name: "bookings",
        every: Duration::from_mins(1),
        run: |state, lease| Box::pin(crate::listing::sweep::run(state, lease)),
    },
    Job {
        name: "points_expiry",
        every: Duration::from_mins(10),
        run: |state, lease| Box::pin(crate::points::expiry::run(state, lease)),
    },
    Job {
        name: "seal",
        every: Duration::from_secs(15),
        run: |state, lease| Box::pin(crate::points::seal::job::run(state, lease)),
    },
    Job {
        name: "points_dues",
        every: Duration::from_mins(1),
        run: |state, lease| Box::pin(crate::points::paying::run(state, lease)),
    },
    Job {
        name: "expiry_notice",
        every: Duration::from_hours(1),
        run: |state, lease| Box::pin(crate::points::notice::run(state, lease)),
    },
    Job {
        name: "redemption_expiry",
        every: Duration::from_mins(1),
        run: |state, lease| Box::pin(crate::redemption::expiry::run(state, lease)),
    },
    Job {
        name: "voucher_expiry",
        every: Duration::from_mins(10),
        run: |state, lease| Box::pin(crate::redemption::voucher::sweep::run(state, lease)),
    },
    Job {
        name: "ranking",
        every: Duration::from_secs(10),
        run: |state, lease| Box::pin(crate::ranking::job::run(state, lease)),
    },
    Job {
        name: "recommendation_digest",
        every: Duration::from_mins(10),
        run: |state, lease| Box::pin(crate::matching::digest::run(state, lease)),
    },
];

/// A loop looks at least this often whether its job is due: another node may have died with it.
const LOOK: Duration = Duration::from_mins(1);
/// How long a stop waits for running jobs; what is cut off then rolls back and is done by the next run.
const STOP: Duration = Duration::from_secs(10);

/// The loops of one node.
pub struct Running {
    stop: watch::Sender<bool>,
    loops: Vec<JoinHandle<()>>,
}

/// Starts a loop per job on the current thread's runtime.
pub fn start(state: &AppState, jobs: &'static [Job]) -> Running {
    let (stop, stopped) = watch::channel(false);
    let loops = jobs.iter().map(|job| tokio::task::spawn_local(repeat(state.clone(), job, stopped.clone()))).collect();
    Running { stop, loops }
}

impl Running {
    /// Starts no further run, lets running ones end for ten seconds, then cuts them off.
    pub async fn stop(self) {
        // Nobody listens where all loops are gone already.
        let _ = self.stop.send(true);
        let deadline = tokio::time::Instant::now() + STOP;
        for mut job in self.loops {
            if tokio::time::timeout_at(deadline, &mut job).await.is_err() {
                job.abort();
            }
        }
    }
}

/// Runs a job of [`JOBS`] now, whether it is due or not: `None` where another holder is at it.
///
/// # Errors
/// The job's own, or that there is none of this name.
pub async fn run_once(state: &AppState, name: &str) -> Result<Option<u64>, JobError> {
    let job = JOBS.iter().find(|job| job.name == name).ok_or_else(|| format!("no job is called {name}"))?;
    run_now(state, job).await
}

/// [`run_once`] for a job that stands in no list.
///
/// # Errors
/// The job's own.
pub async fn run_now(state: &AppState, job: &Job) -> Result<Option<u64>, JobError> {
    run(state, job, Turn::Now).await
}

async fn repeat(state: AppState, job: &'static Job, mut stopped: watch::Receiver<bool>) {
    let pause = job.every.min(LOOK);
    loop {
        let wait = tokio::time::sleep(pause.mul_f64(jitter()));
        tokio::select! {
            () = wait => {}
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
        // A failure is logged in `run`; the next turn tries again.
        let _ = run(&state, job, Turn::Due).await;
    }
}

/// 0.9 to 1.1, so that nodes started together do not look together for ever.
fn jitter() -> f64 {
    0.9 + f64::from(crate::crypto::random_bytes::<1>()[0]) / 1275.0
}

async fn run(state: &AppState, job: &Job, turn: Turn) -> Result<Option<u64>, JobError> {
    let began = Instant::now();
    let outcome = run_leased(state, job, turn).await;
    let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    match &outcome {
        Ok(None) => {}
        Ok(Some(0)) => tracing::debug!(job = job.name, milliseconds, "job ran, nothing to do"),
        Ok(Some(done)) => tracing::info!(job = job.name, done, milliseconds, "job ran"),
        Err(error) => log_failure(job, milliseconds, &**error),
    }
    let result = match &outcome {
        Ok(None) => return outcome,
        Ok(Some(_)) => "done",
        Err(_) => "failed",
    };
    metrics::counter!("linli_job_runs_total", "job" => job.name, "result" => result).increment(1);
    outcome
}

/// A database error's text may hold values, so that only its kind is shown.
fn log_failure(job: &Job, milliseconds: u64, error: &(dyn Error + 'static)) {
    match error.downcast_ref::<sea_orm::DbErr>().map(fault) {
        Some(Fault::Unavailable) => tracing::warn!(job = job.name, milliseconds, "job failed: database unavailable"),
        Some(kind) => {
            tracing::error!(job = job.name, milliseconds, ?kind, "job failed: database error");
            tracing::debug!(job = job.name, %error, "job failed");
        }
        None => tracing::error!(job = job.name, milliseconds, %error, "job failed"),
    }
}

async fn run_leased(state: &AppState, job: &Job, turn: Turn) -> Result<Option<u64>, JobError> {
    let Some(lease) = Lease::take(state, job.name, turn).await? else { return Ok(None) };
    let outcome = tokio::select! {
        outcome = (job.run)(state, &lease) => outcome,
        lost = lease.keep(state) => Err(lost),
    };
    let next = match (&outcome, turn) {
        (Ok(_), Turn::Due) => job.every,
        (Ok(_), Turn::Now) | (Err(_), _) => Duration::ZERO,
    };
    let given_back = lease.give_back(state, next).await;
    let done = outcome?;
    given_back?;
    Ok(Some(done))
}
