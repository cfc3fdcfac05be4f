//! Posting very many transfers at once, as an import does: the same journals, entries and balances that [`post`](super::post)
//! would have written one by one, in a few large statements.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use entity::account::AccountKind;
use entity::balance;
use entity::id::{AccountId, JournalId, MemberId};
use entity::journal::JournalKind;
use sea_orm::{
    ActiveEnum as _, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QuerySelect as _,
};
use uuid::Uuid;

use super::account;
use super::domain::Points;
use super::error::PointsError;
use super::ledger::{self, Posting, Source};
use crate::audit::Actor;
use crate::db::Bulk;

/// What the transfers of one call have in common.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// `earn` or `spend`.
    pub kind: JournalKind,
    pub programme: &'a str,
    /// Of all sources.
    pub source_kind: &'a str,
    pub actor: Actor,
    pub posted_at: DateTime<Utc>,
    /// The local day of `posted_at`.
    pub today: NaiveDate,
}

/// One transfer of undated points between a member and the books of a community.
#[derive(Clone, Copy, Debug)]
pub struct Transfer<'a> {
    pub journal_id: JournalId,
    pub member_id: MemberId,
    pub community: &'a str,
    /// Hundredths, above zero.
    pub amount: i64,
    pub source_id: Uuid,
    pub at: DateTime<Utc>,
}

/// Posts all `transfers`. Belongs inside a transaction.
///
/// # Errors
/// [`PointsError::Insufficient`] where spending is not covered, [`PointsError::InvalidTransition`] where a source has posted
/// before, [`PointsError::TooLarge`] beyond 64 bits.
pub async fn post_all(
    db: &impl ConnectionTrait,
    batch: &Batch<'_>,
    transfers: &[Transfer<'_>],
) -> Result<(), PointsError> {
    let spends = batch.kind == JournalKind::Spend;
    let dated = if spends { accounts_with_dated_points(db).await? } else { BTreeSet::new() };
    let of = |transfer: &Transfer<'_>| account::of_member(batch.programme, transfer.member_id);
    let (slow, fast): (Vec<_>, Vec<_>) = transfers.iter().partition(|transfer| dated.contains(&of(transfer)));
    open_accounts(db, batch, &fast).await?;
    write_journals(db, batch, &fast).await?;
    write_entries(db, batch, &fast).await?;
    let mut sums = BTreeMap::new();
    for transfer in &fast {
        let sum: &mut i64 = sums.entry(of(transfer)).or_default();
        *sum = sum.checked_add(transfer.amount).ok_or(PointsError::TooLarge)?;
    }
    if spends {
        lower(db, &sums).await?;
    } else {
        raise(db, &sums).await?;
    }
    // Accounts with buckets are rare where imports happen; theirs go the way of every posting.
    for transfer in slow {
        ledger::post(db, &single(batch, transfer)).await?;
    }
    Ok(())
}

async fn accounts_with_dated_points(db: &impl ConnectionTrait) -> Result<BTreeSet<AccountId>, DbErr> {
    let found: Vec<AccountId> = balance::Entity::find()
        .select_only()
        .column(balance::Column::AccountId)
        .filter(balance::Column::Dated.gt(0))
        .into_tuple()
        .all(db)
        .await?;
    Ok(found.into_iter().collect())
}

const fn books(kind: JournalKind) -> AccountKind {
    match kind {
        JournalKind::Spend => AccountKind::Spent,
        _ => AccountKind::Issued,
    }
}

async fn open_accounts(db: &impl ConnectionTrait, batch: &Batch<'_>, transfers: &[&Transfer<'_>]) -> Result<(), DbErr> {
    let columns = ["id", "programme", "kind", "member_id", "region_code"];
    let mut rows = Bulk::insert(db, "account", &columns).or("ON CONFLICT DO NOTHING");
    let members: BTreeSet<_> = transfers.iter().map(|transfer| transfer.member_id).collect();
    let mut accounts: Vec<_> =
        members.into_iter().map(|member| (account::of_member(batch.programme, member), member)).collect();
    accounts.sort_unstable();
    for (id, member) in accounts {
        let kind = AccountKind::Member.to_value();
        rows.push(db, [id.into(), batch.programme.into(), kind.into(), member.into(), None::<String>.into()]).await?;
    }
    let communities: BTreeSet<_> = transfers.iter().map(|transfer| transfer.community).collect();
    for community in communities {
        let id = account::of_books(batch.programme, books(batch.kind), community);
        let kind = books(batch.kind).to_value();
        rows.push(db, [id.into(), batch.programme.into(), kind.into(), None::<Uuid>.into(), community.into()]).await?;
    }
    rows.finish(db).await.map(drop)
}

