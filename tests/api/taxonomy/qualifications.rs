//! Licences, trainings, insurance: recording them, and what hazardous tasks ask for.

use ::entity::staff::Role;
use ::entity::{audit, member, qualification};
use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, Set};
use serde_json::{Value, json};

use super::{admin, code, merge, seed, skills};
use crate::support::{FOREIGN, Member, TestApp};
use crate::wish_stage::{Stage, claim, task, wish};

fn path(member: &Member) -> String {
    format!("/api/v1/members/{}/qualifications", member.id)
}

async fn record(app: &TestApp, stage: &Stage, body: Value) {
    app.by(&stage.manager).post(&path(&stage.volunteer), body).await.expect_status(201);
}

async fn publish(app: &TestApp, stage: &Stage, hazards: Value) -> (String, String) {
    let id = stage.post(app, json!({})).await;
    let body = json!({"decision": "publish", "risk_notice": "注意安全", "hazards": hazards});
    let answer = app.by(&stage.manager).post(&format!("/api/v1/wishes/{id}/review"), body).await.expect_status(200);
    (id, answer.at("/task_id"))
}

async fn born(app: &TestApp, who: &Member, year: i32) {
    let row = member::ActiveModel { id: Set(who.id), birth_year: Set(Some(year)), ..Default::default() };
    app.state
        .db
        .write(async move |txn| row.clone().update(txn).await.map(drop))
        .await
        .unwrap_or_else(|error: sea_orm::DbErr| panic!("{error}"));
}

both!(qualifications_are_recorded_renewed_and_taken_away, async |app| {
    skills(&app).await;
    let stage = Stage::new(&app).await;
    let body = json!({"kind": "insurance", "valid_until": "2026-12-31", "reference": "PICC-0001"});
    let made = app.by(&stage.manager).post(&path(&stage.volunteer), body).await.expect_status(201).json();
    assert_eq!(
        (&made["code"], &made["valid"], &made["reference"]),
        (&json!("insurance"), &json!(true), &json!("PICC-0001"))
    );
    record(&app, &stage, json!({"kind": "insurance", "valid_until": "2027-12-31", "reference": "PICC-0002"})).await;
    record(&app, &stage, json!({"kind": "training", "code": "T01"})).await;
    record(&app, &stage, json!({"kind": "licence", "code": "S06"})).await;
    let own = app.by(&stage.volunteer).get("/api/v1/me/qualifications").await.expect_status(200).json();
    let shown: Vec<_> = own["items"].as_array().unwrap().iter().map(|item| item["code"].as_str().unwrap()).collect();
    assert_eq!(shown, ["insurance", "S06", "T01"]);
    assert_eq!(own["items"][0]["reference"], "PICC-0002");
    assert_eq!(own["items"][2]["name"], "高处作业安全培训");
    // The reference is sealed, and no clerk's to see.
    let stored = qualification::Entity::find().all(app.state.db.read()).await.unwrap();
    assert!(
        stored.iter().all(|row| !row
            .reference_sealed
            .as_ref()
            .is_some_and(|bytes| bytes.windows(4).any(|part| part == b"PICC")))
    );
    let seen = app.by(&stage.clerk).get(&path(&stage.volunteer)).await.expect_status(200).json();
    assert_eq!(seen["items"][0]["reference"], Value::Null);
    let export = app.by(&stage.volunteer).get("/api/v1/me/export").await.expect_status(200).json();
    assert_eq!(export["qualifications"].as_array().unwrap().len(), 3);
    let one = format!("{}/training/T01", path(&stage.volunteer));
    app.by(&stage.manager).delete(&one).await.expect_status(200);
    app.by(&stage.manager).delete(&one).await.expect_problem(404, "not_found");
    let trail =
        audit::Entity::find().filter(audit::Column::Action.is_in(["qualification.record", "qualification.remove"]));
    assert_eq!(trail.count(app.state.db.read()).await.unwrap(), 5);
    app.by(&stage.volunteer).delete("/api/v1/me").await.expect_status(204);
    assert_eq!(qualification::Entity::find().count(app.state.db.read()).await.unwrap(), 0);
});

both!(a_qualification_that_cannot_be_is_refused, async |app| {
    skills(&app).await;
    let stage = Stage::new(&app).await;
    for (body, field, fault) in [
        (json!({"kind": "training"}), "code", "required"),
        (json!({"kind": "training", "code": "S06"}), "code", "invalid"),
        (json!({"kind": "licence", "code": "S99"}), "code", "invalid"),
        (json!({"kind": "insurance", "code": "T01"}), "code", "invalid"),
        (json!({"kind": "insurance", "valid_until": "2026-11-20"}), "valid_until", "out_of_range"),
        (json!({"kind": "nonsense"}), "kind", "invalid"),
    ] {
        let refused = app.by(&stage.manager).post(&path(&stage.volunteer), body).await;
        let refused = refused.expect_problem(422, "validation_failed");
        assert_eq!((refused.at("/errors/0/field"), refused.at("/errors/0/code")), (field.into(), fault.into()));
    }
    let body = || json!({"kind": "insurance"});
    app.by(&stage.clerk).post(&path(&stage.volunteer), body()).await.expect_problem(403, "forbidden");
    app.by(&stage.volunteer).post(&path(&stage.volunteer), body()).await.expect_problem(403, "forbidden");
    let elsewhere = app.seed().staff(Role::Manager).in_region(FOREIGN).await;
    app.by(&elsewhere).post(&path(&stage.volunteer), body()).await.expect_problem(404, "not_found");
    app.by(&elsewhere).get(&path(&stage.volunteer)).await.expect_problem(404, "not_found");
    let other = app.seed().member().await;
    app.by(&other).get(&path(&stage.volunteer)).await.expect_problem(404, "not_found");
});

