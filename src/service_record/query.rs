//! Reading records, each within what the caller may see.

use entity::id::{MemberId, ServiceRecordId};
use entity::service_record::{Column, Entity, Model, RecordStatus};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use serde::Deserialize;
use utoipa::IntoParams;
use validator::Validate;

use super::error::RecordError;
use crate::http::{Listing, Page, Problem};
use crate::identity::Scope;
use crate::region::RegionCode;

/// Which records to list.
#[derive(Clone, Debug, Default, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RecordQuery {
    /// Of this member.
    #[param(value_type = Option<uuid::Uuid>)]
    pub member: Option<MemberId>,
    #[param(inline)]
    pub status: Option<RecordStatus>,
    /// Of the members of this region's subtree.
    pub region: Option<RegionCode>,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    pub page: Page,
}

/// The member's own; for staff those of the subtree's members and those of work done in the subtree.
fn visible(scope: &Scope) -> Condition {
    match scope {
        Scope::Member(_) | Scope::System => scope.owned(Column::MemberId, Column::RegionCode),
        Scope::Staff(_) => Condition::any()
            .add(scope.owned(Column::MemberId, Column::RegionCode))
            .add(scope.owned(Column::MemberId, Column::TaskRegionCode)),
    }
}

/// One record.
///
/// # Errors
/// [`RecordError::NotFound`] where it is not within `scope`.
pub async fn find(db: &impl ConnectionTrait, scope: &Scope, id: ServiceRecordId) -> Result<Model, RecordError> {
    Entity::find_by_id(id).filter(visible(scope)).one(db).await?.ok_or(RecordError::NotFound)
}

/// Whether there is such a record for anybody.
///
/// # Errors
/// The database's.
pub(super) async fn exists(db: &impl ConnectionTrait, id: ServiceRecordId) -> Result<bool, DbErr> {
    Ok(Entity::find_by_id(id).one(db).await?.is_some())
}

/// A page of records, newest first.
///
/// # Errors
/// 422 for a cursor that is none; the database's.
pub async fn list(db: &impl ConnectionTrait, scope: &Scope, query: &RecordQuery) -> Result<Listing<Model>, Problem> {
    let mut rows = Entity::find().filter(visible(scope));
    if let Some(member) = query.member {
        rows = rows.filter(Column::MemberId.eq(member));
    }
    if let Some(status) = query.status {
        rows = rows.filter(Column::Status.eq(status));
    }
    if let Some(region) = &query.region {
        rows = rows.filter(Scope::Staff(region.subtree()).owned(Column::MemberId, Column::RegionCode));
    }
    if let Some(after) = query.page.after::<ServiceRecordId>()? {
        rows = rows.filter(Column::Id.lt(after));
    }
    let rows = rows.order_by_desc(Column::Id).limit(query.page.limit() + 1).all(db).await?;
    Ok(Listing::cut(rows, &query.page, |last| last.id))
}
