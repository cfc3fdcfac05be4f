//! Merits as answers show them.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use entity::category::Category;
use entity::id::{HouseholdId, MemberId, MeritId, PhotoId, RuleId, StaffId};
use entity::merit::{Column, DisputeOutcome, Entity, MeritKind, MeritStatus, Model};
use entity::service_record::Evidence;
use sea_orm::{ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::SOURCE;
use crate::http::decimal;
use crate::photo::{self, PhotoView};
use crate::points::{Points, due};

/// A donation, an event or a household's score. Its evidence is C with photos, D without, B where the one who approved it saw it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MeritView {
    pub id: MeritId,
    #[schema(inline)]
    pub kind: MeritKind,
    /// Whose points they are; of a household score the head of the household.
    pub member_id: MemberId,
    pub household_id: Option<HouseholdId>,
    /// The member's community when it was entered.
    pub region_code: String,
    pub programme: String,
    #[schema(inline)]
    pub category: Category,
    /// Code of the rule's item.
    pub item: Option<String>,
    pub quantity: i32,
    /// Of a donation, in yuan: `"128.50"`.
    pub value: Option<String>,
    /// Of a household score: `2026-11`.
    pub period: Option<String>,
    pub happened_on: NaiveDate,
    pub description: Option<String>,
    #[schema(inline)]
    pub evidence: Evidence,
    #[schema(inline)]
    pub status: MeritStatus,
    /// By rule, as in `"12.50"`; below zero where they are taken. Null until approved.
    pub points: Option<String>,
    /// Of these, what waits for a budget.
    pub points_due: String,
    /// Of a deduction, what was not there to be taken. Nobody asks for it later.
    pub shortfall: String,
    pub rule_id: Option<RuleId>,
    /// Why points are taken, or why it was rejected or reversed, whichever came last.
    pub reason: Option<String>,
    pub entered_by: Option<StaffId>,
    /// The member who reported it.
    pub submitted_by: Option<MemberId>,
    pub decided_by: Option<StaffId>,
    pub decided_at: Option<DateTime<Utc>>,
    pub reversed_by: Option<StaffId>,
    pub reversed_at: Option<DateTime<Utc>>,
    pub dispute: Option<DisputeView>,
    pub photos: Vec<MeritPhotoView>,
    pub created_at: DateTime<Utc>,
}

/// An objection. Its outcome is null while it waits.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DisputeView {
    pub at: DateTime<Utc>,
    pub reason: Option<String>,
    #[schema(inline)]
    pub outcome: Option<DisputeOutcome>,
    pub answer: Option<String>,
    pub decided_at: Option<DateTime<Utc>>,
}

/// A photo of a merit.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MeritPhotoView {
    #[serde(flatten)]
    pub photo: PhotoView,
    /// The same picture proves something else as well: look twice.
    pub seen_before: bool,
}

/// What lies beside the rows: their photos, and what is owed for them.
struct Beside {
    photos: HashMap<Uuid, Vec<MeritPhotoView>>,
    due: HashMap<Uuid, Points>,
}

impl Beside {
    async fn of(db: &impl ConnectionTrait, rows: &[Model]) -> Result<Self, DbErr> {
        let ids = || rows.iter().map(|row| row.id.0);
        let found = photo::service::of_subjects(db, ids()).await?;
        let again: Vec<PhotoId> = photo::service::used_elsewhere(db, &found).await?;
        let mut photos: HashMap<Uuid, Vec<MeritPhotoView>> = HashMap::new();
        for row in found {
            let Some(subject) = row.subject_id else { continue };
            let seen_before = again.contains(&row.id);
            photos.entry(subject).or_default().push(MeritPhotoView { photo: row.into(), seen_before });
        }
        Ok(Self { photos, due: due::waiting_for(db, SOURCE, ids()).await? })
    }
}

/// Shows rows, by three queries however many.
pub(super) async fn views(db: &impl ConnectionTrait, rows: Vec<Model>) -> Result<Vec<MeritView>, DbErr> {
    let mut beside = Beside::of(db, &rows).await?;
    Ok(rows.into_iter().map(|row| view(row, &mut beside)).collect())
}

/// Shows one row.
pub(super) async fn one(db: &impl ConnectionTrait, row: Model) -> Result<MeritView, DbErr> {
    let mut beside = Beside::of(db, std::slice::from_ref(&row)).await?;
    Ok(view(row, &mut beside))
}

fn view(row: Model, beside: &mut Beside) -> MeritView {
    let dispute = row.disputed_at.map(|at| DisputeView {
        at,
        reason: row.dispute_reason,
        outcome: row.dispute_outcome,
        answer: row.dispute_answer,
        decided_at: row.dispute_decided_at,
    });
    MeritView {
        id: row.id,
        kind: row.kind,
        member_id: row.member_id,
        household_id: row.household_id,
        region_code: row.region_code,
        programme: row.programme,
        category: row.category,
        item: row.item,
        quantity: row.quantity,
        value: row.value_fen.map(decimal),
        period: row.period,
        happened_on: row.happened_on,
        description: row.description,
        evidence: row.evidence,
        status: row.status,
        points: row.points.map(decimal),
        points_due: beside.due.get(&row.id.0).copied().unwrap_or_default().to_string(),
        shortfall: decimal(row.shortfall),
        rule_id: row.rule_id,
        reason: row.reason,
        entered_by: row.entered_by,
        submitted_by: row.submitted_by,
        decided_by: row.decided_by,
        decided_at: row.decided_at,
        reversed_by: row.reversed_by,
        reversed_at: row.reversed_at,
        dispute,
        photos: beside.photos.remove(&row.id.0).unwrap_or_default(),
        created_at: row.created_at,
    }
}

/// All of a member's merits, for the member's own export; photos by id.
///
/// # Errors
/// The database's.
pub async fn exported(db: &impl ConnectionTrait, member: MemberId) -> Result<Vec<Value>, DbErr> {
    let rows = Entity::find().filter(Column::MemberId.eq(member)).order_by_asc(Column::Id).all(db).await?;
    let show = |row: Model| {
        json!({
            "id": row.id, "kind": row.kind, "household_id": row.household_id, "category": row.category,
            "item": row.item, "quantity": row.quantity, "value": row.value_fen.map(decimal), "period": row.period,
            "happened_on": row.happened_on, "description": row.description, "evidence": row.evidence,
            "status": row.status, "points": row.points.map(decimal), "shortfall": decimal(row.shortfall),
            "reason": row.reason, "decided_at": row.decided_at, "reversed_at": row.reversed_at,
            "disputed_at": row.disputed_at, "dispute_reason": row.dispute_reason,
            "dispute_answer": row.dispute_answer, "created_at": row.created_at,
        })
    };
    Ok(rows.into_iter().map(show).collect())
}
