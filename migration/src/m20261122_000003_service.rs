//! Wishes, activities, tasks, claims and service records.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: &[&str] = &[
    "CREATE TABLE activity (
    id $UUID PRIMARY KEY NOT NULL,
    ref_id $TEXT UNIQUE,
    title $TEXT NOT NULL,
    category $TEXT NOT NULL CHECK (category IN ('neighbourly', 'charity', 'safety', 'culture', 'civility', 'volunteering')),
    region_code $TEXT NOT NULL REFERENCES region (code),
    unit_id $UUID REFERENCES unit (id),
    starts_at $TIME NOT NULL,
    ends_at $TIME NOT NULL,
    capacity $INT NOT NULL CHECK (capacity >= 0),
    points $BIG NOT NULL CHECK (points >= 0),
    participants $INT NOT NULL CHECK (participants >= 0),
    served_persons $INT NOT NULL CHECK (served_persons >= 0),
    created_at $TIME NOT NULL,
    CHECK (ends_at > starts_at)
)",
    "CREATE INDEX activity_region ON activity (region_code, starts_at)",
    "CREATE TABLE task (
    id $UUID PRIMARY KEY NOT NULL,
    source_kind $TEXT NOT NULL CHECK (source_kind IN ('wish', 'activity', 'post', 'work_order', 'listing')),
    source_id $UUID NOT NULL,
    region_code $TEXT NOT NULL REFERENCES region (code),
    title $TEXT NOT NULL,
    body $TEXT NOT NULL,
    category $TEXT NOT NULL CHECK (category IN ('neighbourly', 'charity', 'safety', 'culture', 'civility', 'volunteering')),
    slots $INT NOT NULL CHECK (slots > 0),
    taken $INT NOT NULL,
    window_from $TIME NOT NULL,
    window_until $TIME NOT NULL,
    lat $REAL CHECK (lat BETWEEN -90 AND 90),
    lon $REAL CHECK (lon BETWEEN -180 AND 180),
    place_required $BOOL NOT NULL,
    status $TEXT NOT NULL CHECK (status IN ('open', 'full', 'in_progress', 'done', 'closed')),
    risk_notice $TEXT,
    priority $INT NOT NULL,
    programme $TEXT NOT NULL,
    created_at $TIME NOT NULL,
    updated_at $TIME NOT NULL,
    CONSTRAINT task_slots CHECK (taken >= 0 AND taken <= slots),
    CHECK (window_until > window_from)
)",
    "CREATE INDEX task_source ON task (source_kind, source_id)",
    "CREATE INDEX task_region ON task (region_code, id)",
    "CREATE INDEX task_alive ON task (status, window_until) WHERE status IN ('open', 'full', 'in_progress')",
    "CREATE TABLE task_skill (
    task_id $UUID NOT NULL REFERENCES task (id),
    skill $TEXT NOT NULL,
    PRIMARY KEY (task_id, skill)
) $CLUSTERED",
    "CREATE INDEX task_skill_skill ON task_skill (skill)",
    "CREATE TABLE wish (
    id $UUID PRIMARY KEY NOT NULL,
    ref_id $TEXT UNIQUE,
    requester_id $UUID NOT NULL REFERENCES member (id),
    region_code $TEXT NOT NULL REFERENCES region (code),
    title $TEXT NOT NULL,
    body $TEXT NOT NULL,
    category $TEXT NOT NULL CHECK (category IN ('neighbourly', 'charity', 'safety', 'culture', 'civility', 'volunteering')),
    slots $INT NOT NULL CHECK (slots > 0),
    window_from $TIME NOT NULL,
    window_until $TIME NOT NULL,
    lat $REAL CHECK (lat BETWEEN -90 AND 90),
    lon $REAL CHECK (lon BETWEEN -180 AND 180),
    address_sealed $BYTES,
    special_group_sealed $BYTES,
    est_minutes $INT CHECK (est_minutes >= 0),
    status $TEXT NOT NULL CHECK (status IN ('submitted', 'published', 'claimed', 'in_service', 'fulfilled', 'confirmed', 'rejected', 'cancelled', 'expired', 'disputed')),
    priority $INT NOT NULL,
    risk_notice $TEXT,
    reason $TEXT,
    rating $SMALL CHECK (rating BETWEEN 1 AND 5),
    comment $TEXT,
    task_id $UUID REFERENCES task (id),
    due_at $TIME,
    deadline_on $DATE,
    created_by $UUID REFERENCES staff (id),
    created_at $TIME NOT NULL,
    published_at $TIME,
    claimed_at $TIME,
    fulfilled_at $TIME,
    confirmed_at $TIME,
    updated_at $TIME NOT NULL,
    CHECK (window_until > window_from)
)",
    "CREATE INDEX wish_requester ON wish (requester_id, id)",
    "CREATE INDEX wish_region ON wish (region_code, id)",
    "CREATE INDEX wish_status ON wish (status, id)",
    "CREATE INDEX wish_task ON wish (task_id) WHERE task_id IS NOT NULL",
    "CREATE TABLE wish_skill (
    wish_id $UUID NOT NULL REFERENCES wish (id),
    skill $TEXT NOT NULL,
    PRIMARY KEY (wish_id, skill)
) $CLUSTERED",
    "CREATE TABLE claim (
    id $UUID PRIMARY KEY NOT NULL,
    task_id $UUID NOT NULL REFERENCES task (id),
    member_id $UUID NOT NULL REFERENCES member (id),
    region_code $TEXT NOT NULL,
    status $TEXT NOT NULL CHECK (status IN ('offered', 'accepted', 'checked_in', 'checked_out', 'verified', 'declined', 'lapsed', 'withdrawn', 'no_show', 'rejected')),
    window_from $TIME NOT NULL,
    window_until $TIME NOT NULL,
    offered_by $UUID REFERENCES staff (id),
    offer_expires_at $TIME,
    accepted_at $TIME,
    checked_in_at $TIME,
    check_in_means $TEXT,
    check_in_step $BIG,
    checked_out_at $TIME,
    check_out_means $TEXT,
    entered_by $UUID REFERENCES staff (id),
    ended_at $TIME,
    reason $TEXT,
    created_at $TIME NOT NULL,
    updated_at $TIME NOT NULL,
    CHECK (window_until > window_from),
    CHECK (checked_out_at >= checked_in_at)
)",
    "CREATE UNIQUE INDEX claim_one_open ON claim (task_id, member_id) WHERE status IN ('offered', 'accepted', 'checked_in', 'checked_out', 'verified')",
    "CREATE INDEX claim_member ON claim (member_id, id)",
    "CREATE INDEX claim_task ON claim (task_id, id)",
    "CREATE INDEX claim_region ON claim (region_code, id)",
    "CREATE INDEX claim_running ON claim (status, window_until) WHERE status IN ('offered', 'accepted', 'checked_in')",
    "CREATE TABLE service_record (
    id $UUID PRIMARY KEY NOT NULL,
    ref_id $TEXT UNIQUE,
    claim_id $UUID UNIQUE REFERENCES claim (id),
    task_id $UUID REFERENCES task (id),
    activity_id $UUID REFERENCES activity (id),
    member_id $UUID NOT NULL REFERENCES member (id),
    region_code $TEXT NOT NULL,
    unit_id $UUID REFERENCES unit (id),
    task_region_code $TEXT,
    category $TEXT NOT NULL CHECK (category IN ('neighbourly', 'charity', 'safety', 'culture', 'civility', 'volunteering')),
    started_at $TIME NOT NULL,
    ended_at $TIME NOT NULL,
    window_minutes $INT CHECK (window_minutes >= 0),
    minutes $INT NOT NULL CHECK (minutes >= 0),
    evidence $TEXT NOT NULL CHECK (evidence IN ('A', 'B', 'C', 'D')),
    status $TEXT NOT NULL CHECK (status IN ('pending', 'verified', 'rejected', 'reversed', 'disputed')),
    reason $TEXT,
    entered_by $UUID REFERENCES staff (id),
    verified_by $UUID REFERENCES staff (id),
    verified_at $TIME,
    programme $TEXT NOT NULL,
    points $BIG,
    rule_id $UUID,
    counted_at $TIME,
    reversed_at $TIME,
    created_at $TIME NOT NULL,
    updated_at $TIME NOT NULL,
    CHECK (ended_at >= started_at),
    CONSTRAINT service_record_second_person CHECK (entered_by IS NULL OR verified_by IS NULL OR entered_by <> verified_by),
    CHECK ((status IN ('verified', 'reversed')) <= (counted_at IS NOT NULL))
)",
    "CREATE INDEX service_record_member ON service_record (member_id, started_at)",
    "CREATE INDEX service_record_region ON service_record (region_code, id)",
    "CREATE INDEX service_record_pending ON service_record (status, id) WHERE status IN ('pending', 'disputed')",
    "CREATE INDEX service_record_task ON service_record (task_id) WHERE task_id IS NOT NULL",
    "CREATE INDEX service_record_task_region ON service_record (task_region_code, id) WHERE task_region_code IS NOT NULL",
    "CREATE INDEX service_record_unit ON service_record (unit_id) WHERE unit_id IS NOT NULL",
    "CREATE TABLE opening_balance (
    member_id $UUID NOT NULL REFERENCES member (id),
    as_of $DATE NOT NULL,
    minutes $BIG NOT NULL CHECK (minutes >= 0),
    PRIMARY KEY (member_id, as_of)
) $CLUSTERED",
    "CREATE TABLE star_threshold (
    valid_from $DATE NOT NULL,
    stars $SMALL NOT NULL CHECK (stars BETWEEN 1 AND 5),
    minutes $BIG NOT NULL CHECK (minutes > 0),
    PRIMARY KEY (valid_from, stars)
) $CLUSTERED",
    // 100, 300, 600, 1,000 and 1,500 hours, as in most places; later ones are added with their own day.
    "INSERT INTO star_threshold (valid_from, stars, minutes) VALUES ('1970-01-01', 1, 6000), ('1970-01-01', 2, 18000), ('1970-01-01', 3, 36000), ('1970-01-01', 4, 60000), ('1970-01-01', 5, 90000)",
    "CREATE TABLE score (
    subject_kind $TEXT NOT NULL CHECK (subject_kind IN ('member', 'unit', 'community')),
    period $TEXT NOT NULL,
    category $TEXT NOT NULL,
    subject_id $TEXT $BYTEWISE NOT NULL,
    region_code $TEXT NOT NULL,
    points $BIG NOT NULL,
    minutes $BIG NOT NULL,
    records $BIG NOT NULL,
    points_at $TIME,
    minutes_at $TIME,
    tie $TEXT $BYTEWISE NOT NULL,
    PRIMARY KEY (subject_kind, period, category, subject_id)
) $CLUSTERED",
    // The value indexes carry the region, so that a district's board is read off the city's without touching the table. Boards
    // of one category by hours or records are rare and small enough to be sorted.
    "CREATE INDEX score_points ON score (subject_kind, period, category, points DESC, points_at, tie, subject_id, region_code)",
    "CREATE INDEX score_minutes ON score (subject_kind, period, minutes DESC, minutes_at, tie, subject_id, region_code) WHERE category = ''",
    "CREATE INDEX score_records ON score (subject_kind, period, records DESC, minutes_at, tie, subject_id, region_code) WHERE category = ''",
    "CREATE INDEX score_region ON score (subject_kind, period, category, region_code)",
    "CREATE TABLE score_mark (
    record_id $UUID NOT NULL REFERENCES service_record (id),
    change $SMALL NOT NULL CHECK (change IN (1, -1)),
    marked_at $TIME NOT NULL,
    PRIMARY KEY (record_id, change)
) $CLUSTERED",
    // Counts up with everything that a page of a board may show, so that a page kept in memory is known to be good.
    "CREATE TABLE score_version (
    id $SMALL PRIMARY KEY NOT NULL CHECK (id = 1),
    version $BIG NOT NULL
)",
    "INSERT INTO score_version (id, version) VALUES (1, 0)",
];

