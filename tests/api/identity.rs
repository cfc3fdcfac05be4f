//! Sign-in and what a token is worth.

use ::entity::staff::Role;
use ::entity::{member, rate_counter, session, staff};
use std::io::Write as _;
use std::process::Stdio;

use chrono::TimeDelta;
use linli::identity::password;
use linli::identity::staff as accounts;
use linli::jobs::run_once;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, DbErr, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, Set,
};
use serde_json::{Value, json};

use crate::support::{Backend, COMMUNITY, DISTRICT, FOREIGN, Staff, TestApp, at_once, expect_exit, linli};

const PASSWORD: &str = "correct horse battery";

async fn manager(app: &TestApp) -> Staff {
    app.seed().staff(Role::Manager).password_hash(&password::hash(PASSWORD).unwrap()).await
}

fn by_password(app: &TestApp, username: &str, password: &str) -> crate::support::Call {
    app.post("/api/v1/auth/staff", json!({"username": username, "password": password}))
}

async fn sign_in(app: &TestApp, username: &str) -> Value {
    by_password(app, username, PASSWORD).await.expect_status(200).json()
}

fn text(tokens: &Value, name: &str) -> String {
    tokens[name].as_str().unwrap().to_owned()
}

/// Whether a token counts, asked of a route that needs a caller.
async fn counts(app: &TestApp, token: &str) -> bool {
    let answer = app.get("/api/v1/me").bearer(token).await;
    assert!(matches!(answer.status, 200 | 401), "{}", answer.text());
    answer.status == 200
}

async fn change_staff(app: &TestApp, change: staff::ActiveModel) {
    app.state
        .db
        .write(async move |txn| change.clone().update(txn).await.map(drop))
        .await
        .unwrap_or_else(|error: DbErr| panic!("{error}"));
}

both!(a_password_gives_tokens_that_count, async |app| {
    let staff = manager(&app).await;
    let tokens = sign_in(&app, &format!(" {} ", staff.username.to_uppercase())).await;
    assert_eq!(tokens["subject"], json!({"kind": "staff", "id": staff.id.to_string(), "roles": ["manager"]}));
    assert_eq!(tokens["expires_in"], 7200);
    assert!(counts(&app, &text(&tokens, "access_token")).await);
});

