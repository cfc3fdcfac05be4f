//! What is known about a member, as it is shown: to the person, masked to staff, opened to staff with a reason.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use entity::id::{MemberId, UnitId};
use entity::{availability, member, member_skill};
use sea_orm::{ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _};
use serde::Serialize;
use utoipa::ToSchema;

use super::error::IdentityError;
use super::hours::Availability;
use super::mask;
use super::sealed::{Home, open_home, open_phone, open_special_group};
use crate::crypto::Keys;

/// A member. Staff see `name` and `phone` masked and neither birth year, home nor special group, unless they open them
/// with a reason.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MemberView {
    id: MemberId,
    kind: &'static str,
    /// The id in the data set it was imported from.
    r#ref: Option<String>,
    name: Option<String>,
    phone: Option<String>,
    /// `F`, `M` or none.
    gender: Option<String>,
    birth_year: Option<i32>,
    /// The community the member lives in.
    region_code: Option<String>,
    /// `resident`, `volunteer`, `party_member`.
    #[schema(value_type = Vec<String>)]
    capacities: Vec<&'static str>,
    /// Name and region are given: before that, writes answer 403 `profile_incomplete`.
    profile_complete: bool,
    skills: Vec<String>,
    availability: Vec<Availability>,
    max_hours_week: Option<i32>,
    /// Does not want to be asked for now: no offers, no digest of open tasks.
    offers_paused: bool,
    unit_id: Option<UnitId>,
    home: Option<Home>,
    /// A code of the list `special_group`.
    special_group: Option<String>,
    /// Boards show the name in clear.
    named_on_boards: bool,
    registered_on: Option<NaiveDate>,
    created_at: DateTime<Utc>,
}

/// How much of a person is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clarity {
    /// To the person.
    Own,
    /// To staff.
    Masked,
    /// To staff with a logged reason; of a special group only where `special`.
    Opened { special: bool },
}

/// The views of `members`, in their order.
///
/// # Errors
/// [`IdentityError::Sealed`] where a column cannot be opened; the database's.
pub async fn views(
    db: &impl ConnectionTrait,
    keys: &Keys,
    members: Vec<member::Model>,
    clarity: Clarity,
) -> Result<Vec<MemberView>, IdentityError> {
    let ids: Vec<MemberId> = members.iter().map(|row| row.id).collect();
    let mut skills: HashMap<MemberId, Vec<String>> = HashMap::new();
    for row in skills_of(db, &ids).await? {
        skills.entry(row.member_id).or_default().push(row.skill);
    }
    let mut hours: HashMap<MemberId, Vec<Availability>> = HashMap::new();
    for row in hours_of(db, &ids).await? {
        hours.entry(row.member_id).or_default().push(Availability::from(&row));
    }
    members
        .into_iter()
        .map(|row| {
            let (skills, hours) = (skills.remove(&row.id), hours.remove(&row.id));
            view(keys, row, skills.unwrap_or_default(), hours.unwrap_or_default(), clarity)
        })
        .collect()
}

/// The view of one member.
///
/// # Errors
/// As [`views`].
pub async fn one(
    db: &impl ConnectionTrait,
    keys: &Keys,
    member: member::Model,
    clarity: Clarity,
) -> Result<MemberView, IdentityError> {
    views(db, keys, vec![member], clarity).await?.pop().ok_or(IdentityError::NotFound)
}

async fn skills_of(db: &impl ConnectionTrait, ids: &[MemberId]) -> Result<Vec<member_skill::Model>, sea_orm::DbErr> {
    use member_skill::Column;
    let theirs = Column::MemberId.is_in(ids.iter().copied());
    member_skill::Entity::find().filter(theirs).order_by_asc(Column::Skill).all(db).await
}

async fn hours_of(db: &impl ConnectionTrait, ids: &[MemberId]) -> Result<Vec<availability::Model>, sea_orm::DbErr> {
    use availability::Column;
    let theirs = Column::MemberId.is_in(ids.iter().copied());
    let rows = availability::Entity::find().filter(theirs);
    rows.order_by_asc(Column::Weekday).order_by_asc(Column::FromMinute).all(db).await
}

fn view(
    keys: &Keys,
    row: member::Model,
    skills: Vec<String>,
    availability: Vec<Availability>,
    clarity: Clarity,
) -> Result<MemberView, IdentityError> {
    let masked = clarity == Clarity::Masked;
    let special = matches!(clarity, Clarity::Own | Clarity::Opened { special: true });
    let phone = row.phone_sealed.as_deref().map(|sealed| open_phone(keys, sealed)).transpose()?;
    let home = row.home_sealed.as_deref().filter(|_| !masked).map(|sealed| open_home(keys, sealed)).transpose()?;
    let group = row.special_group_sealed.as_deref().filter(|_| special);
    Ok(MemberView {
        id: row.id,
        kind: "member",
        capacities: capacities(&row),
        profile_complete: row.name.is_some() && row.region_code.is_some(),
        r#ref: row.ref_id,
        name: if masked { Some(mask::name(row.name.as_deref())) } else { row.name },
        phone: if masked { phone.as_deref().map(mask::phone) } else { phone },
        gender: row.gender,
        birth_year: row.birth_year.filter(|_| !masked),
        region_code: row.region_code,
        skills,
        availability,
        max_hours_week: row.max_hours_week.filter(|hours| *hours > 0),
        offers_paused: row.offers_paused,
        unit_id: row.unit_id,
        home,
        special_group: group.map(|sealed| open_special_group(keys, sealed)).transpose()?,
        named_on_boards: row.named_on_boards,
        registered_on: row.registered_on,
        created_at: row.created_at,
    })
}

/// A member's facets, in the contract's names.
pub fn capacities(member: &member::Model) -> Vec<&'static str> {
    [(member.is_resident, "resident"), (member.is_volunteer, "volunteer"), (member.is_party_member, "party_member")]
        .into_iter()
        .filter_map(|(is, name)| is.then_some(name))
        .collect()
}
