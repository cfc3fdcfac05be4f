//! Photos of a service: when they are taken in, what they raise, and who sees them.

use chrono::TimeDelta;
use entity::id::ClaimId;
use entity::service_record::Evidence;
use entity::staff::Role;
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};

use crate::photo::upload;
use crate::points::assert_in_order;
use crate::support::{Answer, Bearer, FOREIGN, TestApp};
use crate::wish_stage::{Stage, claim, deadlines, window};

async fn show(app: &TestApp, who: &(impl Bearer + ?Sized), claim: &str, photos: Value) -> Answer {
    app.by(who).post(&format!("/api/v1/claims/{claim}/photos"), json!({"photo_ids": photos})).await
}

async fn record_of(app: &TestApp, claim: &str) -> entity::service_record::Model {
    let rows = entity::service_record::Entity::find().all(app.state.db.read()).await.unwrap();
    let id: ClaimId = claim.parse().unwrap();
    rows.into_iter().find(|row| row.claim_id == Some(id)).expect("a record")
}

/// Claimed and checked in, in a window of an hour.
async fn at_work(app: &TestApp, stage: &Stage) -> (String, String) {
    let (_, task) = stage.publish(app, json!({"window": window(app, 0, 60)})).await;
    let claim = claim(app, &stage.volunteer, &task).await.expect_status(201).id();
    (task, claim)
}

both!(photos_taken_at_work_prove_a_forgotten_check_out, async |app| {
    let stage = Stage::new(&app).await;
    let (task, claim) = at_work(&app, &stage).await;
    let photo = upload(&app, &stage.volunteer, 1).await;
    show(&app, &stage.volunteer, &claim, json!([photo])).await.expect_problem(409, "invalid_transition");
    stage.check_in(&app, &stage.volunteer, &task, &claim).await.expect_status(200);
    let shown = show(&app, &stage.volunteer, &claim, json!([photo])).await.expect_status(201);
    assert_eq!(shown.at("/items/0/id"), photo);
    show(&app, &stage.volunteer, &claim, json!([photo])).await.expect_problem(422, "validation_failed");
    show(&app, &stage.resident, &claim, json!([photo])).await.expect_problem(404, "not_found");
    show(&app, &stage.clerk, &claim, json!([photo])).await.expect_problem(403, "forbidden");
    app.clock.advance(TimeDelta::minutes(75));
    assert_eq!(deadlines(&app).await, 1);
    assert_eq!(record_of(&app, &claim).await.evidence, Evidence::C);
    let list = app.by(&stage.manager).get(&format!("/api/v1/claims/{claim}/photos")).await.expect_status(200);
    assert_eq!(list.at("/items/0/id"), photo);
    app.by(&stage.manager).get(&format!("/api/v1/photos/{photo}")).await.expect_status(200);
    let foreign = app.seed().staff(Role::Admin).in_region(FOREIGN).await;
    app.by(&foreign).get(&format!("/api/v1/photos/{photo}")).await.expect_problem(404, "not_found");
    app.by(&foreign).get(&format!("/api/v1/claims/{claim}/photos")).await.expect_problem(404, "not_found");
    assert_in_order(&app).await;
});

both!(photos_come_in_for_a_day_and_raise_nothing_above_what_it_is, async |app| {
    let stage = Stage::new(&app).await;
    let (task, forgotten) = at_work(&app, &stage).await;
    stage.check_in(&app, &stage.volunteer, &task, &forgotten).await.expect_status(200);
    app.clock.advance(TimeDelta::minutes(75));
    assert_eq!(deadlines(&app).await, 1);
    assert_eq!(record_of(&app, &forgotten).await.evidence, Evidence::D);
    let mut photos = Vec::new();
    for shade in 0..10 {
        photos.push(upload(&app, &stage.volunteer, shade).await);
    }
    show(&app, &stage.volunteer, &forgotten, json!(photos[..8])).await.expect_status(201);
    assert_eq!(record_of(&app, &forgotten).await.evidence, Evidence::C);
    show(&app, &stage.volunteer, &forgotten, json!(photos[8..])).await.expect_problem(422, "validation_failed");
    // Seen to come and go: B stays B.
    let (task, seen) = at_work(&app, &stage).await;
    stage.serve(&app, &stage.volunteer, &task, &seen).await;
    show(&app, &stage.volunteer, &seen, json!([photos[8]])).await.expect_status(201);
    let record = record_of(&app, &seen).await;
    assert_eq!(record.evidence, Evidence::B);
    let path = format!("/api/v1/service-records/{}/verification", record.id);
    app.by(&stage.manager).post(&path, json!({"decision": "verify"})).key("v").await.expect_status(200);
    show(&app, &stage.volunteer, &seen, json!([photos[9]])).await.expect_problem(409, "invalid_transition");
    app.clock.advance(TimeDelta::hours(23));
    let late = upload(&app, &stage.volunteer, 30).await;
    app.clock.advance(TimeDelta::hours(1));
    show(&app, &stage.volunteer, &forgotten, json!([late])).await.expect_problem(409, "invalid_transition");
    assert_in_order(&app).await;
});

both!(who_typed_a_time_in_still_cannot_verify_it, async |app| {
    let stage = Stage::new(&app).await;
    let begin = app.clock.now();
    let (_, claim) = at_work(&app, &stage).await;
    app.clock.advance(TimeDelta::hours(2));
    for (action, minutes) in [("check-in", 5), ("check-out", 50)] {
        let body = json!({"at": begin + TimeDelta::minutes(minutes)});
        app.by(&stage.manager).post(&format!("/api/v1/claims/{claim}/{action}"), body).await.expect_status(200);
    }
    let photo = upload(&app, &stage.volunteer, 1).await;
    show(&app, &stage.volunteer, &claim, json!([photo])).await.expect_status(201);
    let record = record_of(&app, &claim).await;
    assert_eq!(record.evidence, Evidence::C);
    let path = format!("/api/v1/service-records/{}/verification", record.id);
    let own = app.by(&stage.manager).post(&path, json!({"decision": "verify"})).key("v");
    own.await.expect_problem(403, "second_person_required");
    let other = app.seed().staff(Role::Manager).await;
    app.by(&other).post(&path, json!({"decision": "verify"})).key("v").await.expect_status(200);
    assert_in_order(&app).await;
});
