//! `POST /me/phone`: proving a phone and linking the account with it.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, post};
use serde::Deserialize;
use utoipa::ToSchema;
use validator::{Validate, ValidationError};

use super::error::IdentityError;
use super::phone::{self, ProvedPhone};
use super::profile::{self, Clarity};
use super::sealed::seal_phone;
use super::sign_in::sms::CodeCheck;
use super::sign_in::wechat_problem;
use crate::app::{AppState, State};
use crate::http::{Call, Phone, Problem};
use crate::notify::wechat::WechatError;

/// How a phone is proved: `wechat_code` of the phone button, or `phone` and the `code` sent to it.
#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
#[validate(schema(function = "one_way"))]
struct LinkPhone {
    #[validate(length(min = 1, max = 128))]
    #[schema(min_length = 1, max_length = 128)]
    wechat_code: Option<String>,
    phone: Option<Phone>,
    #[validate(length(min = 1, max = 12))]
    #[schema(min_length = 1, max_length = 12)]
    code: Option<String>,
}

fn one_way(body: &LinkPhone) -> Result<(), ValidationError> {
    let (field, code) = match (&body.wechat_code, &body.phone, &body.code) {
        (Some(_), None, None) | (None, Some(_), Some(_)) => return Ok(()),
        (None, None, _) => ("phone", "required"),
        (None, Some(_), None) => ("code", "required"),
        (Some(_), _, _) => ("wechat_code", "invalid"),
    };
    let words = "请只给出 wechat_code，或者同时给出 phone 与 code";
    let mut error = ValidationError::new(code).with_message(words.into());
    error.add_param("field".into(), &field);
    Err(error)
}

/// Link the account with a phone. The member who has it, imported or not, is then the caller.
///
/// 409 `account_in_use` where both accounts have a history: staff decide.
#[utoipa::path(tag = "members", request_body = LinkPhone, responses((status = 200, body = super::profile::MemberView)))]
#[post("/me/phone")]
pub(super) async fn link_phone(state: State, call: Call<LinkPhone>) -> Result<HttpResponse, Problem> {
    let id = call.caller.member()?.id;
    let (body, once) = call.admit(async || Ok(())).await?;
    let (keys, now) = (state.keys.clone(), state.clock.now());
    let proof = match body {
        LinkPhone { wechat_code: Some(code), .. } => by_wechat(&state, &code).await?,
        LinkPhone { phone: Some(phone), code: Some(code), .. } => by_sms(&state, &phone, code).await?,
        LinkPhone { .. } => return Err(Problem::invalid("phone", "required", "请填写手机号")),
    };
    once.run(&state, StatusCode::OK, async move |txn| {
        // A used code is refused here and not before, so that a repeat of the call finds the first answer.
        let proved = match &proof {
            Proof::Given(proved) => proved,
            Proof::Refused(detail) => return Err(IdentityError::field("wechat_code", "invalid", *detail)),
            Proof::Code { check, proved, counted } => {
                if !counted || !check.fits(txn, now).await? {
                    return Err(wrong_code());
                }
                proved
            }
        };
        let row = phone::link(txn, id, proved, now).await?;
        profile::one(txn, &keys, row, Clarity::Own).await
    })
    .await
}

enum Proof {
    Given(ProvedPhone),
    /// By WeChat; in words.
    Refused(&'static str),
    Code {
        check: CodeCheck,
        proved: ProvedPhone,
        counted: bool,
    },
}

fn proved(state: &AppState, phone: &Phone) -> ProvedPhone {
    let (sealed, index) = seal_phone(&state.keys, phone.reveal());
    ProvedPhone { sealed, index }
}

/// The try is counted first and for itself, so that no refusal takes the count back.
async fn by_sms(state: &AppState, phone: &Phone, code: String) -> Result<Proof, Problem> {
    let (check, now) = (CodeCheck::new(state, phone, code), state.clock.now());
    let counting = check.clone();
    let counted = state
        .db
        .write(async move |txn| {
            Ok::<_, sea_orm::DbErr>(match counting.count(txn, now).await? {
                Ok(()) => Ok(counting.count_attempt(txn, now).await?),
                Err(seconds) => Err(seconds),
            })
        })
        .await?;
    let counted = counted.map_err(Problem::too_many_requests)?;
    Ok(Proof::Code { check, proved: proved(state, phone), counted })
}

async fn by_wechat(state: &AppState, code: &str) -> Result<Proof, Problem> {
    let found = match state.wechat.phone(code).await {
        Ok(found) => found,
        Err(WechatError::CodeRefused | WechatError::Foreign) => {
            return Ok(Proof::Refused("微信手机号授权码无效、已用过或已超过五分钟，请重新点击授权"));
        }
        Err(error) => return Err(wechat_problem(&error)),
    };
    Ok(match Phone::parse(&found.number) {
        Ok(phone) if found.country_code == "86" => Proof::Given(proved(state, &phone)),
        _ => Proof::Refused("目前只支持中国大陆手机号，请改用短信验证或到驿站办理"),
    })
}

fn wrong_code() -> IdentityError {
    IdentityError::field("code", "invalid", "验证码不正确或已失效，请核对；仍不行请重新获取验证码")
}
