//! Files of others through a mapping: what is accepted, what is named, and that a second run changes nothing.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Backend, TestDatabase, expect_exit, linli};

fn third_party() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/third_party")
}

fn import(database: &TestDatabase, folder: &Path, mapping: &Path, code: i32) -> (Value, String) {
    let (folder, mapping) = (folder.display().to_string(), mapping.display().to_string());
    let output = linli(database, &["import", &folder, "--mapping", &mapping]).output().unwrap();
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    (serde_json::from_str(&expect_exit(output, code)).unwrap_or_default(), said)
}

fn counts(report: &Value, table: &str) -> [u64; 4] {
    ["read", "accepted", "unchanged", "rejected"].map(|count| report["tables"][table][count].as_u64().unwrap_or(0))
}

async fn third_party_files(backend: Backend) {
    let Some(database) = TestDatabase::migrated(backend).await else { return };
    let folder = third_party();
    let with = |name: &str| import(&database, &folder, &folder.join(name), 0).0;
    assert_eq!(counts(&with("esco.toml"), "codes"), [763, 763, 0, 0]);
    assert_eq!(counts(&with("doit.toml"), "codes"), [77, 77, 0, 0]);

    let nyc = with("nyc.toml");
    assert_eq!(counts(&nyc, "codes"), [77, 0, 77, 0], "Do-it's again");
    assert_eq!(counts(&nyc, "units"), [261, 256, 0, 5]);
    assert_eq!(counts(&nyc, "wishes"), [665, 658, 0, 7]);
    assert_eq!(counts(&nyc, "listings"), [665, 650, 0, 15]);
    assert_eq!(nyc["tables"]["listings"]["reasons"]["unknown_unit"]["count"], 8);
    let reasons = &nyc["tables"]["wishes"]["reasons"];
    let file = "nyc_volunteer_opportunities_2011.csv";
    assert_eq!(reasons["missing_field"]["count"], 6);
    assert_eq!(reasons["unknown_region"]["lines"], json!([{ "file": file, "line": 307 }]));
    let again = with("nyc.toml");
    assert_eq!(counts(&again, "wishes"), [665, 0, 658, 7]);
    assert_eq!(again["tables"]["wishes"]["reasons"], *reasons);

    let sessions = with("teamkinetic.toml");
    assert_eq!(counts(&sessions, "members"), [431, 431, 0, 0]);
    assert_eq!(counts(&sessions, "activities"), [69, 61, 0, 8]);
    assert_eq!(counts(&sessions, "participations"), [12, 12, 0, 0]);
    assert!(sessions["warnings"].as_array().unwrap().iter().any(|line| line.as_str().unwrap().contains("3 行不符合")));
    expect_exit(linli(&database, &["verify"]).output().unwrap(), 0);
    database.remove().await;
}

#[actix_web::test]
async fn third_party_files_on_sqlite() {
    third_party_files(Backend::Sqlite).await;
}

#[actix_web::test]
async fn third_party_files_on_postgres() {
    third_party_files(Backend::Postgres).await;
}

#[actix_web::test]
async fn a_mapping_that_does_not_fit_changes_nothing() {
    let Some(database) = TestDatabase::migrated(Backend::Sqlite).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let mapping = folder.path().join("m.toml");
    let table = "[[table]]\ntable = \"codes\"\nfile = \"a.csv\"\n";
    for (text, code, named) in [
        ("[[table]]\ntable = \"codes\"\nfiel = \"a.csv\"\n".to_owned(), 2, "fiel"),
        (format!("{table}columns = {{ code = \"b\" }}\n"), 2, "no column b"),
        (table.replace("a.csv", "b.csv"), 1, "b.csv"),
    ] {
        std::fs::write(folder.path().join("a.csv"), "a\nx\n").unwrap();
        std::fs::write(&mapping, text).unwrap();
        let (report, said) = import(&database, folder.path(), &mapping, code);
        assert!(report.is_null() && said.contains(named), "{said}");
    }
    let (_, said) = import(&database, folder.path(), &folder.path().join("no.toml"), 1);
    assert!(said.contains("no.toml"), "{said}");
    database.remove().await;
}
