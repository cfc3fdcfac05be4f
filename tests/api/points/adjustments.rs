//! Points by hand: who may, for whom, how much, and with whom.

use ::entity::staff::Role;
use serde_json::{Value, json};

use super::{assert_in_order, give, sums};
use crate::support::{Answer, FOREIGN, Member, Staff, TestApp, at_once};

fn body(member: &Member, direction: &str, amount: &str) -> Value {
    json!({"member_id": member.id, "programme": "default", "direction": direction, "amount": amount, "reason": "活动补记"})
}

async fn adjust(app: &TestApp, who: &Staff, key: &str, body: Value) -> Answer {
    app.by(who).post("/api/v1/points/adjustments", body).key(key).await
}

both!(a_manager_gives_and_takes_once_per_key, async |app| {
    let member = app.seed().member().await;
    let manager = app.seed().staff(Role::Manager).await;
    let given = adjust(&app, &manager, "k1", body(&member, "grant", "100")).await.expect_status(201);
    assert_eq!(given.at("/status"), "posted");
    assert_eq!(given.at("/amount"), "100.00");
    let again = adjust(&app, &manager, "k1", body(&member, "grant", "100")).await.expect_status(201);
    assert!(again.is_replayed());
    assert_eq!(again.body, given.body);
    adjust(&app, &manager, "k1", body(&member, "grant", "99")).await.expect_problem(422, "idempotency_key_reused");
    adjust(&app, &manager, "k2", body(&member, "deduct", "30.5")).await.expect_status(201);
    adjust(&app, &manager, "k3", body(&member, "deduct", "69.51")).await.expect_problem(409, "insufficient_points");
    assert_eq!(sums(&app, &member).await, ["69.50", "0.00", "69.50"]);
    let entries = app.by(&member).get("/api/v1/me/points/entries").await.json();
    assert_eq!(entries["items"][0]["reason"], "活动补记");
    assert_eq!(entries["items"][1]["source_id"], given.at("/id"));
    assert_in_order(&app).await;
});

