//! The application as such: health, figures, the document, starting and stopping.

use serde_json::Value;

use crate::support::{Backend, Process, TestDatabase, dataset, linli};

both!(a_node_with_a_migrated_database_is_ready, async |app| {
    app.get("/healthz").await.expect_status(200);
    app.get("/readyz").await.expect_status(200);
    let figures = app.get("/metrics").await.expect_status(200).text();
    assert!(figures.contains("linli_http_requests_total"), "{figures}");
});

both!(the_seeded_people_have_tokens_that_differ, async |app| {
    let resident = app.seed().member().await;
    let volunteer = app.seed().member().volunteer().in_region(crate::support::FOREIGN).await;
    let station = app.seed().station().await;
    let clerk = app.seed().staff(::entity::staff::Role::Clerk).at_station(station.id).being(&resident).await;
    assert_ne!(resident.token, volunteer.token);
    assert_ne!(volunteer.token, clerk.token);
    assert_ne!(resident.phone, volunteer.phone);
});

both!(the_document_needs_no_outside_host, async |app| {
    let document = app.get("/openapi.json").await.expect_status(200).json();
    assert_eq!(document["openapi"], "3.1.0");
    let page = app.get("/docs/").await.expect_status(200).text();
    assert!(!page.contains("http://") && !page.contains("https://"), "{page}");
    let settings = app.get("/docs/swagger-initializer.js").await.expect_status(200).text();
    assert!(settings.contains("/openapi.json") && settings.contains("\"none\""), "{settings}");
});

async fn a_server_starts_is_killed_starts_again_and_stops(backend: Backend) {
    let Some(database) = TestDatabase::migrated(backend).await else { return };
    let mut server = Process::serve(&database).await;
    server.kill();
    server.restart().await;
    assert_eq!(server.get("/healthz").send().await.unwrap().status(), 200);
    assert_eq!(server.stop().await.code(), Some(0));
    database.remove().await;
}

#[actix_web::test]
async fn a_server_on_sqlite_comes_and_goes() {
    a_server_starts_is_killed_starts_again_and_stops(Backend::Sqlite).await;
}

#[actix_web::test]
async fn a_server_on_postgres_comes_and_goes() {
    a_server_starts_is_killed_starts_again_and_stops(Backend::Postgres).await;
}

#[actix_web::test]
async fn postgres_is_migrated_only_where_asked() {
    let Some(database) = TestDatabase::empty(Backend::Postgres).await else { return };
    let refused = linli(&database, &["serve"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--migrate"));
    let migrated = linli(&database, &["migrate"]).output().unwrap();
    assert_eq!(migrated.status.code(), Some(0), "{}", String::from_utf8_lossy(&migrated.stderr));
    assert_eq!(Process::serve(&database).await.stop().await.code(), Some(0));
    database.remove().await;
}

#[actix_web::test]
async fn a_database_keeps_its_secret_key() {
    let database = TestDatabase::empty(Backend::Sqlite).await.unwrap();
    assert_eq!(Process::serve(&database).await.stop().await.code(), Some(0));
    let mut with_another = linli(&database, &["serve"]);
    let refused =
        with_another.env("LINLI_SECRET_KEY", "c29tZWJvZHkgZWxzZSdzIHNlY3JldCBvZiAzMiBieXRlcw==").output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("another secret key"));
    assert_eq!(Process::serve(&database).await.stop().await.code(), Some(0));
}

#[actix_web::test]
async fn wrong_usage_ends_with_code_2() {
    let database = TestDatabase::empty(Backend::Sqlite).await.unwrap();
    let code = |name: &str, value: &str| {
        let mut command = linli(&database, &["serve"]);
        command.env(name, value).output().unwrap().status.code()
    };
    assert_eq!(code("LINLI_COLOUR", "red"), Some(2));
    assert_eq!(code("LINLI_SECRET_KEY", "c2hvcnQ="), Some(2));
    assert_eq!(linli(&database, &["surve"]).output().unwrap().status.code(), Some(2));
    assert_eq!(linli(&database, &[]).output().unwrap().status.code(), Some(2));
    assert_eq!(linli(&database, &["serve", "--help"]).output().unwrap().status.code(), Some(0));
    let mut without_key = linli(&database, &["serve"]);
    without_key.env_remove("LINLI_SECRET_KEY").env("LINLI_DATABASE_URL", "postgres://localhost/linli");
    assert_eq!(without_key.output().unwrap().status.code(), Some(2));
}

#[actix_web::test]
async fn what_cannot_be_written_is_said_in_a_line() {
    let database = TestDatabase::migrated(Backend::Sqlite).await.unwrap();
    for arguments in [["openapi"].as_slice(), &["verify"], &["export", "/proc/nowhere"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = linli(&database, arguments).stdout(writer).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(!said.contains("panicked") && said.contains("linli: "), "{arguments:?}: {said}");
        assert!(arguments[0] != "export" || said.contains("/proc/nowhere"), "{said}");
    }
}

#[actix_web::test]
async fn the_document_is_printed_and_is_the_served_one() {
    let database = TestDatabase::empty(Backend::Sqlite).await.unwrap();
    let output = linli(&database, &["openapi"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let server = Process::serve(&database).await;
    let served: Value = server.get("/openapi.json").send().await.unwrap().json().await.unwrap();
    assert_eq!(printed, served);
}

#[test]
fn the_generator_makes_the_set_that_is_shipped() {
    let Some(made) = dataset::generated("station", "1") else { return };
    for file in std::fs::read_dir(dataset::station()).unwrap() {
        let name = file.unwrap().file_name();
        let read = |folder: &std::path::Path| std::fs::read(folder.join(&name)).unwrap();
        assert!(read(&made) == read(&dataset::station()), "{}", name.display());
    }
}
