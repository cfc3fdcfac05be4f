//! Exporting: the tables of a data set, and three more for what they cannot hold, such that an import into an empty instance
//! comes to the same totals.
//!
//! - `participations` has the records that an import made and nobody has changed since, `service_records` all others.
//! - `journals` has every posting that importing the other tables does not make by itself, entry by entry.
//! - `goods.stock` is what was first put on the shelf, `stock_movements` what came and went since, other than by redemption.
//! - `seals` and `seal_leaves` are for those who check the journal by themselves (`docs/seals.md`); no import reads them.
//! - A reservation is not exported: its points and goods are free again. Submitted wishes wait for a review that the table
//!   cannot tell of, and people without name, phone or community cannot be imported: both are counted as left out.
//! - What there is no table for (donations, events, photos) stays behind, and is told with its number.
//!
//! Everything is read in one transaction. The files are in clear, so they are made for their owner alone (0600), and the
//! export stands in the audit log before the first of them.

mod beyond;
mod ledger;
mod listings;
mod partners;
mod people;
mod places;
mod seals;
mod service;
mod shelf;
mod wishes;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use entity::category::Category;
use entity::id::{AccountId, ActivityId, GoodsId, JournalId, MemberId, RedemptionId, ServiceRecordId, UnitId};
use rust_decimal::Decimal;
use sea_orm::{DatabaseTransaction, DbBackend, DbErr, IsolationLevel, TransactionTrait};
use serde::Serialize;
use serde_json::json;

use crate::app::AppState;
use crate::audit::{self, Actor, AuditEvent};
use crate::calendar::Calendar;
use crate::crypto::Keys;
use crate::exchange::csv::CsvWriter;
use crate::exchange::table::Table;
use crate::identity::sealed;

/// Why there is no export, or only part of one.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Files of another export beside this one's would be read as one set.
    #[error("{0} is not empty")]
    NotEmpty(String),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("the database refused: {0}")]
    Db(#[from] DbErr),
}

/// How many rows each table got, and what was left out.
#[derive(Debug, Default, Serialize)]
pub struct ExportReport {
    pub tables: BTreeMap<&'static str, u64>,
    pub warnings: Vec<String>,
}

/// Writes the data set into `folder`, which is made if it is not there.
///
/// # Errors
/// See [`ExportError`].
pub async fn export(state: &AppState, folder: &Path) -> Result<ExportReport, ExportError> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    if folder.read_dir()?.next().is_some() {
        return Err(ExportError::NotEmpty(folder.display().to_string()));
    }
    audit(state, folder).await?;
    let txn = snapshot(state).await?;
    let mut export = Export {
        db: &txn,
        keys: &state.keys,
        calendar: state.calendar,
        folder: folder.to_owned(),
        refs: Refs::default(),
        report: ExportReport::default(),
    };
    export.tables().await?;
    let report = export.report;
    txn.commit().await?;
    Ok(report)
}

async fn audit(state: &AppState, folder: &Path) -> Result<(), DbErr> {
    let event = AuditEvent::new(Actor::System, "exchange.export", "data_set", state.clock.now());
    let event = event.with(json!({ "folder": folder.file_name().map(|name| name.to_string_lossy().into_owned()) }));
    state.db.write(async move |txn| audit::record(txn, event.clone()).await).await
}

/// All tables as of one moment. SQLite's transactions are snapshots by themselves.
async fn snapshot(state: &AppState) -> Result<DatabaseTransaction, DbErr> {
    let isolation = (state.db.backend() == DbBackend::Postgres).then_some(IsolationLevel::RepeatableRead);
    state.db.read().begin_with_config(isolation, None).await
}

/// How rows are called in the set: by the ref they were imported with, else by their id.
#[derive(Default)]
struct Refs {
    units: HashMap<UnitId, String>,
    /// Only those who can be imported.
    members: HashMap<MemberId, String>,
    activities: HashMap<ActivityId, String>,
    /// With the station's community.
    goods: HashMap<GoodsId, (String, String)>,
    records: HashMap<ServiceRecordId, String>,
    redemptions: HashMap<RedemptionId, String>,
    /// Journals that an import makes by itself, by what they are posted for.
    implied: HashSet<uuid::Uuid>,
    /// Accounts that have, or had, dated points.
    dated: HashSet<AccountId>,
    journals: HashMap<JournalId, String>,
}

