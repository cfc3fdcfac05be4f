//! Delivers the outbox: each row by one node at a time, at least once, with back-off, until it is dead.
//!
//! A node that dies in the middle leaves its row to be taken again when its time is up; the receiver knows the row's id and
//! may drop the double.

use ::entity::id::OutboxId;
use ::entity::outbox::{ActiveModel, Column, Entity, Model, OutboxStatus};
use ::entity::setting;
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, Condition, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};

use super::{JobError, Lease};
use crate::app::AppState;
use crate::notify;
use crate::notify::sms::{SendError, Sms};

/// Kind of a text message: a sealed [`Sms`].
pub const SMS: &str = "sms";
/// The setting (`true`) that stops all delivery: a restored backup must not send old things again.
pub const PAUSED: &str = "outbox.paused";

/// How long a row is one node's; longer than any gateway may take to answer.
const HOLDS: TimeDelta = TimeDelta::seconds(60);
/// With the back-off below: some nine hours.
const MOST_ATTEMPTS: i32 = 12;
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(10);
const LONGEST_PAUSE: TimeDelta = TimeDelta::hours(1);
/// Rows of one run; the next run comes soon.
const AT_ONCE: u64 = 100;
/// Delivered rows are kept for questions, without what was in them.
const KEPT: TimeDelta = TimeDelta::days(30);

/// The job: delivers what is due.
///
/// # Errors
/// The database's; a gateway's failure is the row's own.
pub(super) async fn run(state: &AppState, _: &Lease) -> Result<u64, JobError> {
    let now = state.clock.now();
    let due: Vec<OutboxId> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(free(now))
        .order_by_asc(Column::DueAt)
        .limit(AT_ONCE)
        .into_tuple()
        .all(state.db.read())
        .await?;
    let mut delivered = 0;
    for id in due {
        delivered += u64::from(deliver(state, id).await?);
    }
    Ok(delivered)
}

/// Delivers a row just posted, without waiting for the job and without keeping the caller waiting. What fails here is the
/// job's to repeat.
pub fn deliver_soon(state: &AppState, id: OutboxId) {
    let state = state.clone();
    actix_web::rt::spawn(async move {
        if deliver(&state, id).await.is_err() {
            tracing::warn!(outbox.id = %id, "not delivered yet: the database does not answer");
        }
    });
}

/// Takes the row, sends it, writes down what came of it. Whether it was sent.
async fn deliver(state: &AppState, id: OutboxId) -> Result<bool, DbErr> {
    if is_paused(state).await? {
        return Ok(false);
    }
    let Some(row) = take(state, id).await? else { return Ok(false) };
    let outcome = send(state, &row).await;
    if let Err(error) = &outcome {
        tracing::warn!(outbox.id = %id, kind = row.kind, attempts = row.attempts, %error, "not delivered");
    }
    let sent = outcome.is_ok();
    let changes = settled(&row, outcome, state.clock.now());
    let node = state.node.to_string();
    state
        .db
        .write(async move |txn| {
            let mine = Entity::update_many().filter(Column::Id.eq(id)).filter(Column::TakenBy.eq(node.as_str()));
            mine.set(changes.clone()).exec(txn).await.map(drop)
        })
        .await
        .map(|()| sent)
}

async fn is_paused(state: &AppState) -> Result<bool, DbErr> {
    let row = setting::Entity::find_by_id(PAUSED).one(state.db.read()).await?;
    Ok(row.is_some_and(|row| row.value == serde_json::Value::Bool(true)))
}

/// Waiting, due, and no other node's.
fn free(now: DateTime<Utc>) -> Condition {
    let untaken = Condition::any().add(Column::TakenUntil.is_null()).add(Column::TakenUntil.lte(now));
    Condition::all().add(Column::Status.eq(OutboxStatus::Waiting)).add(Column::DueAt.lte(now)).add(untaken)
}

/// One conditional statement: of two nodes one gets the row.
async fn take(state: &AppState, id: OutboxId) -> Result<Option<Model>, DbErr> {
    let (now, node) = (state.clock.now(), state.node.to_string());
    state
        .db
        .write(async move |txn| {
            let taken = Entity::update_many()
                .col_expr(Column::TakenBy, Expr::value(node.as_str()))
                .col_expr(Column::TakenUntil, Expr::value(now + HOLDS))
                .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
                .filter(Column::Id.eq(id))
                .filter(free(now))
                .exec_with_returning(txn)
                .await?;
            Ok::<_, DbErr>(taken.into_iter().next())
        })
        .await
}

async fn send(state: &AppState, row: &Model) -> Result<(), SendError> {
    let damaged = || SendError::Later("the payload cannot be read".into());
    let payload = state.keys.open(&notify::purpose(&row.kind), &row.payload).map_err(|_| damaged())?;
    match row.kind.as_str() {
        SMS => {
            let sms: Sms = serde_json::from_slice(&payload).map_err(|_| damaged())?;
            if sms.until.is_some_and(|until| until <= state.clock.now()) {
                return Err(SendError::TooLate);
            }
            state.sms.send(&row.id.to_string(), &sms).await
        }
        _ => Err(SendError::Later("nobody delivers this kind".into())),
    }
}

/// The row after a try. Nothing of a sent or dead message is kept.
fn settled(row: &Model, outcome: Result<(), SendError>, now: DateTime<Utc>) -> ActiveModel {
    let done = |status| ActiveModel { status: Set(status), payload: Set(Vec::new()), ..Default::default() };
    let mut changes = match &outcome {
        Ok(()) => ActiveModel { sent_at: Set(Some(now)), ..done(OutboxStatus::Sent) },
        Err(SendError::Refused(_) | SendError::TooLate) => done(OutboxStatus::Dead),
        Err(_) if row.attempts >= MOST_ATTEMPTS => done(OutboxStatus::Dead),
        Err(_) => ActiveModel { due_at: Set(now + pause(row.attempts)), ..Default::default() },
    };
    changes.last_error = Set(outcome.err().map(|error| error.to_string()));
    changes.taken_by = Set(None);
    changes.taken_until = Set(None);
    changes
}

/// 10 s, 20 s, 40 s … an hour.
fn pause(attempts: i32) -> TimeDelta {
    let doublings = u32::try_from((attempts - 1).clamp(0, 16)).unwrap_or(0);
    FIRST_PAUSE.checked_mul(1 << doublings).map_or(LONGEST_PAUSE, |pause| pause.min(LONGEST_PAUSE))
}

/// Takes away rows that were settled long ago.
///
/// # Errors
/// The database's.
pub(super) async fn sweep(state: &AppState) -> Result<u64, DbErr> {
    let old = state.clock.now() - KEPT;
    state
        .db
        .write(async move |txn| {
            let settled = Column::Status.ne(OutboxStatus::Waiting).and(Column::CreatedAt.lt(old));
            Ok::<_, DbErr>(Entity::delete_many().filter(settled).exec(txn).await?.rows_affected)
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour() {
        let seconds: Vec<_> =
            [1, 2, 3, 9, 10, 12, 400].into_iter().map(|attempts| pause(attempts).num_seconds()).collect();
        assert_eq!(seconds, [10, 20, 40, 2560, 3600, 3600, 3600]);
    }
}
