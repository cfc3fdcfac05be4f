//! Lists by keyset: a page, its cursor, and what goes out.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{DeserializeOwned, Deserializer, Unexpected, Visitor};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use super::problem::Problem;

const DEFAULT_LIMIT: u64 = 20;
const MAX_LIMIT: u64 = 100;
const MAX_CURSOR_BYTES: usize = 1024;

/// Which part of a list: flatten it into the list's query, or take `Params<Page>`.
#[derive(Clone, Debug, Default, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// How many items at most: 1 to 100, 20 where it is not given.
    #[serde(default, deserialize_with = "limit")]
    #[param(minimum = 1, maximum = 100, default = 20, value_type = Option<u64>)]
    limit: Option<u64>,
    /// `next_cursor` of the page before.
    #[validate(length(max = 1024))]
    #[param(min_length = 1, max_length = 1024)]
    cursor: Option<String>,
}

impl Page {
    /// A page from its parts, for calls that do not come from a query string.
    pub fn new(limit: u64, cursor: Option<String>) -> Self {
        Self { limit: Some(limit.clamp(1, MAX_LIMIT)), cursor }
    }

    /// How many items to show: 1 to 100. Ask the database for one more, see [`Listing::cut`].
    pub fn limit(&self) -> u64 {
        self.limit.unwrap_or(DEFAULT_LIMIT)
    }

    /// Where the page begins: after the row with this key; `None` at the beginning.
    ///
    /// # Errors
    /// 422 on the field `cursor` where it was not made by [`encode_cursor`] for a `K`.
    pub fn after<K: DeserializeOwned>(&self) -> Result<Option<K>, Problem> {
        self.cursor.as_deref().map(decode_cursor).transpose()
    }
}

/// Flattened, a query's values come as text; on its own, too. So the number is read here.
fn limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    struct Text;
    impl Visitor<'_> for Text {
        type Value = Option<u64>;

        fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            out.write_str("a number from 1 to 100")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Option<u64>, E> {
            let digits = text.strip_prefix('-').unwrap_or(text);
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(E::invalid_type(Unexpected::Other("text"), &self));
            }
            match text.parse() {
                Ok(limit @ 1..=MAX_LIMIT) => Ok(Some(limit)),
                _ => Err(E::custom("out_of_range")),
            }
        }
    }
    deserializer.deserialize_str(Text).map_err(|error| name_limit(&error))
}

/// Serde loses the name of a flattened field; the words carry it instead.
fn name_limit<E: serde::de::Error>(error: &E) -> E {
    let code = super::fields::code_of(&error.to_string());
    E::custom(format_args!("{FLATTENED}limit {code}"))
}

/// Begins the words of a fault in a flattened field: then its name, a space, its code.
pub(super) const FLATTENED: &str = "flattened ";

/// One page of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Listing<T> {
    pub items: Vec<T>,
    /// Of the next page; null at the end.
    pub next_cursor: Option<String>,
}

impl<T> Listing<T> {
    /// Cuts the one row too many that the query asked for and makes the cursor from the last row shown.
    pub fn cut<K: Serialize>(mut rows: Vec<T>, page: &Page, key: impl FnOnce(&T) -> K) -> Self {
        let limit = usize::try_from(page.limit()).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| more).map(|last| encode_cursor(&key(last)));
        Self { items: rows, next_cursor }
    }

    /// Everything there is, on one page.
    pub fn whole(items: Vec<T>) -> Self {
        Self { items, next_cursor: None }
    }

    /// The same page with other items, as from rows to views.
    pub fn map<U>(self, view: impl FnMut(T) -> U) -> Listing<U> {
        Listing { items: self.items.into_iter().map(view).collect(), next_cursor: self.next_cursor }
    }
}

/// An opaque text for a row's sort key, such as `(created_at, id)`.
pub fn encode_cursor<K: Serialize>(key: &K) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).unwrap_or_default())
}

/// The key back.
///
/// # Errors
/// 422 on the field `cursor`.
pub fn decode_cursor<K: DeserializeOwned>(cursor: &str) -> Result<K, Problem> {
    let refused = || Problem::invalid("cursor", "invalid", "请使用上一页返回的 next_cursor，不要修改");
    if cursor.len() > MAX_CURSOR_BYTES {
        return Err(refused());
    }
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| refused())?;
    let hidden = bytes.iter().any(|byte| *byte < b' ') || bytes.windows(2).any(|pair| pair == b"\\u");
    if hidden {
        return Err(refused()); // ours hold neither; PostgreSQL would choke on a NUL
    }
    serde_json::from_slice(&bytes).map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_page_is_cut_where_there_is_more() {
        let page = Page::new(2, None);
        let listing = Listing::cut(vec![1, 2, 3], &page, |last| *last);
        assert_eq!(listing.items, [1, 2]);
        assert_eq!(decode_cursor::<i32>(&listing.next_cursor.unwrap()).unwrap(), 2);
        assert_eq!(Listing::cut(vec![1, 2], &page, |last| *last).next_cursor, None);
        assert_eq!(Listing::cut(Vec::<i32>::new(), &page, |last| *last).next_cursor, None);
    }

    #[test]
    fn forged_cursors_are_refused() {
        let key = ("2026-11-07".to_owned(), Uuid::from_u128(7));
        let cursor = encode_cursor(&key);
        assert_eq!(decode_cursor::<(String, Uuid)>(&cursor).unwrap(), key);
        let other = encode_cursor(&(1, 2));
        let nul = URL_SAFE_NO_PAD.encode(br#"["a\u0000","00000000-0000-0000-0000-000000000007"]"#);
        for forged in ["", "x", "é", "AAAA", &cursor[1..], &format!("{cursor}="), &other, &nul, &"A".repeat(5000)] {
            let problem = decode_cursor::<(String, Uuid)>(forged).unwrap_err();
            assert_eq!((problem.status().as_u16(), problem.errors()[0].field.as_str()), (422, "cursor"), "{forged}");
        }
    }
}
