//! A month's scores of households: all or none, each told by its place, once for each item.

use ::entity::id::HouseholdId;
use ::entity::merit as rows;
use ::entity::rule::{RuleBasis, Subject};
use ::entity::staff::Role;
use sea_orm::{EntityTrait as _, PaginatorTrait as _};
use serde_json::{Value, json};

use super::{allow_negative, approve, decide, household_of, inbox, reverse, rule};
use crate::points::{assert_in_order, give, sums};
use crate::support::{Answer, FOREIGN, Staff, TestApp, at_once};

async fn rules(app: &TestApp) {
    rule(app, Subject::HouseholdScore, Some("tidy"), RuleBasis::Event, 300).await;
    rule(app, Subject::HouseholdScore, Some("recycling"), RuleBasis::Item, 50).await;
    rule(app, Subject::HouseholdScore, Some("blocked_stairs"), RuleBasis::Event, -200).await;
}

fn score(household: HouseholdId, item: &str) -> Value {
    json!({"household_id": household, "item": item})
}

async fn send(app: &TestApp, who: &Staff, key: &str, period: &str, scores: Value) -> Answer {
    let body = json!({"period": period, "scores": scores});
    app.by(who).post("/api/v1/merits/household-scores", body).key(key).await
}

async fn approve_all(app: &TestApp, who: &Staff, key: &str, ids: &[String]) -> Answer {
    app.by(who).post("/api/v1/merits/approvals", json!({"merit_ids": ids})).key(key).await
}

