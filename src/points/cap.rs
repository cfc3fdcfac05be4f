//! What an account may hold at most. A credit that brings it above moves the part above to the donated account of the
//! community, by a journal of its own: what was earned stays earned, and the books say where it went.
//!
//! Only what the credit brought is moved, so a cap that staff lower takes nothing from anybody; and what was refunded is
//! the member's own and moves nowhere.

use chrono::{DateTime, NaiveDate, Utc};
use entity::account::AccountKind;
use entity::entry;
use entity::id::{JournalId, MemberId};
use entity::journal::{self, JournalKind};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QuerySelect as _};

use super::account;
use super::bucket;
use super::domain::{Lot, Points, returned};
use super::error::PointsError;
use super::ledger::{self, Links, Posting, Source};
use crate::audit::Actor;
use crate::notify::{self, Message};

/// The `source_kind` of what moved to the donated account; its id is the journal's that brought too much.
pub const MOVED: &str = "account_cap";
/// The `source_kind` of what came back from there, with the same id, because that journal was reversed.
pub const RETURNED: &str = "account_cap_return";

const WHY: &str = "超过账户上限，转入社区捐赠账户";
const WHY_BACK: &str = "原记账已冲正，从社区捐赠账户退回";

/// Moves what `posting`, a credit just made, brought above `cap`; `first` is the bucket it went to. What is held stays.
/// Answers what was moved.
///
/// # Errors
/// The database's.
pub(super) async fn settle(
    db: &impl ConnectionTrait,
    posting: &Posting<'_>,
    first: Option<NaiveDate>,
    cap: Option<i64>,
) -> Result<Points, PointsError> {
    let Some(cap) = cap else { return Ok(Points::ZERO) };
    let Some((row, _)) = bucket::settle(db, posting).await? else { return Ok(Points::ZERO) };
    let brought = Ord::min(row.balance - cap, posting.amount.hundredths());
    let above = Ord::min(brought, row.balance - row.held);
    if above <= 0 {
        return Ok(Points::ZERO);
    }
    let moved = Posting {
        journal_id: beside(posting.journal_id, 1),
        kind: JournalKind::Gift,
        amount: Points::from_hundredths(above),
        expires_on: None,
        source: Source { kind: MOVED, id: posting.journal_id.0 },
        reason: Some(WHY),
        actor: Actor::System,
        at: posting.posted_at,
        ..*posting
    };
    let lots = bucket::take_free(db, &moved, Some(&Lot { expires_on: first, amount: 0 })).await?;
    ledger::write(db, &moved, AccountKind::Donated, &ledger::negative(&lots), None).await?;
    let words = format!(
        "您的积分已到账户上限 {}，超出的 {} 已转入社区捐赠账户，用于帮助有需要的居民。累计获得的积分不受影响；请及时兑换。",
        Points::from_hundredths(cap),
        moved.amount
    );
    let message = Message::new("points.account_cap", "积分已到上限", words).about("journal", moved.journal_id);
    notify::tell(db, posting.member_id, message, posting.posted_at).await?;
    Ok(moved.amount)
}

/// Which journal is undone, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Undoing<'a> {
    pub(super) original: JournalId,
    /// Of the reversal that is about to be posted.
    pub(super) journal_id: JournalId,
    pub(super) programme: &'a str,
    pub(super) member_id: MemberId,
    pub(super) actor: Actor,
    pub(super) now: DateTime<Utc>,
    pub(super) today: NaiveDate,
}

/// Before a credit is reversed: gives the member back what it had moved to the donated account, as far as that still has
/// it, so that what nobody was given is taken from nobody. Locks the donated account.
///
/// # Errors
/// The database's.
pub(super) async fn give_back(db: &impl ConnectionTrait, undoing: &Undoing<'_>) -> Result<(), PointsError> {
    let moved = journal::Entity::find()
        .filter(journal::Column::SourceKind.eq(MOVED))
        .filter(journal::Column::SourceId.eq(undoing.original.0))
        .one(db)
        .await?;
    let Some(moved) = moved else { return Ok(()) };
    let lines = entry::Entity::find().filter(entry::Column::JournalId.eq(moved.id)).all(db).await?;
    let own = account::of_member(undoing.programme, undoing.member_id);
    let Some(donated) = lines.iter().find(|line| line.account_id != own) else { return Ok(()) };
    // Balance rows come before the donated account, whoever takes both.
    ledger::lock_balances(db, undoing.programme, &[undoing.member_id]).await?;
    let books = lock_books(db, donated.account_id).await?;
    let Some(community) = books else { return Ok(()) };
    let mut left = Ord::min(donated.amount, standing(db, donated.account_id).await?);
    if left <= 0 {
        return Ok(());
    }
    let amount = Points::from_hundredths(left);
    let taken = lines.iter().filter(|line| line.account_id == own);
    let mut lots: Vec<Lot> = taken.map(|line| Lot { expires_on: line.expires_on, amount: line.amount.abs() }).collect();
    for lot in &mut lots {
        lot.amount = Ord::min(lot.amount, left);
        left -= lot.amount;
    }
    lots.retain(|lot| lot.amount > 0);
    let posting = Posting {
        // Just before the reversal, so that the member's list never shows less than nothing.
        journal_id: beside(undoing.journal_id, -1),
        kind: JournalKind::Gift,
        programme: undoing.programme,
        member_id: undoing.member_id,
        community: &community,
        amount,
        expires_on: None,
        source: Source { kind: RETURNED, id: undoing.original.0 },
        reason: Some(WHY_BACK),
        actor: undoing.actor,
        at: undoing.now,
        posted_at: undoing.now,
        today: undoing.today,
    };
    let lots = returned(&lots, undoing.today);
    ledger::credit(db, &posting, AccountKind::Donated, &lots, Links::default()).await
}

/// What stands in a donated account, in hundredths.
///
/// # Errors
/// The database's.
pub(super) async fn standing(db: &impl ConnectionTrait, donated: entity::id::AccountId) -> Result<i64, DbErr> {
    let sum: Option<Option<i64>> = entry::Entity::find()
        .select_only()
        .column_as(Expr::col((entry::Entity, entry::Column::Amount)).sum().cast_as("bigint"), "amount")
        .filter(entry::Column::AccountId.eq(donated))
        .into_tuple()
        .one(db)
        .await?;
    Ok(sum.flatten().unwrap_or(0))
}

/// The community of a donated account, which has no balance row to meet at: its own row is locked instead, so that two do
/// not spend the same. `None` where nothing was ever donated.
///
/// # Errors
/// The database's.
pub(super) async fn lock_books(
    db: &impl ConnectionTrait,
    donated: entity::id::AccountId,
) -> Result<Option<String>, DbErr> {
    use entity::account::Entity;
    // Postings that point at the row (foreign keys) do not wait for this kind of lock.
    let lock = sea_orm::sea_query::LockType::NoKeyUpdate;
    let found = Entity::find_by_id(donated).lock(lock).one(db).await?;
    Ok(found.and_then(|row| row.region_code))
}

/// The id next to another's in time: a journal that belongs to one stands beside it in every list.
fn beside(id: JournalId, step: i8) -> JournalId {
    JournalId(uuid::Uuid::from_u128(id.0.as_u128().wrapping_add_signed(i128::from(step))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_a_journal_stands_beside_it() {
        let id = JournalId::new();
        assert!(beside(id, -1) < id && id < beside(id, 1));
        assert_eq!(beside(beside(id, 1), -1), id);
    }
}
