//! The free-space mark: stop writing before SQLite has to.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long an answer of the file system counts.
const FRESH: Duration = Duration::from_millis(500);

/// Watches the space beside the database file.
pub(super) struct Space {
    directory: PathBuf,
    least_bytes: u64,
    asked: Option<Instant>,
    enough: bool,
}

impl Space {
    pub(super) fn beside(file: &Path, min_free_mib: u64) -> Self {
        let directory = file.parent().filter(|directory| !directory.as_os_str().is_empty());
        Self {
            directory: directory.unwrap_or(Path::new(".")).to_owned(),
            least_bytes: min_free_mib.saturating_mul(1024 * 1024),
            asked: None,
            enough: true,
        }
    }

    /// Whether there is room to write. A file system that cannot say counts as one with room: SQLite will find out.
    pub(super) fn is_enough(&mut self) -> bool {
        if self.least_bytes == 0 {
            return true;
        }
        if self.asked.is_none_or(|asked| asked.elapsed() >= FRESH) {
            self.asked = Some(Instant::now());
            self.enough = rustix::fs::statvfs(&self.directory)
                .map_or(true, |space| space.f_bavail.saturating_mul(space.f_frsize) >= self.least_bytes);
        }
        self.enough
    }
}
