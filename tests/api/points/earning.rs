//! Rules, and what records earn by them.

use ::entity::category::Category;
use ::entity::id::{JournalId, ServiceRecordId};
use ::entity::staff::Role;
use chrono::{DateTime, TimeDelta, Utc};
use linli::audit::Actor;
use linli::points::{self, Earned, Earning, Facts, RECORD, Source, Spans};
use serde_json::{Value, json};

use super::{assert_in_order, standing};
use crate::support::{COMMUNITY, DISTRICT, FOREIGN, Member, STREET, Staff, TestApp, at, at_once};

async fn earn(app: &TestApp, member: &Member, category: Category, ended_at: DateTime<Utc>, minutes: i32) -> Earned {
    let (member, now, calendar) = (member.id, app.clock.now(), app.state.calendar);
    let (journal_id, record_id) = (JournalId::new(), ServiceRecordId::new());
    let command = async move |txn: &linli::db::Txn| {
        let earning = Earning {
            journal_id,
            source: Source { kind: RECORD, id: record_id.0 },
            programme: "default",
            member_id: member,
            community: COMMUNITY,
            facts: Facts::service(category, ended_at, minutes),
            actor: Actor::System,
            approver: None,
            now,
            today: calendar.day_of(now),
            spans: Spans::around(&calendar, ended_at),
            reason: None,
        };
        points::earn(txn, &earning).await
    };
    app.state.db.write(command).await.unwrap()
}

async fn add_rule(app: &TestApp, manager: &Staff, body: Value) -> Value {
    app.by(manager).post("/api/v1/points/rules", body).await.expect_status(201).json()
}

async fn proof(app: &TestApp) {
    // These earnings have no records; all else must hold.
    assert_in_order(app).await;
}

both!(half_an_hour_is_one_point_until_staff_change_it, async |app| {
    let member = app.seed().member().await;
    let manager = app.seed().staff(Role::Manager).await;
    let now = app.clock.now();
    let first = earn(&app, &member, Category::Culture, now, 95).await;
    assert_eq!(first.points.to_string(), "3.16");
    let rule =
        add_rule(&app, &manager, json!({"category": "culture", "basis": "time", "amount": "2", "per_minutes": 60}))
            .await;
    assert_eq!((&rule["region_code"], &rule["version"]), (&json!(DISTRICT), &json!(1)));
    // In force from now on, and not before.
    assert_eq!(earn(&app, &member, Category::Culture, now, 95).await.points.to_string(), "3.16");
    assert_eq!(
        earn(&app, &member, Category::Culture, now - TimeDelta::seconds(1), 95).await.points.to_string(),
        "3.16"
    );
    assert_eq!(earn(&app, &member, Category::Safety, now, 95).await.points.to_string(), "3.16");
    proof(&app).await;
});

both!(the_smallest_region_and_the_category_win, async |app| {
    let member = app.seed().member().await;
    let manager = app.seed().staff(Role::Manager).await;
    let now = app.clock.now();
    let event = |region: &str, category: Option<&str>, amount: &str| json!({"region_code": region, "category": category, "basis": "event", "amount": amount});
    for (body, culture, safety) in [
        (event(DISTRICT, None, "5"), "5.00", "5.00"),
        (event(DISTRICT, Some("culture"), "6.00"), "6.00", "5.00"),
        (event(STREET, None, "7.5"), "7.50", "7.50"),
        (event(COMMUNITY, Some("culture"), "8"), "8.00", "7.50"),
        (event(COMMUNITY, Some("culture"), "9"), "9.00", "7.50"),
    ] {
        app.clock.advance(TimeDelta::minutes(1));
        add_rule(&app, &manager, body).await;
        let at = app.clock.now();
        assert_eq!(earn(&app, &member, Category::Culture, at, 1).await.points.to_string(), culture);
        assert_eq!(earn(&app, &member, Category::Safety, at, 1).await.points.to_string(), safety);
    }
    // What ended before the rules keeps the rule of its time.
    assert_eq!(earn(&app, &member, Category::Culture, now, 30).await.points.to_string(), "1.00");
    proof(&app).await;
});

