//! Times to book: made, booked, changed, closed, missed.

use ::entity::staff::Role;
use chrono::TimeDelta;
use linli::jobs::run_once;
use serde_json::{Value, json};

use super::{Shop, fulfil, order, reserve, stock, taken};
use crate::points::{assert_in_order, give, sums};
use crate::support::{Answer, FOREIGN, Member, TestApp, at, at_once};

async fn book(app: &TestApp, member: &Member, goods: &str, slot: &str) -> Answer {
    order(app, member, json!({"goods_id": goods, "quantity": 1, "slot_id": slot})).await
}

async fn rich(app: &TestApp) -> Member {
    let member = app.seed().member().await;
    give(app, &member, 1000).await;
    member
}

fn slots_of(goods: &str) -> String {
    format!("/api/v1/goods/{goods}/slots")
}

both!(staff_of_the_station_make_times_to_book, async |app| {
    let (shop, member) = (Shop::open(&app).await, rich(&app).await);
    let good = shop.goods_with(&app, &json!({})).await;
    let service = shop.goods_with(&app, &json!({"kind": "service", "duration_minutes": 45})).await;
    let (from, until) = (app.clock.now() + TimeDelta::hours(2), app.clock.now() + TimeDelta::hours(3));
    let slot = json!({"starts_at": from, "ends_at": until, "capacity": 2});
    let body = json!({"slots": [slot]});
    let add =
        async |who: &crate::support::Staff, goods: &str, body: Value| app.by(who).post(&slots_of(goods), body).await;
    let auditor = app.seed().staff(Role::Auditor).await;
    let foreign = app.seed().staff(Role::Clerk).in_region(FOREIGN).await;
    let theirs = app.seed().staff(Role::Clerk).at_station(app.seed().station().await.id).await;
    add(&auditor, &service, body.clone()).await.expect_problem(403, "forbidden");
    add(&foreign, &service, body.clone()).await.expect_problem(404, "not_found");
    add(&theirs, &service, body.clone()).await.expect_problem(404, "not_found");
    app.by(&member).post(&slots_of(&service), body.clone()).await.expect_problem(403, "forbidden");
    add(&shop.clerk, &good, body.clone()).await.expect_problem(409, "not_a_service");
    let (past, late) = (app.clock.now() - TimeDelta::hours(1), app.clock.now() + TimeDelta::days(800));
    for (field, value) in [
        ("starts_at", json!(past)),
        ("starts_at", json!(app.clock.now())),
        ("starts_at", json!(late)),
        ("ends_at", json!(from)),
        ("ends_at", json!(from + TimeDelta::hours(25))),
        ("capacity", json!(0)),
        ("capacity", json!(1001)),
    ] {
        let mut bad = slot.clone();
        bad[field] = value;
        let refused = add(&shop.clerk, &service, json!({"slots": [slot, bad]})).await;
        let refused = refused.expect_problem(422, "validation_failed");
        assert_eq!(refused.at("/errors/0/field"), format!("slots[1].{field}"), "{}", refused.text());
        add(&foreign, &service, json!({"slots": [bad]})).await.expect_problem(404, "not_found");
    }
    let twice = add(&shop.clerk, &service, json!({"slots": [slot, slot]})).await;
    assert_eq!(twice.expect_problem(422, "validation_failed").at("/errors/0/field"), "slots[1].starts_at");
    add(&shop.clerk, &service, json!({})).await.expect_problem(422, "validation_failed");
    let made = add(&shop.clerk, &service, body.clone()).await.expect_status(201);
    assert_eq!((made.at("/items/0/capacity"), made.at("/items/0/taken")), ("2".to_owned(), "0".to_owned()));
    add(&shop.clerk, &service, body).await.expect_problem(409, "slot_exists");
    // From now on it is had by booking only.
    assert_eq!(app.get(&format!("/api/v1/goods/{service}")).await.json()["bookable"], true);
    let refused = reserve(&app, &member, &service, 1).await.expect_problem(422, "validation_failed");
    assert_eq!(
        (refused.at("/errors/0/field"), refused.at("/errors/0/code")),
        ("slot_id".to_owned(), "required".to_owned())
    );
    let minutes = json!({"duration_minutes": 5});
    app.by(&shop.manager)
        .patch(&format!("/api/v1/goods/{good}"), minutes)
        .await
        .expect_problem(422, "validation_failed");
    assert_in_order(&app).await;
});

