//! Journals that no other table can say, entry by entry.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use entity::account::AccountKind;
use entity::id::{AccountId, JournalId};
use entity::journal::JournalKind;
use sea_orm::{ConnectionTrait, DbErr};
use uuid::Uuid;

use super::{Stamp, WriteError, word};
use crate::audit::Actor;
use crate::db::Bulk;
use crate::exchange::import::rows::{Accepted, EntryAccount, EntryRow};
use crate::points::account;
use crate::points::bulk::queue;

/// What a member's balance row takes.
#[derive(Default)]
struct Change {
    balance: i64,
    earned: i64,
    dated: i64,
}

/// The journals are complete and sum to zero.
pub(in super::super) async fn entries(
    db: &impl ConnectionTrait,
    stamp: &Stamp,
    rows: &[Accepted<EntryRow>],
) -> Result<(), WriteError> {
    let mut journals: BTreeMap<&str, (JournalId, &EntryRow)> = BTreeMap::new();
    for Accepted { row, .. } in rows {
        journals.entry(&row.journal).or_insert_with(|| (JournalId::new(), row));
    }
    open_accounts(db, rows).await?;
    write_journals(db, stamp, &journals).await?;
    let mut lines = Bulk::insert(db, "entry", &["journal_id", "line", "account_id", "amount", "expires_on"]);
    let mut changes: BTreeMap<AccountId, Change> = BTreeMap::new();
    let mut buckets: BTreeMap<(AccountId, NaiveDate), i64> = BTreeMap::new();
    for Accepted { row, .. } in rows {
        let Some((journal, _)) = journals.get(row.journal.as_str()) else { continue };
        let account = account_of(row);
        let line = [(*journal).into(), row.line.into(), account.into(), row.amount.into(), row.expires_on.into()];
        lines.push(db, line).await?;
        if !matches!(row.account, EntryAccount::Member(_)) {
            continue;
        }
        let change = changes.entry(account).or_default();
        change.balance += row.amount;
        // Honour: what service earned, less what was taken back.
        if matches!(row.kind, JournalKind::Earn | JournalKind::Reversal) {
            change.earned += row.amount;
        }
        if let Some(day) = row.expires_on {
            change.dated += row.amount;
            *buckets.entry((account, day)).or_default() += row.amount;
        }
    }
    lines.finish(db).await?;
    move_balances(db, &changes).await?;
    fill_buckets(db, &buckets).await?;
    Ok(())
}

fn account_of(row: &EntryRow) -> AccountId {
    match &row.account {
        EntryAccount::Member(person) => account::of_member(&row.programme, person.id),
        EntryAccount::Books(kind, community) => account::of_books(&row.programme, *kind, community),
    }
}

async fn open_accounts(db: &impl ConnectionTrait, rows: &[Accepted<EntryRow>]) -> Result<(), DbErr> {
    let columns = ["id", "programme", "kind", "member_id", "region_code"];
    let mut lines = Bulk::insert(db, "account", &columns).or("ON CONFLICT DO NOTHING");
    for Accepted { row, .. } in rows {
        let (kind, member, community) = match &row.account {
            EntryAccount::Member(person) => (AccountKind::Member, Some(person.id.0), None),
            EntryAccount::Books(kind, community) => (*kind, None::<Uuid>, Some(community.as_str())),
        };
        let line =
            [account_of(row).into(), row.programme.as_str().into(), word(&kind), member.into(), community.into()];
        lines.push(db, line).await?;
    }
    lines.finish(db).await.map(drop)
}

async fn write_journals(
    db: &impl ConnectionTrait,
    stamp: &Stamp,
    journals: &BTreeMap<&str, (JournalId, &EntryRow)>,
) -> Result<(), DbErr> {
    let columns = [
        "id",
        "programme",
        "kind",
        "source_kind",
        "source_id",
        "reason",
        "actor_kind",
        "reverses_id",
        "at",
        "posted_at",
    ];
    let mut lines = Bulk::insert(db, "journal", &columns);
    // What is taken back stands before what takes it back: ids were drawn in the order of the rows.
    let mut order: Vec<_> = journals.values().collect();
    order.sort_unstable_by_key(|(id, _)| *id);
    for (id, row) in order {
        let line = [
            (*id).into(),
            row.programme.as_str().into(),
            word(&row.kind),
            row.source_kind.as_str().into(),
            row.source_id.into(),
            row.reason.as_deref().into(),
            Actor::System.kind().into(),
            row.reverses.as_deref().and_then(|original| journals.get(original)).map(|(id, _)| *id).into(),
            row.at.into(),
            stamp.now.into(),
        ];
        lines.push(db, line).await?;
    }
    lines.finish(db).await?;
    queue(db, journals.values().map(|(id, _)| *id)).await
}

/// A row is made empty where there is none, and then moved: what makes it would otherwise have to be above zero.
async fn move_balances(db: &impl ConnectionTrait, changes: &BTreeMap<AccountId, Change>) -> Result<(), DbErr> {
    let columns = ["account_id", "balance", "held", "earned", "dated"];
    let mut empty = Bulk::insert(db, "balance", &columns).or("ON CONFLICT DO NOTHING");
    for account in changes.keys() {
        empty.push(db, [(*account).into(), 0_i64.into(), 0_i64.into(), 0_i64.into(), 0_i64.into()]).await?;
    }
    empty.finish(db).await?;
    let set = "balance = balance.balance + v.column2, earned = balance.earned + v.column3, \
        dated = balance.dated + v.column4";
    let mut lines = Bulk::update(db, "balance", 4, set, "balance.account_id = v.column1");
    for (account, change) in changes {
        let line = [(*account).into(), change.balance.into(), change.earned.into(), change.dated.into()];
        lines.push(db, line).await?;
    }
    lines.finish(db).await.map(drop)
}

async fn fill_buckets(db: &impl ConnectionTrait, buckets: &BTreeMap<(AccountId, NaiveDate), i64>) -> Result<(), DbErr> {
    let add = "ON CONFLICT (account_id, expires_on) DO UPDATE SET amount = bucket.amount + excluded.amount";
    let mut lines = Bulk::insert(db, "bucket", &["account_id", "expires_on", "amount"]).or(add);
    for ((account, day), amount) in buckets.iter().filter(|(_, amount)| **amount != 0) {
        lines.push(db, [(*account).into(), (*day).into(), (*amount).into()]).await?;
    }
    lines.finish(db).await.map(drop)
}
