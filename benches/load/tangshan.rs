//! The set of a whole city: import, memory at rest, start to first answer, and its boards against the read of one record.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::compare::{compare, memory, start};
use crate::service::Service;
use crate::support::{Database, Place, figure, option};

/// Members that ask.
const ASKING: usize = 2_000;

/// Whether `--tangshan` is given.
pub(crate) fn is_asked_for() -> bool {
    std::env::args().any(|word| word == "--tangshan")
}

pub(crate) async fn measure(place: &Place, database: Database) {
    let set = set(place);
    let started = Instant::now();
    place.linli(&["import", &set.display().to_string()], "");
    let seconds = started.elapsed().as_secs_f64();
    figure(&json!({"program": "load", "figure": "import_tangshan", "database": database.name(), "seconds": seconds}));
    let server = start(place, database).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    memory(&server, database, "memory_at_rest");
    let service = Service::new(place, &server, ASKING).await;
    let records = service.some("service-records").await;
    let read = async || service.read("service-records", &records).await;
    for (name, query) in [
        ("board_of_all", "period=all"),
        ("board_of_city", "period=all&region=130200"),
        ("board_of_2023", "period=2023"),
    ] {
        compare(database, name, read, async || service.board(query).await).await;
    }
    memory(&server, database, "memory_after_load");
}

/// The folder after `--tangshan`, or one made for this run.
fn set(place: &Place) -> PathBuf {
    if let Some(given) = option("--tangshan").filter(|word| !word.starts_with("--")) {
        return PathBuf::from(given);
    }
    let set = place.dir.path().join("tangshan");
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/generate.py");
    let status = Command::new("python3").arg(program).args(["--size", "tangshan", "--out"]).arg(&set).status();
    assert!(status.expect("python3").success(), "the set was not made");
    set
}
