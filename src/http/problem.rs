//! The one error body of the service (RFC 9457) and the only [`ResponseError`].

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use sea_orm::DbErr;
use serde::Serialize;
use utoipa::ToSchema;

/// Media type of every error.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Seconds after which a client should come back when the database is away.
const RETRY_AFTER_UNAVAILABLE_S: u32 = 2;

/// One field that was refused. Never repeats the value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Path of the field, as in `window.from` or `skills[0]`; empty for the body as a whole.
    pub field: String,
    /// `unknown_field`, `required`, `wrong_type`, `invalid`, `out_of_range` or `too_long`.
    pub code: &'static str,
    /// For people, in Chinese.
    pub detail: Cow<'static, str>,
}

impl FieldError {
    /// A refused field with the usual words of its code.
    pub fn new(field: impl Into<String>, code: &'static str) -> Self {
        let detail = match code {
            "unknown_field" => "没有这个字段，请删去后重试",
            "required" => "此项必填，请补上",
            "wrong_type" => "类型不对，请按接口文档填写",
            "out_of_range" => "超出允许的范围，请修改",
            "too_long" => "内容过长，请缩短",
            _ => "内容不合规定，请修改",
        };
        Self { field: field.into(), code, detail: Cow::Borrowed(detail) }
    }

    /// The same with own words.
    #[must_use]
    pub fn saying(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = detail.into();
        self
    }
}

/// An answer of refusal or failure: status, a stable code for programs, words for people.
#[derive(Clone)]
pub struct Problem(Box<Parts>);

#[derive(Clone)]
struct Parts {
    status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    retry_after_s: Option<u32>,
    allow: Option<String>,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
}

impl Problem {
    /// Any status with any code; the named constructors below cover the contract's cases.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        let detail = detail.into();
        Self(Box::new(Parts { status, code, detail, errors: Vec::new(), retry_after_s: None, allow: None }))
    }

    /// 404: unknown, unparsable or invisible id, or unknown route; always the same answer.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "没有找到，请核对编号或地址")
    }

    /// 401: no token, or one that no longer counts.
    pub fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "请先登录，或登录已过期，请重新登录")
    }

    /// 403 `forbidden`: the caller's role does not allow it.
    pub fn forbidden(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::forbidden_as("forbidden", detail)
    }

    /// 403 with a code of its own, as `profile_incomplete` or `second_person_required`.
    pub fn forbidden_as(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, detail)
    }

    /// 409: a business rule says no. Kept under the idempotency key.
    pub fn conflict(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 422 with a code of its own, as `check_in_rejected`.
    pub fn unprocessable(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    }

    /// 422 `validation_failed` for one field; `code` is one of [`FieldError::code`].
    pub fn invalid(field: impl Into<String>, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::validation(vec![FieldError::new(field, code).saying(detail)])
    }

    /// 422 `validation_failed`.
    pub fn validation(errors: Vec<FieldError>) -> Self {
        let mut problem = Self::unprocessable("validation_failed", "填写的内容有误，请按各项提示修改后重试");
        problem.0.errors = errors;
        problem
    }

    /// 400: not JSON, or JSON that cannot be taken at its word (duplicate keys, lone surrogates).
    pub fn malformed_body() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed_body", "请求内容不是正确的 JSON，请检查格式与编码（UTF-8）")
    }

    /// 400: a key is required and absent, or not 1–255 visible ASCII characters.
    pub fn idempotency_key_required() -> Self {
        let detail = "请在请求头 Idempotency-Key 中给出 1 至 255 个可见 ASCII 字符，重试时沿用同一个值";
        Self::new(StatusCode::BAD_REQUEST, "idempotency_key_required", detail)
    }

    /// 400: what the server could not read at all.
    pub fn bad_request() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", "请求无法理解，请检查地址与请求头")
    }

    /// 413.
    pub fn payload_too_large(limit_bytes: usize) -> Self {
        let detail = format!("请求内容过大，最多 {limit_bytes} 字节");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", detail)
    }

    /// 415.
    pub fn unsupported_media_type() -> Self {
        let detail = "请以 application/json（UTF-8，不压缩）发送内容";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
    }

    /// 405 with the methods that the path knows, as in `GET, POST`.
    pub fn method_not_allowed(allow: impl Into<String>) -> Self {
        let mut problem = Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "此地址不支持这种请求方法");
        problem.0.allow = Some(allow.into());
        problem
    }

    /// 408: the body did not come in time.
    pub fn request_timeout() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", "请求内容迟迟没有传完，请检查网络后重试")
    }

    /// 429 with `Retry-After` in seconds.
    pub fn too_many_requests(retry_after_s: u32) -> Self {
        let detail = format!("操作过于频繁，请 {retry_after_s} 秒后再试");
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail).retry_after(retry_after_s)
    }

    /// 503 with `Retry-After`: nothing is known to have happened; the same key finds out.
    pub fn unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "服务暂时不可用，请稍后用同一请求重试")
            .retry_after(RETRY_AFTER_UNAVAILABLE_S)
    }

    /// 500. The cause is logged here, once, and shown to nobody; a database error is told apart (503 where it passes).
    pub fn internal(cause: &(dyn Error + 'static)) -> Self {
        if let Some(error) = database_error(cause) {
            return Self::from_db(error);
        }
        tracing::error!(error = %cause, "internal error");
        Self::internal_unlogged()
    }

    pub(crate) fn internal_unlogged() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "服务内部出错，请稍后重试；若仍出错，请把请求编号告诉管理员",
        )
    }

    fn from_db(error: &DbErr) -> Self {
        use crate::db::{Fault, fault};
        // The text of a DbErr names tables and values ("Key (phone)=…"): debug level only.
        tracing::debug!(%error, "database error");
        match fault(error) {
            Fault::Unavailable | Fault::Serialization | Fault::LockTimeout => {
                tracing::warn!("the database was not available");
                Self::unavailable()
            }
            kind => {
                tracing::error!(kind = kind_name(&kind), "unexpected database error");
                Self::internal_unlogged()
            }
        }
    }

    /// Sets `Retry-After`, in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after_s = Some(seconds);
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// The refused fields of a 422.
    pub fn errors(&self) -> &[FieldError] {
        &self.0.errors
    }

    /// The JSON that goes out.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Parts { status, code, detail, errors, .. } = &*self.0;
        let body = Body {
            r#type: format!("/problems/{code}"),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail,
            code,
            errors,
        };
        serde_json::to_vec(&body).unwrap_or_default()
    }

    /// The problem that stands for a status answered by the framework itself.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::UNAUTHORIZED => Self::unauthenticated(),
            StatusCode::FORBIDDEN => Self::forbidden("没有权限"),
            StatusCode::NOT_FOUND => Self::not_found(),
            StatusCode::REQUEST_TIMEOUT => Self::request_timeout(),
            StatusCode::PAYLOAD_TOO_LARGE => Self::payload_too_large(super::body::LIMIT_BYTES),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::unsupported_media_type(),
            StatusCode::METHOD_NOT_ALLOWED => Self::method_not_allowed("GET"),
            StatusCode::NOT_ACCEPTABLE => Self::new(status, "not_acceptable", "请接受 gzip 或不压缩的内容"),
            StatusCode::SERVICE_UNAVAILABLE => Self::unavailable(),
            status if status.is_client_error() => {
                let mut problem = Self::bad_request();
                problem.0.status = status;
                problem
            }
            _ => Self::internal_unlogged(),
        }
    }
}

