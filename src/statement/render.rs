//! Making files: outside the workers, a few at a time, so that other requests go on.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use tokio::sync::Semaphore;
use utoipa::ToSchema;

use super::error::StatementError;
use super::paper::Paper;
use super::{csv, pdf, xlsx};
use crate::http::Problem;

/// How many files are made at once; a long one takes some ten megabytes.
static MAKERS: Semaphore = Semaphore::const_new(2);

/// What a statement is shown as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    #[default]
    Json,
    /// UTF-8 with a byte order mark.
    Csv,
    Xlsx,
    /// A4.
    Pdf,
}

impl Format {
    const fn ending(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
            Self::Pdf => "pdf",
        }
    }

    const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Pdf => "application/pdf",
        }
    }
}

/// The paper as a file to keep.
///
/// # Errors
/// 409 `character_not_in_font` for a PDF that could not be read.
pub(crate) async fn file(paper: Paper, format: Format) -> Result<HttpResponse, Problem> {
    let turn = MAKERS.acquire().await.map_err(|error| Problem::internal(&error))?;
    let named = disposition(&paper.name, format.ending());
    let made = web::block(move || match format {
        Format::Csv | Format::Json => csv::write(&paper),
        Format::Xlsx => xlsx::write(&paper),
        Format::Pdf => pdf::write(&paper),
    });
    let bytes: Result<Vec<u8>, StatementError> = made.await.map_err(|error| Problem::internal(&error))?;
    drop(turn);
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, format.media_type()))
        .insert_header((CONTENT_DISPOSITION, named))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(("X-Content-Type-Options", "nosniff"))
        .body(bytes?))
}

/// With the name as RFC 5987 writes it, and a plain one for those who do not read that.
fn disposition(name: &str, ending: &str) -> String {
    let mut encoded = String::new();
    for byte in format!("{name}.{ending}").bytes() {
        if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    format!("attachment; filename=\"statement.{ending}\"; filename*=UTF-8''{encoded}")
}

/// A half of a byte in hexadecimal.
fn digit(half: u8) -> char {
    char::from_digit(half.into(), 16).unwrap_or('0').to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_written_as_headers_can() {
        let expected = "attachment; filename=\"statement.pdf\"; filename*=UTF-8''%E7%A7%AF%E5%88%86_2026-11.pdf";
        assert_eq!(disposition("积分_2026-11", "pdf"), expected);
    }
}
