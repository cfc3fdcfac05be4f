//! Several lines in one redemption: all or nothing, from the shelf to the hand and back.

use chrono::TimeDelta;
use linli::identity::member_code;
use linli::jobs::run_once;
use serde_json::{Value, json};

use super::{Shop, fulfil, key, order, stock, taken};
use crate::points::{assert_in_order, give, sums};
use crate::support::{TestApp, at_once};

fn line(goods: &str, quantity: i32) -> Value {
    json!({"goods_id": goods, "quantity": quantity})
}

both!(a_basket_is_reserved_fulfilled_and_refunded_as_one, async |app| {
    let (shop, member) = (Shop::open(&app).await, app.seed().member().await);
    let rice = shop.goods_with(&app, &json!({"points": "2.50"})).await;
    let oil = shop.goods_with(&app, &json!({"name": "油", "points": "3", "stock": 5})).await;
    let (cut, slot) = shop.service(&app, 30, 2).await;
    give(&app, &member, 2000).await;
    let lines = json!([line(&rice, 2), line(&oil, 1), {"goods_id": cut, "quantity": 1, "slot_id": slot}]);
    let reserved = order(&app, &member, json!({"lines": lines})).await.expect_status(201);
    assert_eq!((reserved.at("/points"), reserved.at("/pay_with")), ("9.00".to_owned(), "own".to_owned()));
    assert_eq!((reserved.at("/goods_id"), reserved.at("/quantity")), (rice.clone(), "2".to_owned()));
    let shown = reserved.json()["lines"].clone();
    let column = |field: &str| shown.as_array().unwrap().iter().map(|line| line[field].clone()).collect::<Vec<_>>();
    assert_eq!(column("name"), ["大米", "油", "理发"]);
    assert_eq!(column("points"), ["5.00", "3.00", "1.00"]);
    assert_eq!(column("line"), [1, 2, 3]);
    assert_eq!((&shown[0]["slot"], &shown[2]["slot"]["id"]), (&Value::Null, &json!(slot)));
    assert_eq!(sums(&app, &member).await, ["20.00", "9.00", "11.00"]);
    assert_eq!((stock(&app, &rice).await, stock(&app, &oil).await, taken(&app, &slot).await), (json!(98), json!(4), 1));
    assert_in_order(&app).await;
    // The same wherever it is shown.
    let path = format!("/api/v1/redemptions/{}", reserved.id());
    assert_eq!(app.by(&member).get(&path).await.expect_status(200).json()["lines"], shown);
    let mine = app.by(&member).get("/api/v1/me/redemptions").await.json();
    assert_eq!(mine["items"][0]["lines"], shown);

    let fulfilled = fulfil(&app, &shop.clerk, &reserved.at("/code")).await.expect_status(200);
    assert_eq!(fulfilled.json()["lines"], shown);
    assert_eq!(sums(&app, &member).await, ["11.00", "0.00", "11.00"]);
    assert_in_order(&app).await;
    // What lies on the shelf was handed out: a count finds what is free.
    let count = json!({"quantity": 4, "reason": "count"});
    let path = format!("/api/v1/goods/{oil}/stock-movements");
    assert_eq!(app.by(&shop.clerk).post(&path, count).key(&key()).await.expect_status(201).at("/quantity"), "0");

    let path = format!("/api/v1/redemptions/{}/refund", reserved.id());
    let calls = (0..3).map(|_| app.by(&shop.manager).post(&path, json!({"reason": "退货"})).key(&key()));
    let answers = at_once(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert!(answers.iter().all(|answer| answer.status == 200 || answer.code() == "invalid_transition"));
    assert_eq!(sums(&app, &member).await, ["20.00", "0.00", "20.00"]);
    assert_eq!(
        (stock(&app, &rice).await, stock(&app, &oil).await, taken(&app, &slot).await),
        (json!(100), json!(5), 0)
    );
    assert_in_order(&app).await;
});

both!(a_line_that_does_not_fit_is_named_and_nothing_is_taken, async |app| {
    let (shop, other) = (Shop::open(&app).await, Shop::open(&app).await);
    let member = app.seed().member().await;
    give(&app, &member, 1000).await;
    let rice = shop.goods_with(&app, &json!({})).await;
    let scarce = shop.goods_with(&app, &json!({"name": "鸡蛋", "stock": 2})).await;
    let theirs = other.goods_with(&app, &json!({})).await;
    let (cut, slot) = shop.service(&app, 30, 1).await;
    let (_, strange) = shop.service(&app, 30, 1).await;
    let unknown = "00000000-0000-7000-8000-000000000000";
    let slotted = |slot: &str| json!({"goods_id": cut, "quantity": 1, "slot_id": slot});
    for (lines, field, code) in [
        (json!([line(&rice, 1), line(&theirs, 1)]), "lines[1].goods_id", "invalid"),
        (json!([line(&rice, 1), line(unknown, 1)]), "lines[1].goods_id", "invalid"),
        (json!([line(&rice, 1), line(&scarce, 1), line(&rice, 1)]), "lines[2].goods_id", "invalid"),
        (json!([line(&rice, 1), line(&cut, 1)]), "lines[1].slot_id", "required"),
        (json!([line(&rice, 1), slotted(&strange)]), "lines[1].slot_id", "invalid"),
        (json!([line(&rice, 1), slotted(unknown)]), "lines[1].slot_id", "invalid"),
        (json!([{"goods_id": rice, "quantity": 1, "slot_id": slot}]), "lines[0].slot_id", "invalid"),
        (json!([line(&rice, 0)]), "lines[0].quantity", "out_of_range"),
        (json!([]), "lines", "required"),
        (json!(vec![line(&rice, 1); 21]), "lines", "too_long"),
    ] {
        let refused = order(&app, &member, json!({"lines": lines})).await.expect_problem(422, "validation_failed");
        assert_eq!((refused.at("/errors/0/field").as_str(), refused.at("/errors/0/code").as_str()), (field, code));
    }
    let both = json!({"goods_id": rice, "quantity": 1, "lines": [line(&scarce, 1)]});
    assert_eq!(
        order(&app, &member, both).await.expect_problem(422, "validation_failed").at("/errors/0/field"),
        "goods_id"
    );
    let neither = order(&app, &member, json!({})).await.expect_problem(422, "validation_failed");
    assert_eq!(
        (neither.at("/errors/0/field"), neither.at("/errors/0/code")),
        ("goods_id".to_owned(), "required".to_owned())
    );
    let half = order(&app, &member, json!({"goods_id": rice})).await.expect_problem(422, "validation_failed");
    assert_eq!(half.at("/errors/0/field"), "quantity");

    let out = order(&app, &member, json!({"lines": [line(&rice, 1), line(&scarce, 3)]})).await;
    assert!(out.expect_problem(409, "out_of_stock").at("/detail").contains("鸡蛋"));
    let poor = order(&app, &member, json!({"lines": [line(&rice, 9), line(&scarce, 2)]})).await;
    poor.expect_problem(409, "insufficient_points");
    assert_eq!(sums(&app, &member).await, ["10.00", "0.00", "10.00"]);
    assert_eq!((stock(&app, &rice).await, stock(&app, &scarce).await), (json!(100), json!(2)));
    assert_in_order(&app).await;
});

both!(a_basket_that_is_given_up_or_runs_out_goes_back_whole, async |app| {
    let (shop, member) = (Shop::open(&app).await, app.seed().member().await);
    let rice = shop.goods_with(&app, &json!({})).await;
    let oil = shop.goods_with(&app, &json!({"name": "油"})).await;
    give(&app, &member, 1000).await;
    let lines = json!({"lines": [line(&rice, 2), line(&oil, 3)]});
    let first = order(&app, &member, lines.clone()).await.expect_status(201);
    assert_eq!((stock(&app, &rice).await, stock(&app, &oil).await), (json!(98), json!(97)));
    let path = format!("/api/v1/redemptions/{}/cancellation", first.id());
    app.by(&member).post(&path, json!({})).await.expect_status(200);
    assert_eq!((stock(&app, &rice).await, stock(&app, &oil).await), (json!(100), json!(100)));
    order(&app, &member, lines).await.expect_status(201);
    app.clock.advance(TimeDelta::days(7));
    assert_eq!(run_once(&app.state, "redemption_expiry").await.unwrap(), Some(1));
    assert_eq!((stock(&app, &rice).await, stock(&app, &oil).await), (json!(100), json!(100)));
    assert_eq!(sums(&app, &member).await, ["10.00", "0.00", "10.00"]);
    assert_in_order(&app).await;
});

both!(a_basket_is_sold_at_the_counter, async |app| {
    let (shop, member) = (Shop::open(&app).await, app.seed().member().await);
    let rice = shop.goods_with(&app, &json!({})).await;
    let oil = shop.goods_with(&app, &json!({"name": "油"})).await;
    give(&app, &member, 500).await;
    let code = member_code::issue(&app.state.keys, member.id, app.clock.now()).code;
    let body = |lines: Value| json!({"member_code": code, "lines": lines});
    let sell = |body: Value| app.by(&shop.clerk).post("/api/v1/counter-redemptions", body).key(&key());
    sell(body(json!([line(&rice, 3), line(&oil, 3)]))).await.expect_problem(409, "insufficient_points");
    let sold = sell(body(json!([line(&rice, 2), line(&oil, 3)]))).await.expect_status(201);
    assert_eq!((sold.at("/status"), sold.at("/lines/1/points")), ("fulfilled".to_owned(), "3.00".to_owned()));
    assert_eq!(sums(&app, &member).await, ["0.00", "0.00", "0.00"]);
    let mut both = body(json!([line(&rice, 1)]));
    both["goods_id"] = json!(rice);
    sell(both).await.expect_problem(422, "validation_failed");
    sell(json!({"member_code": code})).await.expect_problem(422, "validation_failed");
    assert_in_order(&app).await;
});

// Each order names the same goods in another order: whoever waits, waits for one who does not.
both!(baskets_taken_crosswise_do_not_wait_for_each_other, async |app| {
    let shop = Shop::open(&app).await;
    let mut goods = Vec::new();
    for _ in 0..3 {
        goods.push(shop.goods_with(&app, &json!({"stock": 10})).await);
    }
    let mut members = Vec::new();
    for _ in 0..24 {
        let member = app.seed().member().await;
        give(&app, &member, 300).await;
        members.push(member);
    }
    let second = app.second_node().await;
    let calls = members.iter().enumerate().map(|(at, member)| {
        let node: &TestApp = if at % 2 == 0 { &app } else { &second };
        let lines: Vec<_> = (0..3).map(|step| line(&goods[if at % 2 == 0 { step } else { 2 - step }], 1)).collect();
        Box::pin(order(node, member, json!({"lines": lines})))
    });
    let answers = at_once(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 10);
    assert!(answers.iter().all(|answer| answer.status == 201 || answer.code() == "out_of_stock"));
    for goods in &goods {
        assert_eq!(stock(&app, goods).await, 0);
    }
    assert_in_order(&app).await;
});
