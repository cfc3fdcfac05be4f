//! Assignments: plans, offers from them, what has become impossible, taking back, going on after a crash.

use std::collections::HashSet;

use chrono::TimeDelta;
use entity::assignment::{self, AssignmentStatus};
use entity::id::AssignmentId;
use entity::staff::Role;
use entity::{claim, setting};
use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, QueryFilter as _, Set};
use serde_json::{Value, json};

use crate::offering::{expect_sound, free, free_in, several};
use crate::support::{Answer, Bearer, CITY, COMMUNITY, DISTRICT, FOREIGN, SISTER, TestApp, at_once};
use crate::wish_stage::{Stage, claim, claim_of, inbox, window, wish_body};

const PATH: &str = "/api/v1/assignments";

async fn plan(app: &TestApp, who: &(impl Bearer + ?Sized), changes: Value) -> Answer {
    let mut body = json!({"region_code": DISTRICT, "dry_run": true, "max_claims_per_member": 1});
    for (field, value) in changes.as_object().unwrap() {
        body[field] = value.clone();
    }
    app.by(who).post(PATH, body).await
}

async fn step(app: &TestApp, who: &(impl Bearer + ?Sized), id: &str, step: &str) -> Answer {
    app.by(who).post(&format!("{PATH}/{id}/{step}"), json!({})).await
}

fn pairs(plan: &Value) -> Vec<(String, String)> {
    let text = |pair: &Value, field: &str| pair[field].as_str().unwrap().to_owned();
    plan["pairs"].as_array().unwrap().iter().map(|pair| (text(pair, "task_id"), text(pair, "member_id"))).collect()
}

fn outcomes(plan: &Value) -> Vec<&str> {
    plan["pairs"].as_array().unwrap().iter().map(|pair| pair["outcome"].as_str().unwrap()).collect()
}

/// Tasks of tomorrow, an hour each, one after the other.
async fn tasks(app: &TestApp, stage: &Stage, count: i64) -> Vec<String> {
    let mut tasks = Vec::new();
    for turn in 0..count {
        let window = window(app, 1440 + turn * 60, 1500 + turn * 60);
        tasks.push(stage.publish(app, json!({ "window": window })).await.1);
    }
    tasks
}

both!(a_dry_run_becomes_offers_and_they_are_taken_back, async |app| {
    let stage = Stage::new(&app).await;
    let people = several(&app, 2).await;
    free_in(&app, SISTER).await;
    let tasks = tasks(&app, &stage, 2).await;
    let made = plan(&app, &stage.manager, json!({})).await.expect_status(201).json();
    let count = |field: &str| made[field].as_i64().unwrap();
    assert_eq!((count("tasks"), count("volunteers"), count("assigned"), count("unassigned")), (2, 3, 2, 0));
    // Those who live there, before the one next door.
    assert_eq!((count("objective"), &made["status"], outcomes(&made)), (200, &json!("planned"), vec!["planned"; 2]));
    let members: HashSet<_> = pairs(&made).into_iter().map(|(_, member)| member).collect();
    assert_eq!(members, people.iter().map(|person| person.id.to_string()).collect());
    for pair in made["pairs"].as_array().unwrap() {
        let sum: i64 = pair["factors"].as_array().unwrap().iter().map(|part| part["value"].as_i64().unwrap()).sum();
        assert_eq!(pair["score"], sum);
    }
    assert!(inbox(&app, &people[0]).await.is_empty());

    let id = made["id"].as_str().unwrap();
    let auditor = app.seed().staff(Role::Auditor).await;
    let read = app.by(&auditor).get(&format!("{PATH}/{id}")).await.expect_status(200).json();
    assert_eq!(read, made);
    let listed =
        app.by(&auditor).get(&format!("{PATH}?region={DISTRICT}&status=planned")).await.expect_status(200).json();
    assert_eq!((listed["items"].as_array().unwrap().len(), &listed["items"][0]["id"]), (1, &json!(id)));
    assert!(listed["items"][0].get("pairs").is_none());

    step(&app, &stage.manager, id, "withdrawal").await.expect_problem(409, "invalid_transition");
    let offered = step(&app, &stage.manager, id, "offers").await.expect_status(200).json();
    assert_eq!((&offered["status"], outcomes(&offered)), (&json!("offered"), vec!["offered"; 2]));
    step(&app, &stage.manager, id, "offers").await.expect_problem(409, "invalid_transition");
    assert_eq!(inbox(&app, &people[0]).await, ["claim.offered"]);
    let own = offered["pairs"][0]["claim_id"].as_str().unwrap();
    let view = claim_of(&app, &stage.clerk, own).await;
    assert_eq!((&view["offered_by"], &view["offer"]["source"]), (&json!(stage.manager.id), &json!("assignment")));
    // What is asked for already is not planned again.
    let empty = plan(&app, &stage.manager, json!({})).await.expect_status(201).json();
    assert_eq!((&empty["tasks"], &empty["assigned"]), (&json!(0), &json!(0)));
    assert!(empty["reason"].as_str().unwrap().contains("任务"));

    // One accepts; the other's offer is taken back, and the next plan may ask the same people.
    let first = people.iter().find(|person| offered["pairs"][0]["member_id"] == json!(person.id)).unwrap();
    let path = format!("/api/v1/claims/{own}/acceptance");
    app.by(first).post(&path, json!({})).await.expect_status(200);
    let back = step(&app, &stage.manager, id, "withdrawal").await.expect_status(200).json();
    assert_eq!(back["status"], "withdrawn");
    step(&app, &stage.manager, id, "withdrawal").await.expect_problem(409, "invalid_transition");
    assert_eq!(claim_of(&app, &stage.clerk, own).await["status"], "accepted");
    let other = people.iter().find(|person| person.id != first.id).unwrap();
    assert_eq!(inbox(&app, other).await, ["claim.offered", "claim.taken_back"]);
    let again = plan(&app, &stage.manager, json!({"dry_run": false})).await.expect_status(201).json();
    assert_eq!((pairs(&again).len(), outcomes(&again)), (1, vec!["offered"]));
    assert!(tasks.contains(&pairs(&again)[0].0));
    assert_eq!(pairs(&again)[0].1, other.id.to_string());
    expect_sound(&app).await;
});

