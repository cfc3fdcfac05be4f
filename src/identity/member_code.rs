//! The code that a member shows at a counter: it changes every 30 seconds, fits a QR and can be typed.
//!
//! Sixteen letters and digits of Crockford's alphabet (no I, L, O, U): ten carry the first 48 bits of the member's id, six
//! a MAC over the whole id and the period. The 48 bits are a range of the primary key, so resolving reads the few members
//! made in one millisecond and not all of them, and nothing has to be stored. Where two of them fit, the code is refused.

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use entity::id::MemberId;
use entity::member;
use sea_orm::{ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QuerySelect as _};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::crypto::{Keys, same};

const PERIOD_SECONDS: i64 = 30;
/// An import makes some hundred members in one millisecond; more than this is no data of ours.
const MOST_CANDIDATES: u64 = 10_000;
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const ID_SYMBOLS: usize = 10;
const MAC_SYMBOLS: usize = 6;
/// Bits of the id in the code.
const ID_BITS: u32 = 48;

/// The code as its member sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct MemberCode {
    /// Sixteen letters and digits, with a hyphen after each four; shown as QR and for typing.
    #[schema(example = "0CJ2-X4B7-QM9T-3KDA")]
    pub code: String,
    /// When the next one comes. This one is taken for another 30 seconds after.
    pub valid_until: DateTime<Utc>,
}

/// The code of `member` at `now`.
pub fn issue(keys: &Keys, member: MemberId, now: DateTime<Utc>) -> MemberCode {
    let period = now.timestamp().div_euclid(PERIOD_SECONDS);
    let mut symbols = write(prefix_of(member), ID_SYMBOLS);
    symbols.extend(mac_symbols(keys, member, period));
    let groups: Vec<_> = symbols.chunks(4).map(String::from_utf8_lossy).collect();
    let valid_until = DateTime::from_timestamp((period + 1) * PERIOD_SECONDS, 0).unwrap_or(now);
    MemberCode { code: groups.join("-"), valid_until }
}

/// Whose code `code` is at `now`: of this period or the one before. `None` for a stale or foreign one and for an account
/// that is disabled, erased or joined to another. Small letters, blanks, hyphens and O, I, L for 0 and 1 are forgiven.
///
/// # Errors
/// The database's.
pub async fn resolve(
    db: &impl ConnectionTrait,
    keys: &Keys,
    code: &str,
    now: DateTime<Utc>,
) -> Result<Option<MemberId>, DbErr> {
    let Some((ids, mac)) = parse(code) else { return Ok(None) };
    let candidates: Vec<MemberId> = member::Entity::find()
        .select_only()
        .column(member::Column::Id)
        .filter(member::Column::Id.between(*ids.start(), *ids.end()))
        .filter(member::Column::DisabledAt.is_null())
        .filter(member::Column::ErasedAt.is_null())
        .filter(member::Column::MergedInto.is_null())
        .limit(MOST_CANDIDATES)
        .into_tuple()
        .all(db)
        .await?;
    let period = now.timestamp().div_euclid(PERIOD_SECONDS);
    let fits = |member: &MemberId| {
        [period, period - 1].into_iter().any(|period| same(&mac_symbols(keys, *member, period), &mac))
    };
    let mut found = candidates.into_iter().filter(fits);
    Ok(found.next().filter(|_| found.next().is_none()))
}

fn prefix_of(member: MemberId) -> u64 {
    u64::try_from(member.0.as_u128() >> (128 - ID_BITS)).unwrap_or_default()
}

/// Five bits a symbol, most significant first.
fn write(bits: u64, symbols: usize) -> Vec<u8> {
    (0..symbols).rev().map(|at| ALPHABET[usize::try_from((bits >> (5 * at)) & 31).unwrap_or_default()]).collect()
}

fn mac_symbols(keys: &Keys, member: MemberId, period: i64) -> Vec<u8> {
    let mut message = member.0.as_bytes().to_vec();
    message.extend(period.to_be_bytes());
    let mac = keys.mac("member code", &message);
    mac[..MAC_SYMBOLS].iter().map(|byte| ALPHABET[usize::from(byte & 31)]).collect()
}

/// The ids a code may mean, and its MAC.
fn parse(code: &str) -> Option<(RangeInclusive<MemberId>, Vec<u8>)> {
    let mut symbols = Vec::with_capacity(ID_SYMBOLS + MAC_SYMBOLS);
    for found in code.trim().chars().filter(|found| !matches!(found, ' ' | '-')) {
        let symbol = match found.to_ascii_uppercase() {
            'O' => b'0',
            'I' | 'L' => b'1',
            other => u8::try_from(other).ok()?,
        };
        if symbols.len() == ID_SYMBOLS + MAC_SYMBOLS || !ALPHABET.contains(&symbol) {
            return None;
        }
        symbols.push(symbol);
    }
    if symbols.len() != ID_SYMBOLS + MAC_SYMBOLS {
        return None;
    }
    let mac = symbols.split_off(ID_SYMBOLS);
    let mut bits: u64 = 0;
    for symbol in symbols {
        let value = ALPHABET.iter().position(|known| *known == symbol)?;
        bits = bits << 5 | u64::try_from(value).ok()?;
    }
    if bits >> ID_BITS != 0 {
        return None;
    }
    let first = u128::from(bits) << (128 - ID_BITS);
    let last = first | (u128::MAX >> ID_BITS);
    Some((MemberId(Uuid::from_u128(first))..=MemberId(Uuid::from_u128(last)), mac))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys() -> Keys {
        Keys::from_secret(&[7; 32]).unwrap()
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn a_code_is_sixteen_symbols_and_lasts_to_the_period_s_end() {
        let code = issue(&keys(), MemberId::new(), at(1_790_000_011));
        assert_eq!(code.code.len(), 19);
        assert_eq!(code.valid_until, at(1_790_000_040));
        assert_eq!(code.code.split('-').map(str::len).collect::<Vec<_>>(), [4, 4, 4, 4]);
    }

    #[test]
    fn codes_change_with_the_period_and_the_secret() {
        let member = MemberId::new();
        let code = issue(&keys(), member, at(0)).code;
        assert_eq!(code, issue(&keys(), member, at(29)).code);
        assert_ne!(code, issue(&keys(), member, at(30)).code);
        assert_ne!(code, issue(&Keys::from_secret(&[8; 32]).unwrap(), member, at(0)).code);
    }

    #[test]
    fn what_is_no_code_is_refused() {
        for text in [
            "",
            "0",
            "0CJ2-X4B7-QM9T-3KD",
            "0CJ2-X4B7-QM9T-3KDAA",
            "0CJ2-X4B7-QM9T-3KDU",
            "零零零零零零零零零零零零零零零零",
            "ZZZZ-ZZZZ-ZZZZ-ZZZZ",
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_code_finds_the_range_its_member_is_in(id in any::<u128>(), now in 0_i64..4_000_000_000) {
            let member = MemberId(Uuid::from_u128(id));
            let code = issue(&keys(), member, at(now)).code;
            let typed = code.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
            for code in [code, typed] {
                let (ids, mac) = parse(&code).unwrap();
                prop_assert!(ids.contains(&member));
                prop_assert_eq!(mac, mac_symbols(&keys(), member, now.div_euclid(30)));
            }
        }
    }
}
