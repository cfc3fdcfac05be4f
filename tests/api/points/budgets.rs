//! Budgets: making, funding, withdrawing, changing, closing; who pays for what; the warning.

use ::entity::audit;
use ::entity::programme::{self, Expiry};
use ::entity::staff::Role;
use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, Set};
use serde_json::{Value, json};

use super::dues::{budget, fund, pending_record, verify};
use super::{assert_in_order, sums};
use crate::support::{Answer, COMMUNITY, DISTRICT, FOREIGN, Member, SISTER, STREET, Staff, TestApp};

async fn create(app: &TestApp, who: &Staff, body: Value) -> Answer {
    app.by(who).post("/api/v1/points/budgets", body).await
}

async fn read(app: &TestApp, who: &Staff, id: &str) -> Value {
    app.by(who).get(&format!("/api/v1/points/budgets/{id}")).await.expect_status(200).json()
}

async fn grant(app: &TestApp, who: &Staff, member: &Member, amount: &str) -> Answer {
    let body = json!({"member_id": member.id, "programme": "default", "direction": "grant", "amount": amount, "reason": "表彰"});
    app.by(who).post("/api/v1/points/adjustments", body).key(&uuid::Uuid::now_v7().to_string()).await
}

#[track_caller]
fn amounts(budget: &Value) -> [&str; 3] {
    ["funded", "issued", "left"].map(|field| budget[field].as_str().unwrap())
}

both!(a_budget_is_made_funded_changed_and_closed, async |app| {
    let manager = app.seed().staff(Role::Manager).in_region(COMMUNITY).await;
    let body = json!({"programme": "default", "name": "文化路社区", "owner_kind": "community", "amount": "100", "valid_until": "2026-12-31"});
    let call = app.by(&manager).post("/api/v1/points/budgets", body.clone()).key("once");
    let made = call.clone().await.expect_status(201);
    assert_eq!(call.await.expect_status(201).body, made.body);
    let (id, made) = (made.id(), made.json());
    assert_eq!(amounts(&made), ["100.00", "0.00", "100.00"]);
    assert_eq!(
        (&made["region_code"], &made["warn_share"], &made["share"], &made["warned"], &made["valid_from"]),
        (&json!(COMMUNITY), &json!(80), &json!(0), &json!(false), &json!("2026-11-21"))
    );
    let fundings = format!("/api/v1/points/budgets/{id}/fundings");
    let send = async |direction: &str, amount: &str, key: &str| {
        let body = json!({"amount": amount, "direction": direction, "reason": "季度调整"});
        app.by(&manager).post(&fundings, body).key(key).await
    };
    assert_eq!(amounts(&send("add", "20.50", "a").await.expect_status(201).json()), ["120.50", "0.00", "120.50"]);
    assert!(send("add", "20.50", "a").await.expect_status(201).is_replayed());
    assert_eq!(amounts(&send("withdraw", "0.50", "b").await.expect_status(201).json()), ["120.00", "0.00", "120.00"]);
    let member = app.seed().member().await;
    grant(&app, &manager, &member, "30").await.expect_status(201);
    send("withdraw", "90.01", "c").await.expect_problem(409, "budget_committed");
    assert_eq!(amounts(&send("withdraw", "90", "d").await.expect_status(201).json()), ["30.00", "30.00", "0.00"]);
    let rows = app.by(&manager).get(&fundings).await.expect_status(200).json();
    let rows: Vec<_> = rows["items"].as_array().unwrap().iter().map(|row| row["amount"].clone()).collect();
    assert_eq!(rows, [json!("-90.00"), json!("-0.50"), json!("20.50"), json!("100.00")]);

    let path = format!("/api/v1/points/budgets/{id}");
    let changed = app
        .by(&manager)
        .patch(&path, json!({"name": "社区预算", "warn_share": 50, "valid_until": null}))
        .await
        .expect_status(200);
    assert_eq!((changed.at("/name"), changed.at("/warn_share")), ("社区预算".into(), "50".into()));
    assert_eq!(changed.json()["valid_until"], Value::Null);
    let early = app.by(&manager).patch(&path, json!({"valid_until": "2026-11-20"})).await;
    assert_eq!(early.expect_problem(422, "validation_failed").at("/errors/0/code"), "out_of_range");

    let closing = format!("{path}/closing");
    let closed = app.by(&manager).post(&closing, json!({})).await.expect_status(200);
    assert_eq!(closed.at("/status"), "closed");
    app.by(&manager).post(&closing, json!({})).await.expect_problem(409, "budget_closed");
    send("add", "1", "e").await.expect_problem(409, "budget_closed");
    app.by(&manager).patch(&path, json!({"name": "再改"})).await.expect_problem(409, "budget_closed");
    // It has paid before, so it ends issuing rather than letting it run without limit.
    grant(&app, &manager, &member, "1").await.expect_problem(409, "budget_exhausted");
    assert_eq!(sums(&app, &member).await[0], "30.00");
    assert_in_order(&app).await;
});

