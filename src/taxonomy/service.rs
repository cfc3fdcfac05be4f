//! Adding, changing and retiring codes. All of it to be run in a transaction.
//!
//! Every command holds the one row of `guess_version` first, which the triggers count up anyway: of two changes of the lists
//! at once the second sees what the first has made, so two of them cannot close a circle of parents or merges.

use chrono::{DateTime, Utc};
use entity::code_item::{self, Column, Entity, Privacy};
use entity::guess_version;
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _,
    QuerySelect as _, SelectExt as _,
};
use serde_json::json;

use super::error::TaxonomyError;
use super::given::given;
use super::list::List;
use super::tree;
use crate::audit::{self, Actor, AuditEvent};
use crate::http::FieldError;
use crate::identity::Admin;

/// What staff may say of a code; what is absent stays.
#[derive(Clone, Debug, Default)]
#[allow(clippy::option_option, reason = "null empties, absent leaves as it is")]
pub struct Traits {
    pub name: Option<String>,
    pub parent: Option<Option<String>>,
    pub privacy: Option<Privacy>,
    pub priority: Option<i16>,
    pub licence: Option<bool>,
    pub training: Option<Option<String>>,
    pub insurance: Option<bool>,
    pub min_age: Option<Option<i16>>,
}

/// The open list of this name.
///
/// # Errors
/// [`TaxonomyError::NotFound`] for none of this name.
pub fn list_named(name: &str) -> Result<List, TaxonomyError> {
    List::named(name).ok_or(TaxonomyError::NotFound)
}

/// A code as it is stored.
///
/// # Errors
/// [`TaxonomyError::NotFound`].
pub async fn find(db: &impl ConnectionTrait, list: &str, code: &str) -> Result<code_item::Model, TaxonomyError> {
    let found = Entity::find_by_id((list.to_owned(), code.to_owned())).one(db).await?;
    found.ok_or(TaxonomyError::NotFound)
}

/// Adds a code to an open list.
///
/// # Errors
/// [`TaxonomyError::Fixed`], [`TaxonomyError::Taken`], [`TaxonomyError::Invalid`] on `parent`, `training` and what the list
/// does not have.
pub async fn add(
    db: &impl ConnectionTrait,
    admin: &Admin,
    list: List,
    code: &str,
    traits: &Traits,
    now: DateTime<Utc>,
) -> Result<code_item::Model, TaxonomyError> {
    open(db, list).await?;
    if Entity::find_by_id((list.name.to_owned(), code.to_owned())).exists(db).await? {
        return Err(TaxonomyError::Taken);
    }
    let blank = code_item::Model { list: list.name.to_owned(), code: code.to_owned(), ..Default::default() };
    let row = with(db, list, blank, traits).await?;
    Entity::insert(code_item::ActiveModel::from(row.clone())).exec_without_returning(db).await?;
    note(db, admin, "code.add", &row, now).await?;
    Ok(row)
}

/// Changes a code. One that was merged is left as history has it.
///
/// # Errors
/// [`TaxonomyError::Fixed`], [`TaxonomyError::NotFound`], [`TaxonomyError::Merged`], [`TaxonomyError::Invalid`] as [`add`].
pub async fn change(
    db: &impl ConnectionTrait,
    admin: &Admin,
    list: List,
    code: &str,
    traits: &Traits,
    now: DateTime<Utc>,
) -> Result<code_item::Model, TaxonomyError> {
    let found = own(db, list, code).await?;
    let row = with(db, list, found, traits).await?;
    let row = code_item::ActiveModel::from(row).reset_all().update(db).await?;
    note(db, admin, "code.change", &row, now).await?;
    Ok(row)
}

/// Takes a code out of use, or back into it. Whoever has it keeps it. Done twice it stays as it is.
///
/// # Errors
/// [`TaxonomyError::Fixed`], [`TaxonomyError::NotFound`], [`TaxonomyError::Merged`]; [`TaxonomyError::Required`] for a training
/// that a hazard asks for.
pub async fn retire(
    db: &impl ConnectionTrait,
    admin: &Admin,
    list: List,
    code: &str,
    retired: bool,
    now: DateTime<Utc>,
) -> Result<code_item::Model, TaxonomyError> {
    let found = own(db, list, code).await?;
    if found.retired_at.is_some() == retired {
        return Ok(found);
    }
    if retired && list.name == "training" && asked_for(db, code).await? {
        return Err(TaxonomyError::Required);
    }
    let row = code_item::ActiveModel { retired_at: Set(retired.then_some(now)), ..found.into() };
    let row = row.update(db).await?;
    note(db, admin, if retired { "code.retire" } else { "code.restore" }, &row, now).await?;
    Ok(row)
}

async fn asked_for(db: &impl ConnectionTrait, training: &str) -> Result<bool, DbErr> {
    Entity::find()
        .filter(Column::List.eq("hazard"))
        .filter(Column::Training.eq(training))
        .filter(Column::MergedInto.is_null())
        .filter(Column::RetiredAt.is_null())
        .exists(db)
        .await
}

/// Lets one change of the lists in at a time, if the list is open.
pub(super) async fn open(db: &impl ConnectionTrait, list: List) -> Result<(), TaxonomyError> {
    if !list.open {
        return Err(TaxonomyError::Fixed);
    }
    guess_version::Entity::find_by_id(1_i16).lock_exclusive().one(db).await?;
    Ok(())
}

/// A code of an open list that was not merged.
pub(super) async fn own(db: &impl ConnectionTrait, list: List, code: &str) -> Result<code_item::Model, TaxonomyError> {
    let known = find(db, list.name, code).await;
    if list.open {
        known?;
    }
    open(db, list).await?;
    let found = find(db, list.name, code).await?;
    match &found.merged_into {
        Some(into) => Err(TaxonomyError::Merged(into.clone())),
        None => Ok(found),
    }
}

