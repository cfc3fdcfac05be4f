//! Offers by the matcher: off until switched on, the next after a no, waves of urgent tasks, nobody asked twice.

use std::collections::HashSet;

use chrono::TimeDelta;
use entity::id::{ClaimId, TaskId};
use entity::staff::Role;
use entity::{audit, availability, claim, member, offer};
use linli::task::offering::{self as asking, Ask, Asker, Points, Skip};
use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, QueryFilter as _, Set};
use serde_json::{Value, json};

use crate::support::{COMMUNITY, DISTRICT, FOREIGN, Member, SISTER, TestApp, at_once};
use crate::wish_stage::{Stage, claim, claim_of, deadlines, inbox, window, wish};

/// A volunteer of [`COMMUNITY`] who is free at any time.
pub(crate) async fn free(app: &TestApp) -> Member {
    free_in(app, COMMUNITY).await
}

pub(crate) async fn free_in(app: &TestApp, region: &str) -> Member {
    let who = app.seed().member().volunteer().in_region(region).await;
    let day = |weekday| availability::ActiveModel {
        member_id: Set(who.id),
        weekday: Set(weekday),
        from_minute: Set(0),
        until_minute: Set(1440),
    };
    app.seed().insert((1..=7).map(day).collect()).await;
    who
}

pub(crate) async fn several(app: &TestApp, count: usize) -> Vec<Member> {
    let mut people = Vec::new();
    for _ in 0..count {
        people.push(free(app).await);
    }
    people
}

/// Switches offers on in the district: no waiting, nothing urgent, unless `changes` say so.
async fn switch_on(app: &TestApp, stage: &Stage, changes: Value) {
    let mut body = json!({"enabled": true, "wait_minutes": 0, "urgent_minutes": 0, "urgent_priority": 0});
    for (field, value) in changes.as_object().unwrap() {
        body[field] = value.clone();
    }
    app.by(&stage.manager).patch(&policy(DISTRICT), body).await.expect_status(200);
}

fn policy(region: &str) -> String {
    format!("/api/v1/regions/{region}/offer-policy")
}

/// Runs the job; how many people it asked.
async fn ask(app: &TestApp) -> u64 {
    linli::jobs::run_once(&app.state, "matching_offers").await.unwrap().expect("nobody else runs it")
}

/// The claims of a task that were offered, oldest first.
async fn offered(app: &TestApp, task: &str) -> Vec<claim::Model> {
    let task: TaskId = task.parse().unwrap();
    let made = offer::Entity::find().filter(offer::Column::TaskId.eq(task)).all(app.state.db.read()).await.unwrap();
    let made: HashSet<ClaimId> = made.into_iter().map(|row| row.claim_id).collect();
    let all = claim::Entity::find().filter(claim::Column::TaskId.eq(task)).all(app.state.db.read()).await.unwrap();
    let mut claims: Vec<_> = all.into_iter().filter(|claim| made.contains(&claim.id)).collect();
    claims.sort_by_key(|claim| (claim.created_at, claim.id));
    claims
}

fn whose<'a>(people: &'a [Member], claim: &claim::Model) -> &'a Member {
    people.iter().find(|person| person.id == claim.member_id).expect("one of those who are free")
}

async fn answer(app: &TestApp, who: &Member, claim: &claim::Model, how: &str) -> crate::support::Answer {
    app.by(who).post(&format!("/api/v1/claims/{}/{how}", claim.id), json!({})).await
}

async fn waves(app: &TestApp, stage: &Stage, task: &str) -> Vec<Value> {
    let path = format!("/api/v1/tasks/{task}/offers");
    app.by(&stage.manager).get(&path).await.expect_status(200).json()["items"].as_array().unwrap().clone()
}

pub(crate) async fn expect_sound(app: &TestApp) {
    let report = linli::verify::run(&app.state.db).await.unwrap();
    assert!(report.ok, "{:#?}", report.findings);
}

/// A window of tomorrow, `minutes` after the same hour.
fn tomorrow(app: &TestApp, minutes: i64) -> Value {
    json!({"window": window(app, 1440 + minutes, 1440 + minutes + 60)})
}

