//! What suppliers are owed: by the month, at the terms of its time, closed once.

use ::entity::id::UnitId;
use ::entity::staff::Role;
use ::entity::unit;
use chrono::{DateTime, Utc};
use sea_orm::IntoActiveModel as _;
use serde_json::{Value, json};

use super::{field, post};
use crate::points::{assert_in_order, give};
use crate::redemption::{Shop, fulfil, key, reserve};
use crate::support::{Answer, COMMUNITY, DISTRICT, FOREIGN, Member, SISTER, STREET, Staff, TestApp, at, at_once};

/// A unit that supplies goods.
pub(super) async fn supplier(app: &TestApp, name: &str) -> UnitId {
    app.seed().regions().await;
    let row = unit::Model {
        id: UnitId::new(),
        ref_id: None,
        name: name.to_owned(),
        unit_type: "商户".to_owned(),
        region_code: COMMUNITY.to_owned(),
        party_members: 0,
        created_at: app.clock.now(),
    };
    let id = row.id;
    app.seed().insert(vec![row.into_active_model()]).await;
    id
}

/// Goods of a supplier for 2.00 points each, at a cost in fen.
async fn goods_of(app: &TestApp, shop: &Shop, supplier: UnitId, cost: i64) -> String {
    let body = json!({"name": "大米", "station_id": shop.station.id, "points": "2", "stock": 100, "cost": cost,
        "supplier_unit_id": supplier});
    app.by(&shop.manager).post("/api/v1/goods", body).await.expect_status(201).id()
}

/// Reserved and handed out at an instant; the id.
async fn hand_out(app: &TestApp, shop: &Shop, member: &Member, goods: &str, quantity: i32, when: &str) -> String {
    app.clock.set(at(when));
    let reserved = reserve(app, member, goods, quantity).await.expect_status(201);
    fulfil(app, &shop.clerk, &reserved.at("/code")).await.expect_status(200);
    reserved.id()
}

async fn close(app: &TestApp, who: &Staff, month: &str, region: &str) -> Answer {
    post(app, who, "/settlements", json!({"month": month, "region_code": region})).await
}

async fn month(app: &TestApp, who: &Staff, query: &str) -> Vec<Value> {
    let list = app.by(who).get(&format!("/api/v1/settlements?{query}")).await.expect_status(200).json();
    list["items"].as_array().unwrap().clone()
}

fn owed(item: &Value) -> [Value; 4] {
    ["status", "pieces", "refunded_pieces", "owed"].map(|name| item[name].clone())
}

fn start() -> DateTime<Utc> {
    at("2026-10-20T02:00:00Z")
}

both!(a_month_ends_at_midnight_in_shanghai_and_refunds_count_when_they_happen, async |app| {
    app.clock.set(start());
    let (shop, member) = (Shop::open(&app).await, app.seed().member().await);
    give(&app, &member, 100_000).await;
    let supplier = supplier(&app, "惠民超市").await;
    let goods = goods_of(&app, &shop, supplier, 350).await;
    let october = hand_out(&app, &shop, &member, &goods, 2, "2026-10-31T15:59:59Z").await;
    hand_out(&app, &shop, &member, &goods, 3, "2026-10-31T16:00:00Z").await;
    let items = month(&app, &shop.manager, "month=2026-10").await;
    assert_eq!(items.len(), 1);
    assert_eq!(owed(&items[0]), [json!("open"), json!(2), json!(0), json!("7.00")]);
    assert_eq!((items[0]["points"].clone(), items[0]["supplier"].clone()), (json!("4.00"), json!("惠民超市")));
    close(&app, &shop.manager, "2026-11", DISTRICT).await.expect_problem(422, "validation_failed");
    let closed = close(&app, &shop.manager, "2026-10", DISTRICT).await.expect_status(201).json();
    assert_eq!(owed(&closed["settlements"][0]), [json!("settled"), json!(2), json!(0), json!("7.00")]);
    app.clock.set(at("2026-11-10T02:00:00Z"));
    let body = json!({"reason": "质量问题"});
    post(&app, &shop.manager, &format!("/redemptions/{october}/refund"), body).await.expect_status(200);
    // October stays as it was closed; the refund counts in November.
    let items = month(&app, &shop.manager, "month=2026-10").await;
    assert_eq!(items.len(), 1);
    assert_eq!(owed(&items[0]), [json!("settled"), json!(2), json!(0), json!("7.00")]);
    app.clock.set(at("2026-12-01T02:00:00Z"));
    let closed = close(&app, &shop.manager, "2026-11", DISTRICT).await.expect_status(201).json();
    let november = &closed["settlements"][0];
    assert_eq!(owed(november), [json!("settled"), json!(3), json!(2), json!("3.50")]);
    assert_eq!((november["amount"].clone(), november["refunded_amount"].clone()), (json!("10.50"), json!("7.00")));
    let lines = format!("/api/v1/settlements/{}/lines", november["id"].as_str().unwrap());
    let shown = app.by(&shop.manager).get(&lines).await.expect_status(200).json();
    let shown: Vec<_> =
        shown["items"].as_array().unwrap().iter().map(|line| [line["kind"].clone(), line["owed"].clone()]).collect();
    assert_eq!(shown, [[json!("refunded"), json!("-7.00")], [json!("fulfilled"), json!("10.50")]]);
    let page = app.by(&shop.manager).get(&format!("{lines}?limit=1")).await.expect_status(200);
    let next = app.by(&shop.manager).get(&format!("{lines}?limit=1&cursor={}", page.at("/next_cursor"))).await;
    assert_eq!(next.expect_status(200).at("/items/0/kind"), "fulfilled");
    assert_in_order(&app).await;
});

