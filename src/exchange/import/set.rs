//! Which set this is, and by how much its times are moved.

use std::collections::HashMap;
use std::path::Path;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use entity::{import_row, import_set};
use sea_orm::{ActiveValue::Set, ColumnTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};

use super::Options;
use super::table::reference;
use crate::calendar::Calendar;
use crate::db::Db;
use crate::exchange::dataset::{DataSet, Loaded};
use crate::exchange::record::Record;
use crate::exchange::row::{Layout, Row};
use crate::exchange::table::{Kind, Table};
use crate::exchange::time::{self, Instant};

/// The number of rows that belong to no set: their table has no times.
const NO_SET: i32 = 0;

/// The set as it will be imported.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    pub(super) no: i32,
    pub(super) shift: TimeDelta,
    pub(super) warning: Option<String>,
    /// Not seen before: to be remembered under this name.
    new: Option<String>,
}

/// Recognises the set by its rows, or settles its shift.
pub(super) async fn choose(
    db: &Db,
    set: &DataSet,
    folder: &Path,
    options: Options,
    calendar: Calendar,
) -> Result<Chosen, DbErr> {
    let timed = set.tables.keys().any(|table| happenings(*table).next().is_some());
    let shifts: HashMap<i32, i32> =
        import_set::Entity::find().all(db.read()).await?.into_iter().map(|set| (set.no, set.shift_days)).collect();
    let none = Chosen { no: NO_SET, shift: TimeDelta::zero(), warning: None, new: None };
    if !timed {
        return Ok(none);
    }
    let name = folder.file_name().map_or_else(|| "set".to_owned(), |name| name.to_string_lossy().into_owned());
    let next = shifts.keys().max().copied().unwrap_or(NO_SET) + 1;
    if options.shift_to.is_none() && shifts.values().all(|days| *days == 0) {
        // No set was ever moved, so there is nothing to recognise.
        return Ok(match shifts.keys().min() {
            Some(&no) => Chosen { no, ..none },
            None => Chosen { no: next, new: Some(name), ..none },
        });
    }
    let found = Scan::of(db, set, calendar).await?;
    let wanted = options.shift_to.zip(found.newest).map(|(day, newest)| monday(day) - monday(newest.date()));
    let Some(no) = found.set_no else {
        return Ok(Chosen { no: next, shift: wanted.unwrap_or_default(), new: Some(name), ..none });
    };
    let days = shifts.get(&no).copied().unwrap_or(0);
    let shift = TimeDelta::days(i64::from(days));
    let other = wanted.is_some_and(|wanted| wanted != shift);
    let warning = other.then(|| format!("该数据集首次导入时平移了 {} 周，本次沿用", days / 7));
    Ok(Chosen { no, shift, warning, new: None })
}

/// Fixes the shift of a set that was not seen before.
pub(super) async fn remember(db: &Db, chosen: &Chosen, now: DateTime<Utc>) -> Result<(), DbErr> {
    let Some(name) = chosen.new.clone() else { return Ok(()) };
    let shift_days = i32::try_from(chosen.shift.num_days()).unwrap_or_default();
    let row = import_set::ActiveModel {
        no: Set(chosen.no),
        name: Set(name),
        shift_days: Set(shift_days),
        created_at: Set(now),
    };
    db.write(async move |txn| import_set::Entity::insert(row.clone()).exec_without_returning(txn).await.map(drop)).await
}

fn monday(day: NaiveDate) -> NaiveDate {
    day - TimeDelta::days(i64::from(day.weekday().num_days_from_monday()))
}

/// The columns that say when something happened.
fn happenings(table: Table) -> impl Iterator<Item = (usize, Kind)> {
    table.columns().iter().enumerate().filter(|(_, column)| column.happened).map(|(at, column)| (at, column.kind))
}

/// What a first look at the files shows.
#[derive(Default)]
struct Scan {
    set_no: Option<i32>,
    /// Local time.
    newest: Option<NaiveDateTime>,
}

impl Scan {
    async fn of(db: &Db, set: &DataSet, calendar: Calendar) -> Result<Self, DbErr> {
        let mut scan = Self::default();
        for (&table, files) in &set.tables {
            if happenings(table).next().is_none() {
                continue;
            }
            let known = numbers(db, table).await?;
            for file in files {
                if let Ok(loaded) = Loaded::open(file) {
                    scan.look(table, &loaded, &known, calendar);
                }
            }
        }
        Ok(scan)
    }

    fn look(&mut self, table: Table, loaded: &Loaded, known: &HashMap<String, i32>, calendar: Calendar) {
        let Some(mut records) = loaded.records() else { return };
        let layout = Layout::new(table, &records.header);
        let (mut record, mut row) = (Record::default(), Row::default());
        while records.read(&mut record) {
            if row.fill(&layout, &record).is_err() {
                continue;
            }
            if self.set_no.is_none() && !known.is_empty() {
                self.set_no = known.get(&reference(table, &row)).copied();
            }
            for (column, kind) in happenings(table) {
                let cell = row.cell(column);
                let at = match kind {
                    Kind::Day => time::day(cell).and_then(|day| day.and_hms_opt(0, 0, 0)),
                    _ => time::instant(cell).map(|at| match at {
                        Instant::Local(local) => local,
                        Instant::Utc(at) => calendar.local(at),
                    }),
                };
                self.newest = self.newest.max(at);
            }
        }
    }
}

/// The sets that rows of a table came with.
async fn numbers(db: &Db, table: Table) -> Result<HashMap<String, i32>, DbErr> {
    let found: Vec<(String, i32)> = import_row::Entity::find()
        .select_only()
        .columns([import_row::Column::RefId, import_row::Column::SetNo])
        .filter(import_row::Column::TableName.eq(table.name()))
        .filter(import_row::Column::SetNo.ne(NO_SET))
        .into_tuple()
        .all(db.read())
        .await?;
    Ok(found.into_iter().collect())
}
