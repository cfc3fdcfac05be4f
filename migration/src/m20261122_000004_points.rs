//! Programmes, rules and the ledger.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: &[&str] = &[
    "CREATE TABLE programme (
    code $TEXT PRIMARY KEY NOT NULL,
    name $TEXT NOT NULL,
    unit_name $TEXT NOT NULL,
    region_code $TEXT REFERENCES region (code),
    expiry $TEXT NOT NULL CHECK (expiry IN ('never', 'months', 'year_end')),
    expiry_months $INT CHECK (expiry_months > 0),
    reopen_days $INT NOT NULL CHECK (reopen_days >= 0),
    created_at $TIME NOT NULL,
    CHECK ((expiry = 'months') = (expiry_months IS NOT NULL))
)",
    "INSERT INTO programme (code, name, unit_name, region_code, expiry, expiry_months, reopen_days, created_at)
VALUES ('default', '积分', '分', NULL, 'never', NULL, 7, '1970-01-01T00:00:00+00:00')",
    "CREATE TABLE rule (
    id $UUID PRIMARY KEY NOT NULL,
    programme $TEXT NOT NULL REFERENCES programme (code),
    region_code $TEXT REFERENCES region (code),
    category $TEXT CHECK (category IN ('neighbourly', 'charity', 'safety', 'culture', 'civility', 'volunteering')),
    basis $TEXT NOT NULL CHECK (basis IN ('time', 'event')),
    amount $BIG NOT NULL CHECK (amount >= 0),
    per_minutes $INT CHECK (per_minutes > 0),
    cap_day $BIG CHECK (cap_day >= 0),
    cap_month $BIG CHECK (cap_month >= 0),
    version $INT NOT NULL,
    valid_from $TIME NOT NULL,
    valid_until $TIME,
    created_by $UUID REFERENCES staff (id),
    created_at $TIME NOT NULL,
    CHECK ((basis = 'time') = (per_minutes IS NOT NULL)),
    CHECK (valid_until > valid_from)
)",
    "CREATE INDEX rule_programme ON rule (programme, valid_from)",
    "CREATE TABLE account (
    id $UUID PRIMARY KEY NOT NULL,
    programme $TEXT NOT NULL REFERENCES programme (code),
    kind $TEXT NOT NULL CHECK (kind IN ('member', 'issued', 'spent', 'expired')),
    member_id $UUID REFERENCES member (id),
    region_code $TEXT REFERENCES region (code),
    CHECK ((kind = 'member') = (member_id IS NOT NULL)),
    CHECK ((kind = 'member') = (region_code IS NULL))
) $CLUSTERED",
    "CREATE UNIQUE INDEX account_member ON account (member_id, programme) WHERE member_id IS NOT NULL",
    "CREATE UNIQUE INDEX account_system ON account (region_code, programme, kind) WHERE region_code IS NOT NULL",
    "CREATE TABLE balance (
    account_id $UUID PRIMARY KEY NOT NULL REFERENCES account (id),
    balance $BIG NOT NULL,
    held $BIG NOT NULL,
    earned $BIG NOT NULL,
    dated $BIG NOT NULL,
    CONSTRAINT balance_covers_holds CHECK (held >= 0 AND balance >= held),
    CONSTRAINT balance_covers_buckets CHECK (dated >= 0 AND balance >= dated)
) $CLUSTERED",
    "CREATE TABLE bucket (
    account_id $UUID NOT NULL REFERENCES balance (account_id),
    expires_on $DATE NOT NULL,
    amount $BIG NOT NULL CONSTRAINT bucket_not_negative CHECK (amount >= 0),
    PRIMARY KEY (account_id, expires_on)
) $CLUSTERED",
    "CREATE INDEX bucket_expiry ON bucket (expires_on) WHERE amount > 0",
    "CREATE TABLE journal (
    id $UUID PRIMARY KEY NOT NULL,
    programme $TEXT NOT NULL,
    kind $TEXT NOT NULL CHECK (kind IN ('earn', 'spend', 'refund', 'grant', 'deduct', 'expire', 'reversal', 'gift', 'opening')),
    source_kind $TEXT NOT NULL,
    source_id $UUID NOT NULL,
    reason $TEXT,
    actor_kind $TEXT,
    actor_id $UUID,
    reverses_id $UUID UNIQUE REFERENCES journal (id),
    at $TIME NOT NULL,
    posted_at $TIME NOT NULL,
    CONSTRAINT journal_source UNIQUE (source_kind, source_id)
) $CLUSTERED",
    "CREATE TABLE entry (
    journal_id $UUID NOT NULL REFERENCES journal (id),
    line $SMALL NOT NULL,
    account_id $UUID NOT NULL REFERENCES account (id),
    amount $BIG NOT NULL CHECK (amount <> 0),
    expires_on $DATE,
    PRIMARY KEY (journal_id, line)
) $CLUSTERED",
    "CREATE INDEX entry_account ON entry (account_id, journal_id)",
    "CREATE TABLE hold (
    source_kind $TEXT NOT NULL,
    source_id $UUID NOT NULL,
    account_id $UUID NOT NULL REFERENCES balance (account_id),
    amount $BIG NOT NULL CHECK (amount > 0),
    status $TEXT NOT NULL CHECK (status IN ('open', 'captured', 'released')),
    created_at $TIME NOT NULL,
    ended_at $TIME,
    PRIMARY KEY (source_kind, source_id)
) $CLUSTERED",
    "CREATE INDEX hold_open ON hold (account_id) WHERE status = 'open'",
    "CREATE TABLE adjustment (
    id $UUID PRIMARY KEY NOT NULL,
    member_id $UUID NOT NULL REFERENCES member (id),
    region_code $TEXT NOT NULL REFERENCES region (code),
    programme $TEXT NOT NULL REFERENCES programme (code),
    direction $TEXT NOT NULL CHECK (direction IN ('grant', 'deduct')),
    amount $BIG NOT NULL CHECK (amount > 0),
    reason $TEXT NOT NULL,
    status $TEXT NOT NULL CHECK (status IN ('pending', 'posted', 'rejected')),
    requested_by $UUID NOT NULL REFERENCES staff (id),
    decided_by $UUID REFERENCES staff (id),
    created_at $TIME NOT NULL,
    decided_at $TIME,
    CONSTRAINT adjustment_second_person CHECK (decided_by <> requested_by),
    CHECK ((decided_by IS NULL) = (decided_at IS NULL))
) $CLUSTERED",
    "CREATE INDEX adjustment_region ON adjustment (region_code, id)",
    "CREATE INDEX adjustment_member ON adjustment (member_id, id)",
];

