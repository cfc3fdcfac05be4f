//! Verification, rejection, reversal and dispute. All of it to be run in a transaction.

use chrono::{DateTime, Utc};
use entity::id::{ClaimId, JournalId, MemberId, ServiceRecordId};
use entity::service_record::{self, Column, Entity, Evidence};
use sea_orm::ActiveValue::{self, Set};
use sea_orm::{ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _};
use serde_json::json;

use super::domain::{Standing, Step, verified_minutes};
use super::error::RecordError;
use super::query::find;
use crate::audit::{self, Actor, AuditEvent};
use crate::calendar::Calendar;
use crate::identity::{Manager, Scope};
use crate::notify::{self, Message};
use crate::points::{self, Earning, Facts, RECORD, Reversing, Source, Spans};
use crate::ranking;
use crate::ranking::domain::counted_at;
use crate::ranking::service::Change;

/// The `source_kind` of what a reversal takes back.
const REVERSAL: &str = "service_record_reversal";

/// What a manager decided about a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds, with these minutes or the recorded ones; raising them needs a reason.
    Verify(Verified),
    Reject {
        reason: Option<String>,
    },
}

/// What a record is verified as; `None` leaves what it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    pub minutes: Option<i32>,
    /// 1 to 3.
    pub difficulty: Option<i16>,
    pub organiser: Option<bool>,
    pub reason: Option<String>,
}

/// When, by whose calendar, and the id of a journal that may be posted; drawn before the transaction.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub now: DateTime<Utc>,
    pub calendar: Calendar,
    pub journal_id: JournalId,
}

/// What became of a record.
#[derive(Clone, Debug)]
pub struct Judged {
    pub record: service_record::Model,
    /// The claim that ends with it: by [`Step::Verify`] or [`Step::Reject`].
    pub claim: Option<(ClaimId, Step)>,
    /// It earned points that no budget can pay yet.
    pub due: bool,
}

/// Verifies or rejects a record. Verifying earns its points and marks the boards, once: a disputed record that counts
/// already is only confirmed.
///
/// # Errors
/// [`RecordError::NotFound`] where `manager` may not see it; [`RecordError::SecondPerson`] for one's own hours and what one
/// typed in; [`RecordError::InvalidTransition`]; [`RecordError::Field`] for minutes and reason; [`RecordError::Overlapping`]
/// where a rejected one would come back over another.
pub async fn judge(
    db: &impl ConnectionTrait,
    manager: &Manager,
    id: ServiceRecordId,
    verdict: &Verdict,
    moment: Moment,
) -> Result<Judged, RecordError> {
    let record = find(db, &manager_scope(manager), id).await?;
    second_person(manager, &record)?;
    match verdict {
        Verdict::Verify(verified) => verify(db, manager, record, verified, moment).await,
        Verdict::Reject { reason } => reject(db, record, reason.as_deref(), moment.now).await,
    }
}

