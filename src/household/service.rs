//! Founding, inviting, agreeing, leaving.

use chrono::{DateTime, Utc};
use entity::consent::ConsentKind;
use entity::household::{self, Model};
use entity::household_member::{self as place, Column, Entity, HouseholdRole, MembershipStatus};
use entity::id::{ConsentId, HouseholdId, MemberId};
use entity::member;
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel as _, PaginatorTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};

use super::error::HouseholdError;
use crate::audit::Actor;
use crate::identity::consents;
use crate::identity::error::IdentityError;
use crate::notify::{self, Message};

/// How many may belong or be invited: a family of four generations, and no club.
pub const MOST_MEMBERS: u64 = 20;

/// A household to be.
#[derive(Clone, Debug)]
pub struct NewHousehold {
    pub id: HouseholdId,
    pub name: String,
    /// The community, twelve digits.
    pub region_code: String,
    /// Invited at once. Where staff found it, the first of them is its head.
    pub invited: Vec<MemberId>,
}

/// Founds a household. A member belongs to it at once and is its head; what staff found waits for its members' word.
///
/// # Errors
/// `Field` where somebody invited is not of the community, `AlreadyInHousehold` for a founder who belongs to another,
/// `Full`.
pub async fn found(
    db: &impl ConnectionTrait,
    actor: Actor,
    new: &NewHousehold,
    now: DateTime<Utc>,
) -> Result<Model, HouseholdError> {
    let (by_member, by_staff) = match actor {
        Actor::Member(id) => (Some(id), None),
        Actor::Staff(id) => (None, Some(id)),
        Actor::System | Actor::Anonymous => (None, None),
    };
    let row = Model {
        id: new.id,
        region_code: new.region_code.clone(),
        name: new.name.clone(),
        created_by_member: by_member,
        created_by_staff: by_staff,
        created_at: now,
        ended_at: None,
    };
    household::Entity::insert(row.clone().into_active_model()).exec_without_returning(db).await?;
    if let Some(founder) = by_member {
        let own = place::Model {
            role: HouseholdRole::Head,
            status: MembershipStatus::Joined,
            joined_at: Some(now),
            ..invitation(new.id, founder, now)
        };
        Entity::insert(own.into_active_model()).exec_without_returning(db).await?;
    }
    for member in &new.invited {
        invite(db, &row, *member, "member_ids", now).await?;
    }
    Ok(row)
}

const fn invitation(household: HouseholdId, member: MemberId, now: DateTime<Utc>) -> place::Model {
    place::Model {
        household_id: household,
        member_id: member,
        role: HouseholdRole::Member,
        status: MembershipStatus::Invited,
        pools: false,
        invited_at: now,
        joined_at: None,
        left_at: None,
    }
}

/// Invites a member of the household's community and tells them. `field` is the body's that named them. The first of a
/// household without a head becomes it.
///
/// # Errors
/// `Field` where there is no such member in the community, `AlreadyMember`, `Full`.
pub async fn invite(
    db: &impl ConnectionTrait,
    household: &Model,
    member: MemberId,
    field: &'static str,
    now: DateTime<Utc>,
) -> Result<(), HouseholdError> {
    lock(db, household.id).await?;
    let invited = member::Entity::find_by_id(member)
        .filter(member::Column::RegionCode.eq(household.region_code.as_str()))
        .filter(member::Column::DisabledAt.is_null())
        .filter(member::Column::ErasedAt.is_null())
        .filter(member::Column::MergedInto.is_null());
    if invited.one(db).await?.is_none() {
        let detail = "本社区没有这位居民，请核对后重新填写，或请其出示会员码";
        return Err(HouseholdError::Field { field, detail });
    }
    let present = Entity::find()
        .filter(Column::HouseholdId.eq(household.id))
        .filter(Column::Status.ne(MembershipStatus::Left))
        .all(db)
        .await?;
    if present.iter().any(|row| row.member_id == member) {
        return Err(HouseholdError::AlreadyMember);
    }
    if present.len() as u64 >= MOST_MEMBERS {
        return Err(HouseholdError::Full(MOST_MEMBERS));
    }
    // Whoever was here before comes back into the same row.
    Entity::delete_many()
        .filter(Column::HouseholdId.eq(household.id))
        .filter(Column::MemberId.eq(member))
        .exec(db)
        .await?;
    let headless = present.iter().all(|row| row.role != HouseholdRole::Head);
    let role = if headless { HouseholdRole::Head } else { HouseholdRole::Member };
    let row = place::Model { role, ..invitation(household.id, member, now) };
    Entity::insert(row.into_active_model()).exec_without_returning(db).await?;
    let words = format!(
        "您被邀请加入家庭“{}”。同意请在“我的家庭”中加入，并选择是否与家人共用积分；不同意请选择拒绝，不影响您的积分。",
        household.name
    );
    let message = Message::new("household.invited", "家庭邀请", words).about("household", household.id);
    notify::tell(db, member, message, now).await?;
    Ok(())
}

/// The word of an invited member, or of one who belongs already and thinks otherwise about pooling.
///
/// # Errors
/// `NotFound` where the member was not invited, `AlreadyInHousehold` for one who belongs to another.
pub async fn agree(
    db: &impl ConnectionTrait,
    household: HouseholdId,
    member: MemberId,
    pools: bool,
    consent: ConsentId,
    now: DateTime<Utc>,
) -> Result<(), HouseholdError> {
    lock(db, household).await?;
    let found = seat(db, household, member).await?;
    if found.status == MembershipStatus::Invited {
        if super::of(db, member).await?.is_some() {
            return Err(HouseholdError::AlreadyInHousehold);
        }
        let joined = place::ActiveModel {
            status: Set(MembershipStatus::Joined),
            joined_at: Set(Some(now)),
            ..Default::default()
        };
        change(db, household, member, joined).await?;
    }
    if pools {
        consents::give(db, member, consent, ConsentKind::HouseholdPooling, consents::NOTICE, now).await?;
        let row = place::ActiveModel { pools: Set(true), ..Default::default() };
        change(db, household, member, row).await
    } else {
        no_longer_pools(db, member, now).await
    }
}

