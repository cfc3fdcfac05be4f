//! What on the lists meets a wish, and whom a listing would serve.

use ::entity::code_item;
use sea_orm::IntoActiveModel as _;
use serde_json::{Value, json};

use super::{MONDAY, book, manager, published, weekly, with};
use crate::support::{FOREIGN, Member, SISTER, TestApp};

async fn skills(app: &TestApp) {
    let item = |code: &str, name: &str| code_item::Model {
        list: "skill".to_owned(),
        code: code.to_owned(),
        name: name.to_owned(),
        parent: None,
        ..Default::default()
    };
    app.seed().insert(vec![item("S01", "理发").into_active_model(), item("S05", "家电维修").into_active_model()]).await;
}

async fn wish(app: &TestApp, who: &Member, changes: Value) -> String {
    let body = json!({"title": "想理个发", "body": "腿脚不便", "category": "neighbourly", "skills": ["S01"],
        "window": {"from": MONDAY, "until": "2026-11-23T02:00:00Z"}});
    app.by(who).post("/api/v1/wishes", with(body, changes)).await.expect_status(201).id()
}

both!(what_would_meet_a_wish_is_found_with_its_reasons, async |app| {
    skills(&app).await;
    let (staff, requester) = (manager(&app).await, app.seed().member().await);
    let near = published(&app, &staff, with(weekly(&app), json!({"skills": ["S01"]}))).await;
    let far = published(
        &app,
        &staff,
        with(weekly(&app), json!({"skills": ["S01", "S05"], "region_code": SISTER, "title": "另一处理发"})),
    )
    .await;
    published(&app, &staff, with(weekly(&app), json!({"skills": ["S05"], "title": "修家电"}))).await;
    let asked = wish(&app, &requester, json!({})).await;
    let path = format!("/api/v1/wishes/{asked}/listings");
    let found = app.by(&requester).get(&path).await.expect_status(200).json();
    let items = found["items"].as_array().unwrap();
    assert_eq!(
        items.iter().map(|item| item["listing_id"].as_str().unwrap()).collect::<Vec<_>>(),
        [near.as_str(), far.as_str()]
    );
    assert_eq!(
        (&items[0]["score"], &items[1]["score"], &items[0]["basis"]),
        (&json!(100), &json!(88), &json!("skill"))
    );
    for item in items {
        let counted: i64 = item["factors"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|factor| factor["max"] != 0)
            .map(|factor| factor["value"].as_i64().unwrap())
            .sum();
        assert_eq!(json!(counted), item["score"]);
    }
    assert_eq!((&items[0]["left"], &items[0]["opening"]["from"]), (&json!(2), &json!(MONDAY)));
    assert_eq!(app.by(&requester).get(&format!("{path}?limit=1")).await.json()["items"].as_array().unwrap().len(), 1);
    for query in ["limit=0", "limit=101", "limit=x"] {
        app.by(&requester).get(&format!("{path}?{query}")).await.expect_problem(422, "validation_failed");
    }
    // What is full is no match, and booking for the wish takes its time.
    let other = app.seed().member().await;
    app.by(&other).get(&path).await.expect_problem(404, "not_found");
    book(&app, &other, &near, json!({"quantity": 2, "from": MONDAY})).await.expect_status(201);
    let found = app.by(&staff).get(&path).await.expect_status(200).json();
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    let booked = book(&app, &requester, &far, json!({"quantity": 1, "wish_id": asked})).await.expect_status(201).json();
    assert_eq!((&booked["starts_at"], &booked["wish_id"]), (&json!(MONDAY), &json!(asked)));

    // And from the other side.
    let found = app.by(&staff).get(&format!("/api/v1/listings/{far}/matches")).await.expect_status(200).json();
    assert_eq!((&found["items"][0]["kind"], &found["items"][0]["wish_id"]), (&json!("wish"), &json!(asked)));
    app.by(&requester).get(&format!("/api/v1/listings/{far}/matches")).await.expect_problem(403, "forbidden");
});

