//! Cells as people type them: folding, trimming, phones, numbers, and the guard against formulas.

use std::borrow::Cow;

use rust_decimal::Decimal;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};

/// Trims white space at both ends: U+3000 and U+00A0 included, and the four ASCII separators that other tools count as such.
pub fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c))
}

/// Width-folds (NFKC) and trims: `１３８` becomes `138`.
pub fn fold(text: &str) -> Cow<'_, str> {
    let trimmed = trim(text);
    if trimmed.is_ascii() || is_nfkc_quick(trimmed.chars()) == IsNormalized::Yes {
        return Cow::Borrowed(trimmed);
    }
    let folded: String = trimmed.nfkc().collect();
    Cow::Owned(trim(&folded).to_owned())
}

/// A phone as stored: eleven digits beginning with 1. Spaces, hyphens, a leading `+86` and a trailing `.0` are taken off.
pub fn phone(cell: &str) -> Option<String> {
    let folded = fold(cell);
    let mut digits: String = folded.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    if let Some(rest) = digits.strip_prefix("+86") {
        digits = String::from(rest);
    }
    if let Some(rest) = digits.strip_suffix(".0") {
        digits.truncate(rest.len());
    }
    let valid = digits.len() == 11 && digits.starts_with('1') && digits.bytes().all(|b| b.is_ascii_digit());
    valid.then_some(digits)
}

/// A whole number written with digits only; a sign, a point or an exponent is none.
pub fn whole(cell: &str) -> Option<u64> {
    let digits = !cell.is_empty() && cell.bytes().all(|b| b.is_ascii_digit());
    if digits { cell.parse().ok() } else { None }
}

/// A decimal number such as `-12.50`: digits with at most one sign and one point, no exponent.
pub fn decimal(cell: &str) -> Option<Decimal> {
    let unsigned = cell.strip_prefix(['-', '+']).unwrap_or(cell);
    let (units, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if units.len() + fraction.len() == 0 || !digits(units) || !digits(fraction) {
        return None;
    }
    Decimal::from_str_exact(cell).ok()
}

/// An amount of points in hundredths; more than two places are none.
pub fn hundredths(cell: &str) -> Option<i64> {
    let scaled = decimal(cell)?.checked_mul(Decimal::ONE_HUNDRED)?.normalize();
    if scaled.scale() == 0 { scaled.try_into().ok() } else { None }
}

/// The characters that make a spreadsheet take a cell for a formula.
pub fn starts_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r'])
}

/// What is written for `text`: a leading `'` before what a spreadsheet would run.
///
/// A text that already looks guarded gets one more, so that [`unguard`] always gives back the text.
pub fn guard(text: &str) -> Cow<'_, str> {
    if starts_formula(text.trim_start_matches('\'')) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// Takes the `'` off again that [`guard`] has put before a cell.
pub fn unguard(cell: &str) -> Option<&str> {
    let rest = cell.strip_prefix('\'')?;
    starts_formula(rest.trim_start_matches('\'')).then_some(rest)
}

/// The parts of a list within a cell: joined by `;`, or by what people put in its place.
pub fn list(cell: &str) -> impl Iterator<Item = &str> {
    cell.split([';', '；', '、', ',', '，']).map(trim).filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn phones_lose_what_people_add() {
        for cell in [
            "13800000000",
            "+86 138-0000-0000",
            "１３８００００００００",
            "13800000000.0",
            "\u{3000}138 0000 0000 ",
            "+8613800000000.0",
        ] {
            assert_eq!(phone(cell).as_deref(), Some("13800000000"), "{cell}");
        }
        for cell in [
            "",
            "1380000000",
            "138000000000",
            "23800000000",
            "8613800000000",
            "1380000000a",
            "13800000000.00",
            "1.38E+10",
        ] {
            assert_eq!(phone(cell), None, "{cell}");
        }
    }

    #[test]
    fn folding_is_for_codes_and_trimming_for_names() {
        assert_eq!(fold("\u{3000}Ｍ０００１ "), "M0001");
        assert_eq!(trim("\u{3000}张　三\u{3000}"), "张　三");
    }

    #[test]
    fn numbers_are_plain() {
        assert_eq!(whole("042"), Some(42));
        for cell in ["", "+5", "-5", "5.0", "5e1", "٥"] {
            assert_eq!(whole(cell), None, "{cell}");
        }
        assert_eq!(decimal("-12.50"), Some(Decimal::new(-1250, 2)));
        for cell in ["", ".", "1e3", "1_0", "--1", "1.2.3", "nan", "1,000"] {
            assert_eq!(decimal(cell), None, "{cell}");
        }
    }

    proptest! {
        #[test]
        fn a_guarded_cell_comes_back_and_starts_no_formula(text in "['=+@\t\ra-]{0,6}") {
            let cell = guard(&text);
            prop_assert!(!starts_formula(&cell));
            prop_assert_eq!(unguard(&cell).unwrap_or(&cell), text.as_str());
        }
    }
}
