//! By WeChat: the mini-program's code is exchanged for the openid, server to server.

use std::net::IpAddr;

use actix_web::http::StatusCode;
use entity::id::MemberId;
use entity::member;
use entity::member_identity::{self, IdentityKind};
use sea_orm::{ActiveModelTrait as _, ActiveValue::Set, EntityTrait as _};

use super::member::{Outcome, begin, newcomer};
use super::{Attempt, Tokens, not_offered};
use crate::app::AppState;
use crate::audit::Actor;
use crate::db::Txn;
use crate::http::Problem;
use crate::identity::error::IdentityError;
use crate::identity::sealed::OPENID;
use crate::notify::wechat::WechatError;

const ACTION: &str = "session.begin.wechat";
/// WeChat allows a hundred calls a minute for one person.
const TOO_OFTEN_S: u32 = 60;

/// Signs in whoever the code belongs to; somebody new becomes a member.
///
/// # Errors
/// See [`problem`]; 403 `account_disabled`; 429 for an address from which too much has failed.
pub(super) async fn sign_in(state: &AppState, address: IpAddr, code: &str) -> Result<Tokens, Problem> {
    let attempt = Attempt::new(state, address);
    attempt.admit(state).await?;
    let openid = match state.wechat.openid(code).await {
        Ok(openid) => openid,
        Err(error) => return Err(refuse(state, attempt, error).await?),
    };
    let index = state.keys.blind_index(OPENID, &openid);
    let sealed = state.keys.seal(OPENID, openid.as_bytes());
    let id = MemberId::new();
    let row = newcomer(id, None, state.calendar.day_of(attempt.now), attempt.now);
    let identity = member_identity::ActiveModel {
        kind: Set(IdentityKind::Wechat),
        subject_index: Set(index.clone()),
        subject_sealed: Set(sealed),
        member_id: Set(id),
        created_at: Set(attempt.now),
    };
    let newcomer = Newcomer { row, identity };
    let outcome = match enter(state, attempt.clone(), index.clone(), newcomer.clone()).await {
        // Two first sign-ins at once: by now the other has made the member.
        Err(IdentityError::Raced) => enter(state, attempt.clone(), index, newcomer).await?,
        other => other?,
    };
    match outcome {
        Outcome::In(subject) => Ok(Tokens::new(attempt.pair, *subject)),
        Outcome::Refused | Outcome::Disabled => Err(IdentityError::AccountDisabled.into()),
    }
}

#[derive(Clone)]
struct Newcomer {
    row: member::ActiveModel,
    identity: member_identity::ActiveModel,
}

async fn enter(
    state: &AppState,
    attempt: Attempt,
    index: Vec<u8>,
    newcomer: Newcomer,
) -> Result<Outcome, IdentityError> {
    let enter = async move |txn: &Txn| {
        let known = member_identity::Entity::find_by_id((IdentityKind::Wechat, index.clone())).one(txn).await?;
        let member = if let Some(known) = known {
            member::Entity::find_by_id(known.member_id).one(txn).await?
        } else {
            let made = newcomer.row.clone().insert(txn).await?;
            member_identity::Entity::insert(newcomer.identity.clone()).exec_without_returning(txn).await?;
            Some(made)
        };
        let member = member.ok_or(IdentityError::NotFound)?;
        Ok::<_, IdentityError>(begin(txn, &member, &attempt, ACTION).await?)
    };
    state.db.write(enter).await
}

/// A refused code counts against the address.
async fn refuse(state: &AppState, attempt: Attempt, error: WechatError) -> Result<Problem, Problem> {
    if matches!(error, WechatError::CodeRefused | WechatError::Foreign | WechatError::AccountBlocked) {
        let write = async move |txn: &Txn| attempt.failed(txn, attempt.event(Actor::Anonymous, ACTION)).await;
        state.db.write(write).await?;
    }
    Ok(problem(&error))
}

/// What a client is told about WeChat's refusals.
pub(crate) fn problem(error: &WechatError) -> Problem {
    match error {
        WechatError::NotConfigured => not_offered("本站尚未开通微信登录，请用手机验证码登录，或到驿站由工作人员办理"),
        WechatError::CodeRefused | WechatError::Foreign => {
            let detail = "微信登录码无效、已用过或已超过五分钟，请重新进入小程序再试";
            Problem::new(StatusCode::UNAUTHORIZED, "wechat_code_rejected", detail)
        }
        WechatError::AccountBlocked => {
            let detail = "微信提示该微信号存在风险，暂不能用它登录，请用手机验证码登录";
            Problem::forbidden_as("wechat_account_blocked", detail)
        }
        WechatError::TooOften => Problem::too_many_requests(TOO_OFTEN_S),
        WechatError::Unavailable(reason) => {
            tracing::warn!(reason, "WeChat was not available");
            let detail = "微信暂时没有应答，请稍后重试，或用手机验证码登录";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail).retry_after(5)
        }
    }
}
