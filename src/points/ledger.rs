//! Posting: the only place that adds to the journal and moves a balance.
//!
//! A credit writes its lines and then the balance; a debit takes from the balance first, by one conditional statement, so
//! that a refusal costs one statement and has written nothing. Only accounts with dated points read before they write:
//! they lock their balance row, expire what is over, and split the amount over buckets.

use chrono::{DateTime, NaiveDate, Utc};
use entity::account::AccountKind;
use entity::id::{AccountId, BudgetId, JournalId, MemberId};
use entity::journal::JournalKind;
use entity::{balance, entry, journal, unsealed};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict};
use sea_orm::{
    ActiveEnum as _, ColumnTrait as _, ConnectionTrait, DbBackend, DbErr, EntityTrait as _, QueryFilter as _,
    Statement, Value,
};
use uuid::Uuid;

use super::account;
use super::bucket as lots;
use super::domain::{Lot, Points};
use super::error::PointsError;
use crate::audit::Actor;

/// What a posting is for. The same cause posts once: the journal is unique by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source<'a> {
    /// `service_record`, `redemption`, `adjustment` …
    pub kind: &'a str,
    pub id: Uuid,
}

/// One transfer between a member and the books of a community.
#[derive(Clone, Copy, Debug)]
pub struct Posting<'a> {
    /// Drawn before the transaction.
    pub journal_id: JournalId,
    /// `earn`, `grant` and `opening` credit the member, `spend` and `deduct` debit it; the others have functions of their own.
    pub kind: JournalKind,
    pub programme: &'a str,
    pub member_id: MemberId,
    /// The community (twelve digits) whose books are the other side.
    pub community: &'a str,
    /// Above zero, whichever way it goes.
    pub amount: Points,
    /// Of credited points; `None`: they never expire.
    pub expires_on: Option<NaiveDate>,
    pub source: Source<'a>,
    pub reason: Option<&'a str>,
    pub actor: Actor,
    /// When it counts.
    pub at: DateTime<Utc>,
    /// Now.
    pub posted_at: DateTime<Utc>,
    /// The local day of now: decides what has expired.
    pub today: NaiveDate,
}

/// What a journal points at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Links {
    pub(super) reverses: Option<JournalId>,
    /// The budget that is drawn on, or given back to.
    pub(super) budget: Option<BudgetId>,
}

/// Posts a transfer. Belongs inside a transaction. Points that come into being go through [`issue`](super::issue) instead.
///
/// # Errors
/// [`PointsError::Insufficient`] where a debit is not covered by what is available, [`PointsError::InvalidTransition`] where
/// the source has posted before, [`PointsError::TooLarge`] beyond 64 bits.
pub async fn post(db: &impl ConnectionTrait, posting: &Posting<'_>) -> Result<(), PointsError> {
    match posting.kind {
        JournalKind::Earn | JournalKind::Grant | JournalKind::Opening => {
            let lots = [Lot { expires_on: posting.expires_on, amount: posting.amount.hundredths() }];
            credit(db, posting, AccountKind::Issued, &lots, Links::default()).await
        }
        JournalKind::Spend => debit(db, posting, AccountKind::Spent).await,
        JournalKind::Deduct => debit(db, posting, AccountKind::Issued).await,
        JournalKind::Refund | JournalKind::Expire | JournalKind::Reversal | JournalKind::Gift => {
            Err(PointsError::Db(DbErr::Custom("a posting of this kind needs more than a transfer".into())))
        }
    }
}

async fn debit(db: &impl ConnectionTrait, posting: &Posting<'_>, books: AccountKind) -> Result<(), PointsError> {
    let amount = posting.amount.hundredths();
    let id = account::of_member(posting.programme, posting.member_id);
    let taken = balance::Entity::update_many()
        .col_expr(balance::Column::Balance, Expr::col(balance::Column::Balance).sub(amount))
        .filter(balance::Column::AccountId.eq(id))
        .filter(balance::Column::Dated.eq(0))
        .filter(Expr::col(balance::Column::Balance).sub(Expr::col(balance::Column::Held)).gte(amount))
        .exec(db)
        .await?;
    if taken.rows_affected == 1 {
        return write(db, posting, books, &[Lot { expires_on: None, amount: -amount }], None).await;
    }
    let lots = lots::take_free(db, posting, None).await?;
    write(db, posting, books, &negative(&lots), None).await
}