both!(what_is_no_budget_is_refused_and_nothing_changes, async |app| {
    let manager = app.seed().staff(Role::Manager).in_region(COMMUNITY).await;
    let station = app.seed().station().await;
    let foreign = app.seed().station().in_region(FOREIGN).await;
    let elsewhere = programme::ActiveModel {
        code: Set("far".to_owned()),
        name: Set("福分".to_owned()),
        unit_name: Set("福".to_owned()),
        region_code: Set(Some("130303".to_owned())),
        expiry: Set(Expiry::Never),
        expiry_months: Set(None),
        reopen_days: Set(7),
        created_at: Set(app.clock.now()),
        ..Default::default()
    };
    app.seed().insert(vec![elsewhere]).await;
    let good = json!({"programme": "default", "name": "预算", "owner_kind": "community", "amount": "10"});
    for (field, value, code) in [
        ("programme", json!("none"), "invalid"),
        ("programme", json!("far"), "invalid"),
        ("region_code", json!(FOREIGN), "invalid"),
        ("region_code", json!(STREET), "invalid"),
        ("region_code", json!("130302001999"), "invalid"),
        ("region_code", json!("130302001001001"), "invalid"),
        ("station_id", json!(station.id), "invalid"),
        ("unit_id", json!(station.id), "invalid"),
        ("owner_kind", json!("station"), "required"),
        ("owner_kind", json!("me"), "invalid"),
        ("amount", json!("0"), "out_of_range"),
        ("amount", json!("-1"), "invalid"),
        ("amount", json!(5), "wrong_type"),
        ("warn_share", json!(0), "out_of_range"),
        ("warn_share", json!(101), "out_of_range"),
        ("valid_until", json!("2026-11-20"), "out_of_range"),
        ("valid_until", json!("2026-11-31"), "invalid"),
        ("funded", json!("1"), "unknown_field"),
    ] {
        let mut body = good.clone();
        body[field] = value;
        let refused = create(&app, &manager, body).await.expect_problem(422, "validation_failed");
        let named = if code == "required" { "station_id" } else { field };
        assert_eq!((refused.at("/errors/0/field"), refused.at("/errors/0/code")), (named.into(), code.into()));
    }
    let of_station =
        |id| json!({"programme": "default", "name": "驿站", "owner_kind": "station", "station_id": id, "amount": "10"});
    let refused = create(&app, &manager, of_station(foreign.id)).await.expect_problem(422, "validation_failed");
    assert_eq!(refused.at("/errors/0/field"), "station_id");
    for role in [Role::Clerk, Role::Auditor, Role::Operator] {
        let who = app.seed().staff(role).in_region(COMMUNITY).await;
        create(&app, &who, good.clone()).await.expect_problem(403, "forbidden");
    }
    let listed = app.by(&manager).get("/api/v1/points/budgets").await.expect_status(200).json();
    assert_eq!(listed["items"], json!([]));
    // A station's budget pays for the station's community.
    let made = create(&app, &manager, of_station(station.id)).await.expect_status(201);
    assert_eq!((made.at("/region_code"), made.at("/owner_kind")), (COMMUNITY.into(), "station".into()));
    assert_in_order(&app).await;
});

both!(budgets_are_seen_and_moved_by_staff_of_their_region_only, async |app| {
    let manager = app.seed().staff(Role::Manager).in_region(COMMUNITY).await;
    let sister = app.seed().staff(Role::Manager).in_region(SISTER).await;
    let auditor = app.seed().staff(Role::Auditor).in_region(STREET).await;
    let id = budget(&app, &manager, COMMUNITY, "10").await;
    let path = format!("/api/v1/points/budgets/{id}");
    app.by(&sister).get(&path).await.expect_problem(404, "not_found");
    app.by(&sister).patch(&path, json!({"name": "改"})).await.expect_problem(404, "not_found");
    let funding = json!({"amount": "1", "direction": "withdraw", "reason": "试"});
    app.by(&sister).post(&format!("{path}/fundings"), funding.clone()).key("k").await.expect_problem(404, "not_found");
    app.by(&sister).post(&format!("{path}/closing"), json!({})).await.expect_problem(404, "not_found");
    app.by(&sister).get(&format!("{path}/fundings")).await.expect_problem(404, "not_found");
    app.by(&auditor).get(&path).await.expect_status(200);
    app.by(&auditor).post(&format!("{path}/fundings"), funding.clone()).key("k").await.expect_problem(403, "forbidden");
    app.by(&manager).post(&format!("{path}/fundings"), funding).await.expect_problem(400, "idempotency_key_required");
    assert_eq!(app.by(&sister).get("/api/v1/points/budgets").await.json()["items"], json!([]));
    let listed =
        app.by(&auditor).get(&format!("/api/v1/points/budgets?region={COMMUNITY}&status=active&programme=default"));
    assert_eq!(listed.await.json()["items"][0]["id"], id);
    let closed = app.by(&auditor).get("/api/v1/points/budgets?status=closed").await.json();
    assert_eq!(closed["items"], json!([]));
    let denied = audit::Entity::find()
        .filter(audit::Column::ObjectKind.eq("budget"))
        .filter(audit::Column::Outcome.eq(audit::AuditOutcome::Denied))
        .count(app.state.db.read())
        .await
        .unwrap();
    assert_eq!(denied, 3);
    assert_eq!(amounts(&read(&app, &manager, &id).await), ["10.00", "0.00", "10.00"]);
});

