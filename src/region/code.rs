//! Region codes (GB/T 2260 down to the district, the statistics bureau's below, own digits below the community).

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use sea_orm::DbErr;
use sea_orm::sea_query::{Expr, ExprTrait as _, SimpleExpr};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{PartialSchema, ToSchema};

const DISTRICT_DIGITS: usize = 6;
const STREET_DIGITS: usize = 9;
const COMMUNITY_DIGITS: usize = 12;
const MOST_DIGITS: usize = 24;

/// The code of a region: six digits down to the district, nine for a street, twelve for a community, more below. Well
/// formed; whether it exists is the database's to say.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct RegionCode(String);

impl RegionCode {
    /// Takes a code as it is written, without trimming or folding.
    ///
    /// # Errors
    /// `invalid` for anything but 6 to 24 ASCII digits.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let fits = (DISTRICT_DIGITS..=MOST_DIGITS).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_digit()) { Ok(Self(text.to_owned())) } else { Err("invalid") }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The district (or, for a city or province, the code itself): the first six digits. What members of one district
    /// see together is decided by it.
    #[must_use]
    pub fn district(&self) -> Self {
        Self(self.0[..DISTRICT_DIGITS].to_owned())
    }

    /// The street, the first nine digits; `None` above it.
    pub fn street(&self) -> Option<Self> {
        self.0.get(..STREET_DIGITS).map(|digits| Self(digits.to_owned()))
    }

    /// The community, the first twelve digits; `None` above it.
    pub fn community(&self) -> Option<Self> {
        self.0.get(..COMMUNITY_DIGITS).map(|digits| Self(digits.to_owned()))
    }

    /// The codes of the regions that hold this one, smallest first and itself before all: of a community its street,
    /// district, city and province.
    pub fn enclosing(&self) -> Vec<String> {
        let cut = |digits: usize, zeros: &str| self.0.get(..digits).map(|head| format!("{head}{zeros}"));
        let above =
            [cut(COMMUNITY_DIGITS, ""), cut(STREET_DIGITS, ""), cut(DISTRICT_DIGITS, ""), cut(4, "00"), cut(2, "0000")];
        let mut codes = vec![self.0.clone()];
        for code in above.into_iter().flatten() {
            if !codes.contains(&code) && Self::parse(&code).is_ok_and(|code| code.subtree().encloses(&self.subtree())) {
                codes.push(code);
            }
        }
        codes
    }

    /// Whether it is a community, neither above nor below.
    pub fn is_community(&self) -> bool {
        self.0.len() == COMMUNITY_DIGITS
    }

    /// This region and all below it.
    pub fn subtree(&self) -> Subtree {
        Subtree::of(self)
    }

    /// The digits that all codes of the subtree begin with: a city's are four, a province's two.
    fn prefix(&self) -> &str {
        match self.0.len() {
            DISTRICT_DIGITS if self.0.ends_with("0000") => &self.0[..2],
            DISTRICT_DIGITS if self.0.ends_with("00") => &self.0[..4],
            _ => &self.0,
        }
    }
}

impl Deref for RegionCode {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for RegionCode {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RegionCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl FromStr for RegionCode {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// Codes read from the database: the foreign keys let nothing in that is no code, so a damaged one is our mistake.
impl TryFrom<&String> for RegionCode {
    type Error = DbErr;

    fn try_from(stored: &String) -> Result<Self, Self::Error> {
        Self::parse(stored).map_err(|_| DbErr::Custom("a stored region code is not one".into()))
    }
}

impl From<RegionCode> for String {
    fn from(code: RegionCode) -> Self {
        code.0
    }
}

impl<'de> Deserialize<'de> for RegionCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(|code| {
            serde::de::Error::custom(crate::http::refusal(code, "区划代码是 6 至 24 位数字，请从区划列表中选择"))
        })
    }
}

impl PartialSchema for RegionCode {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .pattern(Some("^[0-9]{6,24}$"))
            .examples(["130202009001"])
            .description(Some("Code of a region: 6 digits down to the district, 9 street, 12 community, more below."))
            .into()
    }
}

impl ToSchema for RegionCode {}

/// All codes from a region down: a half-open range of texts, `code >= lo AND code < hi`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subtree {
    lo: String,
    hi: String,
}

