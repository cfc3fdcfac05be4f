//! Points whose day is over leave the account by a journal of their own. Safe on several nodes: an account is settled under
//! the lock of its balance row, and what is gone is not there to expire again.

use entity::account;
use entity::bucket::{Column, Entity};
use entity::id::{AccountId, JournalId, MemberId};
use entity::journal::JournalKind;
use entity::member;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    Statement,
};

use super::bucket;
use super::domain::Points;
use super::error::PointsError;
use super::ledger::{Posting, Source};
use crate::app::AppState;
use crate::audit::Actor;
use crate::jobs::{JobError, Lease};

const BATCH: u64 = 500;

/// Expires what is due in all accounts; how many accounts were looked at. What a hold rests on stays until the hold ends.
///
/// # Errors
/// The database's.
pub async fn run(state: &AppState, _: &Lease) -> Result<u64, JobError> {
    let today = state.calendar.day_of(state.clock.now());
    let mut done = 0;
    let mut after = AccountId::NIL;
    loop {
        let due: Vec<AccountId> = Entity::find()
            .select_only()
            .column(Column::AccountId)
            .distinct()
            .filter(Column::ExpiresOn.lte(today))
            .filter(Column::Amount.gt(0))
            .filter(Column::AccountId.gt(after))
            .order_by_asc(Column::AccountId)
            .limit(BATCH)
            .into_tuple()
            .all(state.db.read())
            .await?;
        let Some(last) = due.last() else { return Ok(done) };
        after = *last;
        for account in due {
            let now = state.clock.now();
            state.db.write(async move |txn| settle(txn, account, now, today).await).await?;
            done += 1;
        }
    }
}

async fn settle(
    db: &impl ConnectionTrait,
    id: AccountId,
    now: chrono::DateTime<chrono::Utc>,
    today: chrono::NaiveDate,
) -> Result<(), PointsError> {
    let Some((programme, member_id, community)) = owner(db, id).await? else { return Ok(()) };
    let posting = Posting {
        journal_id: JournalId::NIL, // an expiry draws its own
        kind: JournalKind::Expire,
        programme: &programme,
        member_id,
        community: &community,
        amount: Points::ZERO,
        expires_on: None,
        source: Source { kind: "expiry", id: JournalId::NIL.0 },
        reason: None,
        actor: Actor::System,
        at: now,
        posted_at: now,
        today,
    };
    bucket::settle(db, &posting).await.map(drop)
}

/// Whose account it is, and the books it expires in: of the community that issued its latest points; where all of them came
/// by gift, of the member's own.
async fn owner(db: &impl ConnectionTrait, id: AccountId) -> Result<Option<(String, MemberId, String)>, DbErr> {
    let Some(account) = account::Entity::find_by_id(id).one(db).await? else { return Ok(None) };
    let Some(member) = account.member_id else { return Ok(None) };
    let community = match issuer(db, id).await? {
        Some(community) => Some(community),
        None => home(db, member).await?,
    };
    Ok(community.map(|community| (account.programme, member, community)))
}

/// The newest of the account's credits that another member did not give.
const ISSUER: &str = "SELECT books.region_code AS region_code FROM entry mine
JOIN entry other ON other.journal_id = mine.journal_id
JOIN account books ON books.id = other.account_id AND books.region_code IS NOT NULL
WHERE mine.account_id = $1 AND mine.amount > 0 ORDER BY mine.journal_id DESC LIMIT 1";

async fn issuer(db: &impl ConnectionTrait, id: AccountId) -> Result<Option<String>, DbErr> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), ISSUER, [id.into()]);
    let row = db.query_one_raw(statement).await?;
    row.map_or(Ok(None), |row| row.try_get("", "region_code"))
}

async fn home(db: &impl ConnectionTrait, member: MemberId) -> Result<Option<String>, DbErr> {
    Ok(member::Entity::find_by_id(member).one(db).await?.and_then(|member| member.region_code))
}
