//! Where the secret key comes from, and the file that SQLite instances keep it in.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use secrecy::{ExposeSecret as _, SecretString};

use super::ConfigError;
use crate::crypto::{Keys, MIN_SECRET_BYTES, random_bytes};

const KEY: &str = "LINLI_SECRET_KEY";

/// Both alphabets, with and without padding: tools differ in what they print.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// The instance's secret, or where to find it.
#[derive(Clone, Debug)]
pub enum SecretKey {
    /// Base64 from the settings.
    Given(SecretString),
    /// A file that holds it as base64.
    File(PathBuf),
    /// The file beside an SQLite database, which is made where neither it nor the database exists.
    Beside { key: PathBuf, database: PathBuf },
}

impl SecretKey {
    pub(super) fn choose(
        given: Option<String>,
        file: Option<PathBuf>,
        database: Option<&Path>,
    ) -> Result<Self, ConfigError> {
        match (given, file, database) {
            (Some(_), Some(_), _) => Err(ConfigError::invalid(KEY, "give this or LINLI_SECRET_KEY_FILE, not both")),
            (Some(given), None, _) => {
                decode(&given).ok_or_else(|| ConfigError::invalid(KEY, TOO_SHORT))?;
                Ok(Self::Given(given.into()))
            }
            (None, Some(file), _) => Ok(Self::File(file)),
            (None, None, Some(database)) => Ok(Self::beside(database)),
            (None, None, None) => Err(ConfigError::invalid(
                KEY,
                "must be given with PostgreSQL (or LINLI_SECRET_KEY_FILE): base64 of at least 32 random bytes, \
                 such as `openssl rand -base64 32` prints",
            )),
        }
    }

    /// The key file that belongs to an SQLite database: `linli.key` beside `linli.db`.
    pub fn beside(database: &Path) -> Self {
        Self::Beside { key: database.with_extension("key"), database: database.to_owned() }
    }

    /// The keys themselves. Makes the file beside an SQLite database at the first start.
    ///
    /// # Errors
    /// [`ConfigError::File`] where a file cannot be read or made, holds no key, or is missing beside an existing
    /// database: a new key could not read what the old one wrote.
    pub fn keys(&self) -> Result<Keys, ConfigError> {
        match self {
            Self::Given(text) => keys_of(text.expose_secret()).ok_or_else(|| ConfigError::invalid(KEY, TOO_SHORT)),
            Self::File(path) => read(path),
            Self::Beside { key, database } => {
                if !key.exists() {
                    make(key, database).map_err(|error| refuse(key, error))?;
                }
                read(key)
            }
        }
    }
}

const TOO_SHORT: &str = "must be base64 of at least 32 bytes";

fn refuse(path: &Path, reason: impl std::fmt::Display) -> ConfigError {
    ConfigError::File { path: path.to_owned(), reason: format!("{reason}") }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    [alphabet::STANDARD, alphabet::URL_SAFE]
        .iter()
        .find_map(|alphabet| GeneralPurpose::new(alphabet, LENIENT).decode(text.trim()).ok())
        .filter(|secret| secret.len() >= MIN_SECRET_BYTES)
}

fn keys_of(text: &str) -> Option<Keys> {
    Keys::from_secret(&decode(text)?).ok()
}

fn read(path: &Path) -> Result<Keys, ConfigError> {
    let text = fs::read_to_string(path).map_err(|error| refuse(path, error))?;
    keys_of(&text).ok_or_else(|| refuse(path, TOO_SHORT))
}

/// Written whole under another name and then linked: of two processes that start at once, both read the key of the one
/// that came first, and a crash leaves no half key behind.
fn make(path: &Path, database: &Path) -> io::Result<()> {
    if fs::metadata(database).is_ok_and(|file| file.len() > 0) {
        return Err(io::Error::other(format!(
            "missing, although its database {} exists: put the key file back or name it by LINLI_SECRET_KEY_FILE",
            database.display()
        )));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let draft = path.with_extension(format!("key.{:016x}", u64::from_ne_bytes(random_bytes())));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    writeln!(file, "{}", STANDARD.encode(random_bytes::<MIN_SECRET_BYTES>()))?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => File::open(folder)?.sync_all(),
    }
}
