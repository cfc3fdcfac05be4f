//! The states of a redemption and its pick-up code; no I/O.

use entity::redemption::RedemptionStatus;

use crate::crypto::random_bytes;

/// The `source_kind` of a redemption's hold and of the journal that spends it.
pub const SOURCE: &str = "redemption";
/// The `source_kind` of the journal that gives the points back.
pub(super) const REFUND: &str = "redemption_refund";

/// The `source_kind` of what one of several payers holds and spends; the id is the share's.
pub const SHARE: &str = "redemption_share";
/// The `source_kind` of the journal that gives a share back.
pub(super) const SHARE_REFUND: &str = "redemption_share_refund";

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CODE_SYMBOLS: usize = 8;

/// What is done to a redemption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedemptionStep {
    Fulfil,
    Cancel,
    Expire,
    Refund,
    /// Another time for what is booked.
    Rebook,
}

impl RedemptionStep {
    /// The status this step leads to from `at`; `None` where it is not allowed. Every pair is spelled out.
    pub const fn apply_to(self, at: RedemptionStatus) -> Option<RedemptionStatus> {
        use RedemptionStatus::{Cancelled, Expired, Fulfilled, Refunded, Reserved};
        match (at, self) {
            (Reserved, Self::Rebook) => Some(Reserved),
            (Reserved, Self::Fulfil) => Some(Fulfilled),
            (Reserved, Self::Cancel) => Some(Cancelled),
            (Reserved, Self::Expire) => Some(Expired),
            (Fulfilled, Self::Refund) => Some(Refunded),
            (Reserved, Self::Refund)
            | (Fulfilled, Self::Fulfil | Self::Cancel | Self::Expire | Self::Rebook)
            | (
                Refunded | Cancelled | Expired,
                Self::Fulfil | Self::Cancel | Self::Expire | Self::Refund | Self::Rebook,
            ) => None,
        }
    }

    /// In words, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Fulfil => "核销",
            Self::Cancel => "取消",
            Self::Expire => "到期处理",
            Self::Refund => "退回",
            Self::Rebook => "改约",
        }
    }
}

/// A status in words, for people.
pub(super) const fn words(status: RedemptionStatus) -> &'static str {
    match status {
        RedemptionStatus::Reserved => "待领取",
        RedemptionStatus::Fulfilled => "已核销",
        RedemptionStatus::Refunded => "已退回",
        RedemptionStatus::Cancelled => "已取消",
        RedemptionStatus::Expired => "已过期",
    }
}

/// A new pick-up code: eight letters and digits without I, L, O, U; 40 random bits, so that two at one station do not meet.
pub(super) fn new_code() -> String {
    random_bytes::<CODE_SYMBOLS>().iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect()
}

/// The code as it was meant: small letters, blanks, hyphens, and O, I, L for 0 and 1 are forgiven. `None` for what cannot be one.
pub(super) fn read_code(typed: &str) -> Option<String> {
    let mut code = String::with_capacity(CODE_SYMBOLS);
    for found in typed.chars().filter(|found| !matches!(found, ' ' | '-')) {
        let symbol = match found.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        };
        let known = u8::try_from(symbol).is_ok_and(|symbol| ALPHABET.contains(&symbol));
        if !known || code.len() == CODE_SYMBOLS {
            return None;
        }
        code.push(symbol);
    }
    (code.len() == CODE_SYMBOLS).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_it_is_written_and_as_people_type_it() {
        for _ in 0..200 {
            let code = new_code();
            assert_eq!(read_code(&code).as_deref(), Some(code.as_str()));
            let typed = format!("{}-{}", &code[..4], &code[4..]).to_lowercase().replace('0', "o").replace('1', "l");
            assert_eq!(read_code(&typed), Some(code));
        }
        for text in ["", "0123456", "012345678", "0123456U", "０1234567", "0123456\0", "二二二二二二二二"] {
            assert_eq!(read_code(text), None, "{text:?}");
        }
    }

    #[test]
    fn only_what_is_reserved_moves_and_only_what_was_handed_out_comes_back() {
        use RedemptionStatus::{Cancelled, Expired, Fulfilled, Refunded, Reserved};
        use RedemptionStep::Rebook;
        let steps =
            [RedemptionStep::Fulfil, RedemptionStep::Cancel, RedemptionStep::Expire, RedemptionStep::Refund, Rebook];
        let allowed: Vec<_> = [Reserved, Fulfilled, Refunded, Cancelled, Expired]
            .into_iter()
            .flat_map(|at| steps.map(|step| (at, step, step.apply_to(at))))
            .filter_map(|(at, step, to)| to.map(|to| (at, step, to)))
            .collect();
        assert_eq!(
            allowed,
            [
                (Reserved, RedemptionStep::Fulfil, Fulfilled),
                (Reserved, RedemptionStep::Cancel, Cancelled),
                (Reserved, RedemptionStep::Expire, Expired),
                (Reserved, Rebook, Reserved),
                (Fulfilled, RedemptionStep::Refund, Refunded),
            ]
        );
    }
}
