//! Goods, their stock, and redemptions.

use sea_orm_migration::prelude::*;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: &[&str] = &[
    "CREATE TABLE goods (
    id $UUID PRIMARY KEY NOT NULL,
    ref_id $TEXT UNIQUE,
    name $TEXT NOT NULL,
    description $TEXT,
    station_id $UUID NOT NULL REFERENCES station (id),
    programme $TEXT NOT NULL REFERENCES programme (code),
    points $BIG NOT NULL CHECK (points > 0),
    stock $INT NOT NULL CONSTRAINT goods_stock CHECK (stock >= 0),
    per_member_limit $INT CHECK (per_member_limit > 0),
    supplier_unit_id $UUID REFERENCES unit (id),
    active $BOOL NOT NULL,
    created_at $TIME NOT NULL,
    updated_at $TIME NOT NULL
)",
    "CREATE INDEX goods_station ON goods (station_id, id)",
    "CREATE TABLE stock_movement (
    id $UUID PRIMARY KEY NOT NULL,
    ref_id $TEXT UNIQUE,
    goods_id $UUID NOT NULL REFERENCES goods (id),
    quantity $INT NOT NULL CHECK (quantity <> 0 OR reason = 'count'),
    reason $TEXT NOT NULL CHECK (reason IN ('initial', 'receipt', 'loss', 'count')),
    staff_id $UUID REFERENCES staff (id),
    at $TIME NOT NULL
)",
    "CREATE INDEX stock_movement_goods ON stock_movement (goods_id, id)",
    "CREATE TABLE redemption (
    id $UUID PRIMARY KEY NOT NULL,
    ref_id $TEXT UNIQUE,
    member_id $UUID NOT NULL REFERENCES member (id),
    goods_id $UUID NOT NULL REFERENCES goods (id),
    station_id $UUID NOT NULL REFERENCES station (id),
    region_code $TEXT NOT NULL,
    programme $TEXT NOT NULL,
    quantity $INT NOT NULL CHECK (quantity > 0),
    points $BIG NOT NULL CHECK (points > 0),
    status $TEXT NOT NULL CHECK (status IN ('reserved', 'fulfilled', 'refunded', 'cancelled', 'expired')),
    channel $TEXT NOT NULL CHECK (channel IN ('app', 'counter', 'import')),
    code $TEXT,
    created_at $TIME NOT NULL,
    expires_at $TIME,
    fulfilled_at $TIME,
    fulfilled_by $UUID REFERENCES staff (id),
    ended_at $TIME,
    reason $TEXT,
    CHECK (status <> 'reserved' OR (code IS NOT NULL AND expires_at IS NOT NULL))
)",
    "CREATE UNIQUE INDEX redemption_code ON redemption (code, station_id) WHERE code IS NOT NULL",
    "CREATE INDEX redemption_member ON redemption (member_id, id)",
    "CREATE INDEX redemption_region ON redemption (region_code, id)",
    "CREATE INDEX redemption_goods ON redemption (goods_id, member_id)",
    "CREATE INDEX redemption_expiry ON redemption (expires_at) WHERE status = 'reserved'",
];

/// In the order in which they can be dropped.
const TABLES: &[&str] = &["redemption", "stock_movement", "goods"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::drop_tables(manager, TABLES).await
    }
}
