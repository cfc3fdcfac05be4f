//! The commands as operators run them.

use serde_json::Value;

use super::station_set;
use crate::support::{Backend, TestDatabase, expect_exit, linli};

async fn commands(backend: Backend) {
    let Some(database) = TestDatabase::migrated(backend).await else { return };
    let set = station_set().display().to_string();
    let file = database.folder().join("report.json");
    let run = |arguments: &[&str], code| {
        let output = linli(&database, arguments).output().unwrap();
        expect_exit(output, code)
    };
    let report = run(&["import", &set, "--report", &file.display().to_string()], 0);
    assert_eq!(report, std::fs::read_to_string(&file).unwrap());
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["tables"]["members"]["accepted"], 1000);
    let again: Value = serde_json::from_str(&run(&["import", &set, "--shift-to", "today"], 0)).unwrap();
    assert_eq!(again["tables"]["wishes"]["unchanged"], 150);
    run(&["verify"], 0);

    let out = database.folder().join("out").display().to_string();
    let exported: Value = serde_json::from_str(&run(&["export", &out], 0)).unwrap();
    assert_eq!(exported["tables"]["participations"], 900);
    run(&["export", &out], 2);
    run(&["import", "no-such-folder"], 2);
    run(&["import", &set, "--shift-to", "soon"], 2);
    database.remove().await;
}

#[actix_web::test]
async fn import_and_export_on_sqlite() {
    commands(Backend::Sqlite).await;
}

#[actix_web::test]
async fn import_and_export_on_postgres() {
    commands(Backend::Postgres).await;
}
