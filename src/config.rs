//! Settings: defaults, then the file that `LINLI_CONFIG` names, then `LINLI_*` variables.
//!
//! A setting is called the same in the file and in the environment (`API.md` lists them); in the file the prefix may be
//! left out and the letters may be small (`database_url`). An unknown name stops the start: a misspelt setting that is
//! silently ignored is worse than none. `LINLI_TEST_*` belongs to the tests.

mod proxies;
mod secret;
mod source;

use std::fmt;
use std::path::{Path, PathBuf};

use chrono_tz::Tz;
use figment::Figment;
use figment::providers::Serialized;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

pub use proxies::{NotARange, TrustedProxies};
pub use secret::SecretKey;
use source::{File, Variables};

/// Why the settings were refused. Names the setting, never the value of a secret one. The process ends with code 2.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("unknown setting {name} in {origin}; known are {known}")]
    Unknown { name: String, origin: String, known: String },
    #[error("setting {name} is given twice in {origin}")]
    Twice { name: String, origin: String },
    #[error("{name}: {reason}")]
    Invalid { name: &'static str, reason: String },
    #[error("{path}: {reason}", path = path.display())]
    File { path: PathBuf, reason: String },
}

impl ConfigError {
    fn invalid(name: &'static str, reason: impl fmt::Display) -> Self {
        Self::Invalid { name, reason: format!("{reason}") }
    }
}

/// All settings, checked. Secrets print nothing.
#[derive(Clone, Debug)]
pub struct Config {
    /// `sqlite://PATH` or `postgres://…`; secret, since it may hold a password.
    pub database_url: SecretString,
    /// Host and port to listen on; port 0 takes a free one.
    pub bind: String,
    pub secret_key: SecretKey,
    pub timezone: Tz,
    /// Where files are kept that belong to the instance.
    pub data_dir: PathBuf,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: TrustedProxies,
    /// Below this much free space on SQLite's disk, in MiB, writes are refused with 503. 0: never.
    pub min_free_mib: u64,
    /// Filter for the log, such as `info` or `linli=debug,warn`.
    pub log: String,
    pub wechat: WechatConfig,
    pub sms: SmsConfig,
    /// Demo log-ins exist. Set by `linli demo` only, by no setting.
    pub demo: bool,
}

/// How WeChat is reached. Without an app id and a secret, sign-in by WeChat is unavailable.
#[derive(Clone, Debug)]
pub struct WechatConfig {
    pub base_url: String,
    pub appid: Option<String>,
    pub secret: Option<SecretString>,
}

/// How text messages are sent. Without a base URL none are.
#[derive(Clone, Debug)]
pub struct SmsConfig {
    pub base_url: Option<String>,
    pub key: Option<SecretString>,
}

/// The settings as they are written: texts only, one field per name of `API.md`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    database_url: String,
    bind: String,
    secret_key: Option<String>,
    secret_key_file: Option<PathBuf>,
    timezone: String,
    data_dir: PathBuf,
    trusted_proxies: String,
    min_free_mib: String,
    log: String,
    wechat_base_url: String,
    wechat_appid: Option<String>,
    wechat_secret: Option<String>,
    sms_base_url: Option<String>,
    sms_key: Option<String>,
}

/// The names of [`Settings`], as messages list them.
const NAMES: [&str; 14] = [
    "database_url",
    "bind",
    "secret_key",
    "secret_key_file",
    "timezone",
    "data_dir",
    "trusted_proxies",
    "min_free_mib",
    "log",
    "wechat_base_url",
    "wechat_appid",
    "wechat_secret",
    "sms_base_url",
    "sms_key",
];

impl Default for Settings {
    fn default() -> Self {
        Self {
            database_url: "sqlite://data/linli.db".into(),
            bind: "127.0.0.1:8080".into(),
            secret_key: None,
            secret_key_file: None,
            timezone: "Asia/Shanghai".into(),
            data_dir: "data".into(),
            trusted_proxies: String::new(),
            min_free_mib: "200".into(),
            log: "info".into(),
            wechat_base_url: "https://api.weixin.qq.com".into(),
            wechat_appid: None,
            wechat_secret: None,
            sms_base_url: None,
            sms_key: None,
        }
    }
}

