//! What a member has, and how it came to be.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use entity::id::{AccountId, JournalId, MemberId};
use entity::journal::{self, JournalKind};
use entity::{balance, bucket, entry, programme};
use sea_orm::sea_query::{Expr, ExprTrait as _, Query};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::account;
use super::domain::Points;
use super::due;
use crate::http::{Listing, Page, Problem};
use crate::region::{RegionCode, Subtree};

/// What a member has in one programme.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Standing {
    code: String,
    name: String,
    /// What one point is called.
    unit: String,
    balance: Points,
    /// Set aside for what is reserved.
    held: Points,
    /// `balance − held`, never negative.
    available: Points,
    /// Earned in all, never spent.
    earned: Points,
    /// Earned, and paid as soon as a budget has funds; not part of the balance.
    due: Points,
    /// What is gone from which local day on; earliest first.
    expiring: Vec<Expiring>,
}

/// The part of a balance that expires on one day.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Expiring {
    on: NaiveDate,
    amount: Points,
}

/// The programmes of the member's region, and every other one in which the member has an account or is owed points; by code.
///
/// # Errors
/// The database's.
pub async fn standings(
    db: &impl ConnectionTrait,
    member: MemberId,
    region: Option<&str>,
) -> Result<Vec<Standing>, DbErr> {
    let programmes = programmes(db).await?;
    let ids: Vec<_> = programmes.iter().map(|programme| account::of_member(&programme.code, member)).collect();
    let balances = balance::Entity::find().filter(balance::Column::AccountId.is_in(ids.clone())).all(db).await?;
    let balances: HashMap<_, _> = balances.into_iter().map(|row| (row.account_id, row)).collect();
    let mut expiring: HashMap<AccountId, Vec<Expiring>> = HashMap::new();
    if balances.values().any(|row| row.dated > 0) {
        let buckets = bucket::Entity::find()
            .filter(bucket::Column::AccountId.is_in(ids))
            .filter(bucket::Column::Amount.gt(0))
            .order_by_asc(bucket::Column::ExpiresOn)
            .all(db)
            .await?;
        for row in buckets {
            let part = Expiring { on: row.expires_on, amount: Points::from_hundredths(row.amount) };
            expiring.entry(row.account_id).or_default().push(part);
        }
    }
    let dues = due::waiting_of(db, member).await?;
    let standing = |programme: programme::Model| {
        let id = account::of_member(&programme.code, member);
        let found = balances.get(&id);
        let due = dues.get(&programme.code).copied();
        if found.is_none() && due.is_none() && !serves(&programme, region) {
            return None;
        }
        let (balance, held, earned) = found.map_or((0, 0, 0), |row| (row.balance, row.held, row.earned));
        Some(Standing {
            code: programme.code,
            name: programme.name,
            unit: programme.unit_name,
            balance: Points::from_hundredths(balance),
            held: Points::from_hundredths(held),
            available: Points::from_hundredths(balance - held),
            earned: Points::from_hundredths(earned),
            due: due.unwrap_or_default(),
            expiring: expiring.remove(&id).unwrap_or_default(),
        })
    };
    Ok(programmes.into_iter().filter_map(standing).collect())
}

/// All programmes, by code.
///
/// # Errors
/// The database's.
pub async fn programmes(db: &impl ConnectionTrait) -> Result<Vec<programme::Model>, DbErr> {
    programme::Entity::find().order_by_asc(programme::Column::Code).all(db).await
}

/// Whether a programme serves a region.
pub(super) fn serves(programme: &programme::Model, region: Option<&str>) -> bool {
    match (&programme.region_code, region) {
        (None, _) => true,
        (Some(of), Some(region)) => RegionCode::parse(of).is_ok_and(|of| Subtree::of(&of).contains(region)),
        (Some(_), None) => false,
    }
}

/// One posting as its member sees it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EntryView {
    /// Of the journal.
    id: JournalId,
    /// When it counts.
    at: DateTime<Utc>,
    programme: String,
    /// Signed: below zero was taken.
    amount: Points,
    /// Of the programme, after this posting.
    balance_after: Points,
    kind: JournalKind,
    /// What it was posted for: `service_record`, `redemption`, `adjustment` …
    source_kind: String,
    source_id: Uuid,
    reason: Option<String>,
}

/// Where the next page goes on: below this journal, with these balances before it, by account.
#[derive(Serialize, Deserialize)]
struct Mark(JournalId, BTreeMap<Uuid, i64>);

/// A journal's effect on an account, and what the account holds now.
struct Line {
    journal_id: JournalId,
    account_id: AccountId,
    amount: i64,
    balance: i64,
}

