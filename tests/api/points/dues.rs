//! What is owed when a budget is empty: verification, order of payment, reversal, many at once, two nodes, any sequence.

use std::collections::HashMap;

use ::entity::due::{self, DueStatus};
use ::entity::id::ServiceRecordId;
use ::entity::staff::Role;
use chrono::TimeDelta;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use sea_orm::{EntityTrait as _, QueryOrder as _};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{assert_in_order, standing, sums};
use crate::service_record::pending;
use crate::support::{Answer, COMMUNITY, DISTRICT, Member, SISTER, STREET, Staff, TestApp, at_once};

/// A budget of a region, open without end.
pub(super) async fn budget(app: &TestApp, who: &Staff, region: &str, amount: &str) -> String {
    let body = json!({"programme": "default", "name": "预算", "owner_kind": "community", "region_code": region, "amount": amount});
    app.by(who).post("/api/v1/points/budgets", body).await.expect_status(201).id()
}

pub(super) async fn fund(app: &TestApp, who: &Staff, id: &str, direction: &str, amount: &str) -> Answer {
    let body = json!({"amount": amount, "direction": direction, "reason": "调整"});
    app.by(who).post(&format!("/api/v1/points/budgets/{id}/fundings"), body).key(&Uuid::now_v7().to_string()).await
}

/// A record of so many minutes that ended so many hours ago; half an hour is 1.00.
pub(super) async fn pending_record(app: &TestApp, member: &Member, hours: i64, minutes: i32) -> ServiceRecordId {
    let row = pending(member, app.clock.now() - TimeDelta::hours(hours), minutes);
    let id = row.id.clone().unwrap();
    app.seed().insert(vec![row]).await;
    id
}

pub(super) async fn verify(app: &TestApp, who: &Staff, id: ServiceRecordId) -> Answer {
    let path = format!("/api/v1/service-records/{id}/verification");
    app.by(who).post(&path, json!({"decision": "verify"})).key(&Uuid::now_v7().to_string()).await
}

async fn reverse(app: &TestApp, who: &Staff, id: ServiceRecordId) -> Answer {
    let path = format!("/api/v1/service-records/{id}/reversal");
    app.by(who).post(&path, json!({"reason": "登记有误"})).key(&Uuid::now_v7().to_string()).await
}

async fn record(app: &TestApp, who: &Staff, id: ServiceRecordId) -> Value {
    app.by(who).get(&format!("/api/v1/service-records/{id}")).await.expect_status(200).json()
}

async fn issued(app: &TestApp, who: &Staff, id: &str) -> Value {
    app.by(who).get(&format!("/api/v1/points/budgets/{id}")).await.expect_status(200).json()["issued"].clone()
}

async fn dues(app: &TestApp) -> Vec<due::Model> {
    due::Entity::find().order_by_asc(due::Column::Id).all(app.state.db.read()).await.unwrap()
}

async fn pay(app: &TestApp) -> u64 {
    linli::jobs::run_once(&app.state, "points_dues").await.unwrap().unwrap()
}

async fn inbox(app: &TestApp, member: &Member) -> Vec<Value> {
    let inbox = app.by(member).get("/api/v1/me/inbox").await.expect_status(200).json();
    inbox["items"].as_array().unwrap().iter().map(|message| message["kind"].clone()).collect()
}