both!(what_became_impossible_is_skipped_and_named, async |app| {
    let stage = Stage::new(&app).await;
    let people = several(&app, 3).await;
    let tasks = tasks(&app, &stage, 3).await;
    let made = plan(&app, &stage.manager, json!({})).await.expect_status(201).json();
    let planned = pairs(&made);
    assert_eq!(planned.len(), 3);
    let of = |number: usize| people.iter().find(|person| person.id.to_string() == planned[number].1).unwrap();
    // The first task is taken by somebody else, the second volunteer wants no offers, the third is busy at that time.
    claim(&app, &stage.volunteer, &planned[0].0).await.expect_status(201);
    app.by(of(1)).patch("/api/v1/me", json!({"offers_paused": true})).await.expect_status(200);
    let turn = tasks.iter().position(|task| *task == planned[2].0).unwrap();
    let turn = i64::try_from(turn).unwrap();
    let window = window(&app, 1440 + turn * 60, 1500 + turn * 60);
    let (_, beside) = stage.publish(&app, json!({ "window": window })).await;
    claim(&app, of(2), &beside).await.expect_status(201);
    let id = made["id"].as_str().unwrap();
    let offered = step(&app, &stage.manager, id, "offers").await.expect_status(200).json();
    assert_eq!((&offered["status"], outcomes(&offered)), (&json!("offered"), vec!["skipped"; 3]));
    let codes: Vec<_> = (0..3).map(|number| offered["pairs"][number]["skipped"]["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["task_full", "not_a_volunteer", "overlapping_claim"]);
    assert!(!offered["pairs"][0]["skipped"]["detail"].as_str().unwrap().is_empty());
    expect_sound(&app).await;
});

both!(only_open_tasks_of_the_order_are_planned, async |app| {
    let stage = Stage::new(&app).await;
    let person = free(&app).await;
    let reason = |plan: &Value| plan["reason"].as_str().map(str::to_owned);
    let empty = plan(&app, &stage.manager, json!({})).await.expect_status(201).json();
    assert_eq!((&empty["tasks"], &empty["pairs"]), (&json!(0), &json!([])));
    assert!(reason(&empty).is_some());

    let (_, soon) = stage.publish(&app, json!({"window": window(&app, 5, 10)})).await;
    let (_, full) = stage.publish(&app, json!({"window": window(&app, 60, 90)})).await;
    claim(&app, &stage.volunteer, &full).await.expect_status(201);
    let (gone, _) = stage.publish(&app, json!({"window": window(&app, 100, 110)})).await;
    app.by(&stage.resident).post(&format!("/api/v1/wishes/{gone}/cancellation"), json!({})).await.expect_status(200);
    let (_, culture) = stage.publish(&app, json!({"window": window(&app, 200, 260), "category": "culture"})).await;
    let (_, later) = stage.publish(&app, json!({"window": window(&app, 1440, 1500)})).await;
    app.clock.advance(TimeDelta::minutes(20));
    let tasks_of = |made: &Value| pairs(made).into_iter().map(|(task, _)| task).collect::<HashSet<_>>();
    let made = plan(&app, &stage.manager, json!({"max_claims_per_member": 5})).await.expect_status(201).json();
    assert_eq!(tasks_of(&made), [culture.clone(), later.clone()].into());
    assert!(!tasks_of(&made).contains(&soon));
    let one = plan(&app, &stage.manager, json!({"max_claims_per_member": 1})).await.expect_status(201).json();
    assert_eq!((&one["assigned"], &one["unassigned"], &one["volunteers"]), (&json!(1), &json!(1), &json!(1)));
    let only = json!({"categories": ["culture", "culture"]});
    assert_eq!(tasks_of(&plan(&app, &stage.manager, only).await.json()), [culture].into());
    let from = app.clock.now() + TimeDelta::minutes(600);
    assert_eq!(tasks_of(&plan(&app, &stage.manager, json!({ "from": from })).await.json()), [later].into());
    let until = json!({"until": app.clock.now() + TimeDelta::minutes(60)});
    assert_eq!(plan(&app, &stage.manager, until).await.json()["tasks"], 0);
    // Tasks but nobody to do them.
    app.by(&person).patch("/api/v1/me", json!({"offers_paused": true})).await.expect_status(200);
    let nobody = plan(&app, &stage.manager, json!({})).await.expect_status(201).json();
    assert_eq!((&nobody["tasks"], &nobody["volunteers"]), (&json!(2), &json!(0)));
    assert!(reason(&nobody).unwrap().contains("志愿者"));
});

both!(plans_are_refused_by_name, async |app| {
    let stage = Stage::new(&app).await;
    let auditor = app.seed().staff(Role::Auditor).await;
    for who in [stage.clerk.token.as_str(), auditor.token.as_str(), stage.volunteer.token.as_str()] {
        plan(&app, who, json!({})).await.expect_problem(403, "forbidden");
    }
    plan(&app, &stage.manager, json!({"region_code": FOREIGN})).await.expect_problem(404, "not_found");
    plan(&app, &stage.manager, json!({"region_code": CITY})).await.expect_problem(404, "not_found");
    let now = app.clock.now();
    for bad in [
        json!({"region_code": "130399"}),
        json!({"region_code": "x"}),
        json!({"max_claims_per_member": 0}),
        json!({"max_claims_per_member": 21}),
        json!({"expires_in_minutes": 0}),
        json!({"categories": ["HZ"]}),
        json!({"from": now, "until": now}),
        json!({"until": now}),
        json!({"dry_run": "no"}),
        json!({"priority": 1}),
    ] {
        plan(&app, &stage.manager, bad).await.expect_problem(422, "validation_failed");
    }
    let made = plan(&app, &stage.manager, json!({})).await.expect_status(201).id();
    let foreign = app.seed().staff(Role::Manager).in_region(FOREIGN).await;
    for way in ["offers", "withdrawal"] {
        step(&app, &foreign, &made, way).await.expect_problem(404, "not_found");
        step(&app, &stage.clerk, &made, way).await.expect_problem(403, "forbidden");
        step(&app, &stage.manager, "nonsense", way).await.expect_problem(404, "not_found");
    }
    app.by(&foreign).get(&format!("{PATH}/{made}")).await.expect_problem(404, "not_found");
    app.by(&stage.clerk).get(PATH).await.expect_problem(403, "forbidden");
});

both!(two_managers_at_once_ask_nobody_twice, async |app| {
    let stage = Stage::new(&app).await;
    several(&app, 3).await;
    tasks(&app, &stage, 3).await;
    let second = app.second_node().await;
    let other = app.seed().staff(Role::Manager).await;
    let made = plan(&app, &stage.manager, json!({})).await.expect_status(201).id();
    let path = format!("{PATH}/{made}/offers");
    let calls = [app.by(&stage.manager).post(&path, json!({})), second.by(&other).post(&path, json!({}))];
    let mut told: Vec<u16> = at_once(calls).await.iter().map(|answer| answer.status).collect();
    told.sort_unstable();
    assert_eq!(told, [200, 409]);

    step(&app, &stage.manager, &made, "withdrawal").await.expect_status(200);
    let body = json!({"region_code": COMMUNITY, "dry_run": false, "max_claims_per_member": 1});
    let calls = [app.by(&stage.manager).post(PATH, body.clone()), second.by(&other).post(PATH, body)];
    for answer in at_once(calls).await {
        answer.expect_status(201);
    }
    let open = claim::Entity::find().filter(claim::Column::Status.eq(claim::ClaimStatus::Offered));
    let open = open.all(app.state.db.read()).await.unwrap();
    assert_eq!(open.len(), 3);
    assert_eq!(open.iter().map(|claim| claim.task_id).collect::<HashSet<_>>().len(), 3);
    expect_sound(&app).await;
});

both!(offers_go_on_after_a_crash, async |app| {
    let stage = Stage::new(&app).await;
    several(&app, 3).await;
    tasks(&app, &stage, 3).await;
    let batch = setting::ActiveModel {
        key: Set("assignment.batch".to_owned()),
        value: Set(json!(1)),
        updated_at: Set(app.clock.now()),
    };
    app.seed().insert(vec![batch]).await;
    // The node dies after it wrote down that offers are to be made.
    let made = plan(&app, &stage.manager, json!({})).await.expect_status(201).id();
    let id: AssignmentId = made.parse().unwrap();
    let row = assignment::ActiveModel {
        id: Set(id),
        status: Set(AssignmentStatus::Offering),
        offered_by: Set(Some(stage.manager.id)),
        offered_at: Set(Some(app.clock.now())),
        ..Default::default()
    };
    app.state.db.write(async move |txn| row.clone().update(txn).await).await.unwrap();
    let run = async || linli::jobs::run_once(&app.state, "assignments").await.unwrap().unwrap();
    assert_eq!(run().await, 3);
    assert_eq!(run().await, 0);
    let read = app.by(&stage.manager).get(&format!("{PATH}/{made}")).await.expect_status(200).json();
    assert_eq!((&read["status"], outcomes(&read)), (&json!("offered"), vec!["offered"; 3]));
    step(&app, &stage.manager, &made, "withdrawal").await.expect_status(200);

    // A plan larger than a batch is answered at once and goes on by itself.
    let whole = plan(&app, &stage.manager, json!({"dry_run": false})).await.expect_status(201).json();
    assert_eq!(whole["status"], "offering");
    assert_eq!(outcomes(&whole).iter().filter(|outcome| **outcome == "offered").count(), 1);
    linli::jobs::run_once(&app.state, "assignments").await.unwrap();
    for _ in 0..100 {
        let path = format!("{PATH}/{}", whole["id"].as_str().unwrap());
        let read = app.by(&stage.manager).get(&path).await.json();
        if read["status"] == "offered" {
            assert_eq!(outcomes(&read), ["offered"; 3]);
            return expect_sound(&app).await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the offers were never all made");
});

both!(a_key_makes_one_plan, async |app| {
    let stage = Stage::new(&app).await;
    free(&app).await;
    tasks(&app, &stage, 1).await;
    let body = json!({"region_code": DISTRICT, "dry_run": false, "max_claims_per_member": 1});
    let first = app.by(&stage.manager).post(PATH, body.clone()).key("plan-1").await.expect_status(201);
    let again = app.by(&stage.manager).post(PATH, body).key("plan-1").await.expect_status(201);
    assert!(again.is_replayed());
    assert_eq!(first.json(), again.json());
    assert_eq!(assignment::Entity::find().all(app.state.db.read()).await.unwrap().len(), 1);
});

both!(a_city_is_planned_district_by_district, async |app| {
    let stage = Stage::new(&app).await;
    let (near, far) = (free(&app).await, free_in(&app, FOREIGN).await);
    let (_, here) = stage.publish(&app, json!({"window": window(&app, 1440, 1500)})).await;
    let resident = app.seed().member().in_region(FOREIGN).await;
    let body = wish_body(&app, json!({"window": window(&app, 1440, 1500)}));
    let wish = app.by(&resident).post("/api/v1/wishes", body).await.expect_status(201).id();
    let city = app.seed().staff(Role::Manager).in_region(CITY).await;
    let review = json!({"decision": "publish", "risk_notice": "注意安全"});
    let there = app.by(&city).post(&format!("/api/v1/wishes/{wish}/review"), review).await.expect_status(200);
    let made = plan(&app, &city, json!({"region_code": CITY})).await.expect_status(201).json();
    let expected: HashSet<_> =
        [(here, near.id.to_string()), (there.at("/task_id"), far.id.to_string())].into_iter().collect();
    assert_eq!(pairs(&made).into_iter().collect::<HashSet<_>>(), expected);
});
