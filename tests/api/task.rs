//! Tasks as they are listed: who sees which, filters, order.

use entity::id::TaskId;
use entity::staff::Role;
use serde_json::{Value, json};

use crate::support::{Bearer, COMMUNITY, FOREIGN, SISTER, TestApp};
use crate::wish_stage::{Stage, claim, task, window};

/// Titles in the order listed.
async fn titles(app: &TestApp, who: &(impl Bearer + ?Sized), query: &str) -> Vec<String> {
    let listed = app.by(who).get(&format!("/api/v1/tasks?{query}")).await.expect_status(200).json();
    listed["items"].as_array().unwrap().iter().map(|task| task["title"].as_str().unwrap().to_owned()).collect()
}

fn place(lat: f64, lon: f64) -> Value {
    json!({"lat": lat, "lon": lon})
}

both!(who_sees_a_task, async |app| {
    let stage = Stage::new(&app).await;
    let (_, task_id) = stage.publish(&app, json!({})).await;
    let sister = app.seed().member().in_region(SISTER).await;
    let foreign = app.seed().member().in_region(FOREIGN).await;
    let newcomer = app.seed().member().incomplete().await;
    let here = app.seed().staff(Role::Auditor).in_region(COMMUNITY).await;
    let beside = app.seed().staff(Role::Admin).in_region(SISTER).await;
    let url = format!("/api/v1/tasks/{task_id}");
    for (token, sees) in [
        (&stage.volunteer.token, true),
        (&sister.token, true),
        (&here.token, true),
        (&foreign.token, false),
        (&newcomer.token, false),
        (&beside.token, false),
    ] {
        let answer = app.by(token).get(&url).await;
        assert_eq!(titles(&app, token, "").await.len(), usize::from(sees));
        if sees {
            answer.expect_status(200);
        } else {
            let unknown = app.by(token).get(&format!("/api/v1/tasks/{}", TaskId::new())).await;
            assert_eq!(answer.expect_problem(404, "not_found").body, unknown.body);
        }
    }
    app.get(&url).await.expect_problem(401, "unauthenticated");
    app.get("/api/v1/tasks").await.expect_problem(401, "unauthenticated");
});

both!(homes_are_shown_roughly_until_the_claim, async |app| {
    let stage = Stage::new(&app).await;
    let (_, task_id) = stage.publish(&app, json!({})).await;
    let rough = json!({"lat": 39.936, "lon": 119.6});
    let exact = json!({"lat": 39.935_54, "lon": 119.600_46});
    assert_eq!(task(&app, &stage.volunteer, &task_id).await["place"], rough);
    assert_eq!(task(&app, &stage.clerk, &task_id).await["place"], exact);
    claim(&app, &stage.volunteer, &task_id).await.expect_status(201);
    assert_eq!(task(&app, &stage.volunteer, &task_id).await["place"], exact);
});

both!(tasks_are_filtered, async |app| {
    let stage = Stage::new(&app).await;
    stage.publish(&app, json!({"title": "修水管 100%", "skills": ["S06"], "category": "civility"})).await;
    stage
        .publish(&app, json!({"title": "剪发", "body": "Haircut 上门", "skills": ["S01"], "region_code": SISTER}))
        .await;
    let (_, later) = stage.publish(&app, json!({"title": "陪诊", "window": window(&app, 600, 660)})).await;
    claim(&app, &stage.volunteer, &later).await.expect_status(201);
    let who = &stage.volunteer;
    assert_eq!(titles(&app, who, "").await, ["陪诊", "剪发", "修水管 100%"]);
    assert_eq!(titles(&app, who, "status=open").await, ["修水管 100%", "剪发"]);
    assert_eq!(titles(&app, who, "status=full").await, ["陪诊"]);
    assert_eq!(titles(&app, who, "category=civility").await, ["修水管 100%"]);
    assert_eq!(titles(&app, who, "skill=S01").await, ["剪发"]);
    assert_eq!(titles(&app, who, &format!("region={SISTER}")).await, ["剪发"]);
    assert_eq!(titles(&app, who, &format!("region={FOREIGN}")).await, [""; 0]);
    assert_eq!(titles(&app, who, "q=haircut").await, ["剪发"]);
    assert_eq!(titles(&app, who, "q=%E6%B0%B4%E7%AE%A1").await, ["修水管 100%"]);
    for (literal, found) in [("100%25", 1), ("%25", 1), ("_", 0), ("%5C", 0), ("'%20OR%201=1%20--", 0)] {
        assert_eq!(titles(&app, who, &format!("q={literal}")).await.len(), found, "{literal}");
    }
    // START is 02:00; the last window is 12:00 to 13:00.
    assert_eq!(titles(&app, who, "from=2026-11-21T06:00:00Z").await, ["陪诊"]);
    assert_eq!(titles(&app, who, "until=2026-11-21T06:00:00Z").await.len(), 2);
    assert_eq!(titles(&app, who, "from=2026-11-21T13:00:00Z").await.len(), 0);
    assert_eq!(titles(&app, who, "unknown=1").await.len(), 3);
    for bad in [
        "status=claimed",
        "category=x",
        "from=tomorrow",
        "near=39.9",
        "near=a,b",
        "near=39.9,1e2",
        "near=inf,1",
        "near=91,0",
        "near=NaN,NaN",
        "near=39.9,119.6,1",
        "region=x",
        "q=",
        "limit=0",
        "cursor=zzz",
    ] {
        app.by(who).get(&format!("/api/v1/tasks?{bad}")).await.expect_problem(422, "validation_failed");
    }
});

both!(the_nearest_come_first, async |app| {
    let stage = Stage::new(&app).await;
    stage.publish(&app, json!({"title": "远", "place": place(39.99, 119.60)})).await;
    stage.publish(&app, json!({"title": "无", "place": null})).await;
    stage.publish(&app, json!({"title": "近", "place": place(39.931, 119.60)})).await;
    stage.publish(&app, json!({"title": "中", "place": place(39.93, 119.62)})).await;
    let order = ["近", "中", "远", "无"];
    assert_eq!(titles(&app, &stage.volunteer, "near=39.93,119.60").await, order);
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let url = format!("/api/v1/tasks?near=39.93,119.60&limit=1{cursor}");
        let page = app.by(&stage.volunteer).get(&url).await.expect_status(200).json();
        found.push(page["items"][0]["title"].as_str().unwrap().to_owned());
        if found.len() == 1 {
            assert_eq!(page["items"][0]["distance_m"], 111);
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(found, order);
});

both!(open_tasks_come_by_priority_and_age, async |app| {
    let stage = Stage::new(&app).await;
    let (wish, _) = stage.publish(&app, json!({"title": "旧", "window": window(&app, 0, 60)})).await;
    app.clock.advance(chrono::TimeDelta::minutes(60));
    crate::wish_stage::deadlines(&app).await;
    for title in ["甲", "乙", "丙"] {
        stage.publish(&app, json!({ "title": title })).await;
    }
    app.by(&stage.manager).post(&format!("/api/v1/wishes/{wish}/relisting"), json!({})).await.expect_status(200);
    assert_eq!(titles(&app, &stage.volunteer, "status=open").await, ["旧", "甲", "乙", "丙"]);
    let first = app.by(&stage.volunteer).get("/api/v1/tasks?status=open&limit=2").await.expect_status(200);
    let next = first.at("/next_cursor");
    assert_eq!(titles(&app, &stage.volunteer, &format!("status=open&limit=2&cursor={next}")).await, ["乙", "丙"]);
});
