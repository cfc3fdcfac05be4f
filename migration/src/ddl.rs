//! Column types of both databases, so that a table is written once.
//!
//! The SQLite names are those that SeaORM itself declares: its readers choose the decoder by them.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// `$NAME` in a statement, the SQLite type, the PostgreSQL type.
const TYPES: [(&str, &str, &str); 11] = [
    ("$UUID", "uuid_text", "uuid"),
    ("$TEXT", "text", "text"),
    ("$TIME", "timestamp_with_timezone_text", "timestamptz"),
    ("$DATE", "date_text", "date"),
    ("$BYTES", "blob", "bytea"),
    ("$JSON", "json_text", "jsonb"),
    ("$BOOL", "boolean", "boolean"),
    ("$SMALL", "smallint", "smallint"),
    ("$INT", "integer", "integer"),
    ("$BIG", "bigint", "bigint"),
    ("$REAL", "double", "double precision"),
];

/// What SQLite and PostgreSQL say differently beside types: a table clustered by its primary
/// key, and letters compared by code point, as SQLite does by itself.
const CLAUSES: [(&str, &str, &str); 2] = [("$CLUSTERED", "WITHOUT ROWID", ""), ("$BYTEWISE", "", "COLLATE \"C\"")];

/// Runs statements that both databases take once the types are filled in.
///
/// # Errors
/// The database's, of the first statement that fails.
pub(crate) async fn run(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    let sqlite = manager.get_database_backend() == DbBackend::Sqlite;
    for statement in statements {
        let mut text = (*statement).to_owned();
        for (name, on_sqlite, on_postgres) in TYPES.iter().chain(&CLAUSES) {
            text = text.replace(name, if sqlite { on_sqlite } else { on_postgres });
        }
        manager.get_connection().execute_unprepared(&text).await?;
    }
    Ok(())
}

/// Runs statements on one database only.
///
/// # Errors
/// The database's, of the first statement that fails.
pub(crate) async fn run_on(manager: &SchemaManager<'_>, backend: DbBackend, statements: &[&str]) -> Result<(), DbErr> {
    if manager.get_database_backend() == backend {
        run(manager, statements).await?;
    }
    Ok(())
}

/// Drops tables in the order given.
///
/// # Errors
/// The database's, of the first statement that fails.
pub(crate) async fn drop_tables(manager: &SchemaManager<'_>, tables: &[&str]) -> Result<(), DbErr> {
    for table in tables {
        let statement = format!("DROP TABLE {table}");
        manager.get_connection().execute_unprepared(&statement).await?;
    }
    Ok(())
}
