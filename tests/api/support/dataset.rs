//! The data sets of `datasets/`: the one that is shipped, and those that its generator makes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Once;

use linli::crypto::token_hash;

use super::say;

/// The set of one street that comes with the repository.
pub(crate) fn station() -> PathBuf {
    datasets().join("station")
}

fn datasets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets")
}

/// A set made by `generate.py --size SIZE --scale SCALE`, made once and kept in the build's folder for temporary files: the
/// same bytes come out every time. `None`, said loudly, where this machine has no Python 3 and need not have it.
///
/// # Panics
/// Where it has none under `CI=true`, or the generator fails.
pub(crate) fn generated(size: &str, scale: &str) -> Option<PathBuf> {
    if !python_is_there() {
        return None;
    }
    let generator = datasets().join("generate.py");
    let version = token_hash(&std::fs::read_to_string(&generator).unwrap());
    let name =
        format!("dataset-{size}-{scale}-{:02x}{:02x}{:02x}{:02x}", version[0], version[1], version[2], version[3]);
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if !kept.exists() {
        let draft = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let set = draft.path().join("set");
        let output =
            python().arg(generator).args(["--size", size, "--scale", scale, "--out"]).arg(&set).output().unwrap();
        assert!(output.status.success(), "generate.py: {}", String::from_utf8_lossy(&output.stderr));
        // Another process may have been faster; it made the same.
        assert!(std::fs::rename(set, &kept).is_ok() || kept.exists());
    }
    Some(kept)
}

fn python() -> Command {
    let mut python = Command::new("python3");
    python.stdin(Stdio::null()).env("PYTHONDONTWRITEBYTECODE", "1");
    python
}

fn python_is_there() -> bool {
    static SAID: Once = Once::new();
    let there = python().arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        let words = "\n*** Python 3 was not found. The tests on generated data sets DO NOT RUN. Install it (Debian: apt-get \
                     install python3).\n";
        assert!(!std::env::var("CI").is_ok_and(|ci| ci == "true"), "{words}");
        SAID.call_once(|| say(words));
        say("*** not run, for want of Python:\n");
    }
    there
}
