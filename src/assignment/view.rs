//! How assignments look from outside.

use chrono::{DateTime, Utc};
use entity::assignment::{self, AssignmentStatus};
use entity::assignment_pair::{self as pair, PairOutcome};
use entity::category::Category;
use entity::id::{AssignmentId, ClaimId, MemberId, StaffId, TaskId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::task::offering::Skip;
use crate::task::view::OfferFactor;

/// A plan of whom to ask for what.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct AssignmentView {
    id: AssignmentId,
    region_code: String,
    /// Asked for without offers; they may have been made since, see `status`.
    dry_run: bool,
    status: AssignmentStatus,
    max_claims_per_member: i32,
    expires_in_minutes: i32,
    from: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
    /// None: all.
    categories: Vec<Category>,
    /// Open tasks with free slots that were looked at, and volunteers.
    tasks: i32,
    volunteers: i32,
    /// Pairs of the plan.
    assigned: i32,
    /// Free slots that nobody was found for.
    unassigned: i32,
    /// The sum of scores: no other plan has a greater one.
    objective: i64,
    /// Why the plan is empty.
    reason: Option<String>,
    created_by: StaffId,
    created_at: DateTime<Utc>,
    offered_by: Option<StaffId>,
    offered_at: Option<DateTime<Utc>>,
    withdrawn_by: Option<StaffId>,
    withdrawn_at: Option<DateTime<Utc>>,
    /// By task, then member. Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pairs: Option<Vec<PairView>>,
}

/// One volunteer for one task.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct PairView {
    task_id: TaskId,
    member_id: MemberId,
    /// The sum of the factors.
    score: i32,
    factors: Vec<OfferFactor>,
    outcome: PairOutcome,
    /// Why no offer was made, where it had become impossible.
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<SkippedView>,
    /// The offer.
    claim_id: Option<ClaimId>,
}

/// Why no offer was made.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct SkippedView {
    /// `task_closed`, `task_full`, `already_asked`, `overlapping_claim`, `not_a_volunteer` or `too_many_offers`.
    code: String,
    /// For people.
    detail: String,
}

impl AssignmentView {
    pub(super) fn new(row: assignment::Model, pairs: Option<Vec<pair::Model>>) -> Self {
        Self {
            id: row.id,
            region_code: row.region_code,
            dry_run: row.dry_run,
            status: row.status,
            max_claims_per_member: row.max_claims_per_member,
            expires_in_minutes: row.expires_minutes,
            from: row.window_from,
            until: row.window_until,
            categories: serde_json::from_value(row.categories).unwrap_or_default(),
            tasks: row.tasks,
            volunteers: row.volunteers,
            assigned: row.assigned,
            unassigned: row.unassigned,
            objective: row.objective,
            reason: row.reason,
            created_by: row.created_by,
            created_at: row.created_at,
            offered_by: row.offered_by,
            offered_at: row.offered_at,
            withdrawn_by: row.withdrawn_by,
            withdrawn_at: row.withdrawn_at,
            pairs: pairs.map(|pairs| pairs.into_iter().map(PairView::from).collect()),
        }
    }
}

impl From<pair::Model> for PairView {
    fn from(row: pair::Model) -> Self {
        let factor = |name: &str, value: i32, max| OfferFactor { name: name.to_owned(), value: value.into(), max };
        let skipped = row.skipped_as.map(|code| SkippedView { detail: Skip::words(&code).to_owned(), code });
        Self {
            task_id: row.task_id,
            member_id: row.member_id,
            score: row.score,
            factors: vec![
                factor("skill", row.skill_points, 50),
                factor("near", row.near_points, 30),
                factor("time", row.time_points, 20),
            ],
            outcome: row.outcome,
            skipped,
            claim_id: row.claim_id,
        }
    }
}
