//! Records as check-outs open them, and as confirmations raise them.

use chrono::{DateTime, Utc};
use entity::category::Category;
use entity::claim::CheckMeans;
use entity::id::{ClaimId, MemberId, ServiceRecordId, StaffId, TaskId, UnitId};
use entity::member;
use entity::service_record::{self, Evidence, RecordStatus};
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _,
    QuerySelect as _,
};

use super::domain::{grade, minutes_between};
use super::error::RecordError;
use crate::photo;

/// What a check-out tells about the service done.
#[derive(Clone, Debug)]
pub struct FromClaim<'a> {
    /// Drawn before the transaction.
    pub id: ServiceRecordId,
    pub claim_id: ClaimId,
    pub task_id: TaskId,
    pub member_id: MemberId,
    pub category: Category,
    pub programme: &'a str,
    /// The task's.
    pub difficulty: i16,
    /// The task's: the staff there may verify the record, as may those of the member's community.
    pub task_region: &'a str,
    /// The task's window: minutes may be raised up to its length.
    pub window_from: DateTime<Utc>,
    pub window_until: DateTime<Utc>,
    pub started_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
    pub means_in: CheckMeans,
    pub means_out: CheckMeans,
    /// Whoever gave a time ([`CheckMeans::StaffTime`]) at either end: another manager has to verify.
    pub entered_by: Option<StaffId>,
    pub now: DateTime<Utc>,
}

/// Opens the pending record of a check-out, in its transaction.
///
/// # Errors
/// [`RecordError::Overlapping`] where the member has a record at that time already, typed in for instance;
/// [`RecordError::NotFound`] where the member has no community.
pub async fn open_from_claim(
    db: &impl ConnectionTrait,
    from: &FromClaim<'_>,
) -> Result<service_record::Model, RecordError> {
    let whose = belonging(db, from.member_id).await?.ok_or(RecordError::NotFound)?;
    let record = service_record::Model {
        id: from.id,
        ref_id: None,
        claim_id: Some(from.claim_id),
        task_id: Some(from.task_id),
        activity_id: None,
        member_id: from.member_id,
        region_code: whose.region_code,
        unit_id: whose.unit_id,
        task_region_code: Some(from.task_region.to_owned()),
        category: from.category,
        started_at: from.started_at,
        ended_at: from.ended_at,
        window_minutes: Some(minutes_between(from.window_from, from.window_until)),
        minutes: minutes_between(from.started_at, from.ended_at),
        evidence: shown(db, from).await?,
        status: RecordStatus::Pending,
        reason: None,
        entered_by: from.entered_by,
        verified_by: None,
        verified_at: None,
        programme: from.programme.to_owned(),
        points: None,
        rule_id: None,
        counted_at: None,
        reversed_at: None,
        created_at: from.now,
        updated_at: from.now,
        difficulty: from.difficulty,
        organiser: false,
    };
    insert(db, record).await
}

/// What a completed booking tells about the service done.
#[derive(Clone, Debug)]
pub struct FromBooking<'a> {
    /// Drawn before the transaction.
    pub id: ServiceRecordId,
    pub member_id: MemberId,
    pub category: Category,
    pub programme: &'a str,
    /// The listing's: the staff there may verify the record, as may those of the member's community.
    pub region: &'a str,
    /// Minutes may be raised up to its length.
    pub window_from: DateTime<Utc>,
    pub window_until: DateTime<Utc>,
    pub started_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
    pub means_in: CheckMeans,
    pub means_out: CheckMeans,
    /// Whoever gave a time at either end: another manager has to verify.
    pub entered_by: Option<StaffId>,
    pub now: DateTime<Utc>,
}

/// Opens the pending record of the provider of a booked service, in the transaction that completes the booking.
///
/// # Errors
/// As [`open_from_claim`].
pub async fn open_from_booking(
    db: &impl ConnectionTrait,
    from: &FromBooking<'_>,
) -> Result<service_record::Model, RecordError> {
    let whose = belonging(db, from.member_id).await?.ok_or(RecordError::NotFound)?;
    let record = service_record::Model {
        id: from.id,
        ref_id: None,
        claim_id: None,
        task_id: None,
        activity_id: None,
        member_id: from.member_id,
        region_code: whose.region_code,
        unit_id: whose.unit_id,
        task_region_code: Some(from.region.to_owned()),
        category: from.category,
        started_at: from.started_at,
        ended_at: from.ended_at,
        window_minutes: Some(minutes_between(from.window_from, from.window_until)),
        minutes: minutes_between(from.started_at, from.ended_at),
        evidence: grade(from.means_in, from.means_out),
        status: RecordStatus::Pending,
        reason: None,
        entered_by: from.entered_by,
        verified_by: None,
        verified_at: None,
        programme: from.programme.to_owned(),
        points: None,
        rule_id: None,
        counted_at: None,
        reversed_at: None,
        created_at: from.now,
        updated_at: from.now,
        difficulty: 1,
        organiser: false,
    };
    insert(db, record).await
}

