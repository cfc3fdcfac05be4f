//! A household pays together: who pays how much, who is told, and how it comes back.

use chrono::TimeDelta;
use linli::identity::member_code;
use linli::jobs::run_once;
use serde_json::json;

use ::entity::staff::Role;

use super::{Shop, fulfil, key, let_households_pool, live_together, order, stock};
use crate::points::{assert_in_order, give, sums};
use crate::support::{Answer, Member, TestApp, at_once};

/// A spender with so many points, and others of the household in order of joining.
async fn family<const N: usize>(app: &TestApp, hundredths: [i64; N]) -> [Member; N] {
    let mut members = Vec::new();
    for amount in hundredths {
        let member = app.seed().member().await;
        if amount > 0 {
            give(app, &member, amount).await;
        }
        members.push(member);
    }
    live_together(app, &members.iter().collect::<Vec<_>>()).await;
    members.try_into().unwrap_or_else(|_| panic!("as many"))
}

async fn together(app: &TestApp, member: &Member, goods: &str, quantity: i32) -> Answer {
    order(app, member, json!({"goods_id": goods, "quantity": quantity, "pay_with": "household"})).await
}

async fn kinds(app: &TestApp, member: &Member, path: &str) -> Vec<String> {
    let list = app.by(member).get(path).await.expect_status(200).json();
    list["items"].as_array().unwrap().iter().map(|item| item["kind"].as_str().unwrap().to_owned()).collect()
}

