//! What each account did in a month, by expiry date: what a statement opens with, and between which journals its lines lie,
//! without reading the history. A journal is added once, by the transaction that seals it; until then it is read by itself.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use entity::account_month::{Column, Entity};
use entity::id::{AccountId, JournalId};
use entity::{entry, journal, unsealed};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, JoinType, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, QueryTrait as _, RelationDef, Select,
};

use super::turnover::month_of;
use crate::calendar::{Calendar, Span};
use crate::db::Bulk;

/// Stands for "never" where a key has no empty places.
const NEVER: NaiveDate = match NaiveDate::from_ymd_opt(9999, 12, 31) {
    Some(day) => day,
    None => NaiveDate::MAX,
};

#[derive(Clone, Copy, Debug)]
struct Change {
    amount: i64,
    first: JournalId,
    last: JournalId,
}

/// What journals changed in their accounts' months.
#[derive(Clone, Debug, Default)]
pub struct Months(BTreeMap<(AccountId, String, NaiveDate), Change>);

impl Months {
    /// Adds a journal.
    pub fn count(&mut self, calendar: Calendar, journal: &journal::Model, lines: &[entry::Model]) {
        let month = month_of(calendar, journal.at);
        let (first, last) = (journal.id, journal.id);
        for line in lines {
            let key = (line.account_id, month.clone(), line.expires_on.unwrap_or(NEVER));
            let change = self.0.entry(key).or_insert(Change { amount: 0, first, last });
            change.amount = change.amount.saturating_add(line.amount);
            change.first = std::cmp::min(change.first, first);
            change.last = std::cmp::max(change.last, last);
        }
    }

    /// Writes them, in the order of their keys.
    ///
    /// # Errors
    /// The database's.
    pub async fn add(&self, db: &impl ConnectionTrait) -> Result<(), DbErr> {
        const COLUMNS: [&str; 6] = ["account_id", "month", "expires_on", "amount", "first_journal", "last_journal"];
        const ADD: &str = "ON CONFLICT (account_id, month, expires_on) DO UPDATE SET
            amount = account_month.amount + excluded.amount,
            first_journal = CASE WHEN excluded.first_journal < account_month.first_journal
                THEN excluded.first_journal ELSE account_month.first_journal END,
            last_journal = CASE WHEN excluded.last_journal > account_month.last_journal
                THEN excluded.last_journal ELSE account_month.last_journal END";
        let mut rows = Bulk::insert(db, "account_month", &COLUMNS).or(ADD);
        for ((account, month, expires_on), Change { amount, first, last }) in &self.0 {
            let row = [
                (*account).into(),
                month.as_str().into(),
                (*expires_on).into(),
                (*amount).into(),
                (*first).into(),
                (*last).into(),
            ];
            rows.push(db, row).await?;
        }
        rows.finish(db).await.map(drop)
    }
}

/// A month of an account as statements ask for it.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    pub account: AccountId,
    /// `2026-11`
    pub month: &'a str,
    /// The same month.
    pub span: &'a Span,
}

impl Asked<'_> {
    /// What the account held when the month began, by expiry date. Belongs in a snapshot.
    ///
    /// # Errors
    /// The database's.
    pub async fn opening(&self, db: &impl ConnectionTrait) -> Result<BTreeMap<Option<NaiveDate>, i64>, DbErr> {
        let mut lots = BTreeMap::new();
        let sealed: Vec<(NaiveDate, i64)> = Entity::find()
            .select_only()
            .column(Column::ExpiresOn)
            .column_as(Expr::col(Column::Amount).sum().cast_as("bigint"), "amount")
            .filter(Column::AccountId.eq(self.account))
            .filter(Column::Month.lt(self.month))
            .group_by(Column::ExpiresOn)
            .into_tuple()
            .all(db)
            .await?;
        for (on, amount) in sealed {
            *lots.entry(Some(on).filter(|on| *on != NEVER)).or_default() += amount;
        }
        let Some(first) = first_waiting(db).await? else { return Ok(lots) };
        let queue = unsealed::Entity::find().select_only().column(unsealed::Column::JournalId);
        let waiting: Vec<(i64, Option<NaiveDate>)> = self
            .with_journal()
            .columns([entry::Column::Amount, entry::Column::ExpiresOn])
            .filter(entry::Column::JournalId.gte(first))
            .filter(entry::Column::JournalId.in_subquery(queue.into_query()))
            .filter(journal::Column::At.lt(self.span.start))
            .into_tuple()
            .all(db)
            .await?;
        for (amount, on) in waiting {
            *lots.entry(on).or_default() += amount;
        }
        Ok(lots)
    }

    /// Selects the account's entries that count in the month, joined to their journals, in parts that have none in common.
    /// Belongs in the snapshot in which they are then read.
    ///
    /// The sealed ones lie between the month's first journal and its last, and what waits for its seal lies behind the first
    /// that does: ids grow with time, but for imports, which may count years ago.
    ///
    /// # Errors
    /// The database's.
    pub async fn entries(&self, db: &impl ConnectionTrait) -> Result<Vec<Select<entry::Entity>>, DbErr> {
        let bounds: Vec<(JournalId, JournalId)> = Entity::find()
            .select_only()
            .columns([Column::FirstJournal, Column::LastJournal])
            .filter(Column::AccountId.eq(self.account))
            .filter(Column::Month.eq(self.month))
            .into_tuple()
            .all(db)
            .await?;
        let first = bounds.iter().map(|(first, _)| *first).min();
        let last = bounds.iter().map(|(_, last)| *last).max();
        let id = entry::Column::JournalId;
        let ranges = match (first.zip(last), first_waiting(db).await?) {
            (None, None) => vec![],
            (None, Some(waiting)) => vec![id.gte(waiting)],
            (Some((first, last)), None) => vec![id.between(first, last)],
            (Some((first, last)), Some(waiting)) if waiting <= last => vec![id.gte(std::cmp::min(first, waiting))],
            (Some((first, last)), Some(waiting)) => vec![id.between(first, last), id.gte(waiting)],
        };
        let of_month = |range| {
            self.with_journal()
                .filter(range)
                .filter(journal::Column::At.gte(self.span.start))
                .filter(journal::Column::At.lt(self.span.end))
        };
        Ok(ranges.into_iter().map(of_month).collect())
    }

    fn with_journal(&self) -> Select<entry::Entity> {
        let journal: RelationDef =
            entry::Entity::belongs_to(journal::Entity).from(entry::Column::JournalId).to(journal::Column::Id).into();
        entry::Entity::find()
            .select_only()
            .join(JoinType::InnerJoin, journal)
            .filter(entry::Column::AccountId.eq(self.account))
    }
}

async fn first_waiting(db: &impl ConnectionTrait) -> Result<Option<JournalId>, DbErr> {
    let waiting = unsealed::Entity::find().order_by_asc(unsealed::Column::JournalId).limit(1).one(db).await?;
    Ok(waiting.map(|row| row.journal_id))
}
