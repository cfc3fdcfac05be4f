//! XLSX workbooks: the first sheet as records, with limits that hold before anything is parsed.
//!
//! A workbook is a zip archive of XML, so a small file can hold a huge one. First every member of the archive is unpacked
//! into nothing and counted; only then the reader may see it. What the cells say is kept in one string, so that the memory
//! is that of the text.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use calamine::{DataRef, Reader, Xlsx, XlsxError};
use thiserror::Error;

use super::record::Record;
use super::text;

/// What a workbook may be, at most.
#[derive(Clone, Copy, Debug)]
pub struct SheetLimits {
    /// Bytes of the file.
    pub packed: u64,
    /// Bytes of all members of the archive together, unpacked.
    pub unpacked: u64,
    /// Bytes of the table of shared strings, which is held in memory.
    pub shared_strings: u64,
    /// Unpacked bytes for one packed byte, for members above 1 MiB.
    pub ratio: u64,
    pub members: usize,
    pub rows: u32,
    pub columns: u32,
    /// Bytes of one cell (Excel's own limit is 32,767 characters).
    pub cell: usize,
    /// Bytes of all cells.
    pub text: usize,
}

const MIB: u64 = 1 << 20;

impl Default for SheetLimits {
    fn default() -> Self {
        Self {
            packed: 64 * MIB,
            unpacked: 384 * MIB,
            shared_strings: 48 * MIB,
            ratio: 200,
            members: 1_000,
            rows: 500_000,
            columns: 200,
            cell: 4 * 32_767,
            text: 64 << 20,
        }
    }
}

/// Why a workbook was not read.
#[derive(Debug, Error)]
pub enum SheetError {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("不是有效的 XLSX 文件，请用表格软件另存为 XLSX 或 CSV")]
    NotAWorkbook,
    #[error("超出上限（{0}），请拆分为多个文件或改用 CSV")]
    TooLarge(&'static str),
    #[error("含有 DTD 声明，拒绝读取")]
    Entities,
}

impl From<XlsxError> for SheetError {
    fn from(_: XlsxError) -> Self {
        Self::NotAWorkbook
    }
}

/// The rows of a sheet.
#[derive(Debug, Default)]
pub struct Sheet {
    text: String,
    /// End of each cell in `text`.
    ends: Vec<u32>,
    /// Number of the row (from 1), end of its cells in `ends`.
    rows: Vec<(u32, u32)>,
    /// Names of further sheets, which are not read.
    pub others: Vec<String>,
}

impl Sheet {
    /// Reads the first sheet of the workbook at `path`.
    ///
    /// # Errors
    /// Where the file cannot be read, is no workbook, or is beyond `limits`.
    pub fn open(path: &Path, limits: &SheetLimits) -> Result<Self, SheetError> {
        let file = File::open(path)?;
        if file.metadata()?.len() > limits.packed {
            return Err(SheetError::TooLarge("文件大小"));
        }
        Self::read_from(BufReader::new(file), limits)
    }

