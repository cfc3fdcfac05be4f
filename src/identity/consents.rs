//! Consents: records of what was agreed to, in which version of the notice, when and by whom.

use chrono::{DateTime, Utc};
use entity::consent::{self, ConsentGiver, ConsentKind};
use entity::id::{ConsentId, MemberId};
use entity::{household_member, member};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _,
    QueryFilter as _, QueryOrder as _,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::error::IdentityError;

/// The version of the notices that this release shows.
pub const NOTICE: &str = "1";

/// A consent.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ConsentView {
    id: ConsentId,
    kind: ConsentKind,
    notice_version: String,
    given_by: ConsentGiver,
    given_at: DateTime<Utc>,
    withdrawn_at: Option<DateTime<Utc>>,
}

impl From<consent::Model> for ConsentView {
    fn from(row: consent::Model) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            notice_version: row.notice_version,
            given_by: row.given_by,
            given_at: row.given_at,
            withdrawn_at: row.withdrawn_at,
        }
    }
}

/// All consents of a member, newest first.
///
/// # Errors
/// The database's.
pub async fn of(db: &impl ConnectionTrait, member: MemberId) -> Result<Vec<consent::Model>, DbErr> {
    use consent::Column;
    let theirs = consent::Entity::find().filter(Column::MemberId.eq(member));
    theirs.order_by_desc(Column::GivenAt).order_by_desc(Column::Id).all(db).await
}

/// Writes down that `member` agreed. One already in force to the same version stays; to another, it is replaced.
///
/// # Errors
/// The database's.
pub async fn give(
    db: &impl ConnectionTrait,
    member: MemberId,
    id: ConsentId,
    kind: ConsentKind,
    notice_version: &str,
    now: DateTime<Utc>,
) -> Result<consent::Model, DbErr> {
    match in_force(db, member, kind).await? {
        Some(known) if known.notice_version == notice_version => return Ok(known),
        Some(known) => end(db, known.id, now).await?,
        None => {}
    }
    let row = consent::ActiveModel {
        id: Set(id),
        member_id: Set(member),
        kind: Set(kind),
        notice_version: Set(notice_version.to_owned()),
        given_by: Set(ConsentGiver::Member),
        given_by_id: Set(Some(member.0)),
        given_at: Set(now),
        withdrawn_at: Set(None),
    };
    let given = row.insert(db).await?;
    if kind == ConsentKind::Boards {
        set_named(db, member, true, now).await?;
    }
    Ok(given)
}

/// Withdraws a consent, and ends at once what rested on it: boards mask the name, a volunteer is none any more, what is
/// known of a special group goes, the household spends the member's points no more.
///
/// # Errors
/// [`IdentityError::NotFound`] where none is in force; the database's.
pub async fn withdraw(
    db: &impl ConnectionTrait,
    member: MemberId,
    kind: ConsentKind,
    now: DateTime<Utc>,
) -> Result<consent::Model, IdentityError> {
    let found = in_force(db, member, kind).await?.ok_or(IdentityError::NotFound)?;
    end(db, found.id, now).await?;
    let row = member::ActiveModel { id: Set(member), updated_at: Set(now), ..Default::default() };
    match kind {
        ConsentKind::Boards => set_named(db, member, false, now).await?,
        ConsentKind::Volunteer => {
            member::ActiveModel { is_volunteer: Set(false), ..row }.update(db).await?;
        }
        ConsentKind::SensitiveData => {
            member::ActiveModel { special_group_sealed: Set(None), ..row }.update(db).await?;
        }
        ConsentKind::HouseholdPooling => {
            let theirs = household_member::Entity::update_many().filter(household_member::Column::MemberId.eq(member));
            theirs.col_expr(household_member::Column::Pools, Expr::value(false)).exec(db).await?;
        }
        ConsentKind::Service => {}
    }
    Ok(consent::Model { withdrawn_at: Some(now), ..found })
}

/// Withdraws all that are in force, as at erasure.
///
/// # Errors
/// The database's.
pub async fn withdraw_all(db: &impl ConnectionTrait, member: MemberId, now: DateTime<Utc>) -> Result<(), DbErr> {
    end_where(db, consent::Column::MemberId.eq(member), now).await
}

async fn in_force(
    db: &impl ConnectionTrait,
    member: MemberId,
    kind: ConsentKind,
) -> Result<Option<consent::Model>, DbErr> {
    use consent::Column;
    let theirs = consent::Entity::find().filter(Column::MemberId.eq(member)).filter(Column::Kind.eq(kind));
    theirs.filter(Column::WithdrawnAt.is_null()).one(db).await
}

async fn end(db: &impl ConnectionTrait, id: ConsentId, now: DateTime<Utc>) -> Result<(), DbErr> {
    end_where(db, consent::Column::Id.eq(id), now).await
}

async fn end_where(
    db: &impl ConnectionTrait,
    which: sea_orm::sea_query::SimpleExpr,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let open = consent::Entity::update_many().filter(which).filter(consent::Column::WithdrawnAt.is_null());
    open.col_expr(consent::Column::WithdrawnAt, Expr::value(now)).exec(db).await.map(drop)
}

async fn set_named(db: &impl ConnectionTrait, member: MemberId, named: bool, now: DateTime<Utc>) -> Result<(), DbErr> {
    let row = member::ActiveModel {
        id: Set(member),
        named_on_boards: Set(named),
        updated_at: Set(now),
        ..Default::default()
    };
    row.update(db).await.map(drop)
}