both!(nobody_is_asked_before_a_region_switches_it_on, async |app| {
    let stage = Stage::new(&app).await;
    let person = free(&app).await;
    let (_, task) = stage.publish(&app, tomorrow(&app, 0)).await;
    assert_eq!(ask(&app).await, 0);
    let found = app.by(&stage.manager).get(&policy(COMMUNITY)).await.expect_status(200).json();
    assert_eq!((&found["enabled"], &found["from_region"]), (&json!(false), &Value::Null));

    switch_on(&app, &stage, json!({"wait_minutes": 10})).await;
    assert_eq!(ask(&app).await, 0);
    app.clock.advance(TimeDelta::minutes(10));
    assert_eq!(ask(&app).await, 1);
    assert_eq!(ask(&app).await, 0);
    assert_eq!(inbox(&app, &person).await, ["claim.offered"]);
    let own = offered(&app, &task).await.remove(0);
    for who in [person.token.as_str(), stage.clerk.token.as_str()] {
        let view = claim_of(&app, who, &own.id.to_string()).await;
        assert_eq!((&view["status"], &view["offered_by"]), (&json!("offered"), &Value::Null));
        assert_eq!((&view["offer"]["source"], &view["offer"]["wave"]), (&json!("matcher"), &json!(1)));
        let factors = view["offer"]["factors"].as_array().unwrap();
        let counted: i64 =
            factors.iter().filter(|part| part["max"] != 0).map(|part| part["value"].as_i64().unwrap()).sum();
        assert_eq!(view["offer"]["score"], counted);
        assert_eq!(counted, 100);
        assert!(factors.iter().all(|part| part["name"] != "special_group"), "{factors:?}");
    }
    let accepted = answer(&app, &person, &own, "acceptance").await.expect_status(200).json();
    assert_eq!((&accepted["status"], &accepted["offer"]["score"]), (&json!("accepted"), &json!(100)));
    assert_eq!(inbox(&app, &stage.resident).await, ["wish.published", "wish.claimed"]);
    expect_sound(&app).await;
});

both!(after_a_no_the_next_is_asked_and_nobody_twice, async |app| {
    let stage = Stage::new(&app).await;
    let people = several(&app, 3).await;
    let (_, task) = stage.publish(&app, tomorrow(&app, 0)).await;
    let (_, other) = stage.publish(&app, tomorrow(&app, 300)).await;
    // Only the first task is to be asked for.
    switch_on(&app, &stage, json!({"max_open_offers": 1})).await;
    let off = json!({"enabled": false});
    assert_eq!(ask(&app).await, 2);
    app.by(&stage.manager).patch(&policy(DISTRICT), off).await.expect_status(200);

    let matches = format!("/api/v1/tasks/{other}/matches?limit=20");
    let before = app.by(&stage.manager).get(&matches).await.expect_status(200).json();
    let first = offered(&app, &task).await.remove(0);
    let told = answer(&app, whose(&people, &first), &first, "decline").await.expect_status(200);
    assert_eq!(told.at("/status"), "declined");
    // A no counts for nothing: neither in anybody's score nor in their place.
    assert_eq!(app.by(&stage.manager).get(&matches).await.expect_status(200).json(), before);

    switch_on(&app, &stage, json!({"max_open_offers": 3})).await;
    assert_eq!(ask(&app).await, 1);
    let second = offered(&app, &task).await.remove(1);
    assert_ne!(second.member_id, first.member_id);
    // Not answered in time: the last one is asked, then nobody is left.
    app.clock.advance(TimeDelta::minutes(120));
    deadlines(&app).await;
    ask(&app).await;
    assert_eq!(offered(&app, &task).await.len(), 3);
    app.clock.advance(TimeDelta::minutes(120));
    deadlines(&app).await;
    ask(&app).await;
    let asked = offered_to(&app, &task).await;
    assert_eq!((asked.len(), asked.iter().collect::<HashSet<_>>().len()), (3, 3));
    let seen = waves(&app, &stage, &task).await;
    assert_eq!(seen.iter().map(|wave| wave["wave"].as_i64().unwrap()).collect::<Vec<_>>(), [3, 2, 1]);
    assert_eq!((&seen[2]["declined"], &seen[1]["lapsed"], &seen[0]["lapsed"]), (&json!(1), &json!(1), &json!(1)));
    expect_sound(&app).await;
});

async fn offered_to(app: &TestApp, task: &str) -> Vec<entity::id::MemberId> {
    offered(app, task).await.into_iter().map(|claim| claim.member_id).collect()
}

