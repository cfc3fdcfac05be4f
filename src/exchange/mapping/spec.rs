//! A mapping file: its form, and what can be wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::format::{Item, StrftimeItems};
use encoding_rs::Encoding;
use figment::Figment;
use figment::providers::{Format as _, Toml};
use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Deserializer, de};

use super::column_of;
use crate::exchange::table::Table;

/// Why a mapping cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MappingError {
    /// It says what cannot be: an unknown key, table, column, map, encoding or date.
    #[error("{mapping}: {reason}")]
    Wrong { mapping: String, reason: String },
    #[error("{mapping}: {file} has no column {columns}")]
    Column { mapping: String, file: String, columns: String },
    /// Files that are not there.
    #[error("not found: {0}")]
    Missing(String),
}

/// See `docs/foreign-data.md`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// Of the file, for messages.
    #[serde(skip)]
    pub(super) name: String,
    /// For people.
    #[serde(default)]
    pub about: String,
    /// By name: what a value becomes.
    #[serde(default)]
    pub(super) maps: BTreeMap<String, BTreeMap<String, String>>,
    /// By name: what stands for a code.
    #[serde(default)]
    pub(super) words: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    #[serde(default, rename = "table")]
    pub(super) tables: Vec<TableSpec>,
}

/// A table out of one file, or out of rows that stand in the mapping itself.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TableSpec {
    pub(super) table: String,
    pub(super) file: Option<String>,
    pub(super) encoding: Option<String>,
    /// By column of theirs: only rows with one of these values.
    #[serde(default)]
    pub(super) only: BTreeMap<String, Vec<String>>,
    /// By column of theirs: no rows with one of these values.
    #[serde(default)]
    pub(super) except: BTreeMap<String, Vec<String>>,
    /// Columns of ours: of rows equal in them the first is taken.
    #[serde(default)]
    pub(super) distinct: Vec<String>,
    /// By column of ours.
    #[serde(default)]
    pub(super) columns: BTreeMap<String, Rule>,
    #[serde(default)]
    pub(super) rows: Vec<BTreeMap<String, String>>,
}

/// How a cell is made; the steps are taken in this order.
#[derive(Clone, Debug, Default)]
pub(super) struct Rule {
    pub(super) form: Form,
    pub(super) from: Vec<String>,
}

/// As it stands in the file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Form {
    #[serde(default)]
    from: Option<OneOrMore>,
    pub(super) constant: Option<String>,
    pub(super) between: Option<(String, String)>,
    pub(super) after: Option<String>,
    pub(super) split: Option<String>,
    pub(super) date: Option<String>,
    pub(super) moment: Option<String>,
    pub(super) year_before: Option<i32>,
    pub(super) map: Option<String>,
    pub(super) prefixes: Option<String>,
    /// Where a map has nothing.
    pub(super) other: Option<String>,
    pub(super) words: Option<String>,
    #[serde(default)]
    pub(super) slug: bool,
    pub(super) template: Option<String>,
    /// A column of theirs, or a number.
    pub(super) plus_hours: Option<String>,
    pub(super) window_hours: Option<String>,
    pub(super) draw: Option<Draw>,
    /// Where the outcome is empty.
    pub(super) or: Option<Box<Rule>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Draw {
    pub(super) of: Vec<String>,
    #[serde(default = "one")]
    pub(super) count: usize,
    /// So that two columns of one row do not draw alike.
    #[serde(default)]
    pub(super) salt: String,
}

