//! Proof that the books are in order: questions whose right answer is no row at all.
//!
//! Each room that keeps an invariant lists its questions as [`Check`]s beside the code that keeps it; `linli verify` asks
//! them all in one snapshot, so it can run while the service works. Nothing is changed and nothing is repaired.

use std::time::Instant;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbErr, Statement};
use serde::Serialize;
use uuid::Uuid;

use crate::crypto::{Keys, Signer};
use crate::db::Db;
use crate::points::seal::{self, verify::SealsReport};

/// A question to the database: which rows break a rule.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// The rule, in words joined by `_`.
    pub name: &'static str,
    /// The table whose row is named.
    pub table: &'static str,
    /// Selects `id` (a UUID), `expected` and `found` (both bigint, may be null) of each row that breaks it.
    pub sql: &'static str,
}

/// A row that breaks a rule.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    pub check: &'static str,
    pub table: String,
    /// The row's id; where only the database itself can name it, its words.
    pub row: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<i64>,
}

/// What was looked at, and what was found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub ok: bool,
    /// How many rules were asked about.
    pub checks: usize,
    /// At most a hundred for each check.
    pub findings: Vec<Finding>,
    /// Checks with more findings than are shown.
    pub more: Vec<&'static str>,
    /// Rows of the ledger that were looked at.
    pub journals: i64,
    pub entries: i64,
    /// Where they were asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seals: Option<SealsReport>,
    pub seconds: f64,
}

/// How many findings of one check are shown.
const SHOWN: usize = 100;

/// All checks of all rooms.
fn checks() -> impl Iterator<Item = &'static Check> {
    [
        crate::assignment::verify::CHECKS,
        crate::listing::verify::CHECKS,
        crate::merit::verify::CHECKS,
        crate::offering::verify::CHECKS,
        crate::photo::verify::CHECKS,
        crate::household::verify::CHECKS,
        crate::points::gift::verify::CHECKS,
        crate::points::verify::CHECKS,
        crate::redemption::verify::CHECKS,
        crate::redemption::stock::verify::CHECKS,
        crate::redemption::voucher::verify::CHECKS,
        crate::redemption::settlement::verify::CHECKS,
        crate::service_record::verify::CHECKS,
        crate::task::verify::CHECKS,
        crate::taxonomy::verify::CHECKS,
        crate::wish::verify::CHECKS,
    ]
    .into_iter()
    .flatten()
}

/// Asks everything in one snapshot.
///
/// # Errors
/// The database's.
pub async fn run(db: &Db) -> Result<Report, DbErr> {
    all(db, None).await
}

/// Asks everything, and makes every seal again, in one snapshot.
///
/// # Errors
/// The database's.
pub async fn run_with_seals(db: &Db, keys: &Keys) -> Result<Report, DbErr> {
    all(db, Some(&keys.signer(seal::PURPOSE))).await
}

async fn all(db: &Db, seals: Option<&Signer>) -> Result<Report, DbErr> {
    let began = Instant::now();
    let snapshot = db.snapshot().await?;
    let mut report = Report {
        ok: true,
        checks: 0,
        findings: Vec::new(),
        more: Vec::new(),
        journals: count(&snapshot, "journal").await?,
        entries: count(&snapshot, "entry").await?,
        seals: None,
        seconds: 0.0,
    };
    for check in checks() {
        let found = ask(&snapshot, check).await?;
        report.add(check.name, found);
    }
    report.add("account_id_is_derived", crate::points::verify::misnamed_accounts(&snapshot).await?);
    report.add("turnover_is_sum_of_sealed_entries", crate::points::verify::turnover(&snapshot).await?);
    if let Some(signer) = seals {
        report.look_at_seals(&snapshot, signer, db.now().await?).await?;
    }
    let damage = db.damage(&snapshot).await?.into_iter().map(|(table, row)| Finding {
        check: "database_is_whole",
        table,
        row,
        expected: None,
        found: None,
    });
    report.add("database_is_whole", damage.collect());
    snapshot.rollback().await?;
    report.ok = report.findings.is_empty();
    report.seconds = (began.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
    Ok(report)
}

impl Report {
    async fn look_at_seals(
        &mut self,
        db: &impl ConnectionTrait,
        signer: &Signer,
        now: DateTime<Utc>,
    ) -> Result<(), DbErr> {
        for check in seal::verify::CHECKS {
            let found = ask(db, check).await?;
            self.add(check.name, found);
        }
        let (seals, found) = seal::verify::run(db, signer, now).await?;
        for (name, found) in found {
            self.add(name, found);
        }
        self.seals = Some(seals);
        Ok(())
    }

    fn add(&mut self, name: &'static str, mut found: Vec<Finding>) {
        self.checks += 1;
        if found.len() > SHOWN {
            found.truncate(SHOWN);
            self.more.push(name);
        }
        self.findings.append(&mut found);
    }
}

async fn count(db: &impl ConnectionTrait, table: &str) -> Result<i64, DbErr> {
    let sql = format!("SELECT COUNT(*) AS n FROM {table}");
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    row.map_or(Ok(0), |row| row.try_get("", "n"))
}

async fn ask(db: &impl ConnectionTrait, check: &Check) -> Result<Vec<Finding>, DbErr> {
    let sql = format!(
        "SELECT id, CAST(expected AS bigint) AS expected, CAST(found AS bigint) AS found FROM ({}) AS broken LIMIT {}",
        check.sql,
        SHOWN + 1
    );
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    let finding = |row: &sea_orm::QueryResult| {
        Ok(Finding {
            check: check.name,
            table: check.table.to_owned(),
            row: row.try_get::<Uuid>("", "id")?.to_string(),
            expected: row.try_get("", "expected")?,
            found: row.try_get("", "found")?,
        })
    };
    rows.iter().map(finding).collect()
}