impl Subtree {
    /// The region itself and all below it: city 130200 → `["1302", "1303")`, street 130202009 → `["130202009", "130202010")`.
    pub fn of(code: &RegionCode) -> Self {
        let prefix = code.prefix();
        Self { lo: prefix.to_owned(), hi: after(prefix) }
    }

    pub fn lo(&self) -> &str {
        &self.lo
    }

    pub fn hi(&self) -> &str {
        &self.hi
    }

    pub fn contains(&self, code: &str) -> bool {
        self.lo.as_str() <= code && code < self.hi.as_str()
    }

    /// Whether `other` lies wholly within this one.
    pub fn encloses(&self, other: &Self) -> bool {
        self.lo <= other.lo && other.hi <= self.hi
    }

    /// The condition that `column` lies in the subtree: `column >= lo AND column < hi`.
    pub fn covers(&self, column: Expr) -> SimpleExpr {
        column.clone().gte(self.lo.as_str()).and(column.lt(self.hi.as_str()))
    }
}

/// The least digits of the same length that are greater; a colon is no digit, so a carry is worked out. Only all nines have
/// none, which is no place in China: a letter stands above them.
fn after(prefix: &str) -> String {
    match prefix.trim_end_matches('9') {
        "" => "A".to_owned(),
        head => {
            let (rest, last) = head.split_at(head.len() - 1);
            let zeros = "0".repeat(prefix.len() - head.len());
            let next = last.bytes().next().map_or('A', |digit| char::from(digit + 1));
            format!("{rest}{next}{zeros}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn code(text: &str) -> RegionCode {
        RegionCode::parse(text).unwrap()
    }

    #[test]
    fn a_subtree_is_a_range_of_codes() {
        let table = [
            ("130000", "13", "14"),
            ("130200", "1302", "1303"),
            ("130900", "1309", "1310"),
            ("130202", "130202", "130203"),
            ("130299", "130299", "130300"),
            ("130202009", "130202009", "130202010"),
            ("130202009001", "130202009001", "130202009002"),
            ("130202009001007", "130202009001007", "130202009001008"),
        ];
        for (region, lo, hi) in table {
            let subtree = Subtree::of(&code(region));
            assert_eq!((subtree.lo(), subtree.hi()), (lo, hi), "{region}");
            assert!(subtree.contains(region));
        }
    }

    #[test]
    fn a_city_covers_its_districts_and_no_sibling() {
        let city = Subtree::of(&code("130200"));
        assert!(city.encloses(&Subtree::of(&code("130202009"))));
        assert!(city.contains("130202009001"));
        assert!(!city.contains("130302001001"));
        assert!(!Subtree::of(&code("130202")).encloses(&city));
    }

    #[test]
    fn what_is_no_code_is_refused() {
        for text in ["", "13020", "13020a", "１３０２００", " 130200", "130200 ", "1302001302001302001302001302001"]
        {
            assert_eq!(RegionCode::parse(text), Err("invalid"), "{text:?}");
        }
    }

    #[test]
    fn what_holds_a_region_comes_smallest_first() {
        let of = |text: &str| code(text).enclosing();
        assert_eq!(of("130202009001"), ["130202009001", "130202009", "130202", "130200", "130000"]);
        assert_eq!(of("130202009001007").len(), 6);
        assert_eq!(of("130200"), ["130200", "130000"]);
    }

    #[test]
    fn parents_are_prefixes() {
        let grid = code("130202009001007");
        assert_eq!(grid.district(), code("130202"));
        assert_eq!(grid.street(), Some(code("130202009")));
        assert_eq!(grid.community(), Some(code("130202009001")));
        assert_eq!(code("130202").street(), None);
        assert!(code("130202009001").is_community() && !grid.is_community());
    }

    proptest! {
        #[test]
        fn a_subtree_holds_exactly_what_begins_with_it(region in "[0-8][0-9]{8}([0-9]{3})?", other in "[0-9]{6,15}", tail in "[0-9]{0,6}") {
            let subtree = Subtree::of(&code(&region));
            let below = format!("{region}{tail}");
            prop_assert!(subtree.contains(&below));
            prop_assert_eq!(subtree.contains(&other), other.starts_with(&region));
        }
    }
}
