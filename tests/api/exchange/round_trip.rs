//! What is exported imports into an empty instance with the same totals.

use std::os::unix::fs::PermissionsExt as _;

use ::entity::id::JournalId;
use ::entity::journal::JournalKind;
use ::entity::staff::Role;
use ::entity::{audit, goods, member, redemption, service_record};
use chrono::{NaiveDate, TimeDelta};
use linli::audit::Actor;
use linli::exchange::csv::CsvRecords;
use linli::exchange::export::{ExportError, export};
use linli::identity::member_code;
use linli::points::{Points, Posting, RECORD, Reversing, Source, post, reverse};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::json;

use super::ledger::{totals, verify};
use super::{Folder, station_set, take};
use crate::service_record::pending;
use crate::support::{Member, TestApp, at};

async fn imported_member(app: &TestApp, reference: &str) -> Member {
    let row = member::Entity::find().filter(member::Column::RefId.eq(reference)).one(app.state.db.read()).await;
    let row = row.unwrap().unwrap();
    Member {
        id: row.id,
        ref_id: reference.to_owned(),
        name: row.name.unwrap(),
        phone: String::new(),
        region: row.region_code,
        token: String::new(),
    }
}

/// Points that expire, so that their bucket has to come along.
async fn grant(app: &TestApp, to: &Member, hundredths: i64) {
    let (member_id, now) = (to.id, app.clock.now());
    let (journal_id, community) = (JournalId::new(), to.region.clone().unwrap());
    let posted = app.state.db.write(async move |txn| {
        let posting = Posting {
            journal_id,
            kind: JournalKind::Grant,
            programme: "default",
            member_id,
            community: &community,
            amount: Points::from_hundredths(hundredths),
            expires_on: NaiveDate::from_ymd_opt(2027, 1, 1),
            source: Source { kind: "adjustment", id: journal_id.0 },
            reason: Some("补记"),
            actor: Actor::System,
            at: now,
            posted_at: now,
            today: now.date_naive(),
        };
        post(txn, &posting).await
    });
    posted.await.unwrap();
}

/// Exports `app`, imports the files into an empty instance, and gives that.
async fn moved(app: &TestApp, folder: &Folder) -> TestApp {
    let target = folder.path().join("out");
    export(&app.state, &target).await.unwrap();
    let other = TestApp::spawn(app.database.backend()).await.unwrap();
    let report = take(&other, &target).await;
    for (table, report) in &report.tables {
        assert_eq!(report.accepted, report.read, "{}: {:?}", table.name(), report.reasons);
    }
    other
}

both!(an_untouched_set_comes_back_as_it_went_in, async |app| {
    take(&app, &station_set()).await;
    let folder = Folder::with(&[]);
    let other = moved(&app, &folder).await;
    assert_eq!(totals(&other).await, totals(&app).await);
    verify(&other).await;
    // And is recognised where it came from: nothing was lost or said otherwise.
    let again = take(&app, &folder.path().join("out")).await;
    for (table, report) in &again.tables {
        assert_eq!(report.unchanged, report.read, "{}: {:?}", table.name(), report.reasons);
    }
    other.database.remove().await;
});

both!(what_happened_since_comes_along, async |app| {
    take(&app, &station_set()).await;
    let manager = app.seed().staff(Role::Manager).in_region("130202").await;
    let key = || uuid::Uuid::now_v7().to_string();
    let db = app.state.db.read();

    // A service here, with seconds, verified; and an imported one reversed.
    let volunteer = imported_member(&app, "M0000002").await;
    let record = pending(&volunteer, at("2026-11-20T03:00:07Z"), 95);
    let id = record.id.clone().unwrap();
    app.seed().insert(vec![record]).await;
    let path = format!("/api/v1/service-records/{id}/verification");
    app.by(&manager).post(&path, json!({"decision": "verify"})).key(&key()).await.expect_status(200);
    let record = service_record::Entity::find().filter(service_record::Column::RefId.eq("P0000900")).one(db).await;
    let path = format!("/api/v1/service-records/{}/reversal", record.unwrap().unwrap().id);
    app.by(&manager).post(&path, json!({"reason": "=重复"})).key(&key()).await.expect_status(200);
    // Points given by hand, goods received, a redemption taken back.
    grant(&app, &volunteer, 1250).await;
    let good = goods::Entity::find().filter(goods::Column::RefId.eq("K00001")).one(db).await.unwrap().unwrap();
    let path = format!("/api/v1/goods/{}/stock-movements", good.id);
    app.by(&manager).post(&path, json!({"quantity": 5, "reason": "receipt"})).key(&key()).await.expect_status(201);
    let taken = redemption::Entity::find().filter(redemption::Column::RefId.eq("R000001")).one(db).await;
    let path = format!("/api/v1/redemptions/{}/refund", taken.unwrap().unwrap().id);
    app.by(&manager).post(&path, json!({"reason": "破损"})).key(&key()).await.expect_status(200);
    verify(&app).await;

    let folder = Folder::with(&[]);
    let other = moved(&app, &folder).await;
    let sums = totals(&other).await;
    assert_eq!(sums, totals(&app).await);
    assert_eq!(sums.records, 900);
    verify(&other).await;
    // The record can be reversed where it is now, because its journal knows it.
    let record = service_record::Entity::find()
        .filter(service_record::Column::RefId.eq(id.to_string()))
        .one(other.state.db.read())
        .await
        .unwrap()
        .unwrap();
    let (record_id, now) = (record.id.0, other.clock.now());
    let journal_id = JournalId::new();
    let taken_back = other.state.db.write(async move |txn| {
        let reversing = Reversing {
            journal_id,
            original: Source { kind: RECORD, id: record_id },
            source: Source { kind: "service_record_reversal", id: record_id },
            reason: None,
            actor: Actor::System,
            now,
            today: now.date_naive(),
        };
        reverse(txn, &reversing).await
    });
    assert_eq!(taken_back.await.unwrap(), Points::from_hundredths(316));
    other.database.remove().await;
});

