//! Claims raced against each other: never more than the slots, never a step skipped.

use std::collections::HashMap;

use chrono::TimeDelta;
use entity::claim::ClaimStatus;
use entity::id::TaskId;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::json;

use crate::support::{Answer, Member, TestApp, at_once};
use crate::wish_stage::{Stage, claim, deadlines, task, window, wish};

async fn volunteers(app: &TestApp, count: usize) -> Vec<Member> {
    let mut people = Vec::new();
    for _ in 0..count {
        people.push(app.seed().member().volunteer().await);
    }
    people
}

fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

/// Slots taken = claims that hold one, in the tables themselves.
async fn expect_slots(app: &TestApp, task_id: &str, taken: usize) {
    let id: TaskId = task_id.parse().unwrap();
    let row = entity::task::Entity::find_by_id(id).one(app.state.db.read()).await.unwrap().unwrap();
    let claims = entity::claim::Entity::find()
        .filter(entity::claim::Column::TaskId.eq(id))
        .all(app.state.db.read())
        .await
        .unwrap();
    let holding = claims.iter().filter(|claim| linli::task::domain::holds_slot(claim.status)).count();
    assert_eq!((usize::try_from(row.taken).unwrap(), holding), (taken, taken));
}

both!(two_hundred_want_one_slot, async |app| {
    let stage = Stage::new(&app).await;
    let (id, task_id) = stage.publish(&app, json!({})).await;
    let people = volunteers(&app, 200).await;
    let url = format!("/api/v1/tasks/{task_id}/claims");
    let answers = at_once(people.iter().map(|who| app.by(who).post(&url, json!({})))).await;
    assert_eq!(count(&answers, 201), 1);
    assert!(answers.iter().filter(|answer| answer.status != 201).all(|answer| answer.code() == "task_full"));
    expect_slots(&app, &task_id, 1).await;
    assert_eq!(wish(&app, &stage.resident, &id).await["status"], "claimed");
});

both!(one_volunteer_claims_once_from_many_devices, async |app| {
    let stage = Stage::new(&app).await;
    let (_, task_id) = stage.publish(&app, json!({"slots": 5})).await;
    let url = format!("/api/v1/tasks/{task_id}/claims");
    let answers = at_once((0..30).map(|_| app.by(&stage.volunteer).post(&url, json!({})))).await;
    assert_eq!(count(&answers, 201), 1);
    assert!(answers.iter().filter(|answer| answer.status != 201).all(|answer| answer.code() == "already_claimed"));
    expect_slots(&app, &task_id, 1).await;
});

both!(overlapping_tasks_are_claimed_once, async |app| {
    let stage = Stage::new(&app).await;
    let mut tasks = Vec::new();
    for turn in 0..8 {
        let body = json!({"window": window(&app, 60 + turn, 120 + turn)});
        tasks.push(stage.publish(&app, body).await.1);
    }
    let urls: Vec<_> = tasks.iter().map(|task| format!("/api/v1/tasks/{task}/claims")).collect();
    let answers = at_once(urls.iter().map(|url| app.by(&stage.volunteer).post(url, json!({})))).await;
    assert_eq!(count(&answers, 201), 1);
    assert!(answers.iter().filter(|answer| answer.status != 201).all(|answer| answer.code() == "overlapping_claim"));
    let mut taken = 0;
    for task_id in &tasks {
        taken += task(&app, &stage.manager, task_id).await["taken"].as_i64().unwrap();
    }
    assert_eq!(taken, 1);
});

