//! When in the week a volunteer can serve.

use std::borrow::Cow;
use std::fmt;

use entity::availability;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use validator::{Validate, ValidationError};

const MINUTES_A_DAY: i16 = 1440;

/// A time of day to the minute, `08:30`; `24:00` is the day's end. Minutes after midnight inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HourMinute(i16);

impl HourMinute {
    /// # Errors
    /// `invalid` for anything but two digits, a colon and two digits that are a time of day.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let number = |digits: &str| digits.parse::<i16>().map_err(|_| "invalid");
        let shape = text.len() == 5
            && text.bytes().enumerate().all(|(at, byte)| if at == 2 { byte == b':' } else { byte.is_ascii_digit() });
        if !shape {
            return Err("invalid");
        }
        let (hours, minutes) = (number(&text[..2])?, number(&text[3..])?);
        let total = hours * 60 + minutes;
        if minutes < 60 && total <= MINUTES_A_DAY { Ok(Self(total)) } else { Err("invalid") }
    }

    pub const fn minutes(self) -> i16 {
        self.0
    }
}

impl fmt::Display for HourMinute {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl Serialize for HourMinute {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HourMinute {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&Cow::<'de, str>::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl PartialSchema for HourMinute {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$"))
            .examples(["08:30"])
            .into()
    }
}

impl ToSchema for HourMinute {}

/// A span that comes back each week; local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
#[validate(schema(function = "in_order", skip_on_field_errors = false))]
pub struct Availability {
    /// ISO: 1 is Monday.
    #[validate(range(min = 1, max = 7))]
    #[schema(minimum = 1, maximum = 7)]
    pub weekday: i16,
    pub from: HourMinute,
    /// After `from`.
    pub until: HourMinute,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the validator hands it over so")]
fn in_order(span: &Availability) -> Result<(), ValidationError> {
    if span.from < span.until {
        return Ok(());
    }
    Err(ValidationError::new("invalid").with_message("结束时间应晚于开始时间".into()))
}

impl From<&availability::Model> for Availability {
    fn from(row: &availability::Model) -> Self {
        Self { weekday: row.weekday, from: HourMinute(row.from_minute), until: HourMinute(row.until_minute) }
    }
}

/// The first span that overlaps one before it in the list, by its place.
pub fn overlapping(spans: &[Availability]) -> Option<usize> {
    spans.iter().enumerate().find_map(|(at, span)| {
        let clash =
            |other: &Availability| other.weekday == span.weekday && other.from < span.until && span.from < other.until;
        spans[..at].iter().any(clash).then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(weekday: i16, from: &str, until: &str) -> Availability {
        Availability { weekday, from: HourMinute::parse(from).unwrap(), until: HourMinute::parse(until).unwrap() }
    }

    #[test]
    fn times_of_day_are_read_and_written() {
        for text in ["00:00", "08:30", "23:59", "24:00"] {
            assert_eq!(HourMinute::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "8:30", "08:60", "24:01", "0830", "-8:30", "08:3０", "08:30:00", "+8:30", "08 30"] {
            assert!(HourMinute::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn spans_that_touch_do_not_overlap() {
        assert_eq!(
            overlapping(&[span(6, "08:00", "10:00"), span(6, "10:00", "12:00"), span(7, "08:00", "10:00")]),
            None
        );
        assert_eq!(overlapping(&[span(6, "08:00", "10:00"), span(6, "09:59", "12:00")]), Some(1));
        assert!(span(6, "10:00", "10:00").validate().is_err() && span(8, "08:00", "10:00").validate().is_err());
    }
}
