//! Claims: refusals in their order, offers, withdrawal, check-in and check-out by every means.

use chrono::TimeDelta;
use entity::id::{ClaimId, MemberId, TaskId};
use entity::service_record::Evidence;
use entity::staff::Role;
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};

use crate::support::{COMMUNITY, FOREIGN, Member, SISTER, TestApp};
use crate::wish_stage::{Stage, claim, claim_of, deadlines, inbox, task, to_next_step, window, wish};

fn path(claim: &str, action: &str) -> String {
    format!("/api/v1/claims/{claim}/{action}")
}

async fn act(
    app: &TestApp,
    who: &(impl crate::support::Bearer + ?Sized),
    claim: &str,
    action: &str,
    body: Value,
) -> crate::support::Answer {
    app.by(who).post(&path(claim, action), body).await
}

/// The record of a claim.
async fn record_of(app: &TestApp, claim: &str) -> entity::service_record::Model {
    let rows = entity::service_record::Entity::find().all(app.state.db.read()).await.unwrap();
    let id: ClaimId = claim.parse().unwrap();
    rows.into_iter().find(|row| row.claim_id == Some(id)).expect("a record")
}

async fn offer(app: &TestApp, stage: &Stage, task: &str, members: &[&Member], minutes: i64) -> Vec<String> {
    let ids: Vec<_> = members.iter().map(|member| member.id).collect();
    let body = json!({"member_ids": ids, "expires_in_minutes": minutes});
    let made = app.by(&stage.manager).post(&format!("/api/v1/tasks/{task}/offers"), body).await.expect_status(201);
    let made = made.json();
    // In the order of the members asked for.
    ids.iter()
        .map(|id| {
            let items = made["items"].as_array().unwrap();
            let own = items.iter().find(|claim| claim["member_id"] == json!(id)).unwrap();
            assert_eq!(own["status"], "offered");
            own["id"].as_str().unwrap().to_owned()
        })
        .collect()
}

both!(claims_are_refused_in_order, async |app| {
    let stage = Stage::new(&app).await;
    let (_, task_id) = stage.publish(&app, json!({})).await;
    let plain = app.seed().member().await;
    let foreign = app.seed().member().volunteer().in_region(FOREIGN).await;
    let newcomer = app.seed().member().volunteer().incomplete().await;
    claim(&app, &plain, &task_id).await.expect_problem(403, "not_a_volunteer");
    claim(&app, &plain, "nonsense").await.expect_problem(403, "not_a_volunteer");
    claim(&app, &newcomer, &task_id).await.expect_problem(403, "profile_incomplete");
    claim(&app, &stage.manager, &task_id).await.expect_problem(403, "forbidden");
    claim(&app, &foreign, &task_id).await.expect_problem(404, "not_found");
    claim(&app, &stage.volunteer, "nonsense").await.expect_problem(404, "not_found");
    claim(&app, &stage.volunteer, &TaskId::new().to_string()).await.expect_problem(404, "not_found");
    let url = format!("/api/v1/tasks/{task_id}/claims");
    app.by(&stage.volunteer).post(&url, json!({"status": "verified"})).await.expect_problem(422, "validation_failed");
    app.by(&foreign).post(&url, json!({"status": "verified"})).await.expect_problem(404, "not_found");

    claim(&app, &stage.volunteer, &task_id).await.expect_status(201);
    claim(&app, &stage.volunteer, &task_id).await.expect_problem(409, "already_claimed");
    // Busy elsewhere at that time, and the other task is full: what the volunteer can do something about comes first.
    let (_, second) = stage.publish(&app, json!({})).await;
    let other = app.seed().member().party_member().in_region(SISTER).await;
    claim(&app, &other, &second).await.expect_status(201);
    claim(&app, &stage.volunteer, &second).await.expect_problem(409, "overlapping_claim");
    let third = app.seed().member().volunteer().await;
    claim(&app, &third, &second).await.expect_problem(409, "task_full");
    app.clock.advance(TimeDelta::minutes(180));
    claim(&app, &third, &second).await.expect_problem(409, "task_closed");
    claim(&app, &other, &second).await.expect_problem(409, "task_closed");
});

both!(nobody_claims_their_own_wish, async |app| {
    let mut stage = Stage::new(&app).await;
    stage.resident = app.seed().member().volunteer().await;
    let (_, task_id) = stage.publish(&app, json!({})).await;
    claim(&app, &stage.resident, &task_id).await.expect_problem(403, "second_person_required");
    assert_eq!(task(&app, &stage.manager, &task_id).await["taken"], 0);
});

