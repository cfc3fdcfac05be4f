//! Keys, sealing, blind indexes and tokens: everything that turns a secret into bytes.
//!
//! One secret is configured; every use has a sub-key of its own, derived from it and from the use's name, so that what one
//! room makes is of no use in another. Passwords are not here (argon2id, in `identity`).

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{Key, KeyInit as _, XChaCha20Poly1305, XNonce};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};

/// The shortest secret that is taken, in bytes.
pub const MIN_SECRET_BYTES: usize = 32;

const VERSION_LABEL: &[u8] = b"linli keys v1";
const KEY_ID_BYTES: usize = 1;
const NONCE_BYTES: usize = 24;

/// Why a secret or a ciphertext was refused. Says nothing about the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    /// The secret has fewer than [`MIN_SECRET_BYTES`] bytes.
    #[error("the secret key is too short: at least {MIN_SECRET_BYTES} bytes are needed")]
    ShortSecret,
    /// Sealed under another secret than the one in use.
    #[error("sealed under another secret key")]
    OtherKey,
    /// Cut, changed, or sealed for another purpose.
    #[error("not a ciphertext of this purpose, or it was changed")]
    Damaged,
}

/// The instance's secret, ready for use. Cheap to clone; prints nothing.
#[derive(Clone)]
pub struct Keys {
    root: Arc<[u8; 32]>,
    id: u8,
}

impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Keys").finish_non_exhaustive()
    }
}

impl Keys {
    /// Derives the root key from the configured secret.
    ///
    /// # Errors
    /// [`CryptoError::ShortSecret`] below [`MIN_SECRET_BYTES`].
    pub fn from_secret(secret: &[u8]) -> Result<Self, CryptoError> {
        if secret.len() < MIN_SECRET_BYTES {
            return Err(CryptoError::ShortSecret);
        }
        let root = hmac_sha256(VERSION_LABEL, &[secret]);
        let id = hmac_sha256(&root, &[b"key id"])[0];
        Ok(Self { root: Arc::new(root), id })
    }

    /// A public value that tells whether two instances have the same secret (backups and restores compare it).
    pub fn fingerprint(&self) -> String {
        URL_SAFE_NO_PAD.encode(&hmac_sha256(&*self.root, &[b"fingerprint"])[..12])
    }

    /// Encrypts `plain` for `purpose` (XChaCha20-Poly1305 with a random nonce): key id, nonce, ciphertext.
    /// Only [`Keys::open`] with the same purpose reads it again.
    ///
    /// # Panics
    /// Where the operating system has no randomness to give: nothing is sealed badly rather than not at all.
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_BYTES] = random_bytes();
        let payload = Payload { msg: plain, aad: purpose.as_bytes() };
        let Ok(sealed) = self.cipher(purpose).encrypt(&XNonce::from(nonce), payload) else {
            unreachable!("only a message of more than 256 GiB cannot be sealed")
        };
        let mut bytes = Vec::with_capacity(KEY_ID_BYTES + NONCE_BYTES + sealed.len());
        bytes.push(self.id);
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(&sealed);
        bytes
    }

    /// Decrypts what [`Keys::seal`] made for the same `purpose`.
    ///
    /// # Errors
    /// [`CryptoError::OtherKey`] for another secret's ciphertext, [`CryptoError::Damaged`] for everything else.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let (&id, rest) = sealed.split_first().ok_or(CryptoError::Damaged)?;
        if id != self.id {
            return Err(CryptoError::OtherKey);
        }
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(CryptoError::Damaged)?;
        let payload = Payload { msg: ciphertext, aad: purpose.as_bytes() };
        self.cipher(purpose).decrypt(&XNonce::from(*nonce), payload).map_err(|_| CryptoError::Damaged)
    }

    /// 32 bytes by which an encrypted column is looked up: equal for equal values of one purpose, telling nothing
    /// without the secret. Normalize `value` before.
    pub fn blind_index(&self, purpose: &str, value: &str) -> Vec<u8> {
        hmac_sha256(&self.sub_key("blind index", purpose), &[value.as_bytes()]).to_vec()
    }

    /// A message authentication code, for codes that rotate. Compare with [`same`].
    pub fn mac(&self, purpose: &str, message: &[u8]) -> [u8; 32] {
        hmac_sha256(&self.sub_key("mac", purpose), &[message])
    }

    /// The signing key (Ed25519, RFC 8032) of `purpose`.
    pub fn signer(&self, purpose: &str) -> Signer {
        Signer { key: SigningKey::from_bytes(&self.sub_key("sign", purpose)) }
    }

    fn cipher(&self, purpose: &str) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(self.sub_key("seal", purpose)))
    }

    /// The byte between the two names keeps ("a", "bc") and ("ab", "c") apart.
    fn sub_key(&self, usage: &str, purpose: &str) -> [u8; 32] {
        hmac_sha256(&*self.root, &[usage.as_bytes(), &[0], purpose.as_bytes()])
    }
}

/// Signs for one purpose. Whoever has the public key can check it; nobody without the secret can make it.
#[derive(Clone)]
pub struct Signer {
    key: SigningKey,
}

impl fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Signer").field("key_id", &self.key_id()).finish_non_exhaustive()
    }
}

