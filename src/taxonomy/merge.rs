//! Merging two codes of a list into one. The old code stays as a row that says what it became; what lives carries the new one
//! from then on, and what is past keeps the old one and is read through [`canonical`](super::canonical).

use chrono::{DateTime, Utc};
use entity::code_item;
use sea_orm::ActiveValue::Set;
use sea_orm::{ActiveModelTrait as _, ConnectionTrait, DbErr, Statement};

use super::error::TaxonomyError;
use super::list::List;
use super::service::{find, note, open, own};
use super::tree;
use crate::identity::Admin;

/// Tasks that somebody may still claim or serve.
const LIVE_TASKS: &str = "SELECT id FROM task WHERE status IN ('open', 'full', 'in_progress')";
/// Wishes that are not over.
const LIVE_WISHES: &str = "SELECT id FROM wish WHERE status NOT IN ('confirmed', 'rejected', 'cancelled', 'expired')";
/// Listings that give or ask, or will.
const LIVE_LISTINGS: &str = "SELECT id FROM listing WHERE status IN ('draft', 'published')";

/// Merges `code` into `into`, both of `list`.
///
/// # Errors
/// [`TaxonomyError::Fixed`], [`TaxonomyError::NotFound`], [`TaxonomyError::Merged`]; [`TaxonomyError::Invalid`] on `into` for the
/// code itself, one below it, and one that is unknown, retired or merged.
pub async fn merge(
    db: &impl ConnectionTrait,
    admin: &Admin,
    list: List,
    code: &str,
    into: &str,
    now: DateTime<Utc>,
) -> Result<code_item::Model, TaxonomyError> {
    let found = own(db, list, code).await?;
    let refused = |detail: &'static str| TaxonomyError::field("into", "invalid", detail);
    if into == code {
        return Err(refused("不能并入自己，请另选一个编码"));
    }
    let target = match find(db, list.name, into).await {
        Err(TaxonomyError::NotFound) => return Err(refused("同一列表中没有这个编码，请从列表中选择")),
        target => target?,
    };
    if let Some(further) = target.merged_into {
        return Err(TaxonomyError::field("into", "invalid", format!("该编码已并入“{further}”，请直接并入“{further}”")));
    }
    if target.retired_at.is_some() {
        return Err(refused("该编码已停用，请先恢复使用，或另选一个编码"));
    }
    if list.parents == Some(list.name) && tree::load(db, list.name).await?.is_at_or_below(into, code) {
        return Err(refused("不能并入自己的下级，请先调整上下级，再合并"));
    }
    if found.licence && !target.licence {
        // What the law asks of one it asks of both, until staff say otherwise.
        code_item::ActiveModel { licence: Set(true), ..target.into() }.update(db).await?;
    }
    let row = code_item::ActiveModel { merged_into: Set(Some(into.to_owned())), ..found.into() };
    let row = row.update(db).await?;
    move_children(db, list, code, into).await?;
    move_uses(db, list, code, into).await?;
    note(db, admin, "code.merge", &row, now).await?;
    Ok(row)
}

/// Takes a merge back: the code is itself again, for new use and for past rows. What was moved stays where it is.
///
/// # Errors
/// [`TaxonomyError::Fixed`], [`TaxonomyError::NotFound`], [`TaxonomyError::NotMerged`].
pub async fn unmerge(
    db: &impl ConnectionTrait,
    admin: &Admin,
    list: List,
    code: &str,
    now: DateTime<Utc>,
) -> Result<code_item::Model, TaxonomyError> {
    find(db, list.name, code).await?;
    open(db, list).await?;
    let found = find(db, list.name, code).await?;
    if found.merged_into.is_none() {
        return Err(TaxonomyError::NotMerged);
    }
    let row = code_item::ActiveModel { merged_into: Set(None), ..found.into() }.update(db).await?;
    note(db, admin, "code.unmerge", &row, now).await?;
    Ok(row)
}

async fn run(db: &impl ConnectionTrait, sql: &str, values: &[&str]) -> Result<u64, DbErr> {
    let values = values.iter().map(|value| (*value).into()).collect::<Vec<sea_orm::Value>>();
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    db.execute_raw(statement).await.map(|done| done.rows_affected())
}

