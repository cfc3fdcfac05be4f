//! One effect and one answer per `Idempotency-Key`. Why it is done this way: `docs/adr/0002-idempotency.md`.
//!
//! The key is not looked up first: the command runs, and its answer is kept under the key in the same transaction. Where
//! the key is taken by then, the effect is undone and the first answer is given again. A command that is refused may be the
//! repetition of one that succeeded, so a refusal looks for the key before it is told.

use std::fmt;
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use chrono::{DateTime, Utc};
use entity::idempotency;
use sea_orm::{ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, Statement};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::body::canonical;
use super::problem::{PROBLEM_JSON, Problem};
use crate::app::AppState;
use crate::crypto::Keys;
use crate::db::{CommandError, Fault, Txn, fault};

/// The request header that carries the key.
pub const KEY_HEADER: &str = "Idempotency-Key";
/// Set to `true` on an answer that was given before.
pub const REPLAYED_HEADER: &str = "Idempotency-Replayed";

const PURPOSE: &str = "idempotency";

/// The hottest insert of the service, so its text is fixed. An occupied key is no error: it changes no row.
const KEEP: &str = "INSERT INTO idempotency (actor, key, fingerprint, status, body, created_at) \
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (actor, key) DO NOTHING";

/// A key, whose it is, and what was asked under it.
#[derive(Debug)]
pub(super) struct Ticket {
    actor: String,
    key: String,
    fingerprint: [u8; 32],
}

impl Ticket {
    pub(super) fn new(actor: String, key: String, method: &str, path: &str, body: &Value) -> Self {
        let mut hash = Sha256::new();
        for part in [method, path, &actor] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        canonical(body, &mut |part| hash.update(part));
        Self { actor, key, fingerprint: hash.finalize().into() }
    }
}

/// What a command that commits has to say.
#[derive(Debug)]
pub enum Told<T> {
    /// What was asked for was done: the status of success, and this.
    Done(T),
    /// Something was done, and it is not all that was asked for: a problem says what. It is kept under the key like a success,
    /// in the same transaction, so that nothing is done twice.
    But(Problem),
}

/// The right to run one command and to answer the call with its outcome.
#[derive(Debug)]
#[must_use]
pub struct Once {
    ticket: Option<Arc<Ticket>>,
}

impl Once {
    pub(super) fn new(ticket: Option<Ticket>) -> Self {
        Self { ticket: ticket.map(Arc::new) }
    }

    /// Runs `command` in one transaction, with its answer kept under the key in the same one (if a key was given), and
    /// answers with what it returned: `status`, JSON; no body for 204.
    ///
    /// # Errors
    /// The command's refusal; a 409 is kept under the key and given again, every other one is not kept. 422
    /// `idempotency_key_reused` for another request's key; 409 `idempotency_in_progress` while the first one still runs; 503
    /// where the database is away: the outcome is then unknown, and the same key finds out.
    pub async fn run<F, T, E>(self, state: &AppState, status: StatusCode, command: F) -> Result<HttpResponse, Problem>
    where
        F: AsyncFn(&Txn) -> Result<T, E> + Send + 'static,
        T: Serialize + Send + 'static,
        E: CommandError + Into<Problem> + Send + 'static,
    {
        self.run_told(state, status, async move |txn: &Txn| command(txn).await.map(Told::Done)).await
    }

    /// As [`Once::run`], for a command that may do its work and still have to answer with a problem. Its `Ok` commits, whatever
    /// it tells. Why: `docs/adr/0007-budgets.md`.
    ///
    /// # Errors
    /// As [`Once::run`]. What is told with [`Told::But`] is an answer, not an error.
    pub async fn run_told<F, T, E>(
        self,
        state: &AppState,
        status: StatusCode,
        command: F,
    ) -> Result<HttpResponse, Problem>
    where
        F: AsyncFn(&Txn) -> Result<Told<T>, E> + Send + 'static,
        T: Serialize + Send + 'static,
        E: CommandError + Into<Problem> + Send + 'static,
    {
        let (ticket, keys, now) = (self.ticket.clone(), state.keys.clone(), state.clock.now());
        let outcome = state
            .db
            .write(async move |txn: &Txn| {
                let answer = match command(txn).await.map_err(Halt::Refused)? {
                    Told::Done(value) => Answer::new(status, &value).map_err(Halt::Unshown)?,
                    Told::But(problem) => Answer { status: problem.status(), body: problem.to_bytes() },
                };
                match &ticket {
                    None => Ok(answer),
                    Some(ticket) => match keep(txn, ticket, &answer, &keys, now).await {
                        Ok(true) => Ok(answer),
                        Ok(false) => Err(Halt::KeyTaken),
                        Err(error) if fault(&error) == Fault::LockTimeout => Err(Halt::InProgress),
                        Err(error) => Err(Halt::Refused(E::from(error))),
                    },
                }
            })
            .await;
        match (outcome, self.ticket) {
            (Ok(answer), _) => Ok(answer.respond(false)),
            (Err(Halt::InProgress), _) => Err(in_progress()),
            (Err(Halt::Unshown(error)), _) => Err(Problem::internal(&error)),
            (Err(Halt::Refused(error)), None) => Err(error.into()),
            (Err(Halt::Refused(error)), Some(ticket)) => refuse(state, &ticket, error.into(), now).await,
            (Err(Halt::KeyTaken), ticket) => match ticket {
                Some(ticket) => replay(state, &ticket).await?.ok_or_else(in_progress),
                None => Err(Problem::internal_unlogged()),
            },
        }
    }
}

