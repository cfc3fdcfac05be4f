//! A folder as a data set: which file belongs to which table, and its records.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::csv::CsvRecords;
use super::decode::decode;
use super::mapping::Mapped;
use super::record::Record;
use super::sheet::{Sheet, SheetLimits};
use super::table::Table;
use super::text;

/// Largest CSV file: it is held in memory while it is read.
const LARGEST_CSV: u64 = 256 << 20;

/// A file of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetFile {
    /// As the report names it.
    pub name: String,
    pub path: PathBuf,
    pub bytes: u64,
    /// What a mapping made of it; then the file itself is not read.
    pub mapped: Option<Arc<Mapped>>,
}

/// The files of a data set by table, those of one table in order of name.
#[derive(Clone, Debug, Default)]
pub struct DataSet {
    pub tables: BTreeMap<Table, Vec<SetFile>>,
    /// What was found beside, for people.
    pub warnings: Vec<String>,
}

impl DataSet {
    /// Looks through `folder`; its subfolders are not entered.
    ///
    /// # Errors
    /// Where the folder cannot be listed.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let mut entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        let mut set = Self::default();
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = entry.path();
            // Follows links: a set may be put together from files that lie elsewhere.
            let found = fs::metadata(&path).ok().filter(fs::Metadata::is_file);
            match (found, table_of(&path)) {
                (Some(found), Some(table)) => {
                    set.tables.entry(table).or_default().push(SetFile { name, path, bytes: found.len(), mapped: None });
                }
                (Some(_), None) => set.warnings.push(format!("{name}：不属于任何数据表，未读取")),
                (None, _) => set.warnings.push(format!("{name}：不是文件，未读取")),
            }
        }
        Ok(set)
    }
}

fn table_of(path: &Path) -> Option<Table> {
    let extension = path.extension()?.to_str()?;
    let known = ["csv", "xlsx"].iter().any(|known| extension.eq_ignore_ascii_case(known));
    if known { Table::of_stem(path.file_stem()?.to_str()?) } else { None }
}

/// A file in memory, decoded and within limits.
pub struct Loaded {
    content: Content,
    /// What of it will not be read, for people.
    pub warnings: Vec<String>,
}

enum Content {
    Csv(Vec<u8>),
    Sheet(Sheet),
    Mapped(Arc<Mapped>),
}

impl Loaded {
    /// Reads `file`.
    ///
    /// # Errors
    /// A sentence for people on why it is left out.
    pub fn open(file: &SetFile) -> Result<Self, String> {
        if let Some(mapped) = &file.mapped {
            return Ok(Self { content: Content::Mapped(Arc::clone(mapped)), warnings: Vec::new() });
        }
        let unreadable = |why: &dyn std::fmt::Display| format!("{}：无法读取，已跳过（{why}）", file.name);
        if file.path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("xlsx")) {
            let sheet = Sheet::open(&file.path, &SheetLimits::default()).map_err(|error| unreadable(&error))?;
            let others = sheet.others.iter().map(|other| format!("{}：只读第一个工作表，“{other}”未读取", file.name));
            return Ok(Self { warnings: others.collect(), content: Content::Sheet(sheet) });
        }
        if file.bytes > LARGEST_CSV {
            return Err(unreadable(&"文件过大，请拆分"));
        }
        let bytes = fs::read(&file.path).map_err(|error| unreadable(&error))?;
        Ok(Self { content: Content::Csv(decode(bytes)), warnings: Vec::new() })
    }

    /// The header and the records below it; `None` where there is not even a header.
    pub fn records(&self) -> Option<Records<'_>> {
        let mut cursor = match &self.content {
            Content::Csv(bytes) => Cursor::Csv(Box::new(CsvRecords::new(bytes))),
            Content::Sheet(sheet) => Cursor::Sheet { sheet, next: 0, width: 0 },
            Content::Mapped(mapped) => {
                return Some(Records { header: mapped.header.clone(), cursor: Cursor::Mapped { mapped, next: 0 } });
            }
        };
        let mut header = Record::default();
        if !cursor.read(&mut header) {
            return None;
        }
        let header: Vec<String> = header.cells().map(|cell| text::fold(cell).into_owned()).collect();
        if let Cursor::Sheet { width, .. } = &mut cursor {
            *width = header.len();
        }
        Some(Records { header, cursor })
    }
}

/// The records of one file in order.
pub struct Records<'a> {
    /// Folded, as written in the file.
    pub header: Vec<String>,
    cursor: Cursor<'a>,
}

enum Cursor<'a> {
    Csv(Box<CsvRecords<'a>>),
    Sheet { sheet: &'a Sheet, next: usize, width: usize },
    Mapped { mapped: &'a Mapped, next: usize },
}

impl Cursor<'_> {
    fn read(&mut self, record: &mut Record) -> bool {
        match self {
            Self::Csv(records) => records.read(record),
            Self::Sheet { sheet, next, width } => {
                let found = sheet.read(*next, *width, record);
                *next += 1;
                found
            }
            Self::Mapped { mapped, next } => {
                let Some(row) = mapped.rows.get(*next) else { return false };
                *next += 1;
                record.begin(row.line);
                record.bad_encoding = row.bad_encoding;
                row.cells.iter().for_each(|cell| record.push(cell));
                true
            }
        }
    }
}

impl Records<'_> {
    /// Puts the next record into `record`; false behind the last.
    pub fn read(&mut self, record: &mut Record) -> bool {
        self.cursor.read(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_go_to_their_tables_in_order_of_name_and_others_are_named() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "members_2.csv",
            "members.csv",
            "members_10.xlsx",
            "MEMBERS.CSV",
            "summary.json",
            "notes.csv",
            "goods.CSV",
            "members.xls",
        ] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        fs::create_dir(folder.path().join("regions.csv")).unwrap();
        let set = DataSet::open(folder.path()).unwrap();
        let found = |table| set.tables[&table].iter().map(|file| file.name.as_str()).collect::<Vec<_>>();
        assert_eq!(found(Table::Members), ["members.csv", "members_10.xlsx", "members_2.csv"]);
        assert_eq!(found(Table::Goods), ["goods.CSV"]);
        assert_eq!(set.tables.len(), 2);
        let others: Vec<_> = set.warnings.iter().map(|warning| warning.split('：').next().unwrap()).collect();
        assert_eq!(others, ["MEMBERS.CSV", "members.xls", "notes.csv", "regions.csv", "summary.json"]);
    }

    #[test]
    fn what_cannot_be_read_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("members.xlsx");
        fs::write(&path, "no workbook").unwrap();
        let file = SetFile { name: "members.xlsx".into(), bytes: 11, path, mapped: None };
        assert!(Loaded::open(&file).err().unwrap().starts_with("members.xlsx：无法读取"));
        let path = folder.path().join("members.csv");
        fs::write(&path, "\n \n").unwrap();
        let file = SetFile { name: "members.csv".into(), bytes: 3, path, mapped: None };
        assert!(Loaded::open(&file).unwrap().records().is_none());
    }
}
