//! How tasks and claims look from outside.

use chrono::{DateTime, Utc};
use entity::category::Category;
use entity::claim::{self, CheckMeans, ClaimStatus};
use entity::id::{AssignmentId, ClaimId, MemberId, ServiceRecordId, StaffId, TaskId};
use entity::offer::{self, OfferSource};
use entity::task::{self, TaskSource, TaskStatus};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::check::Point;

/// When work is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct WindowView {
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
}

/// Where work is done, in degrees.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct PointView {
    pub lat: f64,
    pub lon: f64,
}

/// What a task was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SourceView {
    pub kind: TaskSource,
    pub id: Uuid,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct TaskView {
    pub id: TaskId,
    pub source: SourceView,
    pub region_code: String,
    pub title: String,
    pub body: String,
    pub category: Category,
    /// Codes of the list `skill`.
    pub skills: Vec<String>,
    /// A code of the list `domain`.
    pub domain: Option<String>,
    /// Codes of the list `hazard`: only who has what they ask for can claim.
    pub hazards: Vec<String>,
    pub slots: i32,
    /// Claims that hold a slot: `0..=slots`.
    pub taken: i32,
    pub window: WindowView,
    /// To about a hundred metres, unless the caller has an open claim or is staff: a wish's place is somebody's home.
    pub place: Option<PointView>,
    /// Check-in asks for the place beside the code.
    pub place_required: bool,
    pub status: TaskStatus,
    pub risk_notice: Option<String>,
    /// Higher comes first.
    pub priority: i32,
    /// How hard the work is, 1 to 3; rules may pay more for 2 and 3.
    pub difficulty: i16,
    /// Whose points it earns.
    pub programme: String,
    /// From the point asked for, as exact as `place`; only with `near`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distance_m: Option<i64>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// How exactly a caller may know the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    Exact,
    Coarse,
}

/// Degrees to three places: about a hundred metres.
fn coarse(Point { lat, lon }: Point) -> Point {
    Point { lat: (lat * 1000.0).round() / 1000.0, lon: (lon * 1000.0).round() / 1000.0 }
}

/// Whole metres from `near` to where a place is said to be to everybody.
pub(super) fn coarse_metres(near: Point, place: Point) -> i64 {
    whole_metres(near, coarse(place))
}

#[expect(clippy::cast_possible_truncation, reason = "a distance on this planet is below 21 million metres")]
fn whole_metres(near: Point, place: Point) -> i64 {
    near.metres_to(place).round() as i64
}

impl TaskView {
    pub fn new(task: task::Model, skills: Vec<String>, precision: Precision, near: Option<Point>) -> Self {
        let place = task.lat.zip(task.lon).map(|(lat, lon)| match precision {
            Precision::Exact => Point { lat, lon },
            Precision::Coarse => coarse(Point { lat, lon }),
        });
        let distance_m = near.zip(place).map(|(near, place)| whole_metres(near, place));
        Self {
            id: task.id,
            source: SourceView { kind: task.source_kind, id: task.source_id },
            region_code: task.region_code,
            title: task.title,
            body: task.body,
            category: task.category,
            skills,
            domain: task.domain,
            hazards: Vec::new(),
            slots: task.slots,
            taken: task.taken,
            window: WindowView { from: task.window_from, until: task.window_until },
            place: place.map(|Point { lat, lon }| PointView { lat, lon }),
            place_required: task.place_required,
            status: task.status,
            risk_notice: task.risk_notice,
            priority: task.priority,
            difficulty: task.difficulty,
            programme: task.programme,
            distance_m,
            created_at: task.created_at,
            updated_at: task.updated_at,
        }
    }
}

/// A claim.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ClaimView {
    pub id: ClaimId,
    pub task_id: TaskId,
    pub member_id: MemberId,
    pub status: ClaimStatus,
    /// The task's.
    pub window: WindowView,
    /// Who offered it; none where the volunteer claimed by themselves, and where the matcher asked (see `offer`).
    pub offered_by: Option<StaffId>,
    /// An offer not answered by then lapses.
    pub offer_expires_at: Option<DateTime<Utc>>,
    /// Why the matcher offered it to this volunteer; none where staff did by hand, or nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer: Option<OfferView>,
    pub accepted_at: Option<DateTime<Utc>>,
    pub checked_in_at: Option<DateTime<Utc>>,
    pub check_in_means: Option<CheckMeans>,
    pub checked_out_at: Option<DateTime<Utc>>,
    pub check_out_means: Option<CheckMeans>,
    pub ended_at: Option<DateTime<Utc>>,
    /// Why it was declined, withdrawn or noted as missed.
    pub reason: Option<String>,
    /// From check-out on.
    pub service_record_id: Option<ServiceRecordId>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl ClaimView {
    pub fn new(claim: claim::Model, record: Option<ServiceRecordId>) -> Self {
        Self {
            id: claim.id,
            task_id: claim.task_id,
            member_id: claim.member_id,
            status: claim.status,
            window: WindowView { from: claim.window_from, until: claim.window_until },
            offered_by: claim.offered_by,
            offer_expires_at: claim.offer_expires_at,
            offer: None,
            accepted_at: claim.accepted_at,
            checked_in_at: claim.checked_in_at,
            check_in_means: claim.check_in_means,
            checked_out_at: claim.checked_out_at,
            check_out_means: claim.check_out_means,
            ended_at: claim.ended_at,
            reason: claim.reason,
            service_record_id: record,
            created_at: claim.created_at,
            updated_at: claim.updated_at,
        }
    }
}

impl ClaimView {
    /// With what the matcher knew when it asked.
    #[must_use]
    pub fn explained(mut self, offer: Option<&offer::Model>) -> Self {
        self.offer = offer.map(OfferView::from);
        self
    }
}

/// Why the matcher asked, as of then.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct OfferView {
    pub source: OfferSource,
    /// Those asked together have the same; 1 is the task's first.
    pub wave: i32,
    /// The plan it came from.
    pub assignment_id: Option<AssignmentId>,
    /// The sum of the factors.
    pub score: i32,
    pub factors: Vec<OfferFactor>,
}

/// Something that counted, or with `max` 0 only ordered what was equal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OfferFactor {
    pub name: String,
    pub value: i64,
    pub max: i64,
}

impl From<&offer::Model> for OfferView {
    fn from(row: &offer::Model) -> Self {
        let counted = |name: &str, value: i32, max| OfferFactor { name: name.to_owned(), value: value.into(), max };
        let mut factors = vec![
            counted("skill", row.skill_points, 50),
            counted("near", row.near_points, 30),
            counted("time", row.time_points, 20),
        ];
        // Ours: what is no list of factors was forgotten with its member.
        factors.extend(serde_json::from_value::<Vec<OfferFactor>>(row.ordering.clone()).unwrap_or_default());
        Self { source: row.source, wave: row.wave, assignment_id: row.assignment_id, score: row.score, factors }
    }
}

/// The code to show at the place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct CheckInCodeView {
    /// Shown as QR.
    pub code: String,
    /// When the next one is to be fetched; this one counts for 30 s more.
    pub valid_until: DateTime<Utc>,
}
