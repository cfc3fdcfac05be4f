//! What the words of a wish are taken to ask for, and how staff correct it.

use ::entity::staff::Role;
use serde_json::{Value, json};

use super::{admin, merge, seed, skills};
use crate::support::TestApp;
use crate::wish_stage::{Stage, task, wish};

async fn domains(app: &TestApp) {
    seed(app, "domain", &[("养老", "养老", None), ("志愿", "志愿", None)]).await;
}

async fn review(app: &TestApp, stage: &Stage, id: &str, changes: Value) -> Value {
    let mut body = json!({"decision": "publish", "risk_notice": "注意安全"});
    for (field, value) in changes.as_object().unwrap() {
        body[field] = value.clone();
    }
    app.by(&stage.manager).post(&format!("/api/v1/wishes/{id}/review"), body).await.expect_status(200).json()
}

const HAIRCUT: &str = "奶奶腿脚不好下不了楼，盼着有人上门理发";

both!(the_review_takes_the_guess_unless_staff_say_otherwise, async |app| {
    skills(&app).await;
    domains(&app).await;
    let stage = Stage::new(&app).await;
    let post = async || stage.post(&app, json!({"title": "想剪头发", "body": HAIRCUT})).await;
    let first = post().await;
    let guess = json!({"skills": ["S01"], "domain": "养老"});
    assert_eq!(wish(&app, &stage.manager, &first).await["guess"], guess);
    assert!(wish(&app, &stage.resident, &first).await.get("guess").is_none(), "for staff");
    let listed = app.by(&stage.clerk).get("/api/v1/wishes?status=submitted").await.json();
    assert_eq!(listed["items"][0]["guess"], guess);
    let shown = review(&app, &stage, &first, json!({})).await;
    assert_eq!((&shown["skills"], &shown["domain"]), (&json!(["S01"]), &json!("养老")));
    let of_task = task(&app, &stage.volunteer, shown["task_id"].as_str().unwrap()).await;
    assert_eq!((&of_task["skills"], &of_task["domain"]), (&json!(["S01"]), &json!("养老")));
    let found = app.by(&stage.volunteer).get("/api/v1/tasks?domain=%E5%85%BB%E8%80%81").await.json();
    assert_eq!(found["items"].as_array().unwrap().len(), 1);

    let shown = review(&app, &stage, &post().await, json!({"skills": [], "domain": null})).await;
    assert_eq!((&shown["skills"], &shown["domain"]), (&json!([]), &Value::Null));
    let shown = review(&app, &stage, &post().await, json!({"skills": ["S06"], "domain": "志愿"})).await;
    assert_eq!((&shown["skills"], &shown["domain"]), (&json!(["S06"]), &json!("志愿")));
    let chosen = stage.post(&app, json!({"title": "想剪头发", "body": HAIRCUT, "skills": ["S06"]})).await;
    assert_eq!(wish(&app, &stage.manager, &chosen).await["guess"], json!({"skills": [], "domain": "养老"}));
    let shown = review(&app, &stage, &chosen, json!({})).await;
    assert_eq!((&shown["skills"], &shown["domain"]), (&json!(["S06"]), &json!("养老")));
});

both!(a_review_with_codes_that_are_none_is_refused, async |app| {
    skills(&app).await;
    domains(&app).await;
    let stage = Stage::new(&app).await;
    let id = stage.post(&app, json!({})).await;
    for (field, value, named) in [
        ("skills", json!(["S99"]), "skills[0]"),
        ("domain", json!("天文"), "domain"),
        ("hazards", json!(["H01", "H99"]), "hazards[1]"),
        ("hazards", json!(vec!["H01"; 11]), "hazards"),
    ] {
        let mut body = json!({"decision": "publish", "risk_notice": "注意安全"});
        body[field] = value;
        let path = format!("/api/v1/wishes/{id}/review");
        let refused = app.by(&stage.manager).post(&path, body).await.expect_problem(422, "validation_failed");
        assert_eq!(refused.at("/errors/0/field"), named);
    }
});

both!(a_guess_follows_merges_and_leaves_out_what_was_retired, async |app| {
    skills(&app).await;
    let (admin, stage) = (admin(&app).await, Stage::new(&app).await);
    let body = json!({"title": "厨房下水堵了", "body": "水龙头也滴水"});
    let id = stage.post(&app, body).await;
    assert_eq!(wish(&app, &stage.manager, &id).await["guess"]["skills"], json!(["S07", "S06"]));
    merge(&app, &admin, "skill", "S07", "S01").await.expect_status(200);
    assert_eq!(wish(&app, &stage.manager, &id).await["guess"]["skills"], json!(["S01", "S06"]));
    app.by(&admin).post("/api/v1/codes/skill/S06/retirement", json!({})).await.expect_status(200);
    assert_eq!(review(&app, &stage, &id, json!({})).await["skills"], json!(["S01"]));
});