/// Half an hour is one point in every category, until staff change it.
const SQLITE_FIRST_RULE: &[&str] = &["INSERT INTO rule
    (id, programme, basis, amount, per_minutes, version, valid_from, created_at)
    VALUES (x'00000000000070008000000000000001', 'default', 'time', 100, 30, 1,
        '1970-01-01T00:00:00+00:00', '1970-01-01T00:00:00+00:00')"];
const POSTGRES_FIRST_RULE: &[&str] = &["INSERT INTO rule
    (id, programme, basis, amount, per_minutes, version, valid_from, created_at)
    VALUES ('00000000-0000-7000-8000-000000000001', 'default', 'time', 100, 30, 1,
        '1970-01-01T00:00:00+00:00', '1970-01-01T00:00:00+00:00')"];

/// Postings are never changed or deleted: the database says so too.
const SQLITE_APPEND_ONLY: &[&str] = &[
    "CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal BEGIN SELECT RAISE(ABORT, 'append_only'); END",
    "CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal BEGIN SELECT RAISE(ABORT, 'append_only'); END",
    "CREATE TRIGGER entry_no_update BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'append_only'); END",
    "CREATE TRIGGER entry_no_delete BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'append_only'); END",
];
const POSTGRES_APPEND_ONLY: &[&str] = &[
    "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'append_only' USING ERRCODE = 'check_violation'; END $$",
    "CREATE TRIGGER journal_append_only BEFORE UPDATE OR DELETE ON journal FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER entry_append_only BEFORE UPDATE OR DELETE ON entry FOR EACH ROW EXECUTE FUNCTION refuse_change()",
];

/// In the order in which they can be dropped.
const TABLES: &[&str] =
    &["adjustment", "hold", "entry", "journal", "bucket", "balance", "account", "rule", "programme"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, UP).await?;
        ddl::run_on(manager, DbBackend::Sqlite, SQLITE_FIRST_RULE).await?;
        ddl::run_on(manager, DbBackend::Postgres, POSTGRES_FIRST_RULE).await?;
        ddl::run_on(manager, DbBackend::Sqlite, SQLITE_APPEND_ONLY).await?;
        ddl::run_on(manager, DbBackend::Postgres, POSTGRES_APPEND_ONLY).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::drop_tables(manager, TABLES).await?;
        ddl::run_on(manager, DbBackend::Postgres, &["DROP FUNCTION refuse_change()"]).await
    }
}
