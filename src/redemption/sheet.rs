//! Tables that staff download: CSV or XLSX, with cells that a spreadsheet would run kept from it.

use actix_web::HttpResponse;
use actix_web::http::header;
use rust_xlsxwriter::{Workbook, XlsxError};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::exchange::csv::CsvWriter;
use crate::exchange::text;
use crate::http::Problem;

const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// How a list goes out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Format {
    #[default]
    Json,
    Csv,
    Xlsx,
}

/// A table to download: a header, and rows of as many cells.
pub(super) struct Sheet {
    /// Without its ending; ASCII.
    pub(super) name: String,
    pub(super) header: Vec<&'static str>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Sheet {
    /// The file, to be saved. A CSV begins with a byte order mark, so that spreadsheets read its Chinese.
    ///
    /// # Errors
    /// Where it could not be made.
    pub(super) fn respond(&self, format: Format) -> Result<HttpResponse, Problem> {
        let (kind, ending, body) = match format {
            Format::Xlsx => (XLSX, "xlsx", self.xlsx().map_err(|error| Problem::internal(&error))?),
            Format::Json | Format::Csv => {
                ("text/csv; charset=utf-8", "csv", self.csv().map_err(|error| Problem::internal(&error))?)
            }
        };
        let disposition = format!("attachment; filename=\"{}.{ending}\"", self.name);
        let mut response = HttpResponse::Ok();
        response.insert_header((header::CONTENT_TYPE, kind));
        response.insert_header((header::CONTENT_DISPOSITION, disposition));
        Ok(response.body(body))
    }

    fn csv(&self) -> std::io::Result<Vec<u8>> {
        let mut writer = CsvWriter::new("\u{feff}".as_bytes().to_vec());
        writer.write(self.header.iter().copied())?;
        for row in &self.rows {
            writer.write(row.iter().map(String::as_str))?;
        }
        writer.finish()
    }

    fn xlsx(&self) -> Result<Vec<u8>, XlsxError> {
        let mut book = Workbook::new();
        let sheet = book.add_worksheet();
        for (column, name) in (0_u16..).zip(&self.header) {
            sheet.write_string(0, column, *name)?;
        }
        for (line, row) in (1_u32..).zip(&self.rows) {
            for (column, cell) in (0_u16..).zip(row) {
                sheet.write_string(line, column, text::guard(cell))?;
            }
        }
        book.save_to_buffer()
    }
}
