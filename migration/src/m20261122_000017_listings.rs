//! The lists of needs, resources and services: what a district's lists are called, what stands on them, how much of it is left in
//! which period, and who has booked it.

use sea_orm_migration::prelude::*;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: &[&str] = &[
    "CREATE TABLE list_profile (
    region_code $TEXT PRIMARY KEY NOT NULL REFERENCES region (code),
    name $TEXT NOT NULL,
    updated_by $UUID NOT NULL REFERENCES staff (id),
    created_at $TIME NOT NULL,
    updated_at $TIME NOT NULL
) $CLUSTERED",
    "CREATE TABLE list_profile_list (
    region_code $TEXT NOT NULL REFERENCES list_profile (region_code),
    position $SMALL NOT NULL CHECK (position > 0),
    code $TEXT NOT NULL,
    name $TEXT NOT NULL,
    holds $TEXT NOT NULL CHECK (holds IN ('need', 'resource', 'service', 'outcome', 'project')),
    PRIMARY KEY (region_code, position),
    CONSTRAINT list_profile_list_code UNIQUE (region_code, code)
) $CLUSTERED",
    "CREATE TABLE listing (
    id $UUID PRIMARY KEY NOT NULL,
    ref_id $TEXT UNIQUE,
    kind $TEXT NOT NULL CHECK (kind IN ('need', 'resource', 'service')),
    title $TEXT NOT NULL,
    body $TEXT NOT NULL,
    category $TEXT NOT NULL,
    domain $TEXT,
    region_code $TEXT NOT NULL REFERENCES region (code),
    owner_kind $TEXT NOT NULL CHECK (owner_kind IN ('community', 'unit', 'station', 'member')),
    unit_id $UUID REFERENCES unit (id),
    station_id $UUID REFERENCES station (id),
    member_id $UUID REFERENCES member (id),
    capacity $INT NOT NULL,
    measure $TEXT,
    period $TEXT NOT NULL CHECK (period IN ('opening', 'day', 'week', 'month', 'all')),
    window_from $TIME NOT NULL,
    window_until $TIME NOT NULL,
    lat $REAL,
    lon $REAL,
    address $TEXT,
    openings $JSON NOT NULL,
    special_group_sealed $BYTES,
    status $TEXT NOT NULL CHECK (status IN ('draft', 'published', 'closed', 'withdrawn', 'expired')),
    risk_notice $TEXT,
    reason $TEXT,
    created_by $UUID REFERENCES staff (id),
    published_by $UUID REFERENCES staff (id),
    created_at $TIME NOT NULL,
    published_at $TIME,
    ended_at $TIME,
    updated_at $TIME NOT NULL,
    next_round_at $TIME,
    CONSTRAINT listing_capacity CHECK (capacity > 0),
    CONSTRAINT listing_window CHECK (window_until > window_from),
    CONSTRAINT listing_owner CHECK (
        (owner_kind = 'unit') = (unit_id IS NOT NULL) AND (owner_kind = 'station') = (station_id IS NOT NULL)
        AND (owner_kind = 'member') = (member_id IS NOT NULL))
)",
    "CREATE INDEX listing_region ON listing (region_code, id)",
    // What the lists and the matches of a district ask for.
    "CREATE INDEX listing_status ON listing (status, kind, region_code, id)",
    "CREATE INDEX listing_over ON listing (window_until) WHERE ended_at IS NULL",
    "CREATE INDEX listing_next_round ON listing (next_round_at) WHERE next_round_at IS NOT NULL",
    "CREATE INDEX listing_member ON listing (member_id, id) WHERE member_id IS NOT NULL",
    "CREATE TABLE listing_skill (
    listing_id $UUID NOT NULL REFERENCES listing (id),
    skill $TEXT NOT NULL,
    PRIMARY KEY (listing_id, skill)
) $CLUSTERED",
    "CREATE INDEX listing_skill_skill ON listing_skill (skill)",
    "CREATE TABLE listing_period (
    id $UUID PRIMARY KEY NOT NULL,
    listing_id $UUID NOT NULL REFERENCES listing (id),
    starts_at $TIME NOT NULL,
    capacity $INT NOT NULL,
    taken $INT NOT NULL,
    waiting $INT NOT NULL CHECK (waiting >= 0),
    created_at $TIME NOT NULL,
    CONSTRAINT listing_period_taken CHECK (taken >= 0 AND taken <= capacity),
    CONSTRAINT listing_period_start UNIQUE (listing_id, starts_at)
)",
    "CREATE TABLE listing_round (
    listing_id $UUID NOT NULL REFERENCES listing (id),
    starts_at $TIME NOT NULL,
    task_id $UUID NOT NULL REFERENCES task (id),
    PRIMARY KEY (listing_id, starts_at)
) $CLUSTERED",
    "CREATE INDEX listing_round_task ON listing_round (task_id)",
    "CREATE TABLE listing_service (
    listing_id $UUID NOT NULL REFERENCES listing (id),
    starts_at $TIME NOT NULL,
    record_id $UUID NOT NULL REFERENCES service_record (id),
    PRIMARY KEY (listing_id, starts_at)
) $CLUSTERED",
    "CREATE INDEX listing_service_record ON listing_service (record_id)",
    "CREATE TABLE booking (
    id $UUID PRIMARY KEY NOT NULL,
    listing_id $UUID NOT NULL REFERENCES listing (id),
    period_id $UUID NOT NULL REFERENCES listing_period (id),
    member_id $UUID NOT NULL REFERENCES member (id),
    wish_id $UUID REFERENCES wish (id),
    region_code $TEXT NOT NULL REFERENCES region (code),
    quantity $INT NOT NULL CHECK (quantity > 0),
    starts_at $TIME NOT NULL,
    ends_at $TIME NOT NULL,
    held_until $TIME NOT NULL,
    status $TEXT NOT NULL
        CHECK (status IN ('waiting', 'booked', 'attended', 'done', 'cancelled', 'no_show', 'lapsed')),
    made_by $UUID REFERENCES staff (id),
    attended_at $TIME,
    attended_by $UUID REFERENCES staff (id),
    ended_at $TIME,
    record_id $UUID REFERENCES service_record (id),
    reason $TEXT,
    created_at $TIME NOT NULL,
    updated_at $TIME NOT NULL,
    CONSTRAINT booking_span CHECK (ends_at > starts_at)
)",
    // Nobody has two bookings of one thing at one time.
    "CREATE UNIQUE INDEX booking_one_live ON booking (listing_id, member_id, starts_at)
    WHERE status IN ('waiting', 'booked', 'attended')",
    "CREATE INDEX booking_member ON booking (member_id, id)",
    "CREATE INDEX booking_region ON booking (region_code, id)",
    "CREATE INDEX booking_listing ON booking (listing_id, id)",
    "CREATE INDEX booking_period ON booking (period_id, status, id)",
    "CREATE INDEX booking_wish ON booking (wish_id) WHERE wish_id IS NOT NULL",
    "CREATE INDEX booking_waiting ON booking (status, held_until)",
    "CREATE INDEX booking_running ON booking (status, ends_at)",
    "CREATE TABLE list_project (
    id $UUID PRIMARY KEY NOT NULL,
    region_code $TEXT NOT NULL REFERENCES region (code),
    title $TEXT NOT NULL,
    body $TEXT NOT NULL,
    status $TEXT NOT NULL CHECK (status IN ('open', 'closed')),
    created_by $UUID NOT NULL REFERENCES staff (id),
    created_at $TIME NOT NULL,
    updated_at $TIME NOT NULL
)",
    "CREATE INDEX list_project_region ON list_project (region_code, id)",
    "CREATE TABLE list_project_item (
    project_id $UUID NOT NULL REFERENCES list_project (id),
    listing_id $UUID NOT NULL REFERENCES listing (id),
    PRIMARY KEY (project_id, listing_id)
) $CLUSTERED",
    "CREATE INDEX list_project_item_listing ON list_project_item (listing_id)",
    // The outcome list: what was confirmed in a district, latest first.
    "CREATE INDEX wish_confirmed ON wish (confirmed_at, id) WHERE confirmed_at IS NOT NULL",
];

/// In the order in which they can be dropped.
const TABLES: &[&str] = &[
    "list_project_item",
    "list_project",
    "booking",
    "listing_service",
    "listing_round",
    "listing_period",
    "listing_skill",
    "listing",
    "list_profile_list",
    "list_profile",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, &["DROP INDEX wish_confirmed"]).await?;
        ddl::drop_tables(manager, TABLES).await
    }
}
