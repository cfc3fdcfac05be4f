//! Programmes: who sets one up, what it takes, and where it counts.

use ::entity::staff::Role;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{assert_in_order, give};
use crate::support::{CITY, COMMUNITY, DISTRICT, FOREIGN, SISTER, STREET, TestApp};

fn civil() -> Value {
    json!({"code": "civil_1-a", "name": "文明积分"})
}

async fn listed(app: &TestApp, who: &crate::support::Staff) -> Value {
    app.by(who).get("/api/v1/points/programmes").await.expect_status(200).json()
}

both!(a_programme_is_set_up_and_changed, async |app| {
    let manager = app.seed().staff(Role::Manager).await;
    let path = "/api/v1/points/programmes";
    let made = app.by(&manager).post(path, civil()).await.expect_status(201).json();
    assert_eq!(
        made,
        json!({
            "code": "civil_1-a", "name": "文明积分", "unit": "分", "region_code": DISTRICT, "expiry": "never",
            "expiry_months": null, "expiry_years": 0, "notice_days": 30, "reopen_days": 7, "negative_allowed": false,
            "budget_required": false, "households_pool": false, "account_cap": null, "gifts_allowed": false,
            "gift_cap_day": null, "gift_cap_receiver": null, "point_cost": "0.0000", "updated_at": null,
        })
    );
    let all = json!({
        "name": "福分", "unit": "福分", "expiry": "months", "expiry_months": 24, "notice_days": 0, "reopen_days": 3,
        "negative_allowed": true, "budget_required": true, "households_pool": true, "account_cap": "1500",
        "gifts_allowed": true, "gift_cap_day": "10", "gift_cap_receiver": "50.5", "point_cost": "0.015",
    });
    let one = format!("{path}/civil_1-a");
    let changed = app.by(&manager).patch(&one, all.clone()).await.expect_status(200).json();
    for (field, value) in all.as_object().unwrap() {
        let shown = &changed[field];
        let same = match field.as_str() {
            "account_cap" => shown == "1500.00",
            "gift_cap_day" => shown == "10.00",
            "gift_cap_receiver" => shown == "50.50",
            "point_cost" => shown == "0.0150",
            _ => shown == value,
        };
        assert!(same, "{field}: {shown}");
    }
    // What is not named stays, null takes a cap away, and another kind of expiry drops the months.
    let some = json!({"account_cap": null, "expiry": "year_end", "expiry_years": 1});
    let changed = app.by(&manager).patch(&one, some).await.expect_status(200).json();
    assert_eq!((&changed["account_cap"], &changed["gift_cap_day"]), (&json!(null), &json!("10.00")));
    assert_eq!((&changed["expiry_months"], &changed["expiry_years"]), (&json!(null), &json!(1)));
    assert_eq!(listed(&app, &manager).await["items"][0], changed);
});

both!(bad_programmes_are_refused_and_nothing_changes, async |app| {
    let manager = app.seed().staff(Role::Manager).await;
    let (clerk, auditor) = (app.seed().staff(Role::Clerk).await, app.seed().staff(Role::Auditor).await);
    let (foreign, narrow) = (
        app.seed().staff(Role::Manager).in_region("130303").await,
        app.seed().staff(Role::Manager).in_region(COMMUNITY).await,
    );
    let path = "/api/v1/points/programmes";
    app.by(&clerk).post(path, civil()).await.expect_problem(403, "forbidden");
    app.by(&auditor).post(path, civil()).await.expect_problem(403, "forbidden");
    app.by(&manager).post(path, civil()).await.expect_status(201);
    let before = listed(&app, &manager).await;
    let good = json!({"code": "other", "name": "福分"});
    for (field, value, code) in [
        ("code", json!("civil_1-a"), "invalid"),
        ("code", json!("default"), "invalid"),
        ("code", json!("A"), "invalid"),
        ("code", json!("a"), "invalid"),
        ("code", json!("福分"), "invalid"),
        ("code", json!("a".repeat(33)), "invalid"),
        ("region_code", json!(FOREIGN), "invalid"),
        ("region_code", json!(CITY), "invalid"),
        ("region_code", json!("130302009"), "invalid"),
        ("expiry", json!("months"), "required"),
        ("expiry_months", json!(3), "invalid"),
        ("expiry_months", json!(0), "out_of_range"),
        ("expiry_years", json!(1), "invalid"),
        ("expiry_years", json!(-1), "out_of_range"),
        ("notice_days", json!(366), "out_of_range"),
        ("account_cap", json!("-1"), "invalid"),
        ("account_cap", json!("0"), "out_of_range"),
        ("gift_cap_day", json!("-1"), "invalid"),
        ("point_cost", json!("0.00001"), "invalid"),
        ("point_cost", json!("-1"), "invalid"),
        ("point_cost", json!("1000001"), "out_of_range"),
        ("balance", json!(1), "unknown_field"),
    ] {
        let mut body = good.clone();
        body[field] = value;
        let refused = app.by(&manager).post(path, body).await.expect_problem(422, "validation_failed");
        let named = if code == "required" { "expiry_months" } else { field };
        assert_eq!((refused.at("/errors/0/field"), refused.at("/errors/0/code")), (named.to_owned(), code.to_owned()));
    }
    let one = format!("{path}/civil_1-a");
    let change = json!({"name": "新名"});
    app.by(&clerk).patch(&one, change.clone()).await.expect_problem(403, "forbidden");
    app.by(&foreign).patch(&one, change.clone()).await.expect_problem(404, "not_found");
    app.by(&narrow).patch(&one, change.clone()).await.expect_problem(404, "not_found");
    app.by(&manager).patch(&format!("{path}/none"), change.clone()).await.expect_problem(404, "not_found");
    app.by(&manager).patch(&one, json!({"code": "x"})).await.expect_problem(422, "validation_failed");
    app.by(&manager).patch(&one, json!({"expiry": "months"})).await.expect_problem(422, "validation_failed");
    assert_eq!(listed(&app, &manager).await, before);
    // Everybody's programme is for who looks after everybody.
    let default = format!("{path}/default");
    let city = app.seed().staff(Role::Manager).in_region(CITY).await;
    let (district, all) = (app.seed().staff(Role::Admin).await, app.seed().staff(Role::Admin).in_region(CITY).await);
    for who in [&manager, &city, &district] {
        app.by(who).patch(&default, change.clone()).await.expect_problem(404, "not_found");
    }
    app.by(&all).patch(&default, change).await.expect_status(200);
});