both!(tokens_that_do_not_count_are_refused, async |app| {
    let staff = manager(&app).await;
    let tokens = sign_in(&app, &staff.username).await;
    let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
    assert!(!counts(&app, &refresh).await, "a refresh token opens nothing");
    let mut tampered = access.clone();
    tampered.replace_range(0..1, if access.starts_with('A') { "B" } else { "A" });
    for forged in [tampered.as_str(), "x", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.", &access[..42]] {
        let answer = app.get("/api/v1/me").bearer(forged).await.expect_problem(401, "unauthenticated");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    app.get("/api/v1/me").await.expect_problem(401, "unauthenticated");
    app.get("/api/v1/me")
        .header("Authorization", &format!("Basic {access}"))
        .await
        .expect_problem(401, "unauthenticated");
    app.clock.advance(TimeDelta::hours(2) - TimeDelta::seconds(1));
    assert!(counts(&app, &access).await);
    app.clock.advance(TimeDelta::seconds(1));
    assert!(!counts(&app, &access).await, "a token of two hours ago");
});

both!(a_refresh_token_used_again_ends_its_family, async |app| {
    let staff = manager(&app).await;
    let other = sign_in(&app, &staff.username).await;
    let first = sign_in(&app, &staff.username).await;
    let refresh = |token: &str| app.post("/api/v1/auth/refresh", json!({"refresh_token": token}));
    let second: Value = refresh(&text(&first, "refresh_token")).await.expect_status(200).json();
    assert_ne!(first["access_token"], second["access_token"]);
    assert!(counts(&app, &text(&second, "access_token")).await);
    refresh(&text(&first, "refresh_token")).await.expect_problem(401, "unauthenticated");
    for token in [text(&first, "access_token"), text(&second, "access_token")] {
        assert!(!counts(&app, &token).await);
    }
    refresh(&text(&second, "refresh_token")).await.expect_problem(401, "unauthenticated");
    assert!(counts(&app, &text(&other, "access_token")).await, "another device stays signed in");
    refresh("nonsense").await.expect_problem(401, "unauthenticated");
    app.post("/api/v1/auth/refresh", json!({})).await.expect_problem(422, "validation_failed");
});

both!(of_two_refreshes_at_once_one_is_served, async |app| {
    let staff = manager(&app).await;
    let tokens = sign_in(&app, &staff.username).await;
    let body = json!({"refresh_token": tokens["refresh_token"]});
    let answers = at_once((0..6).map(|_| app.post("/api/v1/auth/refresh", body.clone()))).await;
    let served: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(served.len(), 1);
    assert!(!counts(&app, &served[0].at("/access_token")).await, "the others ended the family");
});

both!(signing_out_ends_a_session_on_every_node, async |app| {
    let node = app.second_node().await;
    let staff = manager(&app).await;
    let tokens = sign_in(&app, &staff.username).await;
    let access = text(&tokens, "access_token");
    assert!(counts(&node, &access).await);
    app.delete("/api/v1/auth/session").bearer(&access).await.expect_status(204);
    assert!(!counts(&app, &access).await && !counts(&node, &access).await);
    node.post("/api/v1/auth/refresh", json!({"refresh_token": tokens["refresh_token"]}))
        .await
        .expect_problem(401, "unauthenticated");
    app.delete("/api/v1/auth/session").bearer(&access).await.expect_problem(401, "unauthenticated");
    app.delete("/api/v1/auth/session").await.expect_problem(401, "unauthenticated");
});

both!(disabling_an_account_acts_at_the_next_request_of_every_node, async |app| {
    let node = app.second_node().await;
    let staff = manager(&app).await;
    let tokens = sign_in(&app, &staff.username).await;
    let access = text(&tokens, "access_token");
    let (now, name) = (app.clock.now(), staff.username.clone());
    app.state.db.write(async move |txn| accounts::set_disabled(txn, &name, true, now).await).await.unwrap();
    assert!(!counts(&node, &access).await && !counts(&app, &access).await);
    assert!(!counts(&node, &staff.token).await, "its other sessions too");
    node.post("/api/v1/auth/refresh", json!({"refresh_token": tokens["refresh_token"]}))
        .await
        .expect_problem(401, "unauthenticated");
    let disabled = by_password(&app, &staff.username, PASSWORD).await.expect_problem(401, "unauthenticated").problem();
    let unknown = by_password(&app, "nobody", PASSWORD).await.expect_problem(401, "unauthenticated").problem();
    assert_eq!(disabled, unknown);
    let name = staff.username.clone();
    app.state.db.write(async move |txn| accounts::set_disabled(txn, &name, false, now).await).await.unwrap();
    assert!(!counts(&app, &access).await, "a session that was ended stays so");
    sign_in(&app, &staff.username).await;
});

both!(a_disabled_or_erased_member_is_nobody, async |app| {
    for change in [
        member::ActiveModel { disabled_at: Set(Some(app.clock.now())), ..Default::default() },
        member::ActiveModel { erased_at: Set(Some(app.clock.now())), ..Default::default() },
    ] {
        let member = app.seed().member().await;
        assert!(counts(&app, &member.token).await);
        let change = member::ActiveModel { id: Set(member.id), ..change };
        app.state
            .db
            .write(async move |txn| change.clone().update(txn).await.map(drop))
            .await
            .unwrap_or_else(|error: DbErr| panic!("{error}"));
        assert!(!counts(&app, &member.token).await);
    }
});

both!(a_change_of_role_acts_at_the_next_request, async |app| {
    let staff = manager(&app).await;
    let station = json!({"name": "幸福里驿站", "kind": "growth", "region_code": COMMUNITY});
    app.by(&staff).post("/api/v1/stations", station.clone()).await.expect_status(201);
    change_staff(&app, staff::ActiveModel { id: Set(staff.id), role: Set(Role::Auditor), ..Default::default() }).await;
    app.by(&staff).post("/api/v1/stations", station.clone()).await.expect_problem(403, "forbidden");
    change_staff(
        &app,
        staff::ActiveModel {
            id: Set(staff.id),
            role: Set(Role::Admin),
            region_code: Set("130303".into()),
            ..Default::default()
        },
    )
    .await;
    app.by(&staff).post("/api/v1/stations", station).await.expect_problem(404, "not_found");
});

both!(five_wrong_passwords_lock_an_account_on_all_nodes_in_the_same_words, async |app| {
    let node = app.second_node().await;
    let staff = manager(&app).await;
    let wrong =
        by_password(&app, &staff.username, "wrong password").await.expect_problem(401, "unauthenticated").problem();
    for app in [&node, &app, &node, &app] {
        by_password(app, &staff.username, "wrong password").await.expect_problem(401, "unauthenticated");
    }
    let locked = by_password(&app, &staff.username, PASSWORD).await.expect_problem(401, "unauthenticated").problem();
    assert_eq!(locked, wrong);
    let elsewhere = by_password(&node, &staff.username, PASSWORD).from("203.0.113.9").await;
    elsewhere.expect_problem(401, "unauthenticated");
    app.clock.advance(TimeDelta::minutes(14));
    by_password(&node, &staff.username, PASSWORD).await.expect_problem(401, "unauthenticated");
    app.clock.advance(TimeDelta::minutes(2));
    sign_in(&app, &staff.username).await;
});

both!(a_success_forgets_the_failures_before_it, async |app| {
    let staff = manager(&app).await;
    for _ in 0..3 {
        for _ in 0..4 {
            by_password(&app, &staff.username, "wrong password").await.expect_problem(401, "unauthenticated");
        }
        sign_in(&app, &staff.username).await;
    }
});

both!(of_thirty_tries_at_once_over_two_nodes_five_are_looked_at, async |app| {
    let node = app.second_node().await;
    let staff = manager(&app).await;
    let calls = (0..30)
        .map(|number| by_password(if number % 2 == 0 { &app } else { &node }, &staff.username, "wrong password"));
    for answer in at_once(calls).await {
        answer.expect_problem(401, "unauthenticated");
    }
    by_password(&app, &staff.username, PASSWORD).from("203.0.113.9").await.expect_problem(401, "unauthenticated");
});

both!(an_address_that_fails_too_often_waits, async |app| {
    for number in 0..100 {
        app.post("/api/v1/auth/refresh", json!({"refresh_token": format!("guess{number}")}))
            .await
            .expect_problem(401, "unauthenticated");
    }
    let answer = by_password(&app, "anybody", PASSWORD).await.expect_problem(429, "too_many_requests");
    let wait: u32 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=901).contains(&wait), "{wait}");
    let forged = by_password(&app, "anybody", PASSWORD).header("X-Forwarded-For", "198.51.100.7").await;
    forged.expect_problem(429, "too_many_requests");
    by_password(&app, "anybody", PASSWORD).from("203.0.113.9").await.expect_problem(401, "unauthenticated");
});

