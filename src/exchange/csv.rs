//! CSV by RFC 4180: reading records with the line where each starts, and writing with the guard against formulas.

use std::borrow::Cow;
use std::io::{self, Write};

use ::csv::{ByteRecord, QuoteStyle, ReaderBuilder, Terminator, WriterBuilder};

use super::record::Record;
use super::text;

/// Reads the records of a decoded file, blank lines left out.
pub struct CsvRecords<'a> {
    reader: ::csv::Reader<&'a [u8]>,
    bytes: &'a [u8],
    raw: ByteRecord,
    /// How far lines have been counted: byte, and the line it is on.
    counted: (usize, u64),
}

impl<'a> CsvRecords<'a> {
    /// `bytes`: a file as [`decode`](super::decode::decode) leaves it.
    pub fn new(bytes: &'a [u8]) -> Self {
        // Only LF ends a record; the CR before it is taken off below, any other CR belongs to its cell.
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .terminator(Terminator::Any(b'\n'))
            .buffer_capacity(1 << 16)
            .from_reader(bytes);
        Self { reader, bytes, raw: ByteRecord::new(), counted: (0, 1) }
    }

    /// Puts the next record into `record`; false at the end.
    pub fn read(&mut self, record: &mut Record) -> bool {
        loop {
            // Reading from memory knows no failure, and uneven records are allowed: an error could only be the end.
            if !self.reader.read_byte_record(&mut self.raw).unwrap_or(false) {
                return false;
            }
            let line = self.line_of_record();
            if self.is_blank() {
                continue;
            }
            record.begin(line);
            self.copy_into(record);
            return true;
        }
    }

    /// Bytes read so far, for a progress bar.
    pub fn position(&self) -> u64 {
        self.reader.position().byte()
    }

    /// The reader's own count is of the place where it began to look, which lies before blank lines.
    fn line_of_record(&mut self) -> u64 {
        let (mut at, mut line) = self.counted;
        let looked_from = self.raw.position().map_or(0, ::csv::Position::byte);
        let start = usize::try_from(looked_from).unwrap_or(usize::MAX).min(self.bytes.len());
        let newlines = |part: &[u8]| part.iter().map(|b| u64::from(*b == b'\n')).sum::<u64>();
        line += newlines(self.bytes.get(at..start).unwrap_or_default());
        at = start;
        while self.bytes.get(at) == Some(&b'\n') {
            (at, line) = (at + 1, line + 1);
        }
        self.counted = (at, line);
        line
    }

    fn is_blank(&self) -> bool {
        self.raw.len() <= 1
            && self.raw.iter().all(|cell| std::str::from_utf8(cell).is_ok_and(|cell| text::trim(cell).is_empty()))
    }

    fn copy_into(&self, record: &mut Record) {
        let last = self.raw.len().saturating_sub(1);
        let end = usize::try_from(self.position()).unwrap_or(usize::MAX).min(self.bytes.len());
        let read = self.bytes.get(..end).unwrap_or_default();
        let ends_in_crlf = read.strip_suffix(b"\n").unwrap_or(read).ends_with(b"\r");
        for (index, cell) in self.raw.iter().enumerate() {
            let cell = if index == last && ends_in_crlf { cell.strip_suffix(b"\r").unwrap_or(cell) } else { cell };
            let text = String::from_utf8_lossy(cell);
            record.bad_encoding |= matches!(text, Cow::Owned(_)) || text.contains('\0');
            // The cell keeps its place: in a header the others still name their columns.
            record.push(&text);
        }
    }
}

/// Writes records: UTF-8, LF, quoted where needed, text that a spreadsheet would run guarded by `'`.
pub struct CsvWriter<W: Write>(::csv::Writer<W>);

impl<W: Write> CsvWriter<W> {
    pub fn new(sink: W) -> Self {
        Self(
            WriterBuilder::new()
                .quote_style(QuoteStyle::Necessary)
                .terminator(Terminator::Any(b'\n'))
                .flexible(true)
                .from_writer(sink),
        )
    }

    /// Writes one record.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn write<'c>(&mut self, cells: impl IntoIterator<Item = &'c str>) -> io::Result<()> {
        for cell in cells {
            self.0.write_field(text::guard(cell).as_bytes())?;
        }
        self.0.write_record(None::<&[u8]>)?;
        Ok(())
    }

    /// Writes out what is buffered and gives the sink back.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn finish(self) -> io::Result<W> {
        self.0.into_inner().map_err(|error| io::Error::new(error.error().kind(), error.error().to_string()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::exchange::decode::decode;

    fn read(bytes: &[u8]) -> Vec<(u64, Option<Vec<String>>)> {
        let file = decode(bytes.to_vec());
        let mut records = CsvRecords::new(&file);
        let (mut record, mut all) = (Record::default(), Vec::new());
        while records.read(&mut record) {
            all.push((record.line, (!record.bad_encoding).then(|| record.cells().map(str::to_owned).collect())));
        }
        all
    }

    /// What a readable record holds.
    macro_rules! cells {
        ($cells:expr) => {
            Some($cells.map(str::to_owned).to_vec())
        };
    }

    #[test]
    fn a_record_is_named_by_the_line_where_it_starts() {
        let file = b"\n\r\na,b\r\n  \n\"1\n2\",\"x\"\"y\"\n\n\n3,4\r\n5\n6,\"7\"";
        let expected = vec![
            (3, cells!(["a", "b"])),
            (5, cells!(["1\n2", "x\"y"])),
            (9, cells!(["3", "4"])),
            (10, cells!(["5"])),
            (11, cells!(["6", "7"])),
        ];
        assert_eq!(read(file), expected);
    }

    #[test]
    fn bytes_that_are_no_text_spoil_their_record_only() {
        assert_eq!(read("甲,乙\n".as_bytes()).len(), 1);
        let mut mixed = "甲,乙\n丙,".as_bytes().to_vec();
        mixed.extend(b"\xFF\n\"\xC3(\n\",1\n");
        mixed.extend("丁,戊\n".as_bytes());
        let expected = vec![(1, cells!(["甲", "乙"])), (2, None), (3, None), (5, cells!(["丁", "戊"]))];
        assert_eq!(read(&mixed), expected);
        assert_eq!(read(b"a\0b,c\nd,e"), vec![(1, None), (2, cells!(["d", "e"]))]);
    }

    #[test]
    fn a_quoted_cell_keeps_its_line_ends() {
        assert_eq!(read(b"\"a\r\nb\",\"c\r\"\r\nd,e"), vec![(1, cells!(["a\r\nb", "c\r"])), (3, cells!(["d", "e"]))]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_and_lines_are_counted(
            rows in prop::collection::vec(prop::collection::vec("[a甲,\"'=+@ \n\r\t-]{0,5}", 2..4), 1..12)
        ) {
            let mut writer = CsvWriter::new(Vec::new());
            let (mut line, mut starts) = (1, Vec::new());
            for row in &rows {
                writer.write(row.iter().map(String::as_str)).unwrap();
                starts.push(line);
                line += 1 + row.iter().map(|cell| cell.matches('\n').count() as u64).sum::<u64>();
            }
            let bytes = writer.finish().unwrap();
            let found = read(&bytes);
            prop_assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), starts);
            for (row, (_, cells)) in rows.iter().zip(found) {
                let back: Vec<_> = cells.unwrap().iter().map(|cell| text::unguard(cell).unwrap_or(cell).to_owned()).collect();
                prop_assert_eq!(&back, row);
            }
        }
    }
}