both!(a_record_is_verified_at_an_empty_budget_and_paid_when_funds_arrive, async |app| {
    let manager = app.seed().staff(Role::Manager).in_region(COMMUNITY).await;
    let member = app.seed().member().volunteer().await;
    let id = budget(&app, &manager, COMMUNITY, "1").await;
    let first = pending_record(&app, &member, 2, 60).await;
    let path = format!("/api/v1/service-records/{first}/verification");
    let call = app.by(&manager).post(&path, json!({"decision": "verify"})).key("once");
    let told = call.clone().await.expect_problem(409, "budget_exhausted");
    assert!(told.text().contains("2.00 积分") && told.text().contains("请勿重复核实"));
    let again = call.await.expect_problem(409, "budget_exhausted");
    assert!(again.is_replayed());
    assert_eq!(again.body, told.body);
    verify(&app, &manager, first).await.expect_problem(409, "invalid_transition");

    let shown = record(&app, &manager, first).await;
    assert_eq!(
        [&shown["status"], &shown["points"], &shown["points_due"]],
        [&json!("verified"), &json!("2.00"), &json!("2.00")]
    );
    let has = standing(&app, &member).await;
    assert_eq!([&has["balance"], &has["earned"], &has["due"]], [&json!("0.00"), &json!("0.00"), &json!("2.00")]);
    let summary = app.by(&member).get("/api/v1/me/service-summary").await.expect_status(200).json();
    assert_eq!((&summary["records"], &summary["minutes"]), (&json!(1), &json!(60)));
    assert_eq!(inbox(&app, &member).await[0], "points.due");
    assert_in_order(&app).await;

    // What waits goes first: a smaller one that the budget could pay waits behind it, and so do grants.
    let second = pending_record(&app, &member, 5, 30).await;
    verify(&app, &manager, second).await.expect_problem(409, "budget_exhausted");
    let listed = app.by(&manager).get("/api/v1/points/dues?status=waiting").await.expect_status(200).json();
    let listed: Vec<_> = listed["items"].as_array().unwrap().iter().map(|row| row["source_id"].clone()).collect();
    assert_eq!(listed, [json!(first), json!(second)]);
    let seen = app.by(&manager).get("/api/v1/points/budgets").await.json();
    assert_eq!(seen["items"][0]["dues"], json!({"count": 2, "amount": "3.00"}));
    fund(&app, &manager, &id, "withdraw", "0.01").await.expect_problem(409, "budget_committed");

    let funded = fund(&app, &manager, &id, "add", "1.50").await.expect_status(201).json();
    assert_eq!(
        [&funded["funded"], &funded["issued"], &funded["dues"]["count"]],
        [&json!("2.50"), &json!("2.00"), &json!(1)]
    );
    assert_eq!(record(&app, &manager, first).await["points_due"], "0.00");
    assert_eq!(record(&app, &manager, second).await["points_due"], "1.00");
    let has = standing(&app, &member).await;
    assert_eq!([&has["balance"], &has["earned"], &has["due"]], [&json!("2.00"), &json!("2.00"), &json!("1.00")]);
    assert_eq!(inbox(&app, &member).await[0], "points.paid");
    let entries = app.by(&member).get("/api/v1/me/points/entries").await.json();
    assert_eq!((&entries["items"][0]["kind"], &entries["items"][0]["source_id"]), (&json!("earn"), &json!(first)));
    assert_in_order(&app).await;
});

both!(fifty_verifications_at_once_draw_a_budget_that_pays_thirty, async |app| {
    let manager = app.seed().staff(Role::Manager).in_region(COMMUNITY).await;
    let id = budget(&app, &manager, COMMUNITY, "30").await;
    let second = app.second_node().await;
    let mut records = Vec::new();
    for _ in 0..50 {
        let member = app.seed().member().await;
        records.push(pending_record(&app, &member, 2, 30).await);
    }
    let calls = records.iter().enumerate().map(|(number, record)| {
        let node = if number % 2 == 0 { &app } else { &second };
        Box::pin(verify(node, &manager, *record))
    });
    let answers = at_once(calls).await;
    let paid = answers.iter().filter(|answer| answer.status == 200).count();
    let owed = answers.iter().filter(|answer| answer.status == 409 && answer.code() == "budget_exhausted").count();
    assert_eq!((paid, owed), (30, 20));
    assert_eq!(issued(&app, &manager, &id).await, "30.00");
    let waiting = dues(&app).await;
    assert_eq!(waiting.iter().filter(|row| row.status == DueStatus::Waiting).count(), 20);
    for id in &records {
        assert_eq!(record(&app, &manager, *id).await["status"], "verified");
    }
    assert_in_order(&app).await;

    // Seven can be paid, and they are the seven that waited longest; then the rest, by two nodes at once.
    fund(&app, &manager, &id, "add", "7.99").await.expect_status(201);
    let expected: Vec<_> = waiting.iter().map(|row| row.id).collect();
    let paid: Vec<_> = dues(&app).await.iter().filter(|row| row.status == DueStatus::Paid).map(|row| row.id).collect();
    assert_eq!(paid, expected[..7]);
    let fundings = [&app, &second].map(|node| Box::pin(fund(node, &manager, &id, "add", "6")));
    for answer in at_once(fundings).await {
        answer.expect_status(201);
    }
    pay(&app).await;
    assert!(dues(&app).await.iter().take(19).all(|row| row.status == DueStatus::Paid));
    fund(&app, &manager, &id, "add", "2").await.expect_status(201);
    assert!(dues(&app).await.iter().all(|row| row.status == DueStatus::Paid));
    assert_eq!(issued(&app, &manager, &id).await, "50.00");
    assert_in_order(&app).await;
});