impl Config {
    /// Reads the environment of the process and the file it names.
    ///
    /// # Errors
    /// [`ConfigError`] for an unknown name, a value that cannot be, or a file that cannot be read.
    pub fn load() -> Result<Self, ConfigError> {
        Self::from_variables(std::env::vars_os().filter_map(|(name, value)| {
            Some((
                name.into_string().ok()?,
                value.into_string().unwrap_or_else(|raw| raw.to_string_lossy().into_owned()),
            ))
        }))
    }

    /// The same from given variables; those without `LINLI_` are nobody's business here.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let (variables, file) = Variables::read(variables)?;
        let mut figment = Figment::from(Serialized::defaults(Settings::default()));
        if let Some(path) = file {
            figment = figment.merge(File::read(&path)?);
        }
        let settings: Settings =
            figment.merge(variables).extract().map_err(|error| ConfigError::invalid("settings", error))?;
        Self::check(settings)
    }

    fn check(settings: Settings) -> Result<Self, ConfigError> {
        let database = check_database_url(&settings.database_url)?;
        let secret_key = SecretKey::choose(settings.secret_key, settings.secret_key_file, database.as_deref())?;
        check_bind(&settings.bind)?;
        check_log(&settings.log)?;
        check_http_url("LINLI_WECHAT_BASE_URL", &settings.wechat_base_url)?;
        if let Some(url) = &settings.sms_base_url {
            check_http_url("LINLI_SMS_BASE_URL", url)?;
        }
        Ok(Self {
            database_url: settings.database_url.into(),
            bind: settings.bind,
            secret_key,
            timezone: settings.timezone.parse().map_err(|error| ConfigError::invalid("LINLI_TIMEZONE", error))?,
            data_dir: settings.data_dir,
            trusted_proxies: settings
                .trusted_proxies
                .parse()
                .map_err(|error| ConfigError::invalid("LINLI_TRUSTED_PROXIES", error))?,
            min_free_mib: settings
                .min_free_mib
                .parse()
                .map_err(|_| ConfigError::invalid("LINLI_MIN_FREE_MIB", "a whole number of MiB, 0 or more"))?,
            log: settings.log,
            wechat: WechatConfig {
                base_url: trimmed(&settings.wechat_base_url),
                appid: settings.wechat_appid,
                secret: settings.wechat_secret.map(Into::into),
            },
            sms: SmsConfig {
                base_url: settings.sms_base_url.as_deref().map(trimmed),
                key: settings.sms_key.map(Into::into),
            },
            demo: false,
        })
    }

    /// The file of an SQLite database; `None` for PostgreSQL.
    pub fn sqlite_path(&self) -> Option<PathBuf> {
        sqlite_path(self.database_url.expose_secret())
    }
}

/// Base URLs are joined with a path that begins with a slash.
fn trimmed(url: &str) -> String {
    url.trim_end_matches('/').to_owned()
}

/// The path in `sqlite://PATH?options`; `None` for other schemes.
fn sqlite_path(url: &str) -> Option<PathBuf> {
    let rest = url.strip_prefix("sqlite:")?;
    let path = rest.strip_prefix("//").unwrap_or(rest);
    Some(Path::new(path.split('?').next().unwrap_or(path)).to_owned())
}

fn check_database_url(url: &str) -> Result<Option<PathBuf>, ConfigError> {
    const NAME: &str = "LINLI_DATABASE_URL";
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok(None);
    }
    let path = sqlite_path(url).ok_or_else(|| ConfigError::invalid(NAME, "begins with sqlite:// or postgres://"))?;
    let in_memory = path.as_os_str().is_empty() || path.as_os_str() == ":memory:" || url.contains("mode=memory");
    if in_memory {
        return Err(ConfigError::invalid(NAME, "SQLite needs a file: sqlite://PATH"));
    }
    Ok(Some(path))
}

fn check_bind(bind: &str) -> Result<(), ConfigError> {
    let has_port = bind.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if has_port { Ok(()) } else { Err(ConfigError::invalid("LINLI_BIND", "HOST:PORT, such as 127.0.0.1:8080")) }
}

fn check_log(filter: &str) -> Result<(), ConfigError> {
    tracing_subscriber::EnvFilter::try_new(filter).map(drop).map_err(|error| ConfigError::invalid("LINLI_LOG", error))
}

fn check_http_url(name: &'static str, url: &str) -> Result<(), ConfigError> {
    match reqwest::Url::parse(url) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.host().is_some() => Ok(()),
        _ => Err(ConfigError::invalid(name, "an http:// or https:// address")),
    }
}

#[cfg(test)]
mod tests;
