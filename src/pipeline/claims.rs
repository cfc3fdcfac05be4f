//! The commands on claims, with what follows from them. Each is one transaction, told to both sides.

use chrono::{DateTime, Utc};
use entity::id::{ClaimId, MemberId, ServiceRecordId, StaffId, TaskId};
use entity::{claim, staff, task};
use sea_orm::{ConnectionTrait, EntityTrait as _};
use serde_json::json;

use super::follow::task_moved;
use crate::audit::{self, Actor, AuditEvent};
use crate::calendar::Calendar;
use crate::crypto::Keys;
use crate::identity::{Clerk, Manager, Volunteer};
use crate::notify::{self, Message};
use crate::task::attendance::{self, Proof};
use crate::task::claim::{self as claims, NewOffers};
use crate::task::error::TaskError;
use crate::task::service::{self as tasks, Moved};
use crate::task::{notice, offering};
use crate::taxonomy;
use crate::wish::error::WishError;

/// A volunteer claims a task.
///
/// # Errors
/// As [`claims::claim`]; [`TaskError::NotQualified`]; and what the task's source says.
pub async fn claim(
    db: &impl ConnectionTrait,
    calendar: Calendar,
    volunteer: &Volunteer,
    task: TaskId,
    new: ClaimId,
    now: DateTime<Utc>,
) -> Result<claim::Model, WishError> {
    let moved = claims::claim(db, volunteer, task, new, now).await?;
    qualified(db, calendar, &moved).await?;
    answered(db, &moved.task, &moved.claim, now).await?;
    tell(db, moved, notice::accepted, now).await
}

/// A manager offers a task.
///
/// # Errors
/// As [`claims::offer`]; [`TaskError::Invalid`] on `member_ids[n]` for who lacks what the task demands.
pub async fn offer(
    db: &impl ConnectionTrait,
    calendar: Calendar,
    manager: &Manager,
    task: TaskId,
    offers: &NewOffers,
    now: DateTime<Utc>,
) -> Result<Vec<claim::Model>, WishError> {
    let (task, made) = claims::offer(db, manager, task, offers, now).await?;
    let (demand, day) = (taxonomy::demand_of(db, task.id).await?, taxonomy::last_day(calendar, task.window_until));
    for (index, (member, _)) in offers.members.iter().enumerate().filter(|_| !demand.is_none()) {
        if !demand.lacking(&taxonomy::standing_of(db, *member, day).await?, day).is_none() {
            let detail = "缺少该任务要求的资质、培训、保险或年龄，请先登记资质，或换人";
            return Err(TaskError::Invalid(format!("member_ids[{index}]"), detail).into());
        }
    }
    let told = made.iter().map(|claim| (claim.member_id, notice::offered(&task, claim)));
    notify::tell_all(db, told, now).await?;
    Ok(made)
}

/// A volunteer accepts an offer.
///
/// # Errors
/// As [`claims::accept`]; [`TaskError::NotQualified`].
pub async fn accept(
    db: &impl ConnectionTrait,
    calendar: Calendar,
    volunteer: &Volunteer,
    id: ClaimId,
    now: DateTime<Utc>,
) -> Result<claim::Model, WishError> {
    let moved = claims::accept(db, volunteer, id, now).await?;
    qualified(db, calendar, &moved).await?;
    answered(db, &moved.task, &moved.claim, now).await?;
    tell(db, moved, notice::accepted, now).await
}

/// A volunteer declines an offer: the next one may be asked.
///
/// # Errors
/// As [`claims::decline`].
pub async fn decline(
    db: &impl ConnectionTrait,
    member: MemberId,
    id: ClaimId,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<claim::Model, WishError> {
    let claim = claims::decline(db, member, id, reason, now).await?;
    offering::look_again(db, claim.task_id, now).await?;
    if claim.offered_by.is_some()
        && let Some(task) = tasks::find(db, claim.task_id).await?
    {
        answered(db, &task, &claim, now).await?;
    }
    Ok(claim)
}

/// Tells the staff who offered, where they are a member, and lets the matcher's other offers go where the task is full.
async fn answered(
    db: &impl ConnectionTrait,
    task: &task::Model,
    claim: &claim::Model,
    now: DateTime<Utc>,
) -> Result<(), WishError> {
    if let Some(staff) = claim.offered_by
        && let Some(person) = staff_member(db, staff).await?
    {
        notify::tell(db, person, notice::answered(task, claim), now).await?;
    }
    if task.taken >= task.slots {
        let rest = offering::lapse_rest(db, task.id, now).await?;
        let told: Vec<_> = rest.iter().map(|claim| (claim.member_id, notice::filled(task, claim))).collect();
        notify::tell_all(db, told, now).await?;
    }
    Ok(())
}

/// The person that a console account is.
async fn staff_member(db: &impl ConnectionTrait, id: StaffId) -> Result<Option<MemberId>, WishError> {
    Ok(staff::Entity::find_by_id(id).one(db).await?.and_then(|row| row.member_id))
}

/// Nobody does what they are not qualified for, on the day on which it ends (志愿服务条例 art. 17).
async fn qualified(db: &impl ConnectionTrait, calendar: Calendar, moved: &Moved) -> Result<(), WishError> {
    let day = taxonomy::last_day(calendar, moved.task.window_until);
    match taxonomy::shortfall(db, moved.task.id, moved.claim.member_id, day).await? {
        Some(lacking) => Err(TaskError::NotQualified(lacking).into()),
        None => Ok(()),
    }
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
    offering::look_again(db, moved.task.id, now).await?;
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
    offering::look_again(db, moved.task.id, now).await?;
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