both!(windows_that_touch_do_not_overlap, async |app| {
    let stage = Stage::new(&app).await;
    let (_, first) = stage.publish(&app, json!({"window": window(&app, 60, 120)})).await;
    let (_, next) = stage.publish(&app, json!({"window": window(&app, 120, 180)})).await;
    let (_, across) = stage.publish(&app, json!({"window": window(&app, 119, 121), "slots": 2})).await;
    claim(&app, &stage.volunteer, &first).await.expect_status(201);
    claim(&app, &stage.volunteer, &next).await.expect_status(201);
    claim(&app, &stage.volunteer, &across).await.expect_problem(409, "overlapping_claim");
    assert_eq!(task(&app, &stage.manager, &across).await["taken"], 0);
});

both!(an_offer_takes_no_slot_until_it_is_accepted, async |app| {
    let stage = Stage::new(&app).await;
    let (id, task_id) = stage.publish(&app, json!({})).await;
    let (first, second) = (app.seed().member().volunteer().await, app.seed().member().volunteer().await);
    let offers = offer(&app, &stage, &task_id, &[&first, &second], 60).await;
    assert_eq!(task(&app, &stage.manager, &task_id).await["taken"], 0);
    assert_eq!(inbox(&app, &first).await, ["claim.offered"]);
    act(&app, &second, &offers[0], "acceptance", json!({})).await.expect_problem(404, "not_found");
    act(&app, &stage.manager, &offers[0], "acceptance", json!({})).await.expect_problem(403, "forbidden");
    let accepted = act(&app, &first, &offers[0], "acceptance", json!({})).await.expect_status(200);
    assert_eq!(accepted.at("/status"), "accepted");
    assert_eq!(wish(&app, &stage.resident, &id).await["status"], "claimed");
    act(&app, &first, &offers[0], "acceptance", json!({})).await.expect_problem(409, "invalid_transition");
    act(&app, &second, &offers[1], "acceptance", json!({})).await.expect_problem(409, "task_full");
    assert_eq!(claim_of(&app, &second, &offers[1]).await["status"], "offered");
    // The first withdraws, and the offer still stands.
    act(&app, &first, &offers[0], "withdrawal", json!({"reason": "发烧"})).await.expect_status(200);
    act(&app, &second, &offers[1], "acceptance", json!({})).await.expect_status(200);
    assert_eq!(task(&app, &stage.manager, &task_id).await["taken"], 1);
});

both!(an_offer_is_declined_or_lapses, async |app| {
    let stage = Stage::new(&app).await;
    let (_, task_id) = stage.publish(&app, json!({"slots": 3})).await;
    let people = [
        app.seed().member().volunteer().await,
        app.seed().member().volunteer().await,
        app.seed().member().volunteer().await,
    ];
    let offers = offer(&app, &stage, &task_id, &people.each_ref(), 30).await;
    let declined = act(&app, &people[0], &offers[0], "decline", json!({"reason": "没空"})).await.expect_status(200);
    assert_eq!((declined.at("/status"), declined.at("/reason")), ("declined".into(), "没空".into()));
    act(&app, &people[0], &offers[0], "decline", json!({})).await.expect_problem(409, "invalid_transition");
    act(&app, &people[1], &offers[1], "withdrawal", json!({})).await.expect_problem(409, "invalid_transition");
    // Declining is no penalty: the task is still open to them.
    claim(&app, &people[0], &task_id).await.expect_status(201);

    app.clock.advance(TimeDelta::minutes(30));
    act(&app, &people[1], &offers[1], "acceptance", json!({})).await.expect_problem(409, "invalid_transition");
    // An offer that ran out before the job saw it stands in nobody's way.
    let own = claim(&app, &people[2], &task_id).await.expect_status(201).id();
    assert_ne!(own, offers[2]);
    assert_eq!(claim_of(&app, &people[2], &offers[2]).await["status"], "lapsed");
    assert_eq!(deadlines(&app).await, 1);
    assert_eq!(claim_of(&app, &people[1], &offers[1]).await["status"], "lapsed");
    assert_eq!(inbox(&app, &people[1]).await, ["claim.offered", "claim.lapsed"]);
});

both!(claiming_takes_up_an_open_offer, async |app| {
    let stage = Stage::new(&app).await;
    let (_, task_id) = stage.publish(&app, json!({})).await;
    let offers = offer(&app, &stage, &task_id, &[&stage.volunteer], 60).await;
    let claimed = claim(&app, &stage.volunteer, &task_id).await.expect_status(201);
    assert_eq!((claimed.id(), claimed.at("/status")), (offers[0].clone(), "accepted".into()));
});

