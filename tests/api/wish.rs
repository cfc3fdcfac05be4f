//! Wishes: from posting to confirmation, and everything that is refused on the way.

use chrono::TimeDelta;
use entity::id::{ServiceRecordId, WishId};
use entity::service_record::Evidence;
use entity::staff::Role;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::{Value, json};

use crate::support::{COMMUNITY, DISTRICT, FOREIGN, SISTER, TestApp, at_once};
use crate::wish_stage::{Stage, claim, claim_of, deadlines, inbox, task, window, wish, wish_body};

fn path(wish: &str, action: &str) -> String {
    format!("/api/v1/wishes/{wish}/{action}")
}

both!(a_wish_goes_all_the_way, async |app| {
    let stage = Stage::new(&app).await;
    let id = stage.post(&app, json!({"skills": ["S05"]})).await;
    let submitted = wish(&app, &stage.resident, &id).await;
    assert_eq!(submitted["status"], "submitted");
    assert_eq!(submitted["region_code"], COMMUNITY);
    assert_eq!(submitted["place"]["address"], "幸福里3号楼2单元501");
    assert_eq!(submitted["overdue"], false);

    let task_id = stage.review(&app, &id).await;
    let published = task(&app, &stage.volunteer, &task_id).await;
    assert_eq!(published["status"], "open");
    assert_eq!(published["source"], json!({"kind": "wish", "id": id}));
    assert_eq!(published["risk_notice"], "注意用电安全");
    assert_eq!(published["skills"], json!(["S05"]));

    let claimed = claim(&app, &stage.volunteer, &task_id).await.expect_status(201);
    assert_eq!(claimed.at("/status"), "accepted");
    let claim_id = claimed.id();
    assert_eq!(task(&app, &stage.volunteer, &task_id).await["status"], "full");
    assert_eq!(wish(&app, &stage.resident, &id).await["status"], "claimed");

    app.clock.advance(TimeDelta::minutes(60));
    let checked_in = stage.check_in(&app, &stage.volunteer, &task_id, &claim_id).await.expect_status(200);
    assert_eq!((checked_in.at("/status"), checked_in.at("/check_in_means")), ("checked_in".into(), "code".into()));
    assert_eq!(wish(&app, &stage.resident, &id).await["status"], "in_service");
    assert_eq!(task(&app, &stage.volunteer, &task_id).await["status"], "in_progress");

    app.clock.advance(TimeDelta::seconds(90 * 60 + 59));
    let checked_out = stage.check_out(&app, &stage.volunteer, &task_id, &claim_id).await.expect_status(200);
    let record = checked_out.at("/service_record_id");
    assert_eq!(wish(&app, &stage.resident, &id).await["status"], "fulfilled");
    assert_eq!(task(&app, &stage.volunteer, &task_id).await["status"], "done");
    let shown =
        app.by(&stage.volunteer).get(&format!("/api/v1/service-records/{record}")).await.expect_status(200).json();
    assert_eq!(
        (&shown["minutes"], &shown["evidence"], &shown["claim_id"]),
        (&json!(90), &json!("B"), &json!(claim_id))
    );

    let rated = json!({"rating": 5, "comment": "非常感谢"});
    let confirmed = app.by(&stage.resident).post(&path(&id, "confirmation"), rated).await.expect_status(200).json();
    assert_eq!((&confirmed["status"], &confirmed["rating"]), (&json!("confirmed"), &json!(5)));
    let record_id: ServiceRecordId = record.parse().unwrap();
    let row = entity::service_record::Entity::find_by_id(record_id).one(app.state.db.read()).await.unwrap().unwrap();
    assert_eq!(row.evidence, Evidence::A);

    let verify = format!("/api/v1/service-records/{record}/verification");
    app.by(&stage.manager).post(&verify, json!({"decision": "verify"})).key("v1").await.expect_status(200);
    let ended = claim_of(&app, &stage.volunteer, &claim_id).await;
    assert_eq!((&ended["status"], &ended["service_record_id"]), (&json!("verified"), &json!(record)));

    let told = inbox(&app, &stage.resident).await;
    assert_eq!(told, ["wish.published", "wish.claimed", "wish.in_service", "wish.fulfilled"]);
    let told = inbox(&app, &stage.volunteer).await;
    assert_eq!(told[..3], ["claim.accepted", "claim.checked_out", "wish.confirmed"]);
});