/// Adds lots to the member, with `books` on the other side.
pub(super) async fn credit(
    db: &impl ConnectionTrait,
    posting: &Posting<'_>,
    books: AccountKind,
    lots: &[Lot],
    links: Links,
) -> Result<(), PointsError> {
    write_linked(db, posting, books, lots, links).await?;
    let earned = if posting.kind == JournalKind::Earn { posting.amount.hundredths() } else { 0 };
    add(db, account::of_member(posting.programme, posting.member_id), lots, earned).await?;
    Ok(())
}

/// Adds lots to a member's balance and buckets. Their lines are written elsewhere.
pub(super) async fn add(db: &impl ConnectionTrait, id: AccountId, lots: &[Lot], earned: i64) -> Result<(), DbErr> {
    let amount = lots.iter().map(|lot| lot.amount).sum();
    let dated = lots.iter().filter(|lot| lot.expires_on.is_some()).map(|lot| lot.amount).sum();
    raise(db, id, amount, earned, dated).await?;
    for lot in lots {
        if let Some(expires_on) = lot.expires_on {
            lots::fill(db, id, expires_on, lot.amount).await?;
        }
    }
    Ok(())
}

/// Adds to the balance row, which may have to be made.
async fn raise(db: &impl ConnectionTrait, id: AccountId, amount: i64, earned: i64, dated: i64) -> Result<(), DbErr> {
    let sum = |column: balance::Column, more: i64| (column, Expr::col((balance::Entity, column)).add(more));
    let conflict = OnConflict::column(balance::Column::AccountId)
        .values([
            sum(balance::Column::Balance, amount),
            sum(balance::Column::Earned, earned),
            sum(balance::Column::Dated, dated),
        ])
        .to_owned();
    let row = balance::ActiveModel {
        account_id: Set(id),
        balance: Set(amount),
        held: Set(0),
        earned: Set(earned),
        dated: Set(dated),
    };
    balance::Entity::insert(row).on_conflict(conflict).exec_without_returning(db).await.map(drop)
}

/// Makes sure that the balance row exists. The account does.
pub(super) async fn open_balance(db: &impl ConnectionTrait, id: AccountId) -> Result<(), DbErr> {
    raise(db, id, 0, 0, 0).await
}

/// Locks the balance rows of members in the order of their accounts, so that two who wait for each other's cannot be.
/// Makes those that are not there yet.
pub(super) async fn lock_balances(
    db: &impl ConnectionTrait,
    programme: &str,
    members: &[MemberId],
) -> Result<(), DbErr> {
    let mut members = members.to_vec();
    members.sort_by_key(|member| account::of_member(programme, *member));
    account::open(db, members.iter().map(|member| account::member_row(programme, *member))).await?;
    for member in members {
        // Adding nothing locks the row, and makes it where it is missing.
        open_balance(db, account::of_member(programme, member)).await?;
    }
    Ok(())
}

/// Writes the journal and its entries: the member's lines as `lots` say, signed, and the books' line against them. Makes
/// sure that both accounts are there, and lets the journal wait for its seal.
pub(super) async fn write(
    db: &impl ConnectionTrait,
    posting: &Posting<'_>,
    books: AccountKind,
    lots: &[Lot],
    reverses: Option<JournalId>,
) -> Result<(), PointsError> {
    write_linked(db, posting, books, lots, Links { reverses, budget: None }).await
}

/// [`write`], with the budget that pays.
pub(super) async fn write_linked(
    db: &impl ConnectionTrait,
    posting: &Posting<'_>,
    books: AccountKind,
    lots: &[Lot],
    links: Links,
) -> Result<(), PointsError> {
    match lots {
        [lot] if db.get_database_backend() == DbBackend::Postgres => {
            write_in_one(db, posting, books, *lot, links).await?;
        }
        _ => write_in_three(db, posting, books, lots, links).await?,
    }
    Ok(())
}