both!(offers_are_to_volunteers_of_the_district, async |app| {
    let stage = Stage::new(&app).await;
    let (_, task_id) = stage.publish(&app, json!({})).await;
    let plain = app.seed().member().await;
    let foreign = app.seed().member().volunteer().in_region(FOREIGN).await;
    let url = format!("/api/v1/tasks/{task_id}/offers");
    let post = async |token: &str, body: Value| app.by(token).post(&url, body).await;
    let body = |ids: Vec<MemberId>, minutes: Value| json!({"member_ids": ids, "expires_in_minutes": minutes});
    let good = body(vec![stage.volunteer.id], json!(60));
    post(&stage.clerk.token, good.clone()).await.expect_problem(403, "forbidden");
    post(&stage.volunteer.token, good.clone()).await.expect_problem(403, "forbidden");
    let sister = app.seed().staff(Role::Manager).in_region(SISTER).await;
    post(&sister.token, good.clone()).await.expect_problem(404, "not_found");
    for bad in [
        body(vec![], json!(60)),
        body(vec![plain.id], json!(60)),
        body(vec![stage.volunteer.id, foreign.id], json!(60)),
        body(vec![MemberId::new()], json!(60)),
        body(vec![stage.volunteer.id], json!(0)),
        body(vec![stage.volunteer.id], json!(10_081)),
        body(vec![stage.volunteer.id], Value::Null),
        body(vec![stage.volunteer.id], json!("60")),
        json!({"member_ids": ["x"], "expires_in_minutes": 5}),
    ] {
        post(&stage.manager.token, bad).await.expect_problem(422, "validation_failed");
    }
    post(&stage.manager.token, good.clone()).await.expect_status(201);
    post(&stage.manager.token, good.clone()).await.expect_problem(409, "already_claimed");
    app.clock.advance(TimeDelta::minutes(180));
    post(&stage.manager.token, good).await.expect_problem(409, "task_closed");
});

both!(the_last_withdrawal_publishes_the_wish_again, async |app| {
    let stage = Stage::new(&app).await;
    let (id, task_id) = stage.publish(&app, json!({"slots": 2})).await;
    let other = app.seed().member().volunteer().await;
    let first = claim(&app, &stage.volunteer, &task_id).await.id();
    let second = claim(&app, &other, &task_id).await.id();
    assert_eq!(task(&app, &stage.manager, &task_id).await["status"], "full");
    act(&app, &other, &first, "withdrawal", json!({})).await.expect_problem(404, "not_found");
    act(&app, &stage.clerk, &first, "withdrawal", json!({})).await.expect_problem(403, "forbidden");
    let gone = act(&app, &stage.volunteer, &first, "withdrawal", json!({"reason": "发烧"})).await.expect_status(200);
    assert_eq!((gone.at("/status"), gone.at("/reason")), ("withdrawn".into(), "发烧".into()));
    assert_eq!(task(&app, &stage.manager, &task_id).await["status"], "open");
    assert_eq!(wish(&app, &stage.resident, &id).await["status"], "claimed");
    act(&app, &other, &second, "withdrawal", json!({})).await.expect_status(200);
    assert_eq!(wish(&app, &stage.resident, &id).await["status"], "published");
    act(&app, &other, &second, "withdrawal", json!({})).await.expect_problem(409, "invalid_transition");
    // Whoever withdrew may come back.
    claim(&app, &stage.volunteer, &task_id).await.expect_status(201);
    assert_eq!(wish(&app, &stage.resident, &id).await["status"], "claimed");
    let told = inbox(&app, &stage.resident).await;
    assert_eq!(
        told,
        ["wish.published", "wish.claimed", "wish.claimed", "wish.released", "wish.released", "wish.claimed"]
    );
});

both!(check_in_opens_half_an_hour_before_and_closes_with_the_window, async |app| {
    let stage = Stage::new(&app).await;
    let (_, task_id) = stage.publish(&app, json!({})).await;
    let claim_id = claim(&app, &stage.volunteer, &task_id).await.id();
    act(&app, &stage.volunteer, &claim_id, "check-out", json!({"code": "x"}))
        .await
        .expect_problem(409, "invalid_transition");
    app.clock.advance(TimeDelta::minutes(30) - TimeDelta::microseconds(1));
    stage.check_in(&app, &stage.volunteer, &task_id, &claim_id).await.expect_problem(422, "check_in_rejected");
    act(&app, &stage.clerk, &claim_id, "check-in", json!({})).await.expect_problem(422, "check_in_rejected");
    app.clock.advance(TimeDelta::minutes(150) + TimeDelta::microseconds(1));
    stage.check_in(&app, &stage.volunteer, &task_id, &claim_id).await.expect_problem(422, "check_in_rejected");
    app.clock.advance(-TimeDelta::minutes(150));
    stage.check_in(&app, &stage.volunteer, &task_id, &claim_id).await.expect_status(200);
    stage.check_in(&app, &stage.volunteer, &task_id, &claim_id).await.expect_problem(409, "invalid_transition");
    // Half an hour early is not served time.
    app.clock.advance(TimeDelta::minutes(75));
    stage.check_out(&app, &stage.volunteer, &task_id, &claim_id).await.expect_status(200);
    let record = record_of(&app, &claim_id).await;
    assert_eq!((record.minutes, record.evidence), (45, Evidence::B));
    act(&app, &stage.volunteer, &claim_id, "check-out", json!({"code": "x"}))
        .await
        .expect_problem(409, "invalid_transition");
});