// A basket, a booked time: the table has one line a redemption.
both!(what_the_table_cannot_hold_leaves_as_its_books, async |app| {
    take(&app, &station_set()).await;
    let manager = app.seed().staff(Role::Manager).in_region("130202").await;
    let member = imported_member(&app, "M0000002").await;
    grant(&app, &member, 10_000).await;
    let db = app.state.db.read();
    let shelf = goods::Entity::find().filter(goods::Column::RefId.eq("K00001")).one(db).await.unwrap().unwrap();
    let goods_of = async |name: &str, kind: &str| {
        let body = json!({"name": name, "kind": kind, "station_id": shelf.station_id, "points": "2", "stock": 9});
        app.by(&manager).post("/api/v1/goods", body).await.expect_status(201).id()
    };
    let (soap, cut) = (goods_of("香皂", "good").await, goods_of("理发", "service").await);
    let (from, until) = (app.clock.now() + TimeDelta::hours(1), app.clock.now() + TimeDelta::hours(2));
    let slots = json!({"slots": [{"starts_at": from, "ends_at": until, "capacity": 1}]});
    let made = app.by(&manager).post(&format!("/api/v1/goods/{cut}/slots"), slots).await.expect_status(201);
    let code = member_code::issue(&app.state.keys, member.id, app.clock.now()).code;
    let lines = json!([{"goods_id": shelf.id, "quantity": 1}, {"goods_id": soap, "quantity": 2},
        {"goods_id": cut, "quantity": 1, "slot_id": made.at("/items/0/id")}]);
    let body = json!({"member_code": code, "lines": lines});
    app.by(&manager).post("/api/v1/counter-redemptions", body).key("k").await.expect_status(201);
    verify(&app).await;

    let folder = Folder::with(&[]);
    let other = moved(&app, &folder).await;
    verify(&other).await;
    let shelves = async |app: &TestApp| {
        let mut rows: Vec<_> = goods::Entity::find().all(app.state.db.read()).await.unwrap();
        rows.sort_by_key(|row| row.ref_id.clone().unwrap_or_else(|| row.id.to_string()));
        rows.into_iter().map(|row| row.stock).collect::<Vec<_>>()
    };
    assert_eq!(shelves(&other).await, shelves(&app).await);
    let balances = async |app: &TestApp| {
        let sum = ::entity::balance::Entity::find().all(app.state.db.read()).await.unwrap();
        sum.iter().map(|row| row.balance).sum::<i64>()
    };
    assert_eq!(balances(&other).await, balances(&app).await);
    let again = export(&app.state, &folder.path().join("again")).await.unwrap();
    assert!(again.warnings.iter().any(|words| words.starts_with("redemptions：1 行未导出")), "{:?}", again.warnings);
    other.database.remove().await;
});

both!(files_are_for_their_owner_and_run_no_formula, async |app| {
    let members = "member_id,name,phone,region_code,group_no\nM1,'=1+1,13800000001,130202009001,-3\n";
    let set = Folder::with(&["regions"]).file("members.csv", members);
    take(&app, set.path()).await;
    let target = set.path().join("out");
    let report = export(&app.state, &target).await.unwrap();
    assert_eq!(report.tables["members"], 1);
    for file in target.read_dir().unwrap() {
        assert_eq!(file.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    let bytes = std::fs::read(target.join("members.csv")).unwrap();
    let mut records = CsvRecords::new(&bytes);
    let mut record = linli::exchange::record::Record::default();
    while records.read(&mut record) {
        assert!(record.cells().all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t', '\r'])));
    }
    assert!(record.cells().any(|cell| cell == "'=1+1"));
    assert!(matches!(export(&app.state, &target).await, Err(ExportError::NotEmpty(_))));
    let exports = audit::Entity::find().filter(audit::Column::Action.eq("exchange.export"));
    assert_eq!(exports.count(app.state.db.read()).await.unwrap(), 1);
});