const fn one() -> usize {
    1
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl<'de> Deserialize<'de> for Rule {
    /// The name of a column of theirs alone, or a table of steps.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Rule;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a column, or a table of steps such as { from = \"…\" }")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Rule, E> {
                Ok(Rule { from: vec![name.to_owned()], ..Rule::default() })
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Rule, A::Error> {
                let mut form = Form::deserialize(MapAccessDeserializer::new(map))?;
                let from = match form.from.take() {
                    Some(OneOrMore::One(name)) => vec![name],
                    Some(OneOrMore::More(names)) => names,
                    None => Vec::new(),
                };
                Ok(Rule { form, from })
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl Mapping {
    /// Reads a mapping; `name` is what messages call it.
    ///
    /// # Errors
    /// [`MappingError::Wrong`], which names the key.
    pub fn parse(name: &str, text: &str) -> Result<Self, MappingError> {
        let wrong = |reason: String| MappingError::Wrong { mapping: name.to_owned(), reason };
        let mut mapping: Self =
            Figment::from(Toml::string(text)).extract().map_err(|error| wrong(error.to_string()))?;
        name.clone_into(&mut mapping.name);
        if mapping.tables.is_empty() {
            return Err(wrong("no [[table]]".to_owned()));
        }
        for (number, spec) in mapping.tables.iter().enumerate() {
            mapping.check(spec).map_err(|reason| wrong(format!("table {} ({}): {reason}", number + 1, spec.table)))?;
        }
        Ok(mapping)
    }

    fn check(&self, spec: &TableSpec) -> Result<(), String> {
        let table = spec.table().map_err(|_| "no such table".to_owned())?;
        if spec.file.is_some() != spec.rows.is_empty() {
            return Err("either `file` with `columns`, or `rows`".to_owned());
        }
        if spec.file.as_ref().is_some_and(|file| file.contains(['/', '\\'])) {
            return Err("`file` is the name of a file in the folder, without a path".to_owned());
        }
        spec.encoding().map_err(|error| error.to_string())?;
        let given = spec.rows.iter().flat_map(BTreeMap::keys);
        for column in spec.columns.keys().chain(given).chain(&spec.distinct) {
            if !column_of(table, column) {
                return Err(format!("the table has no column {column}"));
            }
        }
        if let Some(column) = spec.distinct.iter().find(|column| !spec.columns.contains_key(*column)) {
            return Err(format!("distinct: {column} is not among the columns"));
        }
        for (column, rule) in &spec.columns {
            self.check_rule(rule).map_err(|reason| format!("{column}: {reason}"))?;
        }
        Ok(())
    }

    fn check_rule(&self, rule: &Rule) -> Result<(), String> {
        let form = &rule.form;
        if rule.from.is_empty() && form.constant.is_none() && form.template.is_none() {
            return Err("one of `from`, `constant` and `template` is needed".to_owned());
        }
        for map in form.map.iter().chain(&form.prefixes) {
            if !self.maps.contains_key(map) {
                return Err(format!("there is no [maps.{map}]"));
            }
        }
        if let Some(words) = form.words.as_ref().filter(|words| !self.words.contains_key(*words)) {
            return Err(format!("there is no [words.{words}]"));
        }
        for format in form.date.iter().chain(&form.moment) {
            if StrftimeItems::new(format).any(|item| item == Item::Error) {
                return Err(format!("{format} is no form of a date"));
            }
        }
        if form.draw.as_ref().is_some_and(|draw| draw.of.is_empty()) {
            return Err("draw: nothing to draw of".to_owned());
        }
        if let Some(template) = &form.template {
            super::cell::parts(template).ok_or_else(|| format!("{template}: a brace is not closed"))?;
        }
        form.or.as_ref().map_or(Ok(()), |rule| self.check_rule(rule))
    }
}

impl TableSpec {
    pub(super) fn table(&self) -> Result<Table, MappingError> {
        let found = Table::ALL.into_iter().find(|table| table.name() == self.table && !table.columns().is_empty());
        let wrong = || MappingError::Wrong { mapping: self.table.clone(), reason: "no such table".to_owned() };
        found.ok_or_else(wrong)
    }

    /// `None`: found out by the file's bytes.
    pub(super) fn encoding(&self) -> Result<Option<&'static Encoding>, MappingError> {
        let Some(label) = &self.encoding else { return Ok(None) };
        let reason = || MappingError::Wrong { mapping: label.clone(), reason: "no such encoding".to_owned() };
        Encoding::for_label(label.as_bytes()).map(Some).ok_or_else(reason)
    }

    /// Whether a row is to be taken, by its cells.
    pub(super) fn chosen<'c>(&self, cell: impl Fn(&str) -> &'c str) -> bool {
        let one_of = |(column, values): (&String, &Vec<String>)| values.iter().any(|value| value == cell(column));
        self.only.iter().all(one_of) && !self.except.iter().any(one_of)
    }

    /// What makes a row distinct.
    pub(super) fn key(&self, header: &[String], cells: &[String]) -> Vec<String> {
        let chosen = header.iter().zip(cells).filter(|(column, _)| self.distinct.contains(column));
        chosen.map(|(_, cell)| cell.clone()).collect()
    }
}

impl Rule {
    /// Adds the columns of theirs that the rule reads.
    pub(super) fn columns<'r>(&'r self, into: &mut BTreeSet<&'r str>) {
        into.extend(self.from.iter().map(String::as_str));
        let hours = self.form.plus_hours.iter().chain(&self.form.window_hours);
        into.extend(hours.map(String::as_str).filter(|hours| hours.parse::<f64>().is_err()));
        let parts = self.form.template.as_deref().and_then(super::cell::parts).unwrap_or_default();
        into.extend(parts.iter().filter_map(|part| part.column()));
        if let Some(or) = &self.form.or {
            or.columns(into);
        }
    }
}
