//! A voucher's code as text; no I/O.

use crate::crypto::{CryptoError, Keys};
use crate::exchange::text::fold;

const PURPOSE: &str = "voucher.code";
/// A code has no more characters.
const MOST: usize = 64;
/// How many characters staff see.
const TAIL: usize = 4;

/// A code as it is kept: full-width letters and digits folded, 1 to 64 visible ASCII characters. `None` for what cannot be one.
pub(super) fn read(text: &str) -> Option<String> {
    let code = fold(text);
    let fits = !code.is_empty() && code.len() <= MOST && code.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| code.into_owned())
}

/// As it is kept at rest.
pub(super) fn seal(keys: &Keys, code: &str) -> Vec<u8> {
    keys.seal(PURPOSE, code.as_bytes())
}

/// By which it is found.
pub(super) fn index(keys: &Keys, code: &str) -> Vec<u8> {
    keys.blind_index(PURPOSE, code)
}

/// # Errors
/// Sealed under another key, or damaged.
pub(super) fn open(keys: &Keys, sealed: &[u8]) -> Result<String, CryptoError> {
    Ok(String::from_utf8_lossy(&keys.open(PURPOSE, sealed)?).into_owned())
}

/// What staff see: its last four characters, or half of a short one.
pub(super) fn masked(code: &str) -> String {
    let shown = TAIL.min(code.len() / 2);
    let tail = code.get(code.len() - shown..).unwrap_or_default();
    format!("****{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_folded_and_visible() {
        for (text, code) in [(" ＡＢ１２－ｘ ", "AB12-x"), ("\u{3000}K7\u{3000}", "K7"), ("=1+1", "=1+1")] {
            assert_eq!(read(text).as_deref(), Some(code));
        }
        for text in ["", " ", "A B", "券码", "a\u{7}b", "é", &"x".repeat(65)] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn staff_see_the_end() {
        assert_eq!(masked("ABCD12345678"), "****5678");
        assert_eq!(masked("ABC123"), "****123");
        assert_eq!(masked("7"), "****");
    }
}
