//! One-time passwords by time (RFC 6238): six digits, thirty seconds, SHA-1, as all authenticator programs make them.

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

use crate::crypto::same;

/// What a secret is sealed for: `staff.totp_sealed`.
pub const PURPOSE: &str = "staff.totp";

const STEP_SECONDS: i64 = 30;
/// A phone's clock may be one step off either way.
const DRIFT: i64 = 1;

/// The step that `code` is of, if it is one of `secret`'s about now.
pub fn step_of(secret: &[u8], code: &str, now: DateTime<Utc>) -> Option<i64> {
    let present = now.timestamp().div_euclid(STEP_SECONDS);
    (present - DRIFT..=present + DRIFT).find(|step| same(code_at(secret, *step).as_bytes(), code.as_bytes()))
}

/// HOTP (RFC 4226) of a step.
fn code_at(secret: &[u8], step: i64) -> String {
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret) else { return String::new() };
    mac.update(&step.to_be_bytes());
    let digest: [u8; 20] = mac.finalize().into_bytes().into();
    let at = usize::from(digest[19] & 15);
    let four: [u8; 4] = std::array::from_fn(|index| digest[at + index]);
    format!("{:06}", (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, cut to six digits.
    #[test]
    fn the_vectors_of_the_rfc_hold() {
        let secret = b"12345678901234567890";
        for (at, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")]
        {
            assert_eq!(code_at(secret, at / 30), code);
        }
    }

    #[test]
    fn a_code_counts_one_step_either_way() {
        let secret = b"12345678901234567890";
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        for (now, step) in [(59, Some(1)), (29, Some(1)), (89, Some(1)), (90, None), (119, None)] {
            assert_eq!(step_of(secret, "287082", at(now)), step, "{now}");
        }
        assert_eq!(step_of(secret, "", at(59)), None);
        assert_eq!(step_of(secret, "２８７０８２", at(59)), None);
    }
}
