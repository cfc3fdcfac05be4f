//! The fields of a body, as the OpenAPI document describes them.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// One step from a body to a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Item,
}

/// What a field takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// One of a few words.
    Word,
    /// Points: `"12.50"`.
    Amount,
    /// Points with a sign: `"-5.00"`.
    Signed,
    /// Yuan for a point: `"0.0100"`, or none at all.
    Cost,
    /// Text of a given form: a region's code, a phone, a time of day.
    Form,
    Id,
    Instant,
    Integer,
    Number,
    Boolean,
    List,
    Object,
}

#[derive(Clone, Debug)]
pub(super) struct Field {
    path: Vec<Step>,
    pub(super) kind: Kind,
    /// The most characters of a text.
    pub(super) longest: Option<usize>,
    pub(super) is_nullable: bool,
    /// The names of an object's own fields.
    pub(super) known: Vec<String>,
}

impl Field {
    /// As problems name it: `window.from`, `skills[0]`; empty for the body itself.
    pub(super) fn name(&self) -> String {
        let mut name = String::new();
        for step in &self.path {
            match step {
                Step::Item => name.push_str("[0]"),
                Step::Key(key) => {
                    let dot = if name.is_empty() { "" } else { "." };
                    write!(name, "{dot}{key}").unwrap();
                }
            }
        }
        name
    }

    /// Its own name, without where it stands.
    pub(super) fn last_key(&self) -> &str {
        self.path
            .iter()
            .rev()
            .find_map(|step| match step {
                Step::Key(key) => Some(key.as_str()),
                Step::Item => None,
            })
            .unwrap_or_default()
    }

    /// `body` with `value` in this field; what is missing on the way is made.
    pub(super) fn set(&self, body: &Value, value: Value) -> Value {
        let mut changed = body.clone();
        let mut at = &mut changed;
        for step in &self.path {
            at = match step {
                Step::Key(key) => {
                    if !at.is_object() {
                        *at = json!({});
                    }
                    at.as_object_mut().unwrap().entry(key.clone()).or_insert(Value::Null)
                }
                Step::Item => {
                    if at.as_array().is_none_or(Vec::is_empty) {
                        *at = json!([null]);
                    }
                    &mut at[0]
                }
            };
        }
        *at = value;
        changed
    }
}

/// All fields of a request body, objects and lists before what is in them; the body itself first.
pub(super) fn fields(document: &Value, operation: &Value) -> Vec<Field> {
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    let mut found = Vec::new();
    walk(document, schema, Vec::new(), &mut found);
    found
}

fn walk(document: &Value, schema: &Value, path: Vec<Step>, found: &mut Vec<Field>) {
    let (schema, is_nullable) = resolve(document, schema);
    let properties = schema["properties"].as_object().cloned().unwrap_or_default();
    let kind = kind_of(&schema);
    let longest = schema["maxLength"].as_u64().and_then(|most| usize::try_from(most).ok());
    found.push(Field { path: path.clone(), kind, longest, is_nullable, known: properties.keys().cloned().collect() });
    for (name, inner) in &properties {
        let mut path = path.clone();
        path.push(Step::Key(name.clone()));
        walk(document, inner, path, found);
    }
    if kind == Kind::List {
        let mut path = path;
        path.push(Step::Item);
        walk(document, &schema["items"], path, found);
    }
}

/// Without references, and whether null is taken.
fn resolve(document: &Value, schema: &Value) -> (Value, bool) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#')).expect("a schema that is there");
        return resolve(document, target);
    }
    // A type written in place beside a description of the field.
    if let Some(inlined) = schema["allOf"].as_array().and_then(|parts| parts.first()) {
        return resolve(document, inlined);
    }
    if let Some(ways) = schema["oneOf"].as_array() {
        let (nulls, others): (Vec<_>, Vec<_>) = ways.iter().partition(|way| way["type"] == "null");
        assert_eq!(others.len(), 1, "a field of one kind: {schema}");
        return (resolve(document, others[0]).0, !nulls.is_empty());
    }
    let is_nullable = schema["type"].as_array().is_some_and(|kinds| kinds.contains(&json!("null")));
    (schema.clone(), is_nullable)
}

fn kind_of(schema: &Value) -> Kind {
    let named = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().find(|kind| *kind != "null").cloned().unwrap_or_default(),
        one => one.clone(),
    };
    match (named.as_str().unwrap_or_default(), schema["format"].as_str(), schema["pattern"].as_str()) {
        ("integer", ..) => Kind::Integer,
        ("number", ..) => Kind::Number,
        ("boolean", ..) => Kind::Boolean,
        ("array", ..) => Kind::List,
        ("object", ..) => Kind::Object,
        ("string", ..) if schema.get("enum").is_some() => Kind::Word,
        ("string", Some("uuid"), _) => Kind::Id,
        ("string", Some("date-time"), _) => Kind::Instant,
        ("string", _, Some(pattern)) if pattern.contains(r"\.\d{1,4}") => Kind::Cost,
        ("string", _, Some(pattern)) if pattern.starts_with("^-?") => Kind::Signed,
        ("string", _, Some(pattern)) if pattern.contains(r"\.[0-9]") => Kind::Amount,
        ("string", _, Some(_)) => Kind::Form,
        ("string", ..) => Kind::Text,
        _ => panic!("what does this field take? {schema}"),
    }
}