both!(codes_are_of_one_task_fresh_and_used_once_by_each, async |app| {
    let stage = Stage::new(&app).await;
    let (_, task_id) = stage.publish(&app, json!({"slots": 2, "window": window(&app, 0, 60)})).await;
    let (_, other_task) = stage.publish(&app, json!({"window": window(&app, 0, 60)})).await;
    let second = app.seed().member().volunteer().await;
    let first_claim = claim(&app, &stage.volunteer, &task_id).await.id();
    let second_claim = claim(&app, &second, &task_id).await.id();
    let present = async |who: &Member, claim: &str, action: &str, code: &str| {
        act(&app, who, claim, action, json!({ "code": code })).await
    };
    to_next_step(&app);
    let code = stage.code(&app, &task_id).await;
    for index in 0..code.len() {
        let mut forged = code.clone().into_bytes();
        forged[index] = if forged[index] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        present(&stage.volunteer, &first_claim, "check-in", &forged).await.expect_problem(422, "check_in_rejected");
    }
    let foreign = stage.code(&app, &other_task).await;
    present(&stage.volunteer, &first_claim, "check-in", &foreign).await.expect_problem(422, "check_in_rejected");
    present(&stage.volunteer, &first_claim, "check-in", "").await.expect_problem(422, "validation_failed");
    // Shown for 30 seconds, counting for 30 more.
    app.clock.advance(TimeDelta::seconds(60));
    present(&stage.volunteer, &first_claim, "check-in", &code).await.expect_problem(422, "check_in_rejected");
    app.clock.advance(-TimeDelta::microseconds(1));
    present(&stage.volunteer, &first_claim, "check-in", &code).await.expect_status(200);
    // The same code checks in somebody else, but does not check out who used it.
    present(&second, &second_claim, "check-in", &code).await.expect_status(200);
    present(&stage.volunteer, &first_claim, "check-out", &code).await.expect_problem(422, "check_in_rejected");
    // Nor is somebody else's claim moved by it.
    let next = stage.code(&app, &task_id).await;
    assert_ne!(next, code);
    present(&stage.volunteer, &second_claim, "check-out", &next).await.expect_problem(404, "not_found");
    present(&stage.volunteer, &first_claim, "check-out", &next).await.expect_status(200);
});

both!(the_code_is_shown_by_clerks_of_the_subtree, async |app| {
    let stage = Stage::new(&app).await;
    let (id, task_id) = stage.publish(&app, json!({})).await;
    let url = format!("/api/v1/tasks/{task_id}/check-in-code");
    app.by(&stage.volunteer).get(&url).await.expect_problem(403, "forbidden");
    let auditor = app.seed().staff(Role::Auditor).await;
    app.by(&auditor).get(&url).await.expect_problem(403, "forbidden");
    let sister = app.seed().staff(Role::Clerk).in_region(SISTER).await;
    app.by(&sister).get(&url).await.expect_problem(404, "not_found");
    to_next_step(&app);
    let shown = app.by(&stage.clerk).get(&url).await.expect_status(200).json();
    assert_eq!(shown["valid_until"], json!(app.clock.now() + TimeDelta::seconds(30)));
    app.by(&stage.resident).post(&format!("/api/v1/wishes/{id}/cancellation"), json!({})).await.expect_status(200);
    app.by(&stage.clerk).get(&url).await.expect_problem(409, "task_closed");
});