both!(twenty_deductions_at_once_of_what_covers_one, async |app| {
    let member = app.seed().member().await;
    let manager = app.seed().staff(Role::Manager).await;
    give(&app, &member, 1000).await;
    let calls = (0..20).map(|number| {
        let call = app.by(&manager).post("/api/v1/points/adjustments", body(&member, "deduct", "10"));
        call.key(&format!("k{number}"))
    });
    let answers = at_once(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert!(answers.iter().all(|answer| answer.status == 201 || answer.code() == "insufficient_points"));
    assert_in_order(&app).await;
});

both!(only_managers_of_the_subtree_adjust_and_never_for_themselves, async |app| {
    let member = app.seed().member().await;
    let (clerk, auditor) = (app.seed().staff(Role::Clerk).await, app.seed().staff(Role::Auditor).await);
    let foreign = app.seed().staff(Role::Admin).in_region(FOREIGN).await;
    let own = app.seed().staff(Role::Manager).being(&member).await;
    let grant = body(&member, "grant", "1");
    adjust(&app, &clerk, "k", grant.clone()).await.expect_problem(403, "forbidden");
    adjust(&app, &auditor, "k", grant.clone()).await.expect_problem(403, "forbidden");
    app.by(&member).post("/api/v1/points/adjustments", grant.clone()).key("k").await.expect_problem(403, "forbidden");
    adjust(&app, &foreign, "k", grant.clone()).await.expect_problem(404, "not_found");
    adjust(&app, &own, "k", grant.clone()).await.expect_problem(403, "second_person_required");
    app.by(&own).post("/api/v1/points/adjustments", grant).await.expect_problem(400, "idempotency_key_required");
    assert_eq!(sums(&app, &member).await[0], "0.00");
});

both!(a_large_grant_waits_for_another_person, async |app| {
    let member = app.seed().member().await;
    let person = app.seed().member().await;
    let asking = app.seed().staff(Role::Manager).being(&person).await;
    let same_person = app.seed().staff(Role::Manager).being(&person).await;
    let own = app.seed().staff(Role::Manager).being(&member).await;
    let other = app.seed().staff(Role::Manager).await;
    let foreign = app.seed().staff(Role::Manager).in_region(FOREIGN).await;
    let pending = adjust(&app, &asking, "k1", body(&member, "grant", "100.01")).await.expect_status(201);
    assert_eq!(pending.at("/status"), "pending");
    assert_eq!(sums(&app, &member).await[0], "0.00");
    let path = format!("/api/v1/points/adjustments/{}/approval", pending.id());
    app.by(&asking).post(&path, json!({})).await.expect_problem(403, "second_person_required");
    app.by(&same_person).post(&path, json!({})).await.expect_problem(403, "second_person_required");
    app.by(&own).post(&path, json!({})).await.expect_problem(403, "second_person_required");
    app.by(&foreign).post(&path, json!({})).await.expect_problem(404, "not_found");
    app.by(&other).post(&path, json!({"decision": "perhaps"})).await.expect_problem(422, "validation_failed");
    let waiting = app.by(&other).get("/api/v1/points/adjustments?status=pending").await.expect_status(200).json();
    assert_eq!(waiting["items"].as_array().unwrap().len(), 1);
    let answers = at_once((0..5).map(|_| app.by(&other).post(&path, json!({})))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert!(answers.iter().all(|answer| answer.status == 200 || answer.code() == "invalid_transition"));
    assert_eq!(sums(&app, &member).await[0], "100.01");
    let refused = adjust(&app, &asking, "k2", body(&member, "grant", "5000")).await.expect_status(201);
    let path = format!("/api/v1/points/adjustments/{}/approval", refused.id());
    let rejected = app.by(&other).post(&path, json!({"decision": "reject"})).await.expect_status(200);
    assert_eq!(rejected.at("/status"), "rejected");
    app.by(&other).post(&path, json!({})).await.expect_problem(409, "invalid_transition");
    assert_eq!(sums(&app, &member).await[0], "100.01");
    assert_in_order(&app).await;
});

both!(hostile_amounts_are_refused_and_change_nothing, async |app| {
    let member = app.seed().member().await;
    let manager = app.seed().staff(Role::Manager).await;
    let hostile = [
        "",
        "0",
        "-1",
        "+5",
        "1e2",
        "12.505",
        "NaN",
        "Infinity",
        "1e308",
        "٣",
        "１２",
        "9223372036854775807",
        "-0",
        "0x10",
        "1,0",
    ];
    let values =
        hostile.iter().map(|text| json!(text)).chain([json!(5), json!(1.5), json!(null), json!([]), json!(true)]);
    for (number, value) in values.enumerate() {
        let mut body = body(&member, "grant", "1");
        body["amount"] = value;
        let refused =
            adjust(&app, &manager, &format!("k{number}"), body).await.expect_problem(422, "validation_failed");
        assert_eq!(refused.at("/errors/0/field"), "amount");
    }
    for (field, value) in [
        ("reason", json!("")),
        ("reason", json!("x\u{202e}y")),
        ("reason", json!("长".repeat(201))),
        ("programme", json!("none")),
        ("direction", json!("give")),
        ("points", json!("1")),
    ] {
        let mut body = body(&member, "grant", "1");
        body[field] = value;
        let refused = adjust(&app, &manager, field, body).await.expect_problem(422, "validation_failed");
        assert_eq!(refused.at("/errors/0/field"), field);
    }
    let mut nobody = body(&member, "grant", "1");
    nobody["member_id"] = json!("00000000-0000-7000-8000-000000000000");
    adjust(&app, &manager, "nobody", nobody).await.expect_problem(404, "not_found");
    assert_eq!(sums(&app, &member).await[0], "0.00");
});
