//! Rules that say more: what they are for, by which unit, factors, caps, who approves; how hard a service was and who led it.

use sea_orm_migration::prelude::*;

use crate::ddl::{self, Recheck};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Table, column, and what the column is. Factors are hundredths, from 0.01 to 100.
const COLUMNS: [(&str, &str, &str); 20] = [
    (
        "rule",
        "subject",
        "$TEXT NOT NULL DEFAULT 'record' CHECK (subject IN ('record', 'donation', 'event', 'household_score'))",
    ),
    ("rule", "item", "$TEXT"),
    ("rule", "name", "$TEXT"),
    ("rule", "per_units", "$INT CHECK (per_units > 0)"),
    ("rule", "factor_grade_a", "$INT NOT NULL DEFAULT 100 CHECK (factor_grade_a BETWEEN 1 AND 10000)"),
    ("rule", "factor_grade_b", "$INT NOT NULL DEFAULT 100 CHECK (factor_grade_b BETWEEN 1 AND 10000)"),
    ("rule", "factor_grade_c", "$INT NOT NULL DEFAULT 100 CHECK (factor_grade_c BETWEEN 1 AND 10000)"),
    ("rule", "factor_grade_d", "$INT NOT NULL DEFAULT 100 CHECK (factor_grade_d BETWEEN 1 AND 10000)"),
    ("rule", "factor_level_1", "$INT NOT NULL DEFAULT 100 CHECK (factor_level_1 BETWEEN 1 AND 10000)"),
    ("rule", "factor_level_2", "$INT NOT NULL DEFAULT 100 CHECK (factor_level_2 BETWEEN 1 AND 10000)"),
    ("rule", "factor_level_3", "$INT NOT NULL DEFAULT 100 CHECK (factor_level_3 BETWEEN 1 AND 10000)"),
    ("rule", "factor_organiser", "$INT NOT NULL DEFAULT 100 CHECK (factor_organiser BETWEEN 1 AND 10000)"),
    ("rule", "cap_week", "$BIG CHECK (cap_week >= 0)"),
    ("rule", "cap_rule", "$BIG CHECK (cap_rule >= 0)"),
    ("rule", "min_evidence", "$TEXT CHECK (min_evidence IN ('A', 'B', 'C', 'D'))"),
    ("rule", "approver", "$TEXT NOT NULL DEFAULT 'manager' CHECK (approver IN ('manager', 'street', 'district'))"),
    ("task", "difficulty", "$SMALL NOT NULL DEFAULT 1 CHECK (difficulty BETWEEN 1 AND 3)"),
    ("service_record", "difficulty", "$SMALL NOT NULL DEFAULT 1 CHECK (difficulty BETWEEN 1 AND 3)"),
    ("service_record", "organiser", "$BOOL NOT NULL DEFAULT FALSE"),
    ("adjustment", "expires_on", "$DATE"),
];

const CHECKS: [Recheck; 3] = [
    Recheck {
        table: "rule",
        name: "rule_basis_check",
        old: "CHECK (basis IN ('time', 'event'))",
        new: "CHECK (basis IN ('time', 'event', 'item', 'yuan'))",
    },
    Recheck {
        table: "rule",
        name: "rule_amount_check",
        old: "CHECK (amount >= 0)",
        new: "CHECK (amount >= 0 OR subject IN ('event', 'household_score'))",
    },
    // A rule that is called off before it began, or replaced at the instant at which it began, is in force at no time.
    Recheck {
        table: "rule",
        name: "rule_check1",
        old: "CHECK (valid_until > valid_from)",
        new: "CHECK (valid_until >= valid_from)",
    },
];

const UP: &[&str] = &[
    // What rules with a cap of their own have let each account earn; a reversal takes its row away.
    "CREATE TABLE rule_use (
    source_kind $TEXT NOT NULL,
    source_id $UUID NOT NULL,
    rule_id $UUID NOT NULL REFERENCES rule (id),
    account_id $UUID NOT NULL REFERENCES account (id),
    amount $BIG NOT NULL CHECK (amount > 0),
    PRIMARY KEY (source_kind, source_id)
) $CLUSTERED",
    "CREATE INDEX rule_use_account ON rule_use (account_id, rule_id)",
    // A trial reads what counts, member by member and in the order of service.
    "CREATE INDEX service_record_counted ON service_record (member_id, ended_at, id) WHERE counted_at IS NOT NULL",
];

/// What the schema before cannot say.
const DOWN: &[&str] = &[
    "DROP INDEX service_record_counted",
    "DROP TABLE rule_use",
    "DELETE FROM rule WHERE basis NOT IN ('time', 'event') OR subject <> 'record' OR item IS NOT NULL OR valid_until <= valid_from",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column, kind) in COLUMNS {
            ddl::run(manager, &[&format!("ALTER TABLE {table} ADD COLUMN {column} {kind}")]).await?;
        }
        for check in &CHECKS {
            ddl::recheck(manager, check).await?;
        }
        ddl::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, DOWN).await?;
        for check in &CHECKS {
            ddl::recheck(manager, &check.back()).await?;
        }
        for (table, column, _) in COLUMNS.iter().rev() {
            ddl::run(manager, &[&format!("ALTER TABLE {table} DROP COLUMN {column}")]).await?;
        }
        Ok(())
    }
}
