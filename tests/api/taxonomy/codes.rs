//! Editing the lists: adding, changing, retiring, merging.

use ::entity::audit;
use ::entity::staff::Role;
use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _};
use serde_json::{Value, json};

use super::{admin, code, listed, merge, seed, skills};
use crate::support::{COMMUNITY, TestApp};
use crate::wish_stage::{Stage, task, window, wish, wish_body};

both!(a_code_is_added_changed_and_read, async |app| {
    skills(&app).await;
    let admin = admin(&app).await;
    let body = json!({"code": "量血压", "name": "上门量血压", "parent": "S01", "licence": true});
    let made = app.by(&admin).post("/api/v1/codes/skill", body.clone()).await.expect_status(201).json();
    assert_eq!(made, json!({"code": "量血压", "name": "上门量血压", "parent": "S01", "licence": true}));
    app.by(&admin).post("/api/v1/codes/skill", body).await.expect_problem(409, "code_taken");
    let path = "/api/v1/codes/skill/%E9%87%8F%E8%A1%80%E5%8E%8B";
    let changed = app.by(&admin).patch(path, json!({"parent": null, "licence": false})).await.expect_status(200);
    assert_eq!(changed.json(), json!({"code": "量血压", "name": "上门量血压", "parent": null, "licence": false}));
    assert_eq!(app.get(path).await.expect_status(200).json(), changed.json());
    assert_eq!(listed(&app, "skill?parent=S06").await, ["S07"]);
    let trail = audit::Entity::find().filter(audit::Column::ObjectId.eq("skill/量血压"));
    assert_eq!(trail.count(app.state.db.read()).await.unwrap(), 2);
});

both!(hazards_and_groups_have_their_own_flags, async |app| {
    let admin = admin(&app).await;
    let height = code(&app, "hazard", "H01").await;
    assert_eq!(
        (&height["training"], &height["insurance"], &height["min_age"]),
        (&json!("T01"), &json!(true), &json!(18))
    );
    let body = json!({"code": "H90", "name": "攀爬", "training": "T01", "insurance": true, "min_age": 20});
    app.by(&admin).post("/api/v1/codes/hazard", body).await.expect_status(201);
    let path = "/api/v1/codes/hazard/H90";
    let changed =
        app.by(&admin).patch(path, json!({"training": null, "min_age": null})).await.expect_status(200).json();
    assert_eq!(changed, json!({"code": "H90", "name": "攀爬", "parent": null, "insurance": true}));
    seed(&app, "special_class", &[("A", "老年", None)]).await;
    let body = json!({"code": "A9", "name": "高龄独居", "parent": "A", "privacy": "ordinary", "priority": 5});
    let made = app.by(&admin).post("/api/v1/codes/special_group", body).await.expect_status(201).json();
    assert_eq!((&made["privacy"], &made["priority"]), (&json!("ordinary"), &json!(5)));
});

both!(what_a_list_does_not_have_is_refused_by_name, async |app| {
    skills(&app).await;
    let admin = admin(&app).await;
    let cases: [(&str, Value, &str, &str); 11] = [
        ("skill", json!({"code": "S01;S02", "name": "x"}), "code", "invalid"),
        ("skill", json!({"code": "../x", "name": "x"}), "code", "invalid"),
        ("skill", json!({"code": "S".repeat(33), "name": "x"}), "code", "too_long"),
        ("skill", json!({"code": "S90"}), "name", "required"),
        ("skill", json!({"code": "S90", "name": "x", "parent": "S99"}), "parent", "invalid"),
        ("skill", json!({"code": "S90", "name": "x", "parent": "S90"}), "parent", "invalid"),
        ("skill", json!({"code": "S90", "name": "x", "insurance": true}), "insurance", "invalid"),
        ("hazard", json!({"code": "H90", "name": "x", "training": "T99"}), "training", "invalid"),
        ("hazard", json!({"code": "H90", "name": "x", "min_age": 121}), "min_age", "out_of_range"),
        ("hazard", json!({"code": "H90", "name": "x", "parent": "H01"}), "parent", "invalid"),
        ("special_group", json!({"code": "A9", "name": "x", "parent": "Z"}), "parent", "invalid"),
    ];
    for (list, body, field, fault) in cases {
        let path = format!("/api/v1/codes/{list}");
        let refused = app.by(&admin).post(&path, body).await.expect_problem(422, "validation_failed");
        assert_eq!((refused.at("/errors/0/field"), refused.at("/errors/0/code")), (field.into(), fault.into()));
    }
    let body = || json!({"code": "x", "name": "x"});
    app.by(&admin).post("/api/v1/codes/nonsense", body()).await.expect_problem(404, "not_found");
    app.by(&admin).post("/api/v1/codes/category", body()).await.expect_problem(409, "fixed_list");
    app.by(&admin)
        .patch("/api/v1/codes/category/charity", json!({"name": "x"}))
        .await
        .expect_problem(409, "fixed_list");
    app.by(&admin).patch("/api/v1/codes/skill/S99", json!({"name": "x"})).await.expect_problem(404, "not_found");
    assert_eq!(code(&app, "category", "charity").await["name"], "慈善捐赠");
    let manager = app.seed().staff(Role::Manager).await;
    app.by(&manager).post("/api/v1/codes/skill", body()).await.expect_problem(403, "forbidden");
});