both!(a_reversal_gives_back_what_was_paid_and_forgets_what_is_owed, async |app| {
    let manager = app.seed().staff(Role::Manager).in_region(COMMUNITY).await;
    let member = app.seed().member().await;
    let id = budget(&app, &manager, COMMUNITY, "2").await;
    let paid = pending_record(&app, &member, 2, 60).await;
    let owed = pending_record(&app, &member, 5, 60).await;
    let next = pending_record(&app, &member, 8, 60).await;
    verify(&app, &manager, paid).await.expect_status(200);
    verify(&app, &manager, owed).await.expect_problem(409, "budget_exhausted");
    verify(&app, &manager, next).await.expect_problem(409, "budget_exhausted");
    reverse(&app, &manager, owed).await.expect_status(200);
    assert_eq!(dues(&app).await[0].status, DueStatus::Cancelled);
    assert_eq!(record(&app, &manager, owed).await["points_due"], "0.00");
    assert_eq!(issued(&app, &manager, &id).await, "2.00");
    reverse(&app, &manager, paid).await.expect_status(200);
    assert_eq!(issued(&app, &manager, &id).await, "0.00");
    assert_in_order(&app).await;
    // What came back pays who waits, by the job; and only once.
    assert_eq!((pay(&app).await, pay(&app).await), (1, 0));
    assert_eq!(record(&app, &manager, next).await["points_due"], "0.00");
    assert_eq!(
        (issued(&app, &manager, &id).await, sums(&app, &member).await[0].clone()),
        (json!("2.00"), "2.00".into())
    );
    reverse(&app, &manager, next).await.expect_status(200);
    assert_eq!(issued(&app, &manager, &id).await, "0.00");
    assert_in_order(&app).await;
});

both!(a_new_budget_pays_at_once_and_a_wider_one_pays_whom_it_can, async |app| {
    let admin = app.seed().staff(Role::Manager).in_region(DISTRICT).await;
    let here = app.seed().member().await;
    let there = app.seed().member().in_region(SISTER).await;
    budget(&app, &admin, STREET, "0.50").await;
    let records = [
        pending_record(&app, &here, 2, 90).await,
        pending_record(&app, &there, 2, 60).await,
        pending_record(&app, &here, 6, 30).await,
    ];
    for record in records {
        verify(&app, &admin, record).await.expect_problem(409, "budget_exhausted");
    }
    // The sister community's own budget pays hers, whoever waits elsewhere.
    budget(&app, &admin, SISTER, "5").await;
    assert_eq!(sums(&app, &there).await[0], "2.00");
    assert_eq!(sums(&app, &here).await[0], "0.00");
    // The community's own is too small for the oldest, so nobody is paid before.
    let own = budget(&app, &admin, COMMUNITY, "2").await;
    assert_eq!((pay(&app).await, sums(&app, &here).await[0].clone()), (0, "0.00".into()));
    fund(&app, &admin, &own, "add", "2").await.expect_status(201);
    assert_eq!(sums(&app, &here).await[0], "4.00");
    assert_in_order(&app).await;
});

both!(what_waits_where_no_budget_counts_any_longer_is_paid_by_nobody_in_particular, async |app| {
    let manager = app.seed().staff(Role::Manager).in_region(COMMUNITY).await;
    let member = app.seed().member().await;
    let id = budget(&app, &manager, COMMUNITY, "0.01").await;
    let owed = pending_record(&app, &member, 2, 60).await;
    verify(&app, &manager, owed).await.expect_problem(409, "budget_exhausted");
    assert_eq!(pay(&app).await, 0);
    // It never paid anything: closed, it is as if it had never been.
    app.by(&manager).post(&format!("/api/v1/points/budgets/{id}/closing"), json!({})).await.expect_status(200);
    assert_eq!(pay(&app).await, 1);
    assert_eq!(sums(&app, &member).await[0], "2.00");
    fund(&app, &manager, &id, "withdraw", "0.01").await.expect_status(201);
    assert_in_order(&app).await;
});

both!(caps_count_what_is_owed, async |app| {
    let manager = app.seed().staff(Role::Manager).await;
    let member = app.seed().member().await;
    let rule = json!({"basis": "event", "amount": "3", "cap_day": "5"});
    app.by(&manager).post("/api/v1/points/rules", rule).await.expect_status(201);
    app.clock.advance(TimeDelta::hours(4));
    let id = budget(&app, &manager, DISTRICT, "1").await;
    for (hours, points) in [(1, "3.00"), (2, "2.00"), (3, "0.00")] {
        let record = pending_record(&app, &member, hours, 30).await;
        let answer = verify(&app, &manager, record).await;
        if points == "0.00" {
            assert_eq!(answer.expect_status(200).at("/points"), points);
        } else {
            assert!(answer.expect_problem(409, "budget_exhausted").text().contains(points));
        }
    }
    fund(&app, &manager, &id, "add", "9").await.expect_status(201);
    assert_eq!(sums(&app, &member).await[0], "5.00");
    assert_in_order(&app).await;
});

