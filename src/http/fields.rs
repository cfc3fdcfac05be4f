//! From what serde and `validator` say to the contract's list of refused fields.
//!
//! Serde stops at the first fault. To tell a person all of them at once, a refused value is replaced by a stand-in and the
//! body is read again; this happens on refusals only and ends after [`MAX_READINGS`]. No value is ever repeated.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use serde_path_to_error::Segment;
use validator::{Validate, ValidationError, ValidationErrors, ValidationErrorsKind};

use super::objects::Objects;
use super::problem::FieldError;

const MAX_READINGS: usize = 120;
const MAX_NAME_CHARS: usize = 64;
const CODES: [&str; 6] = ["unknown_field", "required", "wrong_type", "invalid", "out_of_range", "too_long"];

/// Parts a code from a type's own words. What serde says of a caller's text never begins with a bare code.
const SAYING: char = '\u{1F}';

/// What a type says from its `Deserialize` where it refuses a value: the field's code, and words on what to write instead.
/// The words must not repeat the value.
pub fn refusal(code: &str, words: &str) -> String {
    format!("{code}{SAYING}{words}")
}

/// The refused field for a deserializer's words.
pub(super) fn refused(field: impl Into<String>, text: &str) -> FieldError {
    let error = FieldError::new(field, code_of(text));
    match words_of(text) {
        Some(words) => error.saying(words),
        None => error,
    }
}

/// Reads a `T` from a JSON body and validates it.
///
/// # Errors
/// Every refused field, at least one.
pub(super) fn decode<T: DeserializeOwned + Validate>(body: &Value) -> Result<T, Vec<FieldError>> {
    if !body.is_object() {
        return Err(vec![FieldError::new("", "wrong_type").saying("请求内容应是一个 JSON 对象")]);
    }
    let mut errors = Vec::new();
    nul_fields(body, &mut Vec::new(), &mut errors);
    if !errors.is_empty() {
        return Err(errors);
    }
    match T::deserialize(Objects(body)) {
        Ok(value) => validate(value),
        Err(_) => Err(explain::<T>(body.clone())),
    }
}

/// Runs the validators.
///
/// # Errors
/// Every refused field.
pub(super) fn validate<T: Validate>(value: T) -> Result<T, Vec<FieldError>> {
    match value.validate() {
        Ok(()) => Ok(value),
        Err(found) => {
            let mut errors = Vec::new();
            flatten("", &found, &mut errors);
            errors.sort_by(|left, right| left.field.cmp(&right.field));
            Err(errors)
        }
    }
}

type Path = Vec<Step>;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Step {
    Key(String),
    Index(usize),
}

/// `window.from`, `skills[0]`; cut where a name from outside is long.
fn show(path: &[Step]) -> String {
    let mut shown = String::new();
    for step in path {
        match step {
            Step::Key(key) => {
                if !shown.is_empty() {
                    shown.push('.');
                }
                shown.extend(key.chars().filter(|found| !super::text::is_hidden(*found)).take(MAX_NAME_CHARS));
            }
            Step::Index(index) => {
                let _ = write!(shown, "[{index}]");
            }
        }
    }
    shown
}

/// PostgreSQL cannot keep a NUL, so none passes this door, not even in a field without a text type.
fn nul_fields(value: &Value, path: &mut Path, errors: &mut Vec<FieldError>) {
    match value {
        Value::String(text) if text.contains('\0') => errors.push(FieldError::new(show(path), "invalid")),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(Step::Index(index));
                nul_fields(item, path, errors);
                path.pop();
            }
        }
        Value::Object(fields) => {
            for (key, item) in fields {
                path.push(Step::Key(key.clone()));
                if key.contains('\0') {
                    errors.push(FieldError::new(show(path), "unknown_field"));
                }
                nul_fields(item, path, errors);
                path.pop();
            }
        }
        _ => {}
    }
}

/// What went wrong at one place.
struct Fault {
    path: Path,
    code: &'static str,
    /// On what to write instead, where more is known than the code says.
    words: Option<String>,
    /// The body can be changed at `path`.
    exact: bool,
    /// For an unknown variant: a known one.
    variant: Option<String>,
}

fn explain<T: DeserializeOwned + Validate>(mut body: Value) -> Vec<FieldError> {
    let mut errors: Vec<FieldError> = Vec::new();
    let mut tried: HashMap<Path, usize> = HashMap::new();
    for _ in 0..MAX_READINGS {
        let fault = match serde_path_to_error::deserialize::<_, T>(Objects(&body)) {
            Ok(value) => {
                let others = validate(value).err().unwrap_or_default();
                let told: Vec<String> = tried.keys().map(|path| show(path)).collect();
                // A rule over several fields has judged the stand-in too.
                let judged = |error: &FieldError| {
                    told.iter().any(|field| is_within(&error.field, field) || is_within(field, &error.field))
                };
                errors.extend(others.into_iter().filter(|error| !judged(error)));
                break;
            }
            Err(error) => locate(&error),
        };
        let repaired = tried.keys().any(|path| fault.path.starts_with(path));
        if !repaired {
            let error = FieldError::new(show(&fault.path), fault.code);
            errors.push(match &fault.words {
                Some(words) => error.saying(words.clone()),
                None => error,
            });
        }
        if !fault.exact || !repair(&mut body, &fault, &mut tried) {
            break;
        }
    }
    errors
}

