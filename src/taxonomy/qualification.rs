//! Licences, trainings and insurances of volunteers, as managers record them. Commands are to be run in a transaction.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use entity::id::MemberId;
use entity::qualification::{self, Column, Entity, QualificationKind};
use entity::{code_item, member};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _};
use serde_json::json;

use super::error::TaxonomyError;
use super::given::given;
use super::view::QualificationView;
use crate::audit::{self, Actor, AuditEvent};
use crate::crypto::Keys;
use crate::identity::{Manager, Scope};

/// What references are sealed for.
pub const REFERENCE_PURPOSE: &str = "qualification.reference";

/// The code of every insurance: a volunteer is insured, or not.
pub const INSURANCE: &str = "insurance";

/// A qualification as it is recorded.
#[derive(Clone, Debug)]
pub struct NewQualification {
    pub kind: QualificationKind,
    /// None for an insurance.
    pub code: Option<String>,
    pub valid_until: Option<NaiveDate>,
    pub reference: Option<String>,
}

/// The list that the codes of a kind are of, and what one of them is called.
const fn list_of(kind: QualificationKind) -> Option<(&'static str, &'static str)> {
    match kind {
        QualificationKind::Licence => Some(("skill", "技能")),
        QualificationKind::Training => Some(("training", "培训")),
        QualificationKind::Insurance => None,
    }
}

async fn code_of(db: &impl ConnectionTrait, new: &NewQualification) -> Result<String, TaxonomyError> {
    let Some((list, what)) = list_of(new.kind) else {
        return match new.code.as_deref() {
            None | Some(INSURANCE) => Ok(INSURANCE.to_owned()),
            Some(_) => Err(TaxonomyError::field("code", "invalid", "保险不分种类，请去掉此项")),
        };
    };
    let Some(code) = &new.code else { return Err(TaxonomyError::field("code", "required", "请选择是哪一项")) };
    let code = given(db, list, std::slice::from_ref(code)).await?.one("code", what);
    Ok(code.map_err(|fault| TaxonomyError::Invalid(vec![fault]))?.unwrap_or_default())
}

/// Records a qualification, or renews it: what was recorded of the same one before is replaced.
///
/// # Errors
/// [`TaxonomyError::NotFound`] for a member elsewhere, [`TaxonomyError::SecondPerson`], [`TaxonomyError::Invalid`] on `code` and
/// on `valid_until` in the past.
pub async fn put(
    db: &impl ConnectionTrait,
    keys: &Keys,
    manager: &Manager,
    member: MemberId,
    new: &NewQualification,
    (today, now): (NaiveDate, DateTime<Utc>),
) -> Result<QualificationView, TaxonomyError> {
    let found = visible(db, manager, member).await?;
    let code = code_of(db, new).await?;
    if new.valid_until.is_some_and(|until| until < today) {
        return Err(TaxonomyError::field("valid_until", "out_of_range", "有效期已过，请核对证件后填写"));
    }
    let sealed = new.reference.as_ref().map(|reference| keys.seal(REFERENCE_PURPOSE, reference.as_bytes()));
    let row = qualification::Model {
        member_id: member,
        kind: new.kind,
        code,
        valid_until: new.valid_until,
        reference_sealed: sealed,
        recorded_by: manager.id,
        created_at: now,
    };
    let again = OnConflict::columns([Column::MemberId, Column::Kind, Column::Code])
        .update_columns([Column::ValidUntil, Column::ReferenceSealed, Column::RecordedBy, Column::CreatedAt])
        .to_owned();
    Entity::insert(qualification::ActiveModel::from(row.clone())).on_conflict(again).exec_without_returning(db).await?;
    note(db, manager, "qualification.record", &found, &row, now).await?;
    let name = names(db, std::slice::from_ref(&row)).await?;
    Ok(view(keys, row, &name, true, today))
}

/// Takes a qualification away: recorded in error, or withdrawn.
///
/// # Errors
/// [`TaxonomyError::NotFound`], [`TaxonomyError::SecondPerson`].
pub async fn remove(
    db: &impl ConnectionTrait,
    keys: &Keys,
    manager: &Manager,
    (member, kind, code): (MemberId, QualificationKind, &str),
    (today, now): (NaiveDate, DateTime<Utc>),
) -> Result<QualificationView, TaxonomyError> {
    let found = visible(db, manager, member).await?;
    let key = (member, kind, code.to_owned());
    let row = Entity::find_by_id(key.clone()).one(db).await?.ok_or(TaxonomyError::NotFound)?;
    Entity::delete_by_id(key).exec(db).await?;
    note(db, manager, "qualification.remove", &found, &row, now).await?;
    let name = names(db, std::slice::from_ref(&row)).await?;
    Ok(view(keys, row, &name, true, today))
}

