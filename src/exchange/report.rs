//! What an import says about each table, in the shape of API.md.

use std::collections::BTreeMap;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::table::Table;

/// Why a record was not taken; the text is stable, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reason(&'static str);

macro_rules! reasons {
    ($($name:ident = $text:literal),+ $(,)?) => {
        impl Reason {
            $(pub const $name: Self = Self($text);)+
        }
    };
}

reasons! {
    BAD_ENCODING = "bad_encoding",
    COLUMN_COUNT = "column_count",
    MISSING_FIELD = "missing_field",
    CONFLICT = "conflict",
    NAME_TOO_LONG = "name_too_long",
    FORMULA_CELL = "formula_cell",
    BAD_PHONE = "bad_phone",
    BAD_BIRTH_YEAR = "bad_birth_year",
    DUPLICATE_ID = "duplicate_id",
    DUPLICATE_PHONE = "duplicate_phone",
    BAD_TIME = "bad_time",
    BAD_NUMBER = "bad_number",
    NEGATIVE_HOURS = "negative_hours",
    TOO_LONG = "too_long",
    HOURS_MISMATCH = "hours_mismatch",
    BAD_POINTS = "bad_points",
    OVERLAP = "overlap",
    INSUFFICIENT_POINTS = "insufficient_points",
    OUT_OF_STOCK = "out_of_stock",
    LIMIT_REACHED = "limit_reached",
    UNKNOWN_REGION = "unknown_region",
    UNKNOWN_UNIT = "unknown_unit",
    UNKNOWN_MEMBER = "unknown_member",
    UNKNOWN_ACTIVITY = "unknown_activity",
    UNKNOWN_CATEGORY = "unknown_category",
    UNKNOWN_SKILL = "unknown_skill",
    UNKNOWN_SPECIAL_GROUP = "unknown_special_group",
    UNKNOWN_GOODS = "unknown_goods",
    UNKNOWN_STATION = "unknown_station",
    UNKNOWN_RECORD = "unknown_service_record",
    UNKNOWN_ACCOUNT = "unknown_account",
    UNKNOWN_LIST = "unknown_list",
    UNKNOWN_LEVEL = "unknown_level",
    UNKNOWN_STATUS = "unknown_status",
    UNKNOWN_KIND = "unknown_kind",
    UNKNOWN_EVIDENCE = "unknown_evidence",
    UNKNOWN_REASON = "unknown_reason",
    UNKNOWN_PROGRAMME = "unknown_programme",
}

impl Reason {
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

/// Where a rejected record starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Name of the file within the set.
    pub file: String,
    /// Header = 1.
    pub line: u64,
}

/// The records of one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rejections {
    pub count: u64,
    /// In order of reading.
    pub lines: Vec<Place>,
}

/// Counts of one table; `read` is the sum of the others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TableReport {
    pub read: u64,
    pub accepted: u64,
    /// The same record was imported before.
    pub unchanged: u64,
    pub rejected: u64,
    /// Of a table that this version does not store.
    pub skipped: u64,
    pub reasons: BTreeMap<&'static str, Rejections>,
}

impl TableReport {
    /// Notes a rejected record.
    pub fn reject(&mut self, reason: Reason, file: &str, line: u64) {
        self.rejected += 1;
        let rejections = self.reasons.entry(reason.as_str()).or_default();
        rejections.count += 1;
        rejections.lines.push(Place { file: file.to_owned(), line });
    }

    /// Sorts the places by file, as `rank` orders them, and line: a table may be read in several passes.
    pub(super) fn in_order(&mut self, rank: impl Fn(&str) -> Option<usize>) {
        for rejections in self.reasons.values_mut() {
            rejections.lines.sort_by_cached_key(|place| (rank(&place.file), place.line));
        }
    }
}

/// The report of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    #[serde(serialize_with = "by_name")]
    pub tables: BTreeMap<Table, TableReport>,
    /// For people: files that were not read, hours that are hard to believe, cells that were left out.
    pub warnings: Vec<String>,
}

fn by_name<S: Serializer>(tables: &BTreeMap<Table, TableReport>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(tables.len()))?;
    for (table, report) in tables {
        map.serialize_entry(table.name(), report)?;
    }
    map.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_has_the_shape_of_the_contract() {
        let mut members = TableReport { read: 2, accepted: 1, ..TableReport::default() };
        members.reject(Reason::BAD_PHONE, "members.csv", 3);
        let report =
            Report { tables: BTreeMap::from([(Table::Members, members)]), warnings: vec!["summary.json".into()] };
        insta::assert_json_snapshot!(report, @r#"
        {
          "tables": {
            "members": {
              "read": 2,
              "accepted": 1,
              "unchanged": 0,
              "rejected": 1,
              "skipped": 0,
              "reasons": {
                "bad_phone": {
                  "count": 1,
                  "lines": [
                    {
                      "file": "members.csv",
                      "line": 3
                    }
                  ]
                }
              }
            }
          },
          "warnings": [
            "summary.json"
          ]
        }
        "#);
    }
}
