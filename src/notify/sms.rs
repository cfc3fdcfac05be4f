//! Text messages, through whatever gateway is configured.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::LocalBoxFuture;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::config::{Config, SmsConfig};

const CONNECT: Duration = Duration::from_secs(3);
const ANSWER: Duration = Duration::from_secs(10);

/// A text message. Prints nothing of itself: the text may hold a code.
#[derive(Clone, Serialize, Deserialize)]
pub struct Sms {
    pub phone: String,
    pub text: String,
    /// When it is of no more use, and is not sent any more.
    #[serde(default)]
    pub until: Option<DateTime<Utc>>,
}

impl std::fmt::Debug for Sms {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Sms(..)")
    }
}

/// Why a message was not taken. Holds neither phone nor text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// No gateway is configured.
    #[error("no gateway is configured")]
    NotConfigured,
    /// The gateway will never take this one.
    #[error("refused with status {0}")]
    Refused(u16),
    /// It is of no more use.
    #[error("too late to be of use")]
    TooLate,
    /// It may take it later.
    #[error("{0}")]
    Later(String),
}

/// Hands messages to a gateway.
pub trait SmsClient: Send + Sync {
    /// Whether there is a gateway at all; asked before a code is made.
    fn ready(&self) -> bool;

    /// Sends `sms`; `id` is the same for each try of the same message, so that the gateway can drop doubles.
    fn send<'a>(&'a self, id: &'a str, sms: &'a Sms) -> LocalBoxFuture<'a, Result<(), SendError>>;
}

/// The client that `config` asks for.
pub fn client(config: &Config) -> Arc<dyn SmsClient> {
    if config.demo && config.sms.base_url.is_none() {
        return Arc::new(Printing);
    }
    Arc::new(HttpSms::new(&config.sms))
}

/// POST to the gateway's address: `{id, phone, text}` with the key as bearer token; any 2xx is "taken".
struct HttpSms {
    gateway: Option<(String, Option<SecretString>)>,
    http: Result<reqwest::Client, String>,
}

#[derive(Serialize)]
struct Order<'a> {
    id: &'a str,
    phone: &'a str,
    text: &'a str,
}

impl HttpSms {
    fn new(config: &SmsConfig) -> Self {
        let gateway = config.base_url.clone().map(|url| (url, config.key.clone()));
        Self { gateway, http: http_client() }
    }
}

impl SmsClient for HttpSms {
    fn ready(&self) -> bool {
        self.gateway.is_some()
    }

    fn send<'a>(&'a self, id: &'a str, sms: &'a Sms) -> LocalBoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let (url, key) = self.gateway.as_ref().ok_or(SendError::NotConfigured)?;
            let http = self.http.as_ref().map_err(|error| SendError::Later(error.clone()))?;
            let mut request = http.post(url).json(&Order { id, phone: &sms.phone, text: &sms.text });
            if let Some(key) = key {
                request = request.bearer_auth(key.expose_secret());
            }
            let answer = request.send().await.map_err(|error| SendError::Later(error.without_url().to_string()))?;
            match answer.status().as_u16() {
                200..=299 => Ok(()),
                status @ (408 | 425 | 429 | 500..) => Err(SendError::Later(format!("answered {status}"))),
                status => Err(SendError::Refused(status)),
            }
        })
    }
}

/// Prints instead of sending: `linli demo` has no gateway, and whoever runs it reads the codes there.
struct Printing;

impl SmsClient for Printing {
    fn ready(&self) -> bool {
        true
    }

    fn send<'a>(&'a self, _: &'a str, sms: &'a Sms) -> LocalBoxFuture<'a, Result<(), SendError>> {
        println!("SMS {} {}", sms.phone, sms.text);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A client with our time limits; redirects are not followed, since a code in clear must not go elsewhere. Where none can be
/// made (a machine without certificates), the reason: the service runs without it.
pub(super) fn http_client() -> Result<reqwest::Client, String> {
    crate::cli::install_tls();
    reqwest::Client::builder()
        .connect_timeout(CONNECT)
        .timeout(ANSWER)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("linli/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| error.to_string())
}
