//! SQLite's errors in the clothes of sqlx's, so that one look at the code serves readers and writer.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use sea_orm::sqlx::error::{DatabaseError, ErrorKind};
use sea_orm::{RuntimeErr, sqlx};

/// An error of SQLite with its extended result code.
#[derive(Debug)]
struct SqliteError {
    code: i32,
    message: String,
}

impl fmt::Display for SqliteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "(code: {}) {}", self.code, self.message)
    }
}

impl Error for SqliteError {}

impl DatabaseError for SqliteError {
    fn message(&self) -> &str {
        &self.message
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(self.code.to_string().into())
    }

    fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn Error + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn Error + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        match self.code {
            1555 | 2067 => ErrorKind::UniqueViolation,
            787 => ErrorKind::ForeignKeyViolation,
            275 => ErrorKind::CheckViolation,
            1299 => ErrorKind::NotNullViolation,
            _ => ErrorKind::Other,
        }
    }
}

/// For [`sea_orm::DbErr::Exec`] and [`sea_orm::DbErr::Query`].
pub(super) fn runtime_error(error: rusqlite::Error) -> RuntimeErr {
    let (code, message) = match error {
        rusqlite::Error::SqliteFailure(cause, message) => {
            (cause.extended_code, message.unwrap_or_else(|| cause.to_string()))
        }
        other => return RuntimeErr::Internal(other.to_string()),
    };
    RuntimeErr::SqlxError(Arc::new(sqlx::Error::Database(Box::new(SqliteError { code, message }))))
}
