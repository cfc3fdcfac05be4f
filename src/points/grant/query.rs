//! Rounds of grants and donated points, as staff see them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entity::account::AccountKind;
use entity::adjustment::AdjustmentStatus;
use entity::grant_round::{Column, Entity, GrantSource, Model};
use entity::id::{BudgetId, GrantRoundId, MemberId, StaffId};
use entity::{account, entry, member};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, FromQueryResult, JoinType, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, RelationDef,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::rank::Candidate;
use super::service::{self, NewRound};
use crate::http::{Listing, Page, Problem};
use crate::identity::mask;
use crate::points::Points;
use crate::region::{self, RegionCode, Subtree};

/// A round of grants.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct RoundView {
    /// Null for a dry run.
    id: Option<GrantRoundId>,
    /// `pending`: a second manager has to decide; nothing has moved yet. Of a dry run: what it would be.
    status: AdjustmentStatus,
    region_code: String,
    programme: String,
    from: GrantSource,
    budget_id: Option<BudgetId>,
    amount_each: Points,
    count: i32,
    /// What all get together.
    total: Points,
    reason: String,
    dry_run: bool,
    requested_by: StaffId,
    decided_by: Option<StaffId>,
    created_at: DateTime<Utc>,
    decided_at: Option<DateTime<Utc>>,
    /// In no order that tells who needs more; empty in lists.
    members: Vec<GrantedView>,
}

/// Somebody who is given something.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct GrantedView {
    member_id: MemberId,
    /// Masked.
    name: String,
}

impl RoundView {
    fn new(row: Model, members: Vec<GrantedView>) -> Self {
        Self {
            id: Some(row.id),
            status: row.status,
            region_code: row.region_code,
            programme: row.programme,
            from: row.source,
            budget_id: row.budget_id,
            amount_each: Points::from_hundredths(row.amount_each),
            count: row.members,
            total: Points::from_hundredths(row.amount_each.saturating_mul(i64::from(row.members))),
            reason: row.reason,
            dry_run: false,
            requested_by: row.requested_by,
            decided_by: row.decided_by,
            created_at: row.created_at,
            decided_at: row.decided_at,
            members,
        }
    }

    /// What a round would be.
    pub(super) fn tried(new: &NewRound, large: bool, by: StaffId, now: DateTime<Utc>) -> Self {
        let granted = |candidate: &Candidate| GrantedView {
            member_id: candidate.id,
            name: mask::name(candidate.name.as_deref()),
        };
        Self {
            id: None,
            status: if large { AdjustmentStatus::Pending } else { AdjustmentStatus::Posted },
            region_code: new.region.to_string(),
            programme: new.programme.clone(),
            from: new.source,
            budget_id: new.budget_id,
            amount_each: new.amount_each,
            count: i32::try_from(new.chosen.len()).unwrap_or(i32::MAX),
            total: new.total().unwrap_or_default(),
            reason: new.reason.clone(),
            dry_run: true,
            requested_by: by,
            decided_by: None,
            created_at: now,
            decided_at: None,
            members: new.chosen.iter().map(granted).collect(),
        }
    }
}

/// One round with its members.
///
/// # Errors
/// The database's.
pub(super) async fn one(db: &impl ConnectionTrait, row: Model) -> Result<RoundView, DbErr> {
    let ids = service::members_of(&service::shares(db, row.id).await?);
    let people = member::Entity::find().filter(member::Column::Id.is_in(ids.iter().copied())).all(db).await?;
    let names: HashMap<_, _> = people.into_iter().map(|person| (person.id, person.name)).collect();
    let granted =
        |id: MemberId| GrantedView { member_id: id, name: mask::name(names.get(&id).and_then(Option::as_deref)) };
    Ok(RoundView::new(row, ids.into_iter().map(granted).collect()))
}

/// Rounds of a subtree, latest first, without their members.
///
/// # Errors
/// 422 for a forged cursor; the database's.
pub(super) async fn rounds(
    db: &impl ConnectionTrait,
    subtree: &Subtree,
    status: Option<AdjustmentStatus>,
    page: &Page,
) -> Result<Listing<RoundView>, Problem> {
    let mut query = Entity::find().filter(subtree.covers(Expr::col((Entity, Column::RegionCode))));
    if let Some(status) = status {
        query = query.filter(Column::Status.eq(status));
    }
    if let Some(after) = page.after::<GrantRoundId>()? {
        query = query.filter(Column::Id.lt(after));
    }
    let rows = query.order_by_desc(Column::Id).limit(page.limit() + 1).all(db).await?;
    Ok(Listing::cut(rows, page, |last| last.id).map(|row| RoundView::new(row, Vec::new())))
}

/// What stands in one community's donated account.
#[derive(Clone, Debug, Serialize, ToSchema, FromQueryResult)]
pub(super) struct DonatedRow {
    region_code: String,
    programme: String,
    amount: i64,
}

/// What members of a community gave away for good, less what was granted from it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct DonatedView {
    region_code: String,
    programme: String,
    amount: Points,
}

/// What stands in the donated accounts of a subtree, by community and programme.
///
/// # Errors
/// 422 for a forged cursor; the database's.
pub(super) async fn donated(
    db: &impl ConnectionTrait,
    subtree: &Subtree,
    region: Option<&RegionCode>,
    programme: Option<&str>,
    page: &Page,
) -> Result<Listing<DonatedView>, Problem> {
    use account::{Column, Entity};
    let of_account: RelationDef =
        entry::Entity::belongs_to(Entity).from(entry::Column::AccountId).to(Column::Id).into();
    let lies_in = |subtree: &Subtree| subtree.covers(Expr::col((Entity, Column::RegionCode)));
    let mut query = entry::Entity::find()
        .select_only()
        .column(Column::RegionCode)
        .column(Column::Programme)
        .column_as(Expr::col((entry::Entity, entry::Column::Amount)).sum().cast_as("bigint"), "amount")
        .join(JoinType::InnerJoin, of_account)
        .filter(Column::Kind.eq(AccountKind::Donated))
        .filter(lies_in(subtree));
    if let Some(region) = region {
        query = query.filter(lies_in(&region.subtree()));
    }
    if let Some(programme) = programme {
        query = query.filter(Column::Programme.eq(programme));
    }
    if let Some((code, programme)) = page.after::<(String, String)>()? {
        query = query.filter(region::after((Column::RegionCode, code.as_str()), (Column::Programme, programme)));
    }
    let rows = query
        .group_by(Column::RegionCode)
        .group_by(Column::Programme)
        .order_by_asc(Column::RegionCode)
        .order_by_asc(Column::Programme)
        .limit(page.limit() + 1)
        .into_model::<DonatedRow>()
        .all(db)
        .await?;
    let page = Listing::cut(rows, page, |last| (last.region_code.clone(), last.programme.clone()));
    Ok(page.map(|row| DonatedView {
        region_code: row.region_code,
        programme: row.programme,
        amount: Points::from_hundredths(row.amount),
    }))
}