both!(what_cannot_be_posted_is_named, async |app| {
    let stage = Stage::new(&app).await;
    let early = json!({"from": "2026-11-21T01:00:00Z", "until": "2026-11-21T01:59:59Z"});
    let table: Vec<(Value, &str, &str)> = vec![
        (json!({"title": null}), "title", "required"),
        (json!({"title": "  "}), "title", "required"),
        (json!({"title": "灯".repeat(101)}), "title", "too_long"),
        (json!({"title": "灯\u{202e}泡"}), "title", "invalid"),
        (json!({"body": 7}), "body", "wrong_type"),
        (json!({"category": "charm"}), "category", "invalid"),
        (json!({"region_code": "1303"}), "region_code", "invalid"),
        (json!({"region_code": "130302999"}), "region_code", "invalid"),
        (json!({"region_code": FOREIGN}), "region_code", "invalid"),
        (json!({"slots": 0}), "slots", "out_of_range"),
        (json!({"slots": -1}), "slots", "out_of_range"),
        (json!({"slots": 1001}), "slots", "out_of_range"),
        (json!({"slots": "1"}), "slots", "wrong_type"),
        (json!({"slots": 1.5}), "slots", "wrong_type"),
        (json!({"window": null}), "window", "required"),
        (json!({"window": {"from": "2026-11-21T04:00:00Z"}}), "window.until", "required"),
        (json!({"window": window(&app, 60, 60)}), "window.until", "invalid"),
        (json!({"window": window(&app, 60, 30)}), "window.until", "invalid"),
        (json!({"window": early}), "window.until", "out_of_range"),
        (json!({"window": window(&app, 60, 60 + 24 * 60 + 1)}), "window.until", "out_of_range"),
        (json!({"place": {"lat": 90.1, "lon": 0.0}}), "place.lat", "out_of_range"),
        (json!({"place": {"lat": 39.9, "lon": -180.5}}), "place.lon", "out_of_range"),
        (json!({"place": {"lat": 39.9}}), "place.lon", "required"),
        (json!({"place": {"lat": "39.9", "lon": 1.0}}), "place.lat", "wrong_type"),
        (json!({"skills": vec!["S01"; 21]}), "skills", "too_long"),
        (json!({"requester_id": stage.volunteer.id}), "requester_id", "invalid"),
        (json!({"status": "published"}), "status", "unknown_field"),
        (json!({"priority": 9}), "priority", "unknown_field"),
        (json!({"points": 9}), "points", "unknown_field"),
    ];
    for (changes, field, code) in table {
        let body = wish_body(&app, changes.clone());
        let refused =
            app.by(&stage.resident).post("/api/v1/wishes", body).await.expect_problem(422, "validation_failed");
        let errors = refused.problem()["errors"].clone();
        let named = errors.as_array().unwrap().iter().any(|error| error["field"] == field && error["code"] == code);
        assert!(named, "{changes}: {errors}");
    }
    assert_eq!(app.by(&stage.resident).get("/api/v1/wishes").await.json()["items"], json!([]));
});

both!(a_window_may_have_begun_and_last_a_day, async |app| {
    let stage = Stage::new(&app).await;
    stage.post(&app, json!({"window": window(&app, -60, 60)})).await;
    stage.post(&app, json!({"window": window(&app, 60, 60 + 24 * 60)})).await;
});

both!(skills_are_checked_against_the_list_if_there_is_one, async |app| {
    let stage = Stage::new(&app).await;
    let item = |code: &str| entity::code_item::Model {
        list: "skill".into(),
        code: code.into(),
        name: "技能".into(),
        parent: None,
        ..Default::default()
    };
    app.seed().insert(vec![entity::code_item::ActiveModel::from(item("S01"))]).await;
    stage.post(&app, json!({"skills": ["S01", "S01"]})).await;
    let body = wish_body(&app, json!({"skills": ["S01", "S99"]}));
    let refused = app.by(&stage.resident).post("/api/v1/wishes", body).await.expect_problem(422, "validation_failed");
    assert_eq!(refused.at("/errors/0/field"), "skills[1]");
});