both!(an_empty_list_says_why, async |app| {
    skills(&app).await;
    let (staff, requester) = (manager(&app).await, app.seed().member().await);
    let reason = async |id: &str| {
        let found = app.by(&requester).get(&format!("/api/v1/wishes/{id}/listings")).await.expect_status(200).json();
        assert_eq!(found["items"], json!([]));
        assert!(found["detail"].as_str().unwrap().chars().count() > 5);
        found["reason"].as_str().unwrap().to_owned()
    };
    let asked = wish(&app, &requester, json!({})).await;
    assert_eq!(reason(&asked).await, "nothing_there");
    let foreign = app.seed().staff(::entity::staff::Role::Manager).in_region(FOREIGN).await;
    published(&app, &foreign, with(weekly(&app), json!({"skills": ["S01"], "region_code": FOREIGN}))).await;
    assert_eq!(reason(&asked).await, "nothing_there");
    published(&app, &staff, with(weekly(&app), json!({"skills": ["S05"]}))).await;
    assert_eq!(reason(&asked).await, "no_skill");
    let only = published(&app, &staff, with(weekly(&app), json!({"skills": ["S01"], "capacity": 1}))).await;
    let late = json!({"window": {"from": "2026-11-24T01:00:00Z", "until": "2026-11-24T02:00:00Z"}});
    assert_eq!(reason(&wish(&app, &requester, late).await).await, "no_time");
    let other = app.seed().member().await;
    book(&app, &other, &only, json!({"quantity": 1, "from": MONDAY})).await.expect_status(201);
    assert_eq!(reason(&asked).await, "no_capacity");
    app.by(&requester).post(&format!("/api/v1/wishes/{asked}/cancellation"), json!({})).await.expect_status(200);
    assert_eq!(reason(&asked).await, "over");
});

both!(a_need_finds_what_would_meet_it, async |app| {
    skills(&app).await;
    let (staff, owner) = (manager(&app).await, app.seed().member().await);
    let need =
        with(weekly(&app), json!({"kind": "need", "title": "缺理发志愿者", "skills": ["S01"], "member_id": owner.id}));
    let need = published(&app, &staff, need).await;
    let service = published(&app, &staff, with(weekly(&app), json!({"skills": ["S01"]}))).await;
    let found = app.by(&owner).get(&format!("/api/v1/listings/{need}/matches")).await.expect_status(200).json();
    assert_eq!(found["items"][0]["listing_id"], json!(service));
    let found = app.by(&staff).get(&format!("/api/v1/listings/{service}/matches")).await.expect_status(200).json();
    assert_eq!((&found["items"][0]["kind"], &found["items"][0]["listing_id"]), (&json!("need"), &json!(need)));
});

// A merged code is what it became: when it comes in, when it is looked for, and in what was stored before.
both!(merged_skills_are_one, async |app| {
    skills(&app).await;
    let (staff, requester) = (manager(&app).await, app.seed().member().await);
    let id = published(&app, &staff, with(weekly(&app), json!({"skills": ["S05"]}))).await;
    let asked = wish(&app, &requester, json!({})).await;
    let path = format!("/api/v1/wishes/{asked}/listings");
    assert_eq!(app.by(&requester).get(&path).await.at("/reason"), "no_skill");
    let merged = code_item::ActiveModel {
        list: sea_orm::Set("skill".to_owned()),
        code: sea_orm::Set("S05".to_owned()),
        merged_into: sea_orm::Set(Some("S01".to_owned())),
        ..Default::default()
    };
    app.state.db.write(async move |txn| sea_orm::ActiveModelTrait::update(merged.clone(), txn).await).await.unwrap();
    assert_eq!(app.by(&requester).get(&path).await.at("/items/0/listing_id"), id);
    let found = app.by(&staff).get("/api/v1/listings?skill=S01").await.json();
    assert_eq!(found["items"][0]["id"], json!(id));
    let posted = app.by(&staff).post("/api/v1/listings", with(weekly(&app), json!({"skills": ["S05", "S01"]}))).await;
    assert_eq!(posted.expect_status(201).json()["skills"], json!(["S01"]));
    let unknown = with(weekly(&app), json!({"skills": ["S01", "S99"]}));
    let refused = app.by(&staff).post("/api/v1/listings", unknown).await.expect_problem(422, "validation_failed");
    assert_eq!(refused.at("/errors/0/field"), "skills[1]");
});