    /// Reads the first sheet of a workbook whose size is known to be within the limits.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn read_from<R: Read + Seek>(mut reader: R, limits: &SheetLimits) -> Result<Self, SheetError> {
        weigh(&mut reader, limits)?;
        reader.rewind()?;
        let mut book: Xlsx<_> = Xlsx::new(reader)?;
        let mut names = book.sheet_names().into_iter();
        let first = names.next().ok_or(SheetError::NotAWorkbook)?;
        let mut sheet = Self { others: names.collect(), ..Self::default() };
        sheet.fill(&mut book, &first, limits)?;
        Ok(sheet)
    }

    fn fill<R: Read + Seek>(&mut self, book: &mut Xlsx<R>, name: &str, limits: &SheetLimits) -> Result<(), SheetError> {
        let mut cells = book.worksheet_cells_reader(name)?;
        let (mut row, mut width) = (None, 0);
        while let Some(cell) = cells.next_cell()? {
            let (at_row, at_column) = cell.get_position();
            let value = text_of(cell.get_value());
            if text::trim(&value).is_empty() {
                continue;
            }
            if self.rows.len() >= limits.rows as usize {
                return Err(SheetError::TooLarge("行数"));
            }
            if at_column >= limits.columns {
                return Err(SheetError::TooLarge("列数"));
            }
            if value.len() > limits.cell || self.text.len() + value.len() > limits.text {
                return Err(SheetError::TooLarge("文字长度"));
            }
            if row != Some(at_row) {
                if row.is_some_and(|row| at_row < row) {
                    return Err(SheetError::NotAWorkbook);
                }
                (row, width) = (Some(at_row), 0);
                self.rows.push((at_row.saturating_add(1), cells_so_far(&self.ends)));
            } else if at_column < width {
                return Err(SheetError::NotAWorkbook);
            }
            while width < at_column {
                self.push("");
                width += 1;
            }
            self.push(&value);
            width += 1;
            if let Some(last) = self.rows.last_mut() {
                last.1 = cells_so_far(&self.ends);
            }
        }
        Ok(())
    }

    fn push(&mut self, cell: &str) {
        self.text.push_str(cell);
        self.ends.push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
    }

    /// Number of rows that are not blank, header included.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is nothing but blank rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Puts the row at `index` (blank ones not counted) into `record`; false behind the last. A row has as many cells as lie
    /// before its last that is not empty, but at least `width`.
    pub fn read(&self, index: usize, width: usize, record: &mut Record) -> bool {
        let Some(&(line, end)) = self.rows.get(index) else { return false };
        let start = index.checked_sub(1).and_then(|before| self.rows.get(before)).map_or(0, |row| row.1);
        record.begin(u64::from(line));
        let mut from = start.checked_sub(1).and_then(|before| self.ends.get(before as usize)).copied().unwrap_or(0);
        for &until in self.ends.get(start as usize..end as usize).unwrap_or_default() {
            let cell = self.text.get(from as usize..until as usize).unwrap_or("");
            record.push(cell);
            record.bad_encoding |= cell.contains('\0');
            from = until;
        }
        while record.len() < width {
            record.push("");
        }
        true
    }
}

/// Bounded by the limits on rows and columns.
fn cells_so_far(ends: &[u32]) -> u32 {
    u32::try_from(ends.len()).unwrap_or(u32::MAX)
}

/// A cell as a CSV file would have it: whole numbers without a point, moments in the main form.
fn text_of(value: &DataRef<'_>) -> String {
    match value {
        DataRef::Int(number) => number.to_string(),
        // The shortest text that gives the number back; `13800000000` and not `13800000000.0`.
        DataRef::Float(number) => number.to_string(),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Bool(value) => value.to_string(),
        DataRef::DateTime(at) if at.is_datetime() && at.as_f64() >= 1.0 => {
            let (year, month, day, hour, minute, second, _) = at.to_ymd_hms_milli();
            format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
        }
        DataRef::DateTime(at) => at.as_f64().to_string(),
        DataRef::Error(error) => error.to_string(),
        DataRef::Empty => String::new(),
    }
}

/// Unpacks every member of the archive into nothing, counting, and refuses what is too large or declares entities.
fn weigh<R: Read + Seek>(reader: R, limits: &SheetLimits) -> Result<(), SheetError> {
    let mut archive = zip::ZipArchive::new(reader).map_err(|_| SheetError::NotAWorkbook)?;
    if archive.len() > limits.members {
        return Err(SheetError::TooLarge("压缩包内文件数"));
    }
    let mut total = 0;
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).map_err(|_| SheetError::NotAWorkbook)?;
        let name = member.name().map_err(|_| SheetError::NotAWorkbook)?;
        let strings = name.to_ascii_lowercase().contains("sharedstrings");
        let left = limits.unpacked - total;
        let allowed = if strings { left.min(limits.shared_strings) } else { left };
        let by_ratio = (member.compressed_size().saturating_mul(limits.ratio)).max(MIB);
        total += count(&mut member, allowed.min(by_ratio))?;
    }
    Ok(())
}

