//! One redemption from the shelf to the hand and back.

use ::entity::audit::{self, AuditOutcome};
use ::entity::setting;
use ::entity::staff::Role;
use chrono::TimeDelta;
use linli::identity::member_code;
use linli::jobs::run_once;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, Set};
use serde_json::{Value, json};

use super::{Shop, fulfil, key, reserve, stock};
use crate::points::{assert_in_order, give, sums};
use crate::support::{FOREIGN, SISTER, TestApp, at};

both!(reserved_fulfilled_and_refunded, async |app| {
    let (shop, member) = (Shop::open(&app).await, app.seed().member().await);
    let goods = shop.goods(&app, "12.50", 10, None).await;
    give(&app, &member, 5000).await;
    let reserved = reserve(&app, &member, &goods, 2).await.expect_status(201);
    assert_eq!((reserved.at("/status"), reserved.at("/points")), ("reserved".to_owned(), "25.00".to_owned()));
    assert_eq!(at(&reserved.at("/expires_at")), app.clock.now() + TimeDelta::days(7));
    assert_eq!(sums(&app, &member).await, ["50.00", "25.00", "25.00"]);
    assert_eq!(stock(&app, &goods).await, 8);
    assert_in_order(&app).await;

    let code = reserved.at("/code");
    let typed = format!("{}-{}", &code[..4], &code[4..]).to_lowercase();
    let fulfilled = fulfil(&app, &shop.clerk, &typed).await.expect_status(200);
    assert_eq!(fulfilled.at("/status"), "fulfilled");
    assert_eq!(fulfilled.json()["code"], Value::Null);
    assert_eq!(sums(&app, &member).await, ["25.00", "0.00", "25.00"]);
    assert_eq!(stock(&app, &goods).await, 8);
    fulfil(&app, &shop.clerk, &code).await.expect_problem(409, "invalid_transition");
    assert_in_order(&app).await;

    let path = format!("/api/v1/redemptions/{}/refund", reserved.id());
    let body = json!({"reason": "包装破损"});
    app.by(&shop.clerk).post(&path, body.clone()).key("r").await.expect_problem(403, "forbidden");
    app.by(&shop.manager).post(&path, body.clone()).await.expect_problem(400, "idempotency_key_required");
    app.by(&shop.manager).post(&path, json!({})).key("r").await.expect_problem(422, "validation_failed");
    let refunded = app.by(&shop.manager).post(&path, body.clone()).key("r").await.expect_status(200);
    assert_eq!((refunded.at("/status"), refunded.at("/reason")), ("refunded".to_owned(), "包装破损".to_owned()));
    assert!(app.by(&shop.manager).post(&path, body.clone()).key("r").await.expect_status(200).is_replayed());
    app.by(&shop.manager).post(&path, body).key("r2").await.expect_problem(409, "invalid_transition");
    assert_eq!(sums(&app, &member).await, ["50.00", "0.00", "50.00"]);
    assert_eq!(stock(&app, &goods).await, 10);
    let kinds = app.by(&member).get("/api/v1/me/points/entries").await.json();
    let kinds: Vec<_> = kinds["items"].as_array().unwrap().iter().map(|item| item["kind"].clone()).collect();
    assert_eq!(kinds, ["refund", "spend", "grant"]);
    assert_in_order(&app).await;
});

