//! Seals: a hash chain over the journal, and the queue of what waits for one.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Nothing here refers to `journal`: a journal that somebody took away must leave its traces.
const UP: &[&str] = &[
    "CREATE TABLE unsealed (
    journal_id $UUID PRIMARY KEY NOT NULL
) $CLUSTERED",
    "INSERT INTO unsealed (journal_id) SELECT id FROM journal",
    "CREATE TABLE seal (
    no $BIG PRIMARY KEY NOT NULL CHECK (no > 0),
    journals $BIG NOT NULL CHECK (journals > 0),
    entries $BIG NOT NULL CHECK (entries > 0),
    sum $BIG NOT NULL CHECK (sum >= 0),
    first_journal $UUID NOT NULL,
    last_journal $UUID NOT NULL,
    root $BYTES NOT NULL,
    previous $BYTES NOT NULL,
    hash $BYTES NOT NULL UNIQUE,
    sealed_at $TIME NOT NULL,
    key_id $TEXT NOT NULL,
    signature $BYTES NOT NULL
) $CLUSTERED",
    "CREATE TABLE seal_leaf (
    seal_no $BIG NOT NULL REFERENCES seal (no),
    position $INT NOT NULL CHECK (position >= 0),
    journal_id $UUID NOT NULL,
    hash $BYTES NOT NULL,
    PRIMARY KEY (seal_no, position)
) $CLUSTERED",
    "CREATE UNIQUE INDEX seal_leaf_journal ON seal_leaf (journal_id)",
];

const SQLITE_APPEND_ONLY: &[&str] = &[
    "CREATE TRIGGER seal_no_update BEFORE UPDATE ON seal BEGIN SELECT RAISE(ABORT, 'append_only'); END",
    "CREATE TRIGGER seal_no_delete BEFORE DELETE ON seal BEGIN SELECT RAISE(ABORT, 'append_only'); END",
    "CREATE TRIGGER seal_leaf_no_update BEFORE UPDATE ON seal_leaf BEGIN SELECT RAISE(ABORT, 'append_only'); END",
    "CREATE TRIGGER seal_leaf_no_delete BEFORE DELETE ON seal_leaf BEGIN SELECT RAISE(ABORT, 'append_only'); END",
];
const POSTGRES_APPEND_ONLY: &[&str] = &[
    "CREATE TRIGGER seal_append_only BEFORE UPDATE OR DELETE ON seal FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER seal_leaf_append_only BEFORE UPDATE OR DELETE ON seal_leaf FOR EACH ROW EXECUTE FUNCTION refuse_change()",
];

/// In the order in which they can be dropped.
const TABLES: &[&str] = &["seal_leaf", "seal", "unsealed"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, UP).await?;
        ddl::run_on(manager, DbBackend::Sqlite, SQLITE_APPEND_ONLY).await?;
        ddl::run_on(manager, DbBackend::Postgres, POSTGRES_APPEND_ONLY).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::drop_tables(manager, TABLES).await
    }
}
