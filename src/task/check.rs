//! When, by which code and where a check-in or check-out counts. No I/O.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};

use crate::crypto::{Keys, same};

/// How long a code is shown.
const STEP_SECONDS: i64 = 30;
/// How many steps a code counts after the one in which it was shown.
const STEPS_AFTER: i64 = 1;
/// Check-in begins this long before the window.
pub const EARLY: TimeDelta = TimeDelta::minutes(30);
/// Bytes of the MAC in a code: 128 bits.
const CODE_BYTES: usize = 16;

/// A task's code of one 30-second step, to be shown as QR at the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotatingCode {
    pub code: String,
    /// When the next one is shown; this one counts for 30 s more.
    pub valid_until: DateTime<Utc>,
}

impl RotatingCode {
    /// The code that `what` (a purpose and an id, such as a task's) shows at `now`.
    pub fn at(keys: &Keys, purpose: &str, what: uuid::Uuid, now: DateTime<Utc>) -> Self {
        let step = step_of(now);
        let ends = (step + 1) * STEP_SECONDS;
        Self { code: code(keys, purpose, what, step), valid_until: DateTime::from_timestamp(ends, 0).unwrap_or(now) }
    }

    /// The step of a code presented at `now`; `None` where it is none of those that count. Takes the same time for each.
    pub fn step(keys: &Keys, purpose: &str, what: uuid::Uuid, presented: &str, now: DateTime<Utc>) -> Option<i64> {
        let last = step_of(now);
        (last - STEPS_AFTER..=last).fold(None, |found, step| {
            let matches = same(code(keys, purpose, what, step).as_bytes(), presented.as_bytes());
            if matches { Some(step) } else { found }
        })
    }
}

fn step_of(now: DateTime<Utc>) -> i64 {
    now.timestamp().div_euclid(STEP_SECONDS)
}

fn code(keys: &Keys, purpose: &str, what: uuid::Uuid, step: i64) -> String {
    let mut message = what.as_bytes().to_vec();
    message.extend_from_slice(&step.to_be_bytes());
    let mac = keys.mac(purpose, &message);
    URL_SAFE_NO_PAD.encode(&mac[..CODE_BYTES])
}

/// A point on the map, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub lat: f64,
    pub lon: f64,
}

impl Point {
    /// Great-circle distance in metres, on a sphere of the mean radius.
    pub fn metres_to(self, other: Self) -> f64 {
        const EARTH_M: f64 = 6_371_008.8;
        let (lat_a, lat_b) = (self.lat.to_radians(), other.lat.to_radians());
        let (half_lat, half_lon) = ((lat_b - lat_a) / 2.0, (other.lon - self.lon).to_radians() / 2.0);
        let chord = half_lat.sin().powi(2) + lat_a.cos() * lat_b.cos() * half_lon.sin().powi(2);
        2.0 * EARTH_M * chord.sqrt().min(1.0).asin()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    const TASK: Uuid = Uuid::from_u128(7);

    fn keys() -> Keys {
        Keys::from_secret(&[7; 32]).unwrap()
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_020 + seconds, 0).unwrap()
    }

    fn step(presented: &str, now: DateTime<Utc>) -> Option<i64> {
        RotatingCode::step(&keys(), "task.code", TASK, presented, now)
    }

    #[test]
    fn a_code_counts_until_30_seconds_after_it_was_last_shown() {
        let shown = RotatingCode::at(&keys(), "task.code", TASK, at(0));
        assert_eq!(shown.valid_until, at(30));
        assert_eq!(RotatingCode::at(&keys(), "task.code", TASK, at(29)), shown);
        assert_ne!(RotatingCode::at(&keys(), "task.code", TASK, at(30)).code, shown.code);
        for (seconds, counts) in
            [(-1, false), (0, true), (29, true), (30, true), (59, true), (60, false), (86_400, false)]
        {
            assert_eq!(step(&shown.code, at(seconds)).is_some(), counts, "{seconds}");
        }
    }

    #[test]
    fn a_code_is_of_one_task_one_purpose_and_one_key() {
        let shown = RotatingCode::at(&keys(), "task.code", TASK, at(0)).code;
        let other_keys = Keys::from_secret(&[8; 32]).unwrap();
        assert!(RotatingCode::step(&keys(), "task.code", Uuid::from_u128(8), &shown, at(0)).is_none());
        assert!(RotatingCode::step(&keys(), "member.code", TASK, &shown, at(0)).is_none());
        assert!(RotatingCode::step(&other_keys, "task.code", TASK, &shown, at(0)).is_none());
    }

    #[test]
    fn a_degree_of_latitude_is_111_kilometres() {
        let here = Point { lat: 39.93, lon: 119.60 };
        assert!(here.metres_to(here) < 1e-6);
        let metres = here.metres_to(Point { lat: 40.93, lon: 119.60 });
        assert!((metres - 111_195.0).abs() < 10.0, "{metres}");
        let metres = here.metres_to(Point { lat: 39.93, lon: 119.60 + 0.002 });
        assert!((metres - 170.5).abs() < 1.0, "{metres}");
    }

    proptest! {
        #[test]
        fn a_changed_byte_never_counts(index in any::<prop::sample::Index>(), flip in 1..=127_u8) {
            let mut shown = RotatingCode::at(&keys(), "task.code", TASK, at(0)).code.into_bytes();
            let index = index.index(shown.len());
            shown[index] ^= flip;
            let changed = String::from_utf8(shown).unwrap();
            prop_assert_eq!(step(&changed, at(0)), None);
        }
    }
}
