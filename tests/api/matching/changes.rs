//! Every change is seen by the next call, on whatever node it was made and whenever it commits.

use chrono::TimeDelta;
use entity::claim;
use entity::id::{MemberId, TaskId};
use entity::member;
use entity::member_skill;
use entity::staff::Role;
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait as _, DatabaseTransaction, EntityTrait as _,
    PaginatorTrait as _, QueryFilter as _, Statement, TransactionTrait as _,
};
use serde_json::{Value, json};

use super::{change, free, helper, ids, listed, matches, recommended, skilled, work};
use crate::support::{Backend, COMMUNITY, FOREIGN, Staff, TestApp, at_once};
use crate::wish_stage::{Stage, claim};

/// How many fit a task, as each of two nodes says.
async fn fits(app: &TestApp, other: &TestApp, manager: &Staff, task: TaskId) -> usize {
    let here = ids(&matches(app, manager, task).await, "member_id");
    assert_eq!(here, ids(&matches(other, manager, task).await, "member_id"));
    here.len()
}

both!(a_change_is_seen_by_the_next_call_on_every_node, async |app| {
    let other = app.second_node().await;
    let manager = app.seed().staff(Role::Manager).await;
    let who = app.seed().member().volunteer().await;
    let plain = work().open(&app).await;
    let asking = work().skills(&["S01"]).at(600, 660).open(&app).await;
    listed(&app, &["S01", "S02"]).await;
    let seen = async |task| fits(&app, &other, &manager, task).await;
    let patch = async |body: Value| {
        app.by(&who).patch("/api/v1/me", body).await.expect_status(200);
    };
    assert_eq!((seen(plain).await, seen(asking).await), (0, 0));
    patch(json!({"availability": [{"weekday": 7, "from": "08:00", "until": "24:00"}]})).await;
    assert_eq!((seen(plain).await, seen(asking).await), (1, 0));
    patch(json!({"skills": ["S01"]})).await;
    assert_eq!((seen(plain).await, seen(asking).await), (1, 1));
    patch(json!({"skills": ["S02"]})).await;
    assert_eq!((seen(plain).await, seen(asking).await), (1, 0));
    patch(json!({"skills": ["S01", "S02"], "offers_paused": true})).await;
    assert_eq!((seen(plain).await, seen(asking).await), (0, 0));
    assert_eq!(app.by(&who).get("/api/v1/me").await.expect_status(200).json()["offers_paused"], true);
    assert_eq!(recommended(&other, &who).await["items"].as_array().unwrap().len(), 2, "who looks finds all the same");
    patch(json!({"offers_paused": false, "max_hours_week": 1})).await;
    assert_eq!((seen(plain).await, seen(asking).await), (0, 1), "two hours are too many");
    patch(json!({"max_hours_week": 0})).await;
    let made = claim(&other, &who, &plain.to_string()).await.expect_status(201).id();
    let clash = work().at(60, 120).open(&app).await;
    assert_eq!((seen(plain).await, seen(clash).await, seen(asking).await), (0, 0, 1));
    app.by(&who).post(&format!("/api/v1/claims/{made}/withdrawal"), json!({})).await.expect_status(200);
    assert_eq!((seen(plain).await, seen(clash).await), (0, 1), "nobody is asked again who withdrew");
    assert_eq!(recommended(&app, &who).await["items"].as_array().unwrap().len(), 3, "but may come back");
    change(
        &app,
        member::ActiveModel { id: Set(who.id), region_code: Set(Some(FOREIGN.to_owned())), ..Default::default() },
    )
    .await;
    assert_eq!(seen(clash).await, 0);
    change(
        &app,
        member::ActiveModel { id: Set(who.id), region_code: Set(Some(COMMUNITY.to_owned())), ..Default::default() },
    )
    .await;
    assert_eq!(seen(clash).await, 1);
    app.by(&who).delete("/api/v1/me").await.expect_status(204);
    assert_eq!(seen(clash).await, 0);
});

both!(what_becomes_of_a_task_is_seen_too, async |app| {
    let other = app.second_node().await;
    let stage = Stage::new(&app).await;
    let who = helper(&app, COMMUNITY).await;
    let window = json!({"from": "2026-11-22T01:00:00Z", "until": "2026-11-22T02:00:00Z"});
    assert_eq!(recommended(&other, &who).await["reason"]["code"], "nothing_open");
    let (wish, task) = stage.publish(&app, json!({ "window": window })).await;
    assert_eq!(ids(&recommended(&other, &who).await, "id"), std::slice::from_ref(&task));
    let else_one = helper(&app, COMMUNITY).await;
    claim(&app, &else_one, &task).await.expect_status(201);
    assert_eq!(recommended(&other, &who).await["items"], json!([]), "it is full");
    let body = json!({"reason": "不需要了"});
    app.by(&stage.manager).post(&format!("/api/v1/wishes/{wish}/cancellation"), body).await.expect_status(200);
    let path = format!("/api/v1/tasks/{task}/matches");
    let found = other.by(&stage.manager).get(&path).await.expect_status(200).json();
    assert_eq!(found["reason"]["code"], "task_closed");
});

