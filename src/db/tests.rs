//! The write path on SQLite. The same on PostgreSQL: `tests/api/db.rs`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Statement};
use tempfile::TempDir;

use super::{Db, DbOptions, Fault, Txn, fault};

mod values;

const SCHEMA: &str = "
    CREATE TABLE parent (id INTEGER PRIMARY KEY);
    CREATE TABLE item (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        stock INTEGER NOT NULL DEFAULT 0 CONSTRAINT stock_left CHECK (stock >= 0),
        parent_id INTEGER REFERENCES parent (id)
    );
    CREATE TRIGGER item_rule BEFORE INSERT ON item WHEN new.name = 'overlap'
    BEGIN SELECT RAISE(ABORT, 'no_overlap'); END;";

struct Fixture {
    db: Db,
    path: PathBuf,
    _directory: TempDir,
}

async fn fixture() -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("below/test.db");
    let url = format!("sqlite://{}", path.display());
    let db = Db::connect(&DbOptions { url, min_free_mib: 0, max_connections: 4 }).await.unwrap();
    db.write(async |txn| txn.execute_unprepared(SCHEMA).await.map(drop)).await.unwrap();
    Fixture { db, path, _directory: directory }
}

async fn insert(txn: &Txn, name: &str) -> Result<(), DbErr> {
    let sql = "INSERT INTO item (name) VALUES (?)";
    txn.execute_raw(Statement::from_sql_and_values(sea_orm::DbBackend::Sqlite, sql, [name.into()])).await.map(drop)
}

#[derive(FromQueryResult)]
struct Name {
    name: String,
}

async fn names(db: &Db) -> Vec<String> {
    let sql = Statement::from_string(db.backend(), "SELECT name FROM item ORDER BY name");
    Name::find_by_statement(sql).all(db.read()).await.unwrap().into_iter().map(|row| row.name).collect()
}

async fn write_name(db: Db, name: &'static str) -> Result<(), DbErr> {
    db.write(async move |txn| insert(txn, name).await).await
}

#[tokio::test]
async fn a_refusal_undoes_itself_alone() {
    let Fixture { db, _directory, .. } = fixture().await;
    let refused = db.write(async |txn| {
        insert(txn, "refused").await?;
        Err::<(), _>(DbErr::Custom("no".into()))
    });
    let (kept, refused, also) = tokio::join!(write_name(db.clone(), "a"), refused, write_name(db.clone(), "b"));
    assert_eq!(refused, Err(DbErr::Custom("no".into())));
    assert!(kept.is_ok() && also.is_ok());
    assert_eq!(names(&db).await, ["a", "b"]);
}

#[tokio::test]
async fn a_violation_undoes_its_command_alone() {
    let Fixture { db, _directory, .. } = fixture().await;
    write_name(db.clone(), "taken").await.unwrap();
    let twice = db.write(async |txn| {
        insert(txn, "half").await?;
        insert(txn, "taken").await
    });
    let (before, twice, after) = tokio::join!(write_name(db.clone(), "a"), twice, write_name(db.clone(), "b"));
    assert!(before.is_ok() && after.is_ok());
    let found = fault(&twice.unwrap_err());
    assert!(matches!(found, Fault::Unique(_)) && found.names("item.name"), "{found:?}");
    assert_eq!(names(&db).await, ["a", "b", "taken"]);
}

#[tokio::test]
async fn a_swallowed_error_does_not_commit() {
    let Fixture { db, _directory, .. } = fixture().await;
    write_name(db.clone(), "taken").await.unwrap();
    let swallowed = db.write(async |txn| {
        insert(txn, "half").await?;
        let _ = insert(txn, "taken").await;
        Ok::<_, DbErr>(())
    });
    assert!(swallowed.await.is_err());
    let went_on = db.write(async |txn| {
        let _ = insert(txn, "taken").await;
        insert(txn, "half").await
    });
    assert!(went_on.await.is_err());
    assert_eq!(names(&db).await, ["taken"]);
}

