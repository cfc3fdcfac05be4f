//! Who read or changed what. Rows are only ever added, in the transaction of what they tell about.
//!
//! Details are codes, ids and numbers: never a name, a phone or a text that somebody wrote about a person, except the
//! reason that staff give for opening somebody's data.

use std::fmt::Display;

use actix_web::http::StatusCode;
use chrono::{DateTime, Utc};
use entity::audit::{self, AuditOutcome};
use entity::id::{AuditId, MemberId, StaffId};
use sea_orm::{ActiveValue::Set, ConnectionTrait, DbErr, EntityTrait};
use serde_json::Value;
use uuid::Uuid;

use crate::db::{Db, Txn};
use crate::http::Problem;

/// Who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    Member(MemberId),
    Staff(StaffId),
    /// A job or a command of the operator.
    System,
    /// Nobody signed in, such as at a refused sign-in.
    Anonymous,
}

impl Actor {
    /// `member`, `staff`, `system` or `anonymous`.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Member(_) => "member",
            Self::Staff(_) => "staff",
            Self::System => "system",
            Self::Anonymous => "anonymous",
        }
    }

    pub const fn id(self) -> Option<Uuid> {
        match self {
            Self::Member(id) => Some(id.0),
            Self::Staff(id) => Some(id.0),
            Self::System | Self::Anonymous => None,
        }
    }
}

/// One line of the trail.
///
/// ```ignore
/// let event = AuditEvent::new(actor, "wish.review", "wish", now).of(wish.id).in_region(&wish.region_code);
/// audit::record(txn, event.with(json!({"decision": "publish"}))).await?;
/// ```
#[derive(Clone, Debug)]
pub struct AuditEvent {
    pub at: DateTime<Utc>,
    pub actor: Actor,
    /// `room.verb`, such as `wish.review`.
    pub action: &'static str,
    pub object_kind: &'static str,
    pub object_id: Option<String>,
    pub region: Option<String>,
    pub outcome: AuditOutcome,
    pub detail: Option<Value>,
}

impl AuditEvent {
    /// Something that was done, to no particular object yet.
    pub const fn new(actor: Actor, action: &'static str, object_kind: &'static str, at: DateTime<Utc>) -> Self {
        Self {
            at,
            actor,
            action,
            object_kind,
            object_id: None,
            region: None,
            outcome: AuditOutcome::Done,
            detail: None,
        }
    }

    /// The object it was done to.
    #[must_use]
    pub fn of(mut self, id: impl Display) -> Self {
        self.object_id = Some(id.to_string());
        self
    }

    #[must_use]
    pub fn in_region(mut self, code: &str) -> Self {
        self.region = Some(code.to_owned());
        self
    }

    #[must_use]
    pub fn with(mut self, detail: Value) -> Self {
        self.detail = Some(detail);
        self
    }

    /// It was tried and refused.
    #[must_use]
    pub const fn denied(mut self) -> Self {
        self.outcome = AuditOutcome::Denied;
        self
    }
}

/// Adds a line, in the transaction given.
///
/// # Errors
/// The database's.
pub async fn record(db: &impl ConnectionTrait, event: AuditEvent) -> Result<(), DbErr> {
    let row = audit::ActiveModel {
        id: Set(AuditId::new()),
        at: Set(event.at),
        actor_kind: Set(event.actor.kind().to_owned()),
        actor_id: Set(event.actor.id()),
        action: Set(event.action.to_owned()),
        object_kind: Set(event.object_kind.to_owned()),
        object_id: Set(event.object_id),
        region_code: Set(event.region),
        outcome: Set(event.outcome),
        detail: Set(event.detail),
    };
    audit::Entity::insert(row).exec_without_returning(db).await.map(drop)
}

/// Leaves a trace where staff tried to act on something that exists, but not for them. The answer stays the same 404 as for
/// an id that nobody has.
///
/// # Errors
/// `outcome`'s own; the database's.
pub async fn note_elsewhere<T>(
    db: &Db,
    outcome: Result<T, Problem>,
    event: AuditEvent,
    exists: impl AsyncFnOnce() -> Result<bool, DbErr>,
) -> Result<T, Problem> {
    let is_missing = outcome.as_ref().is_err_and(|problem| problem.status() == StatusCode::NOT_FOUND);
    if is_missing && exists().await? {
        let event = event.denied();
        db.write(async move |txn: &Txn| record(txn, event.clone()).await).await?;
    }
    outcome
}