both!(a_weekly_pattern_is_written_out, async |app| {
    let shop = Shop::open(&app).await;
    let service = shop.goods_with(&app, &json!({"kind": "service"})).await;
    // The clock stands at Saturday the 21st, 10:00.
    let weekly = json!({"weekdays": [6, 7], "from": "08:30", "until": "11:30", "slot_minutes": 60, "capacity": 3,
        "first_on": "2026-11-21", "last_on": "2026-11-28"});
    let path = slots_of(&service);
    let made = app.by(&shop.clerk).post(&path, json!({"weekly": weekly})).key("w").await.expect_status(201);
    // One of this Saturday, three each of Sunday and the next Saturday.
    assert_eq!(made.json()["items"].as_array().unwrap().len(), 1 + 3 + 3);
    assert_eq!(made.at("/items/0/starts_at"), "2026-11-21T02:30:00Z");
    assert!(app.by(&shop.clerk).post(&path, json!({"weekly": weekly})).key("w").await.expect_status(201).is_replayed());
    app.by(&shop.clerk).post(&path, json!({"weekly": weekly})).await.expect_problem(409, "slot_exists");
    for (field, value) in [
        ("weekdays", json!([])),
        ("weekdays", json!([0])),
        ("weekdays", json!([8])),
        ("weekdays", json!([1, 1])),
        ("from", json!("8:30")),
        ("until", json!("09:00")),
        ("slot_minutes", json!(4)),
        ("slot_minutes", json!(1441)),
        ("capacity", json!(0)),
        ("last_on", json!("2026-11-20")),
        ("last_on", json!("2028-11-20")),
        ("last_on", json!("tomorrow")),
    ] {
        let mut bad = weekly.clone();
        bad[field] = value;
        let refused = app.by(&shop.clerk).post(&path, json!({"weekly": bad})).await;
        let refused = refused.expect_problem(422, "validation_failed");
        assert!(
            refused.at("/errors/0/field").contains(field) || field == "until" || field == "last_on",
            "{}",
            refused.text()
        );
    }
    let mut much = weekly.clone();
    (much["weekdays"], much["slot_minutes"], much["last_on"]) = (json!([1, 2, 3, 4, 5]), json!(5), json!("2027-10-01"));
    let refused =
        app.by(&shop.clerk).post(&path, json!({"weekly": much})).await.expect_problem(422, "validation_failed");
    assert_eq!(refused.at("/errors/0/field"), "weekly.last_on");
    let both = json!({"weekly": weekly, "slots": [{"starts_at": at("2026-12-01T00:00:00Z"), "ends_at": at("2026-12-01T01:00:00Z"), "capacity": 1}]});
    app.by(&shop.clerk).post(&path, both).await.expect_problem(422, "validation_failed");
});