/// A member's qualifications, by kind and code. References are opened where `clear`.
///
/// # Errors
/// The database's.
pub async fn of(
    db: &impl ConnectionTrait,
    keys: &Keys,
    member: MemberId,
    clear: bool,
    today: NaiveDate,
) -> Result<Vec<QualificationView>, DbErr> {
    let rows = Entity::find()
        .filter(Column::MemberId.eq(member))
        .order_by_asc(Column::Kind)
        .order_by_asc(Column::Code)
        .all(db)
        .await?;
    let names = names(db, &rows).await?;
    Ok(rows.into_iter().map(|row| view(keys, row, &names, clear, today)).collect())
}

/// Forgets what is recorded of a member, who is being erased.
///
/// # Errors
/// The database's.
pub async fn forget(db: &impl ConnectionTrait, member: MemberId) -> Result<(), DbErr> {
    Entity::delete_many().filter(Column::MemberId.eq(member)).exec(db).await.map(drop)
}

/// What is recorded of one account goes over to the member it is joined to; what both have stays the member's.
///
/// # Errors
/// The database's.
pub async fn follow(db: &impl ConnectionTrait, from: MemberId, to: MemberId) -> Result<(), DbErr> {
    let known = Entity::find().filter(Column::MemberId.eq(to)).all(db).await?;
    for row in Entity::find().filter(Column::MemberId.eq(from)).all(db).await? {
        if !known.iter().any(|own| own.kind == row.kind && own.code == row.code) {
            let row = qualification::Model { member_id: to, ..row };
            Entity::insert(qualification::ActiveModel::from(row)).exec_without_returning(db).await?;
        }
    }
    forget(db, from).await
}

async fn visible(
    db: &impl ConnectionTrait,
    manager: &Manager,
    member: MemberId,
) -> Result<member::Model, TaxonomyError> {
    let scope = Scope::Staff(manager.subtree());
    let found = member::Entity::find_by_id(member)
        .filter(scope.owned(member::Column::Id, member::Column::RegionCode))
        .filter(member::Column::ErasedAt.is_null())
        .filter(member::Column::MergedInto.is_null())
        .one(db)
        .await?
        .ok_or(TaxonomyError::NotFound)?;
    if manager.member == Some(member) { Err(TaxonomyError::SecondPerson) } else { Ok(found) }
}

async fn note(
    db: &impl ConnectionTrait,
    manager: &Manager,
    action: &'static str,
    member: &member::Model,
    row: &qualification::Model,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let event = AuditEvent::new(Actor::Staff(manager.id), action, "member", now).of(member.id);
    let detail = json!({"kind": row.kind, "code": row.code, "valid_until": row.valid_until});
    audit::record(db, event.in_region(member.region_code.as_deref().unwrap_or_default()).with(detail)).await
}

/// What codes of both lists are called.
async fn names(
    db: &impl ConnectionTrait,
    rows: &[qualification::Model],
) -> Result<BTreeMap<(String, String), String>, DbErr> {
    let items = code_item::Entity::find()
        .filter(code_item::Column::List.is_in(["skill", "training"]))
        .filter(code_item::Column::Code.is_in(rows.iter().map(|row| row.code.clone())))
        .all(db)
        .await?;
    Ok(items.into_iter().map(|item| ((item.list, item.code), item.name)).collect())
}

fn view(
    keys: &Keys,
    row: qualification::Model,
    names: &BTreeMap<(String, String), String>,
    clear: bool,
    today: NaiveDate,
) -> QualificationView {
    let name = match list_of(row.kind) {
        None => "志愿者保险".to_owned(),
        Some((list, _)) => names.get(&(list.to_owned(), row.code.clone())).cloned().unwrap_or_else(|| row.code.clone()),
    };
    let sealed = row.reference_sealed.as_ref().filter(|_| clear);
    let reference = sealed.and_then(|sealed| {
        let opened = keys.open(REFERENCE_PURPOSE, sealed);
        if opened.is_err() {
            tracing::error!(member.id = %row.member_id, "a reference does not open");
        }
        String::from_utf8(opened.ok()?).ok()
    });
    QualificationView::new(row, name, reference, today)
}
