//! How wishes look from outside.

use chrono::{DateTime, Utc};
use entity::category::Category;
use entity::claim::ClaimStatus;
use entity::id::{ClaimId, MemberId, StaffId, TaskId, WishId};
use entity::wish::{self, WishStatus};
use serde::Serialize;
use utoipa::ToSchema;

use crate::task::view::WindowView;
use crate::taxonomy::Guess;

/// Where help is wanted.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct PlaceView {
    pub lat: f64,
    pub lon: f64,
    /// Only for the requester; the volunteer of an open claim reads it in `contact`.
    pub address: Option<String>,
}

/// Whom to meet; for the volunteer of an open claim only, and each look is audited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ContactView {
    pub name: Option<String>,
    pub phone: Option<String>,
    pub address: Option<String>,
}

/// A volunteer who has claimed the wish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct HelperView {
    pub claim_id: ClaimId,
    /// Masked: 张*.
    pub name: String,
    pub status: ClaimStatus,
}

/// A wish.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct WishView {
    pub id: WishId,
    /// Its id in the data set it was imported from.
    #[serde(rename = "ref")]
    pub ref_id: Option<String>,
    pub requester_id: MemberId,
    pub region_code: String,
    pub title: String,
    pub body: String,
    pub category: Category,
    /// Codes of the list `skill`.
    pub skills: Vec<String>,
    /// A code of the list `domain`, from publication on.
    pub domain: Option<String>,
    /// Codes of the list `hazard`, from publication on.
    pub hazards: Vec<String>,
    /// What the words are taken to ask for, for staff: what publishing takes unless they say otherwise. No skills are guessed
    /// where the requester chose some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guess: Option<Guess>,
    pub slots: i32,
    /// Of the present round.
    pub window: WindowView,
    pub place: Option<PlaceView>,
    pub status: WishStatus,
    /// Higher comes first; each relisting adds one.
    pub priority: i32,
    pub risk_notice: Option<String>,
    /// Why it was rejected, cancelled, disputed or arbitrated.
    pub reason: Option<String>,
    /// 1 to 5.
    pub rating: Option<i16>,
    pub comment: Option<String>,
    /// Of the present round, from publication on.
    pub task_id: Option<TaskId>,
    /// When the clock that runs now runs out: review, first contact or completion.
    pub due_at: Option<DateTime<Utc>>,
    pub overdue: bool,
    /// Staff who wrote it down for the requester.
    pub created_by: Option<StaffId>,
    pub created_at: DateTime<Utc>,
    pub published_at: Option<DateTime<Utc>>,
    pub claimed_at: Option<DateTime<Utc>>,
    pub fulfilled_at: Option<DateTime<Utc>>,
    pub confirmed_at: Option<DateTime<Utc>>,
    pub updated_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<ContactView>,
    /// Who has claimed it; for the requester and staff, for one wish, not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volunteers: Option<Vec<HelperView>>,
}

impl WishView {
    /// Without what is sealed.
    pub fn new(wish: wish::Model, skills: Vec<String>, now: DateTime<Utc>) -> Self {
        let place = wish.lat.zip(wish.lon).map(|(lat, lon)| PlaceView { lat, lon, address: None });
        Self {
            id: wish.id,
            ref_id: wish.ref_id,
            requester_id: wish.requester_id,
            region_code: wish.region_code,
            title: wish.title,
            body: wish.body,
            category: wish.category,
            skills,
            domain: wish.domain,
            hazards: Vec::new(),
            guess: None,
            slots: wish.slots,
            window: WindowView { from: wish.window_from, until: wish.window_until },
            place,
            status: wish.status,
            priority: wish.priority,
            risk_notice: wish.risk_notice,
            reason: wish.reason,
            rating: wish.rating,
            comment: wish.comment,
            task_id: wish.task_id,
            due_at: wish.due_at,
            overdue: wish.due_at.is_some_and(|due| due < now),
            created_by: wish.created_by,
            created_at: wish.created_at,
            published_at: wish.published_at,
            claimed_at: wish.claimed_at,
            fulfilled_at: wish.fulfilled_at,
            confirmed_at: wish.confirmed_at,
            updated_at: wish.updated_at,
            contact: None,
            volunteers: None,
        }
    }
}
