//! Goods between two stations: sent, received, called back; nothing is lost in between.

use ::entity::staff::Role;
use serde_json::{Value, json};

use super::{field, movements, post, second_shop};
use crate::points::{assert_in_order, give};
use crate::redemption::{Shop, key, reserve, stock};
use crate::support::{FOREIGN, Staff, TestApp, at_once};

async fn send(app: &TestApp, who: &Staff, goods: &str, to: &Shop, quantity: i32) -> crate::support::Answer {
    let body = json!({"to_station_id": to.station.id, "quantity": quantity});
    post(app, who, &format!("/goods/{goods}/transfers"), body).await
}

async fn receive(app: &TestApp, who: &Staff, transfer: &str, body: Value) -> crate::support::Answer {
    post(app, who, &format!("/stock-transfers/{transfer}/receipt"), body).await
}

async fn call_back(app: &TestApp, who: &Staff, transfer: &str) -> crate::support::Answer {
    post(app, who, &format!("/stock-transfers/{transfer}/cancellation"), json!({"reason": "发错站点"})).await
}

both!(goods_leave_when_sent_and_arrive_when_received, async |app| {
    let (here, there) = (Shop::open(&app).await, second_shop(&app).await);
    let goods = here.goods(&app, "2.50", 10, Some(3)).await;
    let sent = send(&app, &here.clerk, &goods, &there, 6).await.expect_status(201);
    assert_eq!((sent.at("/status"), sent.at("/quantity")), ("sent".to_owned(), "6".to_owned()));
    assert_eq!(stock(&app, &goods).await, 4);
    let copy = sent.at("/to_goods_id");
    // Off the shelf until some have arrived.
    app.get(&format!("/api/v1/goods/{copy}")).await.expect_problem(404, "not_found");
    assert_in_order(&app).await;
    let received = receive(&app, &there.clerk, &sent.id(), json!({"quantity": 6})).await.expect_status(200);
    assert_eq!((received.at("/status"), received.at("/lost")), ("received".to_owned(), "0".to_owned()));
    let shown = app.get(&format!("/api/v1/goods/{copy}")).await.expect_status(200).json();
    assert_eq!((&shown["stock"], &shown["points"], &shown["per_member_limit"]), (&json!(6), &json!("2.50"), &json!(3)));
    assert_eq!(shown["station_id"], json!(there.station.id));
    assert_eq!(movements(&app, &there.clerk, &copy).await, [("transfer_in".to_owned(), 6)]);
    assert_eq!(movements(&app, &here.clerk, &goods).await[0], ("transfer_out".to_owned(), -6));
    // The next ones go to the same goods, and back to where they came from.
    let again = send(&app, &here.clerk, &goods, &there, 1).await.expect_status(201);
    assert_eq!(again.at("/to_goods_id"), copy);
    let back = send(&app, &there.clerk, &copy, &here, 2).await.expect_status(201);
    assert_eq!(back.at("/to_goods_id"), goods);
    receive(&app, &here.clerk, &back.id(), json!({"quantity": 2})).await.expect_status(200);
    assert_eq!([stock(&app, &goods).await, stock(&app, &copy).await], [5, 4]);
    receive(&app, &there.clerk, &sent.id(), json!({"quantity": 6})).await.expect_problem(409, "invalid_transition");
    call_back(&app, &here.clerk, &sent.id()).await.expect_problem(409, "invalid_transition");
    assert_in_order(&app).await;
});

both!(what_does_not_arrive_is_a_loss_and_says_why, async |app| {
    let (here, there) = (Shop::open(&app).await, second_shop(&app).await);
    let (goods, same) = (here.goods(&app, "1", 10, None).await, there.goods(&app, "1", 1, None).await);
    let sent = send(&app, &here.clerk, &goods, &there, 5).await.expect_status(201);
    assert_eq!(sent.at("/to_goods_id"), same, "the like of it");
    let more = receive(&app, &there.clerk, &sent.id(), json!({"quantity": 6})).await;
    assert_eq!(field(&more), ["quantity", "out_of_range"]);
    let fewer = receive(&app, &there.clerk, &sent.id(), json!({"quantity": 3})).await;
    assert_eq!(field(&fewer), ["note", "required"]);
    let body = json!({"quantity": 3, "note": "途中破损两件"});
    let received = receive(&app, &there.clerk, &sent.id(), body).await.expect_status(200);
    assert_eq!((received.at("/received"), received.at("/lost")), ("3".to_owned(), "2".to_owned()));
    assert_eq!([stock(&app, &goods).await, stock(&app, &same).await], [5, 4]);
    let moved = movements(&app, &there.clerk, &same).await;
    assert!(moved.contains(&("transfer_in".to_owned(), 5)) && moved.contains(&("loss".to_owned(), -2)), "{moved:?}");
    // Nothing at all arrived.
    let lost = send(&app, &here.clerk, &goods, &there, 5).await.expect_status(201);
    receive(&app, &there.clerk, &lost.id(), json!({"quantity": 0, "note": "全部丢失"})).await.expect_status(200);
    assert_eq!([stock(&app, &goods).await, stock(&app, &same).await], [0, 4]);
    assert_in_order(&app).await;
});

