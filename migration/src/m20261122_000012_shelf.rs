//! Services with times to book, baskets of several lines, limits per period and household, and redemptions that a household
//! pays for together.

use sea_orm_migration::prelude::*;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Each a table, a column, and what holds of the rows that are there.
const COLUMNS: [(&str, &str, &str); 9] = [
    ("goods", "kind", "$TEXT NOT NULL DEFAULT 'good' CHECK (kind IN ('good', 'service', 'voucher'))"),
    ("goods", "duration_minutes", "$INT CHECK (duration_minutes > 0)"),
    ("goods", "cost", "$BIG NOT NULL DEFAULT 0 CHECK (cost >= 0)"),
    (
        "goods",
        "limit_period",
        "$TEXT NOT NULL DEFAULT 'all' CHECK (limit_period IN ('all', 'day', 'week', 'month', 'quarter', 'year'))",
    ),
    ("goods", "per_household_limit", "$INT CHECK (per_household_limit > 0)"),
    ("goods", "bookable", "$BOOL NOT NULL DEFAULT FALSE"),
    ("redemption", "slot_id", "$UUID"),
    ("redemption", "line_count", "$SMALL NOT NULL DEFAULT 1 CHECK (line_count > 0)"),
    ("redemption", "shared", "$BOOL NOT NULL DEFAULT FALSE"),
];

const UP: &[&str] = &[
    "CREATE INDEX redemption_slot ON redemption (slot_id) WHERE slot_id IS NOT NULL",
    "CREATE TABLE goods_slot (
    id $UUID PRIMARY KEY NOT NULL,
    goods_id $UUID NOT NULL REFERENCES goods (id),
    starts_at $TIME NOT NULL,
    ends_at $TIME NOT NULL,
    capacity $INT NOT NULL,
    taken $INT NOT NULL,
    status $TEXT NOT NULL CHECK (status IN ('open', 'closed')),
    created_at $TIME NOT NULL,
    CONSTRAINT goods_slot_taken CHECK (taken >= 0 AND taken <= capacity),
    CONSTRAINT goods_slot_span CHECK (ends_at > starts_at),
    CONSTRAINT goods_slot_start UNIQUE (goods_id, starts_at)
)",
    "CREATE TABLE redemption_line (
    redemption_id $UUID NOT NULL REFERENCES redemption (id),
    line $SMALL NOT NULL CHECK (line > 1),
    member_id $UUID NOT NULL REFERENCES member (id),
    goods_id $UUID NOT NULL REFERENCES goods (id),
    quantity $INT NOT NULL CHECK (quantity > 0),
    points $BIG NOT NULL CHECK (points > 0),
    slot_id $UUID REFERENCES goods_slot (id),
    PRIMARY KEY (redemption_id, line)
) $CLUSTERED",
    "CREATE INDEX redemption_line_goods ON redemption_line (goods_id, member_id)",
    "CREATE INDEX redemption_line_slot ON redemption_line (slot_id) WHERE slot_id IS NOT NULL",
    "CREATE TABLE redemption_share (
    id $UUID PRIMARY KEY NOT NULL,
    redemption_id $UUID NOT NULL REFERENCES redemption (id),
    member_id $UUID NOT NULL REFERENCES member (id),
    points $BIG NOT NULL CHECK (points > 0),
    CONSTRAINT redemption_share_payer UNIQUE (redemption_id, member_id)
) $CLUSTERED",
    "CREATE INDEX redemption_share_member ON redemption_share (member_id)",
];

/// In the order in which they can be dropped.
const TABLES: &[&str] = &["redemption_share", "redemption_line", "goods_slot"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column, kind) in COLUMNS {
            ddl::run(manager, &[&format!("ALTER TABLE {table} ADD COLUMN {column} {kind}")]).await?;
        }
        ddl::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::drop_tables(manager, TABLES).await?;
        ddl::run(manager, &["DROP INDEX redemption_slot"]).await?;
        for (table, column, _) in COLUMNS.iter().rev() {
            ddl::run(manager, &[&format!("ALTER TABLE {table} DROP COLUMN {column}")]).await?;
        }
        Ok(())
    }
}