#[tokio::test]
async fn a_panic_undoes_its_command_alone() {
    let Fixture { db, _directory, .. } = fixture().await;
    let panics = db.write(async |txn| {
        insert(txn, "half").await?;
        assert!(txn.aborted(), "on purpose");
        Ok::<_, DbErr>(())
    });
    let (before, panics, after) = tokio::join!(write_name(db.clone(), "a"), panics, write_name(db.clone(), "b"));
    assert!(before.is_ok() && panics.is_err() && after.is_ok());
    assert_eq!(names(&db).await, ["a", "b"]);
}

#[tokio::test]
async fn a_nested_part_is_undone_alone() {
    let Fixture { db, _directory, .. } = fixture().await;
    write_name(db.clone(), "taken").await.unwrap();
    db.write(async |txn| {
        insert(txn, "outer").await?;
        let refused = txn.nested(async |txn| {
            insert(txn, "inner").await?;
            let deeper = txn.nested(async |txn| insert(txn, "taken").await).await;
            assert!(matches!(fault(&deeper.unwrap_err()), Fault::Unique(_)));
            insert(txn, "inner again").await?;
            Err::<(), _>(DbErr::Custom("no".into()))
        });
        assert_eq!(refused.await, Err(DbErr::Custom("no".into())));
        txn.nested(async |txn| insert(txn, "kept").await).await?;
        insert(txn, "after").await
    })
    .await
    .unwrap();
    assert_eq!(names(&db).await, ["after", "kept", "outer", "taken"]);
}