/// Whether a place, as shown, is another one or stands in it.
fn is_within(place: &str, outer: &str) -> bool {
    place.strip_prefix(outer).is_some_and(|rest| outer.is_empty() || rest.is_empty() || rest.starts_with(['.', '[']))
}

fn locate(error: &serde_path_to_error::Error<serde_json::Error>) -> Fault {
    let mut exact = true;
    let mut path: Path = Vec::new();
    for segment in error.path() {
        match segment {
            Segment::Seq { index } => path.push(Step::Index(*index)),
            Segment::Map { key } => path.push(Step::Key(key.clone())),
            Segment::Enum { variant } => path.push(Step::Key(variant.clone())),
            Segment::Unknown => exact = false,
        }
    }
    let text = error.inner().to_string();
    if let Some(name) = quoted_after(&text, "missing field `") {
        path.push(Step::Key(name.to_owned()));
        return Fault { path, code: "required", words: None, exact, variant: None };
    }
    let variant = text.starts_with("unknown variant").then(|| text.rsplit('`').nth(1).unwrap_or_default().to_owned());
    Fault { path, code: code_of(&text), words: words_of(&text), exact, variant }
}

fn quoted_after<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    text.strip_prefix(prefix)?.split('`').next()
}

/// The contract's code for a deserializer's words. Only their fixed beginning is looked at: the rest may be the caller's.
pub(super) fn code_of(text: &str) -> &'static str {
    const BEGINNINGS: [(&str, &str); 14] = [
        ("unknown field `", "unknown_field"),
        ("missing field `", "required"),
        ("invalid type: ", "wrong_type"),
        ("invalid length ", "wrong_type"), // a list where a tuple belongs
        ("invalid value: integer", "out_of_range"),
        ("invalid value: floating point", "out_of_range"),
        ("out of range integral", "out_of_range"),
        ("number too ", "out_of_range"),
        ("number out of range", "out_of_range"),
        ("invalid digit found", "wrong_type"),
        ("cannot parse integer", "wrong_type"),
        ("invalid float literal", "wrong_type"),
        ("cannot parse float", "wrong_type"),
        ("provided string was not `true` or `false`", "wrong_type"),
    ];
    let text = text.split(SAYING).next().unwrap_or(text);
    CODES
        .into_iter()
        .find(|code| *code == text)
        .or_else(|| BEGINNINGS.iter().find(|(beginning, _)| text.starts_with(beginning)).map(|(_, code)| *code))
        .unwrap_or("invalid")
}

/// Words on what to write instead: a type's own, or the names that an enum knows. Nothing of the caller's.
fn words_of(text: &str) -> Option<String> {
    if let Some((code, words)) = text.split_once(SAYING)
        && CODES.contains(&code)
    {
        return Some(words.to_owned());
    }
    if text.starts_with("UUID parsing failed") {
        return Some("编号格式不对，请重新选择".to_owned());
    }
    let known = text.strip_prefix("unknown variant `")?.rsplit_once("`, expected ")?.1;
    let names: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    Some(format!("只能填写其中之一：{}", names.join("、")))
}

/// Takes an unknown field out, or puts the next stand-in in place of what was refused. False where nothing is left to try.
fn repair(body: &mut Value, fault: &Fault, tried: &mut HashMap<Path, usize>) -> bool {
    if fault.code == "unknown_field" {
        return remove(body, &fault.path);
    }
    // Within a stand-in (an object whose own fields are missing, a list's item) the inner place is worked on.
    let attempt = tried.entry(fault.path.clone()).or_insert(0);
    let stand_in = match &fault.variant {
        Some(variant) if *attempt < 100 => {
            *attempt = 100;
            json!(variant)
        }
        _ => match stand_in(*attempt) {
            Some(value) => value,
            None => return false,
        },
    };
    *attempt += 1;
    replace(body, &fault.path, stand_in)
}

fn stand_in(attempt: usize) -> Option<Value> {
    Some(match attempt {
        0 => Value::Null,
        1 => json!("x"),
        2 => json!(1),
        3 => json!({}),
        4 => json!([]),
        5 => json!(true),
        6 => json!("2000-01-01T00:00:00Z"),
        7 => json!("2000-01-01"),
        8 => json!("00000000-0000-7000-8000-000000000000"),
        9 => json!("1.00"),
        10 => json!("13800000000"),
        11 => json!("08:30"),
        _ => return None,
    })
}

