//! Claiming, offers and their answers, withdrawal and no-shows. All of it to be run in a transaction.

use chrono::{DateTime, Utc};
use entity::claim::{self, ClaimStatus};
use entity::id::{ClaimId, MemberId, StaffId, TaskId};
use entity::member;
use entity::task;
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, SelectExt as _,
};

use super::domain::{ClaimStep, HOLDING, OPEN, takes_claims};
use super::error::TaskError;
use super::service::{Moved, lock, recount, step, take_slot};
use crate::identity::{Clerk, Manager, Scope, Volunteer};
use crate::region::{RegionCode, Subtree};

/// Claims a slot for `volunteer`, or takes up the open offer they have. A task of another district is not found.
///
/// # Errors
/// [`TaskError::NotFound`], then [`TaskError::TaskClosed`], [`TaskError::AlreadyClaimed`], [`TaskError::Overlapping`] and
/// [`TaskError::TaskFull`], in this order where more than one holds.
pub async fn claim(
    db: &impl ConnectionTrait,
    volunteer: &Volunteer,
    task: TaskId,
    new: ClaimId,
    now: DateTime<Utc>,
) -> Result<Moved, TaskError> {
    let district = Subtree::of(&volunteer.region.district());
    let Some(task) = take_slot(db, task, Some(&district), now).await? else {
        return Err(refusal(db, volunteer.id, task, Some(&district), now).await?);
    };
    let own = own_claim(db, task.id, volunteer.id).await?;
    let claim = match own {
        Some(own) if own.status != ClaimStatus::Offered => return Err(TaskError::AlreadyClaimed),
        Some(offer) if !ran_out(&offer, now) => step(db, &offer, ClaimStep::Accept, accepted(now), now).await?,
        Some(offer) => {
            lapse(db, &offer, now).await?;
            insert(db, &task, volunteer.id, new, now).await?
        }
        None => insert(db, &task, volunteer.id, new, now).await?,
    };
    Ok(Moved { task, claim, step: ClaimStep::Accept })
}

/// Accepts an offer. The slot is taken only now.
///
/// # Errors
/// [`TaskError::NotFound`] where the claim is not theirs; [`TaskError::InvalidTransition`] and [`TaskError::OfferExpired`];
/// then as [`claim()`].
pub async fn accept(
    db: &impl ConnectionTrait,
    volunteer: &Volunteer,
    id: ClaimId,
    now: DateTime<Utc>,
) -> Result<Moved, TaskError> {
    let offer = find(db, &Scope::Member(volunteer.id), id).await?;
    let (at, accept) = (offer.status, ClaimStep::Accept);
    if at == ClaimStatus::Lapsed && is_full(db, offer.task_id, now).await? {
        // Others of the wave were faster.
        return Err(TaskError::TaskFull);
    }
    accept.apply_to(at).ok_or(TaskError::InvalidTransition { at, step: accept })?;
    if ran_out(&offer, now) {
        return Err(TaskError::OfferExpired);
    }
    let Some(task) = take_slot(db, offer.task_id, None, now).await? else {
        return Err(refusal(db, volunteer.id, offer.task_id, None, now).await?);
    };
    let claim = step(db, &offer, accept, accepted(now), now).await?;
    Ok(Moved { task, claim, step: accept })
}

