//! Signing in by SMS and by WeChat, against stand-ins for the gateway and for WeChat.

use std::sync::Arc;
use std::time::Duration;

use ::entity::outbox::{self, OutboxStatus};
use ::entity::{member, setting};
use chrono::TimeDelta;
use linli::app::AppState;
use linli::config::{Config, SmsConfig, WechatConfig};
use linli::jobs::run_once;
use linli::notify::{sms, wechat};
use sea_orm::{EntityTrait as _, PaginatorTrait as _, Set};
use serde_json::{Value, json};
use wiremock::matchers::{body_partial_json, header, method, path, query_param};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::support::{COMMUNITY, TestApp, at_once};

const APPID: &str = "wx0000000000000001";

/// An application whose gateways are `server`; the demand for either comes to it alone.
async fn with_gateways(app: TestApp, server: &MockServer) -> TestApp {
    let state = gateways(&app.state, server);
    TestApp::over(state, app.database.clone()).await
}

fn gateways(state: &AppState, server: &MockServer) -> AppState {
    let mut config: Config = (*state.config).clone();
    config.sms = SmsConfig { base_url: Some(format!("{}/sms", server.uri())), key: Some("gateway-key".into()) };
    config.wechat =
        WechatConfig { base_url: server.uri(), appid: Some(APPID.into()), secret: Some("app-secret".into()) };
    let mut state = state.clone();
    state.sms = sms::client(&config);
    state.wechat = wechat::client(&config.wechat, &state.db, &state.keys, &state.clock);
    state.config = Arc::new(config);
    state
}

async fn gateway() -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/sms"))
        .and(header("authorization", "Bearer gateway-key"))
        .respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    server
}

