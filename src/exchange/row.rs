//! A record as a row of its table: cells by column, normalized, with the checks that all tables share.

use std::borrow::Cow;
use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::record::Record;
use super::report::Reason;
use super::table::{Kind, Table, english};
use super::{text, time};

/// What a row said when it was imported: equal for equal content, whatever file, order of columns or notation it came in.
pub type Fingerprint = [u8; 16];

/// Where the columns of a table stand in a file.
#[derive(Debug)]
pub struct Layout {
    table: Table,
    /// Number of cells a record must have.
    width: usize,
    /// For each column of the table its place in the file.
    places: Vec<Option<usize>>,
}

impl Layout {
    /// By the file's header, folded. Of two columns with one name the first counts, unknown ones are passed over.
    pub fn new(table: Table, header: &[String]) -> Self {
        let mut by_name = HashMap::new();
        for (place, name) in header.iter().enumerate() {
            by_name.entry(english(name).unwrap_or(name)).or_insert(place);
        }
        let places = table.columns().iter().map(|column| by_name.get(column.name).copied()).collect();
        Self { table, width: header.len(), places }
    }
}

/// A row whose required cells are filled. Cells are given by their place in [`Table::columns`].
#[derive(Debug, Default)]
pub struct Row {
    cells: Vec<String>,
    /// Cells that lost the `'` of an export.
    unguarded: u64,
}

impl Row {
    /// Takes over a record; the row keeps its memory from one to the next.
    ///
    /// # Errors
    /// The first of `bad_encoding`, `column_count` and `missing_field` that applies.
    pub fn fill(&mut self, layout: &Layout, record: &Record) -> Result<(), Reason> {
        if record.bad_encoding {
            return Err(Reason::BAD_ENCODING);
        }
        if record.len() != layout.width {
            return Err(Reason::COLUMN_COUNT);
        }
        let columns = layout.table.columns();
        self.cells.resize_with(columns.len(), String::new);
        self.unguarded = 0;
        let mut complete = true;
        for (index, ((column, place), cell)) in columns.iter().zip(&layout.places).zip(&mut self.cells).enumerate() {
            cell.clear();
            let raw = place.map_or("", |place| record.cell(place));
            let bare = text::unguard(raw);
            self.unguarded |= u64::from(bare.is_some()) << index;
            let bare = bare.unwrap_or(raw);
            match column.kind {
                Kind::Text => cell.push_str(text::trim(bare)),
                Kind::Code | Kind::List | Kind::Number | Kind::Moment | Kind::Day | Kind::Instant | Kind::Phone => {
                    cell.push_str(&text::fold(bare));
                }
            }
            complete &= !(column.required && cell.is_empty());
        }
        if complete { Ok(()) } else { Err(Reason::MISSING_FIELD) }
    }

    /// The cell of column `index`; empty where the file has none.
    pub fn cell(&self, index: usize) -> &str {
        self.cells.get(index).map_or("", String::as_str)
    }

    /// The cell, if it is not empty.
    pub fn given(&self, index: usize) -> Option<&str> {
        Some(self.cell(index)).filter(|cell| !cell.is_empty())
    }

    /// Whether the file's cell itself starts a formula.
    pub fn starts_formula(&self, index: usize) -> bool {
        self.unguarded & (1 << index) == 0 && text::starts_formula(self.cell(index))
    }

    /// Over all cells that are not empty, in one notation each.
    pub fn fingerprint(&self, table: Table) -> Fingerprint {
        let mut hasher = Sha256::new();
        for (column, cell) in table.columns().iter().zip(&self.cells).filter(|(_, cell)| !cell.is_empty()) {
            let canonical = canonical(column.kind, cell);
            hasher.update(column.name);
            hasher.update([0]);
            hasher.update(canonical.as_bytes());
            hasher.update([0]);
        }
        let digest: [u8; 32] = hasher.finalize().into();
        let mut fingerprint = Fingerprint::default();
        fingerprint.copy_from_slice(&digest[..16]);
        fingerprint
    }
}

