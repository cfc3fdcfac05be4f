//! Whose turn it is: one row per job, taken by a conditional update, compared by the database's clock.

use std::time::Duration;

use ::entity::job_lease::{ActiveModel, Column, Entity};
use chrono::TimeDelta;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, ExprTrait as _, QueryFilter as _, Set};

use super::JobError;
use crate::app::AppState;
use crate::db::Txn;

/// How long a lease holds without being renewed: the longest that a dead node's job stands still.
const HOLDS: TimeDelta = TimeDelta::seconds(60);
const RENEW: Duration = Duration::from_secs(20);
/// A run that starts a little early is better than one that skips a turn because two clocks differ by a blink.
const SLACK: TimeDelta = TimeDelta::milliseconds(200);
const NOBODY: &str = "";

/// When a job may be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// When its interval is over.
    Due,
    /// When nobody is at it.
    Now,
}

/// The right to run a job, until it is lost: a node that was asleep for longer than the lease holds wakes up without it.
#[derive(Clone, Debug)]
pub struct Lease {
    job: &'static str,
    holder: String,
    /// Grows each time the lease is taken: the number of a late holder is not the row's any more.
    fencing: i64,
}

impl Lease {
    /// Takes the lease if it is free; `None` if it is not.
    pub(super) async fn take(state: &AppState, job: &'static str, turn: Turn) -> Result<Option<Self>, DbErr> {
        let now = state.db.now().await?;
        let holder = state.node.to_string();
        // Most looks find it taken, and looking costs no write.
        let found = Entity::find_by_id(job).one(state.db.read()).await?;
        let free = found.is_none_or(|row| row.until <= now + SLACK || (turn == Turn::Now && row.holder == NOBODY));
        if !free {
            return Ok(None);
        }
        let taken = state.db.write(async move |txn| take(txn, job, &holder, turn, now).await).await?;
        Ok(taken.map(|fencing| Self { job, holder: state.node.to_string(), fencing }))
    }

    /// Whether this is still the holder; asked in the transaction of a step, it stays so until that ends.
    ///
    /// # Errors
    /// The database's.
    pub async fn is_held(&self, txn: &impl ConnectionTrait) -> Result<bool, DbErr> {
        // An update, because on PostgreSQL it makes the next taker wait for this transaction.
        let touched = self.row().col_expr(Column::Fencing, Expr::col(Column::Fencing)).exec(txn).await?;
        Ok(touched.rows_affected == 1)
    }

    /// Renews the lease for ever; answers only when it is lost.
    pub(super) async fn keep(&self, state: &AppState) -> JobError {
        loop {
            tokio::time::sleep(RENEW).await;
            match self.set_until(state, self.holder.clone(), HOLDS).await {
                Ok(true) => {}
                Ok(false) => return format!("the lease of {} was taken by another node", self.job).into(),
                Err(error) => return error.into(),
            }
        }
    }

    /// Lets everybody else have it, `next` from now.
    pub(super) async fn give_back(self, state: &AppState, next: Duration) -> Result<(), DbErr> {
        let next = TimeDelta::from_std(next).unwrap_or(TimeDelta::MAX);
        // A lost lease is somebody else's already: nothing to give back.
        self.set_until(state, NOBODY.to_owned(), next).await.map(drop)
    }

    async fn set_until(&self, state: &AppState, holder: String, from_now: TimeDelta) -> Result<bool, DbErr> {
        let now = state.db.now().await?;
        let until = now.checked_add_signed(from_now).unwrap_or(now);
        let lease = self.clone();
        state
            .db
            .write(async move |txn| {
                let row = ActiveModel { holder: Set(holder.clone()), until: Set(until), ..Default::default() };
                let done = lease.row().set(row).exec(txn).await?;
                Ok::<_, DbErr>(done.rows_affected == 1)
            })
            .await
    }

    /// The row, as long as it is this lease's.
    fn row(&self) -> sea_orm::UpdateMany<Entity> {
        Entity::update_many()
            .filter(Column::Job.eq(self.job))
            .filter(Column::Holder.eq(self.holder.as_str()))
            .filter(Column::Fencing.eq(self.fencing))
    }
}

/// The fencing number, if the row was free or not there yet.
async fn take(
    txn: &Txn,
    job: &'static str,
    holder: &str,
    turn: Turn,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<Option<i64>, DbErr> {
    let due = Column::Until.lte(now + SLACK);
    let free = if turn == Turn::Now { due.or(Column::Holder.eq(NOBODY)) } else { due };
    let changed = Entity::update_many()
        .col_expr(Column::Holder, Expr::value(holder))
        .col_expr(Column::Until, Expr::value(now + HOLDS))
        .col_expr(Column::Fencing, Expr::col(Column::Fencing).add(1))
        .filter(Column::Job.eq(job))
        .filter(free)
        .exec_with_returning(txn)
        .await?;
    if let Some(row) = changed.into_iter().next() {
        return Ok(Some(row.fencing));
    }
    let first = ActiveModel {
        job: Set(job.to_owned()),
        holder: Set(holder.to_owned()),
        until: Set(now + HOLDS),
        fencing: Set(1),
    };
    let inserted = Entity::insert(first)
        .on_conflict(OnConflict::column(Column::Job).do_nothing().to_owned())
        .exec_without_returning(txn)
        .await?;
    Ok((inserted == 1).then_some(1))
}
