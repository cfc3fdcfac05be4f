//! Data sets: what an import takes, what it says about the rest, and that it adds up.

mod command;
mod dirty;
mod haigang;
mod ledger;
mod listings;
mod mapping;
mod round_trip;
mod station;

use std::fs;
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use linli::exchange::import::{Options, import};
use linli::exchange::report::Report;
use linli::exchange::table::Table;

use crate::support::TestApp;

/// The set that comes with the project.
fn station_set() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/station")
}

async fn take(app: &TestApp, folder: &Path) -> Report {
    take_with(app, folder, Options::default()).await
}

async fn take_with(app: &TestApp, folder: &Path, options: Options) -> Report {
    import(&app.state, folder, options, &ProgressBar::hidden()).await.unwrap()
}

/// A set of some files beside the regions, codes, units, activities and goods of the station set.
struct Folder(tempfile::TempDir);

impl Folder {
    /// With these tables of the station set.
    fn with(tables: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for table in tables {
            let name = format!("{table}.csv");
            fs::copy(station_set().join(&name), folder.path().join(&name)).unwrap();
        }
        Self(folder)
    }

    fn file(self, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        fs::write(self.path().join(name), bytes).unwrap();
        self
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

/// `reason: file:line file:line` for each reason of a table.
fn reasons(report: &Report, table: Table) -> Vec<String> {
    let reasons = &report.tables[&table].reasons;
    let line = |(reason, rejections): (&&str, &linli::exchange::report::Rejections)| {
        assert_eq!(rejections.count, rejections.lines.len() as u64);
        let places: Vec<_> = rejections.lines.iter().map(|place| format!("{}:{}", place.file, place.line)).collect();
        format!("{reason}: {}", places.join(" "))
    };
    reasons.iter().map(line).collect()
}

/// read, accepted, unchanged, rejected, skipped
fn counts(report: &Report, table: Table) -> [u64; 5] {
    let table = &report.tables[&table];
    let counts = [table.read, table.accepted, table.unchanged, table.rejected, table.skipped];
    assert_eq!(counts[0], counts[1..].iter().sum::<u64>());
    counts
}