/// The messages that the gateway has got, once there are `count`: delivery is a moment after the answer.
async fn messages(server: &MockServer, count: usize) -> Vec<Value> {
    for _ in 0..200 {
        let requests: Vec<Request> = server.received_requests().await.unwrap();
        let found: Vec<Value> = requests
            .iter()
            .filter(|request| request.url.path() == "/sms")
            .map(|request| request.body_json().unwrap())
            .collect();
        if found.len() >= count {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the gateway did not get {count} messages");
}

fn code_in(message: &Value) -> String {
    message["text"].as_str().unwrap().chars().filter(char::is_ascii_digit).take(6).collect()
}

async fn ask(app: &TestApp, phone: &str) {
    let answer = app.post("/api/v1/auth/sms", json!({"phone": phone})).await.expect_status(202);
    assert_eq!(answer.text(), "");
}

fn verify(app: &TestApp, phone: &str, code: &str) -> crate::support::Call {
    app.post("/api/v1/auth/sms/verification", json!({"phone": phone, "code": code}))
}

fn wrong(code: &str) -> String {
    format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000)
}

both!(a_new_phone_becomes_a_member_who_completes_the_profile, async |app| {
    let server = gateway().await;
    app.seed().regions().await;
    let app = with_gateways(app, &server).await;
    ask(&app, "13900000001").await;
    let message = messages(&server, 1).await.remove(0);
    assert_eq!(message["phone"], "13900000001");
    let tokens: Value = verify(&app, "13900000001", &code_in(&message)).await.expect_status(200).json();
    assert_eq!(tokens["subject"]["kind"], "member");
    assert_eq!(tokens["subject"]["roles"], json!(["resident"]));
    let me = app.by(tokens["access_token"].as_str().unwrap());
    let view: Value = me.get("/api/v1/me").await.expect_status(200).json();
    assert_eq!((&view["region_code"], &view["profile_complete"]), (&Value::Null, &json!(false)));
    let volunteer = json!({"consent": true});
    me.post("/api/v1/me/volunteer", volunteer.clone()).await.expect_problem(403, "profile_incomplete");
    me.patch("/api/v1/me", json!({"name": "王小明"})).await.expect_status(200);
    me.post("/api/v1/me/volunteer", volunteer.clone()).await.expect_problem(403, "profile_incomplete");
    me.patch("/api/v1/me", json!({"region_code": COMMUNITY})).await.expect_status(200);
    me.post("/api/v1/me/volunteer", volunteer).await.expect_status(200);
});

both!(an_imported_member_signs_in_with_the_phone_of_the_data_set, async |app| {
    let server = gateway().await;
    let member = app.seed().member().volunteer().await;
    let app = with_gateways(app, &server).await;
    ask(&app, &member.phone).await;
    let code = code_in(&messages(&server, 1).await[0]);
    let tokens: Value = verify(&app, &member.phone, &code).await.expect_status(200).json();
    assert_eq!(
        tokens["subject"],
        json!({"kind": "member", "id": member.id.to_string(), "roles": ["resident", "volunteer"]})
    );
    verify(&app, &member.phone, &code).await.expect_problem(401, "unauthenticated");
});

both!(known_and_unknown_phones_get_the_same_answers, async |app| {
    let server = gateway().await;
    let mut known = Vec::new();
    for _ in 0..50 {
        known.push(app.seed().member().await.phone);
    }
    let unknown: Vec<String> = (0..50).map(|number| format!("139{number:08}")).collect();
    let app = with_gateways(app, &server).await;
    for (known, unknown) in known.iter().zip(&unknown) {
        let mut answers = Vec::new();
        for phone in [known, unknown] {
            let sent = app.post("/api/v1/auth/sms", json!({"phone": phone})).await;
            let again = app.post("/api/v1/auth/sms", json!({"phone": phone})).await;
            let tried = verify(&app, phone, "not it").await;
            answers.push([sent, again, tried].map(|answer| (answer.status, answer.text())));
        }
        assert_eq!(answers[0], answers[1]);
        assert_eq!(answers[0].each_ref().map(|(status, _)| *status), [202, 429, 401]);
    }
});

both!(codes_are_sent_once_a_minute_and_five_times_an_hour_over_all_nodes, async |app| {
    let server = gateway().await;
    let app = with_gateways(app, &server).await;
    let node = with_gateways(app.second_node().await, &server).await;
    let (phone, other) = ("13900000001", "13900000002");
    for round in 0..5 {
        let app = if round % 2 == 0 { &app } else { &node };
        ask(app, phone).await;
        messages(&server, round + 1).await;
        let answer =
            node.post("/api/v1/auth/sms", json!({"phone": phone})).await.expect_problem(429, "too_many_requests");
        let wait: i64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=61).contains(&wait), "{wait}");
        app.clock.advance(TimeDelta::seconds(61));
    }
    app.post("/api/v1/auth/sms", json!({"phone": phone})).await.expect_problem(429, "too_many_requests");
    ask(&app, other).await;
    messages(&server, 6).await;
    app.clock.advance(TimeDelta::hours(1));
    ask(&node, phone).await;
    assert_eq!(messages(&server, 7).await.len(), 7);
});

both!(a_code_is_void_after_five_tries_on_whatever_node, async |app| {
    let server = gateway().await;
    let app = with_gateways(app, &server).await;
    let node = app.second_node().await;
    ask(&app, "13900000001").await;
    let code = code_in(&messages(&server, 1).await[0]);
    let calls = (0..12).map(|number| verify(if number % 2 == 0 { &app } else { &node }, "13900000001", &wrong(&code)));
    for answer in at_once(calls).await {
        answer.expect_problem(401, "unauthenticated");
    }
    verify(&app, "13900000001", &code).await.expect_problem(401, "unauthenticated");
});

both!(a_code_ends_after_five_minutes_and_with_the_next_one, async |app| {
    let server = gateway().await;
    let app = with_gateways(app, &server).await;
    ask(&app, "13900000001").await;
    let first = code_in(&messages(&server, 1).await[0]);
    verify(&app, "13900000002", &first).await.expect_problem(401, "unauthenticated");
    app.clock.advance(TimeDelta::seconds(61));
    ask(&app, "13900000001").await;
    let second = code_in(&messages(&server, 2).await[1]);
    if first != second {
        verify(&app, "13900000001", &first).await.expect_problem(401, "unauthenticated");
    }
    app.clock.advance(TimeDelta::minutes(5));
    verify(&app, "13900000001", &second).await.expect_problem(401, "unauthenticated");
});

