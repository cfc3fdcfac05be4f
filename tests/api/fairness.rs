//! The report of fairness: waits, shares, offers, unmet skills; its files and its refusals.

use chrono::TimeDelta;
use entity::claim;
use entity::id::WishId;
use entity::staff::Role;
use entity::wish;
use linli::identity::sealed::seal_special_group;
use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, QueryFilter as _, Set};
use serde_json::{Value, json};

use crate::offering::{free, several};
use crate::support::{CITY, COMMUNITY, DISTRICT, FOREIGN, TestApp};
use crate::wish_stage::{Stage, claim as take, to_next_step, window};

const PATH: &str = "/api/v1/reports/fairness";

async fn report(app: &TestApp, stage: &Stage, query: &str) -> Value {
    app.by(&stage.manager).get(&format!("{PATH}?{query}")).await.expect_status(200).json()
}

async fn of_group(app: &TestApp, wish: &str, group: &str) {
    let id: WishId = wish.parse().unwrap();
    let sealed = seal_special_group(&app.state.keys, group);
    let row = wish::ActiveModel { id: Set(id), special_group_sealed: Set(Some(sealed)), ..Default::default() };
    app.state.db.write(async move |txn| row.clone().update(txn).await).await.unwrap();
}

both!(waits_are_shown_by_group_and_small_groups_are_not, async |app| {
    let stage = Stage::new(&app).await;
    let people = several(&app, 4).await;
    let mut wishes = Vec::new();
    for group in ["SG01", "SG01", "SG01", "SG02"] {
        let made = stage.publish(&app, json!({"window": window(&app, 600, 660)})).await;
        of_group(&app, &made.0, group).await;
        wishes.push(made);
    }
    let (_, plain) = stage.publish(&app, json!({"window": window(&app, 30, 40), "category": "culture"})).await;
    app.clock.advance(TimeDelta::minutes(10));
    take(&app, &people[0], &wishes[0].1).await.expect_status(201);
    app.clock.advance(TimeDelta::minutes(20));
    take(&app, &people[1], &wishes[1].1).await.expect_status(201);
    app.clock.advance(TimeDelta::minutes(70));
    linli::jobs::run_once(&app.state, "deadlines").await.unwrap();
    assert!(!plain.is_empty());

    let found = report(&app, &stage, "").await;
    let all = &found["waiting"]["all"];
    assert_eq!(
        (&all["count"], &all["met"], &all["waiting"], &all["expired"]),
        (&json!(5), &json!(2), &json!(2), &json!(1))
    );
    // 10, 30, 40 (its window was over), 100, 100.
    assert_eq!((&all["median_minutes"], &all["worst_minutes"]), (&json!(40), &json!(100)));
    let groups = found["waiting"]["by_special_group"].as_array().unwrap();
    // One of SG02 and one of none are two: they take the next smallest with them, and nothing is shown but the whole.
    assert_eq!(groups.len(), 1, "{groups:?}");
    assert_eq!((&groups[0]["code"], &groups[0]["count"]), (&Value::Null, &json!(5)));
    assert!(!found.to_string().contains("SG02"), "{found}");
    let categories = found["waiting"]["by_category"].as_array().unwrap();
    assert_eq!((&categories[0]["code"], &categories[0]["median_minutes"]), (&json!("neighbourly"), &json!(65)));
    assert_eq!(found["waiting"]["by_community"][0]["code"], COMMUNITY);

    for _ in 0..3 {
        stage.publish(&app, json!({"window": window(&app, 600, 660)})).await;
    }
    let found = report(&app, &stage, "").await;
    let groups = found["waiting"]["by_special_group"].as_array().unwrap();
    let codes: Vec<_> = groups.iter().map(|group| (group["code"].clone(), group["count"].clone())).collect();
    assert!(codes.contains(&(json!("none"), json!(4))), "{codes:?}");
    assert!(!found.to_string().contains("SG02"), "{found}");
    // Another time, nothing.
    let before = report(&app, &stage, "from=2026-01-01&until=2026-02-01").await;
    assert_eq!(
        (&before["waiting"]["all"]["count"], &before["waiting"]["all"]["median_minutes"]),
        (&json!(0), &Value::Null)
    );
});