fn count(member: &mut impl Read, allowed: u64) -> Result<u64, SheetError> {
    let mut buffer = vec![0; 1 << 16];
    let mut total = 0;
    loop {
        let read = member.read(&mut buffer).map_err(|_| SheetError::NotAWorkbook)?;
        let part = buffer.get(..read).unwrap_or_default();
        if read == 0 {
            return Ok(total);
        }
        // A document type stands at the head of a document.
        if total == 0 && part.windows(9).any(|bytes| bytes.eq_ignore_ascii_case(b"<!doctype")) {
            return Err(SheetError::Entities);
        }
        total += read as u64;
        if total > allowed {
            return Err(SheetError::TooLarge("解压后大小"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};
    use zip::write::SimpleFileOptions;

    use super::*;

    fn rows(sheet: &Sheet) -> Vec<(u64, Vec<String>)> {
        let mut record = Record::default();
        let mut all = Vec::new();
        while sheet.read(all.len(), 3, &mut record) {
            all.push((record.line, record.cells().map(str::to_owned).collect()));
        }
        all
    }

    fn open(bytes: &[u8], limits: &SheetLimits) -> Result<Sheet, SheetError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        Sheet::open(file.path(), limits)
    }

    fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, bytes) in members {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    #[test]
    fn cells_become_what_a_csv_file_would_hold() {
        let mut book = Workbook::new();
        let sheet = book.add_worksheet();
        for (column, header) in ["编号", "手机号", "签到时间"].into_iter().enumerate() {
            sheet.write(1, u16::try_from(column).unwrap(), header).unwrap();
        }
        sheet.write(3, 0, "M1").unwrap().write(3, 1, 13_800_000_000_f64).unwrap();
        let format = Format::new().set_num_format("yyyy-mm-dd hh:mm");
        let at = ExcelDateTime::parse_from_str("2023-03-15T09:00:00").unwrap();
        sheet.write_with_format(3, 2, &at, &format).unwrap();
        sheet.write(4, 1, 45000.375).unwrap();
        book.add_worksheet();
        let sheet = open(&book.save_to_buffer().unwrap(), &SheetLimits::default()).unwrap();
        let text = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        assert_eq!(
            rows(&sheet),
            vec![
                (2, text(["编号", "手机号", "签到时间"])),
                (4, text(["M1", "13800000000", "2023-03-15 09:00:00"])),
                (5, text(["", "45000.375", ""])),
            ]
        );
        assert_eq!(sheet.others, ["Sheet2"]);
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_parsed() {
        let zeros = vec![b'0'; 8 << 20];
        let bomb = archive(&[("xl/worksheets/sheet1.xml", &zeros)]);
        assert!(bomb.len() < 100_000);
        assert!(matches!(open(&bomb, &SheetLimits::default()), Err(SheetError::TooLarge(_))));
        let limits = SheetLimits { members: 1, ..SheetLimits::default() };
        assert!(matches!(open(&archive(&[("a", b""), ("b", b"")]), &limits), Err(SheetError::TooLarge(_))));
    }

    #[test]
    fn entities_other_formats_and_odd_paths_are_refused() {
        let limits = SheetLimits::default();
        let entity = archive(&[(
            "xl/workbook.xml",
            b"<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>",
        )]);
        assert!(matches!(open(&entity, &limits), Err(SheetError::Entities)));
        assert!(matches!(open(b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1 an old one", &limits), Err(SheetError::NotAWorkbook)));
        assert!(matches!(open(b"", &limits), Err(SheetError::NotAWorkbook)));
        assert!(matches!(
            open(&archive(&[("../../xl/workbook.xml", b"<x/>")]), &limits),
            Err(SheetError::NotAWorkbook)
        ));
    }

    #[test]
    fn rows_columns_and_cells_are_limited() {
        let mut book = Workbook::new();
        let sheet = book.add_worksheet();
        for row in 0..5 {
            sheet.write(row, 0, "x").unwrap().write(row, 4, "long text").unwrap();
        }
        let bytes = book.save_to_buffer().unwrap();
        let limits = SheetLimits::default();
        assert_eq!(open(&bytes, &limits).unwrap().len(), 5);
        for limits in [
            SheetLimits { rows: 4, ..limits },
            SheetLimits { columns: 4, ..limits },
            SheetLimits { cell: 8, ..limits },
            SheetLimits { text: 20, ..limits },
            SheetLimits { packed: 100, ..limits },
            SheetLimits { unpacked: 1000, ..limits },
            SheetLimits { shared_strings: 10, ..limits },
        ] {
            assert!(matches!(open(&bytes, &limits), Err(SheetError::TooLarge(_))), "{limits:?}");
        }
    }
}