/// Ends a membership or an invitation. What others hold of the member's points by then stays held. Where the head goes, the
/// one who has belonged longest takes over; where nobody is left, the household ends.
///
/// # Errors
/// `NotFound` where the member neither belongs nor is invited.
pub async fn leave(
    db: &impl ConnectionTrait,
    household: HouseholdId,
    member: MemberId,
    now: DateTime<Utc>,
) -> Result<(), HouseholdError> {
    lock(db, household).await?;
    let found = seat(db, household, member).await?;
    if found.status == MembershipStatus::Joined {
        no_longer_pools(db, member, now).await?;
    }
    let gone = place::ActiveModel {
        role: Set(HouseholdRole::Member),
        status: Set(MembershipStatus::Left),
        pools: Set(false),
        left_at: Set(Some(now)),
        ..Default::default()
    };
    change(db, household, member, gone).await?;
    if found.role == HouseholdRole::Head {
        hand_on(db, household, now).await?;
    }
    end_if_empty(db, household, now).await
}

/// Ends all that a member has to do with households, as at erasure.
///
/// # Errors
/// As [`leave`]; the database's.
pub async fn forget(db: &impl ConnectionTrait, member: MemberId, now: DateTime<Utc>) -> Result<(), HouseholdError> {
    let open = Entity::find()
        .filter(Column::MemberId.eq(member))
        .filter(Column::Status.ne(MembershipStatus::Left))
        .order_by_asc(Column::HouseholdId)
        .all(db)
        .await?;
    for row in &open {
        leave(db, row.household_id, member, now).await?;
    }
    // A name such as "the family of …" goes with the last of the family.
    let nameless = household::ActiveModel { name: Set("（已注销）".to_owned()), ..Default::default() };
    household::Entity::update_many()
        .set(nameless)
        .filter(household::Column::Id.is_in(open.iter().map(|row| row.household_id)))
        .filter(household::Column::EndedAt.is_not_null())
        .exec(db)
        .await?;
    Ok(())
}

/// Changes of one household come one after the other.
async fn lock(db: &impl ConnectionTrait, household: HouseholdId) -> Result<(), HouseholdError> {
    let found = household::Entity::find_by_id(household).lock_exclusive().one(db).await?;
    found.filter(|row| row.ended_at.is_none()).map(drop).ok_or(HouseholdError::NotFound)
}

/// The place of somebody who belongs or is invited.
async fn seat(
    db: &impl ConnectionTrait,
    household: HouseholdId,
    member: MemberId,
) -> Result<place::Model, HouseholdError> {
    let found = Entity::find_by_id((household, member)).one(db).await?;
    found.filter(|row| row.status != MembershipStatus::Left).ok_or(HouseholdError::NotFound)
}

async fn change(
    db: &impl ConnectionTrait,
    household: HouseholdId,
    member: MemberId,
    row: place::ActiveModel,
) -> Result<(), HouseholdError> {
    let place = Entity::update_many().set(row).filter(Column::HouseholdId.eq(household));
    place.filter(Column::MemberId.eq(member)).exec(db).await?;
    Ok(())
}

/// Takes back the consent where there is one; the place follows it.
async fn no_longer_pools(
    db: &impl ConnectionTrait,
    member: MemberId,
    now: DateTime<Utc>,
) -> Result<(), HouseholdError> {
    match consents::withdraw(db, member, ConsentKind::HouseholdPooling, now).await {
        Ok(_) | Err(IdentityError::NotFound) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The next head: who belongs before who is only invited, in order of joining.
async fn hand_on(db: &impl ConnectionTrait, household: HouseholdId, now: DateTime<Utc>) -> Result<(), HouseholdError> {
    let mut left = Entity::find()
        .filter(Column::HouseholdId.eq(household))
        .filter(Column::Status.ne(MembershipStatus::Left))
        .all(db)
        .await?;
    left.sort_by_key(|row| (row.joined_at.is_none(), row.joined_at, row.invited_at, row.member_id));
    let Some(next) = left.first() else { return Ok(()) };
    let head = place::ActiveModel { role: Set(HouseholdRole::Head), ..Default::default() };
    change(db, household, next.member_id, head).await?;
    let words = "原户主已退出家庭，您现在是户主，可以邀请或移出成员。如不合适，请联系社区工作人员。";
    let message = Message::new("household.head", "您已成为户主", words).about("household", household);
    Ok(notify::tell(db, next.member_id, message, now).await?)
}

async fn end_if_empty(
    db: &impl ConnectionTrait,
    household: HouseholdId,
    now: DateTime<Utc>,
) -> Result<(), HouseholdError> {
    let left = Entity::find()
        .filter(Column::HouseholdId.eq(household))
        .filter(Column::Status.ne(MembershipStatus::Left))
        .count(db)
        .await?;
    if left == 0 {
        let ended = household::ActiveModel { ended_at: Set(Some(now)), ..Default::default() };
        household::Entity::update_many().set(ended).filter(household::Column::Id.eq(household)).exec(db).await?;
    }
    Ok(())
}