/// What lay under the old code lies under the new one.
async fn move_children(db: &impl ConnectionTrait, list: List, code: &str, into: &str) -> Result<(), DbErr> {
    for child in super::LISTS.into_iter().filter(|child| child.parents == Some(list.name)) {
        let sql = "UPDATE code_item SET parent = $1 WHERE list = $2 AND parent = $3";
        run(db, sql, &[into, child.name, code]).await?;
    }
    Ok(())
}

/// What lives carries the new code.
async fn move_uses(db: &impl ConnectionTrait, list: List, code: &str, into: &str) -> Result<(), DbErr> {
    match list.name {
        "skill" => {
            move_rows(db, "member_skill", "member_id", "skill", None, (code, into)).await?;
            move_rows(db, "task_skill", "task_id", "skill", Some(LIVE_TASKS), (code, into)).await?;
            move_rows(db, "wish_skill", "wish_id", "skill", Some(LIVE_WISHES), (code, into)).await?;
            move_rows(db, "listing_skill", "listing_id", "skill", Some(LIVE_LISTINGS), (code, into)).await?;
            move_qualifications(db, "licence", (code, into)).await
        }
        "hazard" => {
            move_rows(db, "task_hazard", "task_id", "hazard", Some(LIVE_TASKS), (code, into)).await?;
            move_rows(db, "wish_hazard", "wish_id", "hazard", Some(LIVE_WISHES), (code, into)).await
        }
        "domain" => {
            for (table, live) in [("wish", LIVE_WISHES), ("task", LIVE_TASKS), ("listing", LIVE_LISTINGS)] {
                let sql = format!("UPDATE {table} SET domain = $1 WHERE domain = $2 AND id IN ({live})");
                run(db, &sql, &[into, code]).await?;
            }
            Ok(())
        }
        "training" => {
            run(db, "UPDATE code_item SET training = $1 WHERE list = 'hazard' AND training = $2", &[into, code])
                .await?;
            move_qualifications(db, "training", (code, into)).await
        }
        _ => Ok(()),
    }
}

/// Moves rows of an owner and a code, without making two of one.
async fn move_rows(
    db: &impl ConnectionTrait,
    table: &str,
    owner: &str,
    column: &str,
    live: Option<&str>,
    (code, into): (&str, &str),
) -> Result<(), DbErr> {
    let live = live.map(|live| format!(" AND {owner} IN ({live})")).unwrap_or_default();
    let copy = format!(
        "INSERT INTO {table} ({owner}, {column}) SELECT {owner}, CAST($1 AS text) FROM {table} \
         WHERE {column} = $2{live} ON CONFLICT DO NOTHING"
    );
    run(db, &copy, &[into, code]).await?;
    run(db, &format!("DELETE FROM {table} WHERE {column} = $1{live}"), &[code]).await.map(drop)
}

/// Of two qualifications of a member that become one, the one that counts longer stays.
async fn move_qualifications(db: &impl ConnectionTrait, kind: &str, (code, into): (&str, &str)) -> Result<(), DbErr> {
    let shorter = "DELETE FROM qualification WHERE kind = $1 AND code = $2 AND valid_until IS NOT NULL AND EXISTS
        (SELECT 1 FROM qualification other WHERE other.member_id = qualification.member_id
         AND other.kind = qualification.kind AND other.code = $3
         AND (other.valid_until IS NULL OR other.valid_until > qualification.valid_until))";
    run(db, shorter, &[kind, into, code]).await?;
    let move_on = "UPDATE qualification SET code = $1 WHERE kind = $2 AND code = $3 AND NOT EXISTS
        (SELECT 1 FROM qualification other WHERE other.member_id = qualification.member_id
         AND other.kind = qualification.kind AND other.code = $1)";
    run(db, move_on, &[into, kind, code]).await?;
    run(db, "DELETE FROM qualification WHERE kind = $1 AND code = $2", &[kind, code]).await.map(drop)
}
