//! How many a member or a household may have, and in which period.

use chrono::TimeDelta;
use linli::jobs::run_once;
use serde_json::json;

use super::{Shop, fulfil, live_together, order, reserve, stock};
use crate::points::{assert_in_order, give};
use crate::support::{Member, TestApp, at, at_once};

async fn rich(app: &TestApp) -> Member {
    let member = app.seed().member().await;
    give(app, &member, 10_000).await;
    member
}

both!(a_limit_counts_within_its_period, async |app| {
    let (shop, member) = (Shop::open(&app).await, rich(&app).await);
    // The clock stands at Saturday the 21st of November, 10:00; each next instant is the first of a new period.
    for (period, last, next) in [
        ("day", "2026-11-21T15:59:59Z", "2026-11-21T16:00:00Z"),
        ("week", "2026-11-22T15:59:59Z", "2026-11-22T16:00:00Z"),
        ("month", "2026-11-30T15:59:59Z", "2026-11-30T16:00:00Z"),
        ("quarter", "2026-12-31T15:59:59Z", "2026-12-31T16:00:00Z"),
        ("year", "2027-12-31T15:59:59Z", "2027-12-31T16:00:00Z"),
    ] {
        let goods = shop.goods_with(&app, &json!({"per_member_limit": 3, "limit_period": period})).await;
        reserve(&app, &member, &goods, 2).await.expect_status(201);
        reserve(&app, &member, &goods, 2).await.expect_problem(409, "limit_reached");
        app.clock.set(at(last));
        let refused = reserve(&app, &member, &goods, 2).await.expect_problem(409, "limit_reached");
        let detail = refused.at("/detail");
        assert!(detail.contains("还可兑 1 件") && detail.contains("日起重新计算"), "{detail}");
        app.clock.set(at(next));
        reserve(&app, &member, &goods, 3).await.expect_status(201);
        reserve(&app, &member, &goods, 1).await.expect_problem(409, "limit_reached");
    }
    assert_in_order(&app).await;
});

both!(a_limit_counts_every_line_of_what_is_live, async |app| {
    let (shop, member) = (Shop::open(&app).await, rich(&app).await);
    let rice = shop.goods_with(&app, &json!({"per_member_limit": 3})).await;
    let oil = shop.goods_with(&app, &json!({"name": "油"})).await;
    let basket =
        |quantity: i32| json!({"lines": [{"goods_id": oil, "quantity": 1}, {"goods_id": rice, "quantity": quantity}]});
    order(&app, &member, basket(4)).await.expect_problem(409, "limit_reached");
    let first = order(&app, &member, basket(2)).await.expect_status(201);
    reserve(&app, &member, &rice, 2).await.expect_problem(409, "limit_reached");
    order(&app, &member, basket(2)).await.expect_problem(409, "limit_reached");
    fulfil(&app, &shop.clerk, &first.at("/code")).await.expect_status(200);
    reserve(&app, &member, &rice, 2).await.expect_problem(409, "limit_reached");
    reserve(&app, &member, &rice, 1).await.expect_status(201);
    // What ran out or was refunded counts no more.
    app.clock.advance(TimeDelta::days(8));
    run_once(&app.state, "redemption_expiry").await.unwrap();
    let refund = format!("/api/v1/redemptions/{}/refund", first.id());
    app.by(&shop.manager).post(&refund, json!({"reason": "退货"})).key("r").await.expect_status(200);
    order(&app, &member, basket(3)).await.expect_status(201);
    // Booked times of one service count together.
    let (cut, early) = shop.service(&app, 5, 9).await;
    let late = shop.slot(&app, &cut, 7, 9).await;
    app.by(&shop.manager)
        .patch(&format!("/api/v1/goods/{cut}"), json!({"per_member_limit": 2}))
        .await
        .expect_status(200);
    let booked = |one: i32, other: i32| json!({"lines": [{"goods_id": cut, "quantity": one, "slot_id": early}, {"goods_id": cut, "quantity": other, "slot_id": late}]});
    order(&app, &member, booked(1, 2)).await.expect_problem(409, "limit_reached");
    order(&app, &member, booked(1, 1)).await.expect_status(201);
    assert_in_order(&app).await;
});

both!(a_household_has_its_own_limit, async |app| {
    let shop = Shop::open(&app).await;
    let (one, other, stranger) = (rich(&app).await, rich(&app).await, rich(&app).await);
    live_together(&app, &[&one, &other]).await;
    let goods =
        shop.goods_with(&app, &json!({"per_member_limit": 2, "per_household_limit": 3, "limit_period": "month"})).await;
    reserve(&app, &one, &goods, 2).await.expect_status(201);
    let refused = reserve(&app, &other, &goods, 2).await.expect_problem(409, "limit_reached");
    assert!(refused.at("/detail").contains("每户每月限兑 3 件，已兑 2 件，还可兑 1 件"), "{}", refused.text());
    reserve(&app, &other, &goods, 1).await.expect_status(201);
    reserve(&app, &other, &goods, 1).await.expect_problem(409, "limit_reached");
    // Who lives alone is a household of one.
    reserve(&app, &stranger, &goods, 2).await.expect_status(201);
    app.clock.set(at("2026-11-30T16:00:00Z"));
    reserve(&app, &other, &goods, 2).await.expect_status(201);
    assert_in_order(&app).await;
});

both!(two_of_a_household_race_for_what_is_left, async |app| {
    let shop = Shop::open(&app).await;
    let (one, other) = (rich(&app).await, rich(&app).await);
    live_together(&app, &[&one, &other]).await;
    let second = app.second_node().await;
    for _ in 0..3 {
        let goods = shop.goods_with(&app, &json!({"per_household_limit": 3})).await;
        let calls = (0..12).map(|at| {
            let (node, member) = if at % 2 == 0 { (&app, &one) } else { (&second, &other) };
            Box::pin(reserve(node, member, &goods, 1))
        });
        let answers = at_once(calls).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 3);
        assert!(answers.iter().all(|answer| answer.status == 201 || answer.code() == "limit_reached"));
        assert_eq!(stock(&app, &goods).await, 97);
    }
    assert_in_order(&app).await;
});
