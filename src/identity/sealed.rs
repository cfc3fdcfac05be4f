//! What is known about a person and kept sealed: under which purposes, in which form. Import, sign-in and tests share it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::crypto::{CryptoError, Keys};

/// `member.phone_sealed` and `member.phone_index`: the eleven digits.
pub const PHONE: &str = "phone";
/// `member.home_sealed`: JSON of [`Home`].
pub const HOME: &str = "member.home";
/// `member.special_group_sealed`: a code of the list `special_group`.
pub const SPECIAL_GROUP: &str = "member.special_group";
/// `member_identity`: WeChat's openid.
pub const OPENID: &str = "wechat.openid";

/// Where a member lives.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Home {
    /// Degrees north, WGS 84.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lat: Option<f64>,
    /// Degrees east, WGS 84.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lon: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// The two columns of a phone: sealed, and its blind index.
pub fn seal_phone(keys: &Keys, digits: &str) -> (Vec<u8>, Vec<u8>) {
    (keys.seal(PHONE, digits.as_bytes()), phone_index(keys, digits))
}

/// By which a phone is looked up.
pub fn phone_index(keys: &Keys, digits: &str) -> Vec<u8> {
    keys.blind_index(PHONE, digits)
}

/// The eleven digits.
///
/// # Errors
/// The secret key is another one, or the column was changed.
pub fn open_phone(keys: &Keys, sealed: &[u8]) -> Result<String, CryptoError> {
    open_text(keys, PHONE, sealed)
}

pub fn seal_home(keys: &Keys, home: &Home) -> Vec<u8> {
    // Two numbers and a text always make JSON.
    keys.seal(HOME, &serde_json::to_vec(home).unwrap_or_default())
}

/// # Errors
/// The secret key is another one, or the column was changed.
pub fn open_home(keys: &Keys, sealed: &[u8]) -> Result<Home, CryptoError> {
    serde_json::from_slice(&keys.open(HOME, sealed)?).map_err(|_| CryptoError::Damaged)
}

pub fn seal_special_group(keys: &Keys, code: &str) -> Vec<u8> {
    keys.seal(SPECIAL_GROUP, code.as_bytes())
}

/// # Errors
/// The secret key is another one, or the column was changed.
pub fn open_special_group(keys: &Keys, sealed: &[u8]) -> Result<String, CryptoError> {
    open_text(keys, SPECIAL_GROUP, sealed)
}

fn open_text(keys: &Keys, purpose: &str, sealed: &[u8]) -> Result<String, CryptoError> {
    String::from_utf8(keys.open(purpose, sealed)?).map_err(|_| CryptoError::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_again() {
        let keys = Keys::from_secret(&[7; 32]).unwrap();
        let (sealed, index) = seal_phone(&keys, "13800000001");
        assert_eq!(open_phone(&keys, &sealed).unwrap(), "13800000001");
        assert_eq!(index, phone_index(&keys, "13800000001"));
        let home = Home { lat: Some(39.93), lon: None, address: Some("幸福里 3 号楼".into()) };
        assert_eq!(open_home(&keys, &seal_home(&keys, &home)).unwrap(), home);
        assert!(open_special_group(&keys, &sealed).is_err());
    }
}