both!(a_second_factor_is_asked_for_and_counts_once, async |app| {
    let staff = manager(&app).await;
    let sealed = app.state.keys.seal("staff.totp", b"12345678901234567890");
    change_staff(&app, staff::ActiveModel { id: Set(staff.id), totp_sealed: Set(Some(sealed)), ..Default::default() })
        .await;
    app.clock.set("2009-02-13T23:31:30Z".parse().unwrap());
    let with = |code: &str| {
        app.post("/api/v1/auth/staff", json!({"username": staff.username, "password": PASSWORD, "totp": code}))
    };
    by_password(&app, &staff.username, PASSWORD).await.expect_problem(401, "totp_required");
    with("000000").await.expect_problem(401, "unauthenticated");
    with("005924").await.expect_status(200);
    with("005924").await.expect_problem(401, "unauthenticated");
});

both!(sign_in_bodies_are_checked, async |app| {
    let unknown_field = json!({"username": "a", "password": "b", "role": "admin"});
    app.post("/api/v1/auth/staff", unknown_field).await.expect_problem(422, "validation_failed");
    app.post("/api/v1/auth/staff", json!({"username": "a", "password": "x".repeat(300)}))
        .await
        .expect_problem(422, "validation_failed");
    app.post("/api/v1/auth/sms", json!({"phone": "１３８００００００００"}))
        .await
        .expect_problem(422, "validation_failed");
    app.post("/api/v1/auth/sms", json!({"phone": "13800000000"})).await.expect_problem(503, "unavailable");
    app.post("/api/v1/auth/wechat", json!({"code": "x"})).await.expect_problem(503, "unavailable");
    app.call("POST", "/api/v1/auth/staff").raw("text/plain", "{}").await.expect_problem(415, "unsupported_media_type");
});

