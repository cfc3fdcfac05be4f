//! `/auth/*`: without a caller, without idempotency keys.

use actix_web::{HttpRequest, HttpResponse, delete, post, web};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use super::{Tokens, keep, sms, staff, wechat};
use crate::app::State;
use crate::http::{OpenCall, Phone, Problem, client_addr};
use crate::identity::authenticate::token_in;

/// The routes of this room.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(by_wechat)
        .service(send_sms)
        .service(by_sms)
        .service(by_password)
        .service(refresh)
        .service(end_session);
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct ByWechat {
    /// Of `wx.login`; good once, for five minutes.
    #[validate(length(min = 1, max = 128))]
    #[schema(min_length = 1, max_length = 128)]
    code: String,
}

/// Sign in with WeChat. Whoever comes for the first time becomes a member, with name and region to be completed.
#[utoipa::path(tag = "sign-in", security(()), request_body = ByWechat, responses((status = 200, body = Tokens)))]
#[post("/auth/wechat")]
async fn by_wechat(state: State, request: HttpRequest, call: OpenCall<ByWechat>) -> Result<web::Json<Tokens>, Problem> {
    let body = call.checked()?;
    Ok(web::Json(wechat::sign_in(&state, client_addr(&request), &body.code).await?))
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct SendSms {
    phone: Phone,
}

/// Have a code sent to a phone; the answer is the same for every phone.
#[utoipa::path(tag = "sign-in", security(()), request_body = SendSms,
    responses((status = 202, description = "A code is on its way.")))]
#[post("/auth/sms")]
async fn send_sms(state: State, request: HttpRequest, call: OpenCall<SendSms>) -> Result<HttpResponse, Problem> {
    let body = call.checked()?;
    sms::send_code(&state, client_addr(&request), &body.phone).await?;
    Ok(HttpResponse::Accepted().finish())
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct BySms {
    phone: Phone,
    /// The six digits of the text message.
    #[validate(length(min = 1, max = 12))]
    #[schema(min_length = 1, max_length = 12)]
    code: String,
}

/// Sign in with the code that was sent. A new phone becomes a member, with name and region to be completed.
#[utoipa::path(tag = "sign-in", security(()), request_body = BySms, responses((status = 200, body = Tokens)))]
#[post("/auth/sms/verification")]
async fn by_sms(state: State, request: HttpRequest, call: OpenCall<BySms>) -> Result<web::Json<Tokens>, Problem> {
    let body = call.checked()?;
    Ok(web::Json(sms::sign_in(&state, client_addr(&request), &body.phone, body.code).await?))
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct ByPassword {
    #[validate(length(min = 1, max = 64))]
    #[schema(min_length = 1, max_length = 64)]
    username: String,
    #[validate(length(min = 1, max = 256))]
    #[schema(format = Password, min_length = 1, max_length = 256)]
    password: String,
    /// The one-time password, where the account has one.
    #[validate(length(min = 1, max = 12))]
    #[schema(min_length = 1, max_length = 12)]
    totp: Option<String>,
}

/// Sign in to the console. Five wrong passwords lock an account for a quarter of an hour.
#[utoipa::path(tag = "sign-in", security(()), request_body = ByPassword, responses((status = 200, body = Tokens)))]
#[post("/auth/staff")]
async fn by_password(
    state: State,
    request: HttpRequest,
    call: OpenCall<ByPassword>,
) -> Result<web::Json<Tokens>, Problem> {
    let ByPassword { username, password, totp } = call.checked()?;
    let address = client_addr(&request);
    Ok(web::Json(staff::sign_in(&state, address, &username, password, totp).await?))
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct Refresh {
    #[validate(length(min = 1, max = 128))]
    #[schema(min_length = 1, max_length = 128)]
    refresh_token: String,
}

/// Trade a refresh token for new tokens. It counts once: its second use ends the session.
#[utoipa::path(tag = "sign-in", security(()), request_body = Refresh, responses((status = 200, body = Tokens)))]
#[post("/auth/refresh")]
async fn refresh(state: State, request: HttpRequest, call: OpenCall<Refresh>) -> Result<web::Json<Tokens>, Problem> {
    let body = call.checked()?;
    Ok(web::Json(keep::refresh(&state, client_addr(&request), body.refresh_token).await?))
}

/// Sign out: the session of the token ends, with all its tokens.
#[utoipa::path(tag = "sign-in", responses((status = 204, description = "The session has ended.")))]
#[delete("/auth/session")]
async fn end_session(state: State, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let token = token_in(request.headers())?.ok_or_else(Problem::unauthenticated)?;
    keep::end(&state, token).await?;
    Ok(HttpResponse::NoContent().finish())
}