async fn tried(app: &TestApp, who: &(impl crate::support::Bearer + ?Sized), text: &str) -> Value {
    let text: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    app.by(who).get(&format!("/api/v1/guess?text={text}")).await.expect_status(200).json()
}

both!(words_are_edited_and_every_node_hears_of_it, async |app| {
    skills(&app).await;
    let (admin, clerk) = (admin(&app).await, app.seed().staff(Role::Clerk).await);
    let other = app.second_node().await;
    assert_eq!(tried(&app, &clerk, "想请师傅掏耳朵").await["skills"], json!([]));
    assert_eq!(tried(&other, &clerk, "想请师傅掏耳朵").await["skills"], json!([]));
    let word = json!({"word": "掏耳朵", "kind": "skill", "code": "S01", "weight": 10});
    let made = app.by(&admin).post("/api/v1/guess-words", word).await.expect_status(201);
    for node in [&app, &other] {
        let guess = tried(node, &clerk, "想请师傅掏耳朵").await;
        assert_eq!(guess["skills"], json!(["S01"]));
        assert_eq!(guess["words"][0]["word"], "掏耳朵");
    }
    let weaker = json!({"word": "掏耳朵", "kind": "skill", "code": "S01", "weight": 3});
    let again = app.by(&admin).post("/api/v1/guess-words", weaker).await.expect_status(201);
    assert_eq!((again.id(), again.json()["weight"].clone()), (made.id(), json!(3)));
    assert_eq!(tried(&other, &clerk, "想请师傅掏耳朵").await["skills"], json!([]));
    let path = format!("/api/v1/guess-words/{}", made.id());
    app.by(&admin).delete(&path).await.expect_status(200);
    app.by(&admin).delete(&path).await.expect_problem(404, "not_found");
    assert!(tried(&other, &clerk, "想请师傅掏耳朵").await["words"].as_array().unwrap().is_empty());
    // A retired skill is guessed no more.
    assert_eq!(tried(&other, &clerk, "想理发").await["skills"], json!(["S01"]));
    app.by(&admin).post("/api/v1/codes/skill/S01/retirement", json!({})).await.expect_status(200);
    assert_eq!(tried(&other, &clerk, "想理发").await["skills"], json!([]));
});

both!(words_are_listed_by_page_and_filter, async |app| {
    skills(&app).await;
    let clerk = app.seed().staff(Role::Clerk).await;
    let words =
        async |query: &str| app.by(&clerk).get(&format!("/api/v1/guess-words?{query}")).await.expect_status(200).json();
    let page = words("limit=2&kind=domain").await;
    assert!(page["items"].as_array().unwrap().iter().all(|word| word["kind"] == "domain"));
    let next = words(&format!("limit=2&kind=domain&cursor={}", page["next_cursor"].as_str().unwrap())).await;
    assert_ne!(next["items"][0]["id"], page["items"][0]["id"]);
    let mine = words("code=S01&q=%E5%A4%B4%E5%8F%91").await; // 头发
    assert!(mine["items"].as_array().unwrap().iter().any(|word| word["word"] == "剪头发"));
});

both!(a_word_that_says_nothing_is_refused, async |app| {
    skills(&app).await;
    let admin = admin(&app).await;
    for (field, value) in [
        ("weight", json!(0)),
        ("weight", json!(101)),
        ("code", json!("S99")),
        ("kind", json!("hazard")),
        ("word", json!("")),
    ] {
        let mut body = json!({"word": "掏耳朵", "kind": "skill", "code": "S01", "weight": 10});
        body[field] = value;
        let refused = app.by(&admin).post("/api/v1/guess-words", body).await.expect_problem(422, "validation_failed");
        assert_eq!(refused.at("/errors/0/field"), field);
    }
    let manager = app.seed().staff(Role::Manager).await;
    let body = json!({"word": "掏耳朵", "kind": "skill", "code": "S01", "weight": 10});
    app.by(&manager).post("/api/v1/guess-words", body).await.expect_problem(403, "forbidden");
    let member = app.seed().member().await;
    app.by(&member).get("/api/v1/guess?text=x").await.expect_problem(403, "forbidden");
    let long: String = "%E9%95%BF".repeat(1001);
    app.by(&admin).get(&format!("/api/v1/guess?text={long}")).await.expect_problem(422, "validation_failed");
});

both!(without_lists_nothing_is_guessed, async |app| {
    let stage = Stage::new(&app).await;
    let id = stage.post(&app, json!({"title": "想剪头发", "body": HAIRCUT})).await;
    assert!(wish(&app, &stage.manager, &id).await.get("guess").is_none());
    assert_eq!(review(&app, &stage, &id, json!({})).await["skills"], json!([]));
});