both!(staff_post_for_somebody_without_a_phone, async |app| {
    let stage = Stage::new(&app).await;
    let elsewhere = app.seed().member().in_region(FOREIGN).await;
    let post =
        async |who: &crate::support::Staff, changes| app.by(who).post("/api/v1/wishes", wish_body(&app, changes)).await;
    let made = post(&stage.clerk, json!({"requester_id": stage.resident.id})).await.expect_status(201).json();
    assert_eq!(made["requester_id"], json!(stage.resident.id));
    assert_eq!(made["created_by"], json!(stage.clerk.id));
    assert_eq!(made["place"]["address"], Value::Null);
    assert_eq!(
        wish(&app, &stage.resident, made["id"].as_str().unwrap()).await["place"]["address"],
        "幸福里3号楼2单元501"
    );

    let missing = post(&stage.clerk, json!({})).await.expect_problem(422, "validation_failed");
    assert_eq!(
        (missing.at("/errors/0/field"), missing.at("/errors/0/code")),
        ("requester_id".into(), "required".into())
    );
    post(&stage.clerk, json!({"requester_id": elsewhere.id})).await.expect_problem(422, "validation_failed");
    post(&stage.clerk, json!({"requester_id": WishId::new()})).await.expect_problem(422, "validation_failed");
    let auditor = app.seed().staff(Role::Auditor).await;
    post(&auditor, json!({"requester_id": stage.resident.id})).await.expect_problem(403, "forbidden");
    let sister = app.seed().staff(Role::Clerk).in_region(SISTER).await;
    post(&sister, json!({"requester_id": stage.resident.id})).await.expect_problem(422, "validation_failed");
});

both!(only_a_complete_profile_posts, async |app| {
    let newcomer = app.seed().member().incomplete().await;
    app.by(&newcomer)
        .post("/api/v1/wishes", wish_body(&app, json!({})))
        .await
        .expect_problem(403, "profile_incomplete");
    app.post("/api/v1/wishes", wish_body(&app, json!({}))).await.expect_problem(401, "unauthenticated");
});

both!(a_wish_is_reviewed_once_and_by_somebody_else, async |app| {
    let stage = Stage::new(&app).await;
    let id = stage.post(&app, json!({})).await;
    let publish = json!({"decision": "publish", "risk_notice": "小心"});
    let review = async |token: &str, body: Value| app.by(token).post(&path(&id, "review"), body).await;
    review(&stage.clerk.token, publish.clone()).await.expect_problem(403, "forbidden");
    review(&stage.resident.token, publish.clone()).await.expect_problem(403, "forbidden");
    let own = app.seed().staff(Role::Manager).being(&stage.resident).await;
    review(&own.token, publish.clone()).await.expect_problem(403, "second_person_required");
    let sister = app.seed().staff(Role::Manager).in_region(SISTER).await;
    review(&sister.token, publish.clone()).await.expect_problem(404, "not_found");
    // 404 comes before 422.
    review(&sister.token, json!({"decision": "publish"})).await.expect_problem(404, "not_found");
    review(&sister.token, json!({"verdict": 1})).await.expect_problem(404, "not_found");
    for (body, field) in [
        (json!({"decision": "publish"}), "risk_notice"),
        (json!({"decision": "reject"}), "reason"),
        (json!({"decision": "maybe", "reason": "x"}), "decision"),
        (json!({"decision": "publish", "risk_notice": "x", "status": "published"}), "status"),
    ] {
        let refused = review(&stage.manager.token, body).await.expect_problem(422, "validation_failed");
        assert_eq!(refused.at("/errors/0/field"), field);
    }
    let body = json!({"decision": "publish", "risk_notice": "小心", "category": "safety", "skills": ["S06"]});
    let published = review(&stage.manager.token, body).await.expect_status(200).json();
    assert_eq!((&published["category"], &published["skills"]), (&json!("safety"), &json!(["S06"])));
    assert_eq!(task(&app, &stage.manager, published["task_id"].as_str().unwrap()).await["category"], "safety");
    review(&stage.manager.token, publish).await.expect_problem(409, "invalid_transition");
    review(&stage.manager.token, json!({"decision": "reject", "reason": "x"}))
        .await
        .expect_problem(409, "invalid_transition");
});

both!(a_rejected_wish_says_why, async |app| {
    let stage = Stage::new(&app).await;
    let id = stage.post(&app, json!({})).await;
    let body = json!({"decision": "reject", "reason": "请联系物业"});
    let rejected = app.by(&stage.manager).post(&path(&id, "review"), body).await.expect_status(200).json();
    assert_eq!((&rejected["status"], &rejected["reason"]), (&json!("rejected"), &json!("请联系物业")));
    assert_eq!(rejected["task_id"], Value::Null);
    assert_eq!(inbox(&app, &stage.resident).await, ["wish.rejected"]);
    app.by(&stage.resident).post(&path(&id, "cancellation"), json!({})).await.expect_problem(409, "invalid_transition");
});

