//! `linli verify` finds what somebody changed behind the service's back.

use ::entity::journal::JournalKind;
use ::entity::staff::Role;
use chrono::Days;
use serde_json::Value;

use super::{Draft, assert_in_order, give};
use crate::redemption::{Shop, reserve};
use crate::support::{Backend, TestApp, TestDatabase, linli};

/// Runs statements as an insider would, with the triggers off that would stop them.
async fn meddle(app: &TestApp, statements: &'static str) {
    let outcome: Result<(), sea_orm::DbErr> = app
        .state
        .db
        .write(async move |txn| sea_orm::ConnectionTrait::execute_unprepared(txn, statements).await.map(drop))
        .await;
    outcome.unwrap_or_else(|error| panic!("{statements}: {error}"));
}

async fn found(app: &TestApp) -> Vec<&'static str> {
    let report = linli::verify::run(&app.state.db).await.unwrap();
    assert_eq!(report.ok, report.findings.is_empty());
    let mut found: Vec<_> = report.findings.iter().map(|finding| finding.check).collect();
    found.dedup();
    found
}

/// A member with plain and dated points, a hold, and goods.
async fn furnished(app: &TestApp) {
    let member = app.seed().member().await;
    give(app, &member, 5000).await;
    let earn = Draft::new(app, JournalKind::Grant, &member, 700);
    let on = earn.today + Days::new(30);
    earn.expiring(on).post(app).await.unwrap();
    let shop = Shop::open(app).await;
    let goods = shop.goods(app, "10", 5, None).await;
    reserve(app, &member, &goods, 1).await.expect_status(201);
    assert_in_order(app).await;
}

both!(a_changed_row_is_named, async |app| {
    furnished(&app).await;
    for (there, back, expected) in [
        (
            "UPDATE balance SET balance = balance + 1",
            "UPDATE balance SET balance = balance - 1",
            &["balance_is_sum_of_entries"][..],
        ),
        ("UPDATE balance SET earned = 5", "UPDATE balance SET earned = 0", &["earned_is_sum_of_earnings"]),
        ("UPDATE balance SET held = held + 1", "UPDATE balance SET held = held - 1", &["held_is_sum_of_open_holds"]),
        (
            "UPDATE bucket SET amount = amount + 1",
            "UPDATE bucket SET amount = amount - 1",
            &["dated_is_sum_of_buckets", "bucket_is_sum_of_its_entries"],
        ),
        (
            "UPDATE goods SET stock = stock + 1",
            "UPDATE goods SET stock = stock - 1",
            &["stock_is_movements_less_redemptions"],
        ),
        (
            "UPDATE redemption SET status = 'cancelled'",
            "UPDATE redemption SET status = 'reserved'",
            &["stock_is_movements_less_redemptions", "open_hold_has_its_redemption"],
        ),
        (
            "UPDATE redemption SET status = 'fulfilled'",
            "UPDATE redemption SET status = 'reserved'",
            &["open_hold_has_its_redemption", "handed_out_is_paid_once"],
        ),
    ] {
        meddle(&app, there).await;
        assert_eq!(found(&app).await, expected, "{there}");
        meddle(&app, back).await;
    }
    assert_in_order(&app).await;
});

both!(the_journal_cannot_be_changed_by_plain_statements, async |app| {
    furnished(&app).await;
    for statement in [
        "UPDATE entry SET amount = amount + 1",
        "DELETE FROM entry",
        "UPDATE journal SET reason = 'x'",
        "DELETE FROM journal",
    ] {
        let outcome: Result<(), sea_orm::DbErr> = app
            .state
            .db
            .write(async move |txn| sea_orm::ConnectionTrait::execute_unprepared(txn, statement).await.map(drop))
            .await;
        assert!(outcome.is_err(), "{statement}");
    }
    assert_in_order(&app).await;
});

both!(the_command_says_what_it_found_and_how_it_ended, async |app| {
    furnished(&app).await;
    let clean = linli(&app.database, &["verify"]).output().unwrap();
    assert_eq!(clean.status.code(), Some(0), "{}", String::from_utf8_lossy(&clean.stderr));
    let report: Value = serde_json::from_slice(&clean.stdout).unwrap();
    assert_eq!((&report["ok"], &report["journals"]), (&Value::Bool(true), &serde_json::json!(2)));
    meddle(&app, "UPDATE balance SET balance = balance + 1").await;
    let broken = linli(&app.database, &["verify"]).output().unwrap();
    assert_eq!(broken.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&broken.stdout).unwrap();
    assert_eq!(report["findings"][0]["check"], "balance_is_sum_of_entries");
    assert_eq!((&report["findings"][0]["expected"], &report["findings"][0]["found"]), (&5700.into(), &5701.into()));
    let unknown = linli(&app.database, &["verify", "--seats"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(2));
});

#[actix_web::test]
async fn a_row_that_points_nowhere_is_named() {
    let database = TestDatabase::migrated(Backend::Sqlite).await.unwrap();
    let app =
        TestApp::over(crate::support::test_state(&database, linli::clock::Clock::system()).await, database.clone())
            .await;
    furnished(&app).await;
    let _ = app.seed().staff(Role::Clerk).await;
    // The service's own connections keep foreign keys; an insider's need not.
    let file =
        rusqlite::Connection::open(database.url().trim_start_matches("sqlite://").split('?').next().unwrap()).unwrap();
    file.execute_batch("PRAGMA foreign_keys = OFF; DELETE FROM account WHERE kind = 'issued';").unwrap();
    drop(file);
    let report = linli::verify::run(&app.state.db).await.unwrap();
    let damage: Vec<_> = report.findings.iter().filter(|finding| finding.check == "database_is_whole").collect();
    assert!(damage.iter().any(|finding| finding.table == "entry"), "{:?}", report.findings);
    database.remove().await;
}

both!(it_sees_one_instant_while_the_service_works, async |app| {
    let member = app.seed().member().await;
    give(&app, &member, 100_000).await;
    let shop = Shop::open(&app).await;
    let goods = shop.goods(&app, "1", 1000, None).await;
    let work = async {
        for _ in 0..25 {
            let reserved = reserve(&app, &member, &goods, 1).await.expect_status(201);
            crate::redemption::fulfil(&app, &shop.clerk, &reserved.at("/code")).await.expect_status(200);
        }
    };
    let proof = async {
        for _ in 0..10 {
            assert_in_order(&app).await;
        }
    };
    futures_util::future::join(work, proof).await;
    assert_in_order(&app).await;
});
