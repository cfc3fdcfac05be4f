//! The write path on both databases, and what only PostgreSQL does. What only SQLite does: `src/db/tests.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ::entity::import_row;
use linli::db::{Db, Fault, Txn, fault, insert_all};
use sea_orm::{ActiveValue::Set, ConnectionTrait as _, DbErr, EntityTrait as _, PaginatorTrait as _, Statement};

use crate::support::{Backend, TestDatabase, connect};

const ITEM: &str = "CREATE TABLE item (name VARCHAR(80) NOT NULL PRIMARY KEY, stock INTEGER NOT NULL DEFAULT 0,
    CONSTRAINT stock_left CHECK (stock >= 0))";

/// A database with the table above; `None` where there is none of this kind.
async fn prepared(backend: Backend) -> Option<(TestDatabase, Db)> {
    let database = TestDatabase::empty(backend).await?;
    let db = connect(&database).await;
    run(&db, ITEM).await.unwrap();
    Some((database, db))
}

/// One text as one command.
async fn run(db: &Db, sql: &'static str) -> Result<(), DbErr> {
    db.write(async move |txn| txn.execute_unprepared(sql).await.map(drop)).await
}

async fn put(txn: &Txn, name: &str) -> Result<(), DbErr> {
    txn.execute_unprepared(&format!("INSERT INTO item (name) VALUES ('{name}')")).await.map(drop)
}

async fn names(db: &Db) -> String {
    let sql = Statement::from_string(db.backend(), "SELECT name FROM item ORDER BY name");
    let rows = db.read().query_all_raw(sql).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index::<String>(0).unwrap()).collect::<Vec<_>>().join(" ")
}

async fn stock(db: &Db, name: &'static str) -> i32 {
    let sql = Statement::from_string(db.backend(), format!("SELECT stock FROM item WHERE name = '{name}'"));
    db.read().query_one_raw(sql).await.unwrap().unwrap().try_get_by_index(0).unwrap()
}

/// Makes `name::sqlite` and `name::postgres` of a test over a prepared database.
macro_rules! on_both {
    ($name:ident, $test:expr) => {
        mod $name {
            use super::*;

            async fn on(backend: Backend) {
                let Some((database, db)) = prepared(backend).await else { return };
                ($test)(db).await;
                database.remove().await;
            }

            #[actix_web::test]
            async fn sqlite() {
                on(Backend::Sqlite).await;
            }

            #[actix_web::test]
            async fn postgres() {
                on(Backend::Postgres).await;
            }
        }
    };
}

on_both!(a_command_is_all_or_nothing, async |db: Db| {
    let refused = db.write(async |txn| {
        put(txn, "refused").await?;
        Err::<(), _>(DbErr::Custom("no".into()))
    });
    let panicked = db.write(async |txn| {
        put(txn, "panicked").await?;
        assert!(txn.execute_unprepared("SELECT 1").await.is_err(), "on purpose");
        Ok::<_, DbErr>(())
    });
    let kept = db.write(async |txn| put(txn, "kept").await);
    let (refused, panicked, kept) = tokio::join!(refused, panicked, kept);
    assert_eq!(refused, Err(DbErr::Custom("no".into())));
    assert!(panicked.is_err() && kept.is_ok());
    assert_eq!(names(&db).await, "kept");
});

on_both!(a_swallowed_error_does_not_commit, async |db: Db| {
    let swallowed = db.write(async |txn| {
        put(txn, "half").await?;
        let _ = put(txn, "half").await;
        Ok::<_, DbErr>(())
    });
    assert!(swallowed.await.is_err());
    assert_eq!(names(&db).await, "");
});

on_both!(a_nested_part_is_undone_alone, async |db: Db| {
    db.write(async |txn| {
        put(txn, "outer").await?;
        let refused = txn.nested(async |txn| {
            put(txn, "inner").await?;
            let deeper = txn.nested(async |txn| put(txn, "outer").await).await;
            assert!(matches!(fault(&deeper.unwrap_err()), Fault::Unique(_)));
            put(txn, "inner again").await?;
            Err::<(), _>(DbErr::Custom("no".into()))
        });
        assert_eq!(refused.await, Err(DbErr::Custom("no".into())));
        txn.nested(async |txn| put(txn, "part").await).await?;
        put(txn, "then").await
    })
    .await
    .unwrap();
    assert_eq!(names(&db).await, "outer part then");
});

