//! Points whose day is over leave the account by a journal of their own. Safe on several nodes: an account is settled under
//! the lock of its balance row, and what is gone is not there to expire again.

use entity::account::{self, AccountKind};
use entity::bucket::{Column, Entity};
use entity::entry;
use entity::id::{AccountId, JournalId, MemberId};
use entity::journal::JournalKind;
use sea_orm::sea_query::{Alias, Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, JoinType, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, RelationDef,
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

/// Whose account it is, and the community that issued its latest points: the books it expires in.
async fn owner(db: &impl ConnectionTrait, id: AccountId) -> Result<Option<(String, MemberId, String)>, DbErr> {
    let Some(account) = account::Entity::find_by_id(id).one(db).await? else { return Ok(None) };
    let other = Alias::new("other");
    let issued: RelationDef =
        entry::Entity::belongs_to(account::Entity).from(entry::Column::AccountId).to(account::Column::Id).into();
    let mine = sea_orm::sea_query::Query::select()
        .column((other.clone(), entry::Column::JournalId))
        .from_as(entry::Entity, other.clone())
        .and_where(Expr::col((other.clone(), entry::Column::AccountId)).eq(id))
        .and_where(Expr::col((other.clone(), entry::Column::Amount)).gt(0))
        .order_by((other, entry::Column::JournalId), sea_orm::Order::Desc)
        .limit(1)
        .to_owned();
    let community: Option<Option<String>> = entry::Entity::find()
        .select_only()
        .column(account::Column::RegionCode)
        .join(JoinType::InnerJoin, issued)
        .filter(entry::Column::JournalId.in_subquery(mine))
        .filter(account::Column::Kind.ne(AccountKind::Member))
        .into_tuple()
        .one(db)
        .await?;
    Ok(account.member_id.zip(community.flatten()).map(|(member, community)| (account.programme, member, community)))
}
