//! A paper as CSV: UTF-8 with the mark that spreadsheets look for, one table under the other.

use std::io;

use ::csv::{Terminator, WriterBuilder};

use super::error::StatementError;
use super::paper::{Cell, Paper};
use crate::exchange::text::guard;

const MARK: &[u8] = "\u{feff}".as_bytes();

/// The file. Numbers stay numbers, also below zero; text that a spreadsheet would run is guarded by `'`.
pub(super) fn write(paper: &Paper) -> Result<Vec<u8>, StatementError> {
    let mut writer = WriterBuilder::new().flexible(true).terminator(Terminator::CRLF).from_writer(MARK.to_vec());
    let mut line = |cells: &[String]| -> io::Result<()> { Ok(writer.write_record(cells)?) };
    line(&[text(&paper.title)])?;
    for (label, value) in &paper.facts {
        line(&[(*label).to_owned(), cell(value)])?;
    }
    for table in &paper.tables {
        line(&[String::new()])?;
        line(&[table.heading.to_owned()])?;
        line(&table.columns.iter().map(|column| column.name.to_owned()).collect::<Vec<_>>())?;
        for row in &table.rows {
            line(&row.iter().map(cell).collect::<Vec<_>>())?;
        }
        if table.rows.is_empty() {
            line(&[table.empty.to_owned()])?;
        }
    }
    line(&[String::new()])?;
    line(&[text(&paper.foot)])?;
    writer.into_inner().map_err(|error| io::Error::other(error.to_string()).into())
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Text(words) => text(words),
        Cell::Amount(_) | Cell::Count(_) => cell.words(),
    }
}

fn text(words: &str) -> String {
    guard(words).into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::paper::{Column, Table};
    use super::*;

    #[test]
    fn text_is_guarded_and_numbers_are_not() {
        let paper = Paper {
            title: "对账单".to_owned(),
            name: String::new(),
            facts: vec![("姓名", "=1+1".into())],
            tables: vec![Table {
                heading: "明细",
                columns: vec![Column::text("来源", 1), Column::numbers("积分", 1)],
                rows: vec![vec!["+86, \"a\"".into(), Cell::Amount(-150)]],
                empty: "无",
            }],
            foot: "@".to_owned(),
        };
        let bytes = write(&paper).unwrap();
        let expected =
            "\u{feff}对账单\r\n姓名,'=1+1\r\n\"\"\r\n明细\r\n来源,积分\r\n\"'+86, \"\"a\"\"\",-1.50\r\n\"\"\r\n'@\r\n";
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }
}