both!(a_wish_whose_window_is_over_is_not_published, async |app| {
    let stage = Stage::new(&app).await;
    let id = stage.post(&app, json!({})).await;
    app.clock.advance(TimeDelta::minutes(180));
    let body = json!({"decision": "publish", "risk_notice": "小心"});
    app.by(&stage.manager).post(&path(&id, "review"), body).await.expect_problem(409, "invalid_transition");
});

both!(review_races_have_one_winner, async |app| {
    let stage = Stage::new(&app).await;
    let id = stage.post(&app, json!({})).await;
    let calls = (0..10).map(|turn| {
        let body = if turn % 2 == 0 {
            json!({"decision": "publish", "risk_notice": "小心"})
        } else {
            json!({"decision": "reject", "reason": "不宜"})
        };
        app.by(&stage.manager).post(&path(&id, "review"), body)
    });
    let answers = at_once(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert!(answers.iter().filter(|answer| answer.status != 200).all(|answer| answer.code() == "invalid_transition"));
});

both!(calling_off_ends_claims_and_tells_everybody, async |app| {
    let stage = Stage::new(&app).await;
    let (id, task_id) = stage.publish(&app, json!({"slots": 2})).await;
    let claim_id = claim(&app, &stage.volunteer, &task_id).await.expect_status(201).id();
    let offered = app.seed().member().volunteer().await;
    let offers = json!({"member_ids": [offered.id], "expires_in_minutes": 60});
    app.by(&stage.manager).post(&format!("/api/v1/tasks/{task_id}/offers"), offers).await.expect_status(201);

    // The volunteer sees the wish, but it is not theirs to call off; nobody else sees it.
    app.by(&stage.volunteer).post(&path(&id, "cancellation"), json!({})).await.expect_problem(403, "forbidden");
    app.by(&offered).post(&path(&id, "cancellation"), json!({})).await.expect_problem(404, "not_found");
    app.by(&stage.clerk).post(&path(&id, "cancellation"), json!({})).await.expect_problem(403, "forbidden");

    let body = json!({"reason": "家人回来了"});
    let cancelled = app.by(&stage.resident).post(&path(&id, "cancellation"), body).await.expect_status(200).json();
    assert_eq!((&cancelled["status"], &cancelled["reason"]), (&json!("cancelled"), &json!("家人回来了")));
    assert_eq!(claim_of(&app, &stage.volunteer, &claim_id).await["status"], "withdrawn");
    let closed = task(&app, &stage.manager, &task_id).await;
    assert_eq!((&closed["status"], &closed["taken"]), (&json!("closed"), &json!(0)));
    assert_eq!(inbox(&app, &stage.volunteer).await, ["claim.accepted", "claim.cancelled"]);
    assert_eq!(inbox(&app, &offered).await, ["claim.offered", "claim.lapsed"]);
    assert_eq!(inbox(&app, &stage.resident).await.last().unwrap(), "wish.cancelled");
    app.by(&stage.manager).post(&path(&id, "cancellation"), json!({})).await.expect_problem(409, "invalid_transition");
    claim(&app, &stage.volunteer, &task_id).await.expect_problem(409, "task_closed");
});

both!(a_wish_in_service_is_not_called_off, async |app| {
    let stage = Stage::new(&app).await;
    let (id, task_id) = stage.publish(&app, json!({})).await;
    let claim_id = claim(&app, &stage.volunteer, &task_id).await.id();
    app.clock.advance(TimeDelta::minutes(60));
    stage.check_in(&app, &stage.volunteer, &task_id, &claim_id).await.expect_status(200);
    for who in [&stage.resident.token, &stage.manager.token] {
        app.by(who).post(&path(&id, "cancellation"), json!({})).await.expect_problem(409, "invalid_transition");
    }
});

both!(confirmation_is_the_requesters, async |app| {
    let stage = Stage::new(&app).await;
    let (id, task_id) = stage.publish(&app, json!({})).await;
    let claim_id = claim(&app, &stage.volunteer, &task_id).await.id();
    let confirm = async |token: &str, body: Value| app.by(token).post(&path(&id, "confirmation"), body).await;
    confirm(&stage.resident.token, json!({"rating": 5})).await.expect_problem(409, "invalid_transition");
    confirm(&stage.volunteer.token, json!({"rating": 5})).await.expect_problem(403, "forbidden");
    app.clock.advance(TimeDelta::minutes(60));
    stage.serve(&app, &stage.volunteer, &task_id, &claim_id).await;
    confirm(&stage.volunteer.token, json!({"rating": 5})).await.expect_problem(404, "not_found");
    confirm(&stage.manager.token, json!({"rating": 5})).await.expect_problem(403, "forbidden");
    for rating in [json!(0), json!(6), json!(-1), json!("5"), json!(4.5), Value::Null] {
        confirm(&stage.resident.token, json!({ "rating": rating })).await.expect_problem(422, "validation_failed");
    }
    confirm(&stage.resident.token, json!({"rating": 1})).await.expect_status(200);
    confirm(&stage.resident.token, json!({"rating": 1})).await.expect_problem(409, "invalid_transition");
});

/// A wish that was done half an hour ago.
async fn fulfilled(app: &TestApp, stage: &Stage) -> (String, String) {
    let (id, task_id) = stage.publish(app, json!({})).await;
    let claim_id = claim(app, &stage.volunteer, &task_id).await.id();
    app.clock.advance(TimeDelta::minutes(60));
    stage.serve(app, &stage.volunteer, &task_id, &claim_id).await;
    (id, task_id)
}

both!(a_dispute_is_decided_by_a_manager, async |app| {
    let stage = Stage::new(&app).await;
    for (decision, status) in [("confirm", "confirmed"), ("republish", "published")] {
        let (id, task_id) = fulfilled(&app, &stage).await;
        let arbitrate = async |token: &str, body: Value| app.by(token).post(&path(&id, "arbitration"), body).await;
        let body = json!({"decision": decision, "reason": "已电话核实"});
        arbitrate(&stage.manager.token, body.clone()).await.expect_problem(409, "invalid_transition");
        app.by(&stage.resident).post(&path(&id, "dispute"), json!({})).await.expect_problem(422, "validation_failed");
        let complaint = json!({"reason": "灯还是不亮"});
        let disputed = app.by(&stage.resident).post(&path(&id, "dispute"), complaint).await.expect_status(200).json();
        assert_eq!(disputed["status"], "disputed");
        assert_ne!(disputed["due_at"], Value::Null);
        app.by(&stage.resident)
            .post(&path(&id, "confirmation"), json!({"rating": 5}))
            .await
            .expect_problem(409, "invalid_transition");
        arbitrate(&stage.resident.token, body.clone()).await.expect_problem(403, "forbidden");
        let own = app.seed().staff(Role::Manager).being(&stage.resident).await;
        arbitrate(&own.token, body.clone()).await.expect_problem(403, "second_person_required");
        let arbitrated = arbitrate(&stage.manager.token, body.clone()).await.expect_status(200).json();
        assert_eq!(arbitrated["status"], status);
        assert_eq!(arbitrated["task_id"] == json!(task_id), decision == "confirm");
        arbitrate(&stage.manager.token, body).await.expect_problem(409, "invalid_transition");
        app.clock.advance(TimeDelta::hours(4));
    }
});

both!(a_confirmed_wish_is_reopened_within_the_programmes_days, async |app| {
    let stage = Stage::new(&app).await;
    let (id, first_task) = fulfilled(&app, &stage).await;
    let reopen = async |token: &str, body: Value| app.by(token).post(&path(&id, "reopening"), body).await;
    reopen(&stage.resident.token, json!({})).await.expect_problem(409, "invalid_transition");
    app.by(&stage.resident).post(&path(&id, "confirmation"), json!({"rating": 2})).await.expect_status(200);
    reopen(&stage.manager.token, json!({})).await.expect_problem(403, "forbidden");
    reopen(&stage.resident.token, json!({"window": window(&app, -60, -1)}))
        .await
        .expect_problem(422, "validation_failed");
    let reopened =
        reopen(&stage.resident.token, json!({"window": window(&app, 60, 120)})).await.expect_status(200).json();
    assert_eq!((&reopened["status"], &reopened["rating"]), (&json!("published"), &Value::Null));
    let second_task = reopened["task_id"].as_str().unwrap().to_owned();
    assert_ne!(second_task, first_task);

    // The same volunteer may do it again, and what happens now is the second task's.
    let claim_id = claim(&app, &stage.volunteer, &second_task).await.expect_status(201).id();
    app.clock.advance(TimeDelta::minutes(60));
    stage.serve(&app, &stage.volunteer, &second_task, &claim_id).await;
    app.by(&stage.resident).post(&path(&id, "confirmation"), json!({"rating": 5})).await.expect_status(200);
    app.clock.advance(TimeDelta::days(400));
    reopen(&stage.resident.token, json!({})).await.expect_problem(409, "invalid_transition");
});

both!(an_unclaimed_wish_expires_and_is_relisted_before_others, async |app| {
    let stage = Stage::new(&app).await;
    let (id, task_id) = stage.publish(&app, json!({"slots": 2})).await;
    let offered = app.seed().member().volunteer().await;
    let offers = json!({"member_ids": [offered.id], "expires_in_minutes": 1000});
    app.by(&stage.manager).post(&format!("/api/v1/tasks/{task_id}/offers"), offers).await.expect_status(201);
    let relist = async |body: Value| app.by(&stage.manager).post(&path(&id, "relisting"), body).await;
    relist(json!({})).await.expect_problem(409, "invalid_transition");
    app.clock.advance(TimeDelta::minutes(180) - TimeDelta::microseconds(1));
    assert_eq!(deadlines(&app).await, 0);
    app.clock.advance(TimeDelta::microseconds(1));
    assert!(deadlines(&app).await > 0);
    assert_eq!(wish(&app, &stage.resident, &id).await["status"], "expired");
    assert_eq!(task(&app, &stage.manager, &task_id).await["status"], "closed");
    assert_eq!(inbox(&app, &offered).await, ["claim.offered", "claim.lapsed"]);
    assert_eq!(inbox(&app, &stage.resident).await.last().unwrap(), "wish.expired");
    assert_eq!(deadlines(&app).await, 0);

    app.by(&stage.resident).post(&path(&id, "relisting"), json!({})).await.expect_problem(403, "forbidden");
    for round in 1..=2 {
        let relisted = relist(json!({})).await.expect_status(200).json();
        assert_eq!((&relisted["status"], &relisted["priority"]), (&json!("published"), &json!(round)));
        // The same weekday and time, a week later each.
        let from: chrono::DateTime<chrono::Utc> = relisted["window"]["from"].as_str().unwrap().parse().unwrap();
        assert_eq!(from, crate::support::at(TestApp::START) + TimeDelta::hours(1) + TimeDelta::weeks(round));
        app.clock.set(from + TimeDelta::hours(2));
        deadlines(&app).await;
        assert_eq!(wish(&app, &stage.resident, &id).await["status"], "expired");
    }

    // What was put up again comes first.
    let other = stage.post(&app, json!({"title": "买菜"})).await;
    stage.review(&app, &other).await;
    relist(json!({})).await.expect_status(200);
    let listed = app.by(&stage.manager).get("/api/v1/wishes?status=published").await.json();
    let ids: Vec<_> = listed["items"].as_array().unwrap().iter().map(|wish| wish["id"].clone()).collect();
    assert_eq!(ids, [json!(id), json!(other)]);
});

both!(nodes_expire_a_wish_once, async |app| {
    let stage = Stage::new(&app).await;
    for _ in 0..5 {
        stage.publish(&app, json!({})).await;
    }
    app.clock.advance(TimeDelta::hours(4));
    let other = app.second_node().await;
    // Without the lease: as if two nodes thought it was their turn.
    let now = app.clock.now();
    let expire = async |state: &linli::app::AppState| {
        let mut expired = 0;
        for id in linli::wish::follow::over(state.db.read(), now, 100).await.unwrap() {
            let done = state.db.write(async move |txn| linli::wish::follow::expire(txn, id, now).await).await.unwrap();
            expired += u32::from(done);
        }
        expired
    };
    let (first, second) = futures_util::join!(expire(&app.state), expire(&other.state));
    assert_eq!(first + second, 5);
    let told = inbox(&app, &stage.resident).await;
    assert_eq!(told.iter().filter(|kind| *kind == "wish.expired").count(), 5);
});

both!(clocks_run_and_run_out, async |app| {
    let stage = Stage::new(&app).await;
    let late = json!({"window": window(&app, 60 * 24 * 3, 60 * 24 * 3 + 60)});
    let id = stage.post(&app, late).await;
    let now = app.clock.now();
    let due = async |id: &str| {
        let shown = wish(&app, &stage.resident, id).await;
        (serde_json::from_value(shown["due_at"].clone()).unwrap(), shown["overdue"] == true)
    };
    assert_eq!(due(&id).await, (Some(now + TimeDelta::hours(24)), false));
    app.clock.advance(TimeDelta::hours(24) + TimeDelta::seconds(1));
    assert_eq!(due(&id).await, (Some(now + TimeDelta::hours(24)), true));
    let task_id = stage.review(&app, &id).await;
    assert_eq!(due(&id).await, (None, false));
    let claim_id = claim(&app, &stage.volunteer, &task_id).await.expect_status(201).id();
    // First contact within seven days, but not after the window.
    let until = now + TimeDelta::days(3) + TimeDelta::hours(1);
    assert_eq!(due(&id).await, (Some(until), false));
    app.by(&stage.volunteer).post(&format!("/api/v1/claims/{claim_id}/withdrawal"), json!({})).await.expect_status(200);
    assert_eq!(due(&id).await, (None, false));
    let claim_id = claim(&app, &stage.volunteer, &task_id).await.expect_status(201).id();
    app.clock.set(now + TimeDelta::days(3));
    stage.check_in(&app, &stage.volunteer, &task_id, &claim_id).await.expect_status(200);
    assert_eq!(due(&id).await, (Some(until + TimeDelta::hours(24)), false));
});

both!(clocks_are_settings, async |app| {
    let stage = Stage::new(&app).await;
    let setting =
        entity::setting::Model { key: "wish.answer_hours".into(), value: json!(2), updated_at: app.clock.now() };
    app.seed().insert(vec![entity::setting::ActiveModel::from(setting)]).await;
    let id = stage.post(&app, json!({})).await;
    let due = wish(&app, &stage.resident, &id).await["due_at"].clone();
    assert_eq!(due, json!(app.clock.now() + TimeDelta::hours(2)));
});

both!(who_sees_a_wish, async |app| {
    let stage = Stage::new(&app).await;
    let (id, task_id) = stage.publish(&app, json!({})).await;
    let claim_id = claim(&app, &stage.volunteer, &task_id).await.id();
    let neighbour = app.seed().member().volunteer().await;
    let sister = app.seed().staff(Role::Manager).in_region(SISTER).await;
    let elsewhere = app.seed().staff(Role::Admin).in_region(FOREIGN).await;
    let here = app.seed().staff(Role::Auditor).in_region(COMMUNITY).await;
    let above = app.seed().staff(Role::GridWorker).in_region(DISTRICT).await;
    let url = format!("/api/v1/wishes/{id}");
    let unknown = format!("/api/v1/wishes/{}", WishId::new());
    for (token, sees) in [
        (&stage.resident.token, true),
        (&stage.volunteer.token, true),
        (&here.token, true),
        (&above.token, true),
        (&neighbour.token, false),
        (&sister.token, false),
        (&elsewhere.token, false),
    ] {
        let answer = app.by(token).get(&url).await;
        let listed =
            app.by(token).get("/api/v1/wishes").await.expect_status(200).json()["items"].as_array().unwrap().len();
        assert_eq!(listed, usize::from(sees));
        if sees {
            answer.expect_status(200);
        } else {
            let nobodys = app.by(token).get(&unknown).await.expect_problem(404, "not_found");
            assert_eq!(answer.expect_problem(404, "not_found").body, nobodys.body);
            for action in ["cancellation", "confirmation", "dispute", "reopening"] {
                let answer = app.by(token).post(&path(&id, action), json!({"rating": 5, "reason": "x"})).await;
                assert!([403, 404].contains(&answer.status), "{action}: {}", answer.text());
            }
        }
    }
    for bad in ["0", "not-an-id", "00000000-0000-0000-0000-000000000000"] {
        app.by(&stage.manager).get(&format!("/api/v1/wishes/{bad}")).await.expect_problem(404, "not_found");
    }
    app.get(&url).await.expect_problem(401, "unauthenticated");
    app.by(&stage.volunteer).post(&format!("/api/v1/claims/{claim_id}/withdrawal"), json!({})).await.expect_status(200);
    app.by(&stage.volunteer).get(&url).await.expect_problem(404, "not_found");
});

both!(contact_is_shown_while_the_claim_is_open_and_each_look_is_audited, async |app| {
    let stage = Stage::new(&app).await;
    let (id, task_id) = stage.publish(&app, json!({})).await;
    let claim_id = claim(&app, &stage.volunteer, &task_id).await.id();
    let looks = async || {
        use entity::audit::{Column, Entity};
        Entity::find().filter(Column::Action.eq("wish.contact")).all(app.state.db.read()).await.unwrap()
    };
    assert!(looks().await.is_empty());
    let seen = wish(&app, &stage.volunteer, &id).await;
    let expected = json!({"name": "李秀兰", "phone": stage.resident.phone, "address": "幸福里3号楼2单元501"});
    assert_eq!(seen["contact"], expected);
    wish(&app, &stage.volunteer, &id).await;
    let looked = looks().await;
    assert_eq!(looked.len(), 2);
    assert_eq!(looked[0].actor_id, Some(stage.volunteer.id.0));
    assert_eq!(looked[0].object_id.as_deref(), Some(id.as_str()));

    // Neither lists nor staff nor the table show it.
    for token in [&stage.volunteer.token, &stage.manager.token] {
        let listed = app.by(token).get("/api/v1/wishes").await.expect_status(200).text();
        assert!(!listed.contains("幸福里") && !listed.contains(&stage.resident.phone));
    }
    let shown = app.by(&stage.manager).get(&format!("/api/v1/wishes/{id}")).await.expect_status(200).text();
    assert!(!shown.contains("幸福里") && !shown.contains(&stage.resident.phone));
    assert!(!task(&app, &stage.volunteer, &task_id).await.to_string().contains("幸福里"));
    let row = entity::wish::Entity::find_by_id(id.parse::<WishId>().unwrap())
        .one(app.state.db.read())
        .await
        .unwrap()
        .unwrap();
    let sealed = row.address_sealed.unwrap();
    assert!(!sealed.windows(9).any(|bytes| bytes == "幸福里".as_bytes()));

    app.clock.advance(TimeDelta::minutes(60));
    stage.serve(&app, &stage.volunteer, &task_id, &claim_id).await;
    app.by(&stage.volunteer).get(&format!("/api/v1/wishes/{id}")).await.expect_problem(404, "not_found");
    // The requester knows who came, by a masked name.
    assert_eq!(wish(&app, &stage.resident, &id).await["volunteers"][0]["name"], "张*");
});

both!(lists_are_paged_and_filtered, async |app| {
    let stage = Stage::new(&app).await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(stage.post(&app, json!({})).await);
    }
    ids.reverse();
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page =
            app.by(&stage.manager).get(&format!("/api/v1/wishes?limit=2{cursor}")).await.expect_status(200).json();
        found.extend(page["items"].as_array().unwrap().iter().map(|wish| wish["id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(found, ids);
    let count = async |query: &str| {
        let listed = app.by(&stage.manager).get(&format!("/api/v1/wishes?{query}")).await.expect_status(200).json();
        listed["items"].as_array().unwrap().len()
    };
    assert_eq!(count("status=submitted").await, 5);
    assert_eq!(count("status=published").await, 0);
    assert_eq!(count(&format!("region={COMMUNITY}")).await, 5);
    assert_eq!(count(&format!("region={SISTER}")).await, 0);
    assert_eq!(count("mine=true").await, 5);
    for bad in ["status=open", "limit=0", "limit=101", "cursor=x", "mine=yes", "region=abc"] {
        app.by(&stage.manager).get(&format!("/api/v1/wishes?{bad}")).await.expect_problem(422, "validation_failed");
    }
    let neighbour = app.seed().member().await;
    assert_eq!(app.by(&neighbour).get("/api/v1/wishes?mine=true").await.json()["items"], json!([]));
});

both!(a_post_under_a_key_happens_once, async |app| {
    let stage = Stage::new(&app).await;
    let body = wish_body(&app, json!({}));
    let first = app.by(&stage.resident).post("/api/v1/wishes", body.clone()).key("k").await.expect_status(201);
    let again = app.by(&stage.resident).post("/api/v1/wishes", body).key("k").await.expect_status(201);
    assert!(again.is_replayed());
    assert_eq!(again.body, first.body);
    let other = wish_body(&app, json!({"title": "买菜"}));
    app.by(&stage.resident).post("/api/v1/wishes", other).key("k").await.expect_problem(422, "idempotency_key_reused");
});

both!(every_body_refuses_what_it_does_not_know, async |app| {
    let stage = Stage::new(&app).await;
    let id = stage.post(&app, json!({})).await;
    let calls = [
        (&stage.manager.token, "review", json!({"decision": "publish", "risk_notice": "x"})),
        (&stage.resident.token, "cancellation", json!({})),
        (&stage.resident.token, "confirmation", json!({"rating": 5})),
        (&stage.resident.token, "dispute", json!({"reason": "x"})),
        (&stage.manager.token, "arbitration", json!({"decision": "confirm", "reason": "x"})),
        (&stage.resident.token, "reopening", json!({})),
        (&stage.manager.token, "relisting", json!({})),
    ];
    for (token, action, mut body) in calls {
        for column in ["status", "priority", "requester_id", "task_id", "points"] {
            body[column] = json!("published");
            let refused =
                app.by(token).post(&path(&id, action), body.clone()).await.expect_problem(422, "validation_failed");
            assert!(refused.text().contains("unknown_field"), "{action}");
            body.as_object_mut().unwrap().remove(column);
        }
    }
    assert_eq!(wish(&app, &stage.resident, &id).await["status"], "submitted");
});