fn parent<'a>(body: &'a mut Value, path: &[Step]) -> Option<&'a mut Value> {
    path.iter().try_fold(body, |value, step| match step {
        Step::Key(key) => value.get_mut(key.as_str()),
        Step::Index(index) => value.get_mut(*index),
    })
}

fn remove(body: &mut Value, path: &[Step]) -> bool {
    let Some((Step::Key(key), rest)) = path.split_last() else { return false };
    parent(body, rest).and_then(Value::as_object_mut).and_then(|fields: &mut Map<_, _>| fields.remove(key)).is_some()
}

fn replace(body: &mut Value, path: &[Step], value: Value) -> bool {
    let Some((last, rest)) = path.split_last() else { return false };
    match (parent(body, rest), last) {
        (Some(Value::Object(fields)), Step::Key(key)) => {
            fields.insert(key.clone(), value);
            true
        }
        (Some(Value::Array(items)), Step::Index(index)) => items.get_mut(*index).map(|item| *item = value).is_some(),
        _ => false,
    }
}

fn flatten(prefix: &str, found: &ValidationErrors, errors: &mut Vec<FieldError>) {
    for (name, kind) in found.errors() {
        let field = match (prefix, name.as_ref()) {
            (_, "__all__") => prefix.to_owned(),
            ("", name) => name.to_owned(),
            (prefix, name) => format!("{prefix}.{name}"),
        };
        match kind {
            ValidationErrorsKind::Struct(inner) => flatten(&field, inner, errors),
            ValidationErrorsKind::List(items) => {
                for (index, inner) in items {
                    flatten(&format!("{field}[{index}]"), inner, errors);
                }
            }
            ValidationErrorsKind::Field(faults) => errors.extend(faults.iter().map(|fault| field_error(&field, fault))),
        }
    }
}

/// A rule over several fields names the one it means in the parameter `field`; a message of a rule of ours is for people.
fn field_error(field: &str, fault: &ValidationError) -> FieldError {
    let field = fault.params.get("field").and_then(Value::as_str).unwrap_or(field).trim_start_matches("r#");
    let error = FieldError::new(field, code_of_rule(fault));
    match &fault.message {
        Some(message) => error.saying(message.clone()),
        None => match bounds_of(fault) {
            Some(words) => error.saying(words),
            None => error,
        },
    }
}

/// The bounds of a broken rule, in words.
fn bounds_of(fault: &ValidationError) -> Option<String> {
    match (fault.code.as_ref(), fault.params.get("value")) {
        ("range", _) => {
            let bound = |name: &str| fault.params.get(name).and_then(Value::as_f64);
            Some(format!("应在 {} 到 {} 之间，请修改", bound("min")?, bound("max")?))
        }
        ("length", Some(Value::Array(items))) => {
            let max = fault.params.get("max").and_then(Value::as_u64).filter(|max| items.len() as u64 > *max)?;
            Some(format!("最多 {max} 项，请减少"))
        }
        _ => None,
    }
}