async fn write_in_three(
    db: &impl ConnectionTrait,
    posting: &Posting<'_>,
    books: AccountKind,
    lots: &[Lot],
    links: Links,
) -> Result<(), DbErr> {
    let accounts = [
        account::member_row(posting.programme, posting.member_id),
        account::books_row(posting.programme, books, posting.community),
    ];
    account::open(db, accounts).await?;
    let member = account::of_member(posting.programme, posting.member_id);
    let against = Lot { expires_on: None, amount: lots.iter().map(|lot| -lot.amount).sum() };
    let other = (account::of_books(posting.programme, books, posting.community), against);
    let sides: Vec<_> = lots.iter().map(|lot| (member, *lot)).chain([other]).collect();
    enter(db, posting, &sides, links).await
}

/// Writes a journal and its lines as they are, signed. Their accounts are there, and they sum to zero.
pub(super) async fn enter(
    db: &impl ConnectionTrait,
    posting: &Posting<'_>,
    sides: &[(AccountId, Lot)],
    links: Links,
) -> Result<(), DbErr> {
    let row = journal::ActiveModel {
        id: Set(posting.journal_id),
        programme: Set(posting.programme.to_owned()),
        kind: Set(posting.kind),
        source_kind: Set(posting.source.kind.to_owned()),
        source_id: Set(posting.source.id),
        reason: Set(posting.reason.map(str::to_owned)),
        actor_kind: Set(Some(posting.actor.kind().to_owned())),
        actor_id: Set(posting.actor.id()),
        reverses_id: Set(links.reverses),
        at: Set(posting.at),
        posted_at: Set(posting.posted_at),
        budget_id: Set(links.budget),
    };
    journal::Entity::insert(row).exec_without_returning(db).await?;
    let rows = (1_i16..).zip(sides).map(|(line, (account_id, lot))| entry::ActiveModel {
        journal_id: Set(posting.journal_id),
        line: Set(line),
        account_id: Set(*account_id),
        amount: Set(lot.amount),
        expires_on: Set(lot.expires_on),
    });
    entry::Entity::insert_many(rows).exec_without_returning(db).await?;
    let waiting = unsealed::ActiveModel { journal_id: Set(posting.journal_id) };
    unsealed::Entity::insert(waiting).exec_without_returning(db).await.map(drop)
}

/// What [`write_in_three`] does for one lot, in one round trip to PostgreSQL, which looks at foreign keys when the whole
/// statement is done.
const WRITE: &str = "WITH opened AS (
    INSERT INTO account (id, programme, kind, member_id, region_code)
    VALUES ($1, $3, 'member', $4, NULL), ($2, $3, $5, NULL, $6) ON CONFLICT DO NOTHING
), posted AS (
    INSERT INTO journal (id, programme, kind, source_kind, source_id, reason, actor_kind, actor_id, reverses_id, at, posted_at, budget_id)
    VALUES ($7, $3, $8, $9, $10, $11, $12, $13, $14, $15, $16, $20)
), waiting AS (
    INSERT INTO unsealed (journal_id) VALUES ($7)
)
INSERT INTO entry (journal_id, line, account_id, amount, expires_on) VALUES ($7, 1, $1, $17, $18), ($7, 2, $2, $19, NULL)";

async fn write_in_one(
    db: &impl ConnectionTrait,
    posting: &Posting<'_>,
    books: AccountKind,
    lot: Lot,
    links: Links,
) -> Result<(), DbErr> {
    let values: [Value; 20] = [
        account::of_member(posting.programme, posting.member_id).into(),
        account::of_books(posting.programme, books, posting.community).into(),
        posting.programme.into(),
        posting.member_id.into(),
        books.to_value().into(),
        posting.community.into(),
        posting.journal_id.into(),
        posting.kind.to_value().into(),
        posting.source.kind.into(),
        posting.source.id.into(),
        posting.reason.into(),
        posting.actor.kind().into(),
        posting.actor.id().into(),
        links.reverses.map(Uuid::from).into(),
        posting.at.into(),
        posting.posted_at.into(),
        lot.amount.into(),
        lot.expires_on.into(),
        (-lot.amount).into(),
        links.budget.map(Uuid::from).into(),
    ];
    db.execute_raw(Statement::from_sql_and_values(DbBackend::Postgres, WRITE, values)).await.map(drop)
}

pub(super) fn negative(lots: &[Lot]) -> Vec<Lot> {
    lots.iter().map(|lot| Lot { amount: -lot.amount, ..*lot }).collect()
}
