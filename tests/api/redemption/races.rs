//! Many at once: never more than there is, never twice.

use serde_json::json;

use super::{Shop, fulfil, key, reserve, stock};
use crate::points::{assert_in_order, give, sums};
use crate::support::at_once;

both!(fifty_members_race_for_the_last_one, async |app| {
    let shop = Shop::open(&app).await;
    let goods = shop.goods(&app, "1", 1, None).await;
    let mut members = Vec::new();
    for _ in 0..50 {
        let member = app.seed().member().await;
        give(&app, &member, 100).await;
        members.push(member);
    }
    let answers = at_once(members.iter().map(|member| Box::pin(reserve(&app, member, &goods, 1)))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert!(answers.iter().all(|answer| answer.status == 201 || answer.code() == "out_of_stock"));
    assert_eq!(stock(&app, &goods).await, 0);
    assert_in_order(&app).await;
});

both!(twenty_orders_of_points_that_cover_one, async |app| {
    let (shop, member) = (Shop::open(&app).await, app.seed().member().await);
    let goods = shop.goods(&app, "10", 100, None).await;
    give(&app, &member, 1999).await;
    let answers = at_once((0..20).map(|_| Box::pin(reserve(&app, &member, &goods, 1)))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert!(answers.iter().all(|answer| answer.status == 201 || answer.code() == "insufficient_points"));
    assert_eq!(sums(&app, &member).await, ["19.99", "10.00", "9.99"]);
    assert_eq!(stock(&app, &goods).await, 99);
    assert_in_order(&app).await;
});

both!(ten_orders_against_a_limit_of_two, async |app| {
    let (shop, member) = (Shop::open(&app).await, app.seed().member().await);
    let goods = shop.goods(&app, "1", 100, Some(2)).await;
    give(&app, &member, 10_000).await;
    let answers = at_once((0..10).map(|_| Box::pin(reserve(&app, &member, &goods, 1)))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 2);
    assert!(answers.iter().all(|answer| answer.status == 201 || answer.code() == "limit_reached"));
    assert_in_order(&app).await;
});

both!(one_key_sent_fifty_times_over_two_nodes_has_one_effect, async |app| {
    let (shop, member) = (Shop::open(&app).await, app.seed().member().await);
    let goods = shop.goods(&app, "1", 100, None).await;
    give(&app, &member, 10_000).await;
    let second = app.second_node().await;
    let calls = (0..50).map(|number| {
        let node = if number % 2 == 0 { &app } else { &second };
        node.by(&member).post("/api/v1/redemptions", json!({"goods_id": goods, "quantity": 1})).key("same")
    });
    let answers = at_once(calls).await;
    let made: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(made.iter().filter(|answer| !answer.is_replayed()).count(), 1);
    assert!(made.iter().all(|answer| answer.body == made[0].body));
    assert!(answers.iter().all(|answer| answer.status == 201 || answer.code() == "idempotency_in_progress"));
    assert_eq!(stock(&app, &goods).await, 99);
    assert_in_order(&app).await;
});

both!(fulfil_and_cancel_at_once_leave_one_of_them, async |app| {
    let (shop, member) = (Shop::open(&app).await, app.seed().member().await);
    let goods = shop.goods(&app, "1", 100, None).await;
    give(&app, &member, 10_000).await;
    for _ in 0..4 {
        let reserved = reserve(&app, &member, &goods, 1).await.expect_status(201);
        let cancel = format!("/api/v1/redemptions/{}/cancellation", reserved.id());
        let fulfilment = json!({"code": reserved.at("/code")});
        let calls = [
            app.by(&member).post(&cancel, json!({})),
            app.by(&shop.clerk).post("/api/v1/redemptions/fulfilments", fulfilment.clone()).key(&key()),
            app.by(&member).post(&cancel, json!({})),
            app.by(&shop.clerk).post("/api/v1/redemptions/fulfilments", fulfilment).key(&key()),
        ];
        let answers = at_once(calls).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
        assert!(answers.iter().all(|answer| answer.status == 200 || answer.code() == "invalid_transition"));
    }
    assert_in_order(&app).await;
});

both!(three_refunds_at_once_give_back_once, async |app| {
    let (shop, member) = (Shop::open(&app).await, app.seed().member().await);
    let goods = shop.goods(&app, "10", 100, None).await;
    give(&app, &member, 1000).await;
    let reserved = reserve(&app, &member, &goods, 1).await.expect_status(201);
    fulfil(&app, &shop.clerk, &reserved.at("/code")).await.expect_status(200);
    let path = format!("/api/v1/redemptions/{}/refund", reserved.id());
    let calls = (0..3).map(|_| app.by(&shop.manager).post(&path, json!({"reason": "退货"})).key(&key()));
    let answers = at_once(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert!(answers.iter().all(|answer| answer.status == 200 || answer.code() == "invalid_transition"));
    assert_eq!(sums(&app, &member).await, ["10.00", "0.00", "10.00"]);
    assert_eq!(stock(&app, &goods).await, 100);
    assert_in_order(&app).await;
});

both!(two_nodes_expire_a_reservation_once, async |app| {
    let (shop, member) = (Shop::open(&app).await, app.seed().member().await);
    let goods = shop.goods(&app, "1", 10, None).await;
    give(&app, &member, 1000).await;
    for _ in 0..3 {
        reserve(&app, &member, &goods, 2).await.expect_status(201);
    }
    app.clock.advance(chrono::TimeDelta::days(8));
    let second = app.second_node().await;
    let runs = [&app, &second].map(|node| Box::pin(linli::jobs::run_once(&node.state, "redemption_expiry")));
    for run in at_once(runs).await {
        run.unwrap();
    }
    linli::jobs::run_once(&app.state, "redemption_expiry").await.unwrap();
    assert_eq!(sums(&app, &member).await, ["10.00", "0.00", "10.00"]);
    assert_eq!(stock(&app, &goods).await, 10);
    assert_in_order(&app).await;
});