both!(a_hazardous_task_is_for_who_is_qualified, async |app| {
    let stage = Stage::new(&app).await;
    let (id, open) = publish(&app, &stage, json!(["H01", "H01"])).await;
    assert_eq!(wish(&app, &stage.resident, &id).await["hazards"], json!(["H01"]));
    assert_eq!(task(&app, &stage.volunteer, &open).await["hazards"], json!(["H01"]));
    let refused = claim(&app, &stage.volunteer, &open).await.expect_problem(403, "not_qualified");
    let detail = "承担该任务还缺：“高处作业安全培训”、志愿者保险。请持证明到驿站由工作人员登记后再认领";
    assert_eq!(refused.at("/detail"), detail);
    assert_eq!(task(&app, &stage.volunteer, &open).await["taken"], 0, "no slot was taken");
    let offer = json!({"member_ids": [stage.volunteer.id], "expires_in_minutes": 30});
    let path = format!("/api/v1/tasks/{open}/offers");
    let refused = app.by(&stage.manager).post(&path, offer.clone()).await.expect_problem(422, "validation_failed");
    assert_eq!(refused.at("/errors/0/field"), "member_ids[0]");

    born(&app, &stage.volunteer, 2008).await;
    record(&app, &stage, json!({"kind": "training", "code": "T01"})).await;
    record(&app, &stage, json!({"kind": "insurance", "valid_until": "2026-11-21"})).await;
    app.by(&stage.manager).post(&path, offer).await.expect_status(201);
    claim(&app, &stage.volunteer, &open).await.expect_status(201);
});

both!(an_insurance_that_ran_out_does_not_count, async |app| {
    let stage = Stage::new(&app).await;
    born(&app, &stage.volunteer, 1980).await;
    record(&app, &stage, json!({"kind": "training", "code": "T01"})).await;
    record(&app, &stage, json!({"kind": "insurance", "valid_until": "2026-11-21"})).await;
    app.clock.advance(chrono::TimeDelta::days(1));
    let (_, open) = publish(&app, &stage, json!(["H01"])).await;
    let refused = claim(&app, &stage.volunteer, &open).await.expect_problem(403, "not_qualified");
    assert!(
        refused.at("/detail").contains("志愿者保险") && !refused.at("/detail").contains("培训、"),
        "{}",
        refused.text()
    );
    born(&app, &stage.volunteer, 2009).await;
    record(&app, &stage, json!({"kind": "insurance"})).await;
    let refused = claim(&app, &stage.volunteer, &open).await.expect_problem(403, "not_qualified");
    assert!(refused.at("/detail").contains("周岁"));
});

both!(a_skill_that_needs_a_licence_needs_it, async |app| {
    skills(&app).await;
    let (admin, stage) = (admin(&app).await, Stage::new(&app).await);
    app.by(&admin).patch("/api/v1/codes/skill/S06", json!({"licence": true})).await.expect_status(200);
    let (_, open) = stage.publish(&app, json!({"skills": ["S06"]})).await;
    let refused = claim(&app, &stage.volunteer, &open).await.expect_problem(403, "not_qualified");
    assert!(refused.at("/detail").contains("水电维修"));
    record(&app, &stage, json!({"kind": "licence", "code": "S06"})).await;
    claim(&app, &stage.volunteer, &open).await.expect_status(201);
    // Who merges the skill keeps the licence.
    seed(&app, "skill", &[("S60", "电工", None)]).await;
    merge(&app, &admin, "skill", "S06", "S60").await.expect_status(200);
    let own = app.by(&stage.volunteer).get("/api/v1/me/qualifications").await.json();
    assert_eq!(own["items"][0]["code"], "S60");
    assert_eq!(code(&app, "skill", "S60").await["licence"], true);
});

both!(of_two_qualifications_that_become_one_the_longer_stays, async |app| {
    let (admin, stage) = (admin(&app).await, Stage::new(&app).await);
    record(&app, &stage, json!({"kind": "training", "code": "T01", "valid_until": "2028-01-01"})).await;
    record(&app, &stage, json!({"kind": "training", "code": "T08", "valid_until": "2027-01-01"})).await;
    merge(&app, &admin, "training", "T01", "T08").await.expect_status(200);
    let own = app.by(&stage.volunteer).get("/api/v1/me/qualifications").await.json();
    assert_eq!(own["items"].as_array().unwrap().len(), 1);
    assert_eq!((&own["items"][0]["code"], &own["items"][0]["valid_until"]), (&json!("T08"), &json!("2028-01-01")));
    record(&app, &stage, json!({"kind": "training", "code": "T02", "valid_until": "2027-01-01"})).await;
    merge(&app, &admin, "training", "T02", "T08").await.expect_status(200);
    let own = app.by(&stage.volunteer).get("/api/v1/me/qualifications").await.json();
    assert_eq!(own["items"][0]["valid_until"], "2028-01-01");
});