both!(an_offer_and_its_answer_are_seen, async |app| {
    let other = app.second_node().await;
    let manager = app.seed().staff(Role::Manager).await;
    let (one, two) = (helper(&app, COMMUNITY).await, helper(&app, COMMUNITY).await);
    let task = work().open(&app).await;
    assert_eq!(fits(&app, &other, &manager, task).await, 2);
    let body = json!({"member_ids": [one.id], "expires_in_minutes": 60});
    let made = app.by(&manager).post(&format!("/api/v1/tasks/{task}/offers"), body).await.expect_status(201).json();
    assert_eq!(ids(&matches(&other, &manager, task).await, "member_id"), [two.id.to_string()]);
    assert_eq!(recommended(&other, &one).await["items"], json!([]));
    let offer = made["items"][0]["id"].as_str().unwrap();
    app.by(&one).post(&format!("/api/v1/claims/{offer}/decline"), json!({})).await.expect_status(200);
    assert_eq!(ids(&matches(&other, &manager, task).await, "member_id"), [two.id.to_string()]);
    let found = recommended(&other, &one).await;
    assert_eq!((&found["items"], &found["reason"]["code"]), (&json!([]), &json!("all_answered")));
});

both!(eight_who_ask_first_at_once_get_the_same, async |app| {
    let manager = app.seed().staff(Role::Manager).await;
    for _ in 0..5 {
        helper(&app, COMMUNITY).await;
    }
    let task = work().open(&app).await;
    let calls = (0..8).map(|_| app.by(&manager).get(&format!("/api/v1/tasks/{task}/matches")));
    let answers = at_once(calls).await;
    let first = answers[0].json();
    assert_eq!(first["items"].as_array().unwrap().len(), 5);
    assert!(answers.iter().all(|answer| answer.json() == first));
});

both!(a_district_that_cannot_be_read_is_not_answered_from, async |app| {
    let manager = app.seed().staff(Role::Manager).await;
    let who = helper(&app, COMMUNITY).await;
    let task = work().open(&app).await;
    assert_eq!(ids(&matches(&app, &manager, task).await, "member_id").len(), 1);
    let db = app.database.connect().await;
    db.execute_unprepared("ALTER TABLE match_mark RENAME TO lost_mark").await.unwrap();
    let fresh = app.second_node().await;
    let path = format!("/api/v1/tasks/{task}/matches");
    app.by(&manager).get(&path).await.expect_problem(503, "unavailable");
    app.by(&who).get("/api/v1/me/recommendations").await.expect_problem(503, "unavailable");
    // It has to read everything, which it can; and then what happened meanwhile, which it cannot.
    fresh.by(&manager).get(&path).await.expect_status(200);
    fresh.by(&manager).get(&path).await.expect_problem(503, "unavailable");
    change(&app, member::ActiveModel { id: Set(who.id), offers_paused: Set(true), ..Default::default() }).await;
    db.execute_unprepared("ALTER TABLE lost_mark RENAME TO match_mark").await.unwrap();
    assert_eq!(matches(&app, &manager, task).await["reason"]["code"], "all_paused", "nothing was lost");
    assert_eq!(matches(&fresh, &manager, task).await["reason"]["code"], "all_paused");
    db.close().await.unwrap();
});

async fn sweep(app: &TestApp) {
    linli::jobs::run_once(&app.state, "sweep").await.unwrap().expect("nobody else runs it");
}

async fn feed(app: &TestApp) -> i64 {
    let sql = "SELECT COUNT(*) AS n FROM match_change";
    let row = app.state.db.read().query_one_raw(Statement::from_string(app.state.db.backend(), sql)).await;
    row.unwrap().unwrap().try_get("", "n").unwrap()
}

both!(who_looks_after_the_sweep_begins_anew, async |app| {
    let other = app.second_node().await;
    let manager = app.seed().staff(Role::Manager).await;
    let who = helper(&app, COMMUNITY).await;
    let mut task = work();
    task.until += TimeDelta::hours(1);
    let task = task.open(&app).await;
    assert_eq!(fits(&app, &other, &manager, task).await, 1);
    sweep(&app).await;
    skilled(&app, who.id, &["S09"]).await;
    change(&app, member::ActiveModel { id: Set(who.id), offers_paused: Set(true), ..Default::default() }).await;
    app.clock.advance(TimeDelta::minutes(61));
    sweep(&app).await;
    assert!(feed(&app).await > 0, "what is younger than an hour stays");
    app.clock.advance(TimeDelta::minutes(61));
    sweep(&app).await;
    // What runs elsewhere in the cluster may keep more of it for a while.
    assert!(app.database.backend() == Backend::Postgres || feed(&app).await <= 1);
    // Neither has looked for two hours.
    assert_eq!(fits(&app, &other, &manager, task).await, 0);
    change(&app, member::ActiveModel { id: Set(who.id), offers_paused: Set(false), ..Default::default() }).await;
    assert_eq!(fits(&app, &other, &manager, task).await, 1);
});

