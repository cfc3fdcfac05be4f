//! Members with their facets and consents, staff, sessions and sign-in.

use sea_orm_migration::prelude::*;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: &[&str] = &[
    "CREATE TABLE member (
    id $UUID PRIMARY KEY NOT NULL,
    ref_id $TEXT UNIQUE,
    name $TEXT,
    phone_sealed $BYTES,
    phone_index $BYTES UNIQUE,
    gender $TEXT CHECK (gender IN ('F', 'M')),
    birth_year $INT CHECK (birth_year BETWEEN 1900 AND 2200),
    region_code $TEXT REFERENCES region (code),
    is_resident $BOOL NOT NULL,
    is_volunteer $BOOL NOT NULL,
    is_party_member $BOOL NOT NULL,
    unit_id $UUID REFERENCES unit (id),
    group_no $TEXT,
    max_hours_week $INT CHECK (max_hours_week BETWEEN 0 AND 168),
    special_group_sealed $BYTES,
    home_sealed $BYTES,
    registered_on $DATE,
    named_on_boards $BOOL NOT NULL,
    created_at $TIME NOT NULL,
    updated_at $TIME NOT NULL,
    disabled_at $TIME,
    erased_at $TIME,
    merged_into $UUID REFERENCES member (id),
    CHECK ((phone_sealed IS NULL) = (phone_index IS NULL))
)",
    "CREATE INDEX member_region ON member (region_code, id)",
    "CREATE INDEX member_unit ON member (unit_id) WHERE unit_id IS NOT NULL",
    "CREATE TABLE member_identity (
    kind $TEXT NOT NULL CHECK (kind IN ('wechat')),
    subject_index $BYTES NOT NULL,
    subject_sealed $BYTES NOT NULL,
    member_id $UUID NOT NULL REFERENCES member (id),
    created_at $TIME NOT NULL,
    PRIMARY KEY (kind, subject_index)
) $CLUSTERED",
    "CREATE INDEX member_identity_member ON member_identity (member_id)",
    "CREATE TABLE member_skill (
    member_id $UUID NOT NULL REFERENCES member (id),
    skill $TEXT NOT NULL,
    PRIMARY KEY (member_id, skill)
) $CLUSTERED",
    "CREATE INDEX member_skill_skill ON member_skill (skill)",
    "CREATE TABLE availability (
    member_id $UUID NOT NULL REFERENCES member (id),
    weekday $SMALL NOT NULL CHECK (weekday BETWEEN 1 AND 7),
    from_minute $SMALL NOT NULL CHECK (from_minute >= 0),
    until_minute $SMALL NOT NULL CHECK (until_minute <= 1440),
    PRIMARY KEY (member_id, weekday, from_minute),
    CHECK (from_minute < until_minute)
) $CLUSTERED",
    "CREATE TABLE consent (
    id $UUID PRIMARY KEY NOT NULL,
    member_id $UUID NOT NULL REFERENCES member (id),
    kind $TEXT NOT NULL CHECK (kind IN ('service', 'volunteer', 'boards', 'sensitive_data')),
    notice_version $TEXT NOT NULL,
    given_by $TEXT NOT NULL CHECK (given_by IN ('member', 'guardian', 'proxy', 'staff')),
    given_by_id $UUID,
    given_at $TIME NOT NULL,
    withdrawn_at $TIME
)",
    "CREATE UNIQUE INDEX consent_in_force ON consent (member_id, kind) WHERE withdrawn_at IS NULL",
    "CREATE TABLE reporting (
    id $UUID PRIMARY KEY NOT NULL,
    member_id $UUID NOT NULL REFERENCES member (id),
    unit_id $UUID NOT NULL REFERENCES unit (id),
    region_code $TEXT NOT NULL REFERENCES region (code),
    reported_at $TIME NOT NULL,
    UNIQUE (member_id, unit_id, region_code)
)",
    "CREATE TABLE staff (
    id $UUID PRIMARY KEY NOT NULL,
    username $TEXT NOT NULL UNIQUE,
    password_hash $TEXT NOT NULL,
    role $TEXT NOT NULL CHECK (role IN ('admin', 'manager', 'clerk', 'operator', 'grid_worker', 'auditor')),
    region_code $TEXT NOT NULL REFERENCES region (code),
    station_id $UUID REFERENCES station (id),
    member_id $UUID REFERENCES member (id),
    totp_sealed $BYTES,
    disabled_at $TIME,
    created_at $TIME NOT NULL,
    updated_at $TIME NOT NULL
)",
    "CREATE TABLE session (
    id $UUID PRIMARY KEY NOT NULL,
    member_id $UUID REFERENCES member (id),
    staff_id $UUID REFERENCES staff (id),
    created_at $TIME NOT NULL,
    expires_at $TIME NOT NULL,
    ended_at $TIME,
    CHECK ((member_id IS NULL) <> (staff_id IS NULL))
) $CLUSTERED",
    "CREATE INDEX session_member ON session (member_id) WHERE member_id IS NOT NULL",
    "CREATE INDEX session_staff ON session (staff_id) WHERE staff_id IS NOT NULL",
    "CREATE TABLE token (
    hash $BYTES PRIMARY KEY NOT NULL,
    session_id $UUID NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    kind $TEXT NOT NULL CHECK (kind IN ('access', 'refresh')),
    created_at $TIME NOT NULL,
    expires_at $TIME NOT NULL,
    used_at $TIME
) $CLUSTERED",
    "CREATE INDEX token_session ON token (session_id)",
    "CREATE INDEX token_expiry ON token (expires_at)",
    "CREATE TABLE rate_counter (
    bucket $TEXT PRIMARY KEY NOT NULL,
    window_start $TIME NOT NULL,
    hits $INT NOT NULL CHECK (hits >= 0)
) $CLUSTERED",
    "CREATE INDEX rate_counter_window ON rate_counter (window_start)",
    "CREATE TABLE sms_code (
    id $UUID PRIMARY KEY NOT NULL,
    phone_index $BYTES NOT NULL,
    code_hash $BYTES NOT NULL,
    created_at $TIME NOT NULL,
    expires_at $TIME NOT NULL,
    attempts $INT NOT NULL CHECK (attempts >= 0),
    used_at $TIME
) $CLUSTERED",
    "CREATE INDEX sms_code_phone ON sms_code (phone_index, id)",
];

/// In the order in which they can be dropped.
const TABLES: &[&str] = &[
    "sms_code",
    "rate_counter",
    "token",
    "session",
    "staff",
    "reporting",
    "consent",
    "availability",
    "member_skill",
    "member_identity",
    "member",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::drop_tables(manager, TABLES).await
    }
}