both!(place_counts_within_the_limit, async |app| {
    let stage = Stage::new(&app).await;
    let (_, task_id) = stage.publish(&app, json!({"window": window(&app, 0, 60)})).await;
    let claim_id = claim(&app, &stage.volunteer, &task_id).await.id();
    let at = async |action: &str, lat: f64, lon: f64| {
        act(&app, &stage.volunteer, &claim_id, action, json!({"lat": lat, "lon": lon})).await
    };
    at("check-in", 39.9374, 119.600_46).await.expect_problem(422, "check_in_rejected");
    at("check-in", 91.0, 0.0).await.expect_problem(422, "validation_failed");
    for bad in [
        json!({"lat": 39.9}),
        json!({"lon": 119.6}),
        json!({}),
        json!({"at": app.clock.now()}),
        json!({"lat": "39", "lon": 1.0}),
    ] {
        act(&app, &stage.volunteer, &claim_id, "check-in", bad).await.expect_problem(422, "validation_failed");
    }
    let near = at("check-in", 39.9372, 119.600_46).await.expect_status(200);
    assert_eq!(near.at("/check_in_means"), "place");
    at("check-out", 39.9, 119.6).await.expect_problem(422, "check_in_rejected");
    at("check-out", 39.935, 119.600).await.expect_status(200);
    assert_eq!(record_of(&app, &claim_id).await.evidence, Evidence::B);
});

both!(the_distance_limit_is_a_setting, async |app| {
    let stage = Stage::new(&app).await;
    let setting = entity::setting::Model {
        key: "check_in.max_distance_m".into(),
        value: json!(5000),
        updated_at: app.clock.now(),
    };
    app.seed().insert(vec![entity::setting::ActiveModel::from(setting)]).await;
    let (_, task_id) = stage.publish(&app, json!({"window": window(&app, 0, 60)})).await;
    let claim_id = claim(&app, &stage.volunteer, &task_id).await.id();
    act(&app, &stage.volunteer, &claim_id, "check-in", json!({"lat": 39.97, "lon": 119.6})).await.expect_status(200);
});

both!(without_a_place_only_codes_count, async |app| {
    let stage = Stage::new(&app).await;
    let (_, task_id) = stage.publish(&app, json!({"window": window(&app, 0, 60), "place": null})).await;
    let claim_id = claim(&app, &stage.volunteer, &task_id).await.id();
    let here = json!({"lat": 39.9, "lon": 119.6});
    act(&app, &stage.volunteer, &claim_id, "check-in", here).await.expect_problem(422, "check_in_rejected");
    let both = json!({"lat": 39.9, "lon": 119.6, "code": stage.code(&app, &task_id).await});
    let shown = act(&app, &stage.volunteer, &claim_id, "check-in", both).await.expect_status(200);
    assert_eq!(shown.at("/check_in_means"), "code");
});

both!(where_place_is_required_a_copied_code_is_not_enough, async |app| {
    let stage = Stage::new(&app).await;
    let id = stage.post(&app, json!({"window": window(&app, 0, 60)})).await;
    let body = json!({"decision": "publish", "risk_notice": "x", "place_required": true});
    let published = app.by(&stage.manager).post(&format!("/api/v1/wishes/{id}/review"), body).await.expect_status(200);
    let task_id = published.at("/task_id");
    let claim_id = claim(&app, &stage.volunteer, &task_id).await.id();
    let code = stage.code(&app, &task_id).await;
    let check_in = async |body: Value| act(&app, &stage.volunteer, &claim_id, "check-in", body).await;
    check_in(json!({ "code": code })).await.expect_problem(422, "check_in_rejected");
    check_in(json!({"lat": 39.935, "lon": 119.6})).await.expect_problem(422, "check_in_rejected");
    check_in(json!({"code": code, "lat": 39.0, "lon": 119.6})).await.expect_problem(422, "check_in_rejected");
    let shown = check_in(json!({"code": code, "lat": 39.9355, "lon": 119.6004})).await.expect_status(200);
    assert_eq!(shown.at("/check_in_means"), "code_and_place");

    let nowhere = stage.post(&app, json!({"place": null})).await;
    let body = json!({"decision": "publish", "risk_notice": "x", "place_required": true});
    app.by(&stage.manager)
        .post(&format!("/api/v1/wishes/{nowhere}/review"), body)
        .await
        .expect_problem(422, "validation_failed");
});

