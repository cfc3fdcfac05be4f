//! The extractors of calls that change something.

use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use validator::Validate;

use super::body;
use super::fields;
use super::idempotency::{KEY_HEADER, Once, Ticket};
use super::problem::Problem;
use crate::identity::Caller;

/// A POST, PATCH or DELETE by somebody: the caller (401), then the JSON body (400, 413, 415; none is `{}`).
///
/// The handler then proves the role (403, see [`Caller`]) and calls [`Call::admit`] or [`Call::admit_keyed`], which does the
/// rest of the contract's order: 404, 400 `idempotency_key_required`, 422.
///
/// A body has at most `LIMIT` bytes: more than usual only where a list comes in.
pub struct Call<T, const LIMIT: usize = { body::LIMIT_BYTES }> {
    /// Who is calling.
    pub caller: Caller,
    body: Value,
    key: KeyHeader,
    method: String,
    path: String,
    kind: PhantomData<fn() -> T>,
}

enum KeyHeader {
    Absent,
    Given(String),
    IllFormed,
}

impl<T: DeserializeOwned + Validate, const LIMIT: usize> Call<T, LIMIT> {
    /// The body and what makes the effect happen once; a key is honoured if there is one.
    ///
    /// `exists` answers the 404 of the path's object; it runs only where key or body are refused.
    ///
    /// # Errors
    /// What `exists` answers; 400 `idempotency_key_required` for an ill-formed key; 422 `validation_failed`.
    pub async fn admit<F>(self, exists: F) -> Result<(T, Once), Problem>
    where
        F: AsyncFnOnce() -> Result<(), Problem>,
    {
        self.judge(false, exists).await
    }

    /// The same where the contract asks for a key (**K**).
    ///
    /// # Errors
    /// As [`Call::admit`], and 400 `idempotency_key_required` without a key.
    pub async fn admit_keyed<F>(self, exists: F) -> Result<(T, Once), Problem>
    where
        F: AsyncFnOnce() -> Result<(), Problem>,
    {
        self.judge(true, exists).await
    }

    async fn judge<F>(self, keyed: bool, exists: F) -> Result<(T, Once), Problem>
    where
        F: AsyncFnOnce() -> Result<(), Problem>,
    {
        let ticket = match self.key {
            KeyHeader::Given(key) => {
                let actor = self.caller.actor();
                Ok(Some(Ticket::new(actor, key, &self.method, &self.path, &self.body)))
            }
            KeyHeader::Absent if !keyed => Ok(None),
            KeyHeader::Absent | KeyHeader::IllFormed => Err(Problem::idempotency_key_required()),
        };
        let body = ticket.and_then(|ticket| Ok((fields::decode(&self.body).map_err(Problem::validation)?, ticket)));
        match body {
            Ok((body, ticket)) => Ok((body, Once::new(ticket))),
            Err(problem) => {
                exists().await?;
                Err(problem)
            }
        }
    }
}

impl<T, const LIMIT: usize> FromRequest for Call<T, LIMIT> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let caller = Caller::from_request(&request, &mut payload).await?;
            let body = body::read_json(&request, payload, LIMIT).await?;
            let (method, path) = (request.method().as_str().to_owned(), request.path().to_owned());
            Ok(Self { caller, body, key: key_header(&request), method, path, kind: PhantomData })
        })
    }
}

/// Which files a call takes.
pub trait Accepts: 'static {
    /// Media types, in lower case, without parameters.
    const TYPES: &'static [&'static str];
    const LIMIT_BYTES: usize;
    /// What to send instead, in Chinese.
    const REFUSAL: &'static str;
}

/// A POST whose body is a file: the caller (401), then its bytes (400, 413, 415; none is an empty file).
///
/// The handler then proves the role (403) and calls [`FileCall::admit`], as with [`Call`].
pub struct FileCall<F> {
    /// Who is calling.
    pub caller: Caller,
    file: Bytes,
    key: KeyHeader,
    method: String,
    path: String,
    kind: PhantomData<fn() -> F>,
}

impl<F> FileCall<F> {
    /// The file and what makes the effect happen once; a key is honoured if there is one.
    ///
    /// # Errors
    /// 400 `idempotency_key_required` for an ill-formed key.
    pub fn admit(self) -> Result<(Bytes, Once), Problem> {
        let ticket = match self.key {
            KeyHeader::Given(key) => {
                let digest = Sha256::digest(&self.file).to_vec();
                Some(Ticket::new(self.caller.actor(), key, &self.method, &self.path, &Value::from(digest)))
            }
            KeyHeader::Absent => None,
            KeyHeader::IllFormed => return Err(Problem::idempotency_key_required()),
        };
        Ok((self.file, Once::new(ticket)))
    }
}

impl<F: Accepts> FromRequest for FileCall<F> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let caller = Caller::from_request(&request, &mut payload).await?;
            let file = body::read(&request, payload, F::LIMIT_BYTES).await?;
            if !file.is_empty() && !is_plain::<F>(&request) {
                let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
                return Err(Problem::new(status, "unsupported_media_type", F::REFUSAL));
            }
            let (method, path) = (request.method().as_str().to_owned(), request.path().to_owned());
            Ok(Self { caller, file, key: key_header(&request), method, path, kind: PhantomData })
        })
    }
}

/// One of the types, not compressed.
fn is_plain<F: Accepts>(request: &HttpRequest) -> bool {
    let text = |name| request.headers().get(name).map(|value| value.to_str().unwrap_or_default().to_ascii_lowercase());
    let plain = text(header::CONTENT_ENCODING).is_none_or(|encoding| encoding == "identity");
    let kind = text(header::CONTENT_TYPE).unwrap_or_default();
    plain && kind.split(';').next().is_some_and(|kind| F::TYPES.contains(&kind.trim()))
}

/// One header of 1–255 visible ASCII characters, or none.
fn key_header(request: &HttpRequest) -> KeyHeader {
    let mut values = request.headers().get_all(KEY_HEADER);
    match (values.next(), values.next()) {
        (None, _) => KeyHeader::Absent,
        (Some(value), None) => {
            let bytes = value.as_bytes();
            let visible = (1..=255).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
            match value.to_str() {
                Ok(key) if visible => KeyHeader::Given(key.to_owned()),
                _ => KeyHeader::IllFormed,
            }
        }
        (Some(_), Some(_)) => KeyHeader::IllFormed,
    }
}

/// A call by nobody in particular, as to `/auth/*`: the body only, no key.
pub struct OpenCall<T> {
    body: Value,
    kind: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned + Validate> OpenCall<T> {
    /// The body.
    ///
    /// # Errors
    /// 422 `validation_failed`.
    pub fn checked(self) -> Result<T, Problem> {
        fields::decode(&self.body).map_err(Problem::validation)
    }
}

impl<T> FromRequest for OpenCall<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let body = body::read_json(&request, payload, body::LIMIT_BYTES).await?;
            Ok(Self { body, kind: PhantomData })
        })
    }
}