both!(a_tree_has_no_circle, async |app| {
    skills(&app).await;
    let admin = admin(&app).await;
    for (below, above) in [("S06", "S07"), ("S06", "S06")] {
        let path = format!("/api/v1/codes/skill/{below}");
        let refused =
            app.by(&admin).patch(&path, json!({ "parent": above })).await.expect_problem(422, "validation_failed");
        assert_eq!(refused.at("/errors/0/field"), "parent");
    }
    app.by(&admin).patch("/api/v1/codes/skill/S01", json!({"parent": "S07"})).await.expect_status(200);
    app.by(&admin)
        .patch("/api/v1/codes/skill/S06", json!({"parent": "S01"}))
        .await
        .expect_problem(422, "validation_failed");
});

both!(a_retired_code_is_kept_by_who_has_it_and_taken_by_nobody_else, async |app| {
    skills(&app).await;
    let (admin, stage) = (admin(&app).await, Stage::new(&app).await);
    let profile = json!({"skills": ["S01"], "consent": true});
    app.by(&stage.volunteer).post("/api/v1/me/volunteer", profile.clone()).await.expect_status(200);
    let path = "/api/v1/codes/skill/S01/retirement";
    let retired = app.by(&admin).post(path, json!({})).await.expect_status(200).json();
    assert!(retired["retired_at"].is_string());
    assert_eq!(app.by(&admin).post(path, json!({})).await.expect_status(200).json(), retired, "twice is once");
    assert_eq!(listed(&app, "skill").await, ["S06", "S07"]);
    assert_eq!(listed(&app, "skill?all=true").await, ["S01", "S06", "S07"]);
    assert_eq!(app.by(&stage.volunteer).get("/api/v1/me").await.json()["skills"], json!(["S01"]));
    for (path, body) in
        [("/api/v1/me/volunteer", profile), ("/api/v1/wishes", wish_body(&app, json!({"skills": ["S01"]})))]
    {
        let refused = app.by(&stage.resident).post(path, body).await.expect_problem(422, "validation_failed");
        assert_eq!(
            (refused.at("/errors/0/field"), refused.at("/errors/0/code")),
            ("skills[0]".into(), "invalid".into())
        );
        assert!(refused.at("/errors/0/detail").contains("已停用"));
    }
    app.by(&admin).delete(path).await.expect_status(200);
    stage.post(&app, json!({"skills": ["S01"]})).await;
    // A training that a hazard asks for stays.
    let needed = app.by(&admin).post("/api/v1/codes/training/T01/retirement", json!({})).await;
    needed.expect_problem(409, "code_required");
});

both!(what_lives_carries_the_code_it_was_merged_into, async |app| {
    skills(&app).await;
    let (admin, stage) = (admin(&app).await, Stage::new(&app).await);
    let profile = json!({"skills": ["S01", "S07", "S06"], "consent": true});
    app.by(&stage.volunteer).post("/api/v1/me/volunteer", profile).await.expect_status(200);
    let (live, open) = stage.publish(&app, json!({"skills": ["S07"]})).await;
    let past = stage.post(&app, json!({"skills": ["S07"]})).await;
    app.by(&stage.resident).post(&format!("/api/v1/wishes/{past}/cancellation"), json!({})).await.expect_status(200);
    let listing = json!({"kind": "service", "title": "疏通下水", "body": "周末上门", "category": "neighbourly",
        "skills": ["S07"], "region_code": COMMUNITY, "capacity": 3, "window": window(&app, 60, 60 * 24 * 7)});
    let listing = app.by(&stage.manager).post("/api/v1/listings", listing).await.expect_status(201).id();

    let merged = merge(&app, &admin, "skill", "S07", "S06").await.expect_status(200).json();
    assert_eq!((&merged["merged_into"], &merged["name"]), (&json!("S06"), &json!("管道疏通")));
    assert_eq!(app.by(&stage.volunteer).get("/api/v1/me").await.json()["skills"], json!(["S01", "S06"]));
    assert_eq!(wish(&app, &stage.resident, &live).await["skills"], json!(["S06"]));
    assert_eq!(task(&app, &stage.volunteer, &open).await["skills"], json!(["S06"]));
    let listing = app.by(&stage.manager).get(&format!("/api/v1/listings/{listing}")).await.expect_status(200).json();
    assert_eq!(listing["skills"], json!(["S06"]));
    assert_eq!(wish(&app, &stage.resident, &past).await["skills"], json!(["S07"]), "history stays");
    // The old code is taken as the new one, wherever it comes in.
    let again = stage.post(&app, json!({"skills": ["S07", "S06"]})).await;
    assert_eq!(wish(&app, &stage.resident, &again).await["skills"], json!(["S06"]));
    let found = app.by(&stage.volunteer).get("/api/v1/tasks?skill=S07").await.expect_status(200).json();
    assert_eq!(found["items"][0]["id"], json!(open));
    let report = linli::verify::run(&app.state.db).await.unwrap();
    assert!(report.ok, "{report:?}");
});

