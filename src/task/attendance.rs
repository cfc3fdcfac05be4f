//! Check-in and check-out. All of it to be run in a transaction.
//!
//! What counts is the service's clock and the window: time before it begins is not served time, and at its end an open
//! check-in closes itself, whether the job has come to it or not. A check-in that staff enter after the end is given an hour
//! in which its check-out can be entered too.

use chrono::{DateTime, TimeDelta, Utc};
use entity::claim::{self, CheckMeans};
use entity::id::{ClaimId, MemberId, ServiceRecordId, StaffId};
use entity::task;
use sea_orm::ActiveValue::Set;
use sea_orm::ConnectionTrait;

use super::check::{EARLY, Point, RotatingCode};
use super::claim::find;
use super::domain::ClaimStep;
use super::error::{CheckInRefusal, TaskError};
use super::service::{Moved, lock, recount, step};
use crate::crypto::Keys;
use crate::identity::{Clerk, Scope};
use crate::service_record::service::{FromClaim, open_from_claim};
use crate::setting::{self, Number};

/// What the keys of check-in codes are made for.
pub const CODE_PURPOSE: &str = "task.check_in_code";
/// How far from the task's place a check-in by place counts, in metres.
const MAX_DISTANCE_M: Number = Number::new("check_in.max_distance_m", 200, 10..=20_000);
/// How long a check-in entered after the window's end waits for its check-out.
pub(super) const LATE_ENTRY: TimeDelta = TimeDelta::hours(1);

/// Who says that somebody came or went, and how it is shown.
#[derive(Clone, Debug)]
pub enum Proof {
    /// The volunteer, by what the place shows and where the phone is.
    Presence { member: MemberId, code: Option<String>, point: Option<Point> },
    /// Staff who see it, or who enter it for a time within the window.
    Staff { clerk: Clerk, at: Option<DateTime<Utc>> },
}

impl Proof {
    fn scope(&self) -> Scope {
        match self {
            Self::Presence { member, .. } => Scope::Member(*member),
            Self::Staff { clerk, .. } => Scope::Staff(clerk.subtree()),
        }
    }

    /// Nobody vouches for the member that they are.
    fn is_own(&self, claim: &claim::Model) -> bool {
        match self {
            Self::Presence { .. } => false,
            Self::Staff { clerk, .. } => clerk.member == Some(claim.member_id),
        }
    }

    /// A time that staff enter, rather than what happens now.
    const fn is_entered(&self) -> bool {
        matches!(self, Self::Staff { at: Some(_), .. })
    }
}

/// A check that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Check {
    at: DateTime<Utc>,
    means: CheckMeans,
    /// The step of the code that was used.
    code_step: Option<i64>,
    /// Who gave the time, where it was given.
    entered_by: Option<StaffId>,
}

/// Checks in to an accepted claim.
///
/// # Errors
/// [`TaskError::NotFound`], [`TaskError::SecondPerson`], [`TaskError::InvalidTransition`]; [`TaskError::CheckIn`].
pub async fn check_in(
    db: &impl ConnectionTrait,
    keys: &Keys,
    id: ClaimId,
    proof: &Proof,
    now: DateTime<Utc>,
) -> Result<Moved, TaskError> {
    let (found, task) = find_for(db, id, proof, ClaimStep::CheckIn).await?;
    let check = judge(db, keys, &task, proof, None, now).await?;
    let changes = claim::ActiveModel {
        checked_in_at: Set(Some(check.at)),
        check_in_means: Set(Some(check.means)),
        check_in_step: Set(check.code_step),
        entered_by: Set(check.entered_by),
        ..Default::default()
    };
    let claim = step(db, &found, ClaimStep::CheckIn, changes, now).await?;
    let task = recount(db, task, now).await?;
    Ok(Moved { task, claim, step: ClaimStep::CheckIn })
}

/// Checks out of a claim and opens its service record.
///
/// # Errors
/// As [`check_in`]; [`TaskError::ClosedItself`] after the window's end, unless staff enter a time; [`TaskError::Record`] where
/// the member has a record of that time already.
pub async fn check_out(
    db: &impl ConnectionTrait,
    keys: &Keys,
    id: ClaimId,
    proof: &Proof,
    record: ServiceRecordId,
    now: DateTime<Utc>,
) -> Result<Moved, TaskError> {
    let (found, task) = find_for(db, id, proof, ClaimStep::CheckOut).await?;
    if now >= task.window_until && !proof.is_entered() {
        return Err(TaskError::ClosedItself);
    }
    let check = judge(db, keys, &task, proof, found.check_in_step, now).await?;
    if found.checked_in_at.is_some_and(|began| check.at < began) {
        return Err(CheckInRefusal::BeforeCheckIn.into());
    }
    leave(db, &found, task, check, record, now).await
}

/// Closes a check-in that is still open when its window is over, at the planned end.
///
/// # Errors
/// [`TaskError::Raced`] where it was closed meanwhile; as [`check_out`].
pub async fn close_at_end(
    db: &impl ConnectionTrait,
    id: ClaimId,
    record: ServiceRecordId,
    now: DateTime<Utc>,
) -> Result<Moved, TaskError> {
    let found = find(db, &Scope::System, id).await?;
    let task = lock(db, found.task_id).await?;
    let check = Check { at: task.window_until, means: CheckMeans::Automatic, code_step: None, entered_by: None };
    leave(db, &found, task, check, record, now).await
}