/// A member on boards is renamed, erased, or named from now on or no longer. Not at the first naming: whoever has no name yet
/// stands on no board, and sign-ups need not wait for each other.
const SQLITE_NAMED: &[&str] = &["CREATE TRIGGER member_shown AFTER UPDATE OF name, named_on_boards, ref_id ON member
WHEN OLD.name IS NOT NULL AND (OLD.name IS NOT NEW.name OR OLD.named_on_boards <> NEW.named_on_boards
    OR OLD.ref_id IS NOT NEW.ref_id)
BEGIN UPDATE score_version SET version = version + 1; END"];
const POSTGRES_NAMED: &[&str] = &[
    "CREATE FUNCTION member_shown() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN UPDATE score_version SET version = version + 1; RETURN NULL; END $$",
    "CREATE TRIGGER member_shown AFTER UPDATE OF name, named_on_boards, ref_id ON member FOR EACH ROW
WHEN (OLD.name IS NOT NULL AND (OLD.name IS DISTINCT FROM NEW.name OR OLD.named_on_boards <> NEW.named_on_boards
    OR OLD.ref_id IS DISTINCT FROM NEW.ref_id))
EXECUTE FUNCTION member_shown()",
];

/// Two spans of one member that meet, refused by the database itself.
const SQLITE_OVERLAP: &[&str] = &[
    "CREATE TRIGGER claim_overlap_insert BEFORE INSERT ON claim
WHEN NEW.status IN ('accepted', 'checked_in') AND EXISTS (
    SELECT 1 FROM claim WHERE member_id = NEW.member_id AND status IN ('accepted', 'checked_in')
        AND window_from < NEW.window_until AND window_until > NEW.window_from)
BEGIN SELECT RAISE(ABORT, 'claim_no_overlap'); END",
    "CREATE TRIGGER claim_overlap_update BEFORE UPDATE OF status, window_from, window_until ON claim
WHEN NEW.status IN ('accepted', 'checked_in') AND EXISTS (
    SELECT 1 FROM claim WHERE member_id = NEW.member_id AND status IN ('accepted', 'checked_in') AND id <> NEW.id
        AND window_from < NEW.window_until AND window_until > NEW.window_from)
BEGIN SELECT RAISE(ABORT, 'claim_no_overlap'); END",
    "CREATE TRIGGER service_record_overlap_insert BEFORE INSERT ON service_record
WHEN NEW.status IN ('pending', 'verified', 'disputed') AND NEW.started_at < NEW.ended_at AND EXISTS (
    SELECT 1 FROM service_record WHERE member_id = NEW.member_id AND status IN ('pending', 'verified', 'disputed')
        AND started_at < ended_at AND started_at < NEW.ended_at AND ended_at > NEW.started_at)
BEGIN SELECT RAISE(ABORT, 'service_record_no_overlap'); END",
    "CREATE TRIGGER service_record_overlap_update BEFORE UPDATE OF status, started_at, ended_at ON service_record
WHEN NEW.status IN ('pending', 'verified', 'disputed') AND NEW.started_at < NEW.ended_at AND EXISTS (
    SELECT 1 FROM service_record WHERE member_id = NEW.member_id AND status IN ('pending', 'verified', 'disputed')
        AND id <> NEW.id AND started_at < ended_at AND started_at < NEW.ended_at AND ended_at > NEW.started_at)
BEGIN SELECT RAISE(ABORT, 'service_record_no_overlap'); END",
];

/// The same on PostgreSQL. The extension is shared by all schemas of a database.
const POSTGRES_OVERLAP: &[&str] = &[
    "ALTER TABLE claim ADD CONSTRAINT claim_no_overlap EXCLUDE USING gist
    (member_id WITH =, tstzrange(window_from, window_until) WITH &&) WHERE (status IN ('accepted', 'checked_in'))",
    "ALTER TABLE service_record ADD CONSTRAINT service_record_no_overlap EXCLUDE USING gist
    (member_id WITH =, tstzrange(started_at, ended_at) WITH &&) WHERE (status IN ('pending', 'verified', 'disputed'))",
];

/// Sessions that create the extension at once wait for each other: `IF NOT EXISTS` alone races.
const POSTGRES_EXTENSION: &[&str] =
    &["SELECT pg_advisory_xact_lock(7310201)", "CREATE EXTENSION IF NOT EXISTS btree_gist SCHEMA public"];

/// In the order in which they can be dropped.
const TABLES: &[&str] = &[
    "score_version",
    "score_mark",
    "score",
    "star_threshold",
    "opening_balance",
    "service_record",
    "claim",
    "wish_skill",
    "wish",
    "task_skill",
    "task",
    "activity",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, UP).await?;
        ddl::run_on(manager, DbBackend::Postgres, POSTGRES_EXTENSION).await?;
        ddl::run_on(manager, DbBackend::Postgres, POSTGRES_OVERLAP).await?;
        ddl::run_on(manager, DbBackend::Sqlite, SQLITE_OVERLAP).await?;
        ddl::run_on(manager, DbBackend::Postgres, POSTGRES_NAMED).await?;
        ddl::run_on(manager, DbBackend::Sqlite, SQLITE_NAMED).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run_on(manager, DbBackend::Sqlite, &["DROP TRIGGER member_shown"]).await?;
        let postgres = &["DROP TRIGGER member_shown ON member", "DROP FUNCTION member_shown()"];
        ddl::run_on(manager, DbBackend::Postgres, postgres).await?;
        ddl::drop_tables(manager, TABLES).await
    }
}
