//! What a database remembers of the instance it belongs to.

use ::entity::setting::{ActiveModel, Column, Entity};
use chrono::{DateTime, Utc};
use sea_orm::sea_query::OnConflict;
use sea_orm::{DbErr, EntityTrait as _, Set};

use super::CliError;
use crate::crypto::Keys;
use crate::db::Db;

const KEY: &str = "secret_key_fingerprint";

/// The first start leaves the key's fingerprint. A node with another key could read nothing and, worse, would write what
/// the others cannot read.
///
/// # Errors
/// [`CliError::Usage`] for another key than the first.
pub(super) async fn check_key(db: &Db, keys: &Keys, now: DateTime<Utc>) -> Result<(), CliError> {
    let ours = serde_json::Value::from(keys.fingerprint());
    let mut known = find(db).await?;
    if known.is_none() {
        remember(db, ours.clone(), now).await?;
        // Of two first starts at once, one was first.
        known = find(db).await?;
    }
    if known == Some(ours) {
        return Ok(());
    }
    Err(CliError::Usage("the database was written with another secret key: see LINLI_SECRET_KEY".to_owned()))
}

async fn find(db: &Db) -> Result<Option<serde_json::Value>, DbErr> {
    Ok(Entity::find_by_id(KEY).one(db.read()).await?.map(|row| row.value))
}

async fn remember(db: &Db, fingerprint: serde_json::Value, now: DateTime<Utc>) -> Result<(), DbErr> {
    let row = ActiveModel { key: Set(KEY.to_owned()), value: Set(fingerprint), updated_at: Set(now) };
    db.write(async move |txn| {
        let once = OnConflict::column(Column::Key).do_nothing().to_owned();
        Entity::insert(row.clone()).on_conflict(once).exec_without_returning(txn).await.map(drop)
    })
    .await
}