async fn verify(
    db: &impl ConnectionTrait,
    manager: &Manager,
    record: service_record::Model,
    verified: &Verified,
    moment: Moment,
) -> Result<Judged, RecordError> {
    let (at, next) = transition(&record, Step::Verify)?;
    if at == Standing::DisputedCounted {
        unchanged(&record, verified)?;
        return Ok(Judged {
            record: change(db, &record, next, moment.now, service_record::ActiveModel::default()).await?,
            claim: None,
            due: false,
        });
    }
    let reason = verified.reason.as_deref();
    let minutes = verified_minutes(record.minutes, record.window_minutes, verified.minutes, reason.is_some())?;
    let difficulty = verified.difficulty.unwrap_or(record.difficulty);
    let organiser = verified.organiser.unwrap_or(record.organiser);
    let facts = Facts {
        evidence: Some(record.evidence),
        difficulty,
        organiser,
        ..Facts::service(record.category, record.ended_at, minutes)
    };
    let earned = points::earn(db, &earning(manager, &record, facts, moment)).await?;
    let changes = service_record::ActiveModel {
        minutes: Set(minutes),
        difficulty: Set(difficulty),
        organiser: Set(organiser),
        reason: given(reason),
        verified_by: Set(Some(manager.id)),
        verified_at: Set(Some(moment.now)),
        points: Set(Some(earned.points.hundredths())),
        rule_id: Set(earned.rule_id),
        counted_at: Set(Some(counted_at(moment.calendar, record.ended_at, moment.now))),
        ..Default::default()
    };
    let verified = change(db, &record, next, moment.now, changes).await?;
    ranking::mark(db, record.id, Change::Counted, moment.now).await?;
    let as_recorded = minutes == record.minutes && difficulty == record.difficulty && organiser == record.organiser;
    if !as_recorded || record.evidence == Evidence::D {
        let mut detail = json!({"minutes_from": record.minutes, "minutes_to": minutes, "evidence": record.evidence});
        if difficulty != record.difficulty {
            detail["difficulty"] = difficulty.into();
        }
        if organiser != record.organiser {
            detail["organiser"] = organiser.into();
        }
        audit::record(db, event(manager, "service_record.verify", &record, moment.now).with(detail)).await?;
    }
    if minutes != record.minutes {
        let body =
            format!("核实为 {minutes} 分钟（原登记 {} 分钟）。如有出入，可在服务记录中提出异议。", record.minutes);
        tell(db, &record, "service_record.adjusted", "服务时长已调整", body, moment.now).await?;
    }
    let claim = record.claim_id.map(|claim| (claim, Step::Verify));
    Ok(Judged { record: verified, claim, due: earned.due })
}

/// What counts already is confirmed as it is.
fn unchanged(record: &service_record::Model, verified: &Verified) -> Result<(), RecordError> {
    let others = [
        ("minutes", verified.minutes.is_some_and(|minutes| minutes != record.minutes)),
        ("difficulty", verified.difficulty.is_some_and(|difficulty| difficulty != record.difficulty)),
        ("organiser", verified.organiser.is_some_and(|organiser| organiser != record.organiser)),
    ];
    match others.into_iter().find(|(_, other)| *other) {
        Some((field, _)) => {
            Err(RecordError::field(field, "invalid", "该记录已计分，此项不能再改；请先冲正，再登记一条新的"))
        }
        None => Ok(()),
    }
}

fn earning<'a>(manager: &'a Manager, record: &'a service_record::Model, facts: Facts, moment: Moment) -> Earning<'a> {
    Earning {
        journal_id: moment.journal_id,
        source: Source { kind: RECORD, id: record.id.0 },
        programme: &record.programme,
        member_id: record.member_id,
        community: &record.region_code,
        facts,
        actor: Actor::Staff(manager.id),
        approver: Some(&manager.region),
        now: moment.now,
        today: moment.calendar.day_of(moment.now),
        spans: Spans::around(&moment.calendar, record.ended_at),
        reason: None,
    }
}