/// One notation for all that mean the same; what means nothing stays as it is.
fn canonical(kind: Kind, cell: &str) -> Cow<'_, str> {
    let other = match kind {
        Kind::Code | Kind::Text | Kind::Instant => None,
        Kind::List => {
            let mut parts: Vec<&str> = text::list(cell).collect();
            parts.sort_unstable();
            Some(parts.join(";"))
        }
        Kind::Number => text::decimal(cell).map(|number| number.normalize().to_string()),
        Kind::Moment if is_main_form(cell) => None,
        Kind::Moment => time::moment(cell).map(|at| at.format("%Y-%m-%d %H:%M").to_string()),
        Kind::Day => time::day(cell).map(|day| day.to_string()),
        Kind::Phone => text::phone(cell),
    };
    other.map_or(Cow::Borrowed(cell), Cow::Owned)
}

/// `2023-01-14 13:45`, which is its own canonical form.
fn is_main_form(cell: &str) -> bool {
    let shape = cell.bytes().map(|b| if b.is_ascii_digit() { b'0' } else { b });
    shape.eq(*b"0000-00-00 00:00")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(table: Table, header: &[&str], cells: &[&str]) -> Result<Row, Reason> {
        let header: Vec<String> = header.iter().map(|&name| name.to_owned()).collect();
        let mut record = Record::default();
        record.begin(2);
        for cell in cells {
            record.push(cell);
        }
        let mut row = Row::default();
        row.fill(&Layout::new(table, &header), &record).map(|()| row)
    }

    const HEADER: [&str; 5] = ["participation_id", "activity_id", "member_id", "check_in", "check_out"];

    #[test]
    fn chinese_headers_stand_for_the_english_ones_in_any_order() {
        let english =
            row(Table::Participations, &HEADER, &["P1", "A1", "M1", "2023-03-15 09:00", "2023-03-15 10:00"]).unwrap();
        let header = ["签退时间", "备注", "记录编号", "志愿者编号", "活动编号", "签到时间"];
        let chinese =
            row(Table::Participations, &header, &["2023/3/15 10:00:00", "x", "Ｐ1", "\u{3000}M1", "A1", "45000.375"])
                .unwrap();
        assert_eq!(chinese.cell(0), "P1");
        assert_eq!(chinese.cell(2), "M1");
        assert_eq!(english.fingerprint(Table::Participations), chinese.fingerprint(Table::Participations));
    }

    #[test]
    fn the_shared_checks_come_in_their_order() {
        let reason = |cells: &[&str]| row(Table::Participations, &HEADER, cells).err();
        assert_eq!(reason(&["P1", "", "M1", ""]), Some(Reason::COLUMN_COUNT));
        assert_eq!(reason(&["P1", "A1", "\u{3000}", "x", "y"]), Some(Reason::MISSING_FIELD));
        assert_eq!(reason(&["P1", "A1", "M1", "x", "y"]), None);
    }

    #[test]
    fn the_guard_of_an_export_is_taken_off() {
        let header = ["member_id", "name", "phone", "region_code"];
        let guarded = row(Table::Members, &header, &["M1", "'=x", "'+8613800000000", "1"]).unwrap();
        assert_eq!((guarded.cell(1), guarded.cell(2)), ("=x", "+8613800000000"));
        assert!(!guarded.starts_formula(1));
        assert!(row(Table::Members, &header, &["M1", "=x", "1", "1"]).unwrap().starts_formula(1));
    }

    #[test]
    fn other_content_has_another_fingerprint() {
        let print = |member: &str, time: &str| {
            row(Table::Participations, &HEADER, &["P1", "A1", member, time, "2023-03-15 10:00"])
                .unwrap()
                .fingerprint(Table::Participations)
        };
        assert_eq!(print("M1", "2023-03-15 09:00"), print("Ｍ１", "2023年3月15日 9:00"));
        assert_ne!(print("M1", "2023-03-15 09:00"), print("M1", "2023-03-15 09:01"));
        assert_ne!(print("M1", "soon"), print("M1", "later"));
    }
}