both!(an_urgent_task_asks_a_wave_and_takes_the_first, async |app| {
    let stage = Stage::new(&app).await;
    let people = several(&app, 5).await;
    let (id, task) = stage.publish(&app, json!({"window": window(&app, 60, 180)})).await;
    switch_on(&app, &stage, json!({"urgent_minutes": 180, "wave_size": 3, "urgent_expires_minutes": 30})).await;
    assert_eq!(ask(&app).await, 3);
    let wave = offered(&app, &task).await;
    assert!(wave.iter().all(|claim| claim.offer_expires_at == Some(app.clock.now() + TimeDelta::minutes(30))));

    let second = app.second_node().await;
    let calls = wave.iter().enumerate().map(|(turn, claim)| {
        let node = if turn % 2 == 0 { &app } else { &second };
        node.by(whose(&people, claim)).post(&format!("/api/v1/claims/{}/acceptance", claim.id), json!({}))
    });
    let answers = at_once(calls).await;
    let taken: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(taken.iter().filter(|status| **status == 200).count(), 1, "{taken:?}");
    for (claim, answer) in wave.iter().zip(&answers).filter(|(_, answer)| answer.status != 200) {
        assert_eq!((answer.status, answer.code().as_str()), (409, "task_full"));
        let who = whose(&people, claim);
        assert_eq!(claim_of(&app, who, &claim.id.to_string()).await["status"], "lapsed");
        assert_eq!(inbox(&app, who).await, ["claim.offered", "claim.filled"]);
        // Later too: the place is taken.
        answer_again(&app, who, claim).await;
    }
    assert_eq!(wish(&app, &stage.resident, &id).await["status"], "claimed");
    assert_eq!(ask(&app).await, 0);

    // The winner cannot come: those who were not asked yet are.
    let winner = &wave[taken.iter().position(|status| *status == 200).unwrap()];
    answer(&app, whose(&people, winner), winner, "withdrawal").await.expect_status(200);
    assert_eq!(ask(&app).await, 2);
    let asked = offered_to(&app, &task).await;
    assert_eq!(asked.iter().collect::<HashSet<_>>().len(), 5);
    expect_sound(&app).await;
});

async fn answer_again(app: &TestApp, who: &Member, claim: &claim::Model) {
    answer(app, who, claim, "acceptance").await.expect_problem(409, "task_full");
}

both!(offers_of_staff_stand_while_a_task_is_full, async |app| {
    let stage = Stage::new(&app).await;
    let people = several(&app, 2).await;
    let (_, task) = stage.publish(&app, tomorrow(&app, 0)).await;
    let being = app.seed().member().await;
    let manager = app.seed().staff(Role::Manager).being(&being).await;
    let body = json!({"member_ids": [people[0].id], "expires_in_minutes": 600});
    let by_hand = app.by(&manager).post(&format!("/api/v1/tasks/{task}/offers"), body).await.expect_status(201);
    // One is asked already: nobody more for one slot.
    switch_on(&app, &stage, json!({})).await;
    assert_eq!(ask(&app).await, 0);
    let by_hand = by_hand.at("/items/0/id");
    claim(&app, &people[1], &task).await.expect_status(201);
    assert_eq!(claim_of(&app, &people[0], &by_hand).await["status"], "offered");
    let path = format!("/api/v1/claims/{by_hand}/decline");
    app.by(&people[0]).post(&path, json!({"reason": "没空"})).await.expect_status(200);
    assert_eq!(inbox(&app, &being).await, ["claim.answered"]);
    let seen = waves(&app, &stage, &task).await;
    assert_eq!((seen.len(), &seen[0]["source"], &seen[0]["declined"]), (1, &Value::Null, &json!(1)));
});

both!(two_hands_ask_nobody_twice, async |app| {
    let stage = Stage::new(&app).await;
    let people = several(&app, 6).await;
    let mut tasks = Vec::new();
    for turn in 0..4 {
        tasks.push(stage.publish(&app, json!({"slots": 2, "window": window(&app, 1440 + turn, 1500 + turn)})).await.1);
    }
    switch_on(&app, &stage, json!({"max_open_offers": 50})).await;
    let second = app.second_node().await;
    // The lease lets one at a time do it, whoever looks; a no in between brings the next.
    for turn in 0..6 {
        let node = if turn % 2 == 0 { &app.state } else { &second.state };
        let both = [app.state.clone(), second.state.clone()];
        let runs = both.iter().map(|state| linli::jobs::run_once(state, "matching_offers"));
        for run in futures_util::future::join_all(runs).await {
            run.unwrap();
        }
        linli::jobs::run_once(node, "matching_offers").await.unwrap();
        for task in &tasks {
            let open: Vec<_> = offered(&app, task).await;
            for claim in open.iter().filter(|claim| claim.status == claim::ClaimStatus::Offered) {
                answer(&app, whose(&people, claim), claim, "decline").await.expect_status(200);
            }
        }
    }
    for task in &tasks {
        let asked = offered_to(&app, task).await;
        assert_eq!((asked.len(), asked.iter().collect::<HashSet<_>>().len()), (6, 6));
    }
    expect_sound(&app).await;
});

