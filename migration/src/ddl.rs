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

/// A CHECK of a column that is to say something else.
pub(crate) struct Recheck {
    pub(crate) table: &'static str,
    /// As PostgreSQL names it: `table_column_check` where `CREATE TABLE` did not.
    pub(crate) name: &'static str,
    /// As `CREATE TABLE` wrote it.
    pub(crate) old: &'static str,
    pub(crate) new: &'static str,
}

impl Recheck {
    /// The way down.
    pub(crate) const fn back(&self) -> Self {
        Self { table: self.table, name: self.name, old: self.new, new: self.old }
    }
}

/// Replaces a CHECK. SQLite has no statement for it: its manual ("Making Other Kinds Of Table Schema Changes") lets the text
/// of the table be rewritten, which copies no row and leaves foreign keys alone. Rows are not looked at, so only a CHECK
/// that admits more is safe on the way up.
///
/// # Errors
/// The database's; that the table does not have this CHECK.
pub(crate) async fn recheck(manager: &SchemaManager<'_>, check: &Recheck) -> Result<(), DbErr> {
    let Recheck { table, name, old, new } = check;
    let db = manager.get_connection();
    if manager.get_database_backend() == DbBackend::Postgres {
        let change = format!("ALTER TABLE {table} DROP CONSTRAINT {name}, ADD CONSTRAINT {name} {new}");
        return db.execute_unprepared(&change).await.map(drop);
    }
    let quoted = |text: &str| text.replace('\'', "''");
    let (was, is) = (quoted(old), quoted(new));
    db.execute_unprepared("PRAGMA writable_schema = ON").await?;
    let rewrite = format!(
        "UPDATE sqlite_schema SET sql = replace(sql, '{was}', '{is}') \
         WHERE type = 'table' AND name = '{table}' AND instr(sql, '{was}') > 0"
    );
    let rewritten = db.execute_unprepared(&rewrite).await?.rows_affected();
    db.execute_unprepared("PRAGMA writable_schema = RESET").await?;
    if rewritten == 1 { Ok(()) } else { Err(DbErr::Migration(format!("{table} has no such check: {old}"))) }
}
