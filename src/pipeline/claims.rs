//! The commands on claims, with what follows from them. Each is one transaction, told to both sides.

use chrono::{DateTime, Utc};
use entity::claim;
use entity::id::{ClaimId, MemberId, ServiceRecordId, TaskId};
use sea_orm::ConnectionTrait;
use serde_json::json;

use super::follow::task_moved;
use crate::audit::{self, Actor, AuditEvent};
use crate::crypto::Keys;
use crate::identity::{Clerk, Manager, Volunteer};
use crate::notify::{self, Message};
use crate::task::attendance::{self, Proof};
use crate::task::claim::{self as claims, NewOffers};
use crate::task::notice;
use crate::task::service::Moved;
use crate::wish::error::WishError;

/// A volunteer claims a task.
///
/// # Errors
/// As [`claims::claim`], and what the task's source says.
pub async fn claim(
    db: &impl ConnectionTrait,
    volunteer: &Volunteer,
    task: TaskId,
    new: ClaimId,
    now: DateTime<Utc>,
) -> Result<claim::Model, WishError> {
    let moved = claims::claim(db, volunteer, task, new, now).await?;
    tell(db, moved, notice::accepted, now).await
}

/// A manager offers a task.
///
/// # Errors
/// As [`claims::offer`].
pub async fn offer(
    db: &impl ConnectionTrait,
    manager: &Manager,
    task: TaskId,
    offers: &NewOffers,
    now: DateTime<Utc>,
) -> Result<Vec<claim::Model>, WishError> {
    let (task, made) = claims::offer(db, manager, task, offers, now).await?;
    let told = made.iter().map(|claim| (claim.member_id, notice::offered(&task, claim)));
    notify::tell_all(db, told, now).await?;
    Ok(made)
}

/// A volunteer accepts an offer.
///
/// # Errors
/// As [`claims::accept`].
pub async fn accept(
    db: &impl ConnectionTrait,
    volunteer: &Volunteer,
    id: ClaimId,
    now: DateTime<Utc>,
) -> Result<claim::Model, WishError> {
    let moved = claims::accept(db, volunteer, id, now).await?;
    tell(db, moved, notice::accepted, now).await
}

/// A volunteer withdraws.
///
/// # Errors
/// As [`claims::withdraw`].
pub async fn withdraw(
    db: &impl ConnectionTrait,
    member: MemberId,
    id: ClaimId,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<claim::Model, WishError> {
    let moved = claims::withdraw(db, member, id, reason, now).await?;
    tell(db, moved, notice::withdrawn, now).await
}

/// A clerk notes that nobody came.
///
/// # Errors
/// As [`claims::miss`].
pub async fn miss(
    db: &impl ConnectionTrait,
    clerk: &Clerk,
    id: ClaimId,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<claim::Model, WishError> {
    let moved = claims::miss(db, clerk, id, reason, now).await?;
    audit::record(db, by_staff(clerk, "claim.no_show", &moved.claim, now)).await?;
    tell(db, moved, notice::missed, now).await
}

/// Somebody comes.
///
/// # Errors
/// As [`attendance::check_in`].
pub async fn check_in(
    db: &impl ConnectionTrait,
    keys: &Keys,
    id: ClaimId,
    proof: &Proof,
    now: DateTime<Utc>,
) -> Result<claim::Model, WishError> {
    let moved = attendance::check_in(db, keys, id, proof, now).await?;
    if let Proof::Staff { clerk, at } = proof {
        let event = by_staff(clerk, "claim.check_in", &moved.claim, now);
        audit::record(db, event.with(json!({"at": at}))).await?;
    }
    let told = task_moved(db, &moved, now).await?;
    notify::tell_all(db, told, now).await?;
    Ok(moved.claim)
}

/// Somebody goes, and the service record is opened.
///
/// # Errors
/// As [`attendance::check_out`].
pub async fn check_out(
    db: &impl ConnectionTrait,
    keys: &Keys,
    id: ClaimId,
    proof: &Proof,
    record: ServiceRecordId,
    now: DateTime<Utc>,
) -> Result<claim::Model, WishError> {
    let moved = attendance::check_out(db, keys, id, proof, record, now).await?;
    if let Proof::Staff { clerk, at } = proof {
        let event = by_staff(clerk, "claim.check_out", &moved.claim, now);
        audit::record(db, event.with(json!({"at": at}))).await?;
    }
    tell(db, moved, notice::checked_out, now).await
}

fn by_staff(clerk: &Clerk, action: &'static str, claim: &claim::Model, now: DateTime<Utc>) -> AuditEvent {
    AuditEvent::new(Actor::Staff(clerk.id), action, "claim", now).of(claim.id).in_region(&claim.region_code)
}

/// Lets the source follow, and tells both sides.
pub(super) async fn tell(
    db: &impl ConnectionTrait,
    moved: Moved,
    notice: fn(&entity::task::Model, &claim::Model) -> Message,
    now: DateTime<Utc>,
) -> Result<claim::Model, WishError> {
    let volunteer = (moved.claim.member_id, notice(&moved.task, &moved.claim));
    let told = task_moved(db, &moved, now).await?.into_iter().chain([volunteer]);
    notify::tell_all(db, told, now).await?;
    Ok(moved.claim)
}