#[tokio::test]
async fn a_caller_gone_before_its_turn_is_skipped() {
    let Fixture { db, _directory, .. } = fixture().await;
    let runs = Arc::new(AtomicU32::new(0));
    let slow = tokio::spawn({
        let db = db.clone();
        async move {
            db.write(async |txn| {
                insert(txn, "slow").await?;
                std::thread::sleep(Duration::from_millis(300));
                Ok::<_, DbErr>(())
            })
            .await
        }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let counted = Arc::clone(&runs);
    let gone = db.write(async move |txn| {
        counted.fetch_add(1, Ordering::Relaxed);
        insert(txn, "gone").await
    });
    assert!(tokio::time::timeout(Duration::from_millis(50), gone).await.is_err());
    slow.await.unwrap().unwrap();
    write_name(db.clone(), "next").await.unwrap();
    assert_eq!(runs.load(Ordering::Relaxed), 0);
    assert_eq!(names(&db).await, ["next", "slow"]);
}

#[tokio::test]
async fn every_fault_has_its_name() {
    let Fixture { db, _directory, .. } = fixture().await;
    write_name(db.clone(), "taken").await.unwrap();
    let refusal = async |sql: &'static str| {
        let refused = db.write(async move |txn| txn.execute_unprepared(sql).await.map(drop)).await;
        fault(&refused.unwrap_err())
    };
    let unique = refusal("INSERT INTO item (name) VALUES ('taken')").await;
    assert!(matches!(unique, Fault::Unique(_)) && unique.names("item.name"), "{unique:?}");
    let primary = refusal("INSERT INTO item (id, name) SELECT id, 'other' FROM item").await;
    assert!(matches!(primary, Fault::Unique(_)) && primary.names("item.id"), "{primary:?}");
    let check = refusal("UPDATE item SET stock = -1").await;
    assert!(matches!(check, Fault::Check(_)) && check.names("stock_left"), "{check:?}");
    let missing = refusal("INSERT INTO item (name) VALUES (NULL)").await;
    assert!(matches!(missing, Fault::Check(_)) && missing.names("item.name"), "{missing:?}");
    let pointing = refusal("UPDATE item SET parent_id = 77").await;
    assert!(matches!(pointing, Fault::ForeignKey(_)), "{pointing:?}");
    let overlap = refusal("INSERT INTO item (name) VALUES ('overlap')").await;
    assert!(matches!(overlap, Fault::Exclusion(_)) && overlap.names("no_overlap"), "{overlap:?}");
    assert_eq!(refusal("SELECT nonsense").await, Fault::Other);
}

#[tokio::test]
async fn readers_do_not_write() {
    let Fixture { db, _directory, .. } = fixture().await;
    let refused = db.read().execute_unprepared("INSERT INTO item (name) VALUES ('x')").await;
    assert_eq!(fault(&refused.unwrap_err()), Fault::Unavailable);
}

#[tokio::test]
async fn a_lookup_sees_what_was_committed_and_does_not_write() {
    let Fixture { db, _directory, .. } = fixture().await;
    for name in ["a", "b", "c"] {
        write_name(db.clone(), name).await.unwrap();
        let sql = Statement::from_sql_and_values(db.backend(), "SELECT name FROM item WHERE name = $1", [name.into()]);
        let found = Name::find_by_statement(sql).one(db.lookup()).await.unwrap();
        assert_eq!(found.map(|row| row.name), Some(name.to_owned()));
    }
    let refused = db.lookup().execute_unprepared("INSERT INTO item (name) VALUES ('x')").await;
    assert_eq!(fault(&refused.unwrap_err()), Fault::Unavailable);
    let written = Statement::from_string(db.backend(), "INSERT INTO item (name) VALUES ('x') RETURNING name");
    assert_eq!(fault(&db.lookup().query_one_raw(written).await.unwrap_err()), Fault::Unavailable);
    assert_eq!(names(&db).await, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_lookup_that_takes_long_or_is_of_no_known_type_is_answered_all_the_same() {
    let Fixture { db, _directory, .. } = fixture().await;
    let ask = async |sql: &str| {
        let row = db.lookup().query_one_raw(Statement::from_string(db.backend(), sql)).await;
        row.unwrap().unwrap().try_get_by_index::<i64>(0).unwrap()
    };
    let long =
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1000000) SELECT COUNT(*) FROM n";
    assert_eq!(ask(long).await, 1_000_000);
    assert_eq!(ask("SELECT COUNT(*) FROM item").await, 0);
    assert_eq!(ask("SELECT 40 + 2").await, 42);
    assert_eq!(ask("SELECT COUNT(*) FROM item").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_writers_lose_nothing() {
    let Fixture { db, _directory, .. } = fixture().await;
    db.write(async |txn| {
        txn.execute_unprepared("INSERT INTO item (id, name, stock) VALUES (1, 'a', 500)").await.map(drop)
    })
    .await
    .unwrap();
    let take = |db: Db| async move {
        let mut taken = 0;
        for _ in 0..50 {
            let got = db.write(async |txn| {
                let sql = "UPDATE item SET stock = stock - 1 WHERE id = 1 AND stock >= 1";
                let sql = Statement::from_string(txn.get_database_backend(), sql);
                if txn.execute_raw(sql).await?.rows_affected() == 1 { Ok(()) } else { Err(DbErr::Custom("out".into())) }
            });
            taken += u32::from(got.await.is_ok());
        }
        taken
    };
    let takers: Vec<_> = (0..16).map(|_| tokio::spawn(take(db.clone()))).collect();
    let mut taken = 0;
    for taker in takers {
        taken += taker.await.unwrap();
    }
    assert_eq!(taken, 500);
    let left = Statement::from_string(db.backend(), "SELECT stock FROM item");
    assert_eq!(db.read().query_one_raw(left).await.unwrap().unwrap().try_get_by_index::<i32>(0).unwrap(), 0);
}

/// F-4: SQLite is full, rolls back by itself in the middle of a group, and has room again.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_file_loses_nothing_that_was_acknowledged() {
    let Fixture { db, _directory, .. } = fixture().await;
    db.limit_pages(60);
    let fill = |db: Db, taker: u32| async move {
        let mut acknowledged = Vec::new();
        let mut refused = 0;
        for round in 0..60 {
            let name = format!("{taker}-{round}-{}", "x".repeat(700));
            let row = name.clone();
            match db.write(async move |txn| insert(txn, &row).await).await {
                Ok(()) => acknowledged.push(name),
                Err(error) => {
                    assert_eq!(fault(&error), Fault::Unavailable, "{error:?}");
                    refused += 1;
                }
            }
        }
        (acknowledged, refused)
    };
    let fillers: Vec<_> = (0..8).map(|taker| tokio::spawn(fill(db.clone(), taker))).collect();
    let (mut acknowledged, mut refused) = (Vec::new(), 0);
    for filler in fillers {
        let (mine, not) = filler.await.unwrap();
        acknowledged.extend(mine);
        refused += not;
    }
    assert!(refused > 100 && !acknowledged.is_empty(), "{refused} refused, {} not", acknowledged.len());
    let stored = names(&db).await;
    let missing = acknowledged.iter().filter(|name| stored.binary_search(name).is_err()).count();
    assert_eq!(missing, 0);
    assert_eq!(stored.len(), acknowledged.len());

    db.limit_pages(0);
    write_name(db.clone(), "room again").await.unwrap();
    assert!(names(&db).await.contains(&"room again".to_owned()));
}

#[tokio::test]
async fn below_the_mark_nothing_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/test.db", directory.path().display());
    let db = Db::connect(&DbOptions { url, min_free_mib: u64::MAX, max_connections: 1 }).await.unwrap();
    let refused = db.write(async |txn| txn.execute_unprepared(SCHEMA).await.map(drop)).await;
    assert_eq!(fault(&refused.unwrap_err()), Fault::Unavailable);
}

/// The writer is in doubt about its connection when the common commit fails; the next group has another.
#[tokio::test]
async fn a_failed_group_is_told_to_all_of_it() {
    let Fixture { db, _directory, .. } = fixture().await;
    let deferred = "CREATE TABLE child (parent_id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)";
    db.write(async move |txn| txn.execute_unprepared(deferred).await.map(drop)).await.unwrap();
    // While the writer is held up, the next three gather.
    let held_up = db.write(async |_| {
        std::thread::sleep(Duration::from_millis(100));
        Ok::<_, DbErr>(())
    });
    let orphan = db.write(async |txn| txn.execute_unprepared("INSERT INTO child VALUES (9)").await.map(drop));
    let (held_up, before, orphan, after) =
        tokio::join!(held_up, write_name(db.clone(), "before"), orphan, write_name(db.clone(), "after"));
    held_up.unwrap();
    for outcome in [before, orphan, after] {
        assert_eq!(fault(&outcome.unwrap_err()), Fault::Unavailable);
    }
    assert!(names(&db).await.is_empty());
    write_name(db.clone(), "next").await.unwrap();
    assert_eq!(names(&db).await, ["next"]);
}

#[tokio::test]
async fn the_file_is_its_owners_only() {
    use std::os::unix::fs::PermissionsExt;
    let Fixture { _directory: directory, .. } = fixture().await;
    for name in ["test.db", "test.db-wal", "test.db-shm"] {
        let mode = std::fs::metadata(directory.path().join("below").join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn migrations_run_once_and_all_their_types_are_known() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/test.db", directory.path().display());
    let db = Db::connect(&DbOptions { url, min_free_mib: 0, max_connections: 2 }).await.unwrap();
    assert!(db.pending_migrations().await.unwrap() > 0);
    let (one, other) = tokio::join!(db.migrate(), db.migrate());
    one.unwrap();
    other.unwrap();
    assert_eq!(db.pending_migrations().await.unwrap(), 0);
    let unknown = super::sqlite::unknown_types(&directory.path().join("test.db"));
    assert_eq!(unknown, Vec::<String>::new());
}

#[tokio::test]
async fn nobody_waits_for_a_turn_without_end() {
    let Fixture { db, _directory, .. } = fixture().await;
    let long = db.write(async |txn| {
        std::thread::sleep(Duration::from_secs(6));
        insert(txn, "long").await
    });
    let behind = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        write_name(db.clone(), "behind").await
    };
    let (long, behind) = tokio::join!(long, behind);
    long.unwrap();
    assert_eq!(fault(&behind.unwrap_err()), Fault::Unavailable);
    write_name(db.clone(), "next").await.unwrap();
    assert_eq!(names(&db).await, ["long", "next"]);
}