fn ids(answer: &Answer) -> Vec<String> {
    let items = answer.json()["items"].as_array().unwrap().clone();
    items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

/// Fields and codes of a 422.
fn told(answer: &Answer) -> Vec<(String, String)> {
    let errors = answer.problem()["errors"].as_array().unwrap().clone();
    let text = |error: &Value, name: &str| error[name].as_str().unwrap().to_owned();
    errors.iter().map(|error| (text(error, "field"), text(error, "code"))).collect()
}

both!(a_month_is_scored_and_approved_in_two_calls, async |app| {
    rules(&app).await;
    allow_negative(&app).await;
    let (head, wife, neighbour) = (app.seed().member().await, app.seed().member().await, app.seed().member().await);
    let first = household_of(&app, &[&head, &wife]).await;
    let second = household_of(&app, &[&neighbour]).await;
    let worker = app.seed().staff(Role::GridWorker).await;
    let manager = app.seed().staff(Role::Manager).await;
    give(&app, &neighbour, 150).await;
    let scores = json!([
        score(first, "tidy"),
        {"household_id": first, "item": "recycling", "quantity": 7},
        {"household_id": second, "item": "blocked_stairs", "reason": "楼道堆物，劝阻两次"},
    ]);
    let entered = send(&app, &worker, "s", "2026-10", scores.clone()).await.expect_status(201);
    assert!(send(&app, &worker, "s", "2026-10", scores).await.is_replayed());
    assert_eq!(
        (entered.at("/items/0/member_id"), entered.at("/items/0/period")),
        (head.id.to_string(), "2026-10".to_owned())
    );
    assert_eq!(entered.at("/items/0/happened_on"), "2026-10-31");
    let ids = ids(&entered);
    approve_all(&app, &worker, "x", &ids).await.expect_problem(403, "forbidden");
    let approved = approve_all(&app, &manager, "a", &ids).await.expect_status(201);
    let points: Vec<String> = (0..3).map(|place| approved.at(&format!("/items/{place}/points"))).collect();
    assert_eq!(points, ["3.00", "3.50", "-2.00"]);
    assert_eq!(approved.at("/items/2/shortfall"), "0.50");
    assert_eq!(sums(&app, &head).await[0], "6.50");
    assert_eq!(sums(&app, &neighbour).await[0], "0.00");
    // What one of them did costs the others nothing.
    assert_eq!(inbox(&app, &wife).await, Vec::new());
    assert!(inbox(&app, &neighbour).await[0].1.contains("2026-10"));
    approve_all(&app, &manager, "b", &ids).await.expect_problem(422, "validation_failed");
    assert_in_order(&app).await;
});

both!(one_bad_row_refuses_all_and_is_named, async |app| {
    rules(&app).await;
    let (head, own) = (app.seed().member().await, app.seed().member().await);
    let good = household_of(&app, &[&head]).await;
    let mine = household_of(&app, &[&own]).await;
    let worker = app.seed().staff(Role::GridWorker).being(&own).await;
    let refused = send(
        &app,
        &worker,
        "a",
        "2026-11",
        json!([score(good, "tidy"), score(HouseholdId::new(), "tidy"), score(mine, "tidy"), score(good, "tidy")]),
    );
    assert_eq!(
        told(&refused.await.expect_problem(422, "validation_failed")),
        [
            ("scores[1].household_id", "invalid"),
            ("scores[2].household_id", "invalid"),
            ("scores[3].item", "already_scored")
        ]
        .map(|(field, code)| (field.to_owned(), code.to_owned()))
    );
    let rows_of = json!([score(good, "tidy"), score(good, "unheard_of"), score(good, "blocked_stairs")]);
    let refused = send(&app, &worker, "b", "2026-11", rows_of.clone()).await.expect_problem(422, "validation_failed");
    assert_eq!(
        told(&refused).iter().map(|(field, _)| field.as_str()).collect::<Vec<_>>(),
        ["scores[1].item", "scores[2].item"]
    );
    allow_negative(&app).await;
    let refused = send(&app, &worker, "c", "2026-11", rows_of).await.expect_problem(422, "validation_failed");
    let expected = [("scores[1].item", "invalid"), ("scores[2].reason", "required")];
    assert_eq!(told(&refused), expected.map(|(field, code)| (field.to_owned(), code.to_owned())));
    for period in ["2026-12", "2026-08", "2026-13", "2026", "all", "2026-Q4"] {
        let refused = send(&app, &worker, period, period, json!([score(good, "tidy")])).await;
        let expected = if period == "2026-08" { 201 } else { 422 };
        assert_eq!(refused.status, expected, "{period}: {}", refused.text());
    }
    send(&app, &worker, "old", "2026-07", json!([score(good, "tidy")])).await.expect_problem(422, "validation_failed");
    send(&app, &worker, "none", "2026-11", json!([])).await.expect_problem(422, "validation_failed");
    let many: Vec<Value> = (0..201).map(|_| score(good, "tidy")).collect();
    send(&app, &worker, "many", "2026-11", json!(many)).await.expect_problem(422, "validation_failed");
    let foreign = app.seed().staff(Role::GridWorker).in_region(FOREIGN).await;
    let refused = send(&app, &foreign, "f", "2026-11", json!([score(good, "tidy")])).await;
    assert_eq!(told(&refused.expect_problem(422, "validation_failed"))[0].0, "scores[0].household_id");
    assert_eq!(rows::Entity::find().count(&app.database.connect().await).await.unwrap(), 1);
});

both!(a_household_has_one_score_of_an_item_and_month, async |app| {
    rules(&app).await;
    let head = app.seed().member().await;
    let household = household_of(&app, &[&head]).await;
    let worker = app.seed().staff(Role::GridWorker).await;
    let manager = app.seed().staff(Role::Manager).await;
    let calls = (0..5).map(|number| {
        let body = json!({"period": "2026-11", "scores": [score(household, "tidy")]});
        app.by(&worker).post("/api/v1/merits/household-scores", body).key(&format!("k{number}"))
    });
    let answers = at_once(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert!(answers.iter().all(|answer| match answer.status {
        201 => true,
        409 => answer.code() == "already_scored",
        _ => told(answer) == [("scores[0].item".to_owned(), "already_scored".to_owned())],
    }));
    let id = ids(answers.iter().find(|answer| answer.status == 201).unwrap())[0].clone();
    // Another item and another month are others.
    send(&app, &worker, "i", "2026-11", json!([score(household, "recycling")])).await.expect_status(201);
    send(&app, &worker, "m", "2026-10", json!([score(household, "tidy")])).await.expect_status(201);
    approve(&app, &manager, &id).await.expect_status(200);
    send(&app, &worker, "again", "2026-11", json!([score(household, "tidy")]))
        .await
        .expect_problem(422, "validation_failed");
    reverse(&app, &manager, &id, "r").await.expect_status(200);
    let second = send(&app, &worker, "anew", "2026-11", json!([score(household, "tidy")])).await.expect_status(201);
    let id = ids(&second)[0].clone();
    decide(&app, &manager, &id, json!({"decision": "reject", "reason": "重新评"})).await.expect_status(200);
    send(&app, &worker, "third", "2026-11", json!([score(household, "tidy")])).await.expect_status(201);
    let path = format!("/api/v1/merits?household={household}&kind=household_score");
    assert_eq!(app.by(&manager).get(&path).await.json()["items"].as_array().unwrap().len(), 5);
    assert_in_order(&app).await;
});

both!(nobody_approves_for_their_own_household, async |app| {
    rules(&app).await;
    let (head, wife) = (app.seed().member().await, app.seed().member().await);
    let household = household_of(&app, &[&head, &wife]).await;
    let worker = app.seed().staff(Role::GridWorker).await;
    let related = app.seed().staff(Role::Manager).being(&wife).await;
    let manager = app.seed().staff(Role::Manager).await;
    let other = household_of(&app, &[&app.seed().member().await]).await;
    let entered = send(&app, &worker, "s", "2026-11", json!([score(other, "tidy"), score(household, "tidy")])).await;
    let ids = ids(&entered.expect_status(201));
    approve(&app, &related, &ids[1]).await.expect_problem(403, "second_person_required");
    let refused = approve_all(&app, &related, "a", &ids).await.expect_problem(422, "validation_failed");
    assert_eq!(told(&refused), [("merit_ids[1]".to_owned(), "invalid".to_owned())]);
    let unknown = [ids[0].clone(), "0199a0b0-0000-7000-8000-000000000002".to_owned()];
    let refused = approve_all(&app, &manager, "b", &unknown).await.expect_problem(422, "validation_failed");
    assert_eq!(told(&refused), [("merit_ids[1]".to_owned(), "invalid".to_owned())]);
    let twice = [ids[0].clone(), ids[0].clone()];
    let refused = approve_all(&app, &manager, "c", &twice).await.expect_problem(422, "validation_failed");
    assert_eq!(told(&refused), [("merit_ids[1]".to_owned(), "invalid".to_owned())]);
    approve_all(&app, &manager, "d", &ids).await.expect_status(201);
    assert_eq!(sums(&app, &head).await[0], "3.00");
    assert_in_order(&app).await;
});
