//! Records and summaries as answers show them.

use chrono::{DateTime, Utc};
use entity::category::Category;
use entity::id::{ClaimId, MemberId, RuleId, ServiceRecordId, StaffId, TaskId};
use entity::service_record::{Evidence, Model, RecordStatus};
use sea_orm::{ConnectionTrait, DbErr};
use serde::Serialize;
use utoipa::ToSchema;

use super::domain::hours;
use super::service::Summary;
use crate::http::decimal;
use crate::points::{RECORD, due};

/// A service record.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ServiceRecordView {
    pub id: ServiceRecordId,
    /// The id it had in the data set it was imported from.
    #[serde(rename = "ref")]
    pub ref_id: Option<String>,
    /// None where it was imported or typed in.
    pub claim_id: Option<ClaimId>,
    pub task_id: Option<TaskId>,
    pub member_id: MemberId,
    /// The member's community at the time.
    pub region_code: String,
    #[schema(inline)]
    pub category: Category,
    pub started_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
    /// Rounded down; as verified once it is.
    pub minutes: i32,
    #[schema(inline)]
    pub evidence: Evidence,
    /// 1 to 3: the task's, or as verified.
    pub difficulty: i16,
    /// Whether the member led the service, as verified.
    pub organiser: bool,
    #[schema(inline)]
    pub status: RecordStatus,
    /// Why it was entered, adjusted, rejected, reversed or disputed, whichever came last.
    pub reason: Option<String>,
    pub programme: String,
    /// Earned at verification, as in `"12.50"`.
    pub points: Option<String>,
    /// What of it waits until a budget has funds: `"0.00"` once it is paid; null before verification.
    pub points_due: Option<String>,
    /// The version of the rule by which it was valued; null where none applied.
    pub rule_id: Option<RuleId>,
    /// The staff account that typed it in or gave one of its times.
    pub entered_by: Option<StaffId>,
    pub verified_by: Option<StaffId>,
    pub verified_at: Option<DateTime<Utc>>,
    pub reversed_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

impl From<Model> for ServiceRecordView {
    fn from(record: Model) -> Self {
        Self {
            id: record.id,
            ref_id: record.ref_id,
            claim_id: record.claim_id,
            task_id: record.task_id,
            member_id: record.member_id,
            region_code: record.region_code,
            category: record.category,
            started_at: record.started_at,
            ended_at: record.ended_at,
            minutes: record.minutes,
            evidence: record.evidence,
            difficulty: record.difficulty,
            organiser: record.organiser,
            status: record.status,
            reason: record.reason,
            programme: record.programme,
            points: record.points.map(decimal),
            points_due: record.points.map(|_| decimal(0)),
            rule_id: record.rule_id,
            entered_by: record.entered_by,
            verified_by: record.verified_by,
            verified_at: record.verified_at,
            reversed_at: record.reversed_at,
            created_at: record.created_at,
        }
    }
}

impl ServiceRecordView {
    /// Records with what of their points is still owed.
    ///
    /// # Errors
    /// The database's.
    pub async fn of(db: &impl ConnectionTrait, records: Vec<Model>) -> Result<Vec<Self>, DbErr> {
        let earned = records.iter().filter(|record| record.points.is_some_and(|points| points > 0));
        let owed = due::waiting_for(db, RECORD, earned.map(|record| record.id.0)).await?;
        let view = |record: Model| {
            let owed = owed.get(&record.id.0).copied();
            let view = Self::from(record);
            Self { points_due: owed.map(|owed| owed.to_string()).or(view.points_due), ..view }
        };
        Ok(records.into_iter().map(view).collect())
    }

    /// One record, in the same way.
    ///
    /// # Errors
    /// The database's.
    pub async fn one(db: &impl ConnectionTrait, record: Model) -> Result<Self, DbErr> {
        let plain = Self::from(record.clone());
        Ok(Self::of(db, vec![record]).await?.pop().unwrap_or(plain))
    }
}

/// What a member's service sums up to. `minutes`, `hours` and `star_level` count opening balances, the rest does not.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ServiceSummaryView {
    /// Verified records, without those reversed.
    pub records: i64,
    pub minutes: i64,
    /// As in `"12.50"`, rounded down.
    pub hours: String,
    /// 0 to 5.
    pub star_level: i16,
    /// Categories with records.
    pub by_category: Vec<CategorySummaryView>,
}

/// One category's part.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CategorySummaryView {
    #[schema(inline)]
    pub category: Category,
    pub records: i64,
    pub minutes: i64,
    pub hours: String,
}

impl From<Summary> for ServiceSummaryView {
    fn from(summary: Summary) -> Self {
        let by_category = summary.by_category.iter().map(|sum| CategorySummaryView {
            category: sum.category,
            records: sum.records,
            minutes: sum.minutes,
            hours: decimal(hours(sum.minutes)),
        });
        Self {
            records: summary.records,
            minutes: summary.minutes,
            hours: decimal(hours(summary.minutes)),
            star_level: summary.star_level,
            by_category: by_category.collect(),
        }
    }
}
