//! What each account did in a month, so that a statement costs the same however long the history.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// `expires_on` is the last day there is where the points never expire: a key has no empty places.
const UP: &[&str] = &["CREATE TABLE account_month (
    account_id $UUID NOT NULL,
    month $TEXT $BYTEWISE NOT NULL,
    expires_on $DATE NOT NULL,
    amount $BIG NOT NULL,
    first_journal $UUID NOT NULL,
    last_journal $UUID NOT NULL,
    PRIMARY KEY (account_id, month, expires_on),
    CHECK (first_journal <= last_journal)
) $CLUSTERED"];

/// What is sealed already, by months of the default time zone: until now no district has another.
const SQLITE_SEALED: &[&str] = &["INSERT INTO account_month
SELECT e.account_id, strftime('%Y-%m', datetime(j.at, '+8 hours')), COALESCE(e.expires_on, '9999-12-31'),
    SUM(e.amount), MIN(j.id), MAX(j.id)
FROM entry e JOIN journal j ON j.id = e.journal_id
WHERE NOT EXISTS (SELECT 1 FROM unsealed u WHERE u.journal_id = j.id)
GROUP BY 1, 2, 3"];
const POSTGRES_SEALED: &[&str] = &["INSERT INTO account_month
SELECT e.account_id, to_char(j.at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM'), COALESCE(e.expires_on, '9999-12-31'),
    SUM(e.amount), CAST(MIN(CAST(j.id AS text)) AS uuid), CAST(MAX(CAST(j.id AS text)) AS uuid)
FROM entry e JOIN journal j ON j.id = e.journal_id
WHERE NOT EXISTS (SELECT 1 FROM unsealed u WHERE u.journal_id = j.id)
GROUP BY 1, 2, 3"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, UP).await?;
        ddl::run_on(manager, DbBackend::Sqlite, SQLITE_SEALED).await?;
        ddl::run_on(manager, DbBackend::Postgres, POSTGRES_SEALED).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::drop_tables(manager, &["account_month"]).await
    }
}
