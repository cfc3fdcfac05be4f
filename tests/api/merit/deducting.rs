//! What takes points: never below zero, never without a reason, given back to the lots it came from; and objections.

use ::entity::journal::JournalKind;
use ::entity::rule::{RuleBasis, Subject};
use ::entity::staff::Role;
use chrono::NaiveDate;
use serde_json::{Value, json};

use super::{allow_negative, approve, decide, enter, inbox, reverse, rule, shown};
use crate::points::{Draft, assert_in_order, give, standing, sums};
use crate::support::{FOREIGN, Member, TestApp, at_once};

async fn high_toss(app: &TestApp) {
    rule(app, Subject::Event, Some("high_toss"), RuleBasis::Event, -500).await;
}

fn toss(member: &Member) -> Value {
    json!({"kind": "event", "member_id": member.id, "item": "high_toss", "reason": "高空抛物，监控可查"})
}

both!(points_are_taken_with_a_reason_where_the_programme_does_so, async |app| {
    high_toss(&app).await;
    let member = app.seed().member().await;
    let worker = app.seed().staff(Role::GridWorker).await;
    let manager = app.seed().staff(Role::Manager).await;
    give(&app, &member, 1_200).await;
    let refused = enter(&app, &worker, "a", toss(&member)).await.expect_problem(422, "validation_failed");
    assert_eq!(refused.at("/errors/0/field"), "item");
    allow_negative(&app).await;
    let mut silent = toss(&member);
    silent.as_object_mut().unwrap().remove("reason");
    let refused = enter(&app, &worker, "b", silent).await.expect_problem(422, "validation_failed");
    assert_eq!(
        (refused.at("/errors/0/field"), refused.at("/errors/0/code")),
        ("reason".to_owned(), "required".to_owned())
    );
    let id = enter(&app, &worker, "c", toss(&member)).await.expect_status(201).id();
    let approved = approve(&app, &manager, &id).await.expect_status(200);
    assert_eq!((approved.at("/points"), approved.at("/shortfall")), ("-5.00".to_owned(), "0.00".to_owned()));
    assert_eq!(sums(&app, &member).await[0], "7.00");
    let (kind, body) = inbox(&app, &member).await.remove(0);
    assert_eq!(kind, "merit.deducted");
    assert!(body.contains("高空抛物") && body.contains("5.00") && body.contains("异议"), "{body}");
    // Nothing of it on any board.
    for metric in ["points", "hours", "records"] {
        let path = format!("/api/v1/rankings?board=members&metric={metric}&region=130300&period=all");
        let board = app.get(&path).await.expect_status(200);
        assert!(!board.text().contains(&member.id.to_string()), "{}", board.text());
    }
    assert_eq!(reverse(&app, &manager, &id, "r1").await.expect_status(200).at("/status"), "reversed");
    reverse(&app, &manager, &id, "r2").await.expect_problem(409, "invalid_transition");
    assert_eq!(sums(&app, &member).await, ["12.00", "0.00", "12.00"]);
    assert!(inbox(&app, &member).await[0].1.contains("退回"));
    assert_in_order(&app).await;
});

both!(no_more_is_taken_than_there_is, async |app| {
    high_toss(&app).await;
    allow_negative(&app).await;
    let (some, none) = (app.seed().member().await, app.seed().member().await);
    let worker = app.seed().staff(Role::GridWorker).await;
    let manager = app.seed().staff(Role::Manager).await;
    give(&app, &some, 180).await;
    for (member, short) in [(&some, "3.20"), (&none, "5.00")] {
        let id = enter(&app, &worker, short, toss(member)).await.expect_status(201).id();
        let approved = approve(&app, &manager, &id).await.expect_status(200);
        assert_eq!((approved.at("/points"), approved.at("/shortfall")), ("-5.00".to_owned(), short.to_owned()));
        assert!(inbox(&app, member).await[0].1.contains(short));
    }
    assert_eq!(sums(&app, &some).await[0], "0.00");
    assert_in_order(&app).await;
    for member in [&some, &none] {
        let mine = app.by(member).get("/api/v1/me/merits").await.json();
        let id = mine["items"][0]["id"].as_str().unwrap().to_owned();
        reverse(&app, &manager, &id, &id).await.expect_status(200);
    }
    assert_eq!(sums(&app, &some).await[0], "1.80");
    assert_in_order(&app).await;
});

both!(what_was_taken_goes_back_to_its_lots, async |app| {
    high_toss(&app).await;
    allow_negative(&app).await;
    let member = app.seed().member().await;
    let worker = app.seed().staff(Role::GridWorker).await;
    let manager = app.seed().staff(Role::Manager).await;
    let day = |text: &str| text.parse::<NaiveDate>().unwrap();
    for (amount, on) in [(300, "2026-12-01"), (400, "2027-03-01")] {
        Draft::new(&app, JournalKind::Grant, &member, amount).expiring(day(on)).post(&app).await.unwrap();
    }
    let before = standing(&app, &member).await["expiring"].clone();
    let id = enter(&app, &worker, "a", toss(&member)).await.expect_status(201).id();
    approve(&app, &manager, &id).await.expect_status(200);
    assert_eq!(standing(&app, &member).await["expiring"], json!([{"on": "2027-03-01", "amount": "2.00"}]));
    reverse(&app, &manager, &id, "r").await.expect_status(200);
    assert_eq!(standing(&app, &member).await["expiring"], before);
    assert_in_order(&app).await;
});