both!(the_command_itself_asks_once_whoever_runs_it, async |app| {
    let stage = Stage::new(&app).await;
    let people = several(&app, 4).await;
    let (_, task) = stage.publish(&app, json!({"slots": 2, "window": window(&app, 1440, 1500)})).await;
    let task: TaskId = task.parse().unwrap();
    let second = app.second_node().await;
    let now = app.clock.now();
    let asks = || -> Vec<Ask> {
        let one = |person: &Member| Ask {
            task,
            member: person.id,
            claim: ClaimId::new(),
            points: Points { skill: 50, near: 30, time: 20 },
            ordering: json!([]),
            expires_at: now + TimeDelta::hours(1),
            per_slot: 1,
            most: 2,
            max_open: 3,
        };
        people.iter().map(one).collect()
    };
    let hands = (0..6).map(|turn| {
        let node = if turn % 2 == 0 { app.state.clone() } else { second.state.clone() };
        let asks = asks();
        async move { node.db.write(async move |txn| asking::ask(txn, Asker::Matcher, &asks, now).await).await.unwrap() }
    });
    let outcomes: Vec<_> = futures_util::future::join_all(hands).await.into_iter().flatten().collect();
    let made = outcomes.iter().filter(|asked| asked.outcome.is_ok()).count();
    assert_eq!(made, 2);
    let refused = outcomes.iter().filter_map(|asked| asked.outcome.as_ref().err());
    assert!(refused.clone().all(|skip| matches!(skip, Skip::TaskFull | Skip::AlreadyAsked)));
    expect_sound(&app).await;
});

both!(nobody_has_more_open_offers_than_the_policy_says, async |app| {
    let stage = Stage::new(&app).await;
    let person = free(&app).await;
    let mut tasks = Vec::new();
    for turn in 0..4 {
        tasks.push(stage.publish(&app, tomorrow(&app, turn * 60)).await.1);
    }
    switch_on(&app, &stage, json!({"max_open_offers": 2})).await;
    assert_eq!(ask(&app).await, 2);
    let mut open = Vec::new();
    for task in &tasks {
        open.extend(offered(&app, task).await);
    }
    answer(&app, &person, &open[0], "decline").await.expect_status(200);
    // The others were left alone for a while.
    app.clock.advance(TimeDelta::minutes(15));
    assert_eq!(ask(&app).await, 1);
    expect_sound(&app).await;
});

both!(nobody_is_asked_who_opted_out_or_wished_for_it, async |app| {
    let mut stage = Stage::new(&app).await;
    stage.resident = free(&app).await;
    let person = free(&app).await;
    let (_, task) = stage.publish(&app, tomorrow(&app, 0)).await;
    switch_on(&app, &stage, json!({})).await;
    app.by(&person).patch("/api/v1/me", json!({"offers_paused": true})).await.expect_status(200);
    assert_eq!(ask(&app).await, 0);
    app.by(&person).patch("/api/v1/me", json!({"offers_paused": false})).await.expect_status(200);
    app.clock.advance(TimeDelta::minutes(15));
    assert_eq!(ask(&app).await, 1);
    assert_eq!(offered_to(&app, &task).await, [person.id]);
    // Between the look and the command somebody opts out: the command looks again.
    let late = free(&app).await;
    let row = member::ActiveModel { id: Set(late.id), offers_paused: Set(true), ..Default::default() };
    app.state.db.write(async move |txn| row.clone().update(txn).await).await.unwrap();
    let (task, now) = (task.parse().unwrap(), app.clock.now());
    let one = Ask {
        task,
        member: late.id,
        claim: ClaimId::new(),
        points: Points::default(),
        ordering: json!([]),
        expires_at: now + TimeDelta::hours(1),
        per_slot: 5,
        most: 5,
        max_open: 3,
    };
    let made =
        app.state.db.write(async move |txn| asking::ask(txn, Asker::Matcher, std::slice::from_ref(&one), now).await);
    assert_eq!(made.await.unwrap()[0].outcome.as_ref().err(), Some(&Skip::NotAVolunteer));
});