fn in_progress() -> Problem {
    Problem::conflict("idempotency_in_progress", "同一请求正在处理，请稍候再用同一个 Idempotency-Key 重试")
        .retry_after(1)
}

/// Why the transaction was given up.
enum Halt<E> {
    Refused(E),
    KeyTaken,
    InProgress,
    Unshown(serde_json::Error),
}

impl<E: CommandError> From<DbErr> for Halt<E> {
    fn from(error: DbErr) -> Self {
        Self::Refused(E::from(error))
    }
}

impl<E: CommandError> CommandError for Halt<E> {
    fn db_err(&self) -> Option<&DbErr> {
        match self {
            Self::Refused(error) => error.db_err(),
            Self::KeyTaken | Self::InProgress | Self::Unshown(_) => None,
        }
    }
}

/// An answer as it goes out and as it is kept.
struct Answer {
    status: StatusCode,
    body: Vec<u8>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Answer({})", self.status)
    }
}

impl Answer {
    fn new<T: Serialize>(status: StatusCode, value: &T) -> Result<Self, serde_json::Error> {
        let body = if status == StatusCode::NO_CONTENT { Vec::new() } else { serde_json::to_vec(value)? };
        Ok(Self { status, body })
    }

    fn respond(self, replayed: bool) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if replayed {
            response.insert_header((REPLAYED_HEADER, "true"));
        }
        if self.body.is_empty() {
            return response.finish();
        }
        let kind = if self.status.is_success() { "application/json" } else { PROBLEM_JSON };
        response.insert_header((header::CONTENT_TYPE, kind)).body(self.body)
    }
}

/// Keeps `answer` under the key; false where the key is taken.
async fn keep(txn: &Txn, ticket: &Ticket, answer: &Answer, keys: &Keys, now: DateTime<Utc>) -> Result<bool, DbErr> {
    let values = [
        ticket.actor.as_str().into(),
        ticket.key.as_str().into(),
        ticket.fingerprint.to_vec().into(),
        i32::from(answer.status.as_u16()).into(),
        keys.seal(PURPOSE, &answer.body).into(),
        now.into(),
    ];
    let statement = Statement::from_sql_and_values(txn.get_database_backend(), KEEP, values);
    Ok(txn.execute_raw(statement).await?.rows_affected() == 1)
}

/// A refusal under a key: the first answer if there is one; else the refusal itself, kept if it is a business rule's.
async fn refuse(
    state: &AppState,
    ticket: &Arc<Ticket>,
    problem: Problem,
    now: DateTime<Utc>,
) -> Result<HttpResponse, Problem> {
    if problem.status().is_server_error() {
        return Err(problem);
    }
    if problem.status() == StatusCode::CONFLICT {
        let answer = Answer { status: problem.status(), body: problem.to_bytes() };
        let (ticket, keys) = (Arc::clone(ticket), state.keys.clone());
        if state.db.write(async move |txn: &Txn| keep(txn, &ticket, &answer, &keys, now).await).await? {
            return Err(problem);
        }
    }
    match replay(state, ticket).await? {
        Some(first) => Ok(first),
        None => Err(problem),
    }
}

/// The first answer again; `None` where none is kept.
///
/// Plain reading is enough: an outcome is told only after the commit of the transaction that it saw.
async fn replay(state: &AppState, ticket: &Ticket) -> Result<Option<HttpResponse>, Problem> {
    let kept = idempotency::Entity::find()
        .filter(idempotency::Column::Actor.eq(ticket.actor.as_str()))
        .filter(idempotency::Column::Key.eq(ticket.key.as_str()))
        .one(state.db.lookup())
        .await?;
    let Some(kept) = kept else { return Ok(None) };
    if kept.fingerprint != ticket.fingerprint {
        let detail = "这个 Idempotency-Key 已用于另一请求，请换一个新的";
        return Err(Problem::unprocessable("idempotency_key_reused", detail));
    }
    let body = state.keys.open(PURPOSE, &kept.body).map_err(|error| Problem::internal(&error))?;
    let status = u16::try_from(kept.status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Ok(Some(Answer { status, body }.respond(true)))
}

/// Forgets the keys used before `before`, which is at least 24 h ago. For the job that sweeps.
///
/// # Errors
/// The database's.
pub async fn forget_keys(db: &impl ConnectionTrait, before: DateTime<Utc>) -> Result<u64, DbErr> {
    let old = idempotency::Entity::delete_many().filter(idempotency::Column::CreatedAt.lt(before));
    Ok(old.exec(db).await?.rows_affected)
}
