//! Which encoding a text file is in, decided once for the whole file.

use encoding_rs::GB18030;

const BYTE_ORDER_MARK: &[u8] = &[0xEF, 0xBB, 0xBF];

/// The file as UTF-8: dropped byte order mark, strictly UTF-8 as it is, GB18030 turned into it where the whole file is that.
/// Else UTF-8 with some records that are not, so that each must be looked at.
pub fn decode(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.starts_with(BYTE_ORDER_MARK) {
        bytes.drain(..BYTE_ORDER_MARK.len());
        return bytes;
    }
    if std::str::from_utf8(&bytes).is_ok() || !only_gb18030_sequences(&bytes) {
        return bytes;
    }
    match GB18030.decode_without_bom_handling_and_without_replacement(&bytes) {
        Some(text) => text.into_owned().into_bytes(),
        None => bytes,
    }
}

/// Whether every byte is part of a one, two or four byte sequence of GB18030. The web's decoder, which does the work, also
/// takes a lone 0x80 for the euro sign; the standard knows no such character.
fn only_gb18030_sequences(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    loop {
        rest = match rest {
            [] => return true,
            [0..=0x7F, tail @ ..]
            | [0x81..=0xFE, 0x40..=0x7E | 0x80..=0xFE, tail @ ..]
            | [0x81..=0xFE, 0x30..=0x39, 0x81..=0xFE, 0x30..=0x39, tail @ ..] => tail,
            _ => return false,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_dropped() {
        assert_eq!(decode(b"\xEF\xBB\xBFa,b".to_vec()), b"a,b");
        // What follows the mark is UTF-8, good or bad, even where it could be GB18030.
        assert_eq!(decode(b"\xEF\xBB\xBFa,\xD0\xD5".to_vec()), b"a,\xD0\xD5");
    }

    #[test]
    fn gb18030_is_read_where_the_whole_file_is() {
        // 姓名, and 㛃 (U+36C3), which takes four bytes.
        let (bytes, _, _) = GB18030.encode("姓名㛃");
        assert_eq!(decode(bytes.into_owned()), "姓名㛃".as_bytes());
    }

    #[test]
    fn a_file_that_is_neither_stays_as_it_is() {
        let mut bytes = "姓名\n".as_bytes().to_vec();
        bytes.extend(b"\xFF\xFE\n");
        assert_eq!(decode(bytes.clone()), bytes);
        assert_eq!(decode(b"\xD0\xD5\x80b".to_vec()), b"\xD0\xD5\x80b");
    }
}
