//! Members as staff see them: masked, within the subtree, opened one by one with a reason that is kept.

use chrono::{DateTime, Utc};
use entity::id::MemberId;
use entity::member::{self, Column, Entity};
use entity::staff::Role;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, Select,
};
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use super::caller::{Caller, Scope, StaffCaller};
use super::error::IdentityError;
use super::profile::{self, Clarity, MemberView};
use super::sealed::phone_index;
use crate::audit::{self, Actor, AuditEvent};
use crate::crypto::Keys;
use crate::http::{Line, Listing, Page, Phone, Problem};
use crate::region::{self, RegionCode};

/// Which members, in order of community.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MemberQuery {
    /// The id in the data set, exactly.
    #[serde(rename = "ref")]
    #[param(value_type = Option<String>, min_length = 1, max_length = 64)]
    pub reference: Option<Line<64>>,
    /// This region's subtree.
    #[param(value_type = Option<String>, pattern = "^[0-9]{6,24}$")]
    pub region: Option<RegionCode>,
    #[param(inline)]
    pub capacity: Option<Capacity>,
    /// Part of the name, or a whole phone.
    #[param(value_type = Option<String>, min_length = 1, max_length = 50)]
    pub q: Option<Line<50>>,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    pub page: Page,
}

/// A facet of a member.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Capacity {
    Resident,
    Volunteer,
    PartyMember,
}

/// Why somebody's data is opened.
#[derive(Clone, Debug, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Disclose {
    /// Kept in the audit trail, and told to the member in their export.
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    pub reason: Line<200>,
}

/// A page of the members that staff see, masked.
///
/// # Errors
/// 422 for a forged cursor; the database's.
pub async fn list(
    db: &impl ConnectionTrait,
    keys: &Keys,
    scope: &Scope,
    query: &MemberQuery,
) -> Result<Listing<MemberView>, Problem> {
    let mut rows = in_use().filter(scope.owned(Column::Id, Column::RegionCode));
    if let Some(reference) = &query.reference {
        rows = rows.filter(Column::RefId.eq(reference.as_str()));
    }
    if let Some(region) = &query.region {
        rows = rows.filter(region.subtree().covers(Expr::col(Column::RegionCode)));
    }
    if let Some(capacity) = query.capacity {
        rows = rows.filter(has(capacity));
    }
    if let Some(part) = &query.q {
        rows = rows.filter(matches(keys, part));
    }
    if let Some((region, id)) = query.page.after::<(RegionCode, MemberId)>()? {
        rows = rows.filter(region::after((Column::RegionCode, region.as_str()), (Column::Id, id)));
    }
    let rows = rows.order_by_asc(Column::RegionCode).order_by_asc(Column::Id).limit(query.page.limit() + 1);
    let page = Listing::cut(rows.all(db).await?, &query.page, |row| (row.region_code.clone(), row.id));
    let next_cursor = page.next_cursor;
    Ok(Listing { items: profile::views(db, keys, page.items, Clarity::Masked).await?, next_cursor })
}

/// A member as `caller` may see them: themselves in clear, others of the subtree masked.
///
/// # Errors
/// [`IdentityError::NotFound`] for everybody else.
pub async fn find(
    db: &impl ConnectionTrait,
    keys: &Keys,
    caller: &Caller,
    id: MemberId,
) -> Result<MemberView, IdentityError> {
    let clarity = match caller {
        Caller::Member(_) => Clarity::Own,
        Caller::Staff(_) => Clarity::Masked,
    };
    let row = visible(db, &caller.scope(), id).await?.ok_or(IdentityError::NotFound)?;
    profile::one(db, keys, row, clarity).await
}

/// The row of a member in use that the scope sees.
///
/// # Errors
/// The database's.
pub async fn visible(db: &impl ConnectionTrait, scope: &Scope, id: MemberId) -> Result<Option<member::Model>, DbErr> {
    in_use().filter(Column::Id.eq(id)).filter(scope.owned(Column::Id, Column::RegionCode)).one(db).await
}

/// Opens a member's data to staff and writes down who, whom and why. Special groups are a manager's to see.
///
/// # Errors
/// [`IdentityError::NotFound`] outside the subtree; [`IdentityError::Sealed`]; the database's.
pub async fn disclose(
    db: &impl ConnectionTrait,
    keys: &Keys,
    staff: &StaffCaller,
    id: MemberId,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<MemberView, IdentityError> {
    let found = visible(db, &Scope::Staff(staff.subtree()), id).await?.ok_or(IdentityError::NotFound)?;
    let special = matches!(staff.role, Role::Admin | Role::Manager);
    let event = AuditEvent::new(Actor::Staff(staff.id), "member.disclose", "member", now).of(id);
    let event = event.in_region(found.region_code.as_deref().unwrap_or_default());
    audit::record(db, event.with(json!({"reason": reason, "special": special}))).await?;
    profile::one(db, keys, found, Clarity::Opened { special }).await
}

fn in_use() -> Select<Entity> {
    Entity::find().filter(Column::ErasedAt.is_null()).filter(Column::MergedInto.is_null())
}

fn has(capacity: Capacity) -> Condition {
    let column = match capacity {
        Capacity::Resident => Column::IsResident,
        Capacity::Volunteer => Column::IsVolunteer,
        Capacity::PartyMember => Column::IsPartyMember,
    };
    Condition::all().add(column.eq(true))
}

fn matches(keys: &Keys, part: &str) -> Condition {
    let named = Condition::any().add(Expr::col(Column::Name).like(region::containing(part)));
    match Phone::parse(part) {
        Ok(phone) => named.add(Column::PhoneIndex.eq(phone_index(keys, phone.reveal()))),
        Err(_) => named,
    }
}
