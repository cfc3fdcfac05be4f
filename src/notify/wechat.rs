//! WeChat's server side: who a code belongs to, and the phone behind a phone button.
//!
//! Identity comes from here only, never from a body. Neither the app's secret nor a `session_key` leaves this file.

mod answer;
mod token;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use self::answer::{PhoneAnswer, SessionAnswer, Verdict};
use self::token::TokenStore;
use crate::clock::Clock;
use crate::config::WechatConfig;
use crate::crypto::Keys;
use crate::db::Db;

/// How long to wait before the one repeat that "busy" (−1) gets.
const PAUSE: Duration = Duration::from_millis(200);

/// What WeChat says about a code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WechatError {
    /// No app id or secret is configured.
    #[error("not configured")]
    NotConfigured,
    /// 40029: wrong, used or more than five minutes old.
    #[error("the code was refused")]
    CodeRefused,
    /// 40226: WeChat calls the account a risk.
    #[error("the account is blocked")]
    AccountBlocked,
    /// 45011: this person asks too often.
    #[error("too many requests")]
    TooOften,
    /// Not the mini-program's own answer: another app's watermark.
    #[error("an answer for another app")]
    Foreign,
    /// Busy twice, out of reach, or out of quota.
    #[error("{0}")]
    Unavailable(String),
}

/// What sign-in and phone linking ask of WeChat.
pub trait WechatClient: Send + Sync {
    /// The openid behind a code of `wx.login`.
    fn openid<'a>(&'a self, code: &'a str) -> LocalBoxFuture<'a, Result<String, WechatError>>;

    /// The phone behind a code of the phone button, as WeChat writes it without country code, and that code (`86`).
    fn phone<'a>(&'a self, code: &'a str) -> LocalBoxFuture<'a, Result<WechatPhone, WechatError>>;
}

/// A phone that WeChat has verified.
#[derive(Clone, PartialEq, Eq)]
pub struct WechatPhone {
    pub number: String,
    pub country_code: String,
}

/// The real one, over HTTP.
pub struct HttpWechat {
    base_url: String,
    app: Option<App>,
    http: Result<reqwest::Client, String>,
    tokens: TokenStore,
}

struct App {
    id: String,
    secret: SecretString,
}

/// The client that `config` asks for; without app id and secret it answers [`WechatError::NotConfigured`].
pub fn client(config: &WechatConfig, db: &Db, keys: &Keys, clock: &Clock) -> Arc<dyn WechatClient> {
    let app = config.appid.clone().zip(config.secret.clone()).map(|(id, secret)| App { id, secret });
    let tokens = TokenStore::new(db.clone(), keys.clone(), clock.clone());
    Arc::new(HttpWechat { base_url: config.base_url.clone(), app, http: super::sms::http_client(), tokens })
}

impl WechatClient for HttpWechat {
    fn openid<'a>(&'a self, code: &'a str) -> LocalBoxFuture<'a, Result<String, WechatError>> {
        Box::pin(async move {
            let app = self.app()?;
            let url = format!("{}/sns/jscode2session", self.base_url);
            let query = [
                ("appid", app.id.as_str()),
                ("secret", app.secret.expose_secret()),
                ("js_code", code),
                ("grant_type", "authorization_code"),
            ];
            let http = self.http()?;
            let answer: SessionAnswer = twice(|| http.get(&url).query(&query)).await?;
            match answer.verdict.judge("jscode2session")? {
                () if answer.openid.is_empty() => Err(WechatError::Unavailable("an answer without openid".into())),
                () => Ok(answer.openid),
            }
        })
    }

    fn phone<'a>(&'a self, code: &'a str) -> LocalBoxFuture<'a, Result<WechatPhone, WechatError>> {
        Box::pin(async move {
            let app = self.app()?;
            let token = self.token(app, None).await?;
            let mut answer = self.ask_phone(code, &token).await?;
            if answer.verdict.is_stale_token() {
                // One repeat at most with a fresh token, and only the one just used is given up.
                let fresh = self.token(app, Some(&token)).await?;
                answer = self.ask_phone(code, &fresh).await?;
            }
            answer.verdict.judge("getuserphonenumber")?;
            let found = answer.phone_info.ok_or_else(|| WechatError::Unavailable("an answer without phone".into()))?;
            if found.watermark.appid != app.id {
                return Err(WechatError::Foreign);
            }
            Ok(WechatPhone { number: found.pure_phone_number, country_code: found.country_code })
        })
    }
}

impl HttpWechat {
    fn app(&self) -> Result<&App, WechatError> {
        self.app.as_ref().ok_or(WechatError::NotConfigured)
    }

    /// The token in force; another one than `expired`.
    async fn token(&self, app: &App, expired: Option<&str>) -> Result<String, WechatError> {
        let url = format!("{}/cgi-bin/stable_token", self.base_url);
        let body = json!({"grant_type": "client_credential", "appid": app.id, "secret": app.secret.expose_secret(),
            "force_refresh": false});
        let http = self.http()?;
        let fetch = async || twice(|| http.post(&url).json(&body)).await;
        self.tokens.get(&app.id, expired, fetch).await
    }

    async fn ask_phone(&self, code: &str, token: &str) -> Result<PhoneAnswer, WechatError> {
        let url = format!("{}/wxa/business/getuserphonenumber", self.base_url);
        let body = json!({"code": code});
        let http = self.http()?;
        twice(|| http.post(&url).query(&[("access_token", token)]).json(&body)).await
    }

    fn http(&self) -> Result<&reqwest::Client, WechatError> {
        self.http.as_ref().map_err(|error| WechatError::Unavailable(error.clone()))
    }
}

/// Asks, and once more where WeChat is busy.
async fn twice<T>(request: impl Fn() -> reqwest::RequestBuilder) -> Result<T, WechatError>
where
    T: serde::de::DeserializeOwned + AsRef<Verdict>,
{
    let first: T = ask(request()).await?;
    if !first.as_ref().is_busy() {
        return Ok(first);
    }
    tokio::time::sleep(PAUSE).await;
    ask(request()).await
}

/// Errors come with status 200 and a JSON body, whatever the content type says.
async fn ask<T: serde::de::DeserializeOwned>(request: reqwest::RequestBuilder) -> Result<T, WechatError> {
    // The address holds the secret, so no error shows it.
    let unreachable = |error: reqwest::Error| WechatError::Unavailable(error.without_url().to_string());
    let answer = request.send().await.map_err(unreachable)?;
    let status = answer.status();
    let bytes = answer.bytes().await.map_err(unreachable)?;
    serde_json::from_slice(&bytes)
        .map_err(|_| WechatError::Unavailable(format!("an answer that is not WeChat's, status {status}")))
}