/// The grade of a service whose volunteer may have shown photos of it: they are more than a time that somebody typed in.
async fn shown(db: &impl ConnectionTrait, from: &FromClaim<'_>) -> Result<Evidence, DbErr> {
    let grade = grade(from.means_in, from.means_out);
    if grade != Evidence::D || photo::service::count(db, from.claim_id.0).await? == 0 {
        return Ok(grade);
    }
    Ok(Evidence::C)
}

/// Raises the pending record of a claim from D to C: its volunteer has shown photos of the work. Other grades stay.
///
/// # Errors
/// The database's.
pub async fn raise_to_shown(db: &impl ConnectionTrait, claim: ClaimId, now: DateTime<Utc>) -> Result<(), DbErr> {
    service_record::Entity::update_many()
        .set(service_record::ActiveModel { evidence: Set(Evidence::C), updated_at: Set(now), ..Default::default() })
        .filter(service_record::Column::ClaimId.eq(claim))
        .filter(service_record::Column::Evidence.eq(Evidence::D))
        .filter(service_record::Column::Status.is_in([RecordStatus::Pending, RecordStatus::Disputed]))
        .filter(service_record::Column::CountedAt.is_null())
        .exec(db)
        .await
        .map(drop)
}

/// Raises the records of `claims` from B to A: the person served has confirmed. Other grades stay; the number raised.
///
/// # Errors
/// The database's.
pub async fn raise_to_confirmed(
    db: &impl ConnectionTrait,
    claims: impl IntoIterator<Item = ClaimId>,
    now: DateTime<Utc>,
) -> Result<u64, DbErr> {
    let raised = service_record::Entity::update_many()
        .set(service_record::ActiveModel { evidence: Set(Evidence::A), updated_at: Set(now), ..Default::default() })
        .filter(service_record::Column::ClaimId.is_in(claims))
        .filter(service_record::Column::Evidence.eq(Evidence::B))
        .exec(db)
        .await?;
    Ok(raised.rows_affected)
}

/// The records of `claims`, for showing a claim's `service_record_id`.
///
/// # Errors
/// The database's.
pub async fn of_claims(
    db: &impl ConnectionTrait,
    claims: impl IntoIterator<Item = ClaimId>,
) -> Result<Vec<(ClaimId, ServiceRecordId)>, DbErr> {
    let rows: Vec<(Option<ClaimId>, ServiceRecordId)> = service_record::Entity::find()
        .select_only()
        .columns([service_record::Column::ClaimId, service_record::Column::Id])
        .filter(service_record::Column::ClaimId.is_in(claims))
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows.into_iter().filter_map(|(claim, record)| Some((claim?, record))).collect())
}

/// Where a member belongs when a record is opened; it stays with the record.
pub(super) struct Belonging {
    pub(super) region_code: String,
    pub(super) unit_id: Option<UnitId>,
}

/// `None` where there is no such member, or one without a community.
pub(super) async fn belonging(db: &impl ConnectionTrait, id: MemberId) -> Result<Option<Belonging>, DbErr> {
    let found: Option<(Option<String>, Option<UnitId>)> = member::Entity::find_by_id(id)
        .select_only()
        .columns([member::Column::RegionCode, member::Column::UnitId])
        .into_tuple()
        .one(db)
        .await?;
    Ok(found.and_then(|(region_code, unit_id)| Some(Belonging { region_code: region_code?, unit_id })))
}

pub(super) async fn insert(
    db: &impl ConnectionTrait,
    record: service_record::Model,
) -> Result<service_record::Model, RecordError> {
    let row = service_record::ActiveModel::from(record.clone()).reset_all();
    service_record::Entity::insert(row).exec_without_returning(db).await?;
    Ok(record)
}