both!(staff_who_see_it_prove_it_and_staff_who_enter_it_do_not, async |app| {
    let stage = Stage::new(&app).await;
    let begin = app.clock.now();
    for (entered, grade) in [(false, Evidence::B), (true, Evidence::D)] {
        let (_, task_id) = stage.publish(&app, json!({"window": window(&app, 0, 60)})).await;
        let claim_id = claim(&app, &stage.volunteer, &task_id).await.id();
        let check = async |action: &str, body: Value| act(&app, &stage.clerk, &claim_id, action, body).await;
        for bad in [json!({"code": "x"}), json!({"lat": 1.0, "lon": 1.0}), json!({"at": "gestern"})] {
            check("check-in", bad).await.expect_problem(422, "validation_failed");
        }
        let now = app.clock.now();
        let future = json!({"at": now + TimeDelta::minutes(1)});
        let before = json!({"at": now - TimeDelta::minutes(1)});
        check("check-in", future).await.expect_problem(422, "check_in_rejected");
        check("check-in", before).await.expect_problem(422, "check_in_rejected");
        check("check-in", if entered { json!({"at": now}) } else { json!({}) }).await.expect_status(200);
        app.clock.advance(TimeDelta::minutes(45));
        let past = json!({"at": now - TimeDelta::seconds(1)});
        check("check-out", past).await.expect_problem(422, "check_in_rejected");
        let at = app.clock.now() - TimeDelta::minutes(5);
        check("check-out", if entered { json!({ "at": at }) } else { json!({}) }).await.expect_status(200);
        let record = record_of(&app, &claim_id).await;
        assert_eq!((record.evidence, record.minutes), (grade, if entered { 40 } else { 45 }));
        assert_eq!(record.entered_by, entered.then_some(stage.clerk.id));
        app.clock.set(begin + TimeDelta::hours(2));
    }
});

both!(clerks_of_elsewhere_other_roles_and_oneself_check_nobody_in, async |app| {
    let stage = Stage::new(&app).await;
    let (_, task_id) = stage.publish(&app, json!({"window": window(&app, 0, 60)})).await;
    let claim_id = claim(&app, &stage.volunteer, &task_id).await.id();
    let sister = app.seed().staff(Role::Manager).in_region(SISTER).await;
    let auditor = app.seed().staff(Role::Auditor).await;
    let grid = app.seed().staff(Role::GridWorker).in_region(COMMUNITY).await;
    let own = app.seed().staff(Role::Manager).being(&stage.volunteer).await;
    let neighbour = app.seed().member().volunteer().await;
    for action in ["check-in", "check-out", "no-show"] {
        act(&app, &sister, &claim_id, action, json!({})).await.expect_problem(404, "not_found");
        act(&app, &auditor, &claim_id, action, json!({})).await.expect_problem(403, "forbidden");
        act(&app, &grid, &claim_id, action, json!({})).await.expect_problem(403, "forbidden");
        act(&app, &own, &claim_id, action, json!({})).await.expect_problem(403, "second_person_required");
    }
    let tried = entity::audit::Entity::find().all(app.state.db.read()).await.unwrap();
    let denied = tried.iter().filter(|row| row.outcome == entity::audit::AuditOutcome::Denied);
    assert_eq!(denied.filter(|row| row.object_id.as_deref() == Some(&claim_id)).count(), 3);
    let code = stage.code(&app, &task_id).await;
    act(&app, &neighbour, &claim_id, "check-in", json!({ "code": code })).await.expect_problem(404, "not_found");
    act(&app, &stage.volunteer, &claim_id, "no-show", json!({})).await.expect_problem(403, "forbidden");
    act(&app, &stage.resident, &claim_id, "check-in", json!({"nonsense": 1})).await.expect_problem(404, "not_found");
    act(&app, &stage.volunteer, &claim_id, "check-in", json!({"code": code, "status": "verified"}))
        .await
        .expect_problem(422, "validation_failed");
    assert_eq!(claim_of(&app, &stage.clerk, &claim_id).await["status"], "accepted");
});

both!(a_forgotten_check_out_closes_itself_at_the_planned_end, async |app| {
    let stage = Stage::new(&app).await;
    let (id, task_id) = stage.publish(&app, json!({"window": window(&app, 0, 60)})).await;
    let claim_id = claim(&app, &stage.volunteer, &task_id).await.id();
    stage.check_in(&app, &stage.volunteer, &task_id, &claim_id).await.expect_status(200);
    app.clock.advance(TimeDelta::minutes(75));
    // Closed, whether the job has come to it or not.
    stage.check_out(&app, &stage.volunteer, &task_id, &claim_id).await.expect_problem(409, "invalid_transition");
    assert_eq!(deadlines(&app).await, 1);
    let closed = claim_of(&app, &stage.volunteer, &claim_id).await;
    assert_eq!((&closed["status"], &closed["check_out_means"]), (&json!("checked_out"), &json!("automatic")));
    let record = record_of(&app, &claim_id).await;
    assert_eq!((record.minutes, record.evidence), (60, Evidence::D));
    assert_eq!(wish(&app, &stage.resident, &id).await["status"], "fulfilled");
    assert_eq!(deadlines(&app).await, 0);
});

