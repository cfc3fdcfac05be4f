//! Budgets that pay for points, what is owed when they are empty, and what a community's books turned over in a month.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: &[&str] = &[
    "CREATE TABLE budget (
    id $UUID PRIMARY KEY NOT NULL,
    programme $TEXT NOT NULL REFERENCES programme (code),
    name $TEXT NOT NULL,
    owner_kind $TEXT NOT NULL CHECK (owner_kind IN ('station', 'community', 'sponsor')),
    station_id $UUID REFERENCES station (id),
    unit_id $UUID REFERENCES unit (id),
    region_code $TEXT NOT NULL REFERENCES region (code),
    region_lo $TEXT NOT NULL,
    region_hi $TEXT NOT NULL,
    funded $BIG NOT NULL,
    issued $BIG NOT NULL,
    warn_share $SMALL NOT NULL CHECK (warn_share BETWEEN 1 AND 100),
    warned_at $TIME,
    valid_from $DATE NOT NULL,
    valid_until $DATE,
    status $TEXT NOT NULL CHECK (status IN ('active', 'closed')),
    created_by $UUID NOT NULL REFERENCES staff (id),
    created_at $TIME NOT NULL,
    updated_at $TIME NOT NULL,
    closed_at $TIME,
    CONSTRAINT budget_not_overdrawn CHECK (issued >= 0 AND issued <= funded),
    CHECK ((owner_kind = 'station') = (station_id IS NOT NULL)),
    CHECK (unit_id IS NULL OR owner_kind = 'sponsor'),
    CHECK (valid_until >= valid_from),
    CHECK ((status = 'closed') = (closed_at IS NOT NULL))
)",
    "CREATE INDEX budget_region ON budget (programme, region_code)",
    "CREATE TABLE budget_funding (
    id $UUID PRIMARY KEY NOT NULL,
    budget_id $UUID NOT NULL REFERENCES budget (id),
    amount $BIG NOT NULL CHECK (amount <> 0),
    reason $TEXT NOT NULL,
    staff_id $UUID NOT NULL REFERENCES staff (id),
    at $TIME NOT NULL
)",
    "CREATE INDEX budget_funding_budget ON budget_funding (budget_id, id)",
    "CREATE TABLE due (
    id $UUID PRIMARY KEY NOT NULL,
    programme $TEXT NOT NULL REFERENCES programme (code),
    member_id $UUID NOT NULL REFERENCES member (id),
    region_code $TEXT NOT NULL REFERENCES region (code),
    amount $BIG NOT NULL CHECK (amount > 0),
    source_kind $TEXT NOT NULL,
    source_id $UUID NOT NULL,
    reason $TEXT,
    actor_kind $TEXT,
    actor_id $UUID,
    at $TIME NOT NULL,
    created_at $TIME NOT NULL,
    status $TEXT NOT NULL CHECK (status IN ('waiting', 'paid', 'cancelled')),
    ended_at $TIME,
    CONSTRAINT due_source UNIQUE (source_kind, source_id),
    CHECK ((status = 'waiting') = (ended_at IS NULL))
) $CLUSTERED",
    "CREATE INDEX due_waiting ON due (programme, region_code, id) WHERE status = 'waiting'",
    "CREATE INDEX due_member ON due (member_id) WHERE status = 'waiting'",
    "CREATE TABLE turnover (
    programme $TEXT NOT NULL,
    month $TEXT NOT NULL,
    region_code $TEXT NOT NULL,
    kind $TEXT NOT NULL,
    amount $BIG NOT NULL,
    journals $BIG NOT NULL,
    PRIMARY KEY (programme, month, region_code, kind)
) $CLUSTERED",
    "ALTER TABLE journal ADD COLUMN budget_id $UUID",
];

/// What was given to a budget or taken from it is never changed or deleted: the database says so too.
const SQLITE_APPEND_ONLY: &[&str] = &[
    "CREATE TRIGGER budget_funding_no_update BEFORE UPDATE ON budget_funding BEGIN SELECT RAISE(ABORT, 'append_only'); END",
    "CREATE TRIGGER budget_funding_no_delete BEFORE DELETE ON budget_funding BEGIN SELECT RAISE(ABORT, 'append_only'); END",
];
const POSTGRES_APPEND_ONLY: &[&str] =
    &["CREATE TRIGGER budget_funding_append_only BEFORE UPDATE OR DELETE ON budget_funding
        FOR EACH ROW EXECUTE FUNCTION refuse_change()"];

/// In the order in which they can be dropped.
const TABLES: &[&str] = &["turnover", "due", "budget_funding", "budget"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, UP).await?;
        ddl::run_on(manager, DbBackend::Sqlite, SQLITE_APPEND_ONLY).await?;
        ddl::run_on(manager, DbBackend::Postgres, POSTGRES_APPEND_ONLY).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, &["ALTER TABLE journal DROP COLUMN budget_id"]).await?;
        ddl::drop_tables(manager, TABLES).await
    }
}
