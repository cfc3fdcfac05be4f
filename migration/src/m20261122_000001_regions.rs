//! The region tree, coded lists, units and stations.

use sea_orm_migration::prelude::*;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: &[&str] = &[
    "CREATE TABLE region (
    code $TEXT PRIMARY KEY,
    name $TEXT NOT NULL,
    level $TEXT NOT NULL CHECK (level IN ('province', 'city', 'district', 'street', 'community', 'grid', 'building', 'unit_door')),
    parent_code $TEXT REFERENCES region (code),
    kind $TEXT NOT NULL
)",
    "CREATE INDEX region_parent ON region (parent_code, code)",
    "CREATE TABLE code_item (
    list $TEXT NOT NULL,
    code $TEXT NOT NULL,
    name $TEXT NOT NULL,
    parent $TEXT,
    PRIMARY KEY (list, code)
)",
    "CREATE TABLE unit (
    id $UUID PRIMARY KEY NOT NULL,
    ref_id $TEXT UNIQUE,
    name $TEXT NOT NULL,
    unit_type $TEXT NOT NULL,
    region_code $TEXT NOT NULL REFERENCES region (code),
    party_members $INT NOT NULL CHECK (party_members >= 0),
    created_at $TIME NOT NULL
)",
    "CREATE INDEX unit_region ON unit (region_code)",
    "CREATE TABLE station (
    id $UUID PRIMARY KEY NOT NULL,
    ref_id $TEXT UNIQUE,
    name $TEXT NOT NULL,
    kind $TEXT NOT NULL CHECK (kind IN ('growth', 'mobile', 'points_shop', 'centre')),
    region_code $TEXT NOT NULL REFERENCES region (code),
    address $TEXT,
    opening_hours $TEXT,
    lat $REAL CHECK (lat BETWEEN -90 AND 90),
    lon $REAL CHECK (lon BETWEEN -180 AND 180),
    active $BOOL NOT NULL,
    created_at $TIME NOT NULL,
    updated_at $TIME NOT NULL
)",
    "CREATE INDEX station_region ON station (region_code)",
];

/// In the order in which they can be dropped.
const TABLES: &[&str] = &["station", "unit", "code_item", "region"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::drop_tables(manager, TABLES).await
    }
}