both!(staff_may_enter_both_times_after_the_window, async |app| {
    let stage = Stage::new(&app).await;
    let begin = app.clock.now();
    let (id, task_id) = stage.publish(&app, json!({"window": window(&app, 0, 60)})).await;
    let claim_id = claim(&app, &stage.volunteer, &task_id).await.id();
    app.clock.advance(TimeDelta::hours(5));
    assert_eq!(deadlines(&app).await, 0);
    act(&app, &stage.clerk, &claim_id, "check-in", json!({})).await.expect_problem(422, "check_in_rejected");
    let at = json!({"at": begin + TimeDelta::minutes(5)});
    act(&app, &stage.clerk, &claim_id, "check-in", at).await.expect_status(200);
    app.clock.advance(TimeDelta::minutes(2));
    assert_eq!(deadlines(&app).await, 0);
    let at = json!({"at": begin + TimeDelta::minutes(50)});
    act(&app, &stage.clerk, &claim_id, "check-out", at).await.expect_status(200);
    assert_eq!(record_of(&app, &claim_id).await.minutes, 45);
    assert_eq!(wish(&app, &stage.resident, &id).await["status"], "fulfilled");
});

both!(a_no_show_frees_the_slot, async |app| {
    let stage = Stage::new(&app).await;
    let (id, task_id) = stage.publish(&app, json!({})).await;
    let claim_id = claim(&app, &stage.volunteer, &task_id).await.id();
    act(&app, &stage.clerk, &claim_id, "no-show", json!({})).await.expect_problem(409, "invalid_transition");
    app.clock.advance(TimeDelta::minutes(60));
    let missed = act(&app, &stage.clerk, &claim_id, "no-show", json!({"reason": "电话不通"})).await.expect_status(200);
    assert_eq!(missed.at("/status"), "no_show");
    assert_eq!(wish(&app, &stage.resident, &id).await["status"], "published");
    assert_eq!(task(&app, &stage.manager, &task_id).await["taken"], 0);
    let other = app.seed().member().volunteer().await;
    let second = claim(&app, &other, &task_id).await.expect_status(201).id();
    stage.check_in(&app, &other, &task_id, &second).await.expect_status(200);
    act(&app, &stage.clerk, &second, "no-show", json!({})).await.expect_problem(409, "invalid_transition");
});

both!(whom_nobody_saw_counts_as_missed_after_three_days, async |app| {
    let stage = Stage::new(&app).await;
    let (id, task_id) = stage.publish(&app, json!({})).await;
    let claim_id = claim(&app, &stage.volunteer, &task_id).await.id();
    app.clock.advance(TimeDelta::hours(3 + 72) - TimeDelta::seconds(1));
    deadlines(&app).await;
    assert_eq!(claim_of(&app, &stage.volunteer, &claim_id).await["status"], "accepted");
    assert_eq!(wish(&app, &stage.resident, &id).await["overdue"], true);
    app.clock.advance(TimeDelta::seconds(1));
    deadlines(&app).await;
    assert_eq!(claim_of(&app, &stage.volunteer, &claim_id).await["status"], "no_show");
    assert_eq!(wish(&app, &stage.resident, &id).await["status"], "expired");
    assert_eq!(task(&app, &stage.manager, &task_id).await["status"], "closed");
});

both!(a_task_of_several_is_done_when_the_last_who_came_has_left, async |app| {
    let stage = Stage::new(&app).await;
    let (id, task_id) = stage.publish(&app, json!({"slots": 4, "window": window(&app, 0, 120)})).await;
    let others = [app.seed().member().volunteer().await, app.seed().member().volunteer().await];
    let first = claim(&app, &stage.volunteer, &task_id).await.id();
    let second = claim(&app, &others[0], &task_id).await.id();
    let third = claim(&app, &others[1], &task_id).await.id();
    let status = async || {
        let now = task(&app, &stage.manager, &task_id).await;
        let wish = wish(&app, &stage.resident, &id).await;
        format!("{} {} {}", now["status"].as_str().unwrap(), now["taken"], wish["status"].as_str().unwrap())
    };
    assert_eq!(status().await, "open 3 claimed");
    stage.serve(&app, &stage.volunteer, &task_id, &first).await;
    // Two are still expected, and there is a free slot for who happens to come by.
    assert_eq!(status().await, "in_progress 3 in_service");
    let late = app.seed().member().volunteer().await;
    let fourth = claim(&app, &late, &task_id).await.expect_status(201).id();
    assert_eq!(status().await, "in_progress 4 in_service");
    act(&app, &others[0], &second, "withdrawal", json!({})).await.expect_status(200);
    stage.serve(&app, &late, &task_id, &fourth).await;
    assert_eq!(status().await, "in_progress 3 in_service");
    // The window ends, the third never came: it is done without waiting for the three days.
    app.clock.advance(TimeDelta::minutes(60));
    assert_eq!(deadlines(&app).await, 1);
    assert_eq!(status().await, "done 3 fulfilled");
    assert_eq!(deadlines(&app).await, 0);
    // Staff may still say that they came, or that they did not.
    act(&app, &stage.clerk, &third, "no-show", json!({})).await.expect_status(200);
    assert_eq!(status().await, "done 2 fulfilled");
    let told = inbox(&app, &stage.resident).await;
    assert_eq!(told.iter().filter(|kind| *kind == "wish.fulfilled").count(), 1);
});

