//! Telling people: the inbox inside the service, and the outbox for what leaves it.
//!
//! Both are rows written in the transaction of their cause, so nothing is told that did not happen and nothing that happened
//! goes untold. The outbox is delivered by `jobs`, at least once, each row by one node at a time.

pub mod inbox;
mod route;
pub mod sms;
pub mod wechat;

use chrono::{DateTime, Utc};
use entity::id::{InboxMessageId, MemberId, OutboxId};
use entity::inbox_message;
use entity::outbox::{self, OutboxStatus};
use sea_orm::{ActiveValue::Set, ConnectionTrait, DbErr, EntityTrait};
use serde::Serialize;
use uuid::Uuid;

pub use route::routes;

use crate::crypto::Keys;

/// A message for a member's inbox. Title and body are Chinese and say what to do next.
#[derive(Clone, Debug)]
pub struct Message {
    /// For programs: `claim.accepted`, `wish.expired` …
    pub kind: &'static str,
    pub title: String,
    pub body: String,
    /// What it is about: kind and id of the object.
    pub source: Option<(&'static str, Uuid)>,
}

impl Message {
    pub fn new(kind: &'static str, title: impl Into<String>, body: impl Into<String>) -> Self {
        Self { kind, title: title.into(), body: body.into(), source: None }
    }

    #[must_use]
    pub fn about(mut self, kind: &'static str, id: impl Into<Uuid>) -> Self {
        self.source = Some((kind, id.into()));
        self
    }
}

/// Puts a message into the inbox of `member`.
///
/// # Errors
/// The database's.
pub async fn tell(
    db: &impl ConnectionTrait,
    member: MemberId,
    message: Message,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    inbox_message::Entity::insert(row(member, message, now)).exec_without_returning(db).await.map(drop)
}

/// Puts messages into inboxes, by one statement; none are none.
///
/// # Errors
/// The database's.
pub async fn tell_all(
    db: &impl ConnectionTrait,
    messages: impl IntoIterator<Item = (MemberId, Message)>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let rows: Vec<_> = messages.into_iter().map(|(member, message)| row(member, message, now)).collect();
    if rows.is_empty() {
        return Ok(());
    }
    inbox_message::Entity::insert_many(rows).exec_without_returning(db).await.map(drop)
}

fn row(member: MemberId, message: Message, now: DateTime<Utc>) -> inbox_message::ActiveModel {
    inbox_message::ActiveModel {
        id: Set(InboxMessageId::new()),
        member_id: Set(member),
        kind: Set(message.kind.to_owned()),
        title: Set(message.title),
        body: Set(message.body),
        source_kind: Set(message.source.map(|(kind, _)| kind.to_owned())),
        source_id: Set(message.source.map(|(_, id)| id)),
        created_at: Set(now),
        read_at: Set(None),
    }
}

/// Something to be sent to another system, sealed: the outbox never holds a phone or a code in clear.
#[derive(Clone, Debug)]
pub struct Letter {
    id: OutboxId,
    kind: &'static str,
    payload: Vec<u8>,
}

impl Letter {
    /// Writes and seals a letter of `kind` (one of `jobs::outbox`'s). Belongs before the command that posts it.
    ///
    /// # Errors
    /// `payload` cannot be written as JSON: a mistake of ours.
    pub fn seal(keys: &Keys, kind: &'static str, payload: &impl Serialize) -> Result<Self, serde_json::Error> {
        let payload = keys.seal(&purpose(kind), &serde_json::to_vec(payload)?);
        Ok(Self { id: OutboxId::new(), kind, payload })
    }

    /// Of its row, once posted.
    pub const fn id(&self) -> OutboxId {
        self.id
    }
}

/// What a letter of `kind` is sealed for.
pub(crate) fn purpose(kind: &str) -> String {
    format!("outbox.{kind}")
}

/// Posts a letter: it leaves after the commit, at least once.
///
/// # Errors
/// The database's.
pub async fn outbox(db: &impl ConnectionTrait, letter: &Letter, now: DateTime<Utc>) -> Result<(), DbErr> {
    let row = outbox::ActiveModel {
        id: Set(letter.id),
        kind: Set(letter.kind.to_owned()),
        payload: Set(letter.payload.clone()),
        status: Set(OutboxStatus::Waiting),
        attempts: Set(0),
        due_at: Set(now),
        taken_by: Set(None),
        taken_until: Set(None),
        created_at: Set(now),
        sent_at: Set(None),
        last_error: Set(None),
    };
    outbox::Entity::insert(row).exec_without_returning(db).await.map(drop)
}
