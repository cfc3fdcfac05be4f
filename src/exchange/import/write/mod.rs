//! Writing what is accepted: one function a table, all rows in one transaction, in large statements.

mod ledger;
mod listings;
mod people;
mod places;
mod service;
mod shelf;
mod wishes;

use chrono::{DateTime, Utc};
use sea_orm::{ActiveEnum, ConnectionTrait, DbErr, Value};

use super::rows::Accepted;
use crate::calendar::Calendar;
use crate::crypto::Keys;
use crate::db::{Bulk, CommandError};
use crate::exchange::table::Table;
use crate::points::PointsError;

pub(super) use ledger::entries;
pub(super) use listings::listings;
pub(super) use people::{members, opening_balances};
pub(super) use places::{code_items, regions, units};
pub(super) use service::{activities, records};
pub(super) use shelf::{goods, redemptions, stock_movements};
pub(super) use wishes::wishes;

/// What all rows of an import share.
#[derive(Clone)]
pub(super) struct Stamp {
    pub(super) now: DateTime<Utc>,
    pub(super) calendar: Calendar,
    pub(super) keys: Keys,
    /// Of the data set.
    pub(super) set_no: i32,
}

/// Why a table was not written. None of its rows was.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Somebody else moved points between the check and the writing.
    #[error(transparent)]
    Points(#[from] PointsError),
    #[error(transparent)]
    Db(#[from] DbErr),
}

impl CommandError for WriteError {
    fn db_err(&self) -> Option<&DbErr> {
        match self {
            Self::Points(error) => error.db_err(),
            Self::Db(error) => Some(error),
        }
    }
}

/// The text of an enum as it is stored.
fn word(value: &impl ActiveEnum<Value = String>) -> Value {
    value.to_value().into()
}

/// Remembers the rows, so that the same set changes nothing the next time.
pub(super) async fn remember<T>(
    db: &impl ConnectionTrait,
    table: Table,
    stamp: &Stamp,
    rows: &[Accepted<T>],
) -> Result<(), DbErr> {
    // In the order of the key: the table is kept in it.
    let mut order: Vec<&Accepted<T>> = rows.iter().collect();
    order.sort_unstable_by(|one, other| one.reference.cmp(&other.reference));
    let mut lines = Bulk::insert(db, "import_row", &["table_name", "ref_id", "fingerprint", "set_no"]);
    for row in order {
        let line =
            [table.name().into(), row.reference.as_str().into(), row.fingerprint.to_vec().into(), stamp.set_no.into()];
        lines.push(db, line).await?;
    }
    lines.finish(db).await.map(drop)
}
