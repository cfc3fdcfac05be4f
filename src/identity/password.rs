//! Passwords of console accounts: Argon2id, off the request threads, a few at a time.

use std::sync::LazyLock;
use std::time::Duration;

use actix_web::web;
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use tokio::sync::Semaphore;

use crate::http::Problem;

/// Shortest password, in characters.
pub const SHORTEST: usize = 8;
/// Longest that is hashed, in bytes: longer ones only cost time.
pub const LONGEST_BYTES: usize = 256;

/// 19 MiB and tens of milliseconds each: beyond a few at once they would stand in everybody's way.
static TURNS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(2, usize::from).clamp(1, 4)));
const PATIENCE: Duration = Duration::from_secs(5);

/// What an account that does not exist is checked against, so that it costs the same.
static NOBODY: LazyLock<Option<String>> = LazyLock::new(|| hash("nobody has this password").ok());

/// The PHC string of `password`. Slow: not on a request thread.
///
/// # Errors
/// The operating system gave no randomness.
pub fn hash(password: &str) -> Result<String, argon2::password_hash::Error> {
    Argon2::default().hash_password(password.as_bytes()).map(|hash| hash.to_string())
}

/// Whether `password` is the one hashed in `stored`; without a stored one it costs as much and is none.
///
/// # Errors
/// 503 where too many are waiting.
pub async fn verify(password: String, stored: Option<String>) -> Result<bool, Problem> {
    let turn = tokio::time::timeout(PATIENCE, TURNS.acquire()).await;
    let Ok(Ok(_turn)) = turn else { return Err(Problem::unavailable()) };
    let checked = web::block(move || {
        let known = stored.is_some();
        // Made at the first check, whoever that is of.
        let nobody = NOBODY.clone();
        let fits = stored.or(nobody).is_some_and(|stored| fits(&password, &stored));
        known && fits
    });
    checked.await.map_err(|_| Problem::unavailable())
}

fn fits(password: &str, stored: &str) -> bool {
    let within = password.len() <= LONGEST_BYTES;
    let parsed = PasswordHash::new(stored);
    within && parsed.is_ok_and(|stored| Argon2::default().verify_password(password.as_bytes(), &stored).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_argon2id_and_fits_its_password_only() {
        let stored = hash("correct horse").unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(fits("correct horse", &stored));
        assert!(!fits("correct hors", &stored) && !fits("", &stored) && !fits("correct horse", "!"));
    }

    #[actix_web::test]
    async fn nobody_s_password_never_fits() {
        assert!(!verify("nobody has this password".into(), None).await.unwrap());
    }
}
