//! One cell of ours out of a row of theirs.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use sha2::{Digest as _, Sha256};

use super::spec::{Draw, Form, Mapping, Rule};
use crate::exchange::record::Record;
use crate::exchange::{text, time};

/// A row of theirs; cells are trimmed.
pub(super) struct Source<'s> {
    pub(super) record: &'s Record,
    pub(super) places: &'s HashMap<&'s str, usize>,
}

impl<'s> Source<'s> {
    /// Empty where there is no such column.
    pub(super) fn cell(&self, column: &str) -> &'s str {
        self.places.get(column).map_or("", |place| text::trim(self.record.cell(*place)))
    }
}

/// A part of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'t> {
    Text(&'t str),
    /// A column of theirs, or what the steps before have made where the name is empty; filled up with zeros to a width.
    Cell(&'t str, usize),
}

impl<'t> Part<'t> {
    pub(super) const fn column(self) -> Option<&'t str> {
        match self {
            Self::Cell(name, _) if !name.is_empty() => Some(name),
            Self::Cell(..) | Self::Text(_) => None,
        }
    }
}

/// `{}`, `{COLUMN}` and `{COLUMN:07}` among text; `None` where a brace is not closed.
pub(super) fn parts(template: &str) -> Option<Vec<Part<'_>>> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((text, behind)) = rest.split_once('{') {
        let (cell, after) = behind.split_once('}')?;
        let (name, width) = match cell.rsplit_once(':') {
            Some((name, width)) => (name, width.parse().ok().filter(|width| *width <= 40)?),
            None => (cell, 0),
        };
        parts.extend([Part::Text(text), Part::Cell(name, width)]);
        rest = after;
    }
    parts.push(Part::Text(rest));
    Some(parts)
}

impl Mapping {
    /// The cell that a rule makes.
    pub(super) fn cell(&self, rule: &Rule, source: &Source<'_>) -> String {
        let form = &rule.form;
        let cells: Vec<&str> =
            rule.from.iter().map(|column| source.cell(column)).filter(|cell| !cell.is_empty()).collect();
        let found = form.constant.clone().unwrap_or_else(|| cells.join(" "));
        let found = self.taken_apart(form, &found);
        // A template of nothing but text and other columns needs no value of its own.
        let own = !rule.from.is_empty() || form.constant.is_some();
        let made = match &form.template {
            Some(template) if !own || !found.is_empty() => filled(template, &found, source),
            _ => found,
        };
        let made = with_hours(form, made, source);
        let made = match &form.draw {
            Some(draw) if !made.is_empty() => drawn(draw, &made),
            _ => made,
        };
        match &form.or {
            Some(or) if made.is_empty() => self.cell(or, source),
            _ => made,
        }
    }

    /// Cut out, split, and each part translated.
    fn taken_apart(&self, form: &Form, found: &str) -> String {
        let mut found = found;
        if let Some((before, behind)) = &form.between {
            let inner = found.split_once(before.as_str()).and_then(|(_, rest)| rest.split_once(behind.as_str()));
            found = inner.map_or("", |(inner, _)| inner);
        }
        if let Some(mark) = &form.after {
            found = found.rsplit_once(mark.as_str()).map_or(found, |(_, rest)| rest);
        }
        let found = text::trim(found);
        let Some(mark) = &form.split else { return self.translated(form, found) };
        let parts = found.split(mark.as_str()).map(text::trim).filter(|part| !part.is_empty());
        let mut parts: Vec<String> =
            parts.map(|part| self.translated(form, part)).filter(|part| !part.is_empty()).collect();
        parts.sort_unstable();
        parts.dedup();
        parts.join(";")
    }

