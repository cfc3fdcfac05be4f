//! Days from outside.

use chrono::NaiveDate;
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{KnownFormat, SchemaFormat};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::fields::refusal;
use super::text::text_schema;

/// A local day as a call gives it: `2026-11-07`, of the years 1 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Day(NaiveDate);

impl Day {
    /// Four digits, two, two, with hyphens; nothing else, so that no value says more than it shows.
    ///
    /// # Errors
    /// `invalid`; `out_of_range` for the year 0.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let mut parts = text.split('-').map(|part| (part.len(), part));
        let mut number = |digits: usize| {
            let (length, part) = parts.next()?;
            (length == digits && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| part.parse::<u32>().ok())?
        };
        let (year, month, day) = (number(4), number(2), number(2));
        let (Some(year), Some(month), Some(day), None) = (year, month, day, parts.next()) else {
            return Err("invalid");
        };
        if year == 0 {
            return Err("out_of_range");
        }
        let year = i32::try_from(year).map_err(|_| "invalid")?;
        NaiveDate::from_ymd_opt(year, month, day).map(Self).ok_or("invalid")
    }

    /// The day.
    pub const fn get(self) -> NaiveDate {
        self.0
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?)
            .map_err(|code| D::Error::custom(refusal(code, "请填写日期，如 2026-11-07")))
    }
}

impl PartialSchema for Day {
    fn schema() -> RefOr<Schema> {
        text_schema().format(Some(SchemaFormat::KnownFormat(KnownFormat::Date))).into()
    }
}

impl ToSchema for Day {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_one_spelling() {
        assert_eq!(Day::parse("2026-11-07").unwrap().get(), NaiveDate::from_ymd_opt(2026, 11, 7).unwrap());
        for text in [
            "",
            "2026-11-7",
            "2026-11-31",
            "2026-11-07T00:00:00Z",
            "+2026-11-07",
            "20261107",
            "2026-11-07-",
            "２０２６-11-07",
        ] {
            assert_eq!(Day::parse(text), Err("invalid"), "{text}");
        }
        assert_eq!(Day::parse("0000-01-01"), Err("out_of_range"));
    }
}
