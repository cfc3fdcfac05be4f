//! What time it is. Handlers read it once and hand the instant on; services never do.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use sea_orm::DbErr;

use crate::db::Db;

/// A difference to the database's clock that is not worth a step.
const NOISE: TimeDelta = TimeDelta::milliseconds(10);

/// The clock of this node: cheap to clone, all clones are the same clock.
///
/// The system's clock is read once, at the start; from then on the monotonic clock counts, so that a jump of the node's
/// clock mints and expires nothing. [`Clock::set_offset`] ties it to the database's clock.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System { started_at: DateTime<Utc>, started: Instant, offset_us: Arc<AtomicI64> },
    Manual { at_us: Arc<AtomicI64> },
}

impl Clock {
    /// The clock of production.
    pub fn system() -> Self {
        Self(Source::System { started_at: Utc::now(), started: Instant::now(), offset_us: Arc::default() })
    }

    /// A clock that stands still at `at` until it is moved; for tests.
    pub fn manual(at: DateTime<Utc>) -> Self {
        Self(Source::Manual { at_us: Arc::new(AtomicI64::new(at.timestamp_micros())) })
    }

    /// The instant, cut to microseconds: what both databases keep, so that a time written and read back is equal.
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            Source::System { started_at, started, offset_us } => {
                let elapsed = TimeDelta::from_std(started.elapsed()).unwrap_or(TimeDelta::MAX);
                let offset = TimeDelta::microseconds(offset_us.load(Ordering::Relaxed));
                started_at
                    .checked_add_signed(elapsed)
                    .and_then(|at| at.checked_add_signed(offset))
                    .unwrap_or(*started_at)
                    .trunc_subsecs(6)
            }
            Source::Manual { at_us } => {
                DateTime::from_timestamp_micros(at_us.load(Ordering::SeqCst)).unwrap_or_default()
            }
        }
    }

    /// How far the database's clock is ahead of this node's uncorrected one. A manual clock takes no notice.
    pub fn set_offset(&self, offset: TimeDelta) {
        if let (Source::System { offset_us, .. }, Some(microseconds)) = (&self.0, offset.num_microseconds()) {
            offset_us.store(microseconds, Ordering::Relaxed);
        }
    }

    /// The offset in use; zero for a manual clock.
    pub fn offset(&self) -> TimeDelta {
        match &self.0 {
            Source::System { offset_us, .. } => TimeDelta::microseconds(offset_us.load(Ordering::Relaxed)),
            Source::Manual { .. } => TimeDelta::zero(),
        }
    }

    /// Moves a manual clock to `at`. A system clock takes no notice.
    pub fn set(&self, at: DateTime<Utc>) {
        if let Source::Manual { at_us } = &self.0 {
            at_us.store(at.timestamp_micros(), Ordering::SeqCst);
        }
    }

    /// Moves a manual clock by `by`, and back where `by` is negative. A system clock takes no notice.
    pub fn advance(&self, by: TimeDelta) {
        if let (Source::Manual { at_us }, Some(microseconds)) = (&self.0, by.num_microseconds()) {
            at_us.fetch_add(microseconds, Ordering::SeqCst);
        }
    }
}

/// Compares `clock` with the database's and corrects it. Differences within the time the question took are noise, and
/// leave the clock as it is.
///
/// # Errors
/// The database does not answer.
pub async fn measure_offset(clock: &Clock, db: &Db) -> Result<(), DbErr> {
    let asked = clock.now();
    let theirs = db.now().await?;
    let took = clock.now() - asked;
    let ahead = theirs - (asked + took / 2);
    if ahead.abs() > took.max(NOISE) {
        tracing::info!(milliseconds = ahead.num_milliseconds(), "clock corrected to the database's");
        clock.set_offset(clock.offset() + ahead);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::Timelike as _;

    #[test]
    fn the_system_clock_has_microseconds_and_moves_on() {
        let clock = Clock::system();
        let first = clock.now();
        std::thread::sleep(std::time::Duration::from_millis(2));
        assert_eq!(first.nanosecond() % 1000, 0);
        assert!(clock.now() > first);
        assert!((Utc::now() - first).abs() < TimeDelta::seconds(5));
    }

    #[test]
    fn an_offset_moves_every_clone_of_the_system_clock() {
        let clock = Clock::system();
        let other = clock.clone();
        clock.set_offset(TimeDelta::hours(-2));
        assert_eq!(other.offset(), TimeDelta::hours(-2));
        let behind = Utc::now() - other.now();
        assert!((behind - TimeDelta::hours(2)).abs() < TimeDelta::seconds(5));
    }

    #[test]
    fn a_manual_clock_stands_still_and_all_its_clones_move_together() {
        let at = DateTime::from_timestamp_micros(1_790_000_000_123_456).unwrap();
        let clock = Clock::manual(at);
        let other = clock.clone();
        assert_eq!(other.now(), at);
        clock.advance(TimeDelta::minutes(30));
        clock.set_offset(TimeDelta::hours(1));
        assert_eq!(other.now(), at + TimeDelta::minutes(30));
        other.set(at);
        assert_eq!(clock.now(), at);
    }
}
