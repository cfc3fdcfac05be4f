//! What a row means, or the first reason that speaks against it: one function a table, in the order of RULES.md.
//!
//! A function takes in what it accepts (`known`), so that the rows after it are judged against it. It does so last, after
//! nothing can speak against the row any more.

mod ledger;
mod listings;
mod people;
mod places;
mod service;
mod shelf;
mod wishes;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use entity::category::Category;
use rust_decimal::Decimal;

use super::known::{Known, Person};
use crate::calendar::Calendar;
use crate::crypto::Keys;
use crate::exchange::report::Reason;
use crate::exchange::row::Row;
use crate::exchange::table::Table;
use crate::exchange::text;
use crate::exchange::time::{self, Instant};

pub(super) use ledger::entry;
pub(super) use listings::listing;
pub(super) use people::{member, opening_balance};
pub(super) use places::{code_item, region, unit};
pub(super) use service::{activity, participation, service_record};
pub(super) use shelf::{goods, redemption, stock_movement};
pub(super) use wishes::wish;

/// Local time, moved by the set's shift, and UTC.
#[derive(Clone, Debug)]
pub(super) struct Times {
    pub(super) calendar: Calendar,
    /// Whole weeks.
    pub(super) shift: TimeDelta,
    pub(super) now: DateTime<Utc>,
}

impl Times {
    fn utc(&self, local: NaiveDateTime) -> Option<DateTime<Utc>> {
        Some(self.calendar.instant(local.checked_add_signed(self.shift)?))
    }

    fn moment(&self, cell: &str) -> Option<DateTime<Utc>> {
        self.utc(time::moment(cell)?)
    }

    fn instant(&self, cell: &str) -> Option<DateTime<Utc>> {
        match time::instant(cell)? {
            Instant::Local(local) => self.utc(local),
            Instant::Utc(at) if self.shift.is_zero() => Some(at),
            Instant::Utc(at) => self.utc(self.calendar.local(at)),
        }
    }

    fn day(&self, cell: &str) -> Option<NaiveDate> {
        time::day(cell)?.checked_add_signed(self.shift)
    }
}

/// Cells that an accepted row went without, for the warnings.
#[derive(Debug, Default)]
pub(super) struct Notes(BTreeMap<(Table, &'static str), (u64, String)>);

impl Notes {
    fn left_out(&mut self, table: Table, column: &'static str, row: &Row) {
        let (count, _) = self.0.entry((table, column)).or_insert_with(|| (0, row.cell(0).to_owned()));
        *count += 1;
    }

    pub(super) fn warnings(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|((table, column), (count, first))| {
            format!("{}：{count} 行的 {column} 无法识别，该列按空值导入（首例 {first}）", table.name())
        })
    }
}

/// All that judging a row takes.
pub(super) struct Context<'a> {
    pub(super) known: &'a mut Known,
    pub(super) notes: &'a mut Notes,
    pub(super) times: &'a Times,
    pub(super) keys: &'a Keys,
    /// The row's id was accepted before in this set.
    pub(super) duplicate: bool,
}

impl Context<'_> {
    fn unique(&self) -> Result<(), Reason> {
        if self.duplicate { Err(Reason::DUPLICATE_ID) } else { Ok(()) }
    }

    /// A region of any level.
    fn region(&self, code: &str) -> Result<String, Reason> {
        if self.known.regions.contains_key(code) { Ok(code.to_owned()) } else { Err(Reason::UNKNOWN_REGION) }
    }

    fn community(&self, code: &str) -> Result<String, Reason> {
        if self.known.is_community(code) { Ok(code.to_owned()) } else { Err(Reason::UNKNOWN_REGION) }
    }

    fn person(&self, reference: &str) -> Result<Arc<Person>, Reason> {
        self.known.members.get(reference).map(Arc::clone).ok_or(Reason::UNKNOWN_MEMBER)
    }
}

/// A category by its name, by the code that data sets give it, or by ours.
pub(super) fn category(cell: &str) -> Option<Category> {
    Some(match cell {
        "邻里互助" | "HZ" | "neighbourly" => Category::Neighbourly,
        "慈善捐赠" | "CS" | "charity" => Category::Charity,
        "平安建设" | "PA" | "safety" => Category::Safety,
        "文化宣传" | "WH" | "culture" => Category::Culture,
        "文明创建" | "WM" | "civility" => Category::Civility,
        "志愿服务" | "ZY" | "volunteering" => Category::Volunteering,
        _ => return None,
    })
}

/// A whole number from 0 that fits its column; empty is `default`.
fn count(row: &Row, column: usize, default: i32) -> Result<i32, Reason> {
    row.given(column).map_or(Ok(default), |cell| {
        text::whole(cell).and_then(|number| i32::try_from(number).ok()).ok_or(Reason::BAD_NUMBER)
    })
}

/// Hours of at most a hundred years as whole minutes, rounded.
fn minutes(cell: &str) -> Option<i64> {
    let hours = text::decimal(cell).filter(|hours| (Decimal::ZERO..=Decimal::from(876_600)).contains(hours))?;
    (hours * Decimal::from(60)).round().try_into().ok()
}

fn optional(cell: &str) -> Option<String> {
    Some(cell).filter(|cell| !cell.is_empty()).map(str::to_owned)
}