both!(a_new_version_takes_over_where_it_begins, async |app| {
    let manager = app.seed().staff(Role::Manager).await;
    let body = |from: &str, amount: &str| json!({"basis": "event", "amount": amount, "valid_from": from});
    let first = add_rule(&app, &manager, body("2026-11-22T00:00:00Z", "1")).await;
    let third = add_rule(&app, &manager, body("2026-12-01T00:00:00Z", "3")).await;
    let second = add_rule(&app, &manager, body("2026-11-25T00:00:00Z", "2")).await;
    let rules = app.by(&manager).get("/api/v1/points/rules?programme=default").await.expect_status(200).json();
    let until = |id: &Value| {
        let rule = rules["items"].as_array().unwrap().iter().find(|rule| rule["id"] == *id).unwrap();
        rule["valid_until"].as_str().map(at)
    };
    assert_eq!(until(&first["id"]), Some(at("2026-11-25T00:00:00Z")));
    assert_eq!(until(&second["id"]), Some(at("2026-12-01T00:00:00Z")));
    assert_eq!(until(&third["id"]), None);
    let in_force = app.by(&manager).get("/api/v1/points/rules?at=2026-11-26T00:00:00Z").await.expect_status(200).json();
    let versions: Vec<_> = in_force["items"].as_array().unwrap().iter().map(|rule| rule["version"].clone()).collect();
    assert_eq!(versions, [json!(3), json!(1)]); // the district's third, and everybody's first
});

both!(rules_are_refused, async |app| {
    let manager = app.seed().staff(Role::Manager).await;
    let (clerk, auditor) = (app.seed().staff(Role::Clerk).await, app.seed().staff(Role::Auditor).await);
    let good = json!({"basis": "time", "amount": "1.00"});
    app.by(&clerk).post("/api/v1/points/rules", good.clone()).await.expect_problem(403, "forbidden");
    app.by(&auditor).post("/api/v1/points/rules", good.clone()).await.expect_problem(403, "forbidden");
    app.by(&clerk).get("/api/v1/points/rules").await.expect_problem(403, "forbidden");
    app.by(&auditor).get("/api/v1/points/rules").await.expect_status(200);
    for (field, value) in [
        ("amount", json!("1e2")),
        ("amount", json!("-1")),
        ("amount", json!(1)),
        ("amount", json!("1.005")),
        ("basis", json!("mood")),
        ("category", json!("gossip")),
        ("region_code", json!(FOREIGN)),
        ("region_code", json!("130302001999")),
        ("region_code", json!("130300")),
        ("programme", json!("none")),
        ("per_minutes", json!(0)),
        ("valid_from", json!("2026-11-21T01:59:59Z")),
        ("valid_until", json!("2026-11-21T02:00:00Z")),
        ("cap_day", json!("0")),
        ("version", json!(9)),
    ] {
        let mut body = good.clone();
        body[field] = value;
        let refused =
            app.by(&manager).post("/api/v1/points/rules", body).await.expect_problem(422, "validation_failed");
        assert_eq!(refused.at("/errors/0/field"), field, "{}", refused.text());
    }
    let event = json!({"basis": "event", "amount": "1", "per_minutes": 30});
    app.by(&manager).post("/api/v1/points/rules", event).await.expect_problem(422, "validation_failed");
});

both!(caps_hold_for_the_local_day_and_month_also_at_once, async |app| {
    let member = app.seed().member().await;
    let manager = app.seed().staff(Role::Manager).await;
    add_rule(&app, &manager, json!({"basis": "event", "amount": "3", "cap_day": "5", "cap_month": "7"})).await;
    // 23:30 and 00:30 in Shanghai are different days of one month.
    let evening = at("2026-11-24T15:30:00Z");
    let earnings = (0..6).map(|_| Box::pin(earn(&app, &member, Category::Charity, evening, 10)));
    let mut earned: Vec<_> = at_once(earnings).await.iter().map(|earned| earned.points.hundredths()).collect();
    earned.sort_unstable();
    assert_eq!(earned, [0, 0, 0, 0, 200, 300]);
    let night = evening + TimeDelta::hours(1);
    assert_eq!(earn(&app, &member, Category::Charity, night, 10).await.points.to_string(), "2.00");
    assert_eq!(earn(&app, &member, Category::Charity, night, 10).await.points.to_string(), "0.00");
    let december = at("2026-11-30T16:00:00Z");
    assert_eq!(earn(&app, &member, Category::Charity, december, 10).await.points.to_string(), "3.00");
    assert_eq!(standing(&app, &member).await["earned"], "10.00");
    proof(&app).await;
});
