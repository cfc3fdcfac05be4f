//! Tables of values that mean no good.

use serde_json::{Value, json};

use super::fields::{Field, Kind};

const MALFORMED: &[&str] = &["invalid", "out_of_range", "too_long", "required"];
const WRONG_TYPE: &[&str] = &["wrong_type"];
/// A word that is none of the few may be read as one, or as something else altogether.
const NO_WORD: &[&str] = &["wrong_type", "invalid"];
const NUMBER: &[&str] = &["wrong_type", "out_of_range", "invalid"];

/// A value that the field must refuse, and the codes that say so.
pub(super) type Bad = (Value, &'static [&'static str]);

/// Everything that `field` must refuse.
pub(super) fn bad_values(field: &Field) -> Vec<Bad> {
    let mut bad: Vec<Bad> = wrong_types(field.kind);
    if !field.is_nullable && field.kind != Kind::Object {
        bad.push((json!(null), &["wrong_type", "required"]));
    }
    bad.extend(match field.kind {
        Kind::Text => texts(field.longest),
        Kind::Amount => each(&AMOUNTS, MALFORMED),
        Kind::Signed => {
            each(&AMOUNTS, MALFORMED).into_iter().filter(|(value, _)| *value != "-1" && *value != "-1.00").collect()
        }
        Kind::Cost => each(&COSTS, MALFORMED),
        Kind::Form => each(&FORMS, MALFORMED).into_iter().chain(texts(None)).collect(),
        Kind::Word => each(&["", "nothing", "ADMIN", "a\u{0}", "\u{202e}"], MALFORMED),
        Kind::Id => each(&IDS, MALFORMED),
        Kind::Instant => each(&INSTANTS, MALFORMED),
        Kind::Integer => integers(),
        Kind::Number => numbers(),
        Kind::Boolean | Kind::List | Kind::Object => Vec::new(),
    });
    bad
}

fn each(texts: &[&str], codes: &'static [&'static str]) -> Vec<Bad> {
    texts.iter().map(|text| (json!(text), codes)).collect()
}

fn wrong_types(kind: Kind) -> Vec<Bad> {
    let not = |values: Vec<Value>, codes| values.into_iter().map(|value| (value, codes)).collect();
    let text = || vec![json!(7), json!(1.5), json!(true), json!([]), json!(["x"]), json!({}), json!({"x": 1})];
    match kind {
        Kind::Text | Kind::Amount | Kind::Signed | Kind::Cost | Kind::Form | Kind::Instant => not(text(), WRONG_TYPE),
        Kind::Word | Kind::Id => not(text(), NO_WORD),
        Kind::Integer | Kind::Number => {
            not(vec![json!("5"), json!(true), json!([]), json!([1]), json!({})], WRONG_TYPE)
        }
        Kind::Boolean => not(vec![json!("true"), json!(1), json!(0), json!([]), json!({})], WRONG_TYPE),
        Kind::List => not(vec![json!("x"), json!(1), json!(true), json!({})], WRONG_TYPE),
        Kind::Object => not(vec![json!("x"), json!(1), json!(true), json!([]), json!([1])], WRONG_TYPE),
    }
}

/// S-14.
fn texts(longest: Option<usize>) -> Vec<Bad> {
    let mut bad = each(
        &[
            "",
            " ",
            "\u{3000}\n",
            "a\u{0}b",
            "a\u{202e}b",
            "a\u{2066}b",
            "a\u{200b}b",
            "a\u{feff}b",
            "a\u{1b}[31mb",
            "a\u{85}b",
        ],
        MALFORMED,
    );
    bad.push((json!("e".to_owned() + &"\u{301}".repeat(5_000)), MALFORMED));
    bad.push((json!("长".repeat(longest.map_or(5_000, |most| most + 1))), MALFORMED));
    bad
}

const COSTS: [&str; 9] = ["", " ", "-1", "+1", "1e2", "0.00001", "1,5", "NaN", "99999999999"];

/// S-13, written as points.
const AMOUNTS: [&str; 26] = [
    "",
    " ",
    "-1",
    "-1.00",
    "0",
    "0.00",
    "-0",
    "+5",
    "1e2",
    "1E2",
    "1e308",
    "NaN",
    "Infinity",
    "-Infinity",
    "inf",
    "12.505",
    ".5",
    "5.",
    "1,000",
    "007",
    "٣",
    "１２",
    "1２",
    "0x10",
    "9223372036854775807",
    "99999999999999999999999999",
];

/// Codes, phones and times of day.
const FORMS: [&str; 9] = [
    "x",
    "13",
    "１３０３０２００１００１",
    "１３８００００００００１",
    "+8613800000001",
    "138 0000 0001",
    "8:30",
    "25:00",
    "1e9",
];

const IDS: [&str; 6] = [
    "1",
    "x",
    "0199a0b0-0000-7000-8000-00000000000g",
    "' OR 1=1 --",
    "01 99a0b0-0000-7000-8000-000000000001",
    "a\u{0}",
];

const INSTANTS: [&str; 13] = [
    "",
    "yesterday",
    "2026-11-21",
    "2026-11-21T10:00:00",
    "2026-13-01T00:00:00Z",
    "2026-02-30T00:00:00Z",
    "2026-11-21T24:00:00Z",
    "2026-11-21T23:59:60Z",
    "0000-06-01T00:00:00Z",
    "99999-01-01T00:00:00Z",
    "+99999-01-01T00:00:00Z",
    "1763690400",
    "２０２６-11-21T00:00:00Z",
];

/// S-13, written as whole numbers.
fn integers() -> Vec<Bad> {
    let mut bad: Vec<Bad> = [
        json!(-1),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1e308),
        json!(1e2),
        json!(1.5),
        json!(-0.0),
        json!(12.505),
    ]
    .map(|value| (value, NUMBER))
    .to_vec();
    bad.extend(each(&["٣", "５", "+5", "NaN", "0x10", "1e2", ""], WRONG_TYPE));
    bad
}

/// Degrees.
fn numbers() -> Vec<Bad> {
    let mut bad: Vec<Bad> =
        [json!(-181), json!(181), json!(1e308), json!(i64::MAX)].map(|value| (value, &["out_of_range"][..])).to_vec();
    bad.extend(each(&["39.9", "NaN", "٣", ""], WRONG_TYPE));
    bad
}

/// S-17, and what else a parameter could choke on; already percent-encoded.
pub(super) const PARAMETERS: [&str; 26] = [
    "",
    "%27",
    "%27%20OR%201%3D1%20--",
    "%22%3B%20DROP%20TABLE%20member%3B%20--",
    "1%29%20UNION%20SELECT%20*%20FROM%20staff%20--",
    "%25",
    "_",
    "%5C",
    "%25%5F%5C",
    "$where",
    "$.a%5B0%5D",
    "%7B%22%24gt%22%3A%22%22%7D",
    "%00",
    "a%00b",
    "%0D%0ASet-Cookie:%20a=b",
    "%FF%FE",
    "%ED%A0%80",
    "%D9%A3",
    "%EF%BC%91",
    "%E2%80%AE",
    "-1",
    "1e999",
    "NaN,NaN",
    "91,181",
    "99999999999999999999999999",
    "0000-00-00T00:00:00Z",
];
