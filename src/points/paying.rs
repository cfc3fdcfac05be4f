//! Paying what is owed, oldest first, as funds allow. A budget pays the dues of its region in the order in which they came,
//! and stops at the first that it cannot cover: nobody is overtaken.
//!
//! Safe on several nodes: the dues are locked while they are paid, a due is paid once by its status, and the budget is taken
//! last, by one conditional statement for all that it pays.

use chrono::{DateTime, NaiveDate, Utc};
use entity::budget::{self, BudgetStatus, Column};
use entity::due::{self, DueStatus};
use entity::id::{BudgetId, JournalId, MemberId, StaffId};
use entity::journal::JournalKind;
use entity::programme;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait as _, Query};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};

use super::account;
use super::domain::Points;
use super::due::waits;
use super::earning::{Lifetime, expires_on};
use super::error::PointsError;
use super::issuing::{self, Payer, Terms};
use super::ledger::{Posting, Source};
use crate::app::AppState;
use crate::audit::Actor;
use crate::db::contended;
use crate::jobs::{JobError, Lease};
use crate::notify::{self, Message};
use crate::region::RegionCode;

/// How many dues the job pays in one transaction.
const BATCH: u64 = 100;

/// An instant and its local day.
#[derive(Clone, Copy, Debug)]
pub struct When {
    pub now: DateTime<Utc>,
    pub today: NaiveDate,
}

/// What was paid in one go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paid {
    pub count: u64,
    /// Hundredths.
    pub amount: i64,
    /// Whether as many were paid as were to be at most.
    pub full: bool,
}

/// Whose dues, and out of what.
struct Purse<'a> {
    programme: &'a str,
    region: (&'a str, &'a str),
    /// `None`: nobody in particular pays.
    budget: Option<BudgetId>,
    /// Hundredths.
    rest: i64,
}

/// Adds to a budget and pays, out of what is then in it, at most so many of the dues that wait for it.
///
/// # Errors
/// The database's.
pub(super) async fn settle(
    db: &impl ConnectionTrait,
    row: &budget::Model,
    added: i64,
    when: When,
    most: u64,
) -> Result<(budget::Model, Paid), PointsError> {
    let purse = Purse {
        programme: &row.programme,
        region: (&row.region_lo, &row.region_hi),
        budget: Some(row.id),
        rest: if pays_on(row, when.today) { row.funded - row.issued + added } else { 0 },
    };
    let paid = pay(db, &purse, when, most).await?;
    if added == 0 && paid.count == 0 {
        return Ok((row.clone(), paid));
    }
    let covered = Expr::col(Column::Funded).sub(Expr::col(Column::Issued)).add(added).gte(paid.amount);
    let taken = budget::Entity::update_many()
        .col_expr(Column::Funded, Expr::col(Column::Funded).add(added))
        .col_expr(Column::Issued, Expr::col(Column::Issued).add(paid.amount))
        .col_expr(Column::UpdatedAt, Expr::value(when.now))
        .filter(Column::Id.eq(row.id))
        .filter(Column::Status.eq(BudgetStatus::Active))
        .filter(covered)
        .exec_with_returning(db)
        .await?;
    let row = taken.into_iter().next().ok_or_else(contended)?;
    Ok((issuing::mark(db, row, when.now).await?, paid))
}

fn pays_on(row: &budget::Model, today: NaiveDate) -> bool {
    row.status == BudgetStatus::Active && row.valid_from <= today && row.valid_until.is_none_or(|last| today <= last)
}

/// The dues that a purse covers, from the oldest on, become postings. Its budget is for the caller to lower.
async fn pay(db: &impl ConnectionTrait, purse: &Purse<'_>, when: When, most: u64) -> Result<Paid, PointsError> {
    let (lo, hi) = purse.region;
    let waiting = due::Entity::find()
        .filter(due::Column::Programme.eq(purse.programme))
        .filter(due::Column::RegionCode.gte(lo))
        .filter(due::Column::RegionCode.lt(hi))
        .filter(waits())
        .order_by_asc(due::Column::Id)
        .limit(most)
        .lock_exclusive()
        .all(db)
        .await?;
    let mut paid = Paid::default();
    let mut covered = Vec::new();
    for row in waiting {
        let Some(amount) = paid.amount.checked_add(row.amount).filter(|sum| *sum <= purse.rest) else { break };
        paid.amount = amount;
        covered.push((row, JournalId::new()));
    }
    if covered.is_empty() {
        return Ok(paid);
    }
    paid.count = covered.len() as u64;
    paid.full = paid.count == most;
    let change = due::ActiveModel { status: Set(DueStatus::Paid), ended_at: Set(Some(when.now)), ..Default::default() };
    let marked = due::Entity::update_many()
        .set(change)
        .filter(due::Column::Id.is_in(covered.iter().map(|(row, _)| row.id)))
        .filter(waits())
        .exec(db)
        .await?;
    if marked.rows_affected != paid.count {
        return Err(contended().into());
    }
    post(db, purse, &mut covered, when).await?;
    Ok(paid)
}