pub(super) async fn note(
    db: &impl ConnectionTrait,
    admin: &Admin,
    action: &'static str,
    row: &code_item::Model,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let event = AuditEvent::new(Actor::Staff(admin.id), action, "code", now).of(format!("{}/{}", row.list, row.code));
    let detail = json!({
        "parent": row.parent, "merged_into": row.merged_into, "retired": row.retired_at.is_some(),
        "privacy": row.privacy, "priority": row.priority, "licence": row.licence, "training": row.training,
        "insurance": row.insurance, "min_age": row.min_age,
    });
    audit::record(db, event.in_region(&admin.region).with(detail)).await
}

/// The row with `traits`, checked.
async fn with(
    db: &impl ConnectionTrait,
    list: List,
    mut row: code_item::Model,
    traits: &Traits,
) -> Result<code_item::Model, TaxonomyError> {
    let mut refused = foreign(list, traits);
    if let Some(name) = &traits.name {
        row.name.clone_from(name);
    }
    match &traits.parent {
        Some(Some(parent)) if list.parents.is_some() => match parent_of(db, list, &row.code, parent).await? {
            Ok(parent) => row.parent = Some(parent),
            Err(fault) => refused.push(fault),
        },
        Some(None) => row.parent = None,
        Some(Some(_)) | None => {}
    }
    match &traits.training {
        Some(Some(training)) => {
            match given(db, "training", std::slice::from_ref(training)).await?.one("training", "培训") {
                Ok(training) => row.training = training,
                Err(fault) => refused.push(fault),
            }
        }
        Some(None) => row.training = None,
        None => {}
    }
    row.privacy = traits.privacy.unwrap_or(row.privacy);
    row.priority = traits.priority.unwrap_or(row.priority);
    row.licence = traits.licence.unwrap_or(row.licence);
    row.insurance = traits.insurance.unwrap_or(row.insurance);
    row.min_age = traits.min_age.unwrap_or(row.min_age);
    if refused.is_empty() { Ok(row) } else { Err(TaxonomyError::Invalid(refused)) }
}

/// What is said that the list does not have.
fn foreign(list: List, traits: &Traits) -> Vec<FieldError> {
    let said = [
        ("parent", list.parents.is_some(), matches!(traits.parent, Some(Some(_)))),
        ("privacy", list.name == "special_group", traits.privacy.is_some()),
        ("priority", list.name == "special_group", traits.priority.is_some()),
        ("licence", list.name == "skill", traits.licence.is_some()),
        ("training", list.name == "hazard", traits.training.is_some()),
        ("insurance", list.name == "hazard", traits.insurance.is_some()),
        ("min_age", list.name == "hazard", traits.min_age.is_some()),
    ];
    let fault = |name| FieldError::new(name, "invalid").saying("这个列表没有此项，请去掉");
    said.into_iter().filter(|(_, has, said)| *said && !has).map(|(name, ..)| fault(name)).collect()
}

/// A parent as it is now; never the code itself nor one below it.
async fn parent_of(
    db: &impl ConnectionTrait,
    list: List,
    code: &str,
    parent: &str,
) -> Result<Result<String, FieldError>, DbErr> {
    let Some(parents) = list.parents else { return Ok(Ok(parent.to_owned())) };
    let known = Entity::find().filter(Column::List.eq(parents)).exists(db).await?;
    let found = given(db, parents, &[parent.to_owned()]).await?.one("parent", "上级");
    let parent = match found {
        Ok(Some(parent)) if known => parent,
        Ok(_) => return Ok(Err(FieldError::new("parent", "invalid").saying("没有这个上级代码，请从列表中选择"))),
        Err(fault) => return Ok(Err(fault)),
    };
    if parents == list.name && tree::load(db, list.name).await?.is_at_or_below(&parent, code) {
        let fault = FieldError::new("parent", "invalid").saying("上级不能是自己或自己的下级，请另选上级");
        return Ok(Err(fault));
    }
    Ok(Ok(parent))
}

/// Whether a list has any code, in use or not.
///
/// # Errors
/// The database's.
pub async fn has_entries(db: &impl ConnectionTrait, list: &str) -> Result<bool, DbErr> {
    Entity::find().filter(Column::List.eq(list)).exists(db).await
}

/// Every code that a past row may carry for `code`: what it is now, and all that became the same.
///
/// # Errors
/// The database's.
pub async fn equivalents(db: &impl ConnectionTrait, list: &str, code: &str) -> Result<Vec<String>, DbErr> {
    let merged = super::merged(db, list).await?;
    Ok(merged.equivalents(code))
}

/// The codes of a list in order, with retired and merged ones only where `all` is asked for.
///
/// # Errors
/// The database's.
pub async fn items(
    db: &impl ConnectionTrait,
    list: &str,
    parent: Option<&str>,
    all: bool,
    after: Option<&str>,
    limit: u64,
) -> Result<Vec<code_item::Model>, DbErr> {
    let mut rows = Entity::find().filter(Column::List.eq(list));
    if let Some(parent) = parent {
        rows = rows.filter(Column::Parent.eq(parent));
    }
    if !all {
        rows = rows.filter(Column::RetiredAt.is_null()).filter(Column::MergedInto.is_null());
    }
    if let Some(after) = after {
        rows = rows.filter(Column::Code.gt(after));
    }
    sea_orm::QueryOrder::order_by_asc(rows, Column::Code).limit(limit).all(db).await
}