on_both!(violations_have_the_same_names, async |db: Db| {
    run(&db, "INSERT INTO item (name) VALUES ('taken')").await.unwrap();
    let unique = fault(&run(&db, "INSERT INTO item (name) VALUES ('taken')").await.unwrap_err());
    assert!(matches!(unique, Fault::Unique(_)) && unique.names("item.name"), "{unique:?}");
    let check = fault(&run(&db, "UPDATE item SET stock = -1").await.unwrap_err());
    assert!(matches!(check, Fault::Check(_)) && check.names("stock_left"), "{check:?}");
    let missing = fault(&run(&db, "INSERT INTO item (name, stock) VALUES ('x', NULL)").await.unwrap_err());
    assert!(matches!(missing, Fault::Check(_)) && missing.names("item.stock"), "{missing:?}");
    assert_eq!(fault(&run(&db, "SELECT nonsense").await.unwrap_err()), Fault::Other);
});

on_both!(nothing_is_sold_twice, async |db: Db| {
    run(&db, "INSERT INTO item (name, stock) VALUES ('rice', 30)").await.unwrap();
    let buy = async || {
        let mut bought = 0;
        for _ in 0..10 {
            let got = db.write(async |txn| {
                let sql = "UPDATE item SET stock = stock - 1 WHERE name = 'rice' AND stock >= 1";
                let sold = txn.execute_raw(Statement::from_string(txn.get_database_backend(), sql)).await?;
                if sold.rows_affected() == 1 { Ok(()) } else { Err(DbErr::Custom("out of stock".into())) }
            });
            bought += u32::from(got.await.is_ok());
        }
        bought
    };
    let bought: u32 = futures_util::future::join_all((0..8).map(|_| buy())).await.into_iter().sum();
    assert_eq!((bought, stock(&db, "rice").await), (30, 0));
});

/// An import of 55,000 rows is one command, and as many statements as the limits on values ask for.
async fn a_large_command(backend: Backend) {
    let Some(database) = TestDatabase::migrated(backend).await else { return };
    let db = connect(&database).await;
    let inserted = db.write_long(async |txn| {
        let row = |at| import_row::ActiveModel {
            table_name: Set("members".into()),
            ref_id: Set(format!("M{at:06}")),
            fingerprint: Set(vec![7; 32]),
            set_no: Set(1),
        };
        insert_all(txn, (0..55_000).map(row)).await
    });
    assert_eq!(inserted.await.unwrap(), 55_000);
    assert_eq!(import_row::Entity::find().count(db.read()).await.unwrap(), 55_000);
    database.remove().await;
}

#[actix_web::test]
async fn a_large_command_on_sqlite() {
    a_large_command(Backend::Sqlite).await;
}

#[actix_web::test]
async fn a_large_command_on_postgres() {
    a_large_command(Backend::Postgres).await;
}

#[actix_web::test]
async fn several_nodes_migrate_at_once() {
    let Some(database) = TestDatabase::empty(Backend::Postgres).await else { return };
    let (one, other) = (connect(&database).await, connect(&database).await);
    assert!(one.pending_migrations().await.unwrap() > 0);
    let (migrated, also) = tokio::join!(one.migrate(), other.migrate());
    migrated.unwrap();
    also.unwrap();
    assert_eq!(other.pending_migrations().await.unwrap(), 0);
    database.remove().await;
}

#[actix_web::test]
async fn the_clock_is_the_databases() {
    let Some((database, db)) = prepared(Backend::Postgres).await else { return };
    let apart = db.now().await.unwrap() - chrono::Utc::now();
    assert!(apart.num_seconds().abs() < 5);
    database.remove().await;
}

#[actix_web::test]
async fn rules_over_several_rows_have_names() {
    let Some((database, db)) = prepared(Backend::Postgres).await else { return };
    run(
        &db,
        "CREATE TABLE shift (during int4range, parent VARCHAR(80) CONSTRAINT of_item REFERENCES item (name) DEFERRABLE,
        CONSTRAINT no_overlap EXCLUDE USING gist (during WITH &&))",
    )
    .await
    .unwrap();
    let overlap = fault(&run(&db, "INSERT INTO shift VALUES ('[1,3)'), ('[2,4)')").await.unwrap_err());
    assert!(matches!(overlap, Fault::Exclusion(_)) && overlap.names("no_overlap"), "{overlap:?}");
    let raised = fault(&run(&db, "DO $$ BEGIN RAISE EXCEPTION 'no_overlap'; END $$").await.unwrap_err());
    assert!(matches!(raised, Fault::Exclusion(_)) && raised.names("no_overlap"), "{raised:?}");
    let orphan = fault(&run(&db, "INSERT INTO shift VALUES (NULL, 'nobody')").await.unwrap_err());
    assert!(matches!(orphan, Fault::ForeignKey(_)) && orphan.names("of_item"), "{orphan:?}");
    // Found by the COMMIT itself: certain all the same.
    let late =
        fault(&run(&db, "SET CONSTRAINTS ALL DEFERRED; INSERT INTO shift VALUES (NULL, 'nobody')").await.unwrap_err());
    assert!(matches!(late, Fault::ForeignKey(_)), "{late:?}");
    database.remove().await;
}