/// Declines an offer, whatever the reason and without any penalty (志愿服务条例 art. 25).
///
/// # Errors
/// [`TaskError::NotFound`], [`TaskError::InvalidTransition`].
pub async fn decline(
    db: &impl ConnectionTrait,
    member: MemberId,
    id: ClaimId,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<claim::Model, TaskError> {
    let offer = find(db, &Scope::Member(member), id).await?;
    step(db, &offer, ClaimStep::Decline, ended(reason, now), now).await
}

/// Withdraws from an accepted claim: the slot is free again. A normal event (志愿服务条例 art. 22).
///
/// # Errors
/// [`TaskError::NotFound`], [`TaskError::InvalidTransition`].
pub async fn withdraw(
    db: &impl ConnectionTrait,
    member: MemberId,
    id: ClaimId,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Moved, TaskError> {
    let found = find(db, &Scope::Member(member), id).await?;
    release(db, &found, ClaimStep::Withdraw, reason, now).await
}

/// Notes that nobody came for an accepted claim, once the window has begun. The slot is free again.
///
/// # Errors
/// [`TaskError::NotFound`], [`TaskError::SecondPerson`], [`TaskError::InvalidTransition`], [`TaskError::TooEarlyToMiss`].
pub async fn miss(
    db: &impl ConnectionTrait,
    clerk: &Clerk,
    id: ClaimId,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Moved, TaskError> {
    let found = find(db, &Scope::Staff(clerk.subtree()), id).await?;
    if clerk.member == Some(found.member_id) {
        return Err(TaskError::SecondPerson);
    }
    if ClaimStep::Miss.apply_to(found.status).is_some() && now < found.window_from {
        return Err(TaskError::TooEarlyToMiss);
    }
    release(db, &found, ClaimStep::Miss, reason, now).await
}

/// Frees the slot of an accepted claim by `why`.
pub(super) async fn release(
    db: &impl ConnectionTrait,
    found: &claim::Model,
    why: ClaimStep,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Moved, TaskError> {
    let task = lock(db, found.task_id).await?;
    let claim = step(db, found, why, ended(reason, now), now).await?;
    let task = recount(db, task, now).await?;
    Ok(Moved { task, claim, step: why })
}

/// Lets an open offer lapse.
///
/// # Errors
/// [`TaskError::Raced`] where it was answered meanwhile.
pub async fn lapse(
    db: &impl ConnectionTrait,
    offer: &claim::Model,
    now: DateTime<Utc>,
) -> Result<claim::Model, TaskError> {
    step(db, offer, ClaimStep::Lapse, ended(None, now), now).await
}

/// Volunteers of a task's district to whom it is offered.
#[derive(Clone, Debug)]
pub struct NewOffers {
    /// Each with the id its claim will have.
    pub members: Vec<(MemberId, ClaimId)>,
    /// When they lapse: not after the window's end.
    pub expires_at: DateTime<Utc>,
}

/// Offers a task to volunteers of its district: all of them, or none. An offer takes no slot.
///
/// # Errors
/// [`TaskError::NotFound`]; [`TaskError::Invalid`] on `member_ids[n]` for who is no volunteer of the district;
/// [`TaskError::TaskClosed`]; [`TaskError::AlreadyOffered`] where one has a claim or an unanswered offer.
pub async fn offer(
    db: &impl ConnectionTrait,
    manager: &Manager,
    task: TaskId,
    offers: &NewOffers,
    now: DateTime<Utc>,
) -> Result<(task::Model, Vec<claim::Model>), TaskError> {
    let task = lock(db, task).await?;
    if !manager.subtree().contains(&task.region_code) {
        return Err(TaskError::NotFound);
    }
    check_volunteers(db, &task, offers).await?;
    if !takes_claims(task.status) || task.window_until <= now {
        return Err(TaskError::TaskClosed);
    }
    clear_ran_out(db, task.id, offers, now).await?;
    let members = offers.members.iter().map(|(member, _)| *member);
    let busy = claim::Entity::find()
        .filter(claim::Column::TaskId.eq(task.id))
        .filter(claim::Column::MemberId.is_in(members))
        .filter(claim::Column::Status.is_in(HOLDING.into_iter().chain([ClaimStatus::Offered])))
        .exists(db)
        .await?;
    if busy {
        return Err(TaskError::AlreadyOffered);
    }
    let expires_at = offers.expires_at.min(task.window_until);
    let rows: Vec<_> = offers
        .members
        .iter()
        .map(|(member, id)| claim::Model {
            status: ClaimStatus::Offered,
            offered_by: Some(manager.id),
            offer_expires_at: Some(expires_at),
            accepted_at: None,
            ..blank(&task, *member, *id, now)
        })
        .collect();
    claim::Entity::insert_many(rows.iter().cloned().map(claim::ActiveModel::from)).exec_without_returning(db).await?;
    Ok((task, rows))
}

async fn check_volunteers(db: &impl ConnectionTrait, task: &task::Model, offers: &NewOffers) -> Result<(), TaskError> {
    let region = RegionCode::try_from(&task.region_code)?;
    let district = Subtree::of(&region.district());
    let found = member::Entity::find()
        .filter(member::Column::Id.is_in(offers.members.iter().map(|(member, _)| *member)))
        .filter(Condition::any().add(member::Column::IsVolunteer.eq(true)).add(member::Column::IsPartyMember.eq(true)))
        .filter(member::Column::DisabledAt.is_null())
        .filter(member::Column::MergedInto.is_null())
        .filter(member::Column::ErasedAt.is_null())
        .all(db)
        .await?;
    for (index, (id, _)) in offers.members.iter().enumerate() {
        let fits = |member: &member::Model| {
            member.id == *id && member.region_code.as_deref().is_some_and(|code| district.contains(code))
        };
        if !found.iter().any(fits) {
            return Err(TaskError::Invalid(format!("member_ids[{index}]"), "不是本区的志愿者，请核对后重试"));
        }
    }
    Ok(())
}

/// Offers that ran out and that no job has seen yet stand in nobody's way.
async fn clear_ran_out(
    db: &impl ConnectionTrait,
    task: TaskId,
    offers: &NewOffers,
    now: DateTime<Utc>,
) -> Result<(), TaskError> {
    claim::Entity::update_many()
        .set(claim::ActiveModel { status: Set(ClaimStatus::Lapsed), updated_at: Set(now), ..ended(None, now) })
        .filter(claim::Column::TaskId.eq(task))
        .filter(claim::Column::MemberId.is_in(offers.members.iter().map(|(member, _)| *member)))
        .filter(claim::Column::Status.eq(ClaimStatus::Offered))
        .filter(claim::Column::OfferExpiresAt.lte(now))
        .exec(db)
        .await?;
    Ok(())
}

/// A claim that `scope` may see.
///
/// # Errors
/// [`TaskError::NotFound`].
pub async fn find(db: &impl ConnectionTrait, scope: &Scope, id: ClaimId) -> Result<claim::Model, TaskError> {
    claim::Entity::find_by_id(id)
        .filter(scope.owned(claim::Column::MemberId, claim::Column::RegionCode))
        .one(db)
        .await?
        .ok_or(TaskError::NotFound)
}

/// Whether there is such a claim, whoever may see it.
///
/// # Errors
/// The database's.
pub async fn exists(db: &impl ConnectionTrait, id: ClaimId) -> Result<bool, DbErr> {
    claim::Entity::find_by_id(id).exists(db).await
}

/// Why no slot was to be had, in the order of the contract.
async fn refusal(
    db: &impl ConnectionTrait,
    member: MemberId,
    id: TaskId,
    within: Option<&Subtree>,
    now: DateTime<Utc>,
) -> Result<TaskError, DbErr> {
    let found = task::Entity::find_by_id(id).one(db).await?;
    let Some(task) = found.filter(|task| within.is_none_or(|within| within.contains(&task.region_code))) else {
        return Ok(TaskError::NotFound);
    };
    if !takes_claims(task.status) || task.window_until <= now {
        return Ok(TaskError::TaskClosed);
    }
    let own = own_claim(db, id, member).await?;
    if own.is_some_and(|own| own.status != ClaimStatus::Offered) {
        return Ok(TaskError::AlreadyClaimed);
    }
    let overlaps = claim::Entity::find()
        .filter(claim::Column::MemberId.eq(member))
        .filter(claim::Column::Status.is_in(OPEN))
        .filter(claim::Column::WindowFrom.lt(task.window_until))
        .filter(claim::Column::WindowUntil.gt(task.window_from))
        .exists(db)
        .await?;
    Ok(if overlaps { TaskError::Overlapping } else { TaskError::TaskFull })
}

async fn is_full(db: &impl ConnectionTrait, id: TaskId, now: DateTime<Utc>) -> Result<bool, DbErr> {
    let found = task::Entity::find_by_id(id).one(db).await?;
    Ok(found.is_some_and(|task| takes_claims(task.status) && task.taken >= task.slots && task.window_until > now))
}

/// The member's claim on the task that is offered or holds a slot. Who was let go before may claim again.
async fn own_claim(db: &impl ConnectionTrait, task: TaskId, member: MemberId) -> Result<Option<claim::Model>, DbErr> {
    claim::Entity::find()
        .filter(claim::Column::TaskId.eq(task))
        .filter(claim::Column::MemberId.eq(member))
        .filter(claim::Column::Status.is_in(HOLDING.into_iter().chain([ClaimStatus::Offered])))
        .one(db)
        .await
}

fn ran_out(offer: &claim::Model, now: DateTime<Utc>) -> bool {
    offer.offer_expires_at.is_some_and(|expires| expires <= now)
}

async fn insert(
    db: &impl ConnectionTrait,
    task: &task::Model,
    member: MemberId,
    id: ClaimId,
    now: DateTime<Utc>,
) -> Result<claim::Model, DbErr> {
    let row = blank(task, member, id, now);
    claim::Entity::insert(claim::ActiveModel::from(row.clone())).exec_without_returning(db).await?;
    Ok(row)
}

/// A claim accepted just now.
pub(super) fn blank(task: &task::Model, member: MemberId, id: ClaimId, now: DateTime<Utc>) -> claim::Model {
    claim::Model {
        id,
        task_id: task.id,
        member_id: member,
        region_code: task.region_code.clone(),
        status: ClaimStatus::Accepted,
        window_from: task.window_from,
        window_until: task.window_until,
        offered_by: None::<StaffId>,
        offer_expires_at: None,
        accepted_at: Some(now),
        checked_in_at: None,
        check_in_means: None,
        check_in_step: None,
        checked_out_at: None,
        check_out_means: None,
        entered_by: None,
        ended_at: None,
        reason: None,
        created_at: now,
        updated_at: now,
    }
}

fn accepted(now: DateTime<Utc>) -> claim::ActiveModel {
    claim::ActiveModel { accepted_at: Set(Some(now)), ..Default::default() }
}

pub(super) fn ended(reason: Option<&str>, now: DateTime<Utc>) -> claim::ActiveModel {
    claim::ActiveModel { reason: Set(reason.map(str::to_owned)), ended_at: Set(Some(now)), ..Default::default() }
}