both!(the_smallest_region_pays_then_the_street_and_no_amount_is_split, async |app| {
    let admin = app.seed().staff(Role::Manager).in_region(DISTRICT).await;
    let member = app.seed().member().await;
    let street = budget(&app, &admin, STREET, "50").await;
    let first = budget(&app, &admin, COMMUNITY, "10").await;
    let second = budget(&app, &admin, COMMUNITY, "10").await;
    let elsewhere = budget(&app, &admin, SISTER, "1000").await;
    for (amount, issued) in [
        ("6", ["0.00", "6.00", "0.00"]),
        ("6", ["0.00", "6.00", "6.00"]),
        ("6", ["6.00", "6.00", "6.00"]),
        ("4", ["6.00", "10.00", "6.00"]),
        ("44", ["50.00", "10.00", "6.00"]),
    ] {
        grant(&app, &admin, &member, amount).await.expect_status(201);
        for (id, issued) in [&street, &first, &second].into_iter().zip(issued) {
            assert_eq!(read(&app, &admin, id).await["issued"], issued);
        }
    }
    let refused = grant(&app, &admin, &member, "5").await.expect_problem(409, "budget_exhausted");
    assert!(refused.text().contains("注资"));
    grant(&app, &admin, &member, "4").await.expect_status(201);
    assert_eq!(read(&app, &admin, &elsewhere).await["issued"], "0.00");
    assert_eq!(sums(&app, &member).await[0], "70.00");
    assert_in_order(&app).await;
});

both!(a_programme_may_ask_for_a_budget_and_a_budget_ends_with_its_day, async |app| {
    let manager = app.seed().staff(Role::Manager).in_region(COMMUNITY).await;
    let member = app.seed().member().await;
    let required =
        programme::ActiveModel { code: Set("default".to_owned()), budget_required: Set(true), ..Default::default() };
    let change = async move |txn: &linli::db::Txn| {
        use sea_orm::ActiveModelTrait as _;
        required.clone().update(txn).await
    };
    app.state.db.write(change).await.unwrap();
    grant(&app, &manager, &member, "1").await.expect_problem(409, "budget_exhausted");
    let body = json!({"programme": "default", "name": "本周", "owner_kind": "community", "amount": "10", "valid_until": "2026-11-21"});
    create(&app, &manager, body).await.expect_status(201);
    grant(&app, &manager, &member, "1").await.expect_status(201);
    app.clock.advance(chrono::TimeDelta::days(1));
    grant(&app, &manager, &member, "1").await.expect_problem(409, "budget_exhausted");
    assert_eq!(sums(&app, &member).await[0], "1.00");
    assert_in_order(&app).await;
});

async fn warnings(app: &TestApp) -> u64 {
    audit::Entity::find().filter(audit::Column::Action.eq("budget.warned")).count(app.state.db.read()).await.unwrap()
}

both!(it_is_warned_once_each_time_the_mark_is_crossed, async |app| {
    let manager = app.seed().staff(Role::Manager).in_region(COMMUNITY).await;
    let member = app.seed().member().await;
    let id = budget(&app, &manager, COMMUNITY, "100").await;
    grant(&app, &manager, &member, "79.99").await.expect_status(201);
    assert_eq!((warnings(&app).await, read(&app, &manager, &id).await["warned"].clone()), (0, json!(false)));
    grant(&app, &manager, &member, "0.01").await.expect_status(201);
    grant(&app, &manager, &member, "5").await.expect_status(201);
    let low = read(&app, &manager, &id).await;
    assert_eq!((warnings(&app).await, &low["warned"], &low["share"]), (1, &json!(true), &json!(85)));
    fund(&app, &manager, &id, "add", "15").await.expect_status(201);
    let better = read(&app, &manager, &id).await;
    assert_eq!((&better["warned"], &better["warned_at"], &better["share"]), (&json!(false), &Value::Null, &json!(73)));
    grant(&app, &manager, &member, "10").await.expect_status(201);
    assert_eq!(warnings(&app).await, 2);
    // Records draw in the same way.
    let record = pending_record(&app, &member, 1, 60).await;
    verify(&app, &manager, record).await.expect_status(200);
    assert_eq!(read(&app, &manager, &id).await["issued"], "97.00");
    assert_eq!(warnings(&app).await, 2);
    assert_in_order(&app).await;
});
