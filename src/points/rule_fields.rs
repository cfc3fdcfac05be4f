//! Amounts and factors of rules, as calls give them.

use std::fmt;

use serde::de::{Deserializer, Error, Unexpected, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::http::{PointsAmount, decimal, refusal};

/// What a unit gives, or takes with a sign before it: `"12.50"`, `"-5"`. Hundredths, not zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SignedAmount(i64);

impl SignedAmount {
    pub(super) const fn hundredths(self) -> i64 {
        self.0
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        match text.strip_prefix('-') {
            Some(size) => PointsAmount::parse(size).map(|amount| Self(-amount.hundredths())),
            None => PointsAmount::parse(text).map(|amount| Self(amount.hundredths())),
        }
    }
}

impl<'de> Deserialize<'de> for SignedAmount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(|code| {
            D::Error::custom(refusal(code, "请填写不为 0、最多两位小数的数，如 12.50；扣分在前面加减号"))
        })
    }
}

impl PartialSchema for SignedAmount {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .pattern(Some(r"^-?(0|[1-9][0-9]{0,9})(\.[0-9]{1,2})?$"))
            .examples(["1.00", "-5.00"])
            .into()
    }
}

impl ToSchema for SignedAmount {}

/// A factor from 0.01 to 100 with at most two places: `"1.5"`. Holds hundredths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Factor(i32);

impl Factor {
    pub(super) const ONE: Self = Self(100);

    pub(super) const fn from_hundredths(hundredths: i32) -> Self {
        Self(hundredths)
    }

    pub(super) const fn hundredths(self) -> i32 {
        self.0
    }

    /// # Errors
    /// `out_of_range` for numbers below 0.01 and above 100, `invalid` for more than two places and what is no number.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let number = PointsAmount::parse(text).map(PointsAmount::hundredths);
        match number.map(i32::try_from) {
            Ok(Ok(hundredths @ 1..=10_000)) => Ok(Self(hundredths)),
            Ok(_) => Err("out_of_range"),
            // A number, however written, that is too large or too small says so.
            Err("invalid") if text.parse::<f64>().is_ok_and(|number| !(0.01..=100.0).contains(&number)) => {
                Err("out_of_range")
            }
            Err(code) => Err(code),
        }
    }
}

impl<'de> Deserialize<'de> for Factor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        const WORDS: &str = "系数应在 0.01 到 100 之间，最多两位小数，写作 \"1.50\"";

        impl Reader {
            /// Factors are texts, as all decimals; but a number says so if that alone is not what is wrong with it.
            fn number<E: Error>(text: &str, found: Unexpected<'_>) -> Result<Factor, E> {
                match Factor::parse(text) {
                    Err("out_of_range") => Err(E::custom(refusal("out_of_range", WORDS))),
                    _ => Err(E::invalid_type(found, &"a string")),
                }
            }
        }

        impl Visitor<'_> for Reader {
            type Value = Factor;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a factor")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Factor, E> {
                Factor::parse(text).map_err(|code| E::custom(refusal(code, WORDS)))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Factor, E> {
                Self::number(&number.to_string(), Unexpected::Unsigned(number))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Factor, E> {
                Self::number(&number.to_string(), Unexpected::Signed(number))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Factor, E> {
                Self::number(&number.to_string(), Unexpected::Float(number))
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

impl Serialize for Factor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&decimal(self.0.into()))
    }
}

impl PartialSchema for Factor {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .pattern(Some(r"^(0|[1-9][0-9]{0,2})(\.[0-9]{1,2})?$"))
            .examples(["1.50"])
            .description(Some("From 0.01 to 100, with two places."))
            .into()
    }
}

impl ToSchema for Factor {}

/// The code of an item: small letters, digits, hyphens and underscores, at most 32.
pub(super) fn is_code(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    (1..=32).contains(&text.len()) && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(json!("1"), Ok(100))]
    #[case(json!("0.01"), Ok(1))]
    #[case(json!("100.00"), Ok(10_000))]
    #[case(json!("0.85"), Ok(85))]
    #[case(json!(1), Err("invalid type"))]
    #[case(json!(0.85), Err("invalid type"))]
    #[case(json!("0"), Err("out_of_range"))]
    #[case(json!(0), Err("out_of_range"))]
    #[case(json!("100.01"), Err("out_of_range"))]
    #[case(json!("1000000000"), Err("out_of_range"))]
    #[case(json!("1e9"), Err("out_of_range"))]
    #[case(json!(1e9), Err("out_of_range"))]
    #[case(json!("-1"), Err("out_of_range"))]
    #[case(json!(-1), Err("out_of_range"))]
    #[case(json!("1.005"), Err("invalid"))]
    #[case(json!("1e1"), Err("invalid"))]
    #[case(json!("half"), Err("invalid"))]
    #[case(json!(""), Err("invalid"))]
    fn factors_lie_between_a_hundredth_and_a_hundred(
        #[case] given: serde_json::Value,
        #[case] expected: Result<i32, &str>,
    ) {
        let read = serde_json::from_value::<Factor>(given).map(Factor::hundredths).map_err(|error| error.to_string());
        match expected {
            Ok(hundredths) => assert_eq!(read, Ok(hundredths)),
            Err(code) => assert!(read.unwrap_err().starts_with(code)),
        }
    }

    #[rstest]
    #[case("1.5", Ok(150))]
    #[case("-5", Ok(-500))]
    #[case("0", Err("out_of_range"))]
    #[case("-0", Err("out_of_range"))]
    #[case("--1", Err("invalid"))]
    #[case("+1", Err("invalid"))]
    fn amounts_may_have_a_sign(#[case] text: &str, #[case] expected: Result<i64, &str>) {
        assert_eq!(SignedAmount::parse(text).map(SignedAmount::hundredths), expected);
    }
}
