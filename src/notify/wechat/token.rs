//! The access token of the mini-program: one for all nodes, kept sealed in the database, refreshed by one node at a time.
//!
//! Rules learnt from other clients: read again after the lock was taken; give up only the value that was used; never clear
//! the old one before the new one is stored.

use std::time::Duration;

use ::entity::{job_lease, setting};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait as _, DbErr, EntityTrait as _, QueryFilter as _};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Mutex;

use super::WechatError;
use super::answer::TokenAnswer;
use crate::clock::Clock;
use crate::crypto::{Keys, random_token};
use crate::db::{Db, Txn};

const PURPOSE: &str = "wechat access token";
const LEASE: &str = "wechat_token";
/// A refresh takes no longer, or another node takes over.
const LEASE_HOLDS: TimeDelta = TimeDelta::seconds(15);
/// WeChat renews a stable token five minutes before its end.
const EARLY: TimeDelta = TimeDelta::minutes(5);
const LOOK_AGAIN: Duration = Duration::from_millis(100);
const LOOKS: usize = 50;

pub(super) struct TokenStore {
    db: Db,
    keys: Keys,
    clock: Clock,
    /// One refresh of this process at a time.
    gate: Mutex<()>,
    holder: String,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    token: String,
    expires_at: DateTime<Utc>,
}

impl TokenStore {
    pub(super) fn new(db: Db, keys: Keys, clock: Clock) -> Self {
        Self { db, keys, clock, gate: Mutex::new(()), holder: random_token() }
    }

    /// The token in force for `appid`, other than `expired`; `fetch` asks WeChat for one.
    pub(super) async fn get<F>(&self, appid: &str, expired: Option<&str>, fetch: F) -> Result<String, WechatError>
    where
        F: AsyncFnOnce() -> Result<TokenAnswer, WechatError>,
    {
        if let Some(token) = self.kept(appid, expired).await? {
            return Ok(token);
        }
        let _gate = self.gate.lock().await;
        for _ in 0..LOOKS {
            if let Some(token) = self.kept(appid, expired).await? {
                return Ok(token);
            }
            if self.take_lease().await? {
                // Another node may have finished between the look above and the lease.
                let outcome = match self.kept(appid, expired).await {
                    Ok(None) => self.refresh(appid, fetch).await,
                    Ok(Some(token)) => Ok(token),
                    Err(error) => Err(error),
                };
                self.give_back().await?;
                return outcome;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Err(WechatError::Unavailable("another node is refreshing the token".into()))
    }

    async fn refresh<F>(&self, appid: &str, fetch: F) -> Result<String, WechatError>
    where
        F: AsyncFnOnce() -> Result<TokenAnswer, WechatError>,
    {
        let now = self.clock.now();
        let answer = fetch().await?;
        answer.verdict.judge("stable_token").map_err(|error| WechatError::Unavailable(error.to_string()))?;
        if answer.access_token.is_empty() {
            return Err(WechatError::Unavailable("an answer without token".into()));
        }
        let lives = TimeDelta::seconds(answer.expires_in.clamp(0, 7200));
        let kept = Kept { token: answer.access_token, expires_at: now + lives };
        self.keep(appid, &kept).await?;
        Ok(kept.token)
    }

    async fn kept(&self, appid: &str, expired: Option<&str>) -> Result<Option<String>, WechatError> {
        let row = setting::Entity::find_by_id(key(appid)).one(self.db.read()).await.map_err(unavailable)?;
        let kept = row.and_then(|row| self.open(&row.value));
        let now = self.clock.now();
        Ok(kept
            .filter(|kept| kept.expires_at - EARLY > now && Some(kept.token.as_str()) != expired)
            .map(|kept| kept.token))
    }

    /// A value sealed under another secret is as good as none.
    fn open(&self, value: &serde_json::Value) -> Option<Kept> {
        let sealed = STANDARD.decode(value.get("sealed")?.as_str()?).ok()?;
        serde_json::from_slice(&self.keys.open(PURPOSE, &sealed).ok()?).ok()
    }

    async fn keep(&self, appid: &str, kept: &Kept) -> Result<(), WechatError> {
        let plain = serde_json::to_vec(kept).map_err(|error| WechatError::Unavailable(error.to_string()))?;
        let value = json!({"sealed": STANDARD.encode(self.keys.seal(PURPOSE, &plain))});
        let row = setting::ActiveModel { key: Set(key(appid)), value: Set(value), updated_at: Set(self.clock.now()) };
        self.db
            .write(async move |txn| {
                let changed = [setting::Column::Value, setting::Column::UpdatedAt];
                setting::Entity::insert(row.clone())
                    .on_conflict(OnConflict::column(setting::Column::Key).update_columns(changed).to_owned())
                    .exec_without_returning(txn)
                    .await
                    .map(drop)
            })
            .await
            .map_err(unavailable)
    }

    async fn take_lease(&self) -> Result<bool, WechatError> {
        let now = self.db.now().await.map_err(unavailable)?;
        let holder = self.holder.clone();
        self.db.write(async move |txn| take(txn, &holder, now).await).await.map_err(unavailable)
    }

    async fn give_back(&self) -> Result<(), WechatError> {
        let holder = self.holder.clone();
        self.db
            .write(async move |txn| {
                job_lease::Entity::delete_many()
                    .filter(job_lease::Column::Job.eq(LEASE))
                    .filter(job_lease::Column::Holder.eq(holder.as_str()))
                    .exec(txn)
                    .await
                    .map(drop)
            })
            .await
            .map_err(unavailable)
    }
}

async fn take(txn: &Txn, holder: &str, now: DateTime<Utc>) -> Result<bool, DbErr> {
    use job_lease::{ActiveModel, Column, Entity};
    let row = ActiveModel {
        job: Set(LEASE.to_owned()),
        holder: Set(holder.to_owned()),
        until: Set(now + LEASE_HOLDS),
        fencing: Set(1),
    };
    let inserted = Entity::insert(row)
        .on_conflict(OnConflict::column(Column::Job).do_nothing().to_owned())
        .exec_without_returning(txn)
        .await?;
    if inserted == 1 {
        return Ok(true);
    }
    let taken = Entity::update_many()
        .col_expr(Column::Holder, Expr::value(holder))
        .col_expr(Column::Until, Expr::value(now + LEASE_HOLDS))
        .col_expr(Column::Fencing, Expr::col(Column::Fencing).add(1))
        .filter(Column::Job.eq(LEASE))
        .filter(Column::Until.lte(now))
        .exec(txn)
        .await?;
    Ok(taken.rows_affected == 1)
}

fn key(appid: &str) -> String {
    format!("wechat.access_token.{appid}")
}

fn unavailable(_: DbErr) -> WechatError {
    WechatError::Unavailable("the database does not answer".into())
}
