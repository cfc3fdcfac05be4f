//! A statement laid out: the same for every kind of file.

use crate::http::decimal;

/// What is printed.
#[derive(Clone, Debug)]
pub(crate) struct Paper {
    pub(crate) title: String,
    /// Of the file, without its ending.
    pub(crate) name: String,
    /// What stands above the tables: label and value.
    pub(crate) facts: Vec<(&'static str, Cell)>,
    pub(crate) tables: Vec<Table>,
    /// At the foot of every page: by what the paper can be checked.
    pub(crate) foot: String,
}

/// A table with its heading.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) heading: &'static str,
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Vec<Cell>>,
    /// Said where there are no rows.
    pub(crate) empty: &'static str,
}

/// A column, and its part of the width.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) share: u16,
    pub(crate) numbers: bool,
}

impl Column {
    pub(crate) const fn text(name: &'static str, share: u16) -> Self {
        Self { name, share, numbers: false }
    }

    pub(crate) const fn numbers(name: &'static str, share: u16) -> Self {
        Self { name, share, numbers: true }
    }
}

/// What stands in a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Text(String),
    /// Hundredths.
    Amount(i64),
    Count(i64),
}

impl Cell {
    /// As people read it.
    pub(crate) fn words(&self) -> String {
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
