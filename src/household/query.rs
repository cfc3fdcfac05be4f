//! Households as their members and staff see them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entity::household::{Column, Entity, Model};
use entity::household_member::{self as place, HouseholdRole, MembershipStatus};
use entity::id::{HouseholdId, MemberId};
use entity::member;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, ExprTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::error::HouseholdError;
use crate::http::{Listing, Page, Problem};
use crate::identity::{Scope, mask};
use crate::region::{RegionCode, Subtree, containing};

/// A household with those who belong to it and those who are invited.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HouseholdView {
    id: HouseholdId,
    /// The community it lives in.
    region_code: String,
    name: String,
    created_at: DateTime<Utc>,
    /// When the last of its members left.
    ended_at: Option<DateTime<Utc>>,
    /// In order of joining, then of invitation.
    members: Vec<PlaceView>,
}

/// One person's place in a household.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct PlaceView {
    member_id: MemberId,
    /// In clear for those who belong to the household, masked for staff and for those who are only invited.
    name: String,
    role: HouseholdRole,
    /// `invited`: has not agreed yet.
    status: MembershipStatus,
    /// Whether the others may spend this member's points.
    pools: bool,
    joined_at: Option<DateTime<Utc>>,
}

/// What a member has to do with households.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MyHousehold {
    /// Null where the member belongs to none.
    household: Option<HouseholdView>,
    /// Those that wait for the member's word.
    invitations: Vec<HouseholdView>,
}

/// The household that somebody may see: who belongs or is invited, and staff of the subtree.
///
/// # Errors
/// `NotFound`.
pub async fn find(db: &impl ConnectionTrait, scope: &Scope, id: HouseholdId) -> Result<Model, HouseholdError> {
    let found = Entity::find_by_id(id).one(db).await?.ok_or(HouseholdError::NotFound)?;
    let seen = match scope {
        Scope::Member(member) => seat(db, id, *member).await?.is_some(),
        Scope::Staff(subtree) => subtree.contains(&found.region_code),
        Scope::System => true,
    };
    if seen { Ok(found) } else { Err(HouseholdError::NotFound) }
}

/// Whether there is such a household for anybody.
///
/// # Errors
/// The database's.
pub async fn exists(db: &impl ConnectionTrait, id: HouseholdId) -> Result<bool, DbErr> {
    Ok(Entity::find_by_id(id).one(db).await?.is_some())
}

/// A member's place in a household, unless they have left it.
///
/// # Errors
/// The database's.
pub async fn seat(
    db: &impl ConnectionTrait,
    household: HouseholdId,
    member: MemberId,
) -> Result<Option<place::Model>, DbErr> {
    let found = place::Entity::find_by_id((household, member)).one(db).await?;
    Ok(found.filter(|row| row.status != MembershipStatus::Left))
}

/// One household as `scope` sees it.
///
/// # Errors
/// The database's.
pub async fn view(db: &impl ConnectionTrait, scope: &Scope, household: Model) -> Result<HouseholdView, DbErr> {
    let id = household.id;
    let mut views = views(db, scope, vec![household]).await?;
    views.pop().ok_or_else(|| DbErr::RecordNotFound(id.to_string()))
}

/// The household and the invitations of a member.
///
/// # Errors
/// The database's.
pub async fn mine(db: &impl ConnectionTrait, member: MemberId) -> Result<MyHousehold, DbErr> {
    let places = place::Entity::find()
        .filter(place::Column::MemberId.eq(member))
        .filter(place::Column::Status.ne(MembershipStatus::Left))
        .all(db)
        .await?;
    let joined = places.iter().find(|row| row.status == MembershipStatus::Joined).map(|row| row.household_id);
    let ids = places.iter().map(|row| row.household_id);
    let rows = Entity::find().filter(Column::Id.is_in(ids)).order_by_desc(Column::Id).all(db).await?;
    let views = views(db, &Scope::Member(member), rows).await?;
    let (mut own, invitations): (Vec<_>, Vec<_>) = views.into_iter().partition(|view| Some(view.id) == joined);
    Ok(MyHousehold { household: own.pop(), invitations })
}

/// Households of a subtree that have not ended, latest first.
///
/// # Errors
/// 422 for a forged cursor; the database's.
pub async fn list(
    db: &impl ConnectionTrait,
    subtree: &Subtree,
    region: Option<&RegionCode>,
    part: Option<&str>,
    page: &Page,
) -> Result<Listing<HouseholdView>, Problem> {
    let lies_in = |subtree: &Subtree| subtree.covers(Expr::col((Entity, Column::RegionCode)));
    let mut query = Entity::find().filter(lies_in(subtree)).filter(Column::EndedAt.is_null());
    if let Some(region) = region {
        query = query.filter(lies_in(&region.subtree()));
    }
    if let Some(part) = part {
        query = query.filter(Expr::col((Entity, Column::Name)).like(containing(part)));
    }
    if let Some(after) = page.after::<HouseholdId>()? {
        query = query.filter(Column::Id.lt(after));
    }
    let rows = query.order_by_desc(Column::Id).limit(page.limit() + 1).all(db).await?;
    let page = Listing::cut(rows, page, |last| last.id);
    let items = views(db, &Scope::Staff(subtree.clone()), page.items).await?;
    Ok(Listing { items, next_cursor: page.next_cursor })
}

/// By two queries, however many households.
async fn views(db: &impl ConnectionTrait, scope: &Scope, rows: Vec<Model>) -> Result<Vec<HouseholdView>, DbErr> {
    let places = place::Entity::find()
        .filter(place::Column::HouseholdId.is_in(rows.iter().map(|row| row.id)))
        .filter(place::Column::Status.ne(MembershipStatus::Left))
        .all(db)
        .await?;
    let people =
        member::Entity::find().filter(member::Column::Id.is_in(places.iter().map(|row| row.member_id))).all(db).await?;
    let names: HashMap<_, _> = people.into_iter().map(|row| (row.id, row.name)).collect();
    let mut by_household: HashMap<HouseholdId, Vec<place::Model>> = HashMap::new();
    for row in places {
        by_household.entry(row.household_id).or_default().push(row);
    }
    let show = |household: Model| {
        let mut places = by_household.remove(&household.id).unwrap_or_default();
        places.sort_by_key(|row| (row.joined_at.is_none(), row.joined_at, row.invited_at, row.member_id));
        let joined = |row: &place::Model| row.status == MembershipStatus::Joined;
        let belongs = |id: MemberId| places.iter().any(|row| row.member_id == id && joined(row));
        let knows = matches!(scope, Scope::Member(id) if belongs(*id));
        let members = places.iter().map(|row| {
            let name = names.get(&row.member_id).and_then(Option::as_deref);
            let own = matches!(scope, Scope::Member(id) if *id == row.member_id);
            // Whoever is only invited has not agreed to be known to the family.
            let clear = own || (knows && joined(row));
            PlaceView {
                member_id: row.member_id,
                name: if clear { name.unwrap_or_default().to_owned() } else { mask::name(name) },
                role: row.role,
                status: row.status,
                pools: row.pools,
                joined_at: row.joined_at,
            }
        });
        HouseholdView {
            id: household.id,
            members: members.collect(),
            region_code: household.region_code,
            name: household.name,
            created_at: household.created_at,
            ended_at: household.ended_at,
        }
    };
    Ok(rows.into_iter().map(show).collect())
}
