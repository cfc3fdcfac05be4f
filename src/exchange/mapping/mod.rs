//! Files of others as a data set: a mapping says which file is which table, and how each column of the table is made of theirs.
//!
//! The rows are translated in memory and then imported like any others, with the same reasons, reports and repeats; a rejected
//! row is named by the line of the file it came from. A cell that the mapping cannot translate stays as it was found, so
//! that the import names what is wrong with it. `docs/foreign-data.md` describes the format.

mod cell;
mod spec;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::csv::CsvRecords;
use super::dataset::{DataSet, SetFile};
use super::decode::decode;
use super::record::Record;
use super::table::Table;
use super::text;
pub use spec::{Mapping, MappingError};
use spec::{Rule, TableSpec};

/// A translated row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappedRow {
    /// Where it starts in the file it came from.
    pub line: u64,
    /// The bytes were no text.
    pub bad_encoding: bool,
    /// In the order of [`Mapped::header`]; none where the row had not as many cells as its header.
    pub cells: Vec<String>,
}

/// A translated file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapped {
    pub header: Vec<String>,
    pub rows: Vec<MappedRow>,
}

impl Mapping {
    /// Translates the files of `folder`.
    ///
    /// # Errors
    /// [`MappingError`]: files that are not there, columns that a file lacks.
    pub fn apply(&self, folder: &Path) -> Result<DataSet, MappingError> {
        let missing: BTreeSet<String> = self
            .tables
            .iter()
            .filter_map(|table| table.file.as_ref())
            .map(|file| folder.join(file))
            .filter(|path| !path.is_file())
            .map(|path| path.display().to_string())
            .collect();
        if !missing.is_empty() {
            return Err(MappingError::Missing(missing.into_iter().collect::<Vec<_>>().join(", ")));
        }
        let mut set = DataSet::default();
        for spec in &self.tables {
            let table = spec.table()?;
            let mut warnings = Vec::new();
            let (name, path, mapped) = match &spec.file {
                Some(file) => {
                    let path = folder.join(file);
                    let mapped = self.file(spec, file, &path, &mut warnings)?;
                    (file.clone(), path, mapped)
                }
                None => (format!("{}[{}]", self.name, spec.table), PathBuf::new(), given(spec)),
            };
            set.warnings.append(&mut warnings);
            let bytes = mapped.rows.iter().flat_map(|row| &row.cells).map(|cell| cell.len() as u64 + 1).sum();
            let file = SetFile { name, path, bytes, mapped: Some(Arc::new(mapped)) };
            set.tables.entry(table).or_insert_with(Vec::new).push(file);
        }
        Ok(set)
    }

    fn file(
        &self,
        spec: &TableSpec,
        file: &str,
        path: &Path,
        warnings: &mut Vec<String>,
    ) -> Result<Mapped, MappingError> {
        let bytes = std::fs::read(path).map_err(|error| MappingError::Missing(format!("{file}: {error}")))?;
        let bytes = match spec.encoding()? {
            Some(encoding) => encoding.decode_without_bom_handling(&bytes).0.into_owned().into_bytes(),
            None => decode(bytes),
        };
        let mut records = CsvRecords::new(&bytes);
        let mut record = Record::default();
        records.read(&mut record);
        let header: Vec<String> = record.cells().map(|cell| text::fold(cell).into_owned()).collect();
        let mut places = HashMap::new();
        for (place, name) in header.iter().enumerate() {
            places.entry(name.as_str()).or_insert(place);
        }
        let rules: Vec<&Rule> = spec.columns.values().collect();
        self.look_for_columns(spec, file, &places)?;
        let mut mapped = Mapped { header: spec.columns.keys().cloned().collect(), rows: Vec::new() };
        let (mut other, mut again, mut seen) = (0_u64, 0_u64, BTreeSet::new());
        while records.read(&mut record) {
            let mut row = MappedRow { line: record.line, bad_encoding: record.bad_encoding, cells: Vec::new() };
            if record.len() == header.len() && !record.bad_encoding {
                let source = cell::Source { record: &record, places: &places };
                if !spec.chosen(|column| source.cell(column)) {
                    other += 1;
                    continue;
                }
                row.cells = rules.iter().map(|rule| self.cell(rule, &source)).collect();
                if !spec.distinct.is_empty() && !seen.insert(spec.key(&mapped.header, &row.cells)) {
                    again += 1;
                    continue;
                }
            }
            mapped.rows.push(row);
        }
        for (count, why) in [(other, "不符合映射的条件"), (again, "与前面的行重复")] {
            if count > 0 {
                warnings.push(format!("{file}：{count} 行{why}，未导入 {}", spec.table));
            }
        }
        Ok(mapped)
    }

    fn look_for_columns(
        &self,
        spec: &TableSpec,
        file: &str,
        places: &HashMap<&str, usize>,
    ) -> Result<(), MappingError> {
        let mut wanted: BTreeSet<&str> = spec.only.keys().chain(spec.except.keys()).map(String::as_str).collect();
        for rule in spec.columns.values() {
            rule.columns(&mut wanted);
        }
        let lacking: Vec<&str> = wanted.into_iter().filter(|column| !places.contains_key(column)).collect();
        if lacking.is_empty() {
            return Ok(());
        }
        Err(MappingError::Column { mapping: self.name.clone(), file: file.to_owned(), columns: lacking.join(", ") })
    }
}

/// Rows that the mapping brings along itself; each is named by its number.
fn given(spec: &TableSpec) -> Mapped {
    let names: BTreeSet<&String> = spec.rows.iter().flat_map(BTreeMap::keys).collect();
    let header: Vec<String> = names.into_iter().cloned().collect();
    let cells = |row: &BTreeMap<String, String>| {
        header.iter().map(|column| row.get(column).cloned().unwrap_or_default()).collect()
    };
    let row = |(line, row)| MappedRow { line, bad_encoding: false, cells: cells(row) };
    Mapped { rows: (1..).zip(&spec.rows).map(row).collect(), header }
}

/// The table's columns by which a row of a mapping is known, for messages.
fn column_of(table: Table, name: &str) -> bool {
    table.columns().iter().any(|column| column.name == name)
}
