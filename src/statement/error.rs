//! Why there is no statement, by name.

use std::io;

use sea_orm::DbErr;

use crate::http::Problem;

/// See each.
#[derive(Debug, thiserror::Error)]
pub(super) enum StatementError {
    /// The font has no sign for it: a box on paper would say nothing.
    #[error(
        "“{sign}”（U+{code:04X}）在字体中没有字形，无法打印。请改用 format=csv 或 xlsx 下载，或修改含有该字符的文字后重试"
    )]
    NotInFont { sign: char, code: u32 },
    #[error("writing the file: {0}")]
    Io(#[from] io::Error),
    #[error("writing the workbook: {0}")]
    Workbook(#[from] rust_xlsxwriter::XlsxError),
    #[error("writing the page: {0}")]
    Page(&'static str),
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// No `_` arm: a new variant chooses its status here.
impl From<StatementError> for Problem {
    fn from(error: StatementError) -> Self {
        match error {
            StatementError::NotInFont { .. } => Self::conflict("character_not_in_font", error.to_string()),
            StatementError::Db(cause) => cause.into(),
            StatementError::Io(_) | StatementError::Workbook(_) | StatementError::Page(_) => Self::internal(&error),
        }
    }
}
