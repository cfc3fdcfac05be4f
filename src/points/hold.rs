//! Points set aside beside the ledger: opening raises `held`, capturing posts and lowers it, releasing lowers it.

use entity::account::AccountKind;
use entity::balance;
use entity::hold::{self, HoldStatus};
use entity::id::MemberId;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbBackend, DbErr, EntityTrait as _, QueryFilter as _, Statement, Value,
};

use super::account;
use super::bucket;
use super::domain::{Lot, Points};
use super::error::PointsError;
use super::ledger::{self, Posting};

/// Sets the posting's amount aside for its source. Nothing is posted; `journal_id` and `kind` are for [`capture`].
/// The member's balance row is locked from here to the end of the transaction.
///
/// # Errors
/// [`PointsError::Insufficient`] where less is available; a source has one hold: a second is a unique violation.
pub async fn open(db: &impl ConnectionTrait, posting: &Posting<'_>) -> Result<(), PointsError> {
    if db.get_database_backend() == DbBackend::Postgres {
        if open_in_one(db, posting).await? {
            return Ok(());
        }
    } else if raise_held(db, posting).await? {
        return Ok(insert(db, posting).await?);
    }
    let amount = posting.amount.hundredths();
    let settled = bucket::settle(db, posting).await?;
    let available = settled.map_or(0, |(row, _)| row.balance - row.held);
    if available < amount {
        let available = Points::from_hundredths(available);
        return Err(PointsError::Insufficient { needed: posting.amount, available });
    }
    lower_held(db, posting, -amount).await?;
    Ok(insert(db, posting).await?)
}

/// The fast way of an account without dated points; false where it is not open.
async fn raise_held(db: &impl ConnectionTrait, posting: &Posting<'_>) -> Result<bool, DbErr> {
    let amount = posting.amount.hundredths();
    let raised = balance::Entity::update_many()
        .col_expr(balance::Column::Held, Expr::col(balance::Column::Held).add(amount))
        .filter(balance::Column::AccountId.eq(account::of_member(posting.programme, posting.member_id)))
        .filter(balance::Column::Dated.eq(0))
        .filter(Expr::col(balance::Column::Balance).sub(Expr::col(balance::Column::Held)).gte(amount))
        .exec(db)
        .await?;
    Ok(raised.rows_affected == 1)
}

async fn insert(db: &impl ConnectionTrait, posting: &Posting<'_>) -> Result<(), DbErr> {
    let row = hold::ActiveModel {
        source_kind: Set(posting.source.kind.to_owned()),
        source_id: Set(posting.source.id),
        account_id: Set(account::of_member(posting.programme, posting.member_id)),
        amount: Set(posting.amount.hundredths()),
        status: Set(HoldStatus::Open),
        created_at: Set(posting.posted_at),
        ended_at: Set(None),
    };
    hold::Entity::insert(row).exec_without_returning(db).await.map(drop)
}

/// [`raise_held`] and [`insert`] in one round trip to PostgreSQL.
const OPEN: &str = "WITH raised AS (
    UPDATE balance SET held = held + $2 WHERE account_id = $1 AND dated = 0 AND balance - held >= $2 RETURNING account_id
)
INSERT INTO hold (source_kind, source_id, account_id, amount, status, created_at)
SELECT $3, $4, account_id, $2, 'open', $5 FROM raised";

async fn open_in_one(db: &impl ConnectionTrait, posting: &Posting<'_>) -> Result<bool, DbErr> {
    let values: [Value; 5] = [
        account::of_member(posting.programme, posting.member_id).into(),
        posting.amount.hundredths().into(),
        posting.source.kind.into(),
        posting.source.id.into(),
        posting.posted_at.into(),
    ];
    let opened = db.execute_raw(Statement::from_sql_and_values(DbBackend::Postgres, OPEN, values)).await?;
    Ok(opened.rows_affected() == 1)
}

/// What each of `members` has available in the template's programme, in the order given, once what is over has expired.
/// Their balance rows are locked from here to the end of the transaction, in the order of account ids, so that two who look
/// at the same accounts cannot wait for each other.
///
/// # Errors
/// The database's.
pub async fn available(
    db: &impl ConnectionTrait,
    template: &Posting<'_>,
    members: &[MemberId],
) -> Result<Vec<Points>, PointsError> {
    let mut order: Vec<(usize, MemberId)> = members.iter().copied().enumerate().collect();
    order.sort_by_key(|(_, member)| account::of_member(template.programme, *member));
    let mut found = vec![Points::ZERO; members.len()];
    for (at, member_id) in order {
        let settled = bucket::settle(db, &Posting { member_id, ..*template }).await?;
        found[at] = settled.map_or(Points::ZERO, |(row, _)| Points::from_hundredths(row.balance - row.held));
    }
    Ok(found)
}

/// Spends what is held for the posting's source.
///
/// # Errors
/// [`PointsError::InvalidTransition`] where no open hold of this amount is there.
pub async fn capture(db: &impl ConnectionTrait, posting: &Posting<'_>) -> Result<(), PointsError> {
    end(db, posting, HoldStatus::Captured).await?;
    let amount = posting.amount.hundredths();
    let fast = balance::Entity::update_many()
        .col_expr(balance::Column::Balance, Expr::col(balance::Column::Balance).sub(amount))
        .col_expr(balance::Column::Held, Expr::col(balance::Column::Held).sub(amount))
        .filter(balance::Column::AccountId.eq(account::of_member(posting.programme, posting.member_id)))
        .filter(balance::Column::Dated.eq(0))
        .filter(balance::Column::Held.gte(amount))
        .exec(db)
        .await?;
    let lots = if fast.rows_affected == 1 {
        vec![Lot { expires_on: None, amount }]
    } else {
        bucket::take_held(db, posting).await?
    };
    ledger::write(db, posting, AccountKind::Spent, &ledger::negative(&lots), None).await
}

/// Gives back what is held for the posting's source. What has expired meanwhile goes with the next expiry.
///
/// # Errors
/// [`PointsError::InvalidTransition`] where no open hold of this amount is there.
pub async fn release(db: &impl ConnectionTrait, posting: &Posting<'_>) -> Result<(), PointsError> {
    end(db, posting, HoldStatus::Released).await?;
    lower_held(db, posting, posting.amount.hundredths()).await?;
    Ok(())
}

async fn end(db: &impl ConnectionTrait, posting: &Posting<'_>, status: HoldStatus) -> Result<(), PointsError> {
    let ended = hold::Entity::update_many()
        .set(hold::ActiveModel { status: Set(status), ended_at: Set(Some(posting.posted_at)), ..Default::default() })
        .filter(hold::Column::SourceKind.eq(posting.source.kind))
        .filter(hold::Column::SourceId.eq(posting.source.id))
        .filter(hold::Column::Status.eq(HoldStatus::Open))
        .filter(hold::Column::Amount.eq(posting.amount.hundredths()))
        .exec(db)
        .await?;
    if ended.rows_affected == 1 { Ok(()) } else { Err(PointsError::InvalidTransition) }
}

async fn lower_held(db: &impl ConnectionTrait, posting: &Posting<'_>, amount: i64) -> Result<(), DbErr> {
    balance::Entity::update_many()
        .col_expr(balance::Column::Held, Expr::col(balance::Column::Held).sub(amount))
        .filter(balance::Column::AccountId.eq(account::of_member(posting.programme, posting.member_id)))
        .exec(db)
        .await
        .map(drop)
}