#[derive(Clone, Debug)]
enum Deed {
    /// Of one of two communities, so many minutes.
    Verify(bool, i32),
    Grant(bool, u8),
    /// One of three budgets, by so many hundredths.
    Fund(usize, i64),
    Withdraw(usize, i64),
    /// One of the records verified so far.
    Reverse(usize),
    Pay,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        4 => (any::<bool>(), 1..240_i32).prop_map(|(here, minutes)| Deed::Verify(here, minutes)),
        1 => (any::<bool>(), 1..8_u8).prop_map(|(here, points)| Deed::Grant(here, points)),
        3 => (0..3_usize, 1..900_i64).prop_map(|(at, amount)| Deed::Fund(at, amount)),
        1 => (0..3_usize, 1..600_i64).prop_map(|(at, amount)| Deed::Withdraw(at, amount)),
        2 => (0..40_usize).prop_map(Deed::Reverse),
        2 => Just(Deed::Pay),
    ];
    proptest::collection::vec(deed, 25..40)
}

fn points(hundredths: i64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

both!(whatever_is_verified_funded_reversed_and_paid_the_budgets_close, async |app| {
    let admin = app.seed().staff(Role::Manager).in_region(DISTRICT).await;
    let members = [app.seed().member().await, app.seed().member().in_region(SISTER).await];
    let mut budgets = Vec::new();
    for region in [COMMUNITY, SISTER, STREET] {
        budgets.push(budget(&app, &admin, region, "3").await);
    }
    let mut runner = TestRunner::deterministic();
    for deed in deeds().new_tree(&mut runner).unwrap().current() {
        play(&app, &admin, &members, &budgets, deed).await;
        oldest_first(&app).await;
    }
    assert_in_order(&app).await;
});

async fn play(app: &TestApp, admin: &Staff, members: &[Member; 2], budgets: &[String], deed: Deed) {
    app.clock.advance(TimeDelta::hours(5));
    match deed {
        Deed::Verify(here, minutes) => {
            let record = pending_record(app, &members[usize::from(here)], 0, minutes).await;
            let answer = verify(app, admin, record).await;
            assert!(answer.status == 200 || answer.code() == "budget_exhausted", "{}", answer.text());
        }
        Deed::Grant(here, amount) => {
            let member = &members[usize::from(here)];
            let body = json!({"member_id": member.id, "programme": "default", "direction": "grant",
                "amount": amount.to_string(), "reason": "表彰"});
            let answer = app.by(admin).post("/api/v1/points/adjustments", body).key(&Uuid::now_v7().to_string()).await;
            assert!(answer.status == 201 || answer.code() == "budget_exhausted", "{}", answer.text());
        }
        Deed::Fund(at, amount) => {
            fund(app, admin, &budgets[at], "add", &points(amount)).await.expect_status(201);
        }
        Deed::Withdraw(at, amount) => {
            let answer = fund(app, admin, &budgets[at], "withdraw", &points(amount)).await;
            assert!(answer.status == 201 || answer.code() == "budget_committed", "{}", answer.text());
        }
        Deed::Reverse(at) => {
            let records = ::entity::service_record::Entity::find().all(app.state.db.read()).await.unwrap();
            if let Some(record) = records.get(at) {
                let answer = reverse(app, admin, record.id).await;
                assert!(answer.status == 200 || answer.code() == "invalid_transition", "{}", answer.text());
            }
        }
        Deed::Pay => {
            pay(app).await;
        }
    }
}

/// In each community whoever waits is younger than whoever was paid.
async fn oldest_first(app: &TestApp) {
    let mut youngest_paid = HashMap::new();
    let rows = dues(app).await;
    for row in rows.iter().filter(|row| row.status == DueStatus::Paid) {
        youngest_paid.insert(row.region_code.clone(), row.id);
    }
    for row in rows.iter().filter(|row| row.status == DueStatus::Waiting) {
        assert!(youngest_paid.get(&row.region_code).is_none_or(|paid| *paid < row.id));
    }
}
