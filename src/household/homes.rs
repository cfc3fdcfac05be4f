//! Many households at once, for those who score them.

use std::collections::HashMap;

use entity::household_member::{self as place, HouseholdRole, MembershipStatus};
use entity::id::{HouseholdId, MemberId};
use entity::{household, member};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _};

use crate::region::Subtree;

/// A household with somebody in it.
#[derive(Clone, Debug)]
pub struct Home {
    /// The community it lives in.
    pub region_code: String,
    /// Who answers for it: its head, or whoever joined first.
    pub head: MemberId,
    /// In order of joining.
    pub members: Vec<MemberId>,
}

/// Those of `ids` that lie in the subtree and that somebody belongs to, by three queries. Accounts out of use are left out.
///
/// # Errors
/// The database's.
pub async fn homes(
    db: &impl ConnectionTrait,
    subtree: &Subtree,
    ids: &[HouseholdId],
) -> Result<HashMap<HouseholdId, Home>, DbErr> {
    let households = household::Entity::find()
        .filter(household::Column::Id.is_in(ids.iter().copied()))
        .filter(subtree.covers(Expr::col((household::Entity, household::Column::RegionCode))))
        .all(db)
        .await?;
    let places = place::Entity::find()
        .filter(place::Column::HouseholdId.is_in(households.iter().map(|found| found.id)))
        .filter(place::Column::Status.eq(MembershipStatus::Joined))
        .order_by_asc(place::Column::JoinedAt)
        .order_by_asc(place::Column::MemberId)
        .all(db)
        .await?;
    let in_use = member::Entity::find()
        .filter(member::Column::Id.is_in(places.iter().map(|row| row.member_id)))
        .filter(member::Column::DisabledAt.is_null())
        .filter(member::Column::ErasedAt.is_null())
        .filter(member::Column::MergedInto.is_null())
        .all(db)
        .await?;
    let mut joined: HashMap<HouseholdId, Vec<&place::Model>> = HashMap::new();
    for row in places.iter().filter(|row| in_use.iter().any(|member| member.id == row.member_id)) {
        joined.entry(row.household_id).or_default().push(row);
    }
    let home = |found: household::Model| {
        let rows = joined.get(&found.id)?;
        let head = rows.iter().find(|row| row.role == HouseholdRole::Head).or_else(|| rows.first())?.member_id;
        let members = rows.iter().map(|row| row.member_id).collect();
        Some((found.id, Home { region_code: found.region_code, head, members }))
    };
    Ok(households.into_iter().filter_map(home).collect())
}
