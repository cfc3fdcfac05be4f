//! Reading one table: the part that is the same for all, and what is different as a trait.

use std::collections::HashMap;

use entity::import_row;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};

use super::alarm::Alarm;
use super::check::{self, Context};
use super::known::Known;
use super::rows::{
    Accepted, ActivityRow, CodeRow, EntryAccount, EntryRow, GoodsRow, ListingRow, MemberRow, MovementRow, OpeningRow,
    RecordRow, RedemptionRow, RegionRow, UnitRow, WishRow,
};
use super::write::{self, Stamp, WriteError};
use super::{ImportError, Run};
use crate::exchange::dataset::Loaded;
use crate::exchange::record::Record;
use crate::exchange::report::{Reason, TableReport};
use crate::exchange::row::{Fingerprint, Layout, Row};
use crate::exchange::table::Table;

/// How one table is imported.
pub(super) trait Import: 'static {
    const TABLE: Table;
    /// Read so often, with the rows of each pass chosen by [`Import::pass`].
    const PASSES: usize = 1;
    type Row: Send + Sync + 'static;

    fn pass(_row: &Row) -> usize {
        0
    }

    fn check(cx: &mut Context<'_>, row: &Row) -> Result<Self::Row, Reason>;

    /// What only all rows together show; the indexes of those to be rejected.
    fn settle(_known: &mut Known, _rows: &[Accepted<Self::Row>]) -> Vec<(usize, Reason)> {
        Vec::new()
    }

    fn watch(_alarm: &mut Alarm, _row: &Self::Row) {}

    fn write(
        db: &impl ConnectionTrait,
        stamp: &Stamp,
        rows: &[Accepted<Self::Row>],
    ) -> impl Future<Output = Result<(), WriteError>>;
}

macro_rules! imports {
    ($($name:ident: $row:ident, $check:ident, $write:ident $({ $($more:tt)* })?;)+) => {$(
        pub(super) struct $name;

        impl Import for $name {
            const TABLE: Table = Table::$name;
            type Row = $row;

            fn check(cx: &mut Context<'_>, row: &Row) -> Result<$row, Reason> {
                check::$check(cx, row)
            }

            async fn write(db: &impl ConnectionTrait, stamp: &Stamp, rows: &[Accepted<$row>]) -> Result<(), WriteError> {
                write::$write(db, stamp, rows).await
            }

            $($($more)*)?
        }
    )+};
}

imports! {
    Regions: RegionRow, region, regions {
        const PASSES: usize = 4;

        /// From the top down, so that parents come before their children however the file is sorted.
        fn pass(row: &Row) -> usize {
            match row.cell(Table::Regions.position("level")) {
                "district" => 1,
                "street" => 2,
                "community" => 3,
                _ => 0,
            }
        }
    };
    Codes: CodeRow, code_item, code_items;
    Units: UnitRow, unit, units;
    Members: MemberRow, member, members {
        fn watch(alarm: &mut Alarm, _row: &MemberRow) {
            alarm.members += 1;
        }
    };
    Activities: ActivityRow, activity, activities {
        fn watch(alarm: &mut Alarm, row: &ActivityRow) {
            alarm.served_persons += i64::from(row.served_persons);
        }
    };
    Participations: RecordRow, participation, records {
        fn watch(alarm: &mut Alarm, row: &RecordRow) {
            alarm.hours(row.person.id, i64::from(row.minutes));
        }
    };
    OpeningBalances: OpeningRow, opening_balance, opening_balances {
        fn watch(alarm: &mut Alarm, row: &OpeningRow) {
            alarm.hours(row.person.id, row.minutes);
        }
    };
    Wishes: WishRow, wish, wishes;
    Goods: GoodsRow, goods, goods;
    ServiceRecords: RecordRow, service_record, records;
    Journals: EntryRow, entry, entries {
        fn settle(known: &mut Known, rows: &[Accepted<EntryRow>]) -> Vec<(usize, Reason)> {
            settle_journals(known, rows)
        }
    };
    StockMovements: MovementRow, stock_movement, stock_movements;
    Redemptions: RedemptionRow, redemption, redemptions;
    Listings: ListingRow, listing, listings;
}

