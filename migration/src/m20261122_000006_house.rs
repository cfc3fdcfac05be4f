//! What every room needs: idempotency, audit, outbox, inbox, settings, jobs, import.

use sea_orm_migration::prelude::*;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: &[&str] = &[
    "CREATE TABLE idempotency (
    actor $TEXT NOT NULL,
    key $TEXT NOT NULL,
    fingerprint $BYTES NOT NULL,
    status $INT NOT NULL,
    body $BYTES NOT NULL,
    created_at $TIME NOT NULL,
    CONSTRAINT idempotency_pkey PRIMARY KEY (actor, key)
) $CLUSTERED",
    "CREATE INDEX idempotency_age ON idempotency (created_at)",
    "CREATE TABLE audit (
    id $UUID PRIMARY KEY NOT NULL,
    at $TIME NOT NULL,
    actor_kind $TEXT NOT NULL,
    actor_id $UUID,
    action $TEXT NOT NULL,
    object_kind $TEXT NOT NULL,
    object_id $TEXT,
    region_code $TEXT,
    outcome $TEXT NOT NULL CHECK (outcome IN ('done', 'denied')),
    detail $JSON
)",
    "CREATE INDEX audit_object ON audit (object_kind, object_id)",
    "CREATE TABLE outbox (
    id $UUID PRIMARY KEY NOT NULL,
    kind $TEXT NOT NULL,
    payload $BYTES NOT NULL,
    status $TEXT NOT NULL CHECK (status IN ('waiting', 'sent', 'dead')),
    attempts $INT NOT NULL CHECK (attempts >= 0),
    due_at $TIME NOT NULL,
    taken_by $TEXT,
    taken_until $TIME,
    created_at $TIME NOT NULL,
    sent_at $TIME,
    last_error $TEXT
)",
    "CREATE INDEX outbox_waiting ON outbox (due_at) WHERE status = 'waiting'",
    "CREATE TABLE inbox_message (
    id $UUID PRIMARY KEY NOT NULL,
    member_id $UUID NOT NULL REFERENCES member (id),
    kind $TEXT NOT NULL,
    title $TEXT NOT NULL,
    body $TEXT NOT NULL,
    source_kind $TEXT,
    source_id $UUID,
    created_at $TIME NOT NULL,
    read_at $TIME
)",
    "CREATE INDEX inbox_message_member ON inbox_message (member_id, id)",
    "CREATE TABLE setting (
    key $TEXT PRIMARY KEY NOT NULL,
    value $JSON NOT NULL,
    updated_at $TIME NOT NULL
)",
    "CREATE TABLE job_lease (
    job $TEXT PRIMARY KEY NOT NULL,
    holder $TEXT NOT NULL,
    until $TIME NOT NULL,
    fencing $BIG NOT NULL
)",
    "CREATE TABLE job_run (
    job $TEXT NOT NULL,
    period $TEXT NOT NULL,
    started_at $TIME NOT NULL,
    finished_at $TIME,
    PRIMARY KEY (job, period)
)",
    "CREATE TABLE import_row (
    table_name $TEXT NOT NULL,
    ref_id $TEXT NOT NULL,
    fingerprint $BYTES NOT NULL,
    set_no $INT NOT NULL,
    PRIMARY KEY (table_name, ref_id)
) $CLUSTERED",
    "CREATE TABLE import_set (
    no $INT PRIMARY KEY NOT NULL,
    name $TEXT NOT NULL,
    shift_days $INT NOT NULL,
    created_at $TIME NOT NULL
)",
];

/// In the order in which they can be dropped.
const TABLES: &[&str] =
    &["import_set", "import_row", "job_run", "job_lease", "setting", "inbox_message", "outbox", "audit", "idempotency"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::drop_tables(manager, TABLES).await
    }
}
