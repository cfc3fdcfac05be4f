//! What a database error means, the same on both databases.

use sea_orm::sqlx::postgres::PgDatabaseError;
use sea_orm::{DbErr, RuntimeErr, sqlx};

/// The error of a command given to [`Db::write`](super::Db::write). It shows the [`DbErr`] that caused it, so that
/// PostgreSQL can see what to run again.
pub trait CommandError: From<DbErr> {
    /// The database error behind this error, if one is.
    fn db_err(&self) -> Option<&DbErr>;
}

impl CommandError for DbErr {
    fn db_err(&self) -> Option<&DbErr> {
        Some(self)
    }
}

/// The meaning of a [`DbErr`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A unique or primary key has this value already.
    Unique(Violation),
    /// The row pointed to is not there, or is still pointed at.
    ForeignKey(Violation),
    /// A CHECK or NOT NULL says no.
    Check(Violation),
    /// A rule over several rows says no: EXCLUDE on PostgreSQL, `RAISE` in a trigger on either. The message of a trigger
    /// counts as the name of its rule.
    Exclusion(Violation),
    /// PostgreSQL asks to run the transaction again, and five runs were not enough.
    Serialization,
    /// PostgreSQL waited for a row held by another transaction longer than `lock_timeout`.
    LockTimeout,
    /// The database cannot be reached, is read-only, full, busy or too slow. After a write: the outcome may be unknown.
    Unavailable,
    /// Anything else: a mistake of ours.
    Other,
}

impl Fault {
    /// Whether the violated rule is `constraint`, by name, by table or by `table.column`. Never true for other faults.
    #[must_use]
    pub fn names(&self, constraint: &str) -> bool {
        match self {
            Self::Unique(violation)
            | Self::ForeignKey(violation)
            | Self::Check(violation)
            | Self::Exclusion(violation) => violation.0.contains(constraint),
            Self::Serialization | Self::LockTimeout | Self::Unavailable | Self::Other => false,
        }
    }
}

/// What was violated, in names only, never values. SQLite knows `table.column, table.column` of a unique key, the name of a
/// CHECK, nothing of a foreign key; PostgreSQL the constraint's name, its table and the columns of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation(String);

/// What `error` means.
#[must_use]
pub fn fault(error: &DbErr) -> Fault {
    match error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(RuntimeErr::Internal(_)) => Fault::Unavailable,
        DbErr::Conn(RuntimeErr::SqlxError(cause))
        | DbErr::Exec(RuntimeErr::SqlxError(cause))
        | DbErr::Query(RuntimeErr::SqlxError(cause)) => sqlx_fault(cause),
        DbErr::Exec(RuntimeErr::Internal(words)) if words == CONTENDED => Fault::Serialization,
        _ => Fault::Other,
    }
}

const CONTENDED: &str = "what this command read has changed before it wrote";

/// An error by which a command asks to be run again from its beginning: what it read first was no longer so when it came to
/// write. [`fault`] calls it [`Fault::Serialization`]. Where one writer does all, as on SQLite, there is no need for it.
#[must_use]
pub fn contended() -> DbErr {
    DbErr::Exec(RuntimeErr::Internal(CONTENDED.into()))
}

/// An error that [`fault`] calls [`Fault::Unavailable`].
pub(super) fn connection_error(why: impl Into<String>) -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(why.into()))
}

/// Whether the connection that gave `error` should never be used again: broken, or of a server that is going down or is a
/// standby by now.
pub(super) fn connection_is_dead(error: &DbErr) -> bool {
    let (DbErr::Conn(RuntimeErr::SqlxError(cause))
    | DbErr::Exec(RuntimeErr::SqlxError(cause))
    | DbErr::Query(RuntimeErr::SqlxError(cause))) = error
    else {
        return matches!(error, DbErr::Conn(_));
    };
    match &**cause {
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            code == "25006" || code.starts_with("08") || ["57P01", "57P02", "57P03"].contains(&&*code)
        }),
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}

fn sqlx_fault(error: &sqlx::Error) -> Fault {
    match error {
        sqlx::Error::Database(error) => match error.try_downcast_ref::<PgDatabaseError>() {
            Some(error) => postgres_fault(error),
            None => sqlite_fault(error.code().as_deref().unwrap_or_default(), error.message()),
        },
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => Fault::Unavailable,
        _ => Fault::Other,
    }
}

/// By extended result code (<https://www.sqlite.org/rescode.html>).
fn sqlite_fault(code: &str, message: &str) -> Fault {
    let code: i32 = code.parse().unwrap_or_default();
    let violation = || Violation(message.to_owned());
    match code {
        1555 | 2067 | 2579 => Fault::Unique(violation()),
        787 | 3091 => Fault::ForeignKey(violation()),
        275 | 1299 => Fault::Check(violation()),
        1811 => Fault::Exclusion(violation()),
        _ => match code & 0xff {
            // NOMEM, READONLY, INTERRUPT, IOERR, CORRUPT, FULL, CANTOPEN, PROTOCOL, NOTADB; BUSY, LOCKED
            5..=11 | 13..=15 | 26 => Fault::Unavailable,
            _ => Fault::Other,
        },
    }
}

/// By SQLSTATE (<https://www.postgresql.org/docs/15/errcodes-appendix.html>).
fn postgres_fault(error: &PgDatabaseError) -> Fault {
    match error.code() {
        "23505" => Fault::Unique(postgres_violation(error)),
        "23503" => Fault::ForeignKey(postgres_violation(error)),
        "23514" | "23502" => Fault::Check(postgres_violation(error)),
        "23P01" => Fault::Exclusion(postgres_violation(error)),
        "P0001" => Fault::Exclusion(Violation(error.message().to_owned())),
        "40001" | "40P01" => Fault::Serialization,
        "55P03" => Fault::LockTimeout,
        "25006" | "25P03" | "57014" | "57P01" | "57P02" | "57P03" | "57P05" => Fault::Unavailable,
        code if ["08", "53", "58"].contains(&&code[..2]) => Fault::Unavailable,
        _ => Fault::Other,
    }
}

/// `constraint table.column, table.column`. The columns of a key stand in the detail before its values:
/// `Key (a, b)=(1, 2) already exists.`
fn postgres_violation(error: &PgDatabaseError) -> Violation {
    let table = error.table().unwrap_or_default();
    let key = error.detail().and_then(|detail| detail.strip_prefix("Key (")?.split_once(")=")).map(|(key, _)| key);
    let columns = key.or(error.column()).unwrap_or_default().split(", ");
    let columns: Vec<_> = columns.map(|column| format!("{table}.{column}")).collect();
    Violation(format!("{} {}", error.constraint().unwrap_or_default(), columns.join(", ")))
}