/// A journal whose entries do not sum to zero, for whatever reason, is rejected as a whole, and so is one that would take
/// from a member what is not there.
fn settle_journals(known: &mut Known, rows: &[Accepted<EntryRow>]) -> Vec<(usize, Reason)> {
    let mut journals: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut order = Vec::new();
    for (index, accepted) in rows.iter().enumerate() {
        let lines = journals.entry(&accepted.row.journal).or_default();
        if lines.is_empty() {
            order.push(accepted.row.journal.as_str());
        }
        lines.push(index);
    }
    let mut rejected = Vec::new();
    for journal in order {
        let lines = journals.get(journal).map(Vec::as_slice).unwrap_or_default();
        let entries = || lines.iter().filter_map(|index| rows.get(*index)).map(|accepted| &accepted.row);
        let mut moved = HashMap::new();
        let mut sum = 0_i128;
        for entry in entries() {
            sum += i128::from(entry.amount);
            if let EntryAccount::Member(person) = &entry.account {
                *moved.entry(person.id).or_insert(0_i64) += entry.amount;
            }
        }
        let covered = moved
            .iter()
            .all(|(member, amount)| known.available.get(member).copied().unwrap_or(0).saturating_add(*amount) >= 0);
        if sum == 0 && covered {
            for (member, amount) in moved {
                *known.available.entry(member).or_default() += amount;
            }
        } else {
            let reason = if sum == 0 { Reason::INSUFFICIENT_POINTS } else { Reason::BAD_NUMBER };
            rejected.extend(lines.iter().map(|index| (*index, reason)));
        }
    }
    rejected
}

/// The id under which a row is remembered.
pub(super) fn reference(table: Table, row: &Row) -> String {
    match table {
        Table::Codes | Table::Journals => format!("{}/{}", row.cell(0), row.cell(1)),
        _ => row.cell(0).to_owned(),
    }
}

/// No id is longer: databases index them.
const LONGEST_REFERENCE: usize = 255;

/// What was imported under an id, and whether this run has met it.
struct Print {
    fingerprint: Fingerprint,
    met: bool,
}

