//! Amounts and instants from outside.

use std::fmt;
use std::ops::Deref;

use chrono::{DateTime, Datelike as _, SubsecRound as _, Timelike as _, Utc};
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize, Serializer};
use utoipa::openapi::schema::{KnownFormat, SchemaFormat};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::fields::refusal;
use super::text::text_schema;

/// The largest amount of one call, in points: far above any budget, far below what an `i64` of hundredths sums up.
const MAX_POINTS: i64 = 1_000_000_000;

/// An amount of points as a call gives it: above zero, `"12.50"`, `"12.5"` or `"12"`. Holds hundredths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PointsAmount(i64);

impl PointsAmount {
    /// ASCII digits, then at most a dot and one or two digits; no sign, exponent, space or leading zero.
    ///
    /// # Errors
    /// `invalid` for other forms, `out_of_range` for zero and for more than a thousand million points.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (whole, fraction) = match text.split_once('.') {
            None => (text, "00"),
            Some((whole, fraction)) => (whole, fraction),
        };
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        if !digits(whole) || !digits(fraction) || fraction.len() > 2 || leading_zero {
            return Err("invalid");
        }
        let whole: i64 = if whole.len() > 12 { i64::MAX } else { whole.parse().map_err(|_| "invalid")? };
        let cents: i64 = fraction.parse().map_err(|_| "invalid")?;
        let cents = if fraction.len() == 1 { cents * 10 } else { cents };
        let hundredths = whole.saturating_mul(100).saturating_add(cents);
        if !(1..=MAX_POINTS * 100).contains(&hundredths) {
            return Err("out_of_range");
        }
        Ok(Self(hundredths))
    }

    /// Hundredths of a point, above zero.
    pub const fn hundredths(self) -> i64 {
        self.0
    }
}

/// Shows hundredths as a decimal with two places: points and hours of every answer.
pub fn decimal(hundredths: i64) -> String {
    let sign = if hundredths < 0 { "-" } else { "" };
    let size = hundredths.unsigned_abs();
    format!("{sign}{}.{:02}", size / 100, size % 100)
}

impl From<PointsAmount> for i64 {
    fn from(amount: PointsAmount) -> Self {
        amount.0
    }
}

impl fmt::Display for PointsAmount {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&decimal(self.0))
    }
}

impl Serialize for PointsAmount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&decimal(self.0))
    }
}

impl<'de> Deserialize<'de> for PointsAmount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?)
            .map_err(|code| D::Error::custom(refusal(code, "请填写大于 0、最多两位小数的数，如 12.50")))
    }
}

impl PartialSchema for PointsAmount {
    fn schema() -> RefOr<Schema> {
        text_schema().pattern(Some(r"^(0|[1-9][0-9]{0,9})(\.[0-9]{1,2})?$")).examples(["12.50"]).into()
    }
}

impl ToSchema for PointsAmount {}

/// An instant as a call gives it: RFC 3339 with any offset, kept in UTC to the microsecond, years 1 to 9999, no leap second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Instant(DateTime<Utc>);

impl Instant {
    /// # Errors
    /// `invalid` for other forms, `out_of_range` outside the years.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let at = DateTime::parse_from_rfc3339(text).map_err(|_| "invalid")?.with_timezone(&Utc);
        if at.nanosecond() >= 1_000_000_000 {
            return Err("invalid");
        }
        if !(1..=9999).contains(&at.year()) {
            return Err("out_of_range");
        }
        Ok(Self(at.trunc_subsecs(6)))
    }

    /// The instant.
    pub const fn get(self) -> DateTime<Utc> {
        self.0
    }
}

impl Deref for Instant {
    type Target = DateTime<Utc>;

    fn deref(&self) -> &DateTime<Utc> {
        &self.0
    }
}

impl From<Instant> for DateTime<Utc> {
    fn from(instant: Instant) -> Self {
        instant.0
    }
}

impl From<DateTime<Utc>> for Instant {
    fn from(at: DateTime<Utc>) -> Self {
        Self(at.trunc_subsecs(6))
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?)
            .map_err(|code| D::Error::custom(refusal(code, "请填写日期、时刻与时区，如 2026-11-07T09:30:00+08:00")))
    }
}

impl PartialSchema for Instant {
    fn schema() -> RefOr<Schema> {
        text_schema().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))).into()
    }
}

impl ToSchema for Instant {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_hundredths() {
        for (text, hundredths) in
            [("12.50", 1250), ("12.5", 1250), ("12", 1200), ("0.01", 1), ("1000000000", 100_000_000_000)]
        {
            assert_eq!(PointsAmount::parse(text).unwrap().hundredths(), hundredths, "{text}");
        }
        assert_eq!(decimal(-5), "-0.05");
        assert_eq!(decimal(i64::MIN), "-92233720368547758.08");
        assert_eq!(PointsAmount::parse("7.5").unwrap().to_string(), "7.50");
    }

    #[test]
    fn hostile_amounts_are_refused() {
        let hostile = [
            "",
            " ",
            "-1",
            "-0",
            "+5",
            "0",
            "0.00",
            "1e2",
            "1E2",
            "12.505",
            ".5",
            "5.",
            "1.",
            "1,000.00",
            "٣",
            "１２",
            "1２",
            "NaN",
            "Infinity",
            "inf",
            "1e308",
            "0x10",
            "1_000",
            " 1",
            "1 ",
            "1.2.3",
            "007",
            "9223372036854775807",
            "1000000000.01",
            "99999999999999999999999",
            "1\0",
            "１.50",
            "1·5",
            "二",
        ];
        for text in hostile {
            assert!(PointsAmount::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn instants_are_utc_to_the_microsecond() {
        let at = Instant::parse("2026-11-07T09:30:00.123456789+08:00").unwrap();
        assert_eq!(at.to_rfc3339(), "2026-11-07T01:30:00.123456+00:00");
        for text in [
            "2026-11-07",
            "2026-11-07T09:30:00",
            "2026-13-07T09:30:00Z",
            "+12026-11-07T09:30:00Z",
            "2026-11-07T23:59:60Z",
            "1730000000",
            "",
        ] {
            assert_eq!(Instant::parse(text), Err("invalid"), "{text}");
        }
        assert_eq!(Instant::parse("0000-06-01T00:00:00Z"), Err("out_of_range"));
        assert_eq!(Instant::parse("0001-01-01T00:00:00+08:00"), Err("out_of_range"));
    }
}