both!(work_offers_and_unmet_skills_are_told, async |app| {
    let stage = Stage::new(&app).await;
    let people = several(&app, 3).await;
    let (_, served) = stage.publish(&app, json!({"window": window(&app, 0, 60)})).await;
    let own = take(&app, &people[0], &served).await.expect_status(201).id();
    to_next_step(&app);
    stage.serve(&app, &people[0], &served, &own).await;
    let records = app.by(&stage.manager).get("/api/v1/service-records").await.expect_status(200);
    let path = format!("/api/v1/service-records/{}/verification", records.at("/items/0/id"));
    app.by(&stage.manager).post(&path, json!({"decision": "verify"})).key("v").await.expect_status(200);

    let (_, asked) = stage.publish(&app, json!({"window": window(&app, 600, 660)})).await;
    let members: Vec<_> = people.iter().map(|person| person.id).collect();
    let body = json!({"member_ids": members, "expires_in_minutes": 30});
    app.by(&stage.manager).post(&format!("/api/v1/tasks/{asked}/offers"), body).await.expect_status(201);
    let rows = claim::Entity::find().filter(claim::Column::Status.eq(claim::ClaimStatus::Offered));
    let rows = rows.all(app.state.db.read()).await.unwrap();
    let mine = rows.iter().find(|row| row.member_id == people[1].id).unwrap();
    app.by(&people[1]).post(&format!("/api/v1/claims/{}/decline", mine.id), json!({})).await.expect_status(200);
    app.clock.advance(TimeDelta::minutes(31));
    stage.publish(&app, json!({"window": window(&app, 700, 760), "skills": ["SK99"]})).await;

    let found = report(&app, &stage, &format!("region={DISTRICT}")).await;
    let work = &found["work"];
    // With the volunteer of the stage.
    assert_eq!((&work["volunteers"], &work["active"], &work["minutes"]), (&json!(4), &json!(1), &json!(30)));
    let shares: Vec<_> =
        work["deciles"].as_array().unwrap().iter().map(|part| part["minutes"].as_i64().unwrap()).collect();
    assert_eq!((shares.len(), shares.iter().sum::<i64>()), (10, 30));
    let offers = &found["offers"][0];
    assert_eq!((&offers["made"], &offers["declined"], &offers["lapsed"]), (&json!(3), &json!(1), &json!(2)));
    assert_eq!(offers["declined_percent"], "33.3");
    let unmet = &found["unmet"];
    assert_eq!(unmet["looked_at"], 2);
    let skill = unmet["skills"].as_array().unwrap().iter().find(|row| row["skill"] == "SK99").unwrap();
    assert_eq!((&skill["tasks"], &skill["volunteers"], &skill["barrier"]), (&json!(1), &json!(0), &json!("skill")));
});

both!(the_report_comes_as_a_file, async |app| {
    let stage = Stage::new(&app).await;
    free(&app).await;
    stage.publish(&app, json!({"window": window(&app, 600, 660)})).await;
    let get =
        async |format: &str| app.by(&stage.manager).get(&format!("{PATH}?format={format}")).await.expect_status(200);
    let csv = get("csv").await;
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    assert!(csv.text().starts_with('\u{feff}') && csv.text().contains("等待：社区") && csv.text().contains("十等分"));
    let xlsx = get("xlsx").await;
    assert!(xlsx.body.starts_with(b"PK"));
    let pdf = get("pdf").await;
    assert!(pdf.body.starts_with(b"%PDF"));
});

both!(the_report_is_for_managers_and_auditors_of_the_place, async |app| {
    let stage = Stage::new(&app).await;
    let auditor = app.seed().staff(Role::Auditor).await;
    app.by(&auditor).get(PATH).await.expect_status(200);
    app.by(&stage.clerk).get(PATH).await.expect_problem(403, "forbidden");
    app.by(&stage.resident).get(PATH).await.expect_problem(403, "forbidden");
    for region in [FOREIGN, CITY, "130399"] {
        app.by(&auditor).get(&format!("{PATH}?region={region}")).await.expect_problem(404, "not_found");
    }
    for bad in [
        "from=2026-11-21&until=2026-11-20",
        "from=2025-11-20&until=2026-11-21",
        "from=yesterday",
        "format=docx",
        "region=x",
        "until=0000-01-01",
    ] {
        app.by(&auditor).get(&format!("{PATH}?{bad}")).await.expect_problem(422, "validation_failed");
    }
    app.by(&auditor).get(&format!("{PATH}?from=2025-11-21&until=2026-11-21")).await.expect_status(200);
});
