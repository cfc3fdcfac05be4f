//! Text from outside: normalized, bounded, and without characters that nobody sees.

use std::fmt;
use std::ops::Deref;

use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::fields::refusal;

/// Combining marks that may follow one letter (NFC leaves at most a few in any language).
const MAX_MARKS: usize = 4;

/// Brings text into NFC without surrounding white space, newlines as `\n`.
///
/// # Errors
/// A field code: `required` where nothing is left, `too_long` above `max` characters (or four bytes for each), `invalid`
/// for control, bidirectional-override and zero-width characters and piled-up combining marks.
pub fn normalize(text: &str, max: usize, lines: bool) -> Result<String, &'static str> {
    if text.len() > max.saturating_mul(12) {
        return Err("too_long"); // before any work: NFC shortens at most threefold
    }
    let text: String = text.trim().replace("\r\n", "\n").nfc().collect();
    if text.is_empty() {
        return Err("required");
    }
    if text.chars().count() > max {
        return Err("too_long");
    }
    let hidden = |found: char| is_hidden(found) && !(lines && found == '\n');
    if text.chars().any(hidden) || piles_up(&text) {
        return Err("invalid");
    }
    Ok(text)
}

/// Characters that do not show or that turn the reading direction: control characters, bidirectional marks and overrides,
/// zero-width characters, line and paragraph separators, invisible fillers and language tags.
pub fn is_hidden(found: char) -> bool {
    found.is_control()
        || matches!(found,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}'
            | '\u{E0000}'..='\u{E007F}')
}

fn piles_up(text: &str) -> bool {
    let mut run = 0;
    text.chars().any(|found| {
        run = if is_combining_mark(found) { run + 1 } else { 0 };
        run > MAX_MARKS
    })
}

macro_rules! text_type {
    ($(#[$meta:meta])* $name:ident, lines: $lines:literal) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name<const MAX: usize>(String);

        impl<const MAX: usize> $name<MAX> {
            /// See [`normalize`].
            ///
            /// # Errors
            /// `required`, `too_long` or `invalid`.
            pub fn parse(text: &str) -> Result<Self, &'static str> {
                normalize(text, MAX, $lines).map(Self)
            }

            /// The text itself.
            pub fn into_inner(self) -> String {
                self.0
            }

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl<const MAX: usize> Deref for $name<MAX> {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl<const MAX: usize> fmt::Display for $name<MAX> {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl<const MAX: usize> From<$name<MAX>> for String {
            fn from(text: $name<MAX>) -> Self {
                text.0
            }
        }

        impl<'de, const MAX: usize> Deserialize<'de> for $name<MAX> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::parse(&String::deserialize(deserializer)?).map_err(|code| match code {
                    "too_long" => D::Error::custom(refusal(code, &format!("最多 {MAX} 个字，请缩短"))),
                    "invalid" if $lines => D::Error::custom(refusal(code, "含有看不见的控制字符，请删去后重试")),
                    "invalid" => D::Error::custom(refusal(code, "须写在一行内，不含看不见的控制字符，请修改")),
                    code => D::Error::custom(code),
                })
            }
        }

        impl<const MAX: usize> PartialSchema for $name<MAX> {
            fn schema() -> RefOr<Schema> {
                text_schema().min_length(Some(1)).max_length(Some(MAX)).into()
            }
        }

        impl<const MAX: usize> ToSchema for $name<MAX> {
            fn name() -> std::borrow::Cow<'static, str> {
                format!("{}{MAX}", stringify!($name)).into()
            }
        }
    };
}

text_type!(
    /// Non-empty text of at most `MAX` characters on one or more lines.
    Text, lines: true
);
text_type!(
    /// Non-empty text of at most `MAX` characters on one line: names, titles, reasons.
    Line, lines: false
);

pub(super) fn text_schema() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::Type(Type::String))
}

/// A mobile phone number: eleven ASCII digits beginning with 1. Prints itself masked.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Phone(String);

impl Phone {
    /// No folding: full-width digits, spaces and country codes are refused.
    ///
    /// # Errors
    /// `invalid`.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        if text.len() == 11 && text.starts_with('1') && digits { Ok(Self(text.to_owned())) } else { Err("invalid") }
    }

    /// The eleven digits, for sealing, the blind index and the sender. Never for a log.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// `138****0001`.
    pub fn masked(&self) -> String {
        format!("{}****{}", &self.0[..3], &self.0[7..])
    }
}

impl Deref for Phone {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Phone(***********)")
    }
}

impl<'de> Deserialize<'de> for Phone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?)
            .map_err(|code| D::Error::custom(refusal(code, "请填写以 1 开头的 11 位手机号，不带空格和区号")))
    }
}

impl PartialSchema for Phone {
    fn schema() -> RefOr<Schema> {
        text_schema().pattern(Some("^1[0-9]{10}$")).min_length(Some(11)).max_length(Some(11)).into()
    }
}

impl ToSchema for Phone {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_trimmed_and_composed() {
        assert_eq!(Text::<5>::parse("  e\u{301}te\u{301} \n").unwrap().as_str(), "été");
        assert_eq!(Text::<9>::parse("一\r\n二").unwrap().as_str(), "一\n二");
        assert_eq!(Line::<4>::parse("喆㛃𬱖堃").unwrap().as_str(), "喆㛃𬱖堃");
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert!(Text::<3>::parse("一二三").is_ok());
        assert_eq!(Text::<3>::parse("一二三四"), Err("too_long"));
        assert_eq!(Text::<3>::parse(&"x".repeat(100_000)), Err("too_long"));
        assert_eq!(Text::<3>::parse(" \t\n"), Err("required"));
    }

    #[test]
    fn what_nobody_sees_is_refused() {
        let hidden = [
            "a\0b",
            "a\u{202E}b",
            "a\u{200B}b",
            "a\u{FEFF}b",
            "a\u{2066}b",
            "a\u{7}b",
            "a\u{1b}[31mb",
            "a\u{2028}b",
            "a\u{85}b",
        ];
        for text in hidden {
            assert_eq!(Text::<20>::parse(text), Err("invalid"), "{text:?}");
        }
        assert_eq!(Line::<20>::parse("a\nb"), Err("invalid"));
        assert!(Text::<20>::parse("a\nb").is_ok());
        assert_eq!(Text::<9000>::parse(&format!("a{}", "\u{0335}".repeat(5000))), Err("invalid"));
    }

    #[test]
    fn a_phone_is_eleven_ascii_digits() {
        assert!(Phone::parse("13800000001").is_ok());
        let refused = [
            "",
            "1380000000",
            "138000000011",
            "23800000001",
            "１３８００００００００１",
            "+8613800000001",
            "138 0000 0001",
            "1380000000٣",
            "1380000000\0",
        ];
        for text in refused {
            assert_eq!(Phone::parse(text), Err("invalid"), "{text:?}");
        }
        let phone = Phone::parse("13812345678").unwrap();
        assert_eq!(phone.masked(), "138****5678");
        assert!(!format!("{phone:?}").contains("5678"));
    }
}
