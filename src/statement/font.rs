//! The font of the papers: Noto Sans SC whole, because people's names need signs that no subset has (喆 㛃 𬱖).

use std::sync::LazyLock;

use krilla::text::Font;
use ttf_parser::Face;

use super::error::StatementError;

const BYTES: &[u8] = include_bytes!("../../assets/fonts/NotoSansSC-Regular.ttf");

static FACE: LazyLock<Option<Face<'static>>> = LazyLock::new(|| Face::parse(BYTES, 0).ok());
static FONT: LazyLock<Option<Font>> = LazyLock::new(|| Font::new(BYTES.into(), 0));

/// To draw with. Cheap to clone.
pub(super) fn font() -> Result<Font, StatementError> {
    FONT.clone().ok_or(StatementError::Page("the font cannot be read"))
}

/// How wide a sign is, of a font one point high.
///
/// # Errors
/// [`StatementError::NotInFont`] where there is none.
pub(super) fn width(sign: char) -> Result<f32, StatementError> {
    let face = FACE.as_ref().ok_or(StatementError::Page("the font cannot be read"))?;
    let missing = StatementError::NotInFont { sign, code: sign.into() };
    let glyph = face.glyph_index(sign).ok_or(missing)?;
    let advance = face.glyph_hor_advance(glyph).unwrap_or_default();
    Ok(f32::from(advance) / f32::from(face.units_per_em()))
}

/// How wide a text is at a size.
///
/// # Errors
/// As [`width`].
pub(super) fn measure(text: &str, size: f32) -> Result<f32, StatementError> {
    text.chars().map(width).sum::<Result<f32, _>>().map(|width| width * size)
}

/// Cuts a text into lines no wider than `most`; a line end in it ends a line.
///
/// # Errors
/// As [`width`].
pub(super) fn wrap(text: &str, size: f32, most: f32) -> Result<Vec<String>, StatementError> {
    let mut lines = Vec::new();
    for part in text.split('\n') {
        let (mut line, mut used) = (String::new(), 0.0);
        for sign in part.chars().map(|sign| if sign.is_whitespace() { ' ' } else { sign }) {
            let wide = width(sign)? * size;
            if used + wide > most && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
                used = 0.0;
            }
            line.push(sign);
            used += wide;
        }
        lines.push(line);
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_rare_characters_can_be_printed() {
        for sign in "喆㛃𬱖堃翀昇·（）￥—，。、№".chars() {
            assert!(width(sign).is_ok(), "{sign}");
        }
        let refused = width('😀').unwrap_err();
        assert!(refused.to_string().contains("U+1F600"), "{refused}");
    }

    #[test]
    fn a_text_is_cut_where_the_line_is_full() {
        assert_eq!(wrap("积分超市兑换", 10.0, 30.0).unwrap(), ["积分超", "市兑换"]);
        assert_eq!(wrap("甲\n乙", 10.0, 30.0).unwrap(), ["甲", "乙"]);
        assert_eq!(wrap("", 10.0, 30.0).unwrap(), [""]);
        assert_eq!(wrap("宽", 10.0, 1.0).unwrap(), ["宽"]);
        assert!((measure("积分", 10.0).unwrap() - 20.0).abs() < 0.01);
    }
}