async fn reject(
    db: &impl ConnectionTrait,
    record: service_record::Model,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Judged, RecordError> {
    let (_, next) = transition(&record, Step::Reject)?;
    let changes = service_record::ActiveModel { reason: given(reason), ..Default::default() };
    let rejected = change(db, &record, next, now, changes).await?;
    let why = reason.map(|reason| format!("原因：{reason}。")).unwrap_or_default();
    let body = format!("{why}如有不同意见，可在服务记录中提出异议。");
    tell(db, &record, "service_record.rejected", "服务记录未通过核实", body, now).await?;
    Ok(Judged { claim: record.claim_id.map(|claim| (claim, Step::Reject)), record: rejected, due: false })
}

/// Takes a verified record back: its points by a reversing journal, its place on the boards by a mark. The claim stays
/// verified: it was, and a new record may follow.
///
/// # Errors
/// As [`judge`]; [`RecordError::Points`] where the points are spent by now.
pub async fn reverse(
    db: &impl ConnectionTrait,
    manager: &Manager,
    id: ServiceRecordId,
    reason: &str,
    moment: Moment,
) -> Result<service_record::Model, RecordError> {
    let record = find(db, &manager_scope(manager), id).await?;
    own_hours(manager, &record)?;
    let (_, next) = transition(&record, Step::Reverse)?;
    let reversing = Reversing {
        journal_id: moment.journal_id,
        original: Source { kind: RECORD, id: record.id.0 },
        source: Source { kind: REVERSAL, id: record.id.0 },
        reason: Some(reason),
        actor: Actor::Staff(manager.id),
        now: moment.now,
        today: moment.calendar.day_of(moment.now),
    };
    points::reverse(db, &reversing).await?;
    let changes = service_record::ActiveModel {
        reason: Set(Some(reason.to_owned())),
        reversed_at: Set(Some(moment.now)),
        ..Default::default()
    };
    let reversed = change(db, &record, next, moment.now, changes).await?;
    ranking::mark(db, record.id, Change::Reversed, moment.now).await?;
    let detail = json!({"minutes": record.minutes, "points": record.points});
    audit::record(db, event(manager, "service_record.reverse", &record, moment.now).with(detail)).await?;
    let body = format!("原因：{reason}。相应时长和积分已收回，如有疑问请联系社区工作人员。");
    tell(db, &record, "service_record.reversed", "服务记录已冲正", body, moment.now).await?;
    Ok(reversed)
}

/// Contests what was entered or decided about a record of one's own; a manager then decides anew.
///
/// # Errors
/// [`RecordError::NotFound`] where it is not the member's; [`RecordError::InvalidTransition`]; [`RecordError::Overlapping`]
/// where a rejected record has been replaced by another meanwhile.
pub async fn dispute(
    db: &impl ConnectionTrait,
    member: MemberId,
    id: ServiceRecordId,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<service_record::Model, RecordError> {
    let record = find(db, &Scope::Member(member), id).await?;
    let (_, next) = transition(&record, Step::Dispute)?;
    let changes = service_record::ActiveModel { reason: given(reason), ..Default::default() };
    change(db, &record, next, now, changes).await
}

fn manager_scope(manager: &Manager) -> Scope {
    Scope::Staff(manager.subtree())
}

/// Where the record stands and where the step leads.
fn transition(record: &service_record::Model, step: Step) -> Result<(Standing, Standing), RecordError> {
    let at = Standing::new(record.status, record.counted_at.is_some());
    let next = step.apply_to(at).ok_or(RecordError::InvalidTransition { at, step })?;
    Ok((at, next))
}

/// Nobody decides about the hours of the member that they are.
fn own_hours(manager: &Manager, record: &service_record::Model) -> Result<(), RecordError> {
    if manager.member == Some(record.member_id) {
        return Err(RecordError::SecondPerson("不能为自己办理，请由另一位工作人员处理"));
    }
    Ok(())
}

fn second_person(manager: &Manager, record: &service_record::Model) -> Result<(), RecordError> {
    own_hours(manager, record)?;
    if record.entered_by == Some(manager.id) {
        return Err(RecordError::SecondPerson("这条记录由您补登，须由另一位管理员核实"));
    }
    Ok(())
}

/// Moves a record on from where it was read; whoever comes second finds it moved.
async fn change(
    db: &impl ConnectionTrait,
    record: &service_record::Model,
    next: Standing,
    now: DateTime<Utc>,
    changes: service_record::ActiveModel,
) -> Result<service_record::Model, RecordError> {
    let moved = Entity::update_many()
        .set(service_record::ActiveModel { status: Set(next.status()), updated_at: Set(now), ..changes })
        .filter(Column::Id.eq(record.id))
        .filter(Column::Status.eq(record.status))
        .exec_with_returning(db)
        .await?;
    moved.into_iter().next().ok_or(RecordError::Raced)
}

/// A reason that was given; without one what stands there stays.
fn given(reason: Option<&str>) -> ActiveValue<Option<String>> {
    reason.map_or(ActiveValue::NotSet, |reason| Set(Some(reason.to_owned())))
}

fn event(manager: &Manager, action: &'static str, record: &service_record::Model, now: DateTime<Utc>) -> AuditEvent {
    AuditEvent::new(Actor::Staff(manager.id), action, "service_record", now)
        .of(record.id)
        .in_region(&record.region_code)
}

async fn tell(
    db: &impl ConnectionTrait,
    record: &service_record::Model,
    kind: &'static str,
    title: &str,
    body: String,
    now: DateTime<Utc>,
) -> Result<(), RecordError> {
    let message = Message::new(kind, title, body).about("service_record", record.id);
    Ok(notify::tell(db, record.member_id, message, now).await?)
}
