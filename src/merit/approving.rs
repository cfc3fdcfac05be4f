//! The second person's word: approving, which posts what the rule says, or rejecting.

use chrono::{DateTime, Utc};
use entity::id::{JournalId, MeritId};
use entity::merit::{ActiveModel, Column, Entity, MeritStatus, Model};
use entity::service_record::Evidence;
use entity::staff;
use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _};
use serde_json::json;

use super::domain::{self, Standing, Step};
use super::error::MeritError;
use super::query::take;
use super::{SOURCE, notice};
use crate::audit::{self, Actor, AuditEvent};
use crate::calendar::Calendar;
use crate::household;
use crate::http::FieldError;
use crate::identity::{Manager, Scope};
use crate::points::{self, Earning, Source, Spans, account};

/// When, by whose calendar, and the id of a journal that may be posted; drawn before the transaction.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub now: DateTime<Utc>,
    pub calendar: Calendar,
    pub journal_id: JournalId,
}

/// What a manager decided about a pending merit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Approve {
        /// The manager saw it: grade B.
        witnessed: bool,
    },
    Reject {
        reason: String,
    },
}

/// What became of it.
#[derive(Clone, Debug)]
pub struct Decided {
    pub merit: Model,
    /// The points are owed: no budget can pay for them yet.
    pub due: bool,
}

/// Approves or rejects a pending merit.
///
/// # Errors
/// [`MeritError::NotFound`] where `manager` may not see it; [`MeritError::SecondPerson`] for what they entered, under whichever
/// account, and for themselves; [`MeritError::InvalidTransition`]; [`MeritError::Points`] where the rule asks for a manager
/// higher up.
pub async fn decide(
    db: &impl ConnectionTrait,
    manager: &Manager,
    id: MeritId,
    verdict: &Verdict,
    moment: Moment,
) -> Result<Decided, MeritError> {
    let merit = take(db, &Scope::Staff(manager.subtree()), id).await?;
    second_person(db, manager, &merit).await?;
    match verdict {
        Verdict::Approve { witnessed } => approve(db, manager, merit, *witnessed, moment).await,
        Verdict::Reject { reason } => reject(db, manager, &merit, reason, moment.now).await,
    }
}

/// Approves many at once: all of them, or none. In the order of their members' accounts, as all postings do.
///
/// # Errors
/// [`MeritError::Fields`] naming each that cannot be approved by its place in `ids`; [`MeritError::Points`].
pub async fn approve_all(
    db: &impl ConnectionTrait,
    manager: &Manager,
    ids: &[(MeritId, JournalId)],
    now: DateTime<Utc>,
    calendar: Calendar,
) -> Result<Vec<Model>, MeritError> {
    let scope = Scope::Staff(manager.subtree());
    let (mut merits, mut errors) = (Vec::with_capacity(ids.len()), Vec::new());
    for (place, (id, journal_id)) in ids.iter().enumerate() {
        if ids[..place].iter().any(|(before, _)| before == id) {
            errors.push(FieldError::new(format!("merit_ids[{place}]"), "invalid").saying("重复，请去掉"));
            continue;
        }
        match ready(db, manager, &scope, *id).await {
            Ok(merit) => merits.push((place, merit, *journal_id)),
            Err(MeritError::Db(error)) => return Err(MeritError::Db(error)),
            Err(error) => {
                errors.push(FieldError::new(format!("merit_ids[{place}]"), "invalid").saying(error.to_string()));
            }
        }
    }
    if !errors.is_empty() {
        return Err(MeritError::Fields(errors));
    }
    merits.sort_by_key(|(_, merit, _)| account::of_member(&merit.programme, merit.member_id));
    let mut approved = Vec::with_capacity(merits.len());
    for (place, merit, journal_id) in merits {
        let moment = Moment { now, calendar, journal_id };
        approved.push((place, approve(db, manager, merit, false, moment).await?.merit));
    }
    approved.sort_by_key(|(place, _)| *place);
    Ok(approved.into_iter().map(|(_, merit)| merit).collect())
}

async fn ready(db: &impl ConnectionTrait, manager: &Manager, scope: &Scope, id: MeritId) -> Result<Model, MeritError> {
    let merit = take(db, scope, id).await?;
    second_person(db, manager, &merit).await?;
    open(&merit, Step::Approve)?;
    Ok(merit)
}