/// A member's postings, latest first, one item a journal. The balance after each is worked out from the account's present
/// balance downwards, and carried from page to page.
///
/// # Errors
/// 422 for a forged cursor; the database's.
pub async fn entries(
    db: &impl ConnectionTrait,
    member: MemberId,
    programme: Option<&str>,
    page: &Page,
) -> Result<Listing<EntryView>, Problem> {
    let codes = match programme {
        Some(code) => vec![code.to_owned()],
        None => programmes(db).await?.into_iter().map(|programme| programme.code).collect(),
    };
    let accounts: Vec<_> = codes.iter().map(|code| account::of_member(code, member)).collect();
    let mark: Option<Mark> = page.after()?;
    let mut lines = lines(db, &accounts, mark.as_ref().map(|mark| mark.0), page.limit() + 1).await?;
    let limit = usize::try_from(page.limit()).unwrap_or(usize::MAX);
    let more = lines.len() > limit;
    lines.truncate(limit);
    let ids = lines.iter().map(|line| line.journal_id);
    let journals = journal::Entity::find().filter(journal::Column::Id.is_in(ids)).all(db).await?;
    let mut journals: HashMap<_, _> = journals.into_iter().map(|row| (row.id, row)).collect();
    let (below, mut after) = mark.map_or((None, BTreeMap::new()), |Mark(id, after)| (Some(id), after));
    let mut items = Vec::with_capacity(lines.len());
    for line in &lines {
        let balance_after = match (after.get(&line.account_id.0), below) {
            (Some(known), _) => *known,
            (None, None) => line.balance,
            // The account's first line stands on a later page: what came above it has to be taken off.
            (None, Some(below)) => line.balance.wrapping_sub(above(db, line.account_id, below).await?),
        };
        after.insert(line.account_id.0, balance_after.wrapping_sub(line.amount));
        if let Some(row) = journals.remove(&line.journal_id) {
            items.push(EntryView {
                id: row.id,
                at: row.at,
                programme: row.programme,
                amount: Points::from_hundredths(line.amount),
                balance_after: Points::from_hundredths(balance_after),
                kind: row.kind,
                source_kind: row.source_kind,
                source_id: row.source_id,
                reason: row.reason,
            });
        }
    }
    let last = lines.last().filter(|_| more).map(|line| line.journal_id);
    let next_cursor = last.map(|last| crate::http::encode_cursor(&Mark(last, after)));
    Ok(Listing { items, next_cursor })
}

/// The first `most` of all accounts' journals, latest first. Each account is read by itself along its index, so that a page
/// costs the same however long the history.
async fn lines(
    db: &impl ConnectionTrait,
    accounts: &[AccountId],
    below: Option<JournalId>,
    most: u64,
) -> Result<Vec<Line>, DbErr> {
    let mut all = Vec::new();
    for account in accounts {
        // In the same statement, so that both are of one instant.
        let balance = Query::select()
            .column(balance::Column::Balance)
            .from(balance::Entity)
            .and_where(balance::Column::AccountId.eq(*account))
            .to_owned();
        let mut query = entry::Entity::find()
            .select_only()
            .column(entry::Column::JournalId)
            .column_as(entry::Column::Amount.sum().cast_as("bigint"), "amount")
            .expr_as(Expr::from(balance), "balance")
            .filter(entry::Column::AccountId.eq(*account))
            .group_by(entry::Column::JournalId)
            .order_by_desc(entry::Column::JournalId)
            .limit(most);
        if let Some(below) = below {
            query = query.filter(entry::Column::JournalId.lt(below));
        }
        let found: Vec<(JournalId, i64, i64)> = query.into_tuple().all(db).await?;
        all.extend(found.into_iter().map(|(journal_id, amount, balance)| Line {
            journal_id,
            account_id: *account,
            amount,
            balance,
        }));
    }
    all.sort_by_key(|line| Reverse(line.journal_id));
    all.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    Ok(all)
}

/// What an account's journals from `id` upwards changed in all.
async fn above(db: &impl ConnectionTrait, account: AccountId, id: JournalId) -> Result<i64, DbErr> {
    let sum: Option<Option<i64>> = entry::Entity::find()
        .select_only()
        .column_as(Expr::col((entry::Entity, entry::Column::Amount)).sum().cast_as("bigint"), "amount")
        .filter(entry::Column::AccountId.eq(account))
        .filter(entry::Column::JournalId.gte(id))
        .into_tuple()
        .one(db)
        .await?;
    Ok(sum.flatten().unwrap_or(0))
}