both!(two_offers_of_one_slot_have_one_taker, async |app| {
    let stage = Stage::new(&app).await;
    let (_, task_id) = stage.publish(&app, json!({})).await;
    let people = volunteers(&app, 20).await;
    let ids: Vec<_> = people.iter().map(|who| who.id).collect();
    let body = json!({"member_ids": ids, "expires_in_minutes": 60});
    let made = app.by(&stage.manager).post(&format!("/api/v1/tasks/{task_id}/offers"), body).await.expect_status(201);
    let made = made.json();
    let of_member: HashMap<String, String> = made["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|claim| (claim["member_id"].as_str().unwrap().to_owned(), claim["id"].as_str().unwrap().to_owned()))
        .collect();
    let url = |who: &Member| format!("/api/v1/claims/{}/acceptance", of_member[&who.id.to_string()]);
    // Each from two devices.
    let answers = at_once(people.iter().chain(&people).map(|who| app.by(who).post(&url(who), json!({})))).await;
    assert_eq!(count(&answers, 200), 1);
    assert!(answers.iter().filter(|answer| answer.status != 200).all(|answer| answer.status == 409));
    expect_slots(&app, &task_id, 1).await;
});

both!(claims_race_with_withdrawals_and_calling_off, async |app| {
    let stage = Stage::new(&app).await;
    let (id, task_id) = stage.publish(&app, json!({"slots": 3})).await;
    let people = volunteers(&app, 12).await;
    let url = format!("/api/v1/tasks/{task_id}/claims");
    for round in 0..4 {
        let mut calls: Vec<_> = people.iter().map(|who| app.by(who).post(&url, json!({}))).collect();
        let held = entity::claim::Entity::find()
            .filter(entity::claim::Column::Status.eq(ClaimStatus::Accepted))
            .all(app.state.db.read())
            .await
            .unwrap();
        for claim in held {
            let who = people.iter().find(|who| who.id == claim.member_id).unwrap();
            calls.push(app.by(who).post(&format!("/api/v1/claims/{}/withdrawal", claim.id), json!({})));
        }
        if round == 3 {
            calls.push(app.by(&stage.resident).post(&format!("/api/v1/wishes/{id}/cancellation"), json!({})));
        }
        let answers = at_once(calls).await;
        assert!(answers.iter().all(|answer| [200, 201, 409].contains(&answer.status)), "{answers:?}");
        let now = task(&app, &stage.manager, &task_id).await;
        let taken = usize::try_from(now["taken"].as_i64().unwrap()).unwrap();
        assert!(taken <= 3);
        expect_slots(&app, &task_id, taken).await;
        let status = wish(&app, &stage.resident, &id).await["status"].clone();
        let expected = match (round, taken) {
            (3, _) => "cancelled",
            (_, 0) => "published",
            _ => "claimed",
        };
        assert_eq!(status, expected);
    }
    expect_slots(&app, &task_id, 0).await;
});

both!(a_wish_is_fulfilled_by_the_last_of_many_leaving_at_once, async |app| {
    let stage = Stage::new(&app).await;
    let (id, task_id) = stage.publish(&app, json!({"slots": 10, "window": window(&app, 0, 60)})).await;
    let people = volunteers(&app, 10).await;
    let mut claims = Vec::new();
    for who in &people {
        claims.push(claim(&app, who, &task_id).await.expect_status(201).id());
    }
    for action in ["check-in", "check-out"] {
        let code = stage.code(&app, &task_id).await;
        let calls = people.iter().zip(&claims).flat_map(|(who, claim)| {
            let call = app.by(who).post(&format!("/api/v1/claims/{claim}/{action}"), json!({ "code": code }));
            [call.clone(), call]
        });
        let answers = at_once(calls).await;
        assert_eq!(count(&answers, 200), 10, "{answers:?}");
        assert_eq!(count(&answers, 409), 10);
        app.clock.advance(TimeDelta::minutes(20));
    }
    assert_eq!(wish(&app, &stage.resident, &id).await["status"], "fulfilled");
    assert_eq!(task(&app, &stage.manager, &task_id).await["status"], "done");
    expect_slots(&app, &task_id, 10).await;
    let records = entity::service_record::Entity::find().all(app.state.db.read()).await.unwrap();
    assert_eq!(records.len(), 10);
});

both!(deadlines_race_with_people, async |app| {
    let stage = Stage::new(&app).await;
    let (_, task_id) = stage.publish(&app, json!({"slots": 10, "window": window(&app, 0, 60)})).await;
    let people = volunteers(&app, 10).await;
    let code = stage.code(&app, &task_id).await;
    let mut claims = Vec::new();
    for who in &people {
        let id = claim(&app, who, &task_id).await.expect_status(201).id();
        let url = format!("/api/v1/claims/{id}/check-in");
        app.by(who).post(&url, json!({ "code": code })).await.expect_status(200);
        claims.push(id);
    }
    app.clock.advance(TimeDelta::minutes(60));
    let at = json!({"at": app.clock.now() - TimeDelta::minutes(10)});
    let entered = at_once(
        claims.iter().map(|id| app.by(&stage.clerk).post(&format!("/api/v1/claims/{id}/check-out"), at.clone())),
    );
    let (answers, _) = futures_util::join!(entered, deadlines(&app));
    assert!(answers.iter().all(|answer| [200, 409].contains(&answer.status)), "{answers:?}");
    deadlines(&app).await;
    let records = entity::service_record::Entity::find().all(app.state.db.read()).await.unwrap();
    assert_eq!(records.len(), 10);
    assert_eq!(task(&app, &stage.manager, &task_id).await["status"], "done");
});
