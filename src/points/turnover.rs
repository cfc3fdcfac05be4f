//! What a community's books turned over in a month, by kind: sums for questions about time, so that nobody adds up millions
//! of entries. A journal is folded in once, by the transaction that seals it; until then it is missing here, for a minute.
//!
//! A journal counts in the local month of its `at`, in the community on the other side of the member. What only changes hands
//! between members, a gift, has no other side and is not here.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use entity::account::{self, AccountKind};
use entity::id::JournalId;
use entity::journal::{self, JournalKind};
use entity::turnover::{Column, Entity};
use entity::{entry, turnover};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, FromQueryResult, JoinType, QueryFilter as _,
    QuerySelect as _, RelationDef,
};

use crate::calendar::{Calendar, PeriodKind};
use crate::region::Subtree;

/// Ids in one statement.
const CHUNK: usize = 500;

/// What journals turned over. They never change, so this may be worked out before the transaction that adds it.
#[derive(Clone, Debug, Default)]
pub struct Sums(BTreeMap<(String, String, String, JournalKind), (i64, i64)>);

impl Sums {
    /// Of journals that are there.
    ///
    /// # Errors
    /// The database's.
    pub async fn of(db: &impl ConnectionTrait, calendar: &Calendar, journals: &[JournalId]) -> Result<Self, DbErr> {
        let mut sums = Self::default();
        for chunk in journals.chunks(CHUNK) {
            for line in lines(db, chunk).await? {
                let Some(community) = line.region_code else { continue };
                let month = month_of(*calendar, line.at);
                let sum = sums.0.entry((line.programme, month, community, line.kind)).or_default();
                sum.0 = sum.0.saturating_sub(line.amount);
                sum.1 += 1;
            }
        }
        Ok(sums)
    }

    /// Adds them, in the order of their keys.
    ///
    /// # Errors
    /// The database's.
    pub async fn add(&self, db: &impl ConnectionTrait) -> Result<(), DbErr> {
        let row = |((programme, month, region_code, kind), (amount, journals)): (&(String, String, String, _), &_)| {
            turnover::ActiveModel {
                programme: Set(programme.clone()),
                month: Set(month.clone()),
                region_code: Set(region_code.clone()),
                kind: Set(*kind),
                amount: Set(*amount),
                journals: Set(*journals),
            }
        };
        let rows: Vec<_> = self.0.iter().map(row).collect();
        let more = |column: Column| Expr::col((Entity, column)).add(Expr::col(("excluded", column)));
        for chunk in rows.chunks(CHUNK) {
            let add = OnConflict::columns([Column::Programme, Column::Month, Column::RegionCode, Column::Kind])
                .value(Column::Amount, more(Column::Amount))
                .value(Column::Journals, more(Column::Journals))
                .to_owned();
            Entity::insert_many(chunk.to_vec()).on_conflict(add).exec_without_returning(db).await?;
        }
        Ok(())
    }
}

/// A journal's line in the books.
#[derive(FromQueryResult)]
struct Line {
    programme: String,
    kind: JournalKind,
    at: DateTime<Utc>,
    region_code: Option<String>,
    amount: i64,
}

async fn lines(db: &impl ConnectionTrait, journals: &[JournalId]) -> Result<Vec<Line>, DbErr> {
    let of_journal: RelationDef =
        entry::Entity::belongs_to(journal::Entity).from(entry::Column::JournalId).to(journal::Column::Id).into();
    let of_account: RelationDef =
        entry::Entity::belongs_to(account::Entity).from(entry::Column::AccountId).to(account::Column::Id).into();
    entry::Entity::find()
        .select_only()
        .columns([journal::Column::Programme, journal::Column::Kind, journal::Column::At])
        .column(account::Column::RegionCode)
        .column(entry::Column::Amount)
        .join(JoinType::InnerJoin, of_journal)
        .join(JoinType::InnerJoin, of_account)
        .filter(entry::Column::JournalId.is_in(journals.iter().copied()))
        .filter(account::Column::Kind.ne(AccountKind::Member))
        .into_model::<Line>()
        .all(db)
        .await
}

/// `2026-11`: the local month of an instant.
pub(super) fn month_of(calendar: Calendar, at: DateTime<Utc>) -> String {
    calendar.period_of(at, PeriodKind::Month).to_string()
}

/// What one programme turned over in a subtree in a month.
#[derive(Debug, FromQueryResult)]
pub(super) struct Sum {
    pub(super) programme: String,
    pub(super) month: String,
    pub(super) kind: JournalKind,
    /// Hundredths that members gained.
    pub(super) amount: i64,
}

/// The turnover of a subtree in these months, by programme, month and kind. Naming programmes and months is what the table's
/// key asks for.
pub(super) async fn of_subtree(
    db: &impl ConnectionTrait,
    subtree: &Subtree,
    programmes: &[&str],
    months: &[String],
) -> Result<Vec<Sum>, DbErr> {
    Entity::find()
        .select_only()
        .columns([Column::Programme, Column::Month, Column::Kind])
        .column_as(Expr::col(Column::Amount).sum().cast_as("bigint"), "amount")
        .filter(Column::Programme.is_in(programmes.iter().copied()))
        .filter(Column::Month.is_in(months.iter().map(String::as_str)))
        .filter(subtree.covers(Expr::col((Entity, Column::RegionCode))))
        .group_by(Column::Programme)
        .group_by(Column::Month)
        .group_by(Column::Kind)
        .into_model::<Sum>()
        .all(db)
        .await
}
