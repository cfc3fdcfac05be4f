//! Linking an account with a phone: one person, one account.
//!
//! Whoever has proved to have a phone is the person of the member with that phone. A fresh account (made by a first
//! sign-in) is joined to that member: its ways to sign in, its sessions, its consents and its inbox move there, and the
//! empty shell remains with a pointer. An account with a history of its own is not joined by itself: its points would
//! change owner and its records could overlap with the other's, so both are left alone and staff are asked
//! (409 `account_in_use`).

use chrono::{DateTime, Utc};
use entity::id::MemberId;
use entity::{
    account, availability, claim, consent, household_member, inbox_message, member, member_identity, member_skill,
    merit, redemption, redemption_share, reporting, service_record, session, staff, wish,
};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _,
    PaginatorTrait as _, QueryFilter as _,
};
use serde_json::json;

use super::error::IdentityError;
use super::me::find;
use crate::audit::{self, Actor, AuditEvent};
use crate::taxonomy;

/// A phone that the caller has proved to have.
#[derive(Clone)]
pub struct ProvedPhone {
    pub sealed: Vec<u8>,
    pub index: Vec<u8>,
}

/// Gives `caller` the phone, or joins the account to the member who has it. Answers the member that the caller then is.
///
/// # Errors
/// [`IdentityError::AccountInUse`], [`IdentityError::AccountDisabled`]; the database's.
pub async fn link(
    db: &impl ConnectionTrait,
    caller: MemberId,
    phone: &ProvedPhone,
    now: DateTime<Utc>,
) -> Result<member::Model, IdentityError> {
    let owner = member::Entity::find().filter(member::Column::PhoneIndex.eq(phone.index.clone())).one(db).await?;
    match owner {
        Some(owner) if owner.id == caller => Ok(owner),
        Some(owner) => join(db, &find(db, caller).await?, owner, now).await,
        None => {
            let row = member::ActiveModel {
                id: Set(caller),
                phone_sealed: Set(Some(phone.sealed.clone())),
                phone_index: Set(Some(phone.index.clone())),
                updated_at: Set(now),
                ..Default::default()
            };
            let changed = row.update(db).await?;
            let event = AuditEvent::new(Actor::Member(caller), "member.phone", "member", now).of(caller);
            audit::record(db, event).await?;
            Ok(changed)
        }
    }
}

async fn join(
    db: &impl ConnectionTrait,
    fresh: &member::Model,
    owner: member::Model,
    now: DateTime<Utc>,
) -> Result<member::Model, IdentityError> {
    if owner.disabled_at.is_some() {
        return Err(IdentityError::AccountDisabled);
    }
    if let Some(history) = history(db, fresh).await? {
        return Err(IdentityError::AccountInUse(history.to_owned()));
    }
    move_rows(db, fresh.id, owner.id).await?;
    let shell = member::ActiveModel {
        id: Set(fresh.id),
        name: Set(None),
        phone_sealed: Set(None),
        phone_index: Set(None),
        home_sealed: Set(None),
        special_group_sealed: Set(None),
        is_resident: Set(false),
        is_volunteer: Set(false),
        is_party_member: Set(false),
        named_on_boards: Set(false),
        merged_into: Set(Some(owner.id)),
        updated_at: Set(now),
        ..Default::default()
    };
    shell.update(db).await?;
    let joined = take_over(db, fresh, owner, now).await?;
    let event = AuditEvent::new(Actor::Member(joined.id), "member.join", "member", now).of(joined.id);
    audit::record(db, event.with(json!({"joined": fresh.id}))).await?;
    Ok(joined)
}

/// What an account has that cannot change its owner by itself; `None` for a fresh one.
async fn history(db: &impl ConnectionTrait, fresh: &member::Model) -> Result<Option<&'static str>, DbErr> {
    let id = fresh.id;
    if fresh.ref_id.is_some() {
        return Ok(Some("导入的档案"));
    }
    let counts = [
        (wish::Entity::find().filter(wish::Column::RequesterId.eq(id)).count(db).await?, "微心愿"),
        (claim::Entity::find().filter(claim::Column::MemberId.eq(id)).count(db).await?, "认领记录"),
        (service_record::Entity::find().filter(service_record::Column::MemberId.eq(id)).count(db).await?, "服务记录"),
        (merit::Entity::find().filter(merit::Column::MemberId.eq(id)).count(db).await?, "捐赠或事件记录"),
        (account::Entity::find().filter(account::Column::MemberId.eq(id)).count(db).await?, "积分"),
        (redemption::Entity::find().filter(redemption::Column::MemberId.eq(id)).count(db).await?, "兑换记录"),
        (
            redemption_share::Entity::find().filter(redemption_share::Column::MemberId.eq(id)).count(db).await?,
            "兑换记录",
        ),
        (household_member::Entity::find().filter(household_member::Column::MemberId.eq(id)).count(db).await?, "家庭"),
        (reporting::Entity::find().filter(reporting::Column::MemberId.eq(id)).count(db).await?, "双报到记录"),
    ];
    Ok(counts.into_iter().find(|(count, _)| *count > 0).map(|(_, name)| name))
}

