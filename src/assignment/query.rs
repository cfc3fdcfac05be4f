//! Reading assignments.

use entity::assignment::{self, AssignmentStatus};
use entity::assignment_pair as pair;
use entity::id::AssignmentId;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::error::AssignmentError;
use super::view::AssignmentView;
use crate::http::{Listing, Page, Problem};
use crate::region::{RegionCode, Subtree};

/// Assignments of a subtree, latest first, without their pairs.
///
/// # Errors
/// 422 for a forged cursor; the database's.
pub(super) async fn list(
    db: &impl ConnectionTrait,
    subtree: &Subtree,
    region: Option<&RegionCode>,
    status: Option<AssignmentStatus>,
    page: &Page,
) -> Result<Listing<AssignmentView>, Problem> {
    use assignment::{Column, Entity};
    let lies_in = |subtree: &Subtree| subtree.covers(Expr::col((Entity, Column::RegionCode)));
    let mut query = Entity::find().filter(lies_in(subtree));
    if let Some(region) = region {
        query = query.filter(lies_in(&region.subtree()));
    }
    if let Some(status) = status {
        query = query.filter(Column::Status.eq(status));
    }
    if let Some(last) = page.after::<AssignmentId>()? {
        query = query.filter(Column::Id.lt(last));
    }
    let rows = query.order_by_desc(Column::Id).limit(page.limit() + 1).all(db).await?;
    Ok(Listing::cut(rows, page, |row| row.id).map(|row| AssignmentView::new(row, None)))
}

/// An assignment of a subtree.
///
/// # Errors
/// [`AssignmentError::NotFound`].
pub(super) async fn find(
    db: &impl ConnectionTrait,
    subtree: &Subtree,
    id: AssignmentId,
) -> Result<assignment::Model, AssignmentError> {
    let seen = subtree.covers(Expr::col((assignment::Entity, assignment::Column::RegionCode)));
    assignment::Entity::find_by_id(id).filter(seen).one(db).await?.ok_or(AssignmentError::NotFound)
}

/// With its pairs.
///
/// # Errors
/// The database's.
pub(super) async fn whole(db: &impl ConnectionTrait, row: assignment::Model) -> Result<AssignmentView, DbErr> {
    let pairs = pair::Entity::find()
        .filter(pair::Column::AssignmentId.eq(row.id))
        .order_by_asc(pair::Column::TaskId)
        .order_by_asc(pair::Column::MemberId)
        .all(db)
        .await?;
    Ok(AssignmentView::new(row, Some(pairs)))
}