fn kind_name(fault: &crate::db::Fault) -> &'static str {
    use crate::db::Fault;
    match fault {
        Fault::Unique(_) => "unique",
        Fault::ForeignKey(_) => "foreign_key",
        Fault::Check(_) => "check",
        Fault::Exclusion(_) => "exclusion",
        Fault::Serialization => "serialization",
        Fault::Unavailable => "unavailable",
        Fault::LockTimeout => "lock_timeout",
        Fault::Other => "other",
    }
}

fn database_error<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a DbErr> {
    let mut next = Some(cause);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

impl From<DbErr> for Problem {
    fn from(error: DbErr) -> Self {
        Self::from_db(&error)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.0.status.as_u16(), self.0.code)
    }
}

/// Status and code only: details may speak of people.
impl fmt::Debug for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Problem({self})")
    }
}

impl Error for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.0.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.0.status);
        response.insert_header((header::CONTENT_TYPE, PROBLEM_JSON));
        if let Some(seconds) = self.0.retry_after_s {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        if let Some(allow) = &self.0.allow {
            response.insert_header((header::ALLOW, allow.as_str()));
        }
        if self.0.status == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        response.body(self.to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::RuntimeErr;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("a room's error")]
    struct Wrapped(#[source] DbErr);

    fn answer(problem: &Problem) -> (u16, &'static str, Option<u32>) {
        (problem.status().as_u16(), problem.code(), problem.0.retry_after_s)
    }

    #[test]
    fn a_database_that_is_away_is_503_however_it_is_wrapped() {
        let away = || DbErr::Conn(RuntimeErr::Internal("gone".into()));
        let expected = (503, "unavailable", Some(RETRY_AFTER_UNAVAILABLE_S));
        assert_eq!(answer(&Problem::from(away())), expected);
        assert_eq!(answer(&Problem::internal(&away())), expected);
        assert_eq!(answer(&Problem::internal(&Wrapped(away()))), expected);
    }

    #[test]
    fn the_cause_is_shown_to_nobody() {
        let problem = Problem::internal(&Wrapped(DbErr::Custom("Key (phone)=(13800000001)".into())));
        assert_eq!(answer(&problem), (500, "internal", None));
        let shown = format!("{problem} {problem:?} {}", String::from_utf8(problem.to_bytes()).unwrap());
        assert!(!shown.contains("phone") && !shown.contains("room"), "{shown}");
    }

    #[test]
    fn headers_go_with_the_status() {
        let header = |problem: Problem, name: &str| {
            problem.error_response().headers().get(name).map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(header(Problem::too_many_requests(30), "retry-after").as_deref(), Some("30"));
        assert_eq!(header(Problem::method_not_allowed("GET, POST"), "allow").as_deref(), Some("GET, POST"));
        assert_eq!(header(Problem::unauthenticated(), "www-authenticate").as_deref(), Some("Bearer"));
        assert_eq!(header(Problem::not_found(), "content-type").as_deref(), Some(PROBLEM_JSON));
    }

    #[test]
    fn every_status_of_the_framework_has_a_face() {
        for status in (400..600).filter_map(|status| StatusCode::from_u16(status).ok()) {
            let problem = Problem::of_status(status);
            assert!(problem.status() == status || status.is_server_error(), "{status}");
        }
    }
}
