//! What is outstanding, what it will cost, and how long the budgets last.

use ::entity::journal::JournalKind;
use ::entity::programme;
use ::entity::staff::Role;
use chrono::TimeDelta;
use sea_orm::Set;
use serde_json::{Value, json};

use super::dues::{budget, pending_record, verify};
use super::{Draft, assert_in_order};
use crate::support::{CITY, COMMUNITY, DISTRICT, FOREIGN, SISTER, STREET, Staff, TestApp};

async fn ask(app: &TestApp, who: &Staff, query: &str) -> Value {
    app.by(who).get(&format!("/api/v1/points/liability{query}")).await.expect_status(200).json()
}

/// Seals what was posted, which adds it to its months.
async fn seal(app: &TestApp) {
    linli::jobs::run_once(&app.state, "seal").await.unwrap();
}

async fn cost(app: &TestApp, point_cost: i64) {
    let row =
        programme::ActiveModel { code: Set("default".to_owned()), point_cost: Set(point_cost), ..Default::default() };
    let change = async move |txn: &linli::db::Txn| {
        use sea_orm::ActiveModelTrait as _;
        row.clone().update(txn).await
    };
    app.state.db.write(change).await.unwrap();
}

both!(what_is_outstanding_is_told_by_region_and_month, async |app| {
    let admin = app.seed().staff(Role::Manager).in_region(DISTRICT).await;
    let auditor = app.seed().staff(Role::Auditor).in_region(COMMUNITY).await;
    let (here, there) = (app.seed().member().await, app.seed().member().in_region(SISTER).await);
    cost(&app, 1_000).await; // ten points are a yuan
    let nothing = ask(&app, &admin, "").await;
    assert_eq!(
        [&nothing["outstanding"], &nothing["expected_cost"], &nothing["redeemed_share"]],
        [&json!("0.00"), &json!("0.00"), &json!("1.0000")]
    );
    assert_eq!([&nothing["months_covered"], &nothing["budgets_left"]], [&Value::Null, &Value::Null]);
    assert_eq!(nothing["by_month"].as_array().unwrap().len(), 12);

    let post = async |kind, member, amount| Draft::new(&app, kind, member, amount).post(&app).await.unwrap();
    post(JournalKind::Earn, &here, 60_000).await;
    post(JournalKind::Grant, &there, 30_000).await;
    seal(&app).await;
    app.clock.advance(TimeDelta::days(30)); // December
    post(JournalKind::Spend, &here, 10_000).await;
    post(JournalKind::Deduct, &here, 5_000).await;
    seal(&app).await;
    seal(&app).await; // nothing twice

    let told = ask(&app, &admin, &format!("?region={DISTRICT}&programme=default&months=3")).await;
    assert_eq!([&told["outstanding"], &told["expected_cost"]], [&json!("750.00"), &json!("75.00")]);
    assert_eq!(
        told["by_region"],
        json!([{"region_code": STREET, "name": told["by_region"][0]["name"], "outstanding": "750.00", "expected_cost": "75.00"}])
    );
    let month = |name: &str, fields: [(&str, &str); 3], outstanding: &str| {
        let mut month = json!({"month": name, "issued": "0.00", "reversed": "0.00", "spent": "0.00", "refunded": "0.00",
            "expired": "0.00", "deducted": "0.00", "donated": "0.00", "outstanding": outstanding});
        for (field, amount) in fields {
            month[field] = json!(amount);
        }
        month
    };
    let none = [("issued", "0.00"); 3];
    assert_eq!(
        told["by_month"],
        json!([
            month("2026-10", none, "0.00"),
            month("2026-11", [("issued", "900.00"); 3], "900.00"),
            month("2026-12", [("spent", "100.00"), ("deducted", "50.00"), ("issued", "0.00")], "750.00"),
        ])
    );
    let street = ask(&app, &admin, &format!("?region={STREET}")).await;
    let parts: Vec<_> =
        street["by_region"].as_array().unwrap().iter().map(|part| part["outstanding"].clone()).collect();
    assert_eq!(parts, [json!("450.00"), json!("300.00")]);
    assert_eq!(ask(&app, &auditor, "").await["outstanding"], "450.00");

    // Of the points that ended, three in four were spent.
    let expiring = Draft::new(&app, JournalKind::Grant, &there, 3_333).expiring("2026-12-25".parse().unwrap());
    expiring.post(&app).await.unwrap();
    app.clock.advance(TimeDelta::days(5));
    linli::jobs::run_once(&app.state, "points_expiry").await.unwrap();
    seal(&app).await;
    let told = ask(&app, &admin, "").await;
    assert_eq!([&told["outstanding"], &told["redeemed_share"]], [&json!("750.00"), &json!("0.7500")]);
    assert_eq!(told["expected_cost"], "56.25");
    assert_in_order(&app).await;
});

both!(budgets_cover_so_many_months_of_what_is_issued, async |app| {
    let admin = app.seed().staff(Role::Manager).in_region(DISTRICT).await;
    let (here, there) = (app.seed().member().await, app.seed().member().in_region(SISTER).await);
    budget(&app, &admin, COMMUNITY, "50").await;
    budget(&app, &admin, STREET, "120").await;
    for (member, hours) in [(&here, 2), (&here, 20), (&there, 2)] {
        let record = pending_record(&app, member, hours, 600).await; // 20.00
        verify(&app, &admin, record).await.expect_status(200);
    }
    let owed = pending_record(&app, &there, 40, 3600).await; // 120.00
    verify(&app, &admin, owed).await.expect_problem(409, "budget_exhausted");
    app.clock.advance(TimeDelta::days(20)); // the months before this one are whole
    seal(&app).await;
    let street = ask(&app, &admin, &format!("?region={STREET}")).await;
    // Sixty points in three months; 10 and 100 are left.
    assert_eq!([&street["budgets_left"], &street["months_covered"]], [&json!("110.00"), &json!(5.5)]);
    assert_eq!([&street["outstanding"], &street["due"]], [&json!("180.00"), &json!("120.00")]);
    // Of the street's budget a community has the part that it issued: two thirds of it.
    let community = ask(&app, &admin, &format!("?region={COMMUNITY}")).await;
    assert_eq!([&community["budgets_left"], &community["months_covered"]], [&json!("76.66"), &json!(5.7)]);
    assert_eq!(community["by_region"], json!([]));
});

both!(liability_is_for_those_who_answer_for_the_region, async |app| {
    let manager = app.seed().staff(Role::Manager).in_region(COMMUNITY).await;
    let clerk = app.seed().staff(Role::Clerk).await;
    let member = app.seed().member().await;
    let path = "/api/v1/points/liability";
    app.get(path).await.expect_problem(401, "unauthenticated");
    app.by(&clerk).get(path).await.expect_problem(403, "forbidden");
    app.by(&member).get(path).await.expect_problem(403, "forbidden");
    for region in [SISTER, STREET, DISTRICT, CITY, FOREIGN, "130302001999"] {
        app.by(&manager).get(&format!("{path}?region={region}")).await.expect_problem(404, "not_found");
    }
    for query in ["months=0", "months=61", "months=x", "region=abc", "programme=none"] {
        app.by(&manager).get(&format!("{path}?{query}")).await.expect_problem(422, "validation_failed");
    }
});