both!(a_policy_holds_below_and_is_the_managers, async |app| {
    let stage = Stage::new(&app).await;
    let auditor = app.seed().staff(Role::Auditor).await;
    let foreign = app.seed().staff(Role::Manager).in_region(FOREIGN).await;
    let change = json!({"enabled": true, "wave_size": 5});
    app.by(&stage.clerk).patch(&policy(DISTRICT), change.clone()).await.expect_problem(403, "forbidden");
    app.by(&auditor).patch(&policy(DISTRICT), change.clone()).await.expect_problem(403, "forbidden");
    app.by(&foreign).patch(&policy(DISTRICT), change.clone()).await.expect_problem(404, "not_found");
    app.by(&stage.manager).patch(&policy("130399"), change.clone()).await.expect_problem(404, "not_found");
    for bad in [json!({"wave_size": 0}), json!({"wave_size": 21}), json!({"min_score": 101}), json!({"enabled": "yes"})]
    {
        app.by(&stage.manager).patch(&policy(DISTRICT), bad).await.expect_problem(422, "validation_failed");
    }
    let whole = app.by(&stage.manager).patch(&policy(DISTRICT), change).await.expect_status(200).json();
    assert_eq!((&whole["wave_size"], &whole["from_region"]), (&json!(5), &json!(DISTRICT)));
    let below = app.by(&auditor).get(&policy(SISTER)).await.expect_status(200).json();
    assert_eq!((&below["enabled"], &below["from_region"]), (&json!(true), &json!(DISTRICT)));
    let own = app.by(&stage.manager).patch(&policy(SISTER), json!({"enabled": false})).await.expect_status(200).json();
    assert_eq!((&own["enabled"], &own["wave_size"]), (&json!(false), &json!(5)));

    // A region below that is switched off stays off.
    free_in(&app, SISTER).await;
    let resident = app.seed().member().in_region(SISTER).await;
    let body = crate::wish_stage::wish_body(&app, tomorrow(&app, 0));
    let wish = app.by(&resident).post("/api/v1/wishes", body).await.expect_status(201).id();
    stage.review(&app, &wish).await;
    app.clock.advance(TimeDelta::minutes(20));
    assert_eq!(ask(&app).await, 0);
    let back = app.by(&stage.manager).delete(&policy(SISTER)).await.expect_status(200).json();
    assert_eq!(back["from_region"], DISTRICT);
    assert_eq!(ask(&app).await, 1);
    let trail =
        audit::Entity::find().filter(audit::Column::Action.starts_with("offer_policy")).all(app.state.db.read());
    let actions: Vec<String> = trail.await.unwrap().into_iter().map(|row| row.action).collect();
    assert_eq!(actions.len(), 4, "{actions:?}");
});

both!(offers_are_exported_and_forgotten_with_their_member, async |app| {
    let stage = Stage::new(&app).await;
    let person = free(&app).await;
    let (_, task) = stage.publish(&app, tomorrow(&app, 0)).await;
    switch_on(&app, &stage, json!({})).await;
    assert_eq!(ask(&app).await, 1);
    let own = app.by(&person).get("/api/v1/me/export").await.expect_status(200).json();
    assert_eq!(own["claims"][0]["offer"]["score"], 100);
    app.by(&person).delete("/api/v1/me").await.expect_status(204);
    let task: TaskId = task.parse().unwrap();
    let rows = offer::Entity::find().filter(offer::Column::TaskId.eq(task)).all(app.state.db.read()).await.unwrap();
    assert_eq!(rows[0].ordering, json!([]));
    expect_sound(&app).await;
});

both!(staff_see_waves_and_others_do_not, async |app| {
    let stage = Stage::new(&app).await;
    let (_, task) = stage.publish(&app, json!({})).await;
    let path = format!("/api/v1/tasks/{task}/offers");
    app.by(&stage.volunteer).get(&path).await.expect_problem(403, "forbidden");
    let foreign = app.seed().staff(Role::Clerk).in_region(FOREIGN).await;
    app.by(&foreign).get(&path).await.expect_problem(404, "not_found");
    assert_eq!(app.by(&stage.clerk).get(&path).await.expect_status(200).json()["items"], json!([]));
});