both!(a_hand_out_is_owed_at_the_terms_of_its_time, async |app| {
    app.clock.set(start());
    let (shop, member) = (Shop::open(&app).await, app.seed().member().await);
    give(&app, &member, 100_000).await;
    let (first, second) = (supplier(&app, "甲商户").await, supplier(&app, "乙商户").await);
    let goods = goods_of(&app, &shop, first, 100).await;
    let change = async |body: Value| {
        app.by(&shop.manager).patch(&format!("/api/v1/goods/{goods}"), body).await.expect_status(200);
    };
    let early = hand_out(&app, &shop, &member, &goods, 1, "2026-10-21T02:00:00Z").await;
    app.clock.set(at("2026-10-22T02:00:00Z"));
    change(json!({"cost": 300})).await;
    change(json!({"points": "3"})).await;
    hand_out(&app, &shop, &member, &goods, 1, "2026-10-23T02:00:00Z").await;
    app.clock.set(at("2026-10-24T02:00:00Z"));
    change(json!({"cost": 500, "supplier_unit_id": second})).await;
    hand_out(&app, &shop, &member, &goods, 1, "2026-10-25T02:00:00Z").await;
    app.clock.set(at("2026-10-26T02:00:00Z"));
    change(json!({"supplier_unit_id": null})).await;
    hand_out(&app, &shop, &member, &goods, 1, "2026-10-27T02:00:00Z").await;
    // What comes back was the first supplier's, at the first cost.
    let refund = format!("/redemptions/{early}/refund");
    post(&app, &shop.manager, &refund, json!({"reason": "退货"})).await.expect_status(200);
    app.clock.set(at("2026-11-02T02:00:00Z"));
    let of = |unit: UnitId| format!("month=2026-10&supplier={unit}");
    let items = month(&app, &shop.manager, &of(first)).await;
    assert_eq!(owed(&items[0]), [json!("open"), json!(2), json!(1), json!("3.00")]);
    let items = month(&app, &shop.manager, &of(second)).await;
    assert_eq!(owed(&items[0]), [json!("open"), json!(1), json!(0), json!("5.00")]);
    let closed = close(&app, &shop.manager, "2026-10", DISTRICT).await.expect_status(201).json();
    let names: Vec<_> = closed["settlements"].as_array().unwrap().iter().map(|item| item["supplier"].clone()).collect();
    assert_eq!(names, ["乙商户", "甲商户"]);
    assert_in_order(&app).await;
});

both!(each_line_of_a_redemption_is_owed_to_its_own_supplier, async |app| {
    app.clock.set(start());
    let (shop, member) = (Shop::open(&app).await, app.seed().member().await);
    give(&app, &member, 100_000).await;
    let (first, second) = (supplier(&app, "甲商户").await, supplier(&app, "乙商户").await);
    let (rice, oil, own) = (
        goods_of(&app, &shop, first, 100).await,
        goods_of(&app, &shop, second, 1000).await,
        shop.goods(&app, "5", 9, None).await,
    );
    let lines = json!({"lines": [{"goods_id": rice, "quantity": 3}, {"goods_id": oil, "quantity": 2}, {"goods_id": own, "quantity": 1}]});
    let reserved = app.by(&member).post("/api/v1/redemptions", lines).key(&key()).await.expect_status(201);
    fulfil(&app, &shop.clerk, &reserved.at("/code")).await.expect_status(200);
    app.clock.set(at("2026-11-02T02:00:00Z"));
    let closed = close(&app, &shop.manager, "2026-10", COMMUNITY).await.expect_status(201).json();
    let items: Vec<_> = closed["settlements"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| ["supplier", "pieces", "points", "owed"].map(|name| item[name].clone()))
        .collect();
    assert_eq!(
        items,
        [
            [json!("乙商户"), json!(2), json!("4.00"), json!("20.00")],
            [json!("甲商户"), json!(3), json!("6.00"), json!("3.00")],
        ]
    );
    assert_in_order(&app).await;
});

