//! By a code sent to the phone. Whether somebody has the phone makes no difference, in the answer or in what is done.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use entity::id::{MemberId, SmsCodeId};
use entity::{member, sms_code};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _,
    QueryFilter as _, QueryOrder as _,
};

use super::member::{Outcome, begin, newcomer};
use super::{Attempt, Tokens, not_offered, refused};
use crate::app::AppState;
use crate::audit::Actor;
use crate::crypto::{Keys, random_bytes, same};
use crate::http::{Phone, Problem};
use crate::identity::error::IdentityError;
use crate::identity::limit::{Bucket, SMS_ADDRESS, SMS_PHONE_HOUR, SMS_PHONE_MINUTE, SMS_TRIES, Verdict, network};
use crate::identity::sealed::{phone_index, seal_phone};
use crate::jobs::outbox;
use crate::notify::sms::Sms;
use crate::notify::{self, Letter};

/// How long a code counts: time enough for a slow network, and a short life for a stolen one.
const CODE_LIVES: TimeDelta = TimeDelta::minutes(5);
/// Wrong tries before a code is void: one in 200,000 guesses succeeds.
const MOST_ATTEMPTS: i32 = 5;
const WORDS: &str = "验证码不正确或已失效，请核对；仍不行请重新获取验证码";
const ACTION: &str = "session.begin.sms";

/// Has a code sent to `phone`.
///
/// # Errors
/// 429 above the limits of the phone or the address; 503 where no gateway is configured.
pub async fn send_code(state: &AppState, address: IpAddr, phone: &Phone) -> Result<(), Problem> {
    if !state.sms.ready() {
        return Err(not_offered("本站尚未开通短信验证，请用微信登录，或到驿站由工作人员办理"));
    }
    let (keys, now) = (&state.keys, state.clock.now());
    let digits = phone.reveal();
    let limits =
        [SMS_PHONE_MINUTE.of(keys, digits), SMS_PHONE_HOUR.of(keys, digits), SMS_ADDRESS.of(keys, &network(address))];
    let (id, code) = (SmsCodeId::new(), draw_code());
    let row = sms_code::ActiveModel {
        id: Set(id),
        phone_index: Set(phone_index(keys, digits)),
        code_hash: Set(hash(keys, id, &code)),
        created_at: Set(now),
        expires_at: Set(now + CODE_LIVES),
        attempts: Set(0),
        used_at: Set(None),
    };
    let text = format!("【邻里】验证码 {code}，5 分钟内有效。请勿告诉他人。");
    let sms = Sms { phone: digits.to_owned(), text, until: Some(now + CODE_LIVES) };
    let letter = Letter::seal(keys, outbox::SMS, &sms).map_err(|error| Problem::internal(&error))?;
    let posted = letter.id();
    let verdict = state
        .db
        .write(async move |txn| {
            for limit in &limits {
                // The counts stay, so this is an answer and not an error.
                if let exceeded @ Verdict::Exceeded(_) = limit.hit(txn, now).await? {
                    return Ok(exceeded);
                }
            }
            row.clone().insert(txn).await?;
            notify::outbox(txn, &letter, now).await?;
            Ok::<_, DbErr>(Verdict::Allowed)
        })
        .await?;
    match verdict {
        Verdict::Exceeded(seconds) => Err(Problem::too_many_requests(seconds)),
        Verdict::Allowed => {
            outbox::deliver_soon(state, posted);
            Ok(())
        }
    }
}

/// Signs in whoever has `phone`; somebody new becomes a member.
///
/// # Errors
/// 401 for a code that does not count; 403 `account_disabled`; 429.
pub(super) async fn sign_in(state: &AppState, address: IpAddr, phone: &Phone, code: String) -> Result<Tokens, Problem> {
    let attempt = Attempt::new(state, address);
    attempt.admit(state).await?;
    let check = CodeCheck::new(state, phone, code);
    let (id, today) = (MemberId::new(), state.calendar.day_of(attempt.now));
    let row = newcomer(id, Some(seal_phone(&state.keys, phone.reveal())), today, attempt.now);
    let started = attempt.clone();
    let outcome = state
        .db
        .write(async move |txn| {
            if let Err(verdict) = check.count(txn, started.now).await? {
                return Ok(Err(verdict));
            }
            if !check.consume(txn, started.now).await? {
                started.failed(txn, started.event(Actor::Anonymous, ACTION)).await?;
                return Ok(Ok(Outcome::Refused));
            }
            let found = member::Entity::find().filter(member::Column::PhoneIndex.eq(check.index.clone())).one(txn);
            let member = match found.await? {
                Some(found) => found,
                None => row.clone().insert(txn).await?,
            };
            Ok::<_, IdentityError>(Ok(begin(txn, &member, &started, ACTION).await?))
        })
        .await?;
    match outcome {
        Err(seconds) => Err(Problem::too_many_requests(seconds)),
        Ok(Outcome::Refused) => Err(refused(WORDS)),
        Ok(Outcome::Disabled) => Err(IdentityError::AccountDisabled.into()),
        Ok(Outcome::In(subject)) => Ok(Tokens::new(attempt.pair, *subject)),
    }
}