    fn translated(&self, form: &Form, found: &str) -> String {
        let mut made = found.to_owned();
        if let Some(format) = &form.date {
            made = NaiveDate::parse_from_str(&made, format).map_or(made, |day| day.to_string());
        }
        if let Some(format) = &form.moment {
            let read = NaiveDateTime::parse_from_str(&made, format);
            made = read.map_or(made, |at| at.format("%Y-%m-%d %H:%M").to_string());
        }
        if let Some(year) = form.year_before {
            made = made.parse::<i32>().ok().and_then(|age| year.checked_sub(age)).map_or(made, |year| year.to_string());
        }
        let of = |name: &Option<String>| name.as_ref().and_then(|name| self.maps.get(name));
        let other = |made: String| form.other.clone().unwrap_or(made);
        if let Some(map) = of(&form.map) {
            made = map.get(&made).cloned().unwrap_or_else(|| other(made));
        }
        if let Some(map) = of(&form.prefixes) {
            made = by_prefix(map, &made).cloned().unwrap_or_else(|| other(made));
        }
        if let Some(words) = form.words.as_ref().and_then(|name| self.words.get(name)) {
            made = codes(words, &made);
        }
        if form.slug { slug(&made) } else { made }
    }
}

/// Of the keys that the text begins with the longest counts.
fn by_prefix<'m>(map: &'m BTreeMap<String, String>, text: &str) -> Option<&'m String> {
    map.iter()
        .filter(|(key, _)| text.starts_with(key.as_str()))
        .max_by_key(|(key, _)| key.len())
        .map(|(_, value)| value)
}

/// The codes of which a word begins a word of the text, whatever the case.
fn codes(words: &BTreeMap<String, Vec<String>>, text: &str) -> String {
    let text = text.to_lowercase();
    let begins = |word: &String| {
        let word = word.to_lowercase();
        let at = text.match_indices(&word).map(|(at, _)| at);
        !word.is_empty() && at.into_iter().any(|at| !text[..at].ends_with(char::is_alphanumeric))
    };
    let found = words.iter().filter(|(_, words)| words.iter().any(begins)).map(|(code, _)| code.as_str());
    found.collect::<Vec<_>>().join(";")
}

/// Small letters and digits, anything between them as one hyphen.
fn slug(text: &str) -> String {
    let words = text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join("-")
}

fn filled(template: &str, value: &str, source: &Source<'_>) -> String {
    let mut made = String::new();
    for part in parts(template).unwrap_or_default() {
        match part {
            Part::Text(text) => made.push_str(text),
            Part::Cell(name, width) => {
                let cell = if name.is_empty() { value } else { source.cell(name) };
                let _ = write!(made, "{cell:0>width$}");
            }
        }
    }
    made
}

/// The moment so many hours later, or the window from then until then. What is no moment, or no number, stays.
fn with_hours(form: &Form, made: String, source: &Source<'_>) -> String {
    let Some(hours) = form.plus_hours.as_ref().or(form.window_hours.as_ref()) else { return made };
    let cell = if text::decimal(hours).is_some() { hours.as_str() } else { source.cell(hours) };
    let minutes = text::decimal(cell).and_then(|hours| hours.checked_mul(Decimal::from(60))?.round().to_i64());
    let later = |minutes: i64| {
        let from = time::moment(&made)?;
        let until = from.checked_add_signed(TimeDelta::try_minutes(minutes)?)?.format("%Y-%m-%d %H:%M");
        let from = from.format("%Y-%m-%d %H:%M");
        Some(if form.plus_hours.is_some() { until.to_string() } else { format!("{from}/{until}") })
    };
    minutes.and_then(later).unwrap_or(made)
}

/// Invented, and the same every time: some of a list, chosen by a hash.
fn drawn(draw: &Draw, value: &str) -> String {
    let rank = |item: &&String| -> [u8; 32] {
        let mut hasher = Sha256::new();
        for part in [draw.salt.as_str(), value, item.as_str()] {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        hasher.finalize().into()
    };
    let mut items: Vec<&String> = draw.of.iter().collect();
    items.sort_by_cached_key(rank);
    items.truncate(draw.count);
    items.sort_unstable();
    items.into_iter().map(String::as_str).collect::<Vec<_>>().join(";")
}