/// One export at work.
struct Export<'a> {
    db: &'a DatabaseTransaction,
    keys: &'a Keys,
    calendar: Calendar,
    folder: PathBuf,
    refs: Refs,
    report: ExportReport,
}

impl Export<'_> {
    async fn tables(&mut self) -> Result<(), ExportError> {
        self.regions().await?;
        self.codes().await?;
        self.units().await?;
        self.members().await?;
        self.activities().await?;
        self.dated().await?;
        self.records().await?;
        self.opening_balances().await?;
        self.wishes().await?;
        self.beyond().await?;
        self.listings().await?;
        self.goods().await?;
        self.redemptions().await?;
        self.journals().await?;
        self.stock_movements().await?;
        self.partners().await?;
        self.seals().await
    }

    /// The table's file with its header.
    fn open(&self, table: Table) -> Result<Sink, ExportError> {
        let mut writer = self.file(table.name())?;
        writer.write(table.columns().iter().map(|column| column.name))?;
        Ok(Sink { table, writer, rows: 0 })
    }

    fn file(&self, name: &str) -> Result<CsvWriter<BufWriter<File>>, ExportError> {
        let path = self.folder.join(format!("{name}.csv"));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        Ok(CsvWriter::new(BufWriter::new(file)))
    }

    fn close(&mut self, sink: Sink) -> Result<(), ExportError> {
        self.done(sink.table.name(), sink.writer, sink.rows)
    }

    fn done(&mut self, name: &'static str, writer: CsvWriter<BufWriter<File>>, rows: u64) -> Result<(), ExportError> {
        self.report.tables.insert(name, rows);
        let file = writer.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        Ok(())
    }

    /// Tells of rows that are not in the files, if there are any.
    fn left_out(&mut self, table: Table, count: u64, why: &str) {
        if count > 0 {
            self.report.warnings.push(format!("{}：{count} 行未导出（{why}）", table.name()));
        }
    }

    /// `2023-01-14 13:45`, local.
    fn moment(&self, at: DateTime<Utc>) -> String {
        self.calendar.local(at).format("%Y-%m-%d %H:%M").to_string()
    }

    /// The code; nothing where the column cannot be opened.
    fn special_group(&self, sealed: Option<&[u8]>) -> String {
        sealed.and_then(|group| sealed::open_special_group(self.keys, group).ok()).unwrap_or_default()
    }
}

/// A file that is being written.
struct Sink {
    table: Table,
    writer: CsvWriter<BufWriter<File>>,
    rows: u64,
}

impl Sink {
    fn write<const N: usize>(&mut self, cells: [&str; N]) -> Result<(), ExportError> {
        debug_assert_eq!(N, self.table.columns().len(), "a cell for each column");
        self.writer.write(cells)?;
        self.rows += 1;
        Ok(())
    }
}

/// To the microsecond, in UTC.
fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn day(day: Option<NaiveDate>) -> String {
    day.map(|day| day.to_string()).unwrap_or_default()
}

/// Hundredths as points: `12.5`, and `12` where they are whole.
fn points(hundredths: i64) -> String {
    Decimal::new(hundredths, 2).normalize().to_string()
}

/// Minutes as hours with two places.
fn hours(minutes: i64) -> String {
    format!("{:.2}", (Decimal::from(minutes) / Decimal::from(60)).round_dp(2))
}

fn number(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// As data sets name it.
const fn category_name(category: Category) -> &'static str {
    match category {
        Category::Neighbourly => "邻里互助",
        Category::Charity => "慈善捐赠",
        Category::Safety => "平安建设",
        Category::Culture => "文化宣传",
        Category::Civility => "文明创建",
        Category::Volunteering => "志愿服务",
    }
}