impl Run<'_> {
    /// Imports the table `I`.
    pub(super) async fn table<I: Import>(&mut self) -> Result<(), ImportError> {
        let mut prints = self.prints(I::TABLE).await?;
        let mut report = TableReport::default();
        let mut accepted = Vec::new();
        let files = self.set.tables.get(&I::TABLE).map(Vec::as_slice).unwrap_or_default();
        for (number, file) in files.iter().enumerate() {
            match Loaded::open(file) {
                Ok(loaded) => {
                    self.report.warnings.extend(loaded.warnings.iter().cloned());
                    for pass in 0..I::PASSES {
                        self.read::<I>((number, pass), &loaded, &mut prints, &mut report, &mut accepted);
                    }
                }
                Err(warning) => self.report.warnings.push(warning),
            }
            self.progress.inc(file.bytes);
        }
        drop(prints);
        let mut rejected = I::settle(&mut self.known, &accepted);
        rejected.sort_unstable_by_key(|(index, _)| std::cmp::Reverse(*index));
        for (index, reason) in rejected {
            let row = accepted.remove(index);
            report.reject(reason, &file_name(files, row.place.0), row.place.1);
        }
        report.accepted = accepted.len() as u64;
        report.in_order(|name| files.iter().position(|file| file.name == name));
        for row in &accepted {
            I::watch(&mut self.alarm, &row.row);
        }
        self.report.tables.insert(I::TABLE, report);
        if self.options.dry_run || accepted.is_empty() {
            return Ok(());
        }
        let stamp = self.stamp.clone();
        let written = self
            .db
            .write_long(async move |txn| {
                I::write(txn, &stamp, &accepted).await?;
                write::remember(txn, I::TABLE, &stamp, &accepted).await?;
                Ok::<_, WriteError>(())
            })
            .await;
        written.map_err(|cause| ImportError::Table { table: I::TABLE, cause })
    }

    fn read<I: Import>(
        &mut self,
        (number, pass): (usize, usize),
        loaded: &Loaded,
        prints: &mut HashMap<String, Print>,
        report: &mut TableReport,
        accepted: &mut Vec<Accepted<I::Row>>,
    ) {
        let Some(mut records) = loaded.records() else { return };
        let layout = Layout::new(I::TABLE, &records.header);
        let name = self.set.tables.get(&I::TABLE).map_or_else(String::new, |files| file_name(files, number));
        let (mut record, mut row) = (Record::default(), Row::default());
        while records.read(&mut record) {
            let filled = row.fill(&layout, &record);
            let own_pass = if filled.is_ok() { I::pass(&row) } else { 0 };
            if own_pass != pass {
                continue;
            }
            report.read += 1;
            let judged = filled.and_then(|()| self.judge::<I>(&row, prints));
            match judged {
                Ok(Some((reference, fingerprint, row))) => {
                    accepted.push(Accepted { reference, fingerprint, place: (number, record.line), row });
                }
                Ok(None) => report.unchanged += 1,
                Err(reason) => report.reject(reason, &name, record.line),
            }
        }
    }

    /// The row, or `None` where it was imported before.
    #[allow(clippy::type_complexity, reason = "used once, named by its parts")]
    fn judge<I: Import>(
        &mut self,
        row: &Row,
        prints: &mut HashMap<String, Print>,
    ) -> Result<Option<(String, Fingerprint, I::Row)>, Reason> {
        let reference = reference(I::TABLE, row);
        if reference.len() > LONGEST_REFERENCE {
            return Err(Reason::TOO_LONG);
        }
        let fingerprint = row.fingerprint(I::TABLE);
        let mut duplicate = false;
        if let Some(print) = prints.get_mut(&reference) {
            // A second row of this id within the set is a duplicate, whether the first one is new or not.
            duplicate = print.met;
            if !duplicate && print.fingerprint != fingerprint {
                return Err(Reason::CONFLICT);
            }
            if !duplicate {
                print.met = true;
                return Ok(None);
            }
        }
        let Self { known, notes, times, stamp, .. } = self;
        let mut context = Context { known, notes, times, keys: &stamp.keys, duplicate };
        let accepted = I::check(&mut context, row)?;
        prints.insert(reference.clone(), Print { fingerprint, met: true });
        Ok(Some((reference, fingerprint, accepted)))
    }

    /// Counts the records of a table that this version does not store.
    pub(super) fn skip(&mut self, table: Table) {
        let mut report = TableReport::default();
        for file in self.set.tables.get(&table).map(Vec::as_slice).unwrap_or_default() {
            match Loaded::open(file) {
                Ok(loaded) => {
                    self.report.warnings.extend(loaded.warnings.iter().cloned());
                    let mut record = Record::default();
                    if let Some(mut records) = loaded.records() {
                        while records.read(&mut record) {
                            report.read += 1;
                        }
                    }
                }
                Err(warning) => self.report.warnings.push(warning),
            }
            self.progress.inc(file.bytes);
        }
        report.skipped = report.read;
        self.report.tables.insert(table, report);
    }

    async fn prints(&self, table: Table) -> Result<HashMap<String, Print>, DbErr> {
        let found: Vec<(String, Vec<u8>)> = import_row::Entity::find()
            .select_only()
            .columns([import_row::Column::RefId, import_row::Column::Fingerprint])
            .filter(import_row::Column::TableName.eq(table.name()))
            .into_tuple()
            .all(self.db.read())
            .await?;
        let print = |bytes: Vec<u8>| Print { fingerprint: bytes.try_into().unwrap_or_default(), met: false };
        Ok(found.into_iter().map(|(reference, bytes)| (reference, print(bytes))).collect())
    }
}

fn file_name(files: &[crate::exchange::dataset::SetFile], number: usize) -> String {
    files.get(number).map(|file| file.name.clone()).unwrap_or_default()
}