both!(a_merge_that_makes_no_sense_is_refused, async |app| {
    skills(&app).await;
    let admin = admin(&app).await;
    merge(&app, &admin, "skill", "S99", "S01").await.expect_problem(404, "not_found");
    merge(&app, &admin, "category", "charity", "safety").await.expect_problem(409, "fixed_list");
    for into in ["S01", "H01", "S99"] {
        let refused = merge(&app, &admin, "skill", "S01", into).await.expect_problem(422, "validation_failed");
        assert_eq!(refused.at("/errors/0/field"), "into");
    }
    let below = merge(&app, &admin, "skill", "S06", "S07").await.expect_problem(422, "validation_failed");
    assert!(below.at("/errors/0/detail").contains("下级"));
    merge(&app, &admin, "skill", "S07", "S01").await.expect_status(200);
    merge(&app, &admin, "skill", "S07", "S06").await.expect_problem(409, "code_merged");
    merge(&app, &admin, "skill", "S06", "S07").await.expect_problem(422, "validation_failed");
    let path = "/api/v1/codes/skill/S07";
    app.by(&admin).patch(path, json!({"name": "x"})).await.expect_problem(409, "code_merged");
    app.by(&admin).post(&format!("{path}/retirement"), json!({})).await.expect_problem(409, "code_merged");
    app.by(&admin).delete(&format!("{path}/merge")).await.expect_status(200);
    app.by(&admin).delete(&format!("{path}/merge")).await.expect_problem(409, "code_not_merged");
    let manager = app.seed().staff(Role::Manager).await;
    merge(&app, &manager, "skill", "S07", "S01").await.expect_problem(403, "forbidden");
});

both!(what_lay_under_a_merged_code_lies_under_the_other, async |app| {
    skills(&app).await;
    let admin = admin(&app).await;
    merge(&app, &admin, "skill", "S06", "S01").await.expect_status(200);
    assert_eq!(code(&app, "skill", "S07").await["parent"], "S01");
    seed(&app, "special_class", &[("A", "老年", None), ("B", "少年", None)]).await;
    seed(&app, "special_group", &[("A1", "独居老人", Some("A"))]).await;
    merge(&app, &admin, "special_class", "A", "B").await.expect_status(200);
    assert_eq!(code(&app, "special_group", "A1").await["parent"], "B");
    // A hazard asks for what its training became.
    merge(&app, &admin, "training", "T01", "T08").await.expect_status(200);
    assert_eq!(code(&app, "hazard", "H01").await["training"], "T08");
});

both!(ten_thousand_skills_are_too_many, async |app| {
    skills(&app).await;
    let stage = Stage::new(&app).await;
    let many: Vec<String> = (0..5_000).map(|number| format!("S{number}")).collect();
    for (most, path, body) in [
        (20, "/api/v1/wishes", wish_body(&app, json!({"skills": many}))),
        (50, "/api/v1/me/volunteer", json!({"skills": many, "consent": true})),
    ] {
        let refused = app.by(&stage.resident).post(path, body.clone()).await.expect_problem(422, "validation_failed");
        assert_eq!((refused.at("/errors/0/field"), refused.at("/errors/0/code")), ("skills".into(), "too_long".into()));
        let mut body = body;
        body["skills"] = json!(many[..=most]);
        app.by(&stage.resident).post(path, body.clone()).await.expect_problem(422, "validation_failed");
        body["skills"] = json!(vec!["S01"; most]);
        assert!(app.by(&stage.resident).post(path, body).await.status < 300);
    }
});

both!(an_import_wins_in_names_and_leaves_merges_alone, async |app: TestApp| {
    let admin = admin(&app).await;
    seed(&app, "skill", &[("S01", "剪发", None), ("S02", "护理", None), ("SX", "理发上门", None)]).await;
    merge(&app, &admin, "skill", "S02", "S01").await.expect_status(200);
    let set = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/station");
    let take = async || {
        let options = linli::exchange::import::Options::default();
        linli::exchange::import::import(&app.state, &set, options, &indicatif::ProgressBar::hidden()).await.unwrap()
    };
    let codes = &take().await.tables[&linli::exchange::table::Table::Codes];
    assert_eq!(codes.accepted, codes.read);
    assert_eq!(code(&app, "skill", "S01").await["name"], "理发");
    let merged = code(&app, "skill", "S02").await;
    assert_eq!((&merged["name"], &merged["merged_into"]), (&json!("义诊护理"), &json!("S01")));
    assert!(listed(&app, "hazard").await.len() >= 10);
    let codes = &take().await.tables[&linli::exchange::table::Table::Codes];
    assert_eq!(codes.unchanged, codes.read);
    let report = linli::verify::run(&app.state.db).await.unwrap();
    assert!(report.ok, "nobody was given a merged skill: {report:?}");
});
