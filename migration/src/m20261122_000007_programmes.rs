//! What a programme may say for itself: gifts, caps, budgets, households, cost; and donated points as an account of their own.

use sea_orm_migration::prelude::*;

use crate::ddl::{self, Recheck};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Each a column with what holds until staff change it.
const COLUMNS: [(&str, &str); 11] = [
    ("expiry_years", "$INT NOT NULL DEFAULT 0 CHECK (expiry_years >= 0)"),
    ("notice_days", "$INT NOT NULL DEFAULT 30 CHECK (notice_days >= 0)"),
    ("negative_allowed", "$BOOL NOT NULL DEFAULT FALSE"),
    ("budget_required", "$BOOL NOT NULL DEFAULT FALSE"),
    ("households_pool", "$BOOL NOT NULL DEFAULT FALSE"),
    ("account_cap", "$BIG CHECK (account_cap > 0)"),
    ("gifts_allowed", "$BOOL NOT NULL DEFAULT FALSE"),
    ("gift_cap_day", "$BIG CHECK (gift_cap_day > 0)"),
    ("gift_cap_receiver", "$BIG CHECK (gift_cap_receiver > 0)"),
    ("point_cost", "$BIG NOT NULL DEFAULT 0 CHECK (point_cost >= 0)"),
    ("updated_at", "$TIME"),
];

const ACCOUNT_KINDS: Recheck = Recheck {
    table: "account",
    name: "account_kind_check",
    old: "CHECK (kind IN ('member', 'issued', 'spent', 'expired'))",
    new: "CHECK (kind IN ('member', 'issued', 'spent', 'expired', 'donated'))",
};

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (column, kind) in COLUMNS {
            ddl::run(manager, &[&format!("ALTER TABLE programme ADD COLUMN {column} {kind}")]).await?;
        }
        ddl::recheck(manager, &ACCOUNT_KINDS).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::recheck(manager, &ACCOUNT_KINDS.back()).await?;
        for (column, _) in COLUMNS.iter().rev() {
            ddl::run(manager, &[&format!("ALTER TABLE programme DROP COLUMN {column}")]).await?;
        }
        Ok(())
    }
}