both!(the_programme_of_the_smallest_region_counts, async |app| {
    let (manager, second) = (app.seed().staff(Role::Manager).await, app.seed().staff(Role::Manager).await);
    let programme = async |code: &str, region: &str| {
        let body = json!({"code": code, "name": code, "region_code": region});
        app.by(&manager).post("/api/v1/points/programmes", body).await.expect_status(201);
    };
    let here = app.seed().member().await;
    let there = app.seed().member().in_region(SISTER).await;
    let ended = app.clock.now();
    let mut entries = 0;
    let mut of = async |member: &crate::support::Member| {
        entries += 1;
        let ended = ended - TimeDelta::hours(entries);
        let body = json!({"member_id": member.id, "category": "culture", "started_at": ended - TimeDelta::minutes(30),
            "ended_at": ended, "reason": "补登"});
        let key = format!("k{entries}");
        let entered = app.by(&manager).post("/api/v1/service-records", body).key(&key).await.expect_status(201).json();
        entered["programme"].as_str().unwrap().to_owned()
    };
    assert_eq!(of(&here).await, "default");
    programme("district", DISTRICT).await;
    assert_eq!((of(&here).await, of(&there).await), ("district".to_owned(), "district".to_owned()));
    programme("street", STREET).await;
    programme("here", COMMUNITY).await;
    programme("late", COMMUNITY).await;
    assert_eq!((of(&here).await, of(&there).await), ("here".to_owned(), "street".to_owned()));
    // A wish's task as well: there, and what it earns.
    let wish = json!({"title": "换灯泡", "body": "厨房的灯不亮了", "category": "neighbourly",
        "window": {"from": ended + TimeDelta::hours(1), "until": ended + TimeDelta::hours(3)}});
    let wish = app.by(&here).post("/api/v1/wishes", wish).await.expect_status(201).json();
    let review = json!({"decision": "publish", "risk_notice": "注意安全", "difficulty": 3});
    let path = format!("/api/v1/wishes/{}/review", wish["id"].as_str().unwrap());
    let published = app.by(&second).post(&path, review).await.expect_status(200).json();
    let task = format!("/api/v1/tasks/{}", published["task_id"].as_str().unwrap());
    let task = app.by(&second).get(&task).await.expect_status(200).json();
    assert_eq!((&task["programme"], &task["difficulty"]), (&json!("here"), &json!(3)));
});

both!(a_grant_may_expire_on_a_day_ahead, async |app| {
    let (manager, member) = (app.seed().staff(Role::Manager).await, app.seed().member().await);
    let body = |direction: &str, day: Option<&str>| json!({"member_id": member.id, "programme": "default", "direction": direction, "amount": "5", "reason": "补发", "expires_on": day});
    // It is 2026-11-21 in Shanghai.
    for (number, (direction, day, code)) in [
        ("grant", "2026-11-20", "out_of_range"),
        ("grant", "2026-11-21", "out_of_range"),
        ("grant", "1969-01-01", "out_of_range"),
        ("grant", "2026-02-30", "invalid"),
        ("deduct", "2027-01-01", "invalid"),
    ]
    .into_iter()
    .enumerate()
    {
        let call = app.by(&manager).post("/api/v1/points/adjustments", body(direction, Some(day)));
        let refused = call.key(&format!("bad{number}")).await.expect_problem(422, "validation_failed");
        assert_eq!(
            (refused.at("/errors/0/field"), refused.at("/errors/0/code")),
            ("expires_on".to_owned(), code.to_owned())
        );
    }
    give(&app, &member, 100).await;
    let call = app.by(&manager).post("/api/v1/points/adjustments", body("grant", Some("2026-11-22")));
    assert_eq!(call.key("good").await.expect_status(201).at("/expires_on"), "2026-11-22");
    let standing = crate::points::standing(&app, &member).await;
    assert_eq!(standing["expiring"], json!([{"on": "2026-11-22", "amount": "5.00"}]));
    assert_in_order(&app).await;
});
