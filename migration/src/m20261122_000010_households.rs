//! Households that pool points by consent, gifts between members, rounds of grants, notices of expiry.

use sea_orm_migration::prelude::*;

use crate::ddl::{self, Recheck};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: &[&str] = &[
    "CREATE TABLE household (
    id $UUID PRIMARY KEY NOT NULL,
    region_code $TEXT NOT NULL REFERENCES region (code),
    name $TEXT NOT NULL,
    created_by_member $UUID REFERENCES member (id),
    created_by_staff $UUID REFERENCES staff (id),
    created_at $TIME NOT NULL,
    ended_at $TIME,
    CHECK ((created_by_member IS NULL) <> (created_by_staff IS NULL))
) $CLUSTERED",
    "CREATE INDEX household_region ON household (region_code, id)",
    "CREATE TABLE household_member (
    household_id $UUID NOT NULL REFERENCES household (id),
    member_id $UUID NOT NULL REFERENCES member (id),
    role $TEXT NOT NULL CHECK (role IN ('head', 'member')),
    status $TEXT NOT NULL CHECK (status IN ('invited', 'joined', 'left')),
    pools $BOOL NOT NULL,
    invited_at $TIME NOT NULL,
    joined_at $TIME,
    left_at $TIME,
    PRIMARY KEY (household_id, member_id),
    CHECK (status <> 'joined' OR joined_at IS NOT NULL),
    CHECK ((status = 'left') = (left_at IS NOT NULL)),
    CHECK (status = 'joined' OR NOT pools),
    CHECK (status <> 'left' OR role = 'member')
) $CLUSTERED",
    "CREATE UNIQUE INDEX household_member_once ON household_member (member_id) WHERE status = 'joined'",
    "CREATE INDEX household_member_member ON household_member (member_id)",
    "CREATE UNIQUE INDEX household_member_head ON household_member (household_id) WHERE role = 'head'",
    "CREATE TABLE gift (
    id $UUID PRIMARY KEY NOT NULL,
    programme $TEXT NOT NULL REFERENCES programme (code),
    giver_id $UUID NOT NULL REFERENCES member (id),
    receiver_id $UUID NOT NULL REFERENCES member (id),
    region_code $TEXT NOT NULL REFERENCES region (code),
    receiver_region_code $TEXT NOT NULL REFERENCES region (code),
    amount $BIG NOT NULL CHECK (amount > 0),
    message $TEXT,
    given_at $TIME NOT NULL,
    reversed_at $TIME,
    reversed_by $UUID REFERENCES staff (id),
    reason $TEXT,
    CONSTRAINT gift_between_two CHECK (giver_id <> receiver_id),
    CHECK ((reversed_at IS NULL) = (reversed_by IS NULL))
) $CLUSTERED",
    "CREATE INDEX gift_giver ON gift (giver_id, given_at)",
    "CREATE INDEX gift_receiver ON gift (receiver_id, id)",
    "CREATE TABLE grant_round (
    id $UUID PRIMARY KEY NOT NULL,
    region_code $TEXT NOT NULL REFERENCES region (code),
    programme $TEXT NOT NULL REFERENCES programme (code),
    source $TEXT NOT NULL CHECK (source IN ('budget', 'donations')),
    budget_id $UUID,
    amount_each $BIG NOT NULL CHECK (amount_each > 0),
    members $INT NOT NULL CHECK (members > 0),
    reason $TEXT NOT NULL,
    status $TEXT NOT NULL CHECK (status IN ('pending', 'posted', 'rejected')),
    requested_by $UUID NOT NULL REFERENCES staff (id),
    decided_by $UUID REFERENCES staff (id),
    created_at $TIME NOT NULL,
    decided_at $TIME,
    CONSTRAINT grant_round_second_person CHECK (decided_by <> requested_by),
    CHECK ((decided_by IS NULL) = (decided_at IS NULL))
) $CLUSTERED",
    "CREATE INDEX grant_round_region ON grant_round (region_code, id)",
    "ALTER TABLE adjustment ADD COLUMN round_id $UUID",
    "CREATE INDEX adjustment_round ON adjustment (round_id, id) WHERE round_id IS NOT NULL",
    "CREATE TABLE expiry_notice (
    account_id $UUID NOT NULL REFERENCES account (id),
    expires_on $DATE NOT NULL,
    amount $BIG NOT NULL CHECK (amount > 0),
    told_at $TIME NOT NULL,
    PRIMARY KEY (account_id, expires_on)
) $CLUSTERED",
];

const DOWN: &[&str] = &["DROP INDEX adjustment_round", "ALTER TABLE adjustment DROP COLUMN round_id"];

/// In the order in which they can be dropped.
const TABLES: &[&str] = &["expiry_notice", "grant_round", "gift", "household_member", "household"];

const CONSENT_KINDS: Recheck = Recheck {
    table: "consent",
    name: "consent_kind_check",
    old: "CHECK (kind IN ('service', 'volunteer', 'boards', 'sensitive_data'))",
    new: "CHECK (kind IN ('service', 'volunteer', 'boards', 'sensitive_data', 'household_pooling'))",
};

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, UP).await?;
        ddl::recheck(manager, &CONSENT_KINDS).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, &["DELETE FROM consent WHERE kind = 'household_pooling'"]).await?;
        ddl::recheck(manager, &CONSENT_KINDS.back()).await?;
        ddl::run(manager, DOWN).await?;
        ddl::drop_tables(manager, TABLES).await
    }
}
