//! WeChat's answers, as they are documented and as they come.

use serde::{Deserialize, Deserializer};

use super::WechatError;

/// `errcode` (absent or 0: good) and `errmsg`, which ends with the request's id for WeChat's support.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Verdict {
    #[serde(default)]
    errcode: i64,
    #[serde(default)]
    errmsg: String,
}

impl Verdict {
    pub(super) fn is_busy(&self) -> bool {
        self.errcode == -1
    }

    /// 40001, 40014, 42001: the access token is wrong or expired.
    pub(super) fn is_stale_token(&self) -> bool {
        matches!(self.errcode, 40001 | 40014 | 42001)
    }

    /// What the code means to us. Anything that is not the person's doing is logged with WeChat's request id.
    pub(super) fn judge(&self, call: &'static str) -> Result<(), WechatError> {
        let error = match self.errcode {
            0 => return Ok(()),
            // 40163 used already; 40097 and 47001, of getuserphonenumber, for what cannot be a code.
            40029 | 40163 | 40097 | 47001 => WechatError::CodeRefused,
            40226 => WechatError::AccountBlocked,
            45011 => WechatError::TooOften,
            code => WechatError::Unavailable(format!("errcode {code}")),
        };
        if matches!(error, WechatError::Unavailable(_)) {
            tracing::warn!(call, errcode = self.errcode, errmsg = self.errmsg, "WeChat refused");
        }
        Err(error)
    }
}

/// Of `jscode2session`. The `session_key` beside the openid is not even read.
#[derive(Debug, Deserialize)]
pub(super) struct SessionAnswer {
    #[serde(flatten)]
    pub(super) verdict: Verdict,
    #[serde(default)]
    pub(super) openid: String,
}

/// Of `stable_token`.
#[derive(Deserialize)]
pub(super) struct TokenAnswer {
    #[serde(flatten)]
    pub(super) verdict: Verdict,
    #[serde(default)]
    pub(super) access_token: String,
    /// Seconds, at most 7200.
    #[serde(default)]
    pub(super) expires_in: i64,
}

/// Of `getuserphonenumber`.
#[derive(Deserialize)]
pub(super) struct PhoneAnswer {
    #[serde(flatten)]
    pub(super) verdict: Verdict,
    pub(super) phone_info: Option<PhoneInfo>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PhoneInfo {
    pub(super) pure_phone_number: String,
    /// Documented as text, shown as a number.
    #[serde(deserialize_with = "text_or_number")]
    pub(super) country_code: String,
    pub(super) watermark: Watermark,
}

#[derive(Deserialize)]
pub(super) struct Watermark {
    pub(super) appid: String,
}

macro_rules! has_verdict {
    ($($answer:ty),+) => {$(
        impl AsRef<Verdict> for $answer {
            fn as_ref(&self) -> &Verdict {
                &self.verdict
            }
        }
    )+};
}

has_verdict!(SessionAnswer, TokenAnswer, PhoneAnswer);

fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Number(u32),
    }
    Ok(match Either::deserialize(deserializer)? {
        Either::Text(text) => text,
        Either::Number(number) => number.to_string(),
    })
}
