//! A statement laid out: the same for every kind of file.

use crate::http::decimal;

/// What is printed.
#[derive(Clone, Debug)]
pub(super) struct Paper {
    pub(super) title: String,
    /// Of the file, without its ending.
    pub(super) name: String,
    /// What stands above the tables: label and value.
    pub(super) facts: Vec<(&'static str, Cell)>,
    pub(super) tables: Vec<Table>,
    /// At the foot of every page: by what the paper can be checked.
    pub(super) foot: String,
}

/// A table with its heading.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) heading: &'static str,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
    /// Said where there are no rows.
    pub(super) empty: &'static str,
}

/// A column, and its part of the width.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) share: u16,
    pub(super) numbers: bool,
}

impl Column {
    pub(super) const fn text(name: &'static str, share: u16) -> Self {
        Self { name, share, numbers: false }
    }

    pub(super) const fn numbers(name: &'static str, share: u16) -> Self {
        Self { name, share, numbers: true }
    }
}

/// What stands in a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Text(String),
    /// Hundredths.
    Amount(i64),
    Count(i64),
}

impl Cell {
    /// As people read it.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Amount(hundredths) => decimal(*hundredths),
            Self::Count(count) => count.to_string(),
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