both!(what_has_served_its_time_is_swept_away, async |app| {
    let staff = manager(&app).await;
    sign_in(&app, &staff.username).await;
    by_password(&app, &staff.username, "wrong password").await.expect_problem(401, "unauthenticated");
    let left = async || {
        let db = app.state.db.read();
        let theirs = session::Entity::find().filter(session::Column::StaffId.eq(staff.id));
        (theirs.count(db).await.unwrap(), rate_counter::Entity::find().count(db).await.unwrap())
    };
    assert_eq!(left().await, (2, 2), "the seed's own session lives on");
    run_once(&app.state, "sweep").await.unwrap();
    assert_eq!(left().await, (2, 2));
    app.clock.advance(TimeDelta::days(61));
    run_once(&app.state, "sweep").await.unwrap();
    assert_eq!(left().await, (1, 0));
    assert!(counts(&app, &staff.token).await);
});

async fn accounts_and_tokens_are_made_on_the_command_line(backend: Backend) {
    let Some(app) = TestApp::spawn(backend).await else { return };
    let (member, station) = (app.seed().member().await, app.seed().station().await);
    app.seed().member().in_region(FOREIGN).await;
    let run = |arguments: &[&str], input: &str, code: i32| {
        let mut command = linli(&app.database, arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        expect_exit(child.wait_with_output().unwrap(), code)
    };
    let add = |name: &str, more: &[&str], input: &str, code: i32| {
        run(&[&["staff", "add", name, "--password-stdin", "--role"], more].concat(), input, code)
    };
    let station = station.id.to_string();
    add(
        "Wang",
        &["clerk", "--region", DISTRICT, "--station", &station, "--member", &member.ref_id],
        "a long password\n",
        0,
    );
    add("wang", &["clerk", "--region", DISTRICT], "a long password", 1);
    add("li", &["clerk", "--region", FOREIGN, "--station", &station], "a long password", 1);
    add("li", &["clerk", "--region", "139999"], "a long password", 1);
    add("li", &["clerk", "--region", DISTRICT, "--member", "M999999"], "a long password", 1);
    add("li", &["clerk", "--region", "13"], "a long password", 2);
    add("li", &["king", "--region", DISTRICT], "a long password", 2);
    add("li", &["clerk", "--region", DISTRICT], "short", 2);
    add("l i", &["clerk", "--region", DISTRICT], "a long password", 2);
    run(&["staff", "add", "li", "--role", "clerk", "--region", DISTRICT], "", 2);

    let said = run(&["token", "staff", "WANG"], "", 0);
    let (name, token) = said.trim().split_once(' ').unwrap();
    assert_eq!(name, "wang");
    app.clock.set(chrono::Utc::now());
    let me: Value = app.get("/api/v1/me").bearer(token).await.expect_status(200).json();
    assert_eq!((&me["station_id"], &me["member_id"]), (&json!(station), &json!(member.id.to_string())));
    let tokens = app.post("/api/v1/auth/staff", json!({"username": "wang", "password": "a long password"})).await;
    tokens.expect_status(200);

    let said = run(&["token", "members", "--region", COMMUNITY], "", 0);
    let lines: Vec<_> = said.lines().map(|line| line.split_once(' ').unwrap()).collect();
    assert_eq!(lines.iter().map(|(name, _)| *name).collect::<Vec<_>>(), [member.ref_id.as_str()]);
    assert_eq!(app.get("/api/v1/me").bearer(lines[0].1).await.expect_status(200).id(), member.id.to_string());
    assert_eq!(run(&["token", "members"], "", 0).lines().count(), 2);
    assert_eq!(run(&["token", "members", "--limit", "1"], "", 0).lines().count(), 1);
    run(&["token", "staff", "nobody"], "", 1);

    run(&["staff", "disable", "wang"], "", 0);
    app.get("/api/v1/me").bearer(token).await.expect_problem(401, "unauthenticated");
    run(&["token", "staff", "wang"], "", 1);
    run(&["staff", "disable", "nobody"], "", 1);
    app.database.clone().remove().await;
}

#[actix_web::test]
async fn accounts_and_tokens_are_made_on_the_command_line_on_sqlite() {
    accounts_and_tokens_are_made_on_the_command_line(Backend::Sqlite).await;
}

#[actix_web::test]
async fn accounts_and_tokens_are_made_on_the_command_line_on_postgres() {
    accounts_and_tokens_are_made_on_the_command_line(Backend::Postgres).await;
}
