//! Reading a request's body: bounded, in time, strictly JSON.

use std::fmt;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::web::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::problem::{FieldError, Problem};

/// The most bytes a JSON body may have.
pub const LIMIT_BYTES: usize = 64 * 1024;

/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(30);

/// The body as JSON; nothing at all is `{}`, whatever its content type.
///
/// # Errors
/// 413 above `limit_bytes` (told before anything is read where the header says so), 415, 400 `malformed_body`, 408; 422 for
/// a number that no field can hold.
pub(super) async fn read_json(request: &HttpRequest, payload: Payload, limit_bytes: usize) -> Result<Value, Problem> {
    let bytes = read(request, payload, limit_bytes).await?;
    if bytes.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    if !is_plain_json(request) {
        return Err(Problem::unsupported_media_type());
    }
    parse(&bytes)
}

/// The body's bytes, never more than `limit_bytes` of them.
///
/// # Errors
/// 413, 400 where the transfer broke off, 408.
pub async fn read(request: &HttpRequest, mut payload: Payload, limit_bytes: usize) -> Result<Bytes, Problem> {
    let promised =
        request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if promised.is_some_and(|length| length > limit_bytes as u64) {
        return Err(Problem::payload_too_large(limit_bytes));
    }
    let collected = async {
        let mut bytes = BytesMut::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|error| match error {
                PayloadError::Overflow => Problem::payload_too_large(limit_bytes),
                _ => Problem::malformed_body(),
            })?;
            if bytes.len() + chunk.len() > limit_bytes {
                return Err(Problem::payload_too_large(limit_bytes));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.freeze())
    };
    tokio::time::timeout(BODY_TIME, collected).await.unwrap_or_else(|_| Err(Problem::request_timeout()))
}

/// `application/json`, with charset utf-8 or none, not compressed.
fn is_plain_json(request: &HttpRequest) -> bool {
    let text = |name| request.headers().get(name).map(|value| value.to_str().unwrap_or_default().to_ascii_lowercase());
    if text(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return false;
    }
    let Some(content_type) = text(header::CONTENT_TYPE) else { return false };
    let mut parts = content_type.split(';').map(str::trim);
    parts.next() == Some("application/json")
        && parts.filter_map(|part| part.strip_prefix("charset=")).all(|charset| charset.trim_matches('"') == "utf-8")
}

/// Strict JSON: one value, valid UTF-8, no lone surrogate, no key twice, not too deep.
///
/// # Errors
/// 400 `malformed_body`; 422 `out_of_range` for a number like `1e999`, which JSON allows and nothing holds.
pub(super) fn parse(bytes: &[u8]) -> Result<Value, Problem> {
    match serde_json::from_slice::<Strict>(bytes) {
        Ok(Strict(value)) => Ok(value),
        Err(error) if error.to_string().starts_with("number out of range") => {
            Err(Problem::validation(vec![FieldError::new(path_of_number(bytes), "out_of_range")]))
        }
        Err(_) => Err(Problem::malformed_body()),
    }
}

fn path_of_number(bytes: &[u8]) -> String {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let path = serde_path_to_error::deserialize::<_, Strict>(&mut reader).err().map(|error| error.path().to_string());
    path.filter(|path| path != ".").unwrap_or_default()
}

/// A [`Value`] that refuses a key given twice: which of the two counts would differ from reader to reader.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some((key, Strict(value))) = entries.next_entry::<String, _>()? {
            if fields.insert(key, value).is_some() {
                return Err(A::Error::custom("duplicate key"));
            }
        }
        Ok(Value::Object(fields))
    }
}

/// Feeds `take` with one text for all spellings of the same JSON: keys sorted, no white space.
pub(super) fn canonical(value: &Value, take: &mut impl FnMut(&[u8])) {
    match value {
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_by(|left, right| left.0.cmp(right.0));
            take(b"{");
            for (key, item) in sorted {
                take(Value::from(key.as_str()).to_string().as_bytes());
                take(b":");
                canonical(item, take);
                take(b",");
            }
            take(b"}");
        }
        Value::Array(items) => {
            take(b"[");
            for item in items {
                canonical(item, take);
                take(b",");
            }
            take(b"]");
        }
        simple => take(simple.to_string().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(text: &[u8]) -> u16 {
        parse(text).map_or_else(|problem| problem.status().as_u16(), |_| 200)
    }

    #[test]
    fn strict_json_only() {
        let deep = [b"[".repeat(10_000), b"]".repeat(10_000)].concat();
        let malformed: Vec<&[u8]> = vec![
            b" ",
            b"{",
            b"{\"a\":1}}",
            b"{\"a\":1} x",
            b"{'a':1}",
            b"{\"a\":NaN}",
            b"{\"a\":Infinity}",
            b"{\"a\":+5}",
            b"{\"a\":01}",
            b"{\"a\":1,}",
            b"{\"a\":\"\\ud800\"}",
            b"{\"a\":\"\\udc00\"}",
            b"{\"a\":\"\\ud800\\ud800\"}",
            b"{\"a\":\"\xff\"}",
            b"{\"a\":\"\xed\xa0\x80\"}",
            b"{\"a\":1,\"a\":2}",
            b"{\"b\":{\"a\":1,\"\\u0061\":2}}",
            b"\xef\xbb\xbf{}",
            b"{\"a\":\"\n\"}",
            b"// x\n{}",
            &deep,
        ];
        for text in malformed {
            assert_eq!(status(text), 400, "{:?}", String::from_utf8_lossy(&text[..text.len().min(40)]));
        }
        assert_eq!(status(b"{\"a\":\"\\ud83d\\ude00\", \"b\":[1,-2,3.5,null,true]}"), 200);
    }

    #[test]
    fn a_number_beyond_all_is_a_fault_of_its_field() {
        let problem = parse(b"{\"a\":[{\"n\":1e999}]}").unwrap_err();
        assert_eq!((problem.status().as_u16(), problem.errors()[0].field.as_str()), (422, "a[0].n"));
        assert_eq!(status(b"{\"a\":1e308}"), 200);
    }

    #[test]
    fn one_text_for_all_spellings() {
        let text = |json: &str| {
            let mut out = Vec::new();
            canonical(&parse(json.as_bytes()).unwrap(), &mut |part| out.extend_from_slice(part));
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            text(r#"{"b":[1, "x"],"a":{"d":null,"c":"é"}}"#),
            text("{ \"a\":{\"c\":\"\\u00e9\",\"d\":null}, \"b\":[1,\"x\"]}")
        );
        assert_ne!(text(r#"{"a":"1"}"#), text(r#"{"a":1}"#));
    }
}