fn code_of_rule(fault: &ValidationError) -> &'static str {
    match fault.code.as_ref() {
        "range" => "out_of_range",
        "length" => {
            let size = match fault.params.get("value") {
                Some(Value::String(text)) => text.chars().count(),
                Some(Value::Array(items)) => items.len(),
                _ => 0,
            };
            let max = fault.params.get("max").and_then(Value::as_u64);
            match max {
                Some(max) if size as u64 > max => "too_long",
                _ if size == 0 => "required",
                _ => "invalid",
            }
        }
        code => CODES.into_iter().find(|known| *known == code).unwrap_or("invalid"),
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveTime;
    use serde::Deserialize;
    use uuid::Uuid;

    use super::*;
    use crate::http::{Instant, Line, PointsAmount, Text};

    #[derive(Debug, Deserialize, Validate)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "read by serde only")]
    struct Window {
        from: Instant,
        until: Instant,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Direction {
        Grant,
        Deduct,
    }

    #[derive(Debug, Deserialize, Validate)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "read by serde only")]
    struct Body {
        title: Line<5>,
        note: Option<Text<5>>,
        member_id: Uuid,
        direction: Direction,
        amount: PointsAmount,
        at: NaiveTime,
        #[validate(range(min = 1, max = 5))]
        slots: Option<i32>,
        #[validate(length(max = 2))]
        skills: Vec<Line<4>>,
        #[validate(nested)]
        window: Option<Window>,
    }

    fn good() -> Value {
        json!({"title": "修灯", "member_id": "0199a0b0-0000-7000-8000-000000000000", "direction": "grant", "amount": "1.5",
            "at": "08:30:00", "skills": ["电工"]})
    }

    fn with(field: &str, value: Value) -> Value {
        let mut body = good();
        body[field] = value;
        body
    }

    fn faults(body: &Value) -> Vec<(String, &'static str)> {
        let errors = decode::<Body>(body).map(|body| format!("{body:?}")).unwrap_err();
        let mut found: Vec<_> = errors.into_iter().map(|error| (error.field, error.code)).collect();
        found.sort();
        found
    }

    #[test]
    fn a_good_body_passes() {
        let body = decode::<Body>(&good()).unwrap();
        assert!(matches!(body.direction, Direction::Grant));
        assert!(
            decode::<Body>(&with("direction", json!("deduct")))
                .is_ok_and(|body| matches!(body.direction, Direction::Deduct))
        );
    }

    #[test]
    fn one_fault_has_its_code() {
        let table = [
            ("titel", json!("x"), "titel", "unknown_field"),
            ("title", json!(7), "title", "wrong_type"),
            ("title", json!(null), "title", "wrong_type"),
            ("title", json!("  "), "title", "required"),
            ("title", json!("一二三四五六"), "title", "too_long"),
            ("title", json!("a\u{202E}"), "title", "invalid"),
            ("title", json!("a\u{0}"), "title", "invalid"),
            ("member_id", json!("1"), "member_id", "invalid"),
            ("member_id", json!(vec![1; 16]), "member_id", "wrong_type"),
            ("direction", json!("steal"), "direction", "invalid"),
            ("direction", json!(1), "direction", "wrong_type"),
            ("amount", json!(1.5), "amount", "wrong_type"),
            ("amount", json!("12.505"), "amount", "invalid"),
            ("amount", json!("0"), "amount", "out_of_range"),
            ("slots", json!(6), "slots", "out_of_range"),
            ("slots", json!(1.5), "slots", "wrong_type"),
            ("slots", json!("1"), "slots", "wrong_type"),
            ("slots", json!(99_999_999_999_i64), "slots", "out_of_range"),
            ("skills", json!(["a", "b", "c"]), "skills", "too_long"),
            ("skills", json!(["a", 7]), "skills[1]", "wrong_type"),
            ("window", json!({"from": "2026-11-07T09:30:00Z"}), "window.until", "required"),
            ("window", json!([]), "window", "wrong_type"),
            ("window", json!(["2026-11-07T09:30:00Z", "2026-11-07T10:30:00Z"]), "window", "wrong_type"),
        ];
        for (field, value, place, code) in table {
            assert_eq!(faults(&with(field, value.clone())), [(place.to_owned(), code)], "{field} = {value}");
        }
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let found = faults(&json!({"slots": 9, "surprise": 1, "more": 2, "window": {"from": 1, "x": 2}}));
        let codes = |wanted: &str| {
            found.iter().filter(|(_, code)| *code == wanted).map(|(field, _)| field.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(codes("unknown_field"), ["more", "surprise", "window.x"]);
        assert_eq!(codes("required"), ["amount", "at", "direction", "member_id", "skills", "title", "window.until"]);
        assert_eq!(codes("wrong_type"), ["window.from"]);
        assert_eq!(codes("out_of_range"), ["slots"]);
    }

    #[test]
    fn nothing_is_repeated() {
        let body = with("member_id", json!("13812345678"));
        let errors = decode::<Body>(&body).map(|_| ()).unwrap_err();
        assert!(!serde_json::to_string(&errors).unwrap().contains("138"));
        assert_eq!(faults(&json!(["x"])), [(String::new(), "wrong_type")]);
    }

    #[test]
    fn what_to_write_is_said_and_nothing_repeated() {
        let table = [
            ("amount", json!("12.505"), "请填写大于 0、最多两位小数的数，如 12.50"),
            ("direction", json!("`x`, expected `y`"), "只能填写其中之一：grant、deduct"),
            ("title", json!("一二三四五六"), "最多 5 个字，请缩短"),
            ("note", json!("a\u{202E}"), "含有看不见的控制字符，请删去后重试"),
            ("member_id", json!("invalid\u{1F}x"), "编号格式不对，请重新选择"),
            ("slots", json!(6), "应在 1 到 5 之间，请修改"),
            ("skills", json!(["a", "b", "c"]), "最多 2 项，请减少"),
            ("invalid\u{1F}x", json!(1), "没有这个字段，请删去后重试"),
        ];
        for (field, value, words) in table {
            let errors = decode::<Body>(&with(field, value)).map(|_| ()).unwrap_err();
            assert_eq!(errors[0].detail, words, "{field}");
        }
    }

    #[test]
    fn a_body_of_nothing_but_faults_ends() {
        let many: Map<String, Value> = (0..5000).map(|index| (format!("f{index}"), json!(1))).collect();
        assert!(faults(&Value::Object(many)).len() <= MAX_READINGS);
    }
}