both!(held_points_are_left_alone, async |app| {
    high_toss(&app).await;
    allow_negative(&app).await;
    let member = app.seed().member().await;
    let worker = app.seed().staff(Role::GridWorker).await;
    let manager = app.seed().staff(Role::Manager).await;
    give(&app, &member, 600).await;
    let station = app.seed().station().await;
    let body = json!({"name": "米", "station_id": station.id, "programme": "default", "points": "4.00", "stock": 3});
    let goods = app.by(&manager).post("/api/v1/goods", body).key("g").await.expect_status(201).id();
    let body = json!({"goods_id": goods, "quantity": 1});
    app.by(&member).post("/api/v1/redemptions", body).key("h").await.expect_status(201);
    let id = enter(&app, &worker, "a", toss(&member)).await.expect_status(201).id();
    assert_eq!(approve(&app, &manager, &id).await.expect_status(200).at("/shortfall"), "3.00");
    assert_eq!(sums(&app, &member).await, ["4.00", "4.00", "0.00"]);
    assert_in_order(&app).await;
});

both!(an_objection_is_answered_or_upheld, async |app| {
    high_toss(&app).await;
    allow_negative(&app).await;
    let (member, neighbour) = (app.seed().member().await, app.seed().member().await);
    let worker = app.seed().staff(Role::GridWorker).await;
    let manager = app.seed().staff(Role::Manager).await;
    let (own, foreign) = (
        app.seed().staff(Role::Manager).being(&member).await,
        app.seed().staff(Role::Manager).in_region(FOREIGN).await,
    );
    give(&app, &member, 2_000).await;
    let mut ids = Vec::new();
    for key in ["a", "b", "c"] {
        ids.push(enter(&app, &worker, key, toss(&member)).await.expect_status(201).id());
    }
    let dispute = async |who: &Member, id: &str| {
        app.by(who).post(&format!("/api/v1/merits/{id}/dispute"), json!({"reason": "当天不在家"})).await
    };
    dispute(&member, &ids[0]).await.expect_problem(409, "invalid_transition");
    for id in &ids {
        approve(&app, &manager, id).await.expect_status(200);
    }
    dispute(&neighbour, &ids[0]).await.expect_problem(404, "not_found");
    for id in &ids {
        let disputed = dispute(&member, id).await.expect_status(200);
        assert_eq!(disputed.at("/dispute/reason"), "当天不在家");
        assert_eq!(disputed.at("/dispute/outcome"), "null");
        dispute(&member, id).await.expect_problem(409, "invalid_transition");
    }
    let waiting = app.by(&manager).get("/api/v1/merits?disputed=true").await.json();
    assert_eq!(waiting["items"].as_array().unwrap().len(), 3);
    let answer = |id: &str, decision: &str, key: &str| {
        let body = json!({"decision": decision, "reason": "已再次核查监控"});
        app.post(&format!("/api/v1/merits/{id}/dispute-decision"), body).key(key)
    };
    answer(&ids[0], "dismiss", "k").bearer(&own).await.expect_problem(403, "second_person_required");
    answer(&ids[0], "dismiss", "k").bearer(&foreign).await.expect_problem(404, "not_found");
    answer(&ids[0], "dismiss", "k").bearer(&worker).await.expect_problem(403, "forbidden");
    answer(&ids[0], "perhaps", "k").bearer(&manager).await.expect_problem(422, "validation_failed");
    let dismissed = answer(&ids[0], "dismiss", "1").bearer(&manager).await.expect_status(200);
    assert_eq!(
        (dismissed.at("/status"), dismissed.at("/dispute/outcome")),
        ("approved".to_owned(), "dismissed".to_owned())
    );
    assert!(inbox(&app, &member).await[0].1.contains("再次核查"));
    answer(&ids[0], "reverse", "2").bearer(&manager).await.expect_problem(409, "invalid_transition");
    dispute(&member, &ids[0]).await.expect_problem(409, "invalid_transition");
    let upheld = answer(&ids[1], "reverse", "3").bearer(&manager).await.expect_status(200);
    assert_eq!((upheld.at("/status"), upheld.at("/dispute/outcome")), ("reversed".to_owned(), "upheld".to_owned()));
    // A reversal by itself upholds what waits.
    assert_eq!(reverse(&app, &manager, &ids[2], "4").await.expect_status(200).at("/dispute/outcome"), "upheld");
    let waiting = app.by(&manager).get("/api/v1/merits?disputed=true").await.json();
    assert_eq!(waiting["items"], json!([]));
    assert_eq!(sums(&app, &member).await[0], "15.00");
    // What was dismissed may still be taken back.
    assert_eq!(reverse(&app, &manager, &ids[0], "5").await.expect_status(200).at("/dispute/outcome"), "dismissed");
    assert_eq!(sums(&app, &member).await[0], "20.00");
    assert_in_order(&app).await;
});

both!(deductions_at_once_never_go_below_zero, async |app| {
    high_toss(&app).await;
    allow_negative(&app).await;
    let member = app.seed().member().await;
    let worker = app.seed().staff(Role::GridWorker).await;
    let manager = app.seed().staff(Role::Manager).await;
    give(&app, &member, 1_700).await;
    let mut ids = Vec::new();
    for key in 0..6 {
        ids.push(enter(&app, &worker, &key.to_string(), toss(&member)).await.expect_status(201).id());
    }
    let answers = at_once(ids.iter().map(|id| decide(&app, &manager, id, json!({"decision": "approve"})))).await;
    assert!(
        answers.iter().all(|answer| answer.status == 200),
        "{:?}",
        answers.iter().map(crate::support::Answer::text).collect::<Vec<_>>()
    );
    assert_eq!(sums(&app, &member).await[0], "0.00");
    assert_in_order(&app).await;
    let answers = at_once(ids.iter().map(|id| reverse(&app, &manager, id, id))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(sums(&app, &member).await[0], "17.00");
    for id in &ids {
        assert_eq!(shown(&app, &member, id).await["status"], "reversed");
    }
    assert_in_order(&app).await;
});