both!(a_disabled_member_learns_it_only_with_the_right_code, async |app| {
    let server = gateway().await;
    let member = app.seed().member().await;
    let change =
        member::ActiveModel { id: Set(member.id), disabled_at: Set(Some(app.clock.now())), ..Default::default() };
    app.state
        .db
        .write(async move |txn| sea_orm::ActiveModelTrait::update(change.clone(), txn).await.map(drop))
        .await
        .unwrap();
    let app = with_gateways(app, &server).await;
    ask(&app, &member.phone).await;
    let code = code_in(&messages(&server, 1).await[0]);
    verify(&app, &member.phone, &wrong(&code)).await.expect_problem(401, "unauthenticated");
    verify(&app, &member.phone, &code).await.expect_problem(403, "account_disabled");
});

both!(a_gateway_that_fails_gets_the_message_again_later, async |app| {
    let server = MockServer::start().await;
    Mock::given(path("/sms")).respond_with(ResponseTemplate::new(500)).up_to_n_times(1).mount(&server).await;
    Mock::given(path("/sms")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let app = with_gateways(app, &server).await;
    ask(&app, "13900000001").await;
    messages(&server, 1).await;
    let row = settled(&app, OutboxStatus::Waiting).await;
    assert_eq!((row.attempts, row.last_error.as_deref()), (1, Some("answered 500")));
    assert!(!String::from_utf8_lossy(&row.payload).contains("139"), "the payload is sealed");
    run_once(&app.state, "outbox").await.unwrap();
    assert_eq!(messages(&server, 1).await.len(), 1, "not before its time");
    app.clock.advance(TimeDelta::seconds(11));
    assert_eq!(run_once(&app.state, "outbox").await.unwrap(), Some(1));
    let sent = messages(&server, 2).await;
    assert_eq!(sent[0], sent[1], "the same message under the same id");
    let row = settled(&app, OutboxStatus::Sent).await;
    assert_eq!((row.attempts, row.payload.len()), (2, 0));
});

both!(a_message_that_is_of_no_more_use_dies, async |app| {
    let server = MockServer::start().await;
    Mock::given(path("/sms")).respond_with(ResponseTemplate::new(503)).mount(&server).await;
    let app = with_gateways(app, &server).await;
    ask(&app, "13900000001").await;
    messages(&server, 1).await;
    settled(&app, OutboxStatus::Waiting).await;
    app.clock.advance(TimeDelta::minutes(6));
    run_once(&app.state, "outbox").await.unwrap();
    let row = settled(&app, OutboxStatus::Dead).await;
    assert_eq!((row.last_error.as_deref(), row.payload.len()), (Some("too late to be of use"), 0));
    assert_eq!(messages(&server, 1).await.len(), 1);
});

both!(each_message_is_one_node_s_and_a_paused_outbox_sends_nothing, async |app| {
    let server = gateway().await;
    let node = with_gateways(app.second_node().await, &server).await;
    let app = with_gateways(app, &server).await;
    let paused = setting::ActiveModel {
        key: Set("outbox.paused".into()),
        value: Set(json!(true)),
        updated_at: Set(app.clock.now()),
    };
    app.seed().insert(vec![paused]).await;
    for number in 0..20 {
        ask(&app, &format!("139{number:08}")).await;
    }
    assert_eq!(run_once(&node.state, "outbox").await.unwrap(), Some(0));
    app.state
        .db
        .write(async |txn| setting::Entity::delete_by_id("outbox.paused").exec(txn).await.map(drop))
        .await
        .unwrap_or_else(|error: sea_orm::DbErr| panic!("{error}"));
    let (one, other) = tokio::join!(run_once(&app.state, "outbox"), run_once(&node.state, "outbox"));
    let delivered = one.unwrap().unwrap_or(0) + other.unwrap().unwrap_or(0);
    assert_eq!((delivered, messages(&server, 20).await.len()), (20, 20));
});

/// The one row of the outbox, once it has this status.
async fn settled(app: &TestApp, status: OutboxStatus) -> outbox::Model {
    for _ in 0..200 {
        let row = outbox::Entity::find().one(app.state.db.read()).await.unwrap().unwrap();
        if row.status == status && row.taken_by.is_none() && row.attempts > 0 {
            return row;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the message did not become {status:?}");
}

fn session_answer(body: Value) -> Mock {
    Mock::given(method("GET"))
        .and(path("/sns/jscode2session"))
        .respond_with(ResponseTemplate::new(200).set_body_json(body))
}

fn by_wechat(app: &TestApp, code: &str) -> crate::support::Call {
    app.post("/api/v1/auth/wechat", json!({"code": code}))
}

both!(the_same_openid_is_the_same_member, async |app| {
    let server = MockServer::start().await;
    Mock::given(path("/sns/jscode2session"))
        .and(query_param("appid", APPID))
        .and(query_param("secret", "app-secret"))
        .and(query_param("js_code", "code-1"))
        .and(query_param("grant_type", "authorization_code"))
        .respond_with(
            ResponseTemplate::new(200).set_body_json(json!({"openid": "o-1", "session_key": "session-key-1"})),
        )
        .mount(&server)
        .await;
    let app = with_gateways(app, &server).await;
    let first = by_wechat(&app, "code-1").await.expect_status(200);
    assert!(!first.text().contains("session-key") && !first.text().contains("o-1"));
    let again = by_wechat(&app, "code-1").await.expect_status(200);
    assert_eq!(first.at("/subject/id"), again.at("/subject/id"));
    assert_ne!(first.at("/access_token"), again.at("/access_token"), "new tokens at each sign-in");
    let forged = json!({"code": "code-1", "openid": "o-2"});
    app.post("/api/v1/auth/wechat", forged).await.expect_problem(422, "validation_failed");
});

both!(first_sign_ins_at_once_make_one_member, async |app| {
    let server = MockServer::start().await;
    session_answer(json!({"openid": "o-1", "session_key": "k"})).mount(&server).await;
    let app = with_gateways(app, &server).await;
    let answers = at_once((0..6).map(|_| by_wechat(&app, "x"))).await;
    let mut ids: Vec<_> = answers.into_iter().map(|answer| answer.expect_status(200).at("/subject/id")).collect();
    ids.dedup();
    assert_eq!(ids.len(), 1);
    assert_eq!(member::Entity::find().count(app.state.db.read()).await.unwrap(), 1);
});

both!(what_wechat_refuses_has_a_name, async |app| {
    let table = [
        (40029, 401, "wechat_code_rejected"),
        (40163, 401, "wechat_code_rejected"),
        (40226, 403, "wechat_account_blocked"),
        (45011, 429, "too_many_requests"),
        (40013, 503, "unavailable"),
        (-1, 503, "unavailable"),
    ];
    for (errcode, status, code) in table {
        let server = MockServer::start().await;
        session_answer(json!({"errcode": errcode, "errmsg": "no rid: 1"})).mount(&server).await;
        let state = gateways(&app.state, &server);
        let app = TestApp::over(state, app.database.clone()).await;
        let answer = by_wechat(&app, "x").await.expect_problem(status, code);
        assert_eq!(answer.header("retry-after").is_some(), matches!(status, 429 | 503), "{errcode}");
        let calls = server.received_requests().await.unwrap().len();
        assert_eq!(calls, if errcode == -1 { 2 } else { 1 }, "{errcode}");
    }
    assert_eq!(member::Entity::find().count(app.state.db.read()).await.unwrap(), 0);
});

both!(a_busy_wechat_is_asked_once_more, async |app| {
    let server = MockServer::start().await;
    session_answer(json!({"errcode": -1, "errmsg": "system error"})).up_to_n_times(1).mount(&server).await;
    session_answer(json!({"openid": "o-1", "session_key": "k", "errcode": 0})).mount(&server).await;
    let app = with_gateways(app, &server).await;
    by_wechat(&app, "x").await.expect_status(200);
});

both!(a_wechat_that_answers_nonsense_or_nothing_is_unavailable, async |app| {
    let server = MockServer::start().await;
    Mock::given(path("/sns/jscode2session"))
        .respond_with(ResponseTemplate::new(502).set_body_string("<html>"))
        .mount(&server)
        .await;
    let app = with_gateways(app, &server).await;
    by_wechat(&app, "x").await.expect_problem(503, "unavailable");
    drop(server);
    by_wechat(&app, "x").await.expect_problem(503, "unavailable");
});

fn phone_answer(number: &str, country: &Value, appid: &str) -> Value {
    json!({"errcode": 0, "errmsg": "ok", "phone_info": {"phoneNumber": number, "purePhoneNumber": number,
        "countryCode": country, "watermark": {"timestamp": 1, "appid": appid}}})
}

async fn token_endpoint(server: &MockServer, token: &str, times: u64) {
    Mock::given(method("POST"))
        .and(path("/cgi-bin/stable_token"))
        .and(body_partial_json(json!({"grant_type": "client_credential", "appid": APPID, "secret": "app-secret"})))
        .respond_with(
            ResponseTemplate::new(200)
                .set_body_json(json!({"access_token": token, "expires_in": 7200}))
                .set_delay(Duration::from_millis(100)),
        )
        .up_to_n_times(times)
        .mount(server)
        .await;
}

fn phone_endpoint(token: &str, answer: Value) -> Mock {
    Mock::given(method("POST"))
        .and(path("/wxa/business/getuserphonenumber"))
        .and(query_param("access_token", token))
        .respond_with(ResponseTemplate::new(200).set_body_json(answer))
}

/// Of a member of the tests who has signed in with WeChat and has nothing else.
async fn newcomer(app: &TestApp) -> String {
    by_wechat(app, "x").await.expect_status(200).at("/access_token")
}

both!(the_phone_of_wechat_joins_the_account_with_the_imported_member, async |app| {
    let server = MockServer::start().await;
    session_answer(json!({"openid": "o-1", "session_key": "k"})).mount(&server).await;
    token_endpoint(&server, "T1", 1).await;
    let member = app.seed().member().volunteer().await;
    phone_endpoint("T1", phone_answer(&member.phone, &json!(86), APPID)).mount(&server).await;
    let app = with_gateways(app, &server).await;
    let token = newcomer(&app).await;
    let me = app.by(&token);
    me.post("/api/v1/me/consents", json!({"kind": "boards"})).await.expect_status(201);
    let linked: Value =
        me.post("/api/v1/me/phone", json!({"wechat_code": "p"})).key("k1").await.expect_status(200).json();
    assert_eq!((&linked["id"], &linked["ref"]), (&json!(member.id.to_string()), &json!(member.ref_id)));
    assert_eq!((&linked["name"], &linked["named_on_boards"]), (&json!(member.name), &json!(true)));
    let view: Value = me.get("/api/v1/me").await.expect_status(200).json();
    assert_eq!(view["id"], linked["id"], "the session has moved");
    assert_eq!(by_wechat(&app, "x").await.expect_status(200).at("/subject/id"), member.id.to_string());
    let sessions = app.by(&member).get("/api/v1/me").await.expect_status(200).json();
    assert_eq!(sessions["id"], linked["id"]);
});

both!(a_phone_that_nobody_has_becomes_the_caller_s, async |app| {
    let server = MockServer::start().await;
    session_answer(json!({"openid": "o-1", "session_key": "k"})).mount(&server).await;
    token_endpoint(&server, "T1", 1).await;
    phone_endpoint("T1", phone_answer("13900000001", &json!("86"), APPID)).mount(&server).await;
    let app = with_gateways(app, &server).await;
    let me = newcomer(&app).await;
    let linked = app.by(&me).post("/api/v1/me/phone", json!({"wechat_code": "p"})).await.expect_status(200);
    assert_eq!(linked.at("/phone"), "13900000001");
    app.by(&me).post("/api/v1/me/phone", json!({"wechat_code": "p"})).await.expect_status(200);
});

both!(phones_of_other_apps_and_countries_are_refused, async |app| {
    for (answer, status) in [
        (phone_answer("13900000001", &json!("86"), "wx-another"), 422),
        (phone_answer("13900000001", &json!("852"), APPID), 422),
        (phone_answer("02112345678", &json!("86"), APPID), 422),
        (json!({"errcode": 40029, "errmsg": "invalid code"}), 422),
        (json!({"errcode": 45009, "errmsg": "quota"}), 503),
    ] {
        let server = MockServer::start().await;
        session_answer(json!({"openid": "o-1", "session_key": "k"})).mount(&server).await;
        token_endpoint(&server, "T1", 1).await;
        phone_endpoint("T1", answer.clone()).mount(&server).await;
        phone_endpoint("T0", answer).mount(&server).await;
        let state = gateways(&app.state, &server);
        let app = TestApp::over(state, app.database.clone()).await;
        let me = newcomer(&app).await;
        app.by(&me).post("/api/v1/me/phone", json!({"wechat_code": "p"})).await.expect_status(status);
    }
});

both!(one_access_token_serves_all_nodes_and_is_refreshed_by_one, async |app| {
    let server = MockServer::start().await;
    session_answer(json!({"openid": "o-1", "session_key": "k"})).mount(&server).await;
    token_endpoint(&server, "T1", 1).await;
    token_endpoint(&server, "T2", 9).await;
    phone_endpoint("T1", phone_answer("13900000001", &json!("86"), APPID)).up_to_n_times(8).mount(&server).await;
    phone_endpoint("T1", json!({"errcode": 40001, "errmsg": "expired"})).mount(&server).await;
    phone_endpoint("T2", phone_answer("13900000001", &json!("86"), APPID)).mount(&server).await;
    let node = with_gateways(app.second_node().await, &server).await;
    let app = with_gateways(app, &server).await;
    let me = newcomer(&app).await;
    let link = |app: &TestApp| app.by(&me).post("/api/v1/me/phone", json!({"wechat_code": "p"}));
    let ask = async || {
        let calls = (0..8).map(|number| link(if number % 2 == 0 { &app } else { &node }));
        for answer in at_once(calls).await {
            answer.expect_status(200);
        }
    };
    let asked = async || {
        let requests = server.received_requests().await.unwrap();
        requests.iter().filter(|request| request.url.path() == "/cgi-bin/stable_token").count()
    };
    ask().await;
    assert_eq!(asked().await, 1, "eight calls on two nodes, one token");
    ask().await;
    assert_eq!(asked().await, 2, "eight expired answers, one refresh");
    app.clock.advance(TimeDelta::minutes(116));
    link(&app).await.expect_status(200);
    assert_eq!(asked().await, 3, "renewed before its end");
});

both!(an_sms_code_links_the_phone_once, async |app| {
    let server = gateway().await;
    session_answer(json!({"openid": "o-1", "session_key": "k"})).mount(&server).await;
    let member = app.seed().member().await;
    let app = with_gateways(app, &server).await;
    let me = newcomer(&app).await;
    let me = app.by(&me);
    ask(&app, &member.phone).await;
    let code = code_in(&messages(&server, 1).await[0]);
    let body = |code: &str| json!({"phone": member.phone, "code": code});
    me.post("/api/v1/me/phone", body(&wrong(&code))).await.expect_problem(422, "validation_failed");
    assert_eq!(me.post("/api/v1/me/phone", body(&code)).await.expect_status(200).id(), member.id.to_string());
    me.post("/api/v1/me/phone", body(&code)).await.expect_problem(422, "validation_failed");
    for refused in
        [json!({}), json!({"phone": member.phone}), json!({"wechat_code": "a", "phone": member.phone, "code": "1"})]
    {
        me.post("/api/v1/me/phone", refused).await.expect_problem(422, "validation_failed");
    }
});

both!(two_accounts_with_a_history_are_left_alone, async |app| {
    let server = gateway().await;
    let (one, other) = (app.seed().member().await, app.seed().member().await);
    let app = with_gateways(app, &server).await;
    ask(&app, &other.phone).await;
    let code = code_in(&messages(&server, 1).await[0]);
    let body = json!({"phone": other.phone, "code": code});
    app.by(&one).post("/api/v1/me/phone", body).await.expect_problem(409, "account_in_use");
    for member in [&one, &other] {
        assert_eq!(app.by(member).get("/api/v1/me").await.expect_status(200).id(), member.id.to_string());
    }
});