both!(what_cannot_be_reserved, async |app| {
    let (shop, member) = (Shop::open(&app).await, app.seed().member().await);
    let goods = shop.goods(&app, "10", 3, Some(2)).await;
    let costly = shop.goods(&app, "10.01", 3, None).await;
    give(&app, &member, 3000).await;
    reserve(&app, &member, &goods, 4).await.expect_problem(409, "out_of_stock");
    reserve(&app, &member, &goods, 3).await.expect_problem(409, "limit_reached");
    reserve(&app, &member, &costly, 3).await.expect_problem(409, "insufficient_points");
    reserve(&app, &member, &goods, 2).await.expect_status(201);
    reserve(&app, &member, &goods, 1).await.expect_problem(409, "limit_reached");
    reserve(&app, &member, &costly, 1).await.expect_problem(409, "insufficient_points");
    for quantity in
        [json!(0), json!(-1), json!(1001), json!(1.0), json!("1"), json!(null), json!(1e308), json!(i64::MAX)]
    {
        let body = json!({"goods_id": goods, "quantity": quantity});
        let refused = app.by(&member).post("/api/v1/redemptions", body).key(&key()).await;
        assert_eq!(refused.expect_problem(422, "validation_failed").at("/errors/0/field"), "quantity");
    }
    let body = json!({"goods_id": goods, "quantity": 1});
    app.by(&member).post("/api/v1/redemptions", body.clone()).await.expect_problem(400, "idempotency_key_required");
    app.by(&shop.clerk).post("/api/v1/redemptions", body.clone()).key("k").await.expect_problem(403, "forbidden");
    app.post("/api/v1/redemptions", body.clone()).key("k").await.expect_problem(401, "unauthenticated");
    let newcomer = app.seed().member().incomplete().await;
    app.by(&newcomer)
        .post("/api/v1/redemptions", body.clone())
        .key("k")
        .await
        .expect_problem(403, "profile_incomplete");
    let unknown = json!({"goods_id": "00000000-0000-7000-8000-000000000000", "quantity": 1});
    app.by(&member).post("/api/v1/redemptions", unknown).key("k").await.expect_problem(404, "not_found");
    let path = format!("/api/v1/goods/{costly}");
    app.by(&shop.manager).patch(&path, json!({"active": false})).await.expect_status(200);
    reserve(&app, &member, &costly, 1).await.expect_problem(404, "not_found");
    assert_eq!(stock(&app, &goods).await, 1);
    assert_in_order(&app).await;
});

both!(another_station_s_code_is_not_found_and_leaves_a_trail, async |app| {
    let (shop, member) = (Shop::open(&app).await, app.seed().member().await);
    let goods = shop.goods(&app, "1", 3, None).await;
    give(&app, &member, 300).await;
    let code = reserve(&app, &member, &goods, 1).await.expect_status(201).at("/code");
    let neighbour = app.seed().station().await;
    let theirs = app.seed().staff(Role::Clerk).at_station(neighbour.id).await;
    let sister = app.seed().staff(Role::Clerk).in_region(SISTER).await;
    let foreign = app.seed().staff(Role::Admin).in_region(FOREIGN).await;
    for staff in [&theirs, &sister, &foreign] {
        let refused = fulfil(&app, staff, &code).await.expect_problem(404, "not_found");
        let unknown = fulfil(&app, staff, "ZZZZZZZZ").await.expect_problem(404, "not_found");
        assert_eq!(refused.body, unknown.body);
        let trail =
            audit::Entity::find().filter(audit::Column::ActorId.eq(staff.id.0)).all(app.state.db.read()).await.unwrap();
        assert_eq!(trail.len(), 1);
        assert_eq!((trail[0].outcome, trail[0].action.as_str()), (AuditOutcome::Denied, "redemption.fulfil"));
    }
    assert_eq!(sums(&app, &member).await, ["3.00", "1.00", "2.00"]);
    app.by(&member)
        .post("/api/v1/redemptions/fulfilments", json!({"code": code}))
        .key("k")
        .await
        .expect_problem(403, "forbidden");
    // One who works at every station of the subtree may.
    fulfil(&app, &shop.manager, &code).await.expect_status(200);
    assert_in_order(&app).await;
});

both!(a_reservation_is_given_up_by_its_member_or_the_station, async |app| {
    let (shop, member) = (Shop::open(&app).await, app.seed().member().await);
    let goods = shop.goods(&app, "1", 3, None).await;
    give(&app, &member, 300).await;
    let other = app.seed().member().await;
    let auditor = app.seed().staff(Role::Auditor).await;
    let neighbour = app.seed().station().await;
    let theirs = app.seed().staff(Role::Clerk).at_station(neighbour.id).await;
    let id = reserve(&app, &member, &goods, 2).await.expect_status(201).id();
    let path = format!("/api/v1/redemptions/{id}/cancellation");
    app.by(&other).post(&path, json!({})).await.expect_problem(404, "not_found");
    app.by(&other).get(&format!("/api/v1/redemptions/{id}")).await.expect_problem(404, "not_found");
    app.by(&theirs).post(&path, json!({})).await.expect_problem(404, "not_found");
    app.by(&auditor).post(&path, json!({})).await.expect_problem(403, "forbidden");
    app.by(&member).post(&path, json!({"status": "fulfilled"})).await.expect_problem(422, "validation_failed");
    let cancelled = app.by(&member).post(&path, json!({})).await.expect_status(200);
    assert_eq!(cancelled.at("/status"), "cancelled");
    app.by(&member).post(&path, json!({})).await.expect_problem(409, "invalid_transition");
    assert_eq!(sums(&app, &member).await, ["3.00", "0.00", "3.00"]);
    assert_eq!(stock(&app, &goods).await, 3);
    let second = reserve(&app, &member, &goods, 1).await.expect_status(201);
    let path = format!("/api/v1/redemptions/{}/cancellation", second.id());
    let by_clerk = app.by(&shop.clerk).post(&path, json!({"reason": "缺货"})).await.expect_status(200);
    assert_eq!(by_clerk.json()["code"], Value::Null);
    fulfil(&app, &shop.clerk, &second.at("/code")).await.expect_problem(409, "invalid_transition");
    let refund = format!("/api/v1/redemptions/{}/refund", second.id());
    app.by(&shop.manager)
        .post(&refund, json!({"reason": "x"}))
        .key("k")
        .await
        .expect_problem(409, "invalid_transition");
    assert_in_order(&app).await;
});

