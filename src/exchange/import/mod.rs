//! Importing a data set: every table is read and judged row by row, then written in one transaction.
//!
//! A row is known again by its id and a fingerprint of what it said (`import_row`), so a second run changes nothing. All
//! that judging needs is in memory ([`known`]): a dry run gives the same report, and no row costs a query.
//!
//! **Shift.** `--shift-to` moves every time by whole weeks, so that the latest thing that happened in the set lies in the
//! given week (plans, windows and deadlines may lie after it). A set is recognised by its rows: where one of them was imported
//! before, the shift it came with is used again, whatever folder it lies in now and whatever files were added
//! (`import_set`). Tables without times fix nothing, so `regions.csv` may come first.

mod alarm;
mod check;
mod known;
mod rows;
mod set;
mod table;
mod write;

use std::io;
use std::path::Path;

use chrono::{DateTime, NaiveDate, Utc};
use indicatif::ProgressBar;
use sea_orm::DbErr;
use serde_json::json;

use crate::app::AppState;
use crate::audit::{self, Actor, AuditEvent};
use crate::db::Db;
use crate::exchange::dataset::DataSet;
use crate::exchange::report::Report;
use crate::exchange::table::Table;

use alarm::Alarm;
use check::{Notes, Times};
use known::Known;
use write::Stamp;
pub use write::WriteError;

/// What a reversal of a record is posted for.
pub(super) const RECORD_REVERSAL: &str = "service_record_reversal";
pub(super) use crate::redemption::SOURCE as REDEMPTION;
pub(super) use known::PROGRAMME;

/// What the caller asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Judge everything, write nothing.
    pub dry_run: bool,
    /// A day of the week that the set's newest moment is moved into.
    pub shift_to: Option<NaiveDate>,
}

/// Why an import ended early. The tables before `table` are written, it and those after it are not.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("{0}")]
    Folder(#[from] io::Error),
    #[error("the database refused: {0}")]
    Db(#[from] DbErr),
    #[error("table {} was not written: {cause}", table.name())]
    Table { table: Table, cause: WriteError },
}

/// Imports the data set in `folder`. `progress` counts the bytes read.
///
/// # Errors
/// See [`ImportError`]. Rows that are not taken are no error but stand in the report.
pub async fn import(
    state: &AppState,
    folder: &Path,
    options: Options,
    progress: &ProgressBar,
) -> Result<Report, ImportError> {
    import_set(state, &DataSet::open(folder)?, folder, options, progress).await
}

/// Imports a data set that was put together otherwise; `folder` is what it is called by.
///
/// # Errors
/// As [`import`].
pub async fn import_set(
    state: &AppState,
    set: &DataSet,
    folder: &Path,
    options: Options,
    progress: &ProgressBar,
) -> Result<Report, ImportError> {
    let tables: Vec<Table> = set.tables.keys().copied().collect();
    progress.set_length(set.tables.values().flatten().map(|file| file.bytes).sum());
    let now = state.clock.now();
    let mut report = Report { warnings: set.warnings.clone(), ..Report::default() };
    let chosen = set::choose(&state.db, set, folder, options, state.calendar).await?;
    report.warnings.extend(chosen.warning.clone());
    if !options.dry_run {
        set::remember(&state.db, &chosen, now).await?;
    }
    let known = Known::load(state.db.read(), &tables).await?;
    let times = Times { calendar: state.calendar, shift: chosen.shift, now };
    let stamp = Stamp { now, calendar: state.calendar, keys: state.keys.clone(), set_no: chosen.no };
    let alarm = Alarm::default();
    let mut run =
        Run { db: &state.db, set, options, progress, known, times, stamp, report, alarm, notes: Notes::default() };
    run.tables(&tables).await?;
    let Run { mut report, notes, alarm, .. } = run;
    report.warnings.extend(notes.warnings());
    report.warnings.extend(alarm.warnings());
    if !options.dry_run {
        audit(&state.db, folder, &report, now).await?;
    }
    progress.finish_and_clear();
    Ok(report)
}

/// One import at work.
struct Run<'a> {
    db: &'a Db,
    set: &'a DataSet,
    options: Options,
    progress: &'a ProgressBar,
    known: Known,
    times: Times,
    stamp: Stamp,
    report: Report,
    notes: Notes,
    alarm: Alarm,
}

impl Run<'_> {
    async fn tables(&mut self, tables: &[Table]) -> Result<(), ImportError> {
        for &table in tables {
            self.progress.set_message(table.name());
            match table {
                Table::Regions => self.table::<table::Regions>().await?,
                Table::Codes => self.table::<table::Codes>().await?,
                Table::Units => self.table::<table::Units>().await?,
                Table::Members => self.table::<table::Members>().await?,
                Table::Activities => self.table::<table::Activities>().await?,
                Table::Participations => self.table::<table::Participations>().await?,
                Table::OpeningBalances => self.table::<table::OpeningBalances>().await?,
                Table::Wishes => self.table::<table::Wishes>().await?,
                Table::Goods => self.table::<table::Goods>().await?,
                Table::ServiceRecords => self.table::<table::ServiceRecords>().await?,
                Table::Journals => self.table::<table::Journals>().await?,
                Table::StockMovements => self.table::<table::StockMovements>().await?,
                Table::Redemptions => self.table::<table::Redemptions>().await?,
                Table::Listings => self.table::<table::Listings>().await?,
                Table::Grids | Table::WorkOrders | Table::Reports | Table::Deployments => {
                    self.skip(table);
                }
            }
        }
        Ok(())
    }
}

/// Who brought in how much: counts only.
async fn audit(db: &Db, folder: &Path, report: &Report, now: DateTime<Utc>) -> Result<(), DbErr> {
    let counts: serde_json::Map<_, _> =
        report.tables.iter().map(|(table, report)| (table.name().to_owned(), json!(report.accepted))).collect();
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let event = AuditEvent::new(Actor::System, "exchange.import", "data_set", now).of(name).with(json!(counts));
    db.write(async move |txn| audit::record(txn, event.clone()).await).await
}