async fn write_journals(
    db: &impl ConnectionTrait,
    batch: &Batch<'_>,
    transfers: &[&Transfer<'_>],
) -> Result<(), DbErr> {
    let columns = ["id", "programme", "kind", "source_kind", "source_id", "actor_kind", "actor_id", "at", "posted_at"];
    let mut rows = Bulk::insert(db, "journal", &columns);
    for transfer in transfers {
        let row = [
            transfer.journal_id.into(),
            batch.programme.into(),
            batch.kind.to_value().into(),
            batch.source_kind.into(),
            transfer.source_id.into(),
            batch.actor.kind().into(),
            batch.actor.id().into(),
            transfer.at.into(),
            batch.posted_at.into(),
        ];
        rows.push(db, row).await?;
    }
    rows.finish(db).await?;
    queue(db, transfers.iter().map(|transfer| transfer.journal_id)).await
}

/// Lets journals wait for their seal.
///
/// # Errors
/// The database's.
pub async fn queue(db: &impl ConnectionTrait, journals: impl IntoIterator<Item = JournalId>) -> Result<(), DbErr> {
    let mut rows = Bulk::insert(db, "unsealed", &["journal_id"]);
    for journal in journals {
        rows.push(db, [journal.into()]).await?;
    }
    rows.finish(db).await.map(drop)
}

async fn write_entries(db: &impl ConnectionTrait, batch: &Batch<'_>, transfers: &[&Transfer<'_>]) -> Result<(), DbErr> {
    let mut rows = Bulk::insert(db, "entry", &["journal_id", "line", "account_id", "amount"]);
    let sign = if batch.kind == JournalKind::Spend { -1 } else { 1 };
    let mut derived: BTreeMap<&str, AccountId> = BTreeMap::new();
    for transfer in transfers {
        let member = account::of_member(batch.programme, transfer.member_id);
        let other = *derived
            .entry(transfer.community)
            .or_insert_with(|| account::of_books(batch.programme, books(batch.kind), transfer.community));
        let amount = sign * transfer.amount;
        rows.push(db, [transfer.journal_id.into(), 1_i16.into(), member.into(), amount.into()]).await?;
        rows.push(db, [transfer.journal_id.into(), 2_i16.into(), other.into(), (-amount).into()]).await?;
    }
    rows.finish(db).await.map(drop)
}

/// What was earned is honour as well as spending power.
async fn raise(db: &impl ConnectionTrait, sums: &BTreeMap<AccountId, i64>) -> Result<(), DbErr> {
    let columns = ["account_id", "balance", "held", "earned", "dated"];
    let add = "ON CONFLICT (account_id) DO UPDATE SET \
        balance = balance.balance + excluded.balance, earned = balance.earned + excluded.earned";
    let mut rows = Bulk::insert(db, "balance", &columns).or(add);
    for (account, sum) in sums {
        rows.push(db, [(*account).into(), (*sum).into(), 0_i64.into(), (*sum).into(), 0_i64.into()]).await?;
    }
    rows.finish(db).await.map(drop)
}

/// A row that does not cover its sum stays as it is, and so is missing from the count.
async fn lower(db: &impl ConnectionTrait, sums: &BTreeMap<AccountId, i64>) -> Result<(), PointsError> {
    let condition =
        "balance.account_id = v.column1 AND balance.dated = 0 AND balance.balance - balance.held >= v.column2";
    let mut rows = Bulk::update(db, "balance", 2, "balance = balance.balance - v.column2", condition);
    for (account, sum) in sums {
        rows.push(db, [(*account).into(), (*sum).into()]).await?;
    }
    if rows.finish(db).await? == sums.len() as u64 {
        return Ok(());
    }
    let needed = Points::from_hundredths(sums.values().sum());
    Err(PointsError::Insufficient { needed, available: Points::ZERO })
}

fn single<'a>(batch: &Batch<'a>, transfer: &Transfer<'a>) -> Posting<'a> {
    Posting {
        journal_id: transfer.journal_id,
        kind: batch.kind,
        programme: batch.programme,
        member_id: transfer.member_id,
        community: transfer.community,
        amount: Points::from_hundredths(transfer.amount),
        expires_on: None,
        source: Source { kind: batch.source_kind, id: transfer.source_id },
        reason: None,
        actor: batch.actor,
        at: transfer.at,
        posted_at: batch.posted_at,
        today: batch.today,
    }
}