both!(what_is_not_picked_up_in_time_goes_back, async |app| {
    let (shop, member) = (Shop::open(&app).await, app.seed().member().await);
    let goods = shop.goods(&app, "1", 3, None).await;
    give(&app, &member, 300).await;
    let days = setting::ActiveModel {
        key: Set("redemption.hold_days".to_owned()),
        value: Set(json!(2)),
        updated_at: Set(app.clock.now()),
    };
    app.seed().insert(vec![days]).await;
    let reserved = reserve(&app, &member, &goods, 1).await.expect_status(201);
    app.clock.advance(TimeDelta::days(2) - TimeDelta::seconds(1));
    assert_eq!(run_once(&app.state, "redemption_expiry").await.unwrap(), Some(0));
    app.clock.advance(TimeDelta::seconds(1));
    fulfil(&app, &shop.clerk, &reserved.at("/code")).await.expect_problem(409, "invalid_transition");
    assert_eq!(run_once(&app.state, "redemption_expiry").await.unwrap(), Some(1));
    assert_eq!(run_once(&app.state, "redemption_expiry").await.unwrap(), Some(0));
    let path = format!("/api/v1/redemptions/{}", reserved.id());
    assert_eq!(app.by(&member).get(&path).await.at("/status"), "expired");
    assert_eq!(sums(&app, &member).await, ["3.00", "0.00", "3.00"]);
    assert_eq!(stock(&app, &goods).await, 3);
    assert_in_order(&app).await;
});

both!(at_the_counter_by_the_member_s_code, async |app| {
    let (shop, member) = (Shop::open(&app).await, app.seed().member().await);
    let goods = shop.goods(&app, "1", 3, Some(2)).await;
    give(&app, &member, 150).await;
    let code = |app: &TestApp| member_code::issue(&app.state.keys, member.id, app.clock.now()).code;
    let body = |code: &str, quantity: i32| json!({"member_code": code, "goods_id": goods, "quantity": quantity});
    let sell = |who: &crate::support::Staff, key: &str, body: Value| {
        app.by(who).post("/api/v1/counter-redemptions", body).key(key)
    };
    let first = code(&app);
    let sold = sell(&shop.clerk, "k1", body(&first, 1)).await.expect_status(201);
    assert_eq!(sold.at("/status"), "fulfilled");
    assert_eq!(sums(&app, &member).await, ["0.50", "0.00", "0.50"]);
    sell(&shop.clerk, "k2", body(&first, 1)).await.expect_problem(409, "insufficient_points");
    give(&app, &member, 1000).await;
    sell(&shop.clerk, "k3", body(&first, 2)).await.expect_problem(409, "limit_reached");
    sell(&shop.clerk, "k4", body(&first, 9)).await.expect_problem(409, "out_of_stock");
    app.clock.advance(TimeDelta::minutes(2));
    let stale = sell(&shop.clerk, "k5", body(&first, 1)).await.expect_problem(422, "validation_failed");
    assert_eq!(stale.at("/errors/0/field"), "member_code");
    sell(&shop.clerk, "k6", body("零", 1)).await.expect_problem(422, "validation_failed");
    // The first answer again, although the code is stale by now.
    let again = sell(&shop.clerk, "k1", body(&first, 1)).await.expect_status(201);
    assert!(again.is_replayed());
    assert_eq!(again.body, sold.body);
    let neighbour = app.seed().station().await;
    let theirs = app.seed().staff(Role::Clerk).at_station(neighbour.id).await;
    sell(&theirs, "k", body(&code(&app), 1)).await.expect_problem(404, "not_found");
    let trail = audit::Entity::find().filter(audit::Column::ActorId.eq(theirs.id.0)).one(app.state.db.read()).await;
    let trail = trail.unwrap().unwrap();
    assert_eq!((trail.outcome, trail.action.as_str()), (AuditOutcome::Denied, "redemption.sell"));
    let own = app.seed().staff(Role::Clerk).being(&member).await;
    sell(&own, "k", body(&code(&app), 1)).await.expect_problem(403, "second_person_required");
    app.by(&member)
        .post("/api/v1/counter-redemptions", body(&code(&app), 1))
        .key("k")
        .await
        .expect_problem(403, "forbidden");
    assert_eq!(stock(&app, &goods).await, 2);
    assert_in_order(&app).await;
});

