//! Grants to the neediest, donated points given on, and notices of what expires.

use ::entity::id::JournalId;
use ::entity::journal::JournalKind;
use ::entity::programme;
use ::entity::staff::Role;
use ::entity::{audit, member};
use chrono::{Days, TimeDelta};
use linli::identity::sealed::seal_special_group;
use linli::jobs::run_once;
use linli::points::{self, OnEmpty};
use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, Set};
use serde_json::{Value, json};

use super::gifts::{cap, rule};
use super::{Draft, assert_in_order, give, sums};
use crate::support::{Answer, COMMUNITY, DISTRICT, FOREIGN, Member, SISTER, Staff, TestApp, at_once};

async fn grant(app: &TestApp, who: &Staff, change: Value) -> Answer {
    let mut body = json!({"programme": "default", "amount_each": "10", "region_code": COMMUNITY, "reason": "节日慰问"});
    body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    app.by(who).post("/api/v1/points/grants", body).key(&JournalId::new().to_string()).await
}

/// Puts a member into a special group.
async fn special(app: &TestApp, member: &Member, group: &str) {
    let sealed = seal_special_group(&app.state.keys, group);
    let row = member::ActiveModel { id: Set(member.id), special_group_sealed: Set(Some(sealed)), ..Default::default() };
    app.state.db.write(async move |txn| row.clone().update(txn).await).await.unwrap();
}

fn ids(answer: &Answer) -> Vec<String> {
    let members = answer.json()["members"].as_array().unwrap().clone();
    members.iter().map(|row| row["member_id"].as_str().unwrap().to_owned()).collect()
}

fn sorted(members: &[&Member]) -> Vec<String> {
    let mut ids: Vec<_> = members.iter().map(|member| member.id.to_string()).collect();
    ids.sort();
    ids
}

both!(the_neediest_are_given_the_same, async |app| {
    let manager = app.seed().staff(Role::Manager).await;
    let (rich, poor, lonely, old) =
        (app.seed().member().await, app.seed().member().await, app.seed().member().await, app.seed().member().await);
    let stranger = app.seed().member().in_region(SISTER).await;
    give(&app, &rich, 5000).await;
    give(&app, &lonely, 6000).await;
    give(&app, &old, 7000).await;
    special(&app, &lonely, "A1").await;
    special(&app, &old, "A3").await;
    // Any special group comes first, then who has least.
    let tried = grant(&app, &manager, json!({"count": 3, "dry_run": true})).await.expect_status(201);
    assert_eq!(ids(&tried), sorted(&[&poor, &lonely, &old]));
    assert_eq!(
        (tried.at("/id"), tried.at("/total"), tried.at("/status")),
        ("null".into(), "30.00".into(), "posted".into())
    );
    assert_eq!(sums(&app, &poor).await[0], "0.00");
    let tried = grant(&app, &manager, json!({"count": 1, "special_groups": ["A3"], "dry_run": true})).await;
    assert_eq!(ids(&tried.expect_status(201)), sorted(&[&old]));
    let tried = grant(&app, &manager, json!({"count": 2, "special_groups": [], "dry_run": true})).await;
    assert_eq!(ids(&tried.expect_status(201)), sorted(&[&poor, &rich]));
    let given = grant(&app, &manager, json!({"count": 3})).await.expect_status(201);
    assert_eq!(given.at("/status"), "posted");
    assert!(!given.text().contains("A1") && !given.text().contains("special"), "{}", given.text());
    for (member, sum) in [(&poor, "10.00"), (&lonely, "70.00"), (&old, "80.00"), (&rich, "50.00"), (&stranger, "0.00")]
    {
        assert_eq!(sums(&app, member).await[0], sum);
    }
    let path = format!("/api/v1/points/grants/{}", given.id());
    assert_eq!(ids(&app.by(&manager).get(&path).await.expect_status(200)), ids(&given));
    let listed = app.by(&manager).get("/api/v1/points/grants").await.expect_status(200).json();
    assert_eq!((&listed["items"][0]["count"], &listed["items"][0]["members"]), (&json!(3), &json!([])));
    // Who was read is written down, and finds it in the export.
    let db = app.database.connect().await;
    let read = audit::Entity::find().filter(audit::Column::Action.eq("member.disclose"));
    let of = |member: &Member| read.clone().filter(audit::Column::ObjectId.eq(member.id.to_string()));
    assert_eq!((of(&poor).count(&db).await.unwrap(), of(&lonely).count(&db).await.unwrap()), (0, 2));
    let export = app.by(&lonely).get("/api/v1/me/export").await.json();
    assert_eq!(export["disclosures"][0]["reason"], "节日慰问");
    assert_eq!(app.by(&poor).get("/api/v1/me/inbox").await.json()["items"][0]["kind"], "points.grant");
    // Those who have waited longest come first among equals.
    give(&app, &poor, 4000).await;
    let tried = grant(&app, &manager, json!({"count": 1, "special_groups": [], "dry_run": true})).await;
    assert_eq!(ids(&tried.expect_status(201)), sorted(&[&rich]));
    assert_in_order(&app).await;
});

