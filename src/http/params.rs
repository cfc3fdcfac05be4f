//! What stands in the address: ids, codes and the query string. Reading them never fails at extraction, so that they are
//! judged in their turn: after the caller's token, body and role.

use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use serde::de::DeserializeOwned;
use uuid::Uuid;
use validator::Validate;

use super::fields;
use super::page::FLATTENED;
use super::problem::{FieldError, Problem};

/// Longest code that is looked up.
const MAX_CODE_BYTES: usize = 64;

/// The id in the path, its first dynamic part. What is no UUID becomes the nil id, which nobody has: 404 in its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathId<T>(pub T);

impl<T> Deref for PathId<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: From<Uuid>> FromRequest for PathId<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let text = first_segment(request);
        let hyphenated = text.len() == 36;
        let id = if hyphenated { Uuid::try_parse(text).unwrap_or_default() } else { Uuid::nil() };
        ready(Ok(Self(T::from(id))))
    }
}

/// A code, number or name in the path. What cannot be one (too long, not visible ASCII) becomes empty, which nobody has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathCode(pub String);

impl Deref for PathCode {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl FromRequest for PathCode {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let text = first_segment(request);
        let plain = text.len() <= MAX_CODE_BYTES && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'%');
        ready(Ok(Self(if plain { text.to_owned() } else { String::new() })))
    }
}

fn first_segment(request: &HttpRequest) -> &str {
    request.match_info().iter().next().map_or("", |(_, value)| value)
}

/// The query string as a `T`; unknown parameters are ignored. A [`Page`](super::Page) may be flattened into it.
pub struct Params<T> {
    query: String,
    kind: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned + Validate> Params<T> {
    /// Reads and validates the parameters. Call it after the caller's role and, for a path with an id, its 404.
    ///
    /// # Errors
    /// 422 `validation_failed`.
    pub fn checked(self) -> Result<T, Problem> {
        let hidden: Vec<_> = form_urlencoded::parse(self.query.as_bytes())
            .filter(|(_, value)| value.chars().any(char::is_control))
            .map(|(name, _)| FieldError::new(name, "invalid"))
            .collect();
        if !hidden.is_empty() {
            return Err(Problem::validation(hidden));
        }
        let reader = serde_urlencoded::Deserializer::new(form_urlencoded::parse(self.query.as_bytes()));
        match serde_path_to_error::deserialize(reader) {
            Ok(value) => fields::validate(value).map_err(Problem::validation),
            Err(error) => Err(Problem::validation(vec![field_error(&error)])),
        }
    }
}

fn field_error(error: &serde_path_to_error::Error<serde_urlencoded::de::Error>) -> FieldError {
    let text = error.inner().to_string();
    if let Some(name) = text.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        return FieldError::new(name, "required");
    }
    if let Some((name, code)) = text.strip_prefix(FLATTENED).and_then(|rest| rest.split_once(' ')) {
        return FieldError::new(name, fields::code_of(code));
    }
    let path = error.path().to_string();
    fields::refused(path.trim_start_matches(['?', '.']), &text)
}

impl<T> FromRequest for Params<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self { query: request.query_string().to_owned(), kind: PhantomData }))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use serde::Deserialize;

    use super::*;
    use crate::http::{Instant, Page};

    #[derive(Debug, Deserialize, Validate)]
    struct Query {
        status: Option<Status>,
        mine: Option<bool>,
        #[validate(range(min = 1, max = 5))]
        rating: Option<u8>,
        from: Option<Instant>,
        #[serde(flatten)]
        #[validate(nested)]
        page: Page,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Status {
        Open,
    }

    fn read<T: DeserializeOwned + Validate>(query: &str) -> Result<T, Vec<(String, &'static str)>> {
        let params = Params::<T> { query: query.to_owned(), kind: PhantomData };
        params
            .checked()
            .map_err(|problem| problem.errors().iter().map(|error| (error.field.clone(), error.code)).collect())
    }

    #[test]
    fn parameters_are_read() {
        let query: Query =
            read("status=open&mine=true&rating=3&limit=7&from=2026-11-07T09:30:00%2B08:00&other=1&other=2").unwrap();
        assert_eq!(
            (query.status, query.mine, query.rating, query.page.limit()),
            (Some(Status::Open), Some(true), Some(3), 7)
        );
        assert!(query.from.is_some());
        assert_eq!(read::<Query>("").unwrap().page.limit(), 20);
    }

    #[test]
    fn refused_parameters_are_named() {
        let table = [
            ("status=closed", "status", "invalid"),
            ("mine=yes", "mine", "wrong_type"),
            ("rating=6", "rating", "out_of_range"),
            ("rating=300", "rating", "out_of_range"),
            ("rating=x", "rating", "wrong_type"),
            ("rating=", "rating", "wrong_type"),
            ("rating=%EF%BC%93", "rating", "wrong_type"),
            ("from=yesterday", "from", "invalid"),
            ("limit=0", "limit", "out_of_range"),
            ("limit=101", "limit", "out_of_range"),
            ("limit=-1", "limit", "out_of_range"),
            ("limit=99999999999999999999999", "limit", "out_of_range"),
            ("limit=1e1", "limit", "wrong_type"),
            ("limit=", "limit", "wrong_type"),
            ("q=a%00b", "q", "invalid"),
            ("q=a%0d%0ab", "q", "invalid"),
        ];
        for (query, field, code) in table {
            assert_eq!(read::<Query>(query).unwrap_err(), [(field.to_owned(), code)], "{query}");
        }
    }

    #[actix_web::test]
    async fn a_path_that_is_no_id_becomes_nobodys() {
        let id = |text: &str| {
            let request = TestRequest::default().param("wish_id", text.to_owned()).to_http_request();
            PathId::<Uuid>::from_request(&request, &mut Payload::None).into_inner().unwrap().0
        };
        assert_eq!(
            id("0199A0B0-0000-7000-8000-00000000000a"),
            Uuid::from_u128(0x0199_a0b0_0000_7000_8000_0000_0000_000a)
        );
        for text in [
            "",
            "1",
            "0199a0b000007000800000000000000a",
            "{0199a0b0-0000-7000-8000-00000000000a}",
            "0199a0b0-0000-7000-8000-00000000000g",
        ] {
            assert!(id(text).is_nil(), "{text}");
        }
        let request = TestRequest::default().param("code", "a\0b").to_http_request();
        assert_eq!(PathCode::from_request(&request, &mut Payload::None).into_inner().unwrap().0, "");
    }
}
