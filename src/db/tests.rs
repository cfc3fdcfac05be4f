//! The write path on SQLite. The same on PostgreSQL: `tests/api/db.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Statement};
use tempfile::TempDir;

use super::{Db, DbOptions, Fault, Txn, fault};

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
    _directory: TempDir,
}

async fn fixture() -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/below/test.db", directory.path().display());
    let db = Db::connect(&DbOptions { url, min_free_mib: 0, max_connections: 4 }).await.unwrap();
    db.write(async |txn| txn.execute_unprepared(SCHEMA).await.map(drop)).await.unwrap();
    Fixture { db, _directory: directory }
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
    let Fixture { db, _directory } = fixture().await;
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
    let Fixture { db, _directory } = fixture().await;
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
    let Fixture { db, _directory } = fixture().await;
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
    let Fixture { db, _directory } = fixture().await;
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
    let Fixture { db, _directory } = fixture().await;
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
    let Fixture { db, _directory } = fixture().await;
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