/// A code as somebody gives it, for one phone.
#[derive(Clone)]
pub struct CodeCheck {
    keys: Keys,
    index: Vec<u8>,
    code: String,
    tries: Bucket,
}

impl CodeCheck {
    pub fn new(state: &AppState, phone: &Phone, code: String) -> Self {
        let digits = phone.reveal();
        let tries = SMS_TRIES.of(&state.keys, digits);
        Self { keys: state.keys.clone(), index: phone_index(&state.keys, digits), code, tries }
    }

    /// Counts a try for the phone; `Err` with the seconds to wait where there were too many. Commit it in any case.
    ///
    /// # Errors
    /// The database's.
    pub async fn count(&self, db: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<Result<(), u32>, DbErr> {
        Ok(match self.tries.hit(db, now).await? {
            Verdict::Allowed => Ok(()),
            Verdict::Exceeded(seconds) => Err(seconds),
        })
    }

    /// Counts a try of the newest code and uses it up where it fits. Commit it in any case: a wrong try counts.
    ///
    /// # Errors
    /// The database's.
    pub async fn consume(&self, db: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<bool, DbErr> {
        Ok(self.count_attempt(db, now).await? && self.fits(db, now).await?)
    }

    /// Counts a try of the newest code, before it is compared: of many tries at once no more than five are. False where
    /// there is no code that counts, or it was tried too often.
    ///
    /// # Errors
    /// The database's.
    pub async fn count_attempt(&self, db: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<bool, DbErr> {
        let Some(found) = self.newest(db, now).await? else { return Ok(false) };
        let counted = sms_code::Entity::update_many()
            .col_expr(sms_code::Column::Attempts, Expr::col(sms_code::Column::Attempts).add(1))
            .filter(sms_code::Column::Id.eq(found.id))
            .filter(sms_code::Column::Attempts.lt(MOST_ATTEMPTS))
            .filter(sms_code::Column::UsedAt.is_null())
            .exec(db)
            .await?;
        Ok(counted.rows_affected == 1)
    }

    /// Uses the newest code up, where it fits. Only after [`CodeCheck::count_attempt`].
    ///
    /// # Errors
    /// The database's.
    pub async fn fits(&self, db: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<bool, DbErr> {
        let Some(found) = self.newest(db, now).await? else { return Ok(false) };
        if !same(&hash(&self.keys, found.id, &self.code), &found.code_hash) {
            return Ok(false);
        }
        let used = sms_code::Entity::update_many()
            .col_expr(sms_code::Column::UsedAt, Expr::value(now))
            .filter(sms_code::Column::Id.eq(found.id))
            .filter(sms_code::Column::UsedAt.is_null())
            .exec(db)
            .await?;
        Ok(used.rows_affected == 1)
    }

    /// Only the code sent last counts.
    async fn newest(&self, db: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<Option<sms_code::Model>, DbErr> {
        let newest = sms_code::Entity::find()
            .filter(sms_code::Column::PhoneIndex.eq(self.index.clone()))
            .order_by_desc(sms_code::Column::Id)
            .one(db)
            .await?;
        Ok(newest.filter(|row| row.used_at.is_none() && now < row.expires_at))
    }
}

/// Takes away codes that have been void for a day.
///
/// # Errors
/// The database's.
pub async fn sweep(db: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<u64, DbErr> {
    let old = sms_code::Column::ExpiresAt.lt(now - TimeDelta::days(1));
    Ok(sms_code::Entity::delete_many().filter(old).exec(db).await?.rows_affected)
}

/// Six digits, all equally likely but for one in 10^13.
fn draw_code() -> String {
    format!("{:06}", u64::from_be_bytes(random_bytes()) % 1_000_000)
}

/// A code has few digits, so that its hash needs the secret.
fn hash(keys: &Keys, id: SmsCodeId, code: &str) -> Vec<u8> {
    let mut message = id.0.as_bytes().to_vec();
    message.extend_from_slice(code.as_bytes());
    keys.mac("sms code", &message).to_vec()
}