async fn leave(
    db: &impl ConnectionTrait,
    found: &claim::Model,
    task: task::Model,
    check: Check,
    record: ServiceRecordId,
    now: DateTime<Utc>,
) -> Result<Moved, TaskError> {
    let entered_by = check.entered_by.or(found.entered_by);
    let changes = claim::ActiveModel {
        checked_out_at: Set(Some(check.at)),
        check_out_means: Set(Some(check.means)),
        entered_by: Set(entered_by),
        ..Default::default()
    };
    let claim = step(db, found, ClaimStep::CheckOut, changes, now).await?;
    let began = found.checked_in_at.unwrap_or(check.at);
    let (started_at, ended_at) = served(began, check.at, &task);
    let from_claim = FromClaim {
        id: record,
        claim_id: claim.id,
        task_id: task.id,
        member_id: claim.member_id,
        category: task.category,
        programme: &task.programme,
        difficulty: task.difficulty,
        task_region: &task.region_code,
        window_from: task.window_from,
        window_until: task.window_until,
        started_at,
        ended_at,
        means_in: found.check_in_means.unwrap_or(CheckMeans::Automatic),
        means_out: check.means,
        entered_by,
        now,
    };
    open_from_claim(db, &from_claim).await?;
    let task = recount(db, task, now).await?;
    Ok(Moved { task, claim, step: ClaimStep::CheckOut })
}

/// The part of the time between check-in and check-out that lies within the window. Who came early and left before it
/// began served no time.
fn served(began: DateTime<Utc>, left: DateTime<Utc>, task: &task::Model) -> (DateTime<Utc>, DateTime<Utc>) {
    let ended = left.min(task.window_until);
    (began.max(task.window_from).min(ended), ended)
}

/// The claim, if the step is open to it, and its task, locked.
async fn find_for(
    db: &impl ConnectionTrait,
    id: ClaimId,
    proof: &Proof,
    step: ClaimStep,
) -> Result<(claim::Model, task::Model), TaskError> {
    let found = find(db, &proof.scope(), id).await?;
    if proof.is_own(&found) {
        return Err(TaskError::SecondPerson);
    }
    let at = found.status;
    step.apply_to(at).ok_or(TaskError::InvalidTransition { at, step })?;
    let task = lock(db, found.task_id).await?;
    Ok((found, task))
}

async fn judge(
    db: &impl ConnectionTrait,
    keys: &Keys,
    task: &task::Model,
    proof: &Proof,
    used: Option<i64>,
    now: DateTime<Utc>,
) -> Result<Check, TaskError> {
    match proof {
        Proof::Staff { clerk, at } => Ok(judge_staff(task, clerk.id, *at, now)?),
        Proof::Presence { code, point, .. } => {
            in_time(task, now)?;
            let limit_m = match point {
                Some(_) => setting::numbers(db, [MAX_DISTANCE_M]).await?[0],
                None => MAX_DISTANCE_M.default,
            };
            let code_step = code.as_deref().map(|code| judge_code(keys, task, code, used, now)).transpose()?;
            let (means, code_step) = judge_presence(task, code_step, *point, limit_m)?;
            Ok(Check { at: now, means, code_step, entered_by: None })
        }
    }
}

fn judge_staff(
    task: &task::Model,
    clerk: StaffId,
    at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<Check, CheckInRefusal> {
    match at {
        None => {
            in_time(task, now)?;
            Ok(Check { at: now, means: CheckMeans::Staff, code_step: None, entered_by: None })
        }
        Some(at) if at < task.window_from || at > task.window_until || at > now => Err(CheckInRefusal::TimeOutside),
        Some(at) => Ok(Check { at, means: CheckMeans::StaffTime, code_step: None, entered_by: Some(clerk) }),
    }
}

fn in_time(task: &task::Model, now: DateTime<Utc>) -> Result<(), CheckInRefusal> {
    if now < task.window_from - EARLY {
        Err(CheckInRefusal::TooEarly)
    } else if now >= task.window_until {
        Err(CheckInRefusal::TooLate)
    } else {
        Ok(())
    }
}

fn judge_code(
    keys: &Keys,
    task: &task::Model,
    code: &str,
    used: Option<i64>,
    now: DateTime<Utc>,
) -> Result<i64, CheckInRefusal> {
    let step = RotatingCode::step(keys, CODE_PURPOSE, task.id.0, code, now).ok_or(CheckInRefusal::StaleCode)?;
    if used == Some(step) { Err(CheckInRefusal::UsedCode) } else { Ok(step) }
}

/// What is presented must hold, all of it: a code from somewhere else is not mended by being near, nor the other way.
fn judge_presence(
    task: &task::Model,
    code_step: Option<i64>,
    point: Option<Point>,
    limit_m: i64,
) -> Result<(CheckMeans, Option<i64>), CheckInRefusal> {
    let place = task.lat.zip(task.lon).map(|(lat, lon)| Point { lat, lon });
    let near = match (place, point) {
        (Some(place), Some(point)) if place.metres_to(point) <= f64_of(limit_m) => true,
        (Some(_), Some(_)) => return Err(CheckInRefusal::TooFar),
        (None, Some(_)) if code_step.is_none() => return Err(CheckInRefusal::NoPlace),
        (None, Some(_)) | (_, None) => false,
    };
    let means = match (code_step.is_some(), near) {
        (true, true) => CheckMeans::CodeAndPlace,
        (true, false) if task.place_required && place.is_some() => return Err(CheckInRefusal::CodeAndPlaceNeeded),
        (true, false) => CheckMeans::Code,
        (false, _) if task.place_required => return Err(CheckInRefusal::CodeAndPlaceNeeded),
        (false, true) => CheckMeans::Place,
        (false, false) => return Err(CheckInRefusal::CodeAndPlaceNeeded),
    };
    Ok((means, code_step))
}

/// Whole metres, exact: settings end far below 2^53.
fn f64_of(metres: i64) -> f64 {
    f64::from(i32::try_from(metres).unwrap_or(i32::MAX))
}
