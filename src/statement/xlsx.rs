//! A paper as a workbook: text as text, never as a formula; numbers as numbers, so that they can be summed.

use rust_xlsxwriter::{Format, FormatAlign, Workbook, Worksheet, XlsxError};

use super::error::StatementError;
use super::paper::{Cell, Paper, Table};

/// Of a sheet's name, at most.
const NAME: usize = 31;

/// The file: the facts on the first sheet with the first table, each other table on a sheet of its own.
pub(super) fn write(paper: &Paper) -> Result<Vec<u8>, StatementError> {
    let mut book = Workbook::new();
    for (number, table) in paper.tables.iter().enumerate() {
        let sheet = book.add_worksheet();
        sheet.set_name(table.heading.chars().take(NAME).collect::<String>())?;
        let mut row = 0;
        if number == 0 {
            row = facts(sheet, paper)?;
        }
        row = rows(sheet, table, row)?;
        sheet.write_string(row + 1, 0, &paper.foot)?;
    }
    Ok(book.save_to_buffer()?)
}

fn facts(sheet: &mut Worksheet, paper: &Paper) -> Result<u32, XlsxError> {
    let large = Format::new().set_bold().set_font_size(14);
    sheet.write_string_with_format(0, 0, &paper.title, &large)?;
    let mut row = 1;
    for (label, value) in &paper.facts {
        sheet.write_string(row, 0, *label)?;
        cell(sheet, row, 1, value)?;
        row += 1;
    }
    Ok(row + 1)
}

fn rows(sheet: &mut Worksheet, table: &Table, mut row: u32) -> Result<u32, XlsxError> {
    let head = Format::new().set_bold();
    let right = Format::new().set_bold().set_align(FormatAlign::Right);
    for (at, column) in (0_u16..).zip(&table.columns) {
        sheet.write_string_with_format(row, at, column.name, if column.numbers { &right } else { &head })?;
        sheet.set_column_width(at, f64::from(column.share) * 0.9)?;
    }
    for cells in &table.rows {
        row += 1;
        for (at, value) in (0_u16..).zip(cells) {
            cell(sheet, row, at, value)?;
        }
    }
    if table.rows.is_empty() {
        row += 1;
        sheet.write_string(row, 0, table.empty)?;
    }
    Ok(row + 1)
}

fn cell(sheet: &mut Worksheet, row: u32, column: u16, cell: &Cell) -> Result<(), XlsxError> {
    match cell {
        Cell::Text(text) => sheet.write_string(row, column, text)?,
        Cell::Amount(hundredths) => {
            let format = Format::new().set_num_format("#,##0.00");
            sheet.write_number_with_format(row, column, shown(*hundredths) / 100.0, &format)?
        }
        Cell::Count(count) => sheet.write_number(row, column, shown(*count))?,
    };
    Ok(())
}

/// A workbook knows no other numbers. Exact up to 2⁵³, which is ninety million million points.
#[expect(clippy::cast_precision_loss, reason = "the file format has nothing better; nothing is computed from it")]
fn shown(number: i64) -> f64 {
    number as f64
}