/// Posts what was owed, in the order of the accounts, so that no two payers wait for each other; the journals' ids are in the
/// order of the dues. Points are good from the day on which they are paid.
async fn post(
    db: &impl ConnectionTrait,
    purse: &Purse<'_>,
    covered: &mut [(due::Model, JournalId)],
    when: When,
) -> Result<(), PointsError> {
    let programme = programme::Entity::find_by_id(purse.programme).one(db).await?;
    let expires_on = programme.as_ref().and_then(|row| expires_on(&Lifetime::of(row), when.today));
    let cap = programme.and_then(|row| row.account_cap);
    covered.sort_by_cached_key(|(row, _)| account::of_member(&row.programme, row.member_id));
    for (row, journal_id) in covered.iter() {
        let posting = Posting {
            journal_id: *journal_id,
            kind: JournalKind::Earn,
            programme: &row.programme,
            member_id: row.member_id,
            community: &row.region_code,
            amount: Points::from_hundredths(row.amount),
            expires_on,
            source: Source { kind: &row.source_kind, id: row.source_id },
            reason: row.reason.as_deref(),
            actor: actor(row),
            at: row.at,
            posted_at: when.now,
            today: when.today,
        };
        issuing::credit(db, &posting, purse.budget, cap).await?;
    }
    let told = covered.iter().map(|(row, _)| {
        let amount = Points::from_hundredths(row.amount);
        let body = format!("您此前获得、等待预算的 {amount} 积分已经到账，可在“我的积分”中查看和使用。");
        (row.member_id, Message::new("points.paid", "积分已到账", body).about("due", row.id))
    });
    notify::tell_all(db, told, when.now).await?;
    Ok(())
}

/// Who acknowledged what was earned.
fn actor(row: &due::Model) -> Actor {
    match (row.actor_kind.as_deref(), row.actor_id) {
        (Some("staff"), Some(id)) => Actor::Staff(StaffId(id)),
        (Some("member"), Some(id)) => Actor::Member(MemberId(id)),
        _ => Actor::System,
    }
}

/// The job: lets every budget pay what waits for it, the smallest region's first, until none can pay more. Where no budget
/// counts any longer and none is needed, nobody in particular pays. Answers how many dues were paid.
///
/// # Errors
/// The database's.
pub async fn run(state: &AppState, _: &Lease) -> Result<u64, JobError> {
    let mut done = 0;
    loop {
        let mut paid = 0;
        for id in awaited(state).await? {
            paid += repeat(async || pay_from(state, id).await).await?;
        }
        for (programme, community) in places(state).await? {
            paid += repeat(async || pay_freely(state, &programme, &community).await).await?;
        }
        done += paid;
        // What one budget has paid may have freed the way for another.
        if paid == 0 {
            break;
        }
    }
    super::due::gauge(state.db.read()).await?;
    Ok(done)
}

async fn repeat(batch: impl AsyncFn() -> Result<Paid, PointsError>) -> Result<u64, PointsError> {
    let mut done = 0;
    loop {
        let paid = batch().await?;
        done += paid.count;
        if !paid.full {
            return Ok(done);
        }
    }
}

fn when(state: &AppState) -> When {
    let now = state.clock.now();
    When { now, today: state.calendar.day_of(now) }
}

async fn pay_from(state: &AppState, id: BudgetId) -> Result<Paid, PointsError> {
    let when = when(state);
    let command = async move |txn: &crate::db::Txn| {
        let Some(row) = budget::Entity::find_by_id(id).one(txn).await? else { return Ok(Paid::default()) };
        settle(txn, &row, 0, when, BATCH).await.map(|(_, paid)| paid)
    };
    state.db.write(command).await
}

async fn pay_freely(state: &AppState, programme: &str, community: &str) -> Result<Paid, PointsError> {
    let (when, programme, community) = (when(state), programme.to_owned(), community.to_owned());
    let command = async move |txn: &crate::db::Txn| {
        let terms = Terms::of(txn, &programme, &community, when.today).await?;
        if terms.payer(0) != Payer::Nobody {
            return Ok(Paid::default());
        }
        let Ok(code) = RegionCode::parse(&community) else { return Ok(Paid::default()) };
        let subtree = code.subtree();
        let purse = Purse { programme: &programme, region: (subtree.lo(), subtree.hi()), budget: None, rest: i64::MAX };
        pay(txn, &purse, when, BATCH).await
    };
    state.db.write(command).await
}

/// Open budgets with something left for which somebody waits, smallest region first, then oldest.
async fn awaited(state: &AppState) -> Result<Vec<BudgetId>, DbErr> {
    let today = when(state).today;
    let waiting = Query::select()
        .expr(Expr::val(1))
        .from(due::Entity)
        .and_where(waits())
        .and_where(Expr::col((due::Entity, due::Column::Programme)).equals((budget::Entity, Column::Programme)))
        .and_where(Expr::col((due::Entity, due::Column::RegionCode)).gte(Expr::col((budget::Entity, Column::RegionLo))))
        .and_where(Expr::col((due::Entity, due::Column::RegionCode)).lt(Expr::col((budget::Entity, Column::RegionHi))))
        .to_owned();
    let mut rows: Vec<(BudgetId, String)> = budget::Entity::find()
        .select_only()
        .columns([Column::Id, Column::RegionLo])
        .filter(Column::Status.eq(BudgetStatus::Active))
        .filter(Expr::col((budget::Entity, Column::Funded)).gt(Expr::col((budget::Entity, Column::Issued))))
        .filter(Column::ValidFrom.lte(today))
        .filter(Condition::any().add(Column::ValidUntil.is_null()).add(Column::ValidUntil.gte(today)))
        .filter(Expr::exists(waiting))
        .into_tuple()
        .all(state.db.read())
        .await?;
    rows.sort_by_key(|(id, lo)| (std::cmp::Reverse(lo.len()), *id));
    Ok(rows.into_iter().map(|(id, _)| id).collect())
}

/// Programmes and communities in which something waits.
async fn places(state: &AppState) -> Result<Vec<(String, String)>, DbErr> {
    due::Entity::find()
        .select_only()
        .columns([due::Column::Programme, due::Column::RegionCode])
        .distinct()
        .filter(waits())
        .into_tuple()
        .all(state.db.read())
        .await
}
