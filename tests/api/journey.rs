//! The whole way, as the documentation shows it: `examples/one-wish.sh` against a server on the station set.

use std::path::Path;
use std::process::Command;

use crate::support::{Backend, Process, TestDatabase, dataset, expect_exit, linli};

async fn one_wish_goes_from_posting_to_goods_in_hand(backend: Backend) {
    let Some(database) = TestDatabase::migrated(backend).await else { return };
    let set = dataset::station();
    expect_exit(linli(&database, &["import", &set.display().to_string(), "--shift-to", "today"]).output().unwrap(), 0);
    let server = Process::serve(&database).await;

    let program = linli(&database, &[]);
    let mut script = Command::new("bash");
    script.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/one-wish.sh"));
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => script.env(name, value),
            None => script.env_remove(name),
        };
    }
    script.env("LINLI", program.get_program()).env("SERVER_URL", server.address()).env("no_proxy", "127.0.0.1");
    let said = expect_exit(script.output().unwrap(), 0);
    assert!(said.contains("大米到手"), "{said}");

    assert_eq!(server.stop().await.code(), Some(0));
    database.remove().await;
}

#[actix_web::test]
async fn one_wish_goes_from_posting_to_goods_in_hand_on_sqlite() {
    one_wish_goes_from_posting_to_goods_in_hand(Backend::Sqlite).await;
}

#[actix_web::test]
async fn one_wish_goes_from_posting_to_goods_in_hand_on_postgres() {
    one_wish_goes_from_posting_to_goods_in_hand(Backend::Postgres).await;
}