both!(everybody_sees_what_is_free, async |app| {
    let (shop, member) = (Shop::open(&app).await, rich(&app).await);
    let (service, first) = shop.service(&app, 5, 1).await;
    let second = shop.slot(&app, &service, 7, 1).await;
    let third = shop.slot(&app, &service, 50, 1).await;
    let path = slots_of(&service);
    let ids = async |query: &str| {
        let list = app.get(&format!("{path}{query}")).await.expect_status(200).json();
        list["items"].as_array().unwrap().iter().map(|slot| slot["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids("").await, [first.clone(), second.clone(), third.clone()]);
    book(&app, &member, &service, &first).await.expect_status(201);
    app.by(&shop.clerk)
        .patch(&format!("/api/v1/goods-slots/{second}"), json!({"status": "closed"}))
        .await
        .expect_status(200);
    assert_eq!(ids("?free=true").await, std::slice::from_ref(&third));
    assert_eq!(ids("?until=2026-11-22T00:00:00Z").await, [first.clone(), second.clone()]);
    assert_eq!(ids("?from=2026-11-22T00:00:00Z").await, std::slice::from_ref(&third));
    let page = app.get(&format!("{path}?limit=2")).await.expect_status(200).json();
    let next = format!("?limit=2&cursor={}", page["next_cursor"].as_str().unwrap());
    assert_eq!(ids(&next).await, std::slice::from_ref(&third));
    app.clock.advance(TimeDelta::hours(6));
    assert_eq!(ids("").await, [second, third]);
    app.get(&format!("{path}?free=maybe")).await.expect_problem(422, "validation_failed");
    app.get(&format!("{path}?from=today")).await.expect_problem(422, "validation_failed");
    app.get(&format!("{path}?cursor=x")).await.expect_problem(422, "validation_failed");
    app.get(&slots_of("x")).await.expect_problem(404, "not_found");
    app.by(&shop.manager).patch(&format!("/api/v1/goods/{service}"), json!({"active": false})).await.expect_status(200);
    app.get(&path).await.expect_problem(404, "not_found");
    app.by(&shop.clerk).get(&path).await.expect_status(200);
});

both!(a_time_is_booked_had_and_given_back, async |app| {
    let (shop, member, other) = (Shop::open(&app).await, rich(&app).await, rich(&app).await);
    let (service, slot) = shop.service(&app, 5, 2).await;
    let booked = book(&app, &member, &service, &slot).await.expect_status(201);
    let start = app.clock.now() + TimeDelta::hours(5);
    assert_eq!(at(&booked.at("/lines/0/slot/starts_at")), start);
    // A day after its end.
    assert_eq!(at(&booked.at("/expires_at")), start + TimeDelta::hours(1) + TimeDelta::days(1));
    assert_eq!((taken(&app, &slot).await, stock(&app, &service).await), (1, json!(0)));
    let two = json!({"goods_id": service, "quantity": 2, "slot_id": slot});
    let full = order(&app, &other, two).await.expect_problem(409, "out_of_stock");
    assert!(full.at("/detail").contains("该时段已约满"));
    let second = book(&app, &other, &service, &slot).await.expect_status(201);
    book(&app, &other, &service, &slot).await.expect_problem(409, "out_of_stock");
    let cancel = format!("/api/v1/redemptions/{}/cancellation", second.id());
    app.by(&other).post(&cancel, json!({})).await.expect_status(200);
    assert_eq!(taken(&app, &slot).await, 1);
    assert_in_order(&app).await;
    // When it has begun, no one books it, and only the station cancels.
    app.clock.advance(TimeDelta::hours(5));
    book(&app, &other, &service, &slot).await.expect_problem(409, "slot_closed");
    let cancel = format!("/api/v1/redemptions/{}/cancellation", booked.id());
    app.by(&member).post(&cancel, json!({})).await.expect_problem(409, "slot_closed");
    let had = fulfil(&app, &shop.clerk, &booked.at("/code")).await.expect_status(200);
    assert_eq!(had.at("/lines/0/slot/id"), slot);
    assert_eq!(taken(&app, &slot).await, 1);
    let refund = format!("/api/v1/redemptions/{}/refund", booked.id());
    app.by(&shop.manager).post(&refund, json!({"reason": "未到场服务"})).key("r").await.expect_status(200);
    assert_eq!(
        (taken(&app, &slot).await, sums(&app, &member).await),
        (0, ["10.00", "0.00", "10.00"].map(str::to_owned))
    );
    assert_in_order(&app).await;
});

both!(who_does_not_come_gets_the_points_back, async |app| {
    let (shop, member) = (Shop::open(&app).await, rich(&app).await);
    let (service, slot) = shop.service(&app, 24 * 20, 1).await;
    book(&app, &member, &service, &slot).await.expect_status(201);
    // Long after goods would have run out.
    app.clock.advance(TimeDelta::days(21) - TimeDelta::seconds(1));
    assert_eq!(run_once(&app.state, "redemption_expiry").await.unwrap(), Some(0));
    app.clock.advance(TimeDelta::hours(1) + TimeDelta::seconds(1));
    assert_eq!(run_once(&app.state, "redemption_expiry").await.unwrap(), Some(1));
    assert_eq!(
        (taken(&app, &slot).await, sums(&app, &member).await),
        (0, ["10.00", "0.00", "10.00"].map(str::to_owned))
    );
    let inbox = app.by(&member).get("/api/v1/me/inbox").await.json();
    assert!(inbox["items"][0]["body"].as_str().unwrap().contains("已过时段"));
    assert_in_order(&app).await;
});

both!(a_booking_is_moved_to_another_time, async |app| {
    let (shop, member, other) = (Shop::open(&app).await, rich(&app).await, rich(&app).await);
    let (service, early) = shop.service(&app, 5, 1).await;
    let (late, full) = (shop.slot(&app, &service, 50, 1).await, shop.slot(&app, &service, 60, 1).await);
    let (elsewhere, strange) = shop.service(&app, 5, 1).await;
    let rice = shop.goods_with(&app, &json!({})).await;
    book(&app, &other, &service, &full).await.expect_status(201);
    let lines = json!([{"goods_id": rice, "quantity": 1}, {"goods_id": service, "quantity": 1, "slot_id": early}]);
    let booked = order(&app, &member, json!({"lines": lines})).await.expect_status(201);
    let path = format!("/api/v1/redemptions/{}/rebooking", booked.id());
    let rebook = async |who: &Member, body: Value| app.by(who).post(&path, body).await;
    rebook(&other, json!({"slot_id": late})).await.expect_problem(404, "not_found");
    app.by(&shop.clerk).post(&path, json!({"slot_id": late})).await.expect_problem(403, "forbidden");
    rebook(&member, json!({"slot_id": full})).await.expect_problem(409, "out_of_stock");
    for (body, field) in [
        (json!({"slot_id": strange}), "slot_id"),
        (json!({"slot_id": early}), "slot_id"),
        (json!({}), "slot_id"),
        (json!({"slot_id": late, "line": 1}), "line"),
        (json!({"slot_id": late, "line": 3}), "line"),
        (json!({"slot_id": late, "line": 21}), "line"),
    ] {
        let refused = rebook(&member, body).await.expect_problem(422, "validation_failed");
        assert_eq!(refused.at("/errors/0/field"), field);
    }
    let moved = rebook(&member, json!({"slot_id": late})).await.expect_status(200);
    assert_eq!((moved.at("/lines/1/slot/id"), moved.at("/status")), (late.clone(), "reserved".to_owned()));
    assert_eq!(at(&moved.at("/expires_at")), app.clock.now() + TimeDelta::hours(51) + TimeDelta::days(1));
    assert_eq!((taken(&app, &early).await, taken(&app, &late).await), (0, 1));
    assert_in_order(&app).await;
    app.by(&shop.clerk)
        .patch(&format!("/api/v1/goods-slots/{early}"), json!({"status": "closed"}))
        .await
        .expect_status(200);
    rebook(&member, json!({"slot_id": early, "line": 2})).await.expect_problem(409, "slot_closed");
    app.clock.advance(TimeDelta::hours(50));
    rebook(&member, json!({"slot_id": full})).await.expect_problem(409, "slot_closed");
    fulfil(&app, &shop.clerk, &booked.at("/code")).await.expect_status(200);
    rebook(&member, json!({"slot_id": full})).await.expect_problem(409, "invalid_transition");
    let _ = elsewhere;
    let plain = reserve(&app, &member, &rice, 1).await.expect_status(201);
    let plain = format!("/api/v1/redemptions/{}/rebooking", plain.id());
    app.by(&member).post(&plain, json!({"slot_id": full})).await.expect_problem(422, "validation_failed");
    assert_in_order(&app).await;
});

both!(a_time_is_closed_over_its_bookings_only_on_purpose, async |app| {
    let (shop, member, other) = (Shop::open(&app).await, rich(&app).await, rich(&app).await);
    let (service, slot) = shop.service(&app, 5, 3).await;
    let rice = shop.goods_with(&app, &json!({})).await;
    let first = book(&app, &member, &service, &slot).await.expect_status(201);
    let lines = json!([{"goods_id": rice, "quantity": 2}, {"goods_id": service, "quantity": 1, "slot_id": slot}]);
    order(&app, &other, json!({"lines": lines})).await.expect_status(201);
    let path = format!("/api/v1/goods-slots/{slot}");
    let change = async |body: Value| app.by(&shop.clerk).patch(&path, body).await;
    let foreign = app.seed().staff(Role::Clerk).in_region(FOREIGN).await;
    app.by(&foreign).patch(&path, json!({"capacity": 5})).await.expect_problem(404, "not_found");
    app.by(&member).patch(&path, json!({"capacity": 5})).await.expect_problem(403, "forbidden");
    change(json!({"capacity": 1})).await.expect_problem(409, "slot_booked");
    change(json!({"capacity": 0})).await.expect_problem(422, "validation_failed");
    change(json!({"status": "full"})).await.expect_problem(422, "validation_failed");
    change(json!({"status": "closed"})).await.expect_problem(409, "slot_booked");
    assert_eq!(change(json!({"capacity": 2})).await.expect_status(200).at("/capacity"), "2");
    // What was had stays had.
    fulfil(&app, &shop.clerk, &first.at("/code")).await.expect_status(200);
    let closed = change(json!({"status": "closed", "cancel_bookings": true})).await.expect_status(200);
    assert_eq!((closed.at("/status"), closed.at("/taken")), ("closed".to_owned(), "1".to_owned()));
    assert_eq!(sums(&app, &other).await, ["10.00", "0.00", "10.00"]);
    assert_eq!(stock(&app, &rice).await, 100);
    let inbox = app.by(&other).get("/api/v1/me/inbox").await.json();
    assert_eq!(inbox["items"][0]["kind"], "redemption.cancelled");
    book(&app, &other, &service, &slot).await.expect_problem(409, "slot_closed");
    change(json!({"status": "open"})).await.expect_status(200);
    book(&app, &other, &service, &slot).await.expect_status(201);
    assert_in_order(&app).await;
});

both!(twenty_race_for_the_last_place_over_two_nodes, async |app| {
    let shop = Shop::open(&app).await;
    let (service, slot) = shop.service(&app, 5, 3).await;
    let mut members = Vec::new();
    for _ in 0..20 {
        members.push(rich(&app).await);
    }
    book(&app, &members[0], &service, &slot).await.expect_status(201);
    book(&app, &members[0], &service, &slot).await.expect_status(201);
    let second = app.second_node().await;
    let calls = members.iter().enumerate().map(|(at, member)| {
        let node = if at % 2 == 0 { &app } else { &second };
        Box::pin(book(node, member, &service, &slot))
    });
    let answers = at_once(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert!(answers.iter().all(|answer| answer.status == 201 || answer.code() == "out_of_stock"));
    assert_eq!(taken(&app, &slot).await, 3);
    assert_in_order(&app).await;
});

both!(closing_and_booking_at_once_leave_no_booking_in_a_closed_time, async |app| {
    let shop = Shop::open(&app).await;
    let second = app.second_node().await;
    let mut members = Vec::new();
    for _ in 0..8 {
        members.push(rich(&app).await);
    }
    for _ in 0..3 {
        let (service, slot) = shop.service(&app, 5, 100).await;
        for member in &members[..4] {
            book(&app, member, &service, &slot).await.expect_status(201);
        }
        let path = format!("/api/v1/goods-slots/{slot}");
        let closing = json!({"status": "closed", "cancel_bookings": true});
        let close = async { app.by(&shop.clerk).patch(&path, closing).await };
        let books = at_once(members.iter().map(|member| Box::pin(book(&second, member, &service, &slot))));
        let (closed, answers) = tokio::join!(close, books);
        assert!(answers.iter().all(|answer| answer.status == 201 || answer.code() == "slot_closed"));
        assert!(closed.status == 200 || closed.code() == "slot_booked", "{}", closed.text());
        let left = taken(&app, &slot).await;
        assert!(closed.status != 200 || left == 0, "{left} in a closed time");
        assert_in_order(&app).await;
    }
});

both!(two_swap_their_times_crosswise, async |app| {
    let shop = Shop::open(&app).await;
    let (one, other) = (rich(&app).await, rich(&app).await);
    let (service, early) = shop.service(&app, 5, 2).await;
    let late = shop.slot(&app, &service, 7, 2).await;
    let first = book(&app, &one, &service, &early).await.expect_status(201).id();
    let second = book(&app, &other, &service, &late).await.expect_status(201).id();
    let node = app.second_node().await;
    let path = |id: &str| format!("/api/v1/redemptions/{id}/rebooking");
    for turn in 0..4 {
        let (there, back) = if turn % 2 == 0 { (&late, &early) } else { (&early, &late) };
        let answers = at_once([
            app.by(&one).post(&path(&first), json!({"slot_id": there})),
            node.by(&other).post(&path(&second), json!({"slot_id": back})),
        ])
        .await;
        assert!(answers.iter().all(|answer| answer.status == 200), "{} {}", answers[0].text(), answers[1].text());
    }
    assert_in_order(&app).await;
});
