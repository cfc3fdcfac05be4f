//! Points that expire on a day: the part of a posting that fast accounts never need.

use chrono::NaiveDate;
use entity::account::AccountKind;
use entity::balance;
use entity::bucket::{ActiveModel, Column, Entity};
use entity::id::{AccountId, JournalId};
use entity::journal::JournalKind;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::account;
use super::domain::{Lot, Points, Stock};
use super::error::PointsError;
use super::ledger::{self, Posting, Source};

/// Adds to the bucket of a day. The balance row exists by then and is locked by this transaction.
pub(super) async fn fill(
    db: &impl ConnectionTrait,
    id: AccountId,
    expires_on: NaiveDate,
    amount: i64,
) -> Result<(), DbErr> {
    let sum = Expr::col((Entity, Column::Amount)).add(amount);
    let conflict = OnConflict::columns([Column::AccountId, Column::ExpiresOn]).value(Column::Amount, sum).to_owned();
    let row = ActiveModel { account_id: Set(id), expires_on: Set(expires_on), amount: Set(amount) };
    Entity::insert(row).on_conflict(conflict).exec_without_returning(db).await.map(drop)
}

/// The account's balance, locked, and its lots, after what is over has been expired by a journal of its own.
/// `None` where the account has no balance row.
pub(super) async fn settle(
    db: &impl ConnectionTrait,
    posting: &Posting<'_>,
) -> Result<Option<(balance::Model, Stock)>, PointsError> {
    let id = account::of_member(posting.programme, posting.member_id);
    let Some((mut row, mut stock)) = lock(db, id).await? else { return Ok(None) };
    let overdue = stock.overdue(posting.today);
    let amount: i64 = overdue.iter().map(|lot| lot.amount).sum();
    if amount > 0 {
        let journal_id = JournalId::new();
        let expiry = Posting {
            journal_id,
            kind: JournalKind::Expire,
            amount: Points::from_hundredths(amount),
            source: Source { kind: "expiry", id: journal_id.0 },
            reason: None,
            actor: crate::audit::Actor::System,
            at: posting.posted_at,
            ..*posting
        };
        ledger::write(db, &expiry, AccountKind::Expired, &ledger::negative(&overdue), None).await?;
        lower(db, id, &overdue, 0, 0).await?;
        stock.remove(&overdue);
        row.balance -= amount;
        row.dated -= amount;
    }
    Ok(Some((row, stock)))
}

async fn lock(db: &impl ConnectionTrait, id: AccountId) -> Result<Option<(balance::Model, Stock)>, DbErr> {
    let Some(row) = balance::Entity::find_by_id(id).lock_exclusive().one(db).await? else { return Ok(None) };
    let dated = Entity::find()
        .filter(Column::AccountId.eq(id))
        .filter(Column::Amount.gt(0))
        .order_by_asc(Column::ExpiresOn)
        .all(db)
        .await?;
    let dated =
        dated.into_iter().map(|found| Lot { expires_on: Some(found.expires_on), amount: found.amount }).collect();
    let stock = Stock { dated, undated: row.balance - row.dated, held: row.held };
    Ok(Some((row, stock)))
}

/// Takes the posting's amount from what is available: the bucket `first` before all, then the earliest. Returns the lots
/// it came from.
pub(super) async fn take_free(
    db: &impl ConnectionTrait,
    posting: &Posting<'_>,
    first: Option<&Lot>,
) -> Result<Vec<Lot>, PointsError> {
    let settled = settle(db, posting).await?;
    let insufficient =
        |available| PointsError::Insufficient { needed: posting.amount, available: Points::from_hundredths(available) };
    let Some((row, stock)) = settled else { return Err(insufficient(0)) };
    let (amount, available) = (posting.amount.hundredths(), row.balance - row.held);
    if available < amount {
        return Err(insufficient(available));
    }
    let taken = stock.allocate(amount, Some(posting.today), first).ok_or_else(|| insufficient(available))?;
    let earned = if posting.kind == JournalKind::Reversal { amount } else { 0 };
    lower(db, row.account_id, &taken, 0, earned).await?;
    Ok(taken)
}

/// Takes the posting's amount from what is held: those are the earliest lots, also where their day is over.
pub(super) async fn take_held(db: &impl ConnectionTrait, posting: &Posting<'_>) -> Result<Vec<Lot>, PointsError> {
    let id = account::of_member(posting.programme, posting.member_id);
    let amount = posting.amount.hundredths();
    let (_, stock) = lock(db, id).await?.filter(|(row, _)| row.held >= amount).ok_or(PointsError::InvalidTransition)?;
    let taken = stock.allocate(amount, None, None).ok_or(PointsError::InvalidTransition)?;
    lower(db, id, &taken, amount, 0).await?;
    Ok(taken)
}

/// Takes lots out of their buckets and off the balance, and with them `held` and `earned`. The row is locked.
async fn lower(db: &impl ConnectionTrait, id: AccountId, lots: &[Lot], held: i64, earned: i64) -> Result<(), DbErr> {
    for lot in lots {
        let Some(expires_on) = lot.expires_on else { continue };
        Entity::update_many()
            .col_expr(Column::Amount, Expr::col(Column::Amount).sub(lot.amount))
            .filter(Column::AccountId.eq(id))
            .filter(Column::ExpiresOn.eq(expires_on))
            .exec(db)
            .await?;
    }
    let amount: i64 = lots.iter().map(|lot| lot.amount).sum();
    let dated: i64 = lots.iter().filter(|lot| lot.expires_on.is_some()).map(|lot| lot.amount).sum();
    let less = |column: balance::Column, by: i64| Expr::col(column).sub(by);
    balance::Entity::update_many()
        .col_expr(balance::Column::Balance, less(balance::Column::Balance, amount))
        .col_expr(balance::Column::Dated, less(balance::Column::Dated, dated))
        .col_expr(balance::Column::Held, less(balance::Column::Held, held))
        .col_expr(balance::Column::Earned, less(balance::Column::Earned, earned))
        .filter(balance::Column::AccountId.eq(id))
        .exec(db)
        .await
        .map(drop)
}