both!(a_month_is_closed_once_and_for_all_below, async |app| {
    app.clock.set(start());
    let (shop, member) = (Shop::open(&app).await, app.seed().member().await);
    give(&app, &member, 100_000).await;
    let unit = supplier(&app, "惠民超市").await;
    let goods = goods_of(&app, &shop, unit, 100).await;
    hand_out(&app, &shop, &member, &goods, 1, "2026-10-21T02:00:00Z").await;
    app.clock.set(at("2026-11-30T15:59:59Z"));
    let running = close(&app, &shop.manager, "2026-11", STREET).await;
    assert_eq!(field(&running), ["month", "out_of_range"]);
    assert_eq!(field(&close(&app, &shop.manager, "2027-01", STREET).await)[0], "month");
    for text in ["2026", "2026-13", "2026-Q4", "all", "2026-1", "２０２６-10"] {
        assert_eq!(field(&close(&app, &shop.manager, text, STREET).await), ["month", "invalid"], "{text}");
    }
    for region in [FOREIGN, "130300", "130302009"] {
        assert_eq!(field(&close(&app, &shop.manager, "2026-10", region).await)[0], "region_code", "{region}");
    }
    close(&app, &shop.clerk, "2026-10", STREET).await.expect_problem(403, "forbidden");
    let auditor = app.seed().staff(Role::Auditor).await;
    close(&app, &auditor, "2026-10", STREET).await.expect_problem(403, "forbidden");
    let second = app.second_node().await;
    let nodes = [&app, &second];
    let calls = (0..6).map(|number| Box::pin(close(nodes[number % 2], &shop.manager, "2026-10", STREET)));
    let answers = at_once(calls.collect::<Vec<_>>()).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert!(answers.iter().all(|answer| answer.status == 201 || answer.code() == "already_settled"));
    // Below it, and before it, nothing is left to close; around it, nothing is counted twice.
    close(&app, &shop.manager, "2026-10", COMMUNITY).await.expect_problem(409, "already_settled");
    close(&app, &shop.manager, "2026-09", SISTER).await.expect_problem(409, "already_settled");
    let around = close(&app, &shop.manager, "2026-10", DISTRICT).await.expect_status(201).json();
    assert_eq!(around["settlements"], json!([]));
    assert_eq!(month(&app, &auditor, "month=2026-10").await.len(), 1);
    assert_in_order(&app).await;
});

both!(a_settlement_is_paid_once_and_seen_by_its_region, async |app| {
    app.clock.set(start());
    let (shop, member) = (Shop::open(&app).await, app.seed().member().await);
    give(&app, &member, 100_000).await;
    let unit = supplier(&app, "=惠民超市").await;
    let goods = goods_of(&app, &shop, unit, 100).await;
    hand_out(&app, &shop, &member, &goods, 4, "2026-10-21T02:00:00Z").await;
    app.clock.set(at("2026-11-02T02:00:00Z"));
    let closed = close(&app, &shop.manager, "2026-10", STREET).await.expect_status(201);
    let id = closed.at("/settlements/0/id");
    let one = format!("/api/v1/settlements/{id}");
    let pay = async |who: &Staff, day: &str| {
        post(&app, who, &format!("/settlements/{id}/payment"), json!({"paid_on": day, "reference": "银付 2026-0017"}))
            .await
    };
    assert_eq!(field(&pay(&shop.manager, "2026-11-03").await), ["paid_on", "out_of_range"]);
    let foreign = app.seed().staff(Role::Manager).in_region(FOREIGN).await;
    let below = app.seed().staff(Role::Manager).in_region(COMMUNITY).await;
    for staff in [&foreign, &below] {
        pay(staff, "2026-11-02").await.expect_problem(404, "not_found");
        app.by(staff).get(&one).await.expect_problem(404, "not_found");
    }
    app.by(&shop.clerk).get(&one).await.expect_problem(403, "forbidden");
    assert_eq!(month(&app, &foreign, "month=2026-10").await, Vec::<Value>::new());
    assert_eq!(month(&app, &foreign, &format!("month=2026-10&region={STREET}")).await, Vec::<Value>::new());
    let calls = ["2026-11-01", "2026-11-02"].map(|day| Box::pin(pay(&shop.manager, day)));
    let answers = at_once(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert!(answers.iter().all(|answer| answer.status == 200 || answer.code() == "already_paid"));
    let shown = app.by(&shop.manager).get(&one).await.expect_status(200);
    assert_eq!((shown.at("/status"), shown.at("/payment_reference")), ("paid".to_owned(), "银付 2026-0017".to_owned()));
    let csv = app.by(&shop.manager).get("/api/v1/settlements?month=2026-10&format=csv").await.expect_status(200);
    assert!(csv.text().lines().nth(1).unwrap().starts_with("'=惠民超市,"), "{}", csv.text());
    for path in [format!("{one}/lines?format=xlsx"), "/api/v1/settlements?month=2026-10&format=xlsx".to_owned()] {
        assert!(app.by(&shop.manager).get(&path).await.expect_status(200).body.starts_with(b"PK"));
    }
    let lines = app.by(&shop.manager).get(&format!("{one}/lines?format=csv")).await.expect_status(200);
    assert_eq!(lines.text().lines().count(), 2);
    app.by(&shop.manager).get("/api/v1/settlements?month=2026-Q4").await.expect_problem(422, "validation_failed");
    assert_in_order(&app).await;
});
