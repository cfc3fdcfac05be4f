//! Gift vouchers, stock takes, transfers between stations, and what suppliers are owed.

use sea_orm_migration::prelude::*;

use crate::ddl::{self, Recheck};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: &[&str] = &[
    // `issuer` is the supplier, or the goods where there is none: a merchant's code counts once on whatever goods.
    "CREATE TABLE voucher (
    id $UUID PRIMARY KEY NOT NULL,
    goods_id $UUID NOT NULL REFERENCES goods (id),
    issuer $UUID NOT NULL,
    batch_id $UUID NOT NULL,
    code_sealed $BYTES NOT NULL,
    code_index $BYTES NOT NULL,
    expires_on $DATE,
    status $TEXT NOT NULL CHECK (status IN ('free', 'given', 'void', 'expired')),
    redemption_id $UUID REFERENCES redemption (id),
    given_at $TIME,
    ended_at $TIME,
    created_at $TIME NOT NULL,
    CHECK (status <> 'given' OR (redemption_id IS NOT NULL AND given_at IS NOT NULL)),
    CHECK (status NOT IN ('free', 'expired') OR redemption_id IS NULL)
)",
    "CREATE UNIQUE INDEX voucher_code ON voucher (issuer, code_index)",
    "CREATE INDEX voucher_goods ON voucher (goods_id, id)",
    "CREATE INDEX voucher_free ON voucher (goods_id, expires_on, id) WHERE status = 'free'",
    "CREATE INDEX voucher_redemption ON voucher (redemption_id) WHERE redemption_id IS NOT NULL",
    "CREATE INDEX voucher_batch ON voucher (batch_id)",
    "CREATE TABLE stock_take (
    id $UUID PRIMARY KEY NOT NULL,
    station_id $UUID NOT NULL REFERENCES station (id),
    region_code $TEXT NOT NULL,
    note $TEXT,
    staff_id $UUID NOT NULL REFERENCES staff (id),
    at $TIME NOT NULL
)",
    "CREATE INDEX stock_take_station ON stock_take (station_id, id)",
    "CREATE TABLE stock_take_line (
    stock_take_id $UUID NOT NULL REFERENCES stock_take (id),
    goods_id $UUID NOT NULL REFERENCES goods (id),
    expected $INT NOT NULL CHECK (expected >= 0),
    reserved $INT NOT NULL CHECK (reserved >= 0 AND reserved <= expected),
    counted $INT NOT NULL CHECK (counted >= reserved),
    cost $BIG CHECK (cost >= 0),
    movement_id $UUID REFERENCES stock_movement (id),
    PRIMARY KEY (stock_take_id, goods_id),
    CHECK ((movement_id IS NULL) = (counted = expected))
)",
    "CREATE INDEX stock_take_line_goods ON stock_take_line (goods_id)",
    "CREATE TABLE stock_transfer (
    id $UUID PRIMARY KEY NOT NULL,
    from_goods_id $UUID NOT NULL REFERENCES goods (id),
    from_station_id $UUID NOT NULL REFERENCES station (id),
    from_region_code $TEXT NOT NULL,
    to_goods_id $UUID NOT NULL REFERENCES goods (id),
    to_station_id $UUID NOT NULL REFERENCES station (id),
    to_region_code $TEXT NOT NULL,
    quantity $INT NOT NULL CHECK (quantity > 0),
    received $INT CHECK (received >= 0 AND received <= quantity),
    status $TEXT NOT NULL CHECK (status IN ('sent', 'received', 'cancelled')),
    sent_by $UUID NOT NULL REFERENCES staff (id),
    sent_at $TIME NOT NULL,
    ended_by $UUID REFERENCES staff (id),
    ended_at $TIME,
    note $TEXT,
    out_movement_id $UUID NOT NULL REFERENCES stock_movement (id),
    in_movement_id $UUID REFERENCES stock_movement (id),
    loss_movement_id $UUID REFERENCES stock_movement (id),
    CHECK (from_station_id <> to_station_id),
    CHECK ((status = 'sent') = (in_movement_id IS NULL)),
    CHECK ((status = 'received') = (received IS NOT NULL))
)",
    "CREATE INDEX stock_transfer_from ON stock_transfer (from_goods_id, to_station_id)",
    "CREATE INDEX stock_transfer_from_region ON stock_transfer (from_region_code, id)",
    "CREATE INDEX stock_transfer_to_region ON stock_transfer (to_region_code, id)",
    // What held before a change; what holds now stands at the goods. So a hand-out finds the terms of its time.
    "CREATE TABLE goods_terms (
    goods_id $UUID NOT NULL REFERENCES goods (id),
    until $TIME NOT NULL,
    supplier_unit_id $UUID REFERENCES unit (id),
    cost $BIG NOT NULL CHECK (cost >= 0),
    PRIMARY KEY (goods_id, until)
)",
    "CREATE TABLE settlement_close (
    id $UUID PRIMARY KEY NOT NULL,
    region_code $TEXT NOT NULL,
    month $TEXT NOT NULL,
    closed_by $UUID NOT NULL REFERENCES staff (id),
    closed_at $TIME NOT NULL
)",
    "CREATE UNIQUE INDEX settlement_close_month ON settlement_close (region_code, month)",
    "CREATE TABLE settlement (
    id $UUID PRIMARY KEY NOT NULL,
    close_id $UUID NOT NULL REFERENCES settlement_close (id),
    supplier_unit_id $UUID NOT NULL REFERENCES unit (id),
    region_code $TEXT NOT NULL,
    month $TEXT NOT NULL,
    pieces $BIG NOT NULL CHECK (pieces >= 0),
    points $BIG NOT NULL CHECK (points >= 0),
    amount $BIG NOT NULL CHECK (amount >= 0),
    refunded_pieces $BIG NOT NULL CHECK (refunded_pieces >= 0),
    refunded_points $BIG NOT NULL CHECK (refunded_points >= 0),
    refunded_amount $BIG NOT NULL CHECK (refunded_amount >= 0),
    paid_on $DATE,
    payment_reference $TEXT,
    paid_by $UUID REFERENCES staff (id),
    paid_at $TIME,
    CHECK ((paid_on IS NULL) = (payment_reference IS NULL))
)",
    "CREATE UNIQUE INDEX settlement_supplier ON settlement (supplier_unit_id, region_code, month)",
    "CREATE INDEX settlement_month ON settlement (month, region_code)",
    "CREATE INDEX settlement_closed ON settlement (close_id)",
    // What was handed out, and what came back, each in one settlement only.
    "CREATE TABLE settlement_line (
    redemption_id $UUID NOT NULL REFERENCES redemption (id),
    line $SMALL NOT NULL,
    kind $TEXT NOT NULL CHECK (kind IN ('fulfilled', 'refunded')),
    close_id $UUID NOT NULL REFERENCES settlement_close (id),
    supplier_unit_id $UUID NOT NULL,
    goods_id $UUID NOT NULL REFERENCES goods (id),
    quantity $INT NOT NULL CHECK (quantity > 0),
    points $BIG NOT NULL,
    cost $BIG NOT NULL CHECK (cost >= 0),
    at $TIME NOT NULL,
    PRIMARY KEY (redemption_id, line, kind)
)",
    "CREATE INDEX settlement_line_close ON settlement_line (close_id, supplier_unit_id, at)",
];

const REASONS: Recheck = Recheck {
    table: "stock_movement",
    name: "stock_movement_reason_check",
    old: "CHECK (reason IN ('initial', 'receipt', 'loss', 'count'))",
    new: "CHECK (reason IN ('initial', 'receipt', 'loss', 'count', 'transfer_out', 'transfer_in'))",
};

/// What went between stations came and went, for a schema that does not know transfers.
const FORGET: &[&str] = &[
    "UPDATE stock_movement SET reason = 'receipt' WHERE reason = 'transfer_in'",
    "UPDATE stock_movement SET reason = 'loss' WHERE reason = 'transfer_out'",
];

/// In the order in which they can be dropped.
const TABLES: &[&str] = &[
    "settlement_line",
    "settlement",
    "settlement_close",
    "goods_terms",
    "stock_transfer",
    "stock_take_line",
    "stock_take",
    "voucher",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::recheck(manager, &REASONS).await?;
        ddl::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::drop_tables(manager, TABLES).await?;
        ddl::run(manager, FORGET).await?;
        ddl::recheck(manager, &REASONS.back()).await
    }
}
