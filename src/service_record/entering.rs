//! Records typed in by a manager: grade D, so another manager has to verify them, and a day takes only so many minutes.

use chrono::{DateTime, TimeDelta, Utc};
use entity::category::Category;
use entity::id::{MemberId, ServiceRecordId};
use entity::member;
use entity::service_record::{self, Column, Entity, Evidence, RecordStatus};
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QuerySelect as _};
use serde_json::json;

use super::domain::minutes_between;
use super::error::RecordError;
use super::opening::insert;
use crate::audit::{self, Actor, AuditEvent};
use crate::calendar::Calendar;
use crate::identity::{Manager, Scope};
use crate::points::programme_of;
use crate::setting::{self, Number};

/// Minutes of grade D that one member may have on one local day.
const MOST_MINUTES_A_DAY: Number = Number::new("service_record.grade_d_minutes_per_day", 720, 1..=1_440);
/// How many days back a service may have begun.
const MOST_DAYS_BACK: Number = Number::new("service_record.entry_days", 90, 1..=3_660);

/// A service to be typed in.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Drawn before the transaction.
    pub id: ServiceRecordId,
    pub member_id: MemberId,
    pub category: Category,
    pub started_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
    pub reason: String,
    pub now: DateTime<Utc>,
}

/// Enters a pending record of grade D.
///
/// # Errors
/// [`RecordError::NotFound`] where `manager` may not see the member; [`RecordError::SecondPerson`] for oneself;
/// [`RecordError::Field`] for a service that is not over, ends before it begins, lies too far back or is more than a day
/// takes; [`RecordError::Overlapping`].
pub async fn enter(
    db: &impl ConnectionTrait,
    calendar: &Calendar,
    manager: &Manager,
    entry: &Entry,
) -> Result<service_record::Model, RecordError> {
    let member = visible_member(db, manager, entry.member_id).await?;
    if manager.member == Some(member.id) {
        return Err(RecordError::SecondPerson("不能为自己补登服务，请由另一位工作人员办理"));
    }
    let [most_minutes, most_days] = setting::numbers(db, [MOST_MINUTES_A_DAY, MOST_DAYS_BACK]).await?;
    past(entry, most_days)?;
    let minutes = minutes_between(entry.started_at, entry.ended_at);
    let that_day = entered_on(db, calendar, entry).await?;
    if that_day + i64::from(minutes) > most_minutes {
        let left = Ord::max(most_minutes - that_day, 0);
        let detail = format!("人工补登每人每天最多 {most_minutes} 分钟，当天还可补登 {left} 分钟");
        return Err(RecordError::field("ended_at", "out_of_range", detail));
    }
    let record = insert(db, pending(db, manager, &member, entry, minutes).await?).await?;
    let event = AuditEvent::new(Actor::Staff(manager.id), "service_record.enter", "service_record", entry.now);
    let detail = json!({"member_id": member.id, "minutes": minutes});
    audit::record(db, event.of(record.id).in_region(&record.region_code).with(detail)).await?;
    Ok(record)
}

/// The member, locked: two entries for one day see each other's minutes.
async fn visible_member(
    db: &impl ConnectionTrait,
    manager: &Manager,
    id: MemberId,
) -> Result<member::Model, RecordError> {
    member::Entity::find_by_id(id)
        .filter(Scope::Staff(manager.subtree()).owned(member::Column::Id, member::Column::RegionCode))
        .lock_exclusive()
        .one(db)
        .await?
        .ok_or(RecordError::NotFound)
}

/// Only past time counts, and not too far past.
fn past(entry: &Entry, most_days: i64) -> Result<(), RecordError> {
    if entry.ended_at > entry.now {
        return Err(RecordError::field("ended_at", "out_of_range", "只能补登已经结束的服务"));
    }
    if minutes_between(entry.started_at, entry.ended_at) < 1 {
        return Err(RecordError::field("ended_at", "out_of_range", "结束时间至少要比开始时间晚一分钟"));
    }
    if entry.started_at < entry.now - TimeDelta::days(most_days) {
        let detail = format!("只能补登最近 {most_days} 天内的服务");
        return Err(RecordError::field("started_at", "out_of_range", detail));
    }
    Ok(())
}

/// Minutes of grade D that the member has on the day on which the entry begins.
async fn entered_on(db: &impl ConnectionTrait, calendar: &Calendar, entry: &Entry) -> Result<i64, DbErr> {
    let day = calendar.day(calendar.day_of(entry.started_at));
    let sum: Option<Option<i64>> = Entity::find()
        .select_only()
        .column_as(Column::Minutes.sum().cast_as("bigint"), "minutes")
        .filter(Column::MemberId.eq(entry.member_id))
        .filter(Column::StartedAt.gte(day.start))
        .filter(Column::StartedAt.lt(day.end))
        .filter(Column::Evidence.eq(Evidence::D))
        .filter(Column::Status.is_in([RecordStatus::Pending, RecordStatus::Verified, RecordStatus::Disputed]))
        .into_tuple()
        .one(db)
        .await?;
    Ok(sum.flatten().unwrap_or(0))
}

async fn pending(
    db: &impl ConnectionTrait,
    manager: &Manager,
    member: &member::Model,
    entry: &Entry,
    minutes: i32,
) -> Result<service_record::Model, RecordError> {
    let region_code = member.region_code.clone().ok_or(RecordError::NotFound)?;
    let programme = programme_of(db, &region_code).await?;
    Ok(service_record::Model {
        id: entry.id,
        ref_id: None,
        claim_id: None,
        task_id: None,
        activity_id: None,
        member_id: member.id,
        region_code,
        unit_id: member.unit_id,
        task_region_code: None,
        category: entry.category,
        started_at: entry.started_at,
        ended_at: entry.ended_at,
        window_minutes: None,
        minutes,
        evidence: Evidence::D,
        status: RecordStatus::Pending,
        reason: Some(entry.reason.clone()),
        entered_by: Some(manager.id),
        verified_by: None,
        verified_at: None,
        programme,
        points: None,
        rule_id: None,
        counted_at: None,
        reversed_at: None,
        created_at: entry.now,
        updated_at: entry.now,
        difficulty: 1,
        organiser: false,
    })
}
