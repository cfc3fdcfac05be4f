//! Codes of regions. They are built so that a subtree is a range: a child's code begins with its parent's digits.

use std::fmt;
use std::ops::Deref;

use sea_orm::sea_query::{Expr, ExprTrait as _, SimpleExpr};
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// Digits of the official codes: province, city, district, street, community; more digits below.
const DISTRICT: usize = 6;
const STREET: usize = 9;
const COMMUNITY: usize = 12;
const LONGEST: usize = 24;

/// The code of a region: 6 to 24 ASCII digits. That there is such a region is for the database to say.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct RegionCode(String);

impl RegionCode {
    /// # Errors
    /// `invalid` for anything but 6 to 24 ASCII digits.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        if digits && (DISTRICT..=LONGEST).contains(&text.len()) { Ok(Self(text.to_owned())) } else { Err("invalid") }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first six digits; a city's code stays itself.
    #[must_use]
    pub fn district(&self) -> Self {
        Self(self.0[..DISTRICT].to_owned())
    }

    /// The street it lies in; `None` above a street.
    pub fn street(&self) -> Option<Self> {
        self.0.get(..STREET).map(|code| Self(code.to_owned()))
    }

    /// The community it lies in; `None` above a community.
    pub fn community(&self) -> Option<Self> {
        self.0.get(..COMMUNITY).map(|code| Self(code.to_owned()))
    }

    /// This region and all below it.
    pub fn subtree(&self) -> Subtree {
        Subtree::of(self)
    }
}

impl Deref for RegionCode {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RegionCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl From<RegionCode> for String {
    fn from(code: RegionCode) -> Self {
        code.0
    }
}

impl<'de> Deserialize<'de> for RegionCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl PartialSchema for RegionCode {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(SchemaType::Type(Type::String)).pattern(Some("^[0-9]{6,24}$")).into()
    }
}

impl ToSchema for RegionCode {}

/// The codes of a region and of everything below it: `lo <= code < hi`, on either database and on every code column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subtree {
    lo: String,
    hi: String,
}

impl Subtree {
    /// A province or city is padded with zeros to six digits, so its range is that of its first two or four.
    pub fn of(code: &RegionCode) -> Self {
        let code = code.as_str();
        let prefix = match code.as_bytes() {
            [_, _, b'0', b'0', b'0', b'0'] => &code[..2],
            [_, _, _, _, b'0', b'0'] => &code[..4],
            _ => code,
        };
        // The byte after '9' closes the range where a code is all nines.
        let mut hi = prefix.as_bytes().to_vec();
        if let Some(last) = hi.last_mut() {
            *last += 1;
        }
        Self { lo: prefix.to_owned(), hi: String::from_utf8_lossy(&hi).into_owned() }
    }

    pub fn contains(&self, code: &str) -> bool {
        self.lo.as_str() <= code && code < self.hi.as_str()
    }

    /// The lower bound, included.
    pub fn lo(&self) -> &str {
        &self.lo
    }

    /// The upper bound, excluded.
    pub fn hi(&self) -> &str {
        &self.hi
    }

    /// The condition that `column` lies in the subtree.
    pub fn covers(&self, column: Expr) -> SimpleExpr {
        column.clone().gte(self.lo.as_str()).and(column.lt(self.hi.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subtree(code: &str) -> Subtree {
        RegionCode::parse(code).unwrap().subtree()
    }

    #[test]
    fn a_subtree_is_a_range() {
        assert_eq!((subtree("130200").lo(), subtree("130200").hi()), ("1302", "1303"));
        assert_eq!((subtree("130000").lo(), subtree("130000").hi()), ("13", "14"));
        for (code, inside, outside) in [
            ("130200", "130202009001", "130302009001"),
            ("130202", "130202009001", "130203009001"),
            ("130202009", "130202009001", "130202010001"),
            ("130202009001", "130202009001003", "130202009002"),
            ("130209", "130209999999", "130210001001"),
            ("130202999", "130202999001", "130203"),
        ] {
            assert!(subtree(code).contains(inside) && subtree(code).contains(code), "{code}");
            assert!(!subtree(code).contains(outside), "{code}");
        }
    }

    #[test]
    fn codes_are_digits() {
        let code = RegionCode::parse("130202009001").unwrap();
        assert_eq!(
            (&*code.district(), &*code.street().unwrap(), &*code.community().unwrap()),
            ("130202", "130202009", "130202009001")
        );
        for text in ["", "1302", "13020２", "13020a", "130202%", &"1".repeat(25)] {
            assert!(RegionCode::parse(text).is_err(), "{text}");
        }
    }
}