both!(nobody_refunds_for_the_member_that_they_are, async |app| {
    let (shop, member) = (Shop::open(&app).await, app.seed().member().await);
    let goods = shop.goods(&app, "1", 3, None).await;
    give(&app, &member, 300).await;
    let reserved = reserve(&app, &member, &goods, 1).await.expect_status(201);
    fulfil(&app, &shop.clerk, &reserved.at("/code")).await.expect_status(200);
    let own = app.seed().staff(Role::Manager).being(&member).await;
    let foreign = app.seed().staff(Role::Manager).in_region(FOREIGN).await;
    let path = format!("/api/v1/redemptions/{}/refund", reserved.id());
    app.by(&own).post(&path, json!({"reason": "x"})).key("k").await.expect_problem(403, "second_person_required");
    app.by(&foreign).post(&path, json!({"reason": "x"})).key("k").await.expect_problem(404, "not_found");
    app.by(&shop.manager)
        .post("/api/v1/redemptions/x/refund", json!({"reason": "x"}))
        .key("k")
        .await
        .expect_problem(404, "not_found");
});

both!(lists_show_what_is_one_s_own_or_the_subtree_s, async |app| {
    let (shop, member, other) = (Shop::open(&app).await, app.seed().member().await, app.seed().member().await);
    let goods = shop.goods(&app, "1", 9, None).await;
    give(&app, &member, 300).await;
    give(&app, &other, 300).await;
    for _ in 0..2 {
        reserve(&app, &member, &goods, 1).await.expect_status(201);
    }
    let theirs = reserve(&app, &other, &goods, 1).await.expect_status(201);
    fulfil(&app, &shop.clerk, &theirs.at("/code")).await.expect_status(200);
    let foreign = app.seed().staff(Role::Clerk).in_region(FOREIGN).await;
    let count =
        async |answer: crate::support::Call| answer.await.expect_status(200).json()["items"].as_array().unwrap().len();
    assert_eq!(count(app.by(&member).get("/api/v1/me/redemptions")).await, 2);
    assert_eq!(count(app.by(&member).get("/api/v1/redemptions")).await, 2);
    assert_eq!(count(app.by(&shop.clerk).get("/api/v1/redemptions")).await, 3);
    assert_eq!(count(app.by(&shop.clerk).get("/api/v1/redemptions?status=fulfilled")).await, 1);
    assert_eq!(count(app.by(&shop.clerk).get(&format!("/api/v1/redemptions?station={}", shop.station.id))).await, 3);
    let by_ref = format!("/api/v1/redemptions?station={}&region={SISTER}", shop.station.ref_id.as_deref().unwrap());
    assert_eq!(count(app.by(&shop.clerk).get(&by_ref)).await, 0);
    assert_eq!(count(app.by(&foreign).get("/api/v1/redemptions")).await, 0);
    let page = app.by(&shop.clerk).get("/api/v1/redemptions?limit=2").await.json();
    assert!(page["items"][0]["code"].is_null() && page["items"][1]["code"].is_null());
    let next = format!("/api/v1/redemptions?limit=2&cursor={}", page["next_cursor"].as_str().unwrap());
    assert_eq!(count(app.by(&shop.clerk).get(&next)).await, 1);
    let mine = app.by(&member).get("/api/v1/me/redemptions").await.json();
    assert_eq!(mine["items"][0]["code"].as_str().unwrap().len(), 8);
    app.by(&member).get("/api/v1/redemptions?status=lost").await.expect_problem(422, "validation_failed");
});