both!(the_spender_pays_first_then_who_agreed_in_order_of_joining, async |app| {
    let shop = Shop::open(&app).await;
    let_households_pool(&app).await;
    let [spender, first, second] = family(&app, [300, 400, 1000]).await;
    let goods = shop.goods_with(&app, &json!({})).await;
    let own = order(&app, &spender, json!({"goods_id": goods, "quantity": 9})).await;
    own.expect_problem(409, "insufficient_points");
    let poor = together(&app, &spender, &goods, 18).await.expect_problem(409, "insufficient_points");
    assert!(poor.at("/detail").contains("17.00"), "{}", poor.text());
    assert_eq!(stock(&app, &goods).await, 100);

    let reserved = together(&app, &spender, &goods, 9).await.expect_status(201);
    assert_eq!((reserved.at("/pay_with"), reserved.at("/points")), ("household".to_owned(), "9.00".to_owned()));
    assert_eq!(sums(&app, &spender).await, ["3.00", "3.00", "0.00"]);
    assert_eq!(sums(&app, &first).await, ["4.00", "4.00", "0.00"]);
    assert_eq!(sums(&app, &second).await, ["10.00", "2.00", "8.00"]);
    assert_eq!(kinds(&app, &second, "/api/v1/me/inbox").await, ["redemption.shared"]);
    assert_eq!(kinds(&app, &spender, "/api/v1/me/inbox").await, Vec::<String>::new());
    // A payer does not see what is another's.
    let path = format!("/api/v1/redemptions/{}", reserved.id());
    app.by(&first).get(&path).await.expect_problem(404, "not_found");
    assert_in_order(&app).await;

    fulfil(&app, &shop.clerk, &reserved.at("/code")).await.expect_status(200);
    assert_eq!(sums(&app, &second).await, ["8.00", "0.00", "8.00"]);
    assert_eq!(kinds(&app, &first, "/api/v1/me/points/entries").await, ["spend", "grant"]);
    assert_in_order(&app).await;

    let path = format!("/api/v1/redemptions/{}/refund", reserved.id());
    for payer in [&spender, &second] {
        let own = app.seed().staff(Role::Manager).being(payer).await;
        app.by(&own).post(&path, json!({"reason": "x"})).key("o").await.expect_problem(403, "second_person_required");
    }
    let calls = (0..3).map(|_| app.by(&shop.manager).post(&path, json!({"reason": "退货"})).key(&key()));
    let answers = at_once(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert!(answers.iter().all(|answer| answer.status == 200 || answer.code() == "invalid_transition"));
    assert_eq!(sums(&app, &spender).await, ["3.00", "0.00", "3.00"]);
    assert_eq!(sums(&app, &first).await, ["4.00", "0.00", "4.00"]);
    assert_eq!(sums(&app, &second).await, ["10.00", "0.00", "10.00"]);
    assert_eq!(kinds(&app, &first, "/api/v1/me/points/entries").await, ["refund", "spend", "grant"]);
    assert_eq!(kinds(&app, &first, "/api/v1/me/inbox").await, ["redemption.share_refunded", "redemption.shared"]);
    assert_in_order(&app).await;
});

both!(who_has_enough_or_lives_alone_pays_alone, async |app| {
    let shop = Shop::open(&app).await;
    let [spender, other] = family(&app, [300, 1000]).await;
    let goods = shop.goods_with(&app, &json!({})).await;
    // The programme does not let households pool yet.
    together(&app, &spender, &goods, 4).await.expect_problem(409, "insufficient_points");
    let_households_pool(&app).await;
    assert_eq!(together(&app, &spender, &goods, 3).await.expect_status(201).at("/pay_with"), "own");
    assert_eq!(sums(&app, &other).await, ["10.00", "0.00", "10.00"]);
    // The head has not agreed that others spend what is theirs.
    together(&app, &other, &goods, 11).await.expect_problem(409, "insufficient_points");
    let alone = app.seed().member().await;
    together(&app, &alone, &goods, 1).await.expect_problem(409, "insufficient_points");
    give(&app, &alone, 100).await;
    assert_eq!(together(&app, &alone, &goods, 1).await.expect_status(201).at("/pay_with"), "own");
    let wrong = json!({"goods_id": goods, "quantity": 1, "pay_with": "neighbour"});
    order(&app, &alone, wrong).await.expect_problem(422, "validation_failed");
    assert_in_order(&app).await;
});

both!(a_member_without_points_lets_the_household_pay, async |app| {
    let shop = Shop::open(&app).await;
    let_households_pool(&app).await;
    let [spender, payer] = family(&app, [0, 1000]).await;
    let goods = shop.goods_with(&app, &json!({})).await;
    let first = together(&app, &spender, &goods, 4).await.expect_status(201);
    assert_eq!(sums(&app, &payer).await, ["10.00", "4.00", "6.00"]);
    let cancel = format!("/api/v1/redemptions/{}/cancellation", first.id());
    app.by(&payer).post(&cancel, json!({})).await.expect_problem(404, "not_found");
    app.by(&spender).post(&cancel, json!({})).await.expect_status(200);
    assert_eq!(sums(&app, &payer).await, ["10.00", "0.00", "10.00"]);
    assert_eq!(kinds(&app, &payer, "/api/v1/me/inbox").await[0], "redemption.share_released");
    together(&app, &spender, &goods, 4).await.expect_status(201);
    // Who pays for others has something open, and cannot be erased meanwhile.
    app.by(&payer).delete("/api/v1/me").await.expect_problem(409, "open_commitments");
    app.clock.advance(TimeDelta::days(7));
    assert_eq!(run_once(&app.state, "redemption_expiry").await.unwrap(), Some(1));
    assert_eq!(sums(&app, &payer).await, ["10.00", "0.00", "10.00"]);
    assert_in_order(&app).await;
});

both!(a_household_pays_at_the_counter, async |app| {
    let shop = Shop::open(&app).await;
    let_households_pool(&app).await;
    let [spender, payer] = family(&app, [100, 1000]).await;
    let goods = shop.goods_with(&app, &json!({})).await;
    let code = member_code::issue(&app.state.keys, spender.id, app.clock.now()).code;
    let body = json!({"member_code": code, "goods_id": goods, "quantity": 5, "pay_with": "household"});
    let own = app.seed().staff(Role::Clerk).at_station(shop.station.id).being(&payer).await;
    app.by(&own)
        .post("/api/v1/counter-redemptions", body.clone())
        .key("k")
        .await
        .expect_problem(403, "second_person_required");
    let sold = app.by(&shop.clerk).post("/api/v1/counter-redemptions", body).key("k").await.expect_status(201);
    assert_eq!(sold.at("/pay_with"), "household");
    assert_eq!(sums(&app, &spender).await, ["0.00", "0.00", "0.00"]);
    assert_eq!(sums(&app, &payer).await, ["6.00", "0.00", "6.00"]);
    assert_eq!(kinds(&app, &payer, "/api/v1/me/inbox").await, ["redemption.shared"]);
    assert_in_order(&app).await;
});

both!(one_purse_is_spent_once_by_all_who_reach_into_it, async |app| {
    let shop = Shop::open(&app).await;
    let_households_pool(&app).await;
    let [one, two, three] = family(&app, [500, 500, 500]).await;
    let goods = shop.goods_with(&app, &json!({"points": "2"})).await;
    let second = app.second_node().await;
    let calls = (0..18).map(|at| {
        let node = if at % 2 == 0 { &app } else { &second };
        let member = [&one, &two, &three][at % 3];
        Box::pin(together(node, member, &goods, 1))
    });
    let answers = at_once(calls).await;
    assert!(answers.iter().all(|answer| answer.status == 201 || answer.code() == "insufficient_points"));
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    // 15 points in all; what the head has, only the head spends.
    assert!((5..=7).contains(&made), "{made}");
    assert_eq!(stock(&app, &goods).await, 100 - made);
    assert_in_order(&app).await;
});