/// Ways to sign in, sessions and messages follow the person.
async fn move_rows(db: &impl ConnectionTrait, from: MemberId, to: MemberId) -> Result<(), DbErr> {
    let target = || Expr::value(to);
    let rows = member_identity::Entity::update_many().col_expr(member_identity::Column::MemberId, target());
    rows.filter(member_identity::Column::MemberId.eq(from)).exec(db).await?;
    let rows = session::Entity::update_many().col_expr(session::Column::MemberId, target());
    rows.filter(session::Column::MemberId.eq(from)).exec(db).await?;
    let rows = inbox_message::Entity::update_many().col_expr(inbox_message::Column::MemberId, target());
    rows.filter(inbox_message::Column::MemberId.eq(from)).exec(db).await?;
    let rows = staff::Entity::update_many().col_expr(staff::Column::MemberId, target());
    rows.filter(staff::Column::MemberId.eq(from)).exec(db).await?;
    Ok(())
}

/// What the fresh account knew and the member's does not; what both know stays the member's.
async fn take_over(
    db: &impl ConnectionTrait,
    fresh: &member::Model,
    owner: member::Model,
    now: DateTime<Utc>,
) -> Result<member::Model, DbErr> {
    let became_volunteer = fresh.is_volunteer && !owner.is_volunteer;
    if became_volunteer {
        move_volunteering(db, fresh.id, owner.id).await?;
    }
    move_consents(db, fresh.id, owner.id, now).await?;
    taxonomy::qualification::follow(db, fresh.id, owner.id).await?;
    let row = member::ActiveModel {
        id: Set(owner.id),
        name: Set(owner.name.or_else(|| fresh.name.clone())),
        region_code: Set(owner.region_code.or_else(|| fresh.region_code.clone())),
        birth_year: Set(owner.birth_year.or(fresh.birth_year)),
        gender: Set(owner.gender.or_else(|| fresh.gender.clone())),
        is_volunteer: Set(owner.is_volunteer || fresh.is_volunteer),
        named_on_boards: Set(owner.named_on_boards || fresh.named_on_boards),
        updated_at: Set(now),
        ..Default::default()
    };
    row.update(db).await
}

async fn move_volunteering(db: &impl ConnectionTrait, from: MemberId, to: MemberId) -> Result<(), DbErr> {
    // What the member had from before (as party member, say) gives way: the newer answer is the person's own.
    member_skill::Entity::delete_many().filter(member_skill::Column::MemberId.eq(to)).exec(db).await?;
    availability::Entity::delete_many().filter(availability::Column::MemberId.eq(to)).exec(db).await?;
    let skills = member_skill::Entity::update_many().col_expr(member_skill::Column::MemberId, Expr::value(to));
    skills.filter(member_skill::Column::MemberId.eq(from)).exec(db).await?;
    let hours = availability::Entity::update_many().col_expr(availability::Column::MemberId, Expr::value(to));
    hours.filter(availability::Column::MemberId.eq(from)).exec(db).await?;
    Ok(())
}

/// A consent that both gave is in force once; the older row tells since when.
async fn move_consents(
    db: &impl ConnectionTrait,
    from: MemberId,
    to: MemberId,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    use consent::Column;
    let open = consent::Entity::find().filter(Column::WithdrawnAt.is_null());
    let known: Vec<_> = open.filter(Column::MemberId.eq(to)).all(db).await?.into_iter().map(|row| row.kind).collect();
    let doubles = consent::Entity::update_many().col_expr(Column::WithdrawnAt, Expr::value(now));
    let doubles = doubles.filter(Column::MemberId.eq(from)).filter(Column::WithdrawnAt.is_null());
    doubles.filter(Column::Kind.is_in(known)).exec(db).await?;
    let rows = consent::Entity::update_many().col_expr(Column::MemberId, Expr::value(to));
    rows.filter(Column::MemberId.eq(from)).exec(db).await.map(drop)
}
