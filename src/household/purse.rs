//! Whose points a member may spend.

use entity::household_member::{Column, Entity, MembershipStatus, Model};
use entity::id::{HouseholdId, MemberId};
use entity::{household, member, programme};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

/// Who pays for what `spender` redeems in a programme, in this order: the spender; then, where the programme lets
/// households pool, whoever of the household has agreed to it, in order of joining. Never empty.
///
/// Looked up as of now: a payer found here may have taken the consent back a moment later. What is held stays held.
///
/// # Errors
/// The database's.
pub async fn purse(db: &impl ConnectionTrait, spender: MemberId, programme: &str) -> Result<Vec<MemberId>, DbErr> {
    let mut payers = vec![spender];
    let found = programme::Entity::find_by_id(programme).one(db).await?;
    if found.is_none_or(|found| !found.households_pool) {
        return Ok(payers);
    }
    if let Some(household) = of(db, spender).await? {
        let others = joined(db, household).await?.into_iter().filter(|row| row.pools && row.member_id != spender);
        payers.extend(others.map(|row| row.member_id));
    }
    Ok(payers)
}

/// The household that a member belongs to, as who belongs to it in order of joining; the member alone where there is none.
///
/// # Errors
/// The database's.
pub async fn members_of(db: &impl ConnectionTrait, member: MemberId) -> Result<Vec<MemberId>, DbErr> {
    match of(db, member).await? {
        None => Ok(vec![member]),
        Some(household) => Ok(joined(db, household).await?.into_iter().map(|row| row.member_id).collect()),
    }
}

/// [`members_of`], with the household's row locked to the end of the transaction: two who count what its members have
/// together see each other. Taken before the balances of members.
///
/// # Errors
/// The database's.
pub async fn lock(db: &impl ConnectionTrait, member: MemberId) -> Result<Vec<MemberId>, DbErr> {
    let Some(household) = of(db, member).await? else { return Ok(vec![member]) };
    household::Entity::find_by_id(household).lock_exclusive().one(db).await?;
    Ok(joined(db, household).await?.into_iter().map(|row| row.member_id).collect())
}

/// The household that a member belongs to.
///
/// # Errors
/// The database's.
pub async fn of(db: &impl ConnectionTrait, member: MemberId) -> Result<Option<HouseholdId>, DbErr> {
    let found = Entity::find()
        .filter(Column::MemberId.eq(member))
        .filter(Column::Status.eq(MembershipStatus::Joined))
        .one(db)
        .await?;
    Ok(found.map(|row| row.household_id))
}

/// Who belongs to a household, in order of joining. Accounts out of use are left out.
///
/// # Errors
/// The database's.
pub async fn joined(db: &impl ConnectionTrait, household: HouseholdId) -> Result<Vec<Model>, DbErr> {
    let rows = Entity::find()
        .filter(Column::HouseholdId.eq(household))
        .filter(Column::Status.eq(MembershipStatus::Joined))
        .order_by_asc(Column::JoinedAt)
        .order_by_asc(Column::MemberId)
        .all(db)
        .await?;
    let ids = rows.iter().map(|row| row.member_id);
    let in_use = member::Entity::find()
        .filter(member::Column::Id.is_in(ids))
        .filter(member::Column::DisabledAt.is_null())
        .filter(member::Column::ErasedAt.is_null())
        .filter(member::Column::MergedInto.is_null())
        .all(db)
        .await?;
    Ok(rows.into_iter().filter(|row| in_use.iter().any(|member| member.id == row.member_id)).collect())
}