async fn learn(txn: &DatabaseTransaction, who: MemberId, code: &str) {
    let row = member_skill::ActiveModel { member_id: Set(who), skill: Set(code.to_owned()) };
    member_skill::Entity::insert(row).exec_without_returning(txn).await.unwrap();
}

// On PostgreSQL transactions commit in another order than they began. SQLite has one writer.
both!(no_order_of_commits_loses_a_change, async |app| {
    if app.database.backend() == Backend::Sqlite {
        return;
    }
    let other = app.second_node().await;
    let manager = app.seed().staff(Role::Manager).await;
    let task = work().skills(&["S01"]).open(&app).await;
    let mut helpers = Vec::new();
    for _ in 0..24 {
        helpers.push(helper(&app, COMMUNITY).await);
    }
    let connections: Vec<_> = futures_util::future::join_all((0..4).map(|_| app.database.connect())).await;
    let mut open: Vec<Option<(DatabaseTransaction, MemberId)>> = (0..4).map(|_| None).collect();
    let (mut random, mut next, mut learnt) = (20_261_122_u64, 0, Vec::new());
    let mut chance = |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(random >> 33).unwrap() % below
    };
    while learnt.len() < helpers.len() {
        let turn = chance(4);
        match open[turn].take() {
            Some((txn, who)) => {
                if chance(4) == 0 {
                    txn.rollback().await.unwrap();
                    let again = connections[turn].begin().await.unwrap();
                    learn(&again, who, "S01").await;
                    open[turn] = Some((again, who));
                } else {
                    txn.commit().await.unwrap();
                    learnt.push(who);
                }
            }
            None if next < helpers.len() => {
                let txn = connections[turn].begin().await.unwrap();
                // Its number is drawn here, long before it commits.
                learn(&txn, helpers[next].id, "S01").await;
                open[turn] = Some((txn, helpers[next].id));
                next += 1;
            }
            None => {}
        }
        let node = if chance(2) == 0 { &app } else { &other };
        let path = format!("/api/v1/tasks/{task}/matches?limit=100");
        let mut found = ids(&node.by(&manager).get(&path).await.expect_status(200).json(), "member_id");
        let mut expected: Vec<String> = learnt.iter().map(ToString::to_string).collect();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected);
    }
});

both!(a_merged_skill_is_what_it_became, async |app| {
    let other = app.second_node().await;
    let manager = app.seed().staff(Role::Manager).await;
    listed(&app, &["S01", "S02"]).await;
    let who = helper(&app, COMMUNITY).await;
    skilled(&app, who.id, &["S01"]).await;
    let task = work().skills(&["S02"]).open(&app).await;
    assert_eq!(fits(&app, &other, &manager, task).await, 0);
    let db = app.database.connect().await;
    db.execute_unprepared("UPDATE code_item SET merged_into = 'S02' WHERE list = 'skill' AND code = 'S01'")
        .await
        .unwrap();
    db.close().await.unwrap();
    assert_eq!(fits(&app, &other, &manager, task).await, 1);
});

both!(claims_of_gone_members_do_no_harm, async |app| {
    let manager = app.seed().staff(Role::Manager).await;
    let who = app.seed().member().volunteer().await;
    free(&app, who.id, &[(7, 0, 24)]).await;
    let task = work().slots(2).open(&app).await;
    claim(&app, &who, &task.to_string()).await.expect_status(201);
    let open = claim::Entity::find().filter(claim::Column::MemberId.eq(who.id)).count(app.state.db.read()).await;
    assert_eq!(open.unwrap(), 1);
    let gone = member::ActiveModel { id: Set(who.id), disabled_at: Set(Some(app.clock.now())), ..Default::default() };
    change(&app, gone).await;
    assert_eq!(matches(&app, &manager, task).await["reason"]["code"], "no_volunteers");
});

both!(who_is_far_behind_reads_everything_anew, async |app| {
    let other = app.second_node().await;
    let manager = app.seed().staff(Role::Manager).await;
    let who = helper(&app, COMMUNITY).await;
    let task = work().open(&app).await;
    assert_eq!(fits(&app, &other, &manager, task).await, 1);
    let flood = match app.database.backend() {
        Backend::Sqlite => {
            "INSERT INTO match_change (district, kind, object_id)
             WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 6000)
             SELECT '130302', 'member', randomblob(16) FROM n"
        }
        Backend::Postgres => {
            "INSERT INTO match_change (position, district, kind, object_id)
             SELECT match_here(), '130302', 'member', gen_random_uuid() FROM generate_series(1, 6000)"
        }
    };
    let db = app.database.connect().await;
    db.execute_unprepared(flood).await.unwrap();
    db.close().await.unwrap();
    // It comes behind what one look shows.
    change(&app, member::ActiveModel { id: Set(who.id), offers_paused: Set(true), ..Default::default() }).await;
    assert_eq!(fits(&app, &other, &manager, task).await, 0);
    change(&app, member::ActiveModel { id: Set(who.id), offers_paused: Set(false), ..Default::default() }).await;
    assert_eq!(fits(&app, &other, &manager, task).await, 1);
});