impl Signer {
    /// 64 bytes.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.key.sign(message).to_bytes().to_vec()
    }

    /// Whether `signature` was made with this key, by the strict rules that admit one signature only.
    pub fn made(&self, message: &[u8], signature: &[u8]) -> bool {
        let key: VerifyingKey = self.key.verifying_key();
        Signature::from_slice(signature).is_ok_and(|signature| key.verify_strict(message, &signature).is_ok())
    }

    /// 32 bytes.
    pub fn public_key(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// The first eight bytes of the public key's SHA-256, in hexadecimal.
    pub fn key_id(&self) -> String {
        hex(&Sha256::digest(self.public_key())[..8])
    }
}

/// Bytes as hexadecimal digits, in lower case.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]).collect()
}

/// A token for a session or a link: 256 random bits in base64url, 43 characters.
///
/// # Panics
/// Where the operating system has no randomness to give.
pub fn random_token() -> String {
    URL_SAFE_NO_PAD.encode(random_bytes::<32>())
}

/// What is stored of a token: its SHA-256. A token has 256 random bits, so no salt and no slow hash is needed.
pub fn token_hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// Bytes from the operating system's generator.
///
/// # Panics
/// Where it has none to give.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    assert!(getrandom::fill(&mut bytes).is_ok(), "the operating system gave no randomness");
    bytes
}

/// Compares without telling by its time where two values differ.
pub fn same(left: &[u8], right: &[u8]) -> bool {
    use subtle::ConstantTimeEq as _;
    left.ct_eq(right).into()
}

fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let Ok(mut mac) = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key) else {
        unreachable!("HMAC takes keys of every length")
    };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys() -> Keys {
        Keys::from_secret(&[7; 32]).unwrap()
    }

    #[test]
    fn a_short_secret_is_refused() {
        assert_eq!(Keys::from_secret(&[7; 31]).unwrap_err(), CryptoError::ShortSecret);
    }

    #[test]
    fn another_secret_opens_nothing() {
        let sealed = keys().seal("phone", b"13800000000");
        let others = (0..=255_u8).filter(|byte| *byte != 7).map(|byte| Keys::from_secret(&[byte; 32]).unwrap());
        for other in others {
            assert!(other.open("phone", &sealed).is_err());
            assert_ne!(other.fingerprint(), keys().fingerprint());
        }
    }

    #[test]
    fn another_purpose_opens_nothing() {
        let sealed = keys().seal("phone", b"13800000000");
        assert_eq!(keys().open("address", &sealed), Err(CryptoError::Damaged));
    }

    #[test]
    fn purposes_and_usages_have_their_own_keys() {
        let keys = keys();
        assert_ne!(keys.blind_index("phone", "1"), keys.blind_index("address", "1"));
        assert_ne!(keys.blind_index("phone", "1"), keys.mac("phone", b"1").to_vec());
        assert_eq!(keys.blind_index("phone", "1").len(), 32);
    }

    #[test]
    fn tokens_are_long_and_never_the_same() {
        let (first, second) = (random_token(), random_token());
        assert_eq!(first.len(), 43);
        assert_ne!(first, second);
        assert_eq!(token_hash(&first).len(), 32);
        assert_ne!(token_hash(&first), token_hash(&second));
    }

    #[test]
    fn a_signature_is_of_one_message_purpose_and_secret() {
        let signer = keys().signer("seal");
        let signature = signer.sign(b"hash");
        assert!(signer.made(b"hash", &signature));
        assert!(!signer.made(b"hash!", &signature) && !signer.made(b"hash", &signature[1..]));
        assert!(!keys().signer("certificate").made(b"hash", &signature));
        assert!(!Keys::from_secret(&[8; 32]).unwrap().signer("seal").made(b"hash", &signature));
        assert_eq!(signer.key_id().len(), 16);
        assert!(format!("{signer:?}").contains(&signer.key_id()));
    }

    #[test]
    fn hexadecimal_is_in_lower_case() {
        assert_eq!(hex(&[0, 9, 0xAB, 0xFF]), "0009abff");
    }

    #[test]
    fn debug_output_shows_no_key() {
        assert_eq!(format!("{:?}", keys()), "Keys { .. }");
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_again(plain in proptest::collection::vec(any::<u8>(), 0..200), purpose in "[a-z.]{1,20}") {
            let sealed = keys().seal(&purpose, &plain);
            prop_assert_eq!(keys().open(&purpose, &sealed), Ok(plain));
        }

        #[test]
        fn the_same_text_never_seals_the_same(plain in ".{0,40}") {
            prop_assert_ne!(keys().seal("p", plain.as_bytes()), keys().seal("p", plain.as_bytes()));
        }

        #[test]
        fn a_changed_byte_is_noticed(plain in ".{0,40}", at in any::<prop::sample::Index>(), flip in 1..=255_u8) {
            let mut sealed = keys().seal("p", plain.as_bytes());
            let at = at.index(sealed.len());
            sealed[at] ^= flip;
            prop_assert!(keys().open("p", &sealed).is_err());
        }

        #[test]
        fn a_cut_ciphertext_is_noticed(plain in ".{0,40}", at in any::<prop::sample::Index>()) {
            let sealed = keys().seal("p", plain.as_bytes());
            prop_assert!(keys().open("p", &sealed[..at.index(sealed.len())]).is_err());
        }

        #[test]
        fn comparing_agrees_with_equality(left in proptest::collection::vec(any::<u8>(), 0..4), right in proptest::collection::vec(any::<u8>(), 0..4)) {
            prop_assert_eq!(same(&left, &right), left == right);
        }
    }
}