both!(the_last_expected_one_leaving_ends_a_task_that_others_have_served, async |app| {
    let stage = Stage::new(&app).await;
    let (id, task_id) = stage.publish(&app, json!({"slots": 2, "window": window(&app, 0, 120)})).await;
    let other = app.seed().member().volunteer().await;
    let first = claim(&app, &stage.volunteer, &task_id).await.id();
    let second = claim(&app, &other, &task_id).await.id();
    stage.serve(&app, &stage.volunteer, &task_id, &first).await;
    act(&app, &other, &second, "withdrawal", json!({})).await.expect_status(200);
    assert_eq!(wish(&app, &stage.resident, &id).await["status"], "fulfilled");
    assert_eq!(task(&app, &stage.manager, &task_id).await["status"], "done");
    claim(&app, &other, &task_id).await.expect_problem(409, "task_closed");
});

both!(who_sees_a_claim, async |app| {
    let stage = Stage::new(&app).await;
    let (_, task_id) = stage.publish(&app, json!({})).await;
    let claim_id = claim(&app, &stage.volunteer, &task_id).await.id();
    let neighbour = app.seed().member().volunteer().await;
    let sister = app.seed().staff(Role::Clerk).in_region(SISTER).await;
    let here = app.seed().staff(Role::Auditor).in_region(COMMUNITY).await;
    for (token, sees) in [
        (&stage.volunteer.token, true),
        (&here.token, true),
        (&stage.resident.token, false),
        (&neighbour.token, false),
        (&sister.token, false),
    ] {
        let status = if sees { 200 } else { 404 };
        app.by(token).get(&format!("/api/v1/claims/{claim_id}")).await.expect_status(status);
        let listed =
            app.by(token).get(&format!("/api/v1/claims?task={task_id}&status=accepted")).await.expect_status(200);
        assert_eq!(listed.json()["items"].as_array().unwrap().len(), usize::from(sees));
    }
    let mine = app.by(&stage.volunteer).get("/api/v1/me/claims").await.expect_status(200).json();
    assert_eq!(mine["items"][0]["id"], json!(claim_id));
    assert_eq!(app.by(&neighbour).get("/api/v1/me/claims").await.json()["items"], json!([]));
    app.by(&stage.clerk).get("/api/v1/me/claims").await.expect_problem(403, "forbidden");
    app.by(&stage.clerk).get("/api/v1/claims?task=x").await.expect_problem(422, "validation_failed");
    app.by(&stage.clerk).get("/api/v1/claims?status=x").await.expect_problem(422, "validation_failed");
    app.by(&stage.clerk).get("/api/v1/claims/x").await.expect_problem(404, "not_found");
});

both!(a_rejected_record_ends_its_claim, async |app| {
    let stage = Stage::new(&app).await;
    let (_, task_id) = stage.publish(&app, json!({"window": window(&app, 0, 60), "slots": 2})).await;
    let claim_id = claim(&app, &stage.volunteer, &task_id).await.id();
    stage.serve(&app, &stage.volunteer, &task_id, &claim_id).await;
    let record = record_of(&app, &claim_id).await.id;
    let url = format!("/api/v1/service-records/{record}/verification");
    app.by(&stage.manager)
        .post(&url, json!({"decision": "reject", "reason": "未见本人"}))
        .key("k")
        .await
        .expect_status(200);
    assert_eq!(claim_of(&app, &stage.volunteer, &claim_id).await["status"], "rejected");
    assert_eq!(task(&app, &stage.manager, &task_id).await["taken"], 1);
});

both!(a_claim_under_a_key_is_made_once, async |app| {
    let stage = Stage::new(&app).await;
    let (_, task_id) = stage.publish(&app, json!({"slots": 2})).await;
    let url = format!("/api/v1/tasks/{task_id}/claims");
    let first = app.by(&stage.volunteer).post(&url, json!({})).key("c").await.expect_status(201);
    let again = app.by(&stage.volunteer).post(&url, json!({})).key("c").await.expect_status(201);
    assert!(again.is_replayed());
    assert_eq!(first.body, again.body);
    assert_eq!(task(&app, &stage.manager, &task_id).await["taken"], 1);
});
