//! Regions, stations and coded lists: public to read, stations made by managers of the subtree.

use std::fmt::Write as _;

use ::entity::audit::{self, AuditOutcome};
use ::entity::code_item;
use ::entity::id::StationId;
use ::entity::staff::Role;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, Set};
use serde_json::{Value, json};

use crate::support::{CITY, COMMUNITY, DISTRICT, FOREIGN, SISTER, STREET, TestApp};

fn codes(listing: &Value, name: &str) -> Vec<String> {
    listing["items"].as_array().unwrap().iter().map(|item| item[name].as_str().unwrap().to_owned()).collect()
}

async fn list(app: &TestApp, path: &str) -> Value {
    app.get(path).await.expect_status(200).json()
}

both!(regions_are_listed_by_parent_level_and_name, async |app| {
    app.seed().regions().await;
    let below = list(&app, &format!("/api/v1/regions?parent={STREET}")).await;
    assert_eq!(codes(&below, "code"), [COMMUNITY, SISTER]);
    let communities = list(&app, "/api/v1/regions?level=community").await;
    assert_eq!(codes(&communities, "code"), [COMMUNITY, SISTER, FOREIGN]);
    let first = list(&app, "/api/v1/regions?limit=2").await;
    let next = first["next_cursor"].as_str().unwrap();
    let second = list(&app, &format!("/api/v1/regions?limit=2&cursor={next}")).await;
    assert!(codes(&first, "code")[1] < codes(&second, "code")[0]);
    let name = list(&app, &format!("/api/v1/regions/{COMMUNITY}")).await["name"].as_str().unwrap().to_owned();
    let found = list(&app, &format!("/api/v1/regions?q={}", urlencoded(&name))).await;
    assert!(codes(&found, "code").contains(&COMMUNITY.to_owned()));
    assert_eq!(list(&app, "/api/v1/regions?q=%25").await["items"], json!([]), "a sign of the pattern is a letter");
    app.get("/api/v1/regions/999999").await.expect_problem(404, "not_found");
    app.get("/api/v1/regions/x'--").await.expect_problem(404, "not_found");
    for query in ["level=village", "parent=12", "limit=101", "cursor=x"] {
        app.get(&format!("/api/v1/regions?{query}")).await.expect_problem(422, "validation_failed");
    }
});

fn urlencoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        write!(encoded, "%{byte:02X}").unwrap();
    }
    encoded
}

both!(stations_are_listed_by_subtree, async |app| {
    for region in [COMMUNITY, SISTER, FOREIGN] {
        app.seed().station().in_region(region).await;
    }
    for (region, count) in [(COMMUNITY, 1), (STREET, 2), (DISTRICT, 2), (CITY, 3), (FOREIGN, 1), ("110000", 0)] {
        let found = list(&app, &format!("/api/v1/stations?region={region}")).await;
        assert_eq!(found["items"].as_array().unwrap().len(), count, "{region}");
    }
    let first = list(&app, "/api/v1/stations?limit=1").await;
    let next = first["next_cursor"].as_str().unwrap();
    let second = list(&app, &format!("/api/v1/stations?limit=2&cursor={next}")).await;
    assert_eq!(codes(&second, "region_code"), [SISTER, FOREIGN]);
    let id = codes(&first, "id").remove(0);
    assert_eq!(list(&app, &format!("/api/v1/stations/{id}")).await["id"], id);
    app.get(&format!("/api/v1/stations/{}", StationId::new())).await.expect_problem(404, "not_found");
    app.get("/api/v1/stations/1").await.expect_problem(404, "not_found");
});

both!(a_manager_opens_and_changes_stations_of_the_subtree_only, async |app| {
    let manager = app.seed().staff(Role::Manager).await;
    let new = |region: &str| json!({"name": "幸福里驿站", "kind": "growth", "region_code": region, "lat": 39.9, "lon": 119.6});
    let made = app.by(&manager).post("/api/v1/stations", new(COMMUNITY)).key("k").await.expect_status(201);
    let again = app.by(&manager).post("/api/v1/stations", new(COMMUNITY)).key("k").await.expect_status(201);
    assert!(again.is_replayed() && again.id() == made.id());
    let path = format!("/api/v1/stations/{}", made.id());
    let changed =
        app.by(&manager).patch(&path, json!({"opening_hours": "9:00–17:00", "active": false})).await.expect_status(200);
    assert_eq!(
        (changed.at("/opening_hours"), changed.at("/active"), changed.at("/name")),
        ("9:00–17:00".into(), "false".into(), "幸福里驿站".into())
    );

    app.by(&manager).post("/api/v1/stations", new(FOREIGN)).await.expect_problem(404, "not_found");
    let foreign = app.seed().station().in_region(FOREIGN).await;
    app.by(&manager)
        .patch(&format!("/api/v1/stations/{}", foreign.id), json!({"name": "x"}))
        .await
        .expect_problem(404, "not_found");
    let denied = audit::Entity::find()
        .filter(audit::Column::Outcome.eq(AuditOutcome::Denied))
        .all(app.state.db.read())
        .await
        .unwrap();
    assert_eq!(denied.iter().map(|row| row.action.as_str()).collect::<Vec<_>>(), ["station.add", "station.change"]);

    for (body, field) in [
        (json!({"name": "x", "kind": "growth", "region_code": "139999999999"}), "region_code"),
        (json!({"name": " ", "kind": "growth", "region_code": COMMUNITY}), "name"),
        (json!({"name": "x", "kind": "growth", "region_code": COMMUNITY, "lat": 91.0}), "lat"),
        (json!({"name": "x", "kind": "growth", "region_code": COMMUNITY, "ref": "S1"}), "ref"),
    ] {
        let problem = app.by(&manager).post("/api/v1/stations", body).await.expect_problem(422, "validation_failed");
        assert_eq!(problem.at("/errors/0/field"), field);
    }
    for role in [Role::Clerk, Role::Operator, Role::GridWorker, Role::Auditor] {
        let staff = app.seed().staff(role).await;
        app.by(&staff).post("/api/v1/stations", new(COMMUNITY)).await.expect_problem(403, "forbidden");
    }
    let member = app.seed().member().await;
    app.by(&member).post("/api/v1/stations", new(COMMUNITY)).await.expect_problem(403, "forbidden");
    app.post("/api/v1/stations", new(COMMUNITY)).await.expect_problem(401, "unauthenticated");
});

both!(coded_lists_are_public, async |app| {
    let skill = |code: &str, name: &str| code_item::ActiveModel {
        list: Set("skill".into()),
        code: Set(code.into()),
        name: Set(name.into()),
        parent: Set(None),
        ..Default::default()
    };
    app.seed().insert(vec![skill("S02", "理发"), skill("S01", "电工")]).await;
    let skills = list(&app, "/api/v1/codes/skill").await;
    assert_eq!(skills["items"][0], json!({"code": "S01", "name": "电工", "parent": null, "licence": false}));
    let categories = list(&app, "/api/v1/codes/category").await;
    assert_eq!(codes(&categories, "code"), ["neighbourly", "charity", "safety", "culture", "civility", "volunteering"]);
    app.get("/api/v1/codes/nonsense").await.expect_problem(404, "not_found");
    let mut walked = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = list(&app, &format!("/api/v1/codes/category?limit=4{cursor}")).await;
        walked.extend(codes(&page, "code"));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(walked, codes(&categories, "code"));
    for refused in ["limit=0", "limit=101", "cursor=forged"] {
        let path = format!("/api/v1/codes/skill?{refused}");
        app.get(&path).await.expect_problem(422, "validation_failed");
    }
});