/// Two commands take the same rows in opposite order: PostgreSQL ends one, which runs again.
#[actix_web::test]
async fn a_deadlock_is_run_again() {
    let Some((database, db)) = prepared(Backend::Postgres).await else { return };
    run(&db, "INSERT INTO item (name) VALUES ('a'), ('b')").await.unwrap();
    let runs = Arc::new(AtomicU32::new(0));
    let take = |first: &'static str, second: &'static str| {
        let (db, runs) = (db.clone(), Arc::clone(&runs));
        async move {
            db.write(async move |txn| {
                let run = runs.fetch_add(1, Ordering::Relaxed);
                txn.execute_unprepared(&format!("UPDATE item SET stock = stock + 1 WHERE name = '{first}'")).await?;
                txn.execute_unprepared(if run < 2 { "SELECT pg_sleep(0.3)" } else { "SELECT 1" }).await?;
                txn.execute_unprepared(&format!("UPDATE item SET stock = stock + 1 WHERE name = '{second}'"))
                    .await
                    .map(drop)
            })
            .await
        }
    };
    let (one, other) = tokio::join!(take("a", "b"), take("b", "a"));
    one.unwrap();
    other.unwrap();
    assert_eq!((stock(&db, "a").await, stock(&db, "b").await), (2, 2));
    assert!(runs.load(Ordering::Relaxed) > 2);
    database.remove().await;
}

#[actix_web::test]
async fn a_command_runs_at_most_five_times() {
    let Some((database, db)) = prepared(Backend::Postgres).await else { return };
    let runs = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&runs);
    let failed = db.write(async move |txn| {
        counted.fetch_add(1, Ordering::Relaxed);
        put(txn, "never").await?;
        txn.execute_unprepared("DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$").await.map(drop)
    });
    assert_eq!(fault(&failed.await.unwrap_err()), Fault::Serialization);
    assert_eq!((runs.load(Ordering::Relaxed), names(&db).await.as_str()), (5, ""));
    database.remove().await;
}

#[actix_web::test]
async fn a_row_held_too_long_is_a_lock_timeout() {
    let Some((database, db)) = prepared(Backend::Postgres).await else { return };
    run(&db, "INSERT INTO item (name) VALUES ('a')").await.unwrap();
    let hold = run(&db, "UPDATE item SET stock = 1; SELECT pg_sleep(6)");
    let wait = async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        run(&db, "UPDATE item SET stock = 2").await
    };
    let (held, waited) = tokio::join!(hold, wait);
    held.unwrap();
    assert_eq!(fault(&waited.unwrap_err()), Fault::LockTimeout);
    database.remove().await;
}

#[actix_web::test]
async fn a_lost_connection_is_unavailable_and_replaced() {
    let Some((database, db)) = prepared(Backend::Postgres).await else { return };
    let lost = db.write(async |txn| {
        put(txn, "lost").await?;
        txn.execute_unprepared("SELECT pg_terminate_backend(pg_backend_pid())").await.map(drop)
    });
    assert_eq!(fault(&lost.await.unwrap_err()), Fault::Unavailable);
    // A standby that was promoted elsewhere, or a primary that was demoted: it answers, and refuses.
    let demoted =
        run(&db, "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY; SET TRANSACTION READ ONLY; DELETE FROM item");
    assert_eq!(fault(&demoted.await.unwrap_err()), Fault::Unavailable);
    for _ in 0..8 {
        db.write(async |txn| put(txn, "kept").await.and(Err::<(), _>(DbErr::Custom("no".into())))).await.unwrap_err();
    }
    run(&db, "INSERT INTO item (name) VALUES ('kept')").await.unwrap();
    assert_eq!(names(&db).await, "kept");
    database.remove().await;
}

/// The server was restarted while the pool was idle: no write fails, for none has begun.
#[actix_web::test]
async fn idle_connections_that_died_are_replaced() {
    let Some((database, db)) = prepared(Backend::Postgres).await else { return };
    let busy = (0..8).map(|_| {
        db.write(async |txn| {
            let sql = "SELECT pg_backend_pid() FROM pg_sleep(0.2)";
            let row = txn.query_one_raw(Statement::from_string(txn.get_database_backend(), sql)).await?;
            row.unwrap().try_get_by_index::<i32>(0)
        })
    });
    let mut pids: Vec<i32> = futures_util::future::join_all(busy).await.into_iter().map(Result::unwrap).collect();
    pids.dedup();
    assert_eq!(pids.len(), 8);
    let other = database.connect().await;
    for pid in pids {
        other.execute_unprepared(&format!("SELECT pg_terminate_backend({pid}, 1000)")).await.unwrap();
    }
    for _ in 0..20 {
        run(&db, "SELECT 1").await.unwrap();
    }
    database.remove().await;
}
