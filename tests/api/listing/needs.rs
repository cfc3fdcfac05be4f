//! Needs become tasks.

use chrono::TimeDelta;
use serde_json::json;

use super::{hours, inbox, manager, published, verify, weekly, with};
use crate::support::SISTER;

both!(a_published_need_becomes_a_task_that_volunteers_claim, async |app| {
    let (staff, owner) = (manager(&app).await, app.seed().member().volunteer().await);
    let volunteer = app.seed().member().volunteer().in_region(SISTER).await;
    let body = with(
        weekly(&app),
        json!({"kind": "need", "title": "夜间巡逻缺人手", "category": "safety", "capacity": 2,
        "member_id": owner.id, "openings": null, "window": {"from": hours(&app, 24), "until": hours(&app, 26)}}),
    );
    let id = published(&app, &staff, body).await;
    let path = format!("/api/v1/listings/{id}");
    let seen = app.by(&volunteer).get(&path).await.expect_status(200).json();
    let task = seen["tasks"][0]["task_id"].as_str().unwrap().to_owned();
    let view = app.by(&volunteer).get(&format!("/api/v1/tasks/{task}")).await.expect_status(200).json();
    assert_eq!(
        (&view["source"]["kind"], &view["source"]["id"], &view["slots"]),
        (&json!("listing"), &json!(id), &json!(2))
    );
    assert!(view["risk_notice"].as_str().unwrap().contains("安全"));
    // Its owner does not claim it, and nobody books it.
    let claims = format!("/api/v1/tasks/{task}/claims");
    app.by(&owner).post(&claims, json!({})).await.expect_problem(403, "second_person_required");
    let bookings = format!("{path}/bookings");
    app.by(&volunteer).post(&bookings, json!({"quantity": 1})).key("b").await.expect_problem(409, "not_bookable");
    let claim = app.by(&volunteer).post(&claims, json!({})).await.expect_status(201).id();
    assert_eq!(inbox(&app, &owner).await[0], "listing.claimed");
    verify(&app).await;
    app.by(&volunteer).post(&format!("/api/v1/claims/{claim}/withdrawal"), json!({})).await.expect_status(200);
    assert_eq!(inbox(&app, &owner).await[0], "listing.released");
    let claim = app.by(&volunteer).post(&claims, json!({})).await.expect_status(201).id();
    app.by(&owner).post(&format!("{path}/withdrawal"), json!({"reason": "已解决"})).await.expect_status(200);
    assert_eq!(app.by(&volunteer).get(&format!("/api/v1/claims/{claim}")).await.at("/status"), "withdrawn");
    assert_eq!(inbox(&app, &volunteer).await[0], "claim.cancelled");
    verify(&app).await;
});

both!(a_need_that_comes_back_makes_its_tasks_in_time, async |app| {
    let (staff, volunteer) = (manager(&app).await, app.seed().member().volunteer().await);
    let body = with(weekly(&app), json!({"kind": "need", "title": "四点半课堂缺辅导员"}));
    let id = published(&app, &staff, body).await;
    let path = format!("/api/v1/listings/{id}");
    let tasks = async || {
        let seen = app.by(&staff).get(&path).await.expect_status(200).json();
        seen["tasks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|task| task["window"]["from"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(tasks().await, ["2026-11-30T01:00:00Z", "2026-11-23T01:00:00Z"]);
    assert_eq!(linli::jobs::run_once(&app.state, "bookings").await.unwrap(), Some(0));
    app.clock.advance(TimeDelta::days(7));
    assert_eq!(linli::jobs::run_once(&app.state, "bookings").await.unwrap(), Some(1));
    assert_eq!(tasks().await[0], "2026-12-07T01:00:00Z");
    // What nobody has claimed says what the need says now.
    let task = app.by(&staff).get(&path).await.at("/tasks/0/task_id");
    app.by(&volunteer).post(&format!("/api/v1/tasks/{task}/claims"), json!({})).await.expect_status(201);
    app.by(&staff).patch(&path, json!({"title": "课堂缺人"})).await.expect_status(200);
    assert_eq!(app.by(&staff).get(&format!("/api/v1/tasks/{task}")).await.at("/title"), "四点半课堂缺辅导员");
    let renewed = app.by(&staff).get(&path).await.at("/tasks/1/task_id");
    assert_eq!(app.by(&staff).get(&format!("/api/v1/tasks/{renewed}")).await.at("/title"), "课堂缺人");
    verify(&app).await;
    // Closing leaves the claimed one and takes the others away.
    app.by(&staff).post(&format!("{path}/closing"), json!({})).await.expect_status(200);
    assert_eq!(tasks().await, ["2026-12-07T01:00:00Z"]);
    assert_eq!(app.by(&staff).get(&format!("/api/v1/tasks/{renewed}")).await.at("/status"), "closed");
    verify(&app).await;
});
