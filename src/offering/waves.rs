//! What staff see of a task's offers.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entity::claim::{self, ClaimStatus};
use entity::id::{AssignmentId, ClaimId, MemberId, StaffId, TaskId};
use entity::member;
use entity::offer::{self, OfferSource};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::identity::mask;
use crate::task::view::OfferFactor;
use crate::task::view::OfferView;

/// People who were asked together.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct WaveView {
    /// 1 is the first that the matcher made; null: made by staff by hand.
    wave: Option<i32>,
    /// Null: staff by hand.
    source: Option<OfferSource>,
    assignment_id: Option<AssignmentId>,
    offered_by: Option<StaffId>,
    asked_at: DateTime<Utc>,
    /// When the last of them lapses.
    expires_at: Option<DateTime<Utc>>,
    size: usize,
    /// How many wait for an answer, said yes (whatever became of it), said no, and let it lapse.
    waiting: usize,
    accepted: usize,
    declined: usize,
    lapsed: usize,
    /// Best first.
    offers: Vec<AskedView>,
}

/// Somebody who was asked.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct AskedView {
    claim_id: ClaimId,
    member_id: MemberId,
    /// Masked.
    name: String,
    status: ClaimStatus,
    score: Option<i32>,
    factors: Vec<OfferFactor>,
    /// When it was answered, or lapsed.
    answered_at: Option<DateTime<Utc>>,
    reason: Option<String>,
}

/// Waves of a task, newest first.
pub(super) async fn of(db: &impl ConnectionTrait, task: TaskId, now: DateTime<Utc>) -> Result<Vec<WaveView>, DbErr> {
    let claims = claim::Entity::find()
        .filter(claim::Column::TaskId.eq(task))
        .filter(claim::Column::OfferExpiresAt.is_not_null())
        .order_by_asc(claim::Column::Id)
        .all(db)
        .await?;
    let offers = offer::Entity::find().filter(offer::Column::TaskId.eq(task)).all(db).await?;
    let offers: HashMap<ClaimId, offer::Model> = offers.into_iter().map(|row| (row.claim_id, row)).collect();
    let names = names(db, &claims).await?;
    let mut waves: Vec<WaveView> = Vec::new();
    for claim in &claims {
        let offer = offers.get(&claim.id);
        let (number, source) = (offer.map(|offer| offer.wave), offer.map(|offer| offer.source));
        let same = |wave: &WaveView| wave.wave == number && (number.is_some() || wave.asked_at == claim.created_at);
        let known = waves.iter().position(same);
        let at = known.unwrap_or_else(|| {
            waves.push(WaveView::of(claim, number, source, offer.and_then(|offer| offer.assignment_id)));
            waves.len() - 1
        });
        waves[at].add(claim, offer, names.get(&claim.member_id), now);
    }
    for wave in &mut waves {
        wave.offers.sort_by_key(|asked| std::cmp::Reverse(asked.score));
    }
    waves.sort_by_key(|wave| std::cmp::Reverse((wave.asked_at, wave.wave)));
    Ok(waves)
}

async fn names(db: &impl ConnectionTrait, claims: &[claim::Model]) -> Result<HashMap<MemberId, Option<String>>, DbErr> {
    let rows: Vec<(MemberId, Option<String>)> = member::Entity::find()
        .select_only()
        .columns([member::Column::Id, member::Column::Name])
        .filter(member::Column::Id.is_in(claims.iter().map(|claim| claim.member_id)))
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows.into_iter().collect())
}

impl WaveView {
    /// With nobody in it yet.
    fn of(
        claim: &claim::Model,
        wave: Option<i32>,
        source: Option<OfferSource>,
        assignment_id: Option<AssignmentId>,
    ) -> Self {
        Self {
            wave,
            source,
            assignment_id,
            offered_by: claim.offered_by,
            asked_at: claim.created_at,
            expires_at: None,
            size: 0,
            waiting: 0,
            accepted: 0,
            declined: 0,
            lapsed: 0,
            offers: Vec::new(),
        }
    }

    fn add(
        &mut self,
        claim: &claim::Model,
        offer: Option<&offer::Model>,
        name: Option<&Option<String>>,
        now: DateTime<Utc>,
    ) {
        self.size += 1;
        self.expires_at = self.expires_at.max(claim.offer_expires_at);
        let ran_out = claim.offer_expires_at.is_some_and(|expires| expires <= now);
        // A claim that goes on, or ended after it was accepted, was a yes.
        let status = match claim.status {
            ClaimStatus::Offered if ran_out => ClaimStatus::Lapsed,
            status => status,
        };
        match status {
            ClaimStatus::Offered => self.waiting += 1,
            ClaimStatus::Declined => self.declined += 1,
            ClaimStatus::Lapsed => self.lapsed += 1,
            _ => self.accepted += 1,
        }
        self.offers.push(AskedView {
            claim_id: claim.id,
            member_id: claim.member_id,
            name: mask::name(name.and_then(Option::as_deref)),
            status,
            score: offer.map(|offer| offer.score),
            factors: offer.map(|offer| OfferView::from(offer).factors).unwrap_or_default(),
            answered_at: claim.accepted_at.or(claim.ended_at),
            reason: claim.reason.clone(),
        });
    }
}