both!(an_interrupted_transfer_stays_on_its_way_until_it_is_called_back, async |app| {
    let (here, there, member) = (Shop::open(&app).await, second_shop(&app).await, app.seed().member().await);
    give(&app, &member, 10_000).await;
    let goods = here.goods(&app, "1", 5, None).await;
    reserve(&app, &member, &goods, 2).await.expect_status(201);
    send(&app, &here.clerk, &goods, &there, 4).await.expect_problem(409, "out_of_stock");
    let sent = send(&app, &here.clerk, &goods, &there, 3).await.expect_status(201);
    app.clock.advance(chrono::TimeDelta::days(30));
    assert_in_order(&app).await;
    let waiting = app.by(&there.clerk).get("/api/v1/stock-transfers?status=sent").await.expect_status(200);
    assert_eq!(waiting.at("/items/0/id"), sent.id());
    call_back(&app, &there.clerk, &sent.id()).await.expect_problem(404, "not_found");
    receive(&app, &here.clerk, &sent.id(), json!({"quantity": 3})).await.expect_problem(404, "not_found");
    let back = call_back(&app, &here.clerk, &sent.id()).await.expect_status(200);
    assert_eq!((back.at("/status"), back.at("/note")), ("cancelled".to_owned(), "发错站点".to_owned()));
    assert_eq!(stock(&app, &goods).await, 3);
    receive(&app, &there.clerk, &sent.id(), json!({"quantity": 3})).await.expect_problem(409, "invalid_transition");
    assert_in_order(&app).await;
});

both!(transfers_are_refused_by_name, async |app| {
    let (here, there) = (Shop::open(&app).await, second_shop(&app).await);
    let goods = here.goods(&app, "1", 5, None).await;
    let away = app.seed().station().in_region(FOREIGN).await;
    let foreign = app.seed().staff(Role::Manager).in_region(FOREIGN).await;
    let auditor = app.seed().staff(Role::Auditor).await;
    let path = format!("/goods/{goods}/transfers");
    let to = |station: Value, quantity: i64| json!({"to_station_id": station, "quantity": quantity});
    for (body, refused) in [
        (to(json!(here.station.id), 1), "to_station_id"),
        (to(json!(away.id), 1), "to_station_id"),
        (to(json!("0199a0b0-0000-7000-8000-000000000001"), 1), "to_station_id"),
        (to(json!(there.station.id), 0), "quantity"),
        (to(json!(there.station.id), 1_000_001), "quantity"),
    ] {
        let answer = post(&app, &here.clerk, &path, body).await;
        assert_eq!(field(&answer)[0], refused, "{}", answer.text());
    }
    send(&app, &here.clerk, &goods, &there, 6).await.expect_problem(409, "out_of_stock");
    send(&app, &there.clerk, &goods, &here, 1).await.expect_problem(404, "not_found");
    send(&app, &foreign, &goods, &there, 1).await.expect_problem(404, "not_found");
    send(&app, &auditor, &goods, &there, 1).await.expect_problem(403, "forbidden");
    let service = json!({"name": "理发", "station_id": here.station.id, "points": "1", "stock": 5, "kind": "service"});
    let service = app.by(&here.manager).post("/api/v1/goods", service).await.expect_status(201).id();
    send(&app, &here.clerk, &service, &there, 1).await.expect_problem(409, "not_on_shelf");
    let sent = send(&app, &here.manager, &goods, &there, 1).await.expect_status(201).id();
    let one = format!("/api/v1/stock-transfers/{sent}");
    app.by(&foreign).get(&one).await.expect_problem(404, "not_found");
    for staff in [&here.clerk, &there.clerk, &auditor] {
        app.by(staff).get(&one).await.expect_status(200);
    }
    assert_eq!(stock(&app, &goods).await, 4);
    assert_in_order(&app).await;
});

both!(of_receiving_and_calling_back_at_once_one_happens, async |app| {
    let (here, there) = (Shop::open(&app).await, second_shop(&app).await);
    let goods = here.goods(&app, "1", 30, None).await;
    let second = app.second_node().await;
    for _ in 0..3 {
        let sent = send(&app, &here.clerk, &goods, &there, 4).await.expect_status(201).id();
        let receipt = format!("/api/v1/stock-transfers/{sent}/receipt");
        let back = format!("/api/v1/stock-transfers/{sent}/cancellation");
        let calls = (0..8).map(|number| {
            let node = if number % 2 == 0 { &app } else { &second };
            match number % 4 {
                0 | 3 => node.by(&there.clerk).post(&receipt, json!({"quantity": 3, "note": "少一件"})).key(&key()),
                _ => node.by(&here.clerk).post(&back, json!({"reason": "发错"})).key(&key()),
            }
        });
        let answers = at_once(calls).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
        assert!(answers.iter().all(|answer| answer.status == 200 || answer.code() == "invalid_transition"));
        assert_in_order(&app).await;
    }
});

both!(the_last_ones_are_sent_once, async |app| {
    let (here, there) = (Shop::open(&app).await, second_shop(&app).await);
    let goods = here.goods(&app, "1", 5, None).await;
    let second = app.second_node().await;
    let nodes = [&app, &second];
    let calls = (0..10).map(|number| Box::pin(send(nodes[number % 2], &here.clerk, &goods, &there, 1)));
    let answers = at_once(calls).await;
    let sent: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(sent.len(), 5);
    assert!(sent.iter().all(|answer| answer.at("/to_goods_id") == sent[0].at("/to_goods_id")), "one copy");
    assert!(answers.iter().all(|answer| answer.status == 201 || answer.code() == "out_of_stock"));
    assert_eq!(stock(&app, &goods).await, 0);
    assert_in_order(&app).await;
});