both!(a_large_round_waits_for_another_manager, async |app| {
    let mut members = Vec::new();
    for _ in 0..11 {
        members.push(app.seed().member().await);
    }
    let person = app.seed().member().in_region(SISTER).await;
    let asking = app.seed().staff(Role::Manager).being(&person).await;
    let same_person = app.seed().staff(Role::Manager).being(&person).await;
    let own = app.seed().staff(Role::Manager).being(&members[0]).await;
    let (other, foreign) =
        (app.seed().staff(Role::Manager).await, app.seed().staff(Role::Manager).in_region(FOREIGN).await);
    grant(&app, &asking, json!({"count": 10})).await.expect_status(201);
    let pending = grant(&app, &asking, json!({"count": 11})).await.expect_status(201);
    assert_eq!(pending.at("/status"), "pending");
    let path = format!("/api/v1/points/grants/{}/approval", pending.id());
    app.by(&asking).post(&path, json!({})).await.expect_problem(403, "second_person_required");
    app.by(&same_person).post(&path, json!({})).await.expect_problem(403, "second_person_required");
    app.by(&own).post(&path, json!({})).await.expect_problem(403, "second_person_required");
    app.by(&foreign).post(&path, json!({})).await.expect_problem(404, "not_found");
    // A grant of a round is not decided by itself.
    let waiting = app.by(&other).get("/api/v1/points/adjustments?status=pending").await.json();
    let one = format!("/api/v1/points/adjustments/{}/approval", waiting["items"][0]["id"].as_str().unwrap());
    app.by(&other).post(&one, json!({})).await.expect_problem(409, "invalid_transition");
    assert_in_order(&app).await;
    let node = app.second_node().await;
    let calls = (0..4).map(|number| if number % 2 == 0 { app.by(&other) } else { node.by(&other) });
    let answers = at_once(calls.map(|user| user.post(&path, json!({})))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert!(answers.iter().all(|answer| answer.status == 200 || answer.code() == "invalid_transition"));
    assert!(matches!(sums(&app, &members[3]).await[0].as_str(), "10.00" | "20.00"));
    let refused = grant(&app, &asking, json!({"count": 11})).await.expect_status(201);
    let path = format!("/api/v1/points/grants/{}/approval", refused.id());
    app.by(&other).post(&path, json!({"decision": "reject"})).await.expect_status(200);
    app.by(&other).post(&path, json!({})).await.expect_problem(409, "invalid_transition");
    // Somebody closed their account meanwhile: nobody is given anything.
    let late = grant(&app, &asking, json!({"member_ids": [members[1].id, members[2].id], "amount_each": "60"})).await;
    let late = late.expect_status(201);
    app.by(&members[1]).delete("/api/v1/me").await.expect_status(204);
    let before = sums(&app, &members[2]).await;
    let path = format!("/api/v1/points/grants/{}/approval", late.id());
    app.by(&other).post(&path, json!({})).await.expect_problem(409, "account_closed");
    assert_eq!(sums(&app, &members[2]).await, before);
    assert_in_order(&app).await;
});

both!(a_round_is_refused_by_name, async |app| {
    let member = app.seed().member().await;
    let stranger = app.seed().member().in_region(SISTER).await;
    let manager = app.seed().staff(Role::Manager).await;
    let clerk = app.seed().staff(Role::Clerk).await;
    let own = app.seed().staff(Role::Manager).being(&member).await;
    grant(&app, &clerk, json!({"count": 1})).await.expect_problem(403, "forbidden");
    for (change, field) in [
        (json!({}), "count"),
        (json!({"count": 1, "member_ids": [member.id]}), "member_ids"),
        (json!({"count": 0}), "count"),
        (json!({"count": 501}), "count"),
        (json!({"member_ids": [stranger.id]}), "member_ids"),
        (json!({"count": 1, "region_code": FOREIGN}), "region_code"),
        (json!({"count": 1, "region_code": "130302001999"}), "region_code"),
        (json!({"count": 1, "region_code": DISTRICT, "from": "donations"}), "region_code"),
        (json!({"count": 1, "programme": "none"}), "programme"),
        (json!({"count": 1, "amount_each": "0"}), "amount_each"),
        (json!({"count": 1, "budget_id": "0199a0b0-0000-7000-8000-000000000002"}), "budget_id"),
    ] {
        let refused = grant(&app, &manager, change.clone()).await.expect_problem(422, "validation_failed");
        assert_eq!(refused.at("/errors/0/field"), field, "{change}");
    }
    grant(&app, &own, json!({"member_ids": [member.id]})).await.expect_problem(403, "second_person_required");
    // The only one there is the manager.
    grant(&app, &own, json!({"count": 1})).await.expect_problem(409, "nobody_to_grant");
    rule(&app, programme::ActiveModel { budget_required: Set(true), ..Default::default() }).await;
    grant(&app, &manager, json!({"count": 1})).await.expect_problem(409, "budget_exhausted");
    grant(&app, &manager, json!({"count": 1, "from": "donations"})).await.expect_problem(409, "insufficient_points");
    assert_eq!(sums(&app, &member).await[0], "0.00");
    assert_in_order(&app).await;
});

both!(what_was_donated_is_given_on_and_no_more, async |app| {
    cap(&app, Some(1000)).await;
    let manager = app.seed().staff(Role::Manager).await;
    let (rich, poor, other) = (app.seed().member().await, app.seed().member().await, app.seed().member().await);
    let draft = Draft::new(&app, JournalKind::Earn, &rich, 4000);
    let issue = async move |txn: &linli::db::Txn| points::issue(txn, &draft.posting(), OnEmpty::Refuse).await;
    app.state.db.write(issue).await.unwrap();
    let standing = async || {
        let listed = app.by(&manager).get("/api/v1/points/donations?programme=default").await.expect_status(200).json();
        listed["items"][0]["amount"].clone()
    };
    assert_eq!(standing().await, "30.00");
    let foreign = app.seed().staff(Role::Manager).in_region(FOREIGN).await;
    assert_eq!(app.by(&foreign).get("/api/v1/points/donations").await.json()["items"], json!([]));
    let people = json!([poor.id, other.id]);
    let change = json!({"member_ids": people, "from": "donations", "amount_each": "9"});
    grant(&app, &manager, change.clone()).await.expect_status(201);
    assert_eq!((sums(&app, &poor).await[0].as_str(), standing().await), ("9.00", json!("12.00")));
    let entries = app.by(&poor).get("/api/v1/me/points/entries").await.json();
    assert_eq!((&entries["items"][0]["kind"], &entries["items"][0]["reason"]), (&json!("gift"), &json!("节日慰问")));
    cap(&app, None).await;
    let refused = grant(&app, &manager, change).await.expect_problem(409, "insufficient_points");
    assert!(refused.at("/detail").contains("12.00"), "{}", refused.text());
    assert_eq!((sums(&app, &poor).await[0].as_str(), standing().await), ("9.00", json!("12.00")));
    // Nor when many ask at once.
    let node = app.second_node().await;
    let calls = (0..4).map(|number| {
        let at = if number % 2 == 0 { &app } else { &node };
        let body = json!({"programme": "default", "amount_each": "5", "region_code": COMMUNITY, "reason": "慰问",
            "member_ids": people, "from": "donations"});
        at.by(&manager).post("/api/v1/points/grants", body).key(&number.to_string())
    });
    let answers = at_once(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert!(answers.iter().all(|answer| answer.status == 201 || answer.code() == "insufficient_points"));
    assert_eq!(standing().await, "2.00");
    assert_in_order(&app).await;
});

both!(who_has_points_about_to_expire_is_told_once, async |app| {
    rule(&app, programme::ActiveModel { notice_days: Set(10), ..Default::default() }).await;
    let member = app.seed().member().await;
    let day = |days| app.state.calendar.day_of(app.clock.now()) + Days::new(days);
    for (days, amount) in [(3, 100), (10, 250), (11, 400)] {
        Draft::new(&app, JournalKind::Grant, &member, amount).expiring(day(days)).post(&app).await.unwrap();
    }
    let node = app.second_node().await;
    let told = async || {
        let inbox = app.by(&member).get("/api/v1/me/inbox").await.json();
        let items = inbox["items"].as_array().unwrap().clone();
        items.into_iter().filter(|item| item["kind"] == "points.expiring").collect::<Vec<_>>()
    };
    for _ in 0..2 {
        let runs = [&app, &node].map(|node| Box::pin(run_once(&node.state, "expiry_notice")));
        for run in at_once(runs).await {
            run.unwrap();
        }
    }
    let messages = told().await;
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(messages.iter().any(|message| message["body"].as_str().unwrap().contains("2.50")));
    assert!(messages[0]["body"].as_str().unwrap().contains("最后一天是"));
    app.clock.advance(TimeDelta::days(1));
    run_once(&app.state, "expiry_notice").await.unwrap();
    assert_eq!(told().await.len(), 3);
    // What is over is not told of, nor is anything where the programme says so.
    rule(&app, programme::ActiveModel { notice_days: Set(0), ..Default::default() }).await;
    Draft::new(&app, JournalKind::Grant, &member, 100).expiring(day(2)).post(&app).await.unwrap();
    run_once(&app.state, "expiry_notice").await.unwrap();
    assert_eq!(told().await.len(), 3);
    assert_in_order(&app).await;
});