async fn approve(
    db: &impl ConnectionTrait,
    manager: &Manager,
    merit: Model,
    witnessed: bool,
    moment: Moment,
) -> Result<Decided, MeritError> {
    open(&merit, Step::Approve)?;
    let evidence = if witnessed { merit.evidence.min(Evidence::B) } else { merit.evidence };
    let merit = Model { evidence, ..merit };
    let facts = domain::facts(&moment.calendar, &merit);
    let spans = Spans::around(&moment.calendar, facts.at);
    let source = Source { kind: SOURCE, id: merit.id.0 };
    let earning = Earning {
        journal_id: moment.journal_id,
        source,
        programme: &merit.programme,
        member_id: merit.member_id,
        community: &merit.region_code,
        facts,
        actor: Actor::Staff(manager.id),
        approver: Some(manager.region.as_str()),
        now: moment.now,
        today: moment.calendar.day_of(moment.now),
        spans,
        reason: Some(merit.reason.as_deref().unwrap_or(domain::name(merit.kind))),
    };
    let earned = points::earn(db, &earning).await?;
    let hundredths = earned.points.hundredths();
    let shortfall = match hundredths {
        taken if taken < 0 => points::moved(db, source).await?.hundredths() - taken,
        _ => 0,
    };
    let change = ActiveModel {
        evidence: Set(evidence),
        points: Set(Some(hundredths)),
        shortfall: Set(shortfall),
        rule_id: Set(earned.rule_id),
        ..decision(manager, MeritStatus::Approved, moment.now)
    };
    let approved = change_to(db, &merit, change).await?;
    notice::approved(db, &approved, earned.due, moment.now).await?;
    let detail = json!({"points": hundredths, "shortfall": shortfall, "evidence": evidence, "due": earned.due});
    record(db, manager, "merit.approve", &approved, detail, moment.now).await?;
    Ok(Decided { merit: approved, due: earned.due })
}

async fn reject(
    db: &impl ConnectionTrait,
    manager: &Manager,
    merit: &Model,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<Decided, MeritError> {
    open(merit, Step::Reject)?;
    let change = ActiveModel { reason: Set(Some(reason.to_owned())), ..decision(manager, MeritStatus::Rejected, now) };
    let rejected = change_to(db, merit, change).await?;
    notice::rejected(db, &rejected, now).await?;
    record(db, manager, "merit.reject", &rejected, json!({}), now).await?;
    Ok(Decided { merit: rejected, due: false })
}

fn decision(manager: &Manager, status: MeritStatus, now: DateTime<Utc>) -> ActiveModel {
    ActiveModel {
        status: Set(status),
        decided_by: Set(Some(manager.id)),
        decided_at: Set(Some(now)),
        updated_at: Set(now),
        ..Default::default()
    }
}

/// Whether a step is open.
pub(super) fn open(merit: &Model, step: Step) -> Result<(), MeritError> {
    let at = Standing::of(merit);
    if step.is_open(at) { Ok(()) } else { Err(MeritError::InvalidTransition { at, step }) }
}

/// Nobody decides about themselves.
pub(super) fn other(manager: &Manager, merit: &Model) -> Result<(), MeritError> {
    if manager.member == Some(merit.member_id) {
        return Err(MeritError::SecondPerson("不能为自己办理，请由另一位工作人员处理"));
    }
    Ok(())
}

/// Nor about what they entered, under this account or another.
async fn second_person(db: &impl ConnectionTrait, manager: &Manager, merit: &Model) -> Result<(), MeritError> {
    other(manager, merit)?;
    if let (Some(own), Some(household)) = (manager.member, merit.household_id)
        && household::joined(db, household).await?.iter().any(|place| place.member_id == own)
    {
        return Err(MeritError::SecondPerson("不能审核自己所在户的评分，请由另一位管理员办理"));
    }
    let Some(entered_by) = merit.entered_by else { return Ok(()) };
    let same = entered_by == manager.id || {
        let person = staff::Entity::find_by_id(entered_by).one(db).await?.and_then(|staff| staff.member_id);
        person.is_some() && person == manager.member
    };
    if same {
        return Err(MeritError::SecondPerson("这一事项由您登记，须由另一位管理员审核"));
    }
    Ok(())
}

/// Moves a merit on from where it was read; whoever comes second finds it moved.
pub(super) async fn change_to(
    db: &impl ConnectionTrait,
    merit: &Model,
    change: ActiveModel,
) -> Result<Model, MeritError> {
    let moved = Entity::update_many()
        .set(change)
        .filter(Column::Id.eq(merit.id))
        .filter(Column::Status.eq(merit.status))
        .exec_with_returning(db)
        .await?;
    moved.into_iter().next().ok_or(MeritError::Raced)
}

pub(super) async fn record(
    db: &impl ConnectionTrait,
    manager: &Manager,
    action: &'static str,
    merit: &Model,
    detail: serde_json::Value,
    now: DateTime<Utc>,
) -> Result<(), MeritError> {
    let event = AuditEvent::new(Actor::Staff(manager.id), action, "merit", now).of(merit.id);
    Ok(audit::record(db, event.in_region(&merit.region_code).with(detail)).await?)
}
