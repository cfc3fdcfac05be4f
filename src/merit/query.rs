//! Reading merits, each within what the caller may see.

use chrono::NaiveDate;
use entity::id::{HouseholdId, MemberId, MeritId};
use entity::merit::{Column, Entity, MeritKind, MeritStatus, Model};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, SelectExt as _,
};

use super::error::MeritError;
use crate::http::{Listing, Page, Problem};
use crate::identity::Scope;
use crate::region::RegionCode;

/// Which merits to list.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub region: Option<RegionCode>,
    pub status: Option<MeritStatus>,
    pub kind: Option<MeritKind>,
    pub member: Option<MemberId>,
    pub household: Option<HouseholdId>,
    /// The first and the last day on which they happened.
    pub from: Option<NaiveDate>,
    pub until: Option<NaiveDate>,
    /// With an objection that waits for its answer, or without.
    pub disputed: Option<bool>,
}

/// One merit.
///
/// # Errors
/// [`MeritError::NotFound`] where it is not within `scope`.
pub(super) async fn find(db: &impl ConnectionTrait, scope: &Scope, id: MeritId) -> Result<Model, MeritError> {
    let seen = scope.owned(Column::MemberId, Column::RegionCode);
    Entity::find_by_id(id).filter(seen).one(db).await?.ok_or(MeritError::NotFound)
}

/// One merit, locked: of two who decide about it at once the second sees what the first did.
///
/// # Errors
/// [`MeritError::NotFound`] where it is not within `scope`.
pub(super) async fn take(db: &impl ConnectionTrait, scope: &Scope, id: MeritId) -> Result<Model, MeritError> {
    let seen = scope.owned(Column::MemberId, Column::RegionCode);
    Entity::find_by_id(id).filter(seen).lock_exclusive().one(db).await?.ok_or(MeritError::NotFound)
}

/// Whether there is such a merit for anybody.
///
/// # Errors
/// The database's.
pub(super) async fn exists(db: &impl ConnectionTrait, id: MeritId) -> Result<bool, DbErr> {
    Entity::find_by_id(id).exists(db).await
}

/// A page of merits, latest first.
///
/// # Errors
/// 422 for a forged cursor; the database's.
pub(super) async fn list(
    db: &impl ConnectionTrait,
    scope: &Scope,
    wanted: &Wanted,
    page: &Page,
) -> Result<Listing<Model>, Problem> {
    let mut rows = Entity::find().filter(scope.owned(Column::MemberId, Column::RegionCode)).filter(filters(wanted));
    if let Some(after) = page.after::<MeritId>()? {
        rows = rows.filter(Column::Id.lt(after));
    }
    let rows = rows.order_by_desc(Column::Id).limit(page.limit() + 1).all(db).await?;
    Ok(Listing::cut(rows, page, |last| last.id))
}

fn filters(wanted: &Wanted) -> Condition {
    let waits = || Condition::all().add(Column::DisputedAt.is_not_null()).add(Column::DisputeOutcome.is_null());
    Condition::all()
        .add_option(
            wanted
                .region
                .as_ref()
                .map(|region| Scope::Staff(region.subtree()).owned(Column::MemberId, Column::RegionCode)),
        )
        .add_option(wanted.status.map(|status| Column::Status.eq(status)))
        .add_option(wanted.kind.map(|kind| Column::Kind.eq(kind)))
        .add_option(wanted.member.map(|member| Column::MemberId.eq(member)))
        .add_option(wanted.household.map(|household| Column::HouseholdId.eq(household)))
        .add_option(wanted.from.map(|day| Column::HappenedOn.gte(day)))
        .add_option(wanted.until.map(|day| Column::HappenedOn.lte(day)))
        .add_option(wanted.disputed.map(|disputed| if disputed { waits() } else { waits().not() }))
}
