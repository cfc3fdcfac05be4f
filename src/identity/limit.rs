//! How often something may be tried: counters in the database, so that all nodes count together.
//!
//! A window begins with its first hit. Each hit is one statement, so that of many at once no two count the same.

use std::net::{IpAddr, Ipv6Addr};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use entity::rate_counter;
use sea_orm::{ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, Statement};

use crate::crypto::Keys;

/// A limit: at most `most` hits of one subject in `window`.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    pub name: &'static str,
    pub most: i32,
    pub window: TimeDelta,
    /// The hit that fills the window begins it anew, so that the wait is never shorter than the window: a lock.
    pub locks: bool,
}

/// Passwords of one account, over all nodes and addresses. Five are enough for a person who mistypes.
pub const STAFF_ACCOUNT: Limit = Limit { name: "staff", most: 5, window: TimeDelta::minutes(15), locks: true };
/// Failed sign-ins from one address: a station's office shares one, and so does a whole mobile network.
pub const FAILURES_OF_ADDRESS: Limit =
    Limit { name: "failures", most: 100, window: TimeDelta::minutes(15), locks: false };
/// Codes sent to one phone.
pub const SMS_PHONE_MINUTE: Limit = Limit { name: "sms.minute", most: 1, window: TimeDelta::minutes(1), locks: false };
pub const SMS_PHONE_HOUR: Limit = Limit { name: "sms.hour", most: 5, window: TimeDelta::hours(1), locks: false };
/// Codes asked for from one address, whoever they go to. Thousands sit behind one address of a mobile network.
pub const SMS_ADDRESS: Limit = Limit { name: "sms.address", most: 500, window: TimeDelta::hours(1), locks: false };
/// Codes tried for one phone: five for each of the five codes that an hour allows.
pub const SMS_TRIES: Limit = Limit { name: "sms.tries", most: 25, window: TimeDelta::hours(1), locks: false };
/// Photos of one uploader: each costs some seconds of work.
pub const PHOTOS: Limit = Limit { name: "photos", most: 200, window: TimeDelta::hours(1), locks: false };
/// A TOTP code counts once, also within the two minutes in which it is good.
pub const TOTP_ONCE: Limit = Limit { name: "totp", most: 1, window: TimeDelta::minutes(2), locks: false };

/// The longest window of all: older counters are of no use.
const LONGEST: TimeDelta = TimeDelta::hours(1);

/// A limit's counter of one subject. What the subject is (a phone, an address) cannot be read from it.
#[derive(Clone, Debug)]
pub struct Bucket {
    limit: Limit,
    key: String,
}

impl Limit {
    /// The counter of `subject`.
    pub fn of(self, keys: &Keys, subject: &str) -> Bucket {
        let index = keys.blind_index("limit", subject);
        Bucket { limit: self, key: format!("{}:{}", self.name, URL_SAFE_NO_PAD.encode(&index[..18])) }
    }
}

/// What stands for an address in a limit: a whole /64 of IPv6, which one subscriber has to choose from.
pub fn network(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).to_string(),
    }
}

/// Whether one more is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Allowed,
    /// Come back after so many seconds, at least 1.
    Exceeded(u32),
}

impl Verdict {
    pub const fn is_allowed(self) -> bool {
        matches!(self, Self::Allowed)
    }
}

const HIT: &str = "INSERT INTO rate_counter (bucket, window_start, hits) VALUES ($1, $2, 1) \
    ON CONFLICT (bucket) DO UPDATE SET \
    hits = CASE WHEN rate_counter.window_start <= $3 THEN 1 ELSE rate_counter.hits + 1 END, \
    window_start = CASE WHEN rate_counter.window_start <= $3 OR rate_counter.hits + 1 = $4 \
    THEN excluded.window_start ELSE rate_counter.window_start END \
    RETURNING hits, window_start";

impl Bucket {
    /// Counts one and says whether it was still allowed.
    ///
    /// # Errors
    /// The database's.
    pub async fn hit(&self, db: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<Verdict, DbErr> {
        let Limit { most, window, locks, .. } = self.limit;
        // No count ever is 0, so that a limit without lock never begins its window anew.
        let filling = if locks { most } else { 0 };
        let values = [self.key.clone().into(), now.into(), (now - window).into(), filling.into()];
        let statement = Statement::from_sql_and_values(db.get_database_backend(), HIT, values);
        let row = db.query_one_raw(statement).await?.ok_or(DbErr::RecordNotInserted)?;
        let (hits, start): (i32, DateTime<Utc>) = (row.try_get_by("hits")?, row.try_get_by("window_start")?);
        Ok(if hits <= most { Verdict::Allowed } else { self.exceeded(start, now) })
    }

    /// Whether one more would be allowed; counts nothing.
    ///
    /// # Errors
    /// The database's.
    pub async fn look(&self, db: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<Verdict, DbErr> {
        let found = rate_counter::Entity::find_by_id(self.key.clone()).one(db).await?;
        let full = found.filter(|row| row.window_start > now - self.limit.window && row.hits >= self.limit.most);
        Ok(full.map_or(Verdict::Allowed, |row| self.exceeded(row.window_start, now)))
    }

    /// Begins at nought again, as after a success.
    ///
    /// # Errors
    /// The database's.
    pub async fn reset(&self, db: &impl ConnectionTrait) -> Result<(), DbErr> {
        rate_counter::Entity::delete_by_id(self.key.clone()).exec(db).await.map(drop)
    }

    fn exceeded(&self, start: DateTime<Utc>, now: DateTime<Utc>) -> Verdict {
        let left = (start + self.limit.window - now).num_seconds().max(0) + 1;
        Verdict::Exceeded(u32::try_from(left).unwrap_or(u32::MAX))
    }
}

/// Takes away counters whose window is long over.
///
/// # Errors
/// The database's.
pub async fn sweep(db: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<u64, DbErr> {
    let old = rate_counter::Column::WindowStart.lt(now - LONGEST);
    Ok(rate_counter::Entity::delete_many().filter(old).exec(db).await?.rows_affected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_subscriber_counts_once() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
