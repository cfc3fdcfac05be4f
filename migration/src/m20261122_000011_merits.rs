//! Activities of value beside hours, and the photos that prove them.

use sea_orm_migration::prelude::*;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: &[&str] = &[
    "CREATE TABLE merit (
    id $UUID PRIMARY KEY NOT NULL,
    kind $TEXT NOT NULL CHECK (kind IN ('donation_goods', 'donation_money', 'event', 'household_score')),
    member_id $UUID NOT NULL REFERENCES member (id),
    household_id $UUID REFERENCES household (id),
    region_code $TEXT NOT NULL REFERENCES region (code),
    programme $TEXT NOT NULL REFERENCES programme (code),
    category $TEXT NOT NULL CHECK (category IN ('neighbourly', 'charity', 'safety', 'culture', 'civility', 'volunteering')),
    item $TEXT,
    quantity $INT NOT NULL CHECK (quantity BETWEEN 1 AND 10000),
    value_fen $BIG CHECK (value_fen > 0),
    period $TEXT,
    happened_on $DATE NOT NULL,
    description $TEXT,
    evidence $TEXT NOT NULL CHECK (evidence IN ('A', 'B', 'C', 'D')),
    status $TEXT NOT NULL CHECK (status IN ('pending', 'approved', 'rejected', 'reversed')),
    entered_by $UUID REFERENCES staff (id),
    submitted_by $UUID REFERENCES member (id),
    decided_by $UUID REFERENCES staff (id),
    decided_at $TIME,
    points $BIG,
    shortfall $BIG NOT NULL DEFAULT 0,
    rule_id $UUID,
    reason $TEXT,
    reversed_by $UUID REFERENCES staff (id),
    reversed_at $TIME,
    disputed_at $TIME,
    dispute_reason $TEXT,
    dispute_outcome $TEXT CHECK (dispute_outcome IN ('dismissed', 'upheld')),
    dispute_answer $TEXT,
    dispute_decided_by $UUID REFERENCES staff (id),
    dispute_decided_at $TIME,
    created_at $TIME NOT NULL,
    updated_at $TIME NOT NULL,
    CHECK ((entered_by IS NULL) <> (submitted_by IS NULL)),
    CHECK (submitted_by IS NULL OR (submitted_by = member_id AND kind IN ('donation_goods', 'donation_money'))),
    CONSTRAINT merit_second_person CHECK (entered_by IS NULL OR decided_by IS NULL OR entered_by <> decided_by),
    CHECK ((kind = 'household_score') = (household_id IS NOT NULL)),
    CHECK ((kind = 'household_score') = (period IS NOT NULL)),
    CHECK (value_fen IS NULL OR kind IN ('donation_goods', 'donation_money')),
    CHECK (value_fen IS NOT NULL OR kind <> 'donation_money'),
    CHECK ((status = 'pending') = (decided_by IS NULL)),
    CHECK ((decided_by IS NULL) = (decided_at IS NULL)),
    CHECK ((status IN ('approved', 'reversed')) = (points IS NOT NULL)),
    CHECK (shortfall = 0 OR (points IS NOT NULL AND shortfall > 0 AND shortfall <= -points)),
    CHECK ((status = 'reversed') = (reversed_at IS NOT NULL)),
    CHECK ((reversed_at IS NULL) = (reversed_by IS NULL)),
    CHECK (disputed_at IS NULL OR status IN ('approved', 'reversed')),
    CHECK (dispute_outcome IS NULL OR disputed_at IS NOT NULL),
    CHECK ((dispute_outcome IS NULL) = (dispute_decided_at IS NULL))
)",
    "CREATE INDEX merit_region ON merit (region_code, id)",
    "CREATE INDEX merit_member ON merit (member_id, id)",
    "CREATE INDEX merit_pending ON merit (status, id) WHERE status = 'pending'",
    "CREATE INDEX merit_disputed ON merit (disputed_at, id) WHERE disputed_at IS NOT NULL AND dispute_outcome IS NULL",
    // One score of a household for an item and a month; what was rejected or reversed makes room for another.
    "CREATE UNIQUE INDEX merit_one_score ON merit (household_id, period, COALESCE(item, ''))
        WHERE household_id IS NOT NULL AND status IN ('pending', 'approved')",
    "CREATE TABLE photo (
    id $UUID PRIMARY KEY NOT NULL,
    uploaded_by_member $UUID REFERENCES member (id),
    uploaded_by_staff $UUID REFERENCES staff (id),
    width $INT NOT NULL CHECK (width > 0),
    height $INT NOT NULL CHECK (height > 0),
    size_bytes $INT NOT NULL CHECK (size_bytes > 0),
    sha256 $BYTES NOT NULL,
    subject_kind $TEXT CHECK (subject_kind IN ('merit', 'claim')),
    subject_id $UUID,
    member_id $UUID REFERENCES member (id),
    region_code $TEXT,
    created_at $TIME NOT NULL,
    CHECK ((uploaded_by_member IS NULL) <> (uploaded_by_staff IS NULL)),
    CHECK ((subject_kind IS NULL) = (subject_id IS NULL)),
    CHECK ((subject_kind IS NULL) = (member_id IS NULL)),
    CHECK ((subject_kind IS NULL) = (region_code IS NULL))
)",
    "CREATE INDEX photo_subject ON photo (subject_id, id) WHERE subject_id IS NOT NULL",
    "CREATE INDEX photo_loose ON photo (created_at) WHERE subject_id IS NULL",
    "CREATE INDEX photo_same ON photo (sha256)",
    "CREATE INDEX photo_uploader ON photo (uploaded_by_member) WHERE uploaded_by_member IS NOT NULL",
    "CREATE INDEX photo_member ON photo (member_id) WHERE member_id IS NOT NULL",
    // Apart, so that lists never carry the pictures along.
    "CREATE TABLE photo_content (
    photo_id $UUID PRIMARY KEY NOT NULL REFERENCES photo (id),
    sealed $BYTES NOT NULL
)",
];

/// In the order in which they can be dropped.
const TABLES: &[&str] = &["photo_content", "photo", "merit"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::drop_tables(manager, TABLES).await
    }
}
