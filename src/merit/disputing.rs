//! Objections: the member says why, once; a manager answers or reverses.

use chrono::{DateTime, Utc};
use entity::id::{MemberId, MeritId};
use entity::merit::{ActiveModel, DisputeOutcome, Model};
use sea_orm::ActiveValue::Set;
use sea_orm::ConnectionTrait;
use serde_json::json;

use super::approving::{Moment, change_to, open, other, record};
use super::domain::Step;
use super::error::MeritError;
use super::query::take;
use super::{notice, reversing};
use crate::identity::{Manager, Scope};

/// Objects to an approved merit of one's own.
///
/// # Errors
/// [`MeritError::NotFound`] where it is not the member's; [`MeritError::InvalidTransition`].
pub async fn dispute(
    db: &impl ConnectionTrait,
    member: MemberId,
    id: MeritId,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<Model, MeritError> {
    let merit = take(db, &Scope::Member(member), id).await?;
    open(&merit, Step::Dispute)?;
    let change = ActiveModel {
        disputed_at: Set(Some(now)),
        dispute_reason: Set(Some(reason.to_owned())),
        updated_at: Set(now),
        ..Default::default()
    };
    change_to(db, &merit, change).await
}

/// Leaves an approved merit as it is, and says why.
///
/// # Errors
/// [`MeritError::NotFound`] where `manager` may not see it; [`MeritError::SecondPerson`] for oneself;
/// [`MeritError::InvalidTransition`] without an objection that waits.
pub async fn dismiss(
    db: &impl ConnectionTrait,
    manager: &Manager,
    id: MeritId,
    answer: &str,
    now: DateTime<Utc>,
) -> Result<Model, MeritError> {
    let merit = take(db, &Scope::Staff(manager.subtree()), id).await?;
    other(manager, &merit)?;
    open(&merit, Step::Dismiss)?;
    let change = ActiveModel {
        dispute_outcome: Set(Some(DisputeOutcome::Dismissed)),
        dispute_answer: Set(Some(answer.to_owned())),
        dispute_decided_by: Set(Some(manager.id)),
        dispute_decided_at: Set(Some(now)),
        updated_at: Set(now),
        ..Default::default()
    };
    let dismissed = change_to(db, &merit, change).await?;
    notice::dismissed(db, &dismissed, now).await?;
    record(db, manager, "merit.dismiss", &dismissed, json!({}), now).await?;
    Ok(dismissed)
}

/// Takes back what the member objects to.
///
/// # Errors
/// As [`dismiss`]; [`MeritError::Points`] where what it gave is spent by now.
pub async fn uphold(
    db: &impl ConnectionTrait,
    manager: &Manager,
    id: MeritId,
    reason: &str,
    moment: Moment,
) -> Result<Model, MeritError> {
    let merit = take(db, &Scope::Staff(manager.subtree()), id).await?;
    open(&merit, Step::Dismiss)?;
    reversing::reverse(db, manager, id, reason, moment).await
}
