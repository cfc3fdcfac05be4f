//! The shelf: who fills it, who sees it, and how its stock moves.

use ::entity::staff::Role;
use serde_json::{Value, json};

use super::{Shop, fulfil, key, reserve, stock};
use crate::points::{assert_in_order, give};
use crate::support::{Answer, FOREIGN, Staff, TestApp, at_once};

async fn move_stock(app: &TestApp, who: &Staff, goods: &str, quantity: i32, reason: &str) -> Answer {
    let path = format!("/api/v1/goods/{goods}/stock-movements");
    app.by(who).post(&path, json!({"quantity": quantity, "reason": reason})).key(&key()).await
}

both!(everybody_sees_what_is_on_the_shelf, async |app| {
    let (shop, other) = (Shop::open(&app).await, Shop::open(&app).await);
    let add = async |shop: &Shop, name: &str| {
        let body = json!({"name": name, "station_id": shop.station.id, "points": "5", "description": "一提十包"});
        app.by(&shop.manager).post("/api/v1/goods", body).await.expect_status(201).id()
    };
    let paper = add(&shop, "抽纸 100%").await;
    add(&shop, "大米_5公斤").await;
    let hidden = add(&other, "Soap 香皂").await;
    let names = async |query: &str| {
        let list = app.get(&format!("/api/v1/goods{query}")).await.expect_status(200).json();
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names("").await, ["抽纸 100%", "大米_5公斤", "Soap 香皂"]);
    assert_eq!(names(&format!("?station={}", shop.station.id)).await, ["抽纸 100%", "大米_5公斤"]);
    assert_eq!(names(&format!("?station={}", other.station.ref_id.as_deref().unwrap())).await, ["Soap 香皂"]);
    assert_eq!(names("?q=%25").await, ["抽纸 100%"]);
    assert_eq!(names("?q=_").await, ["大米_5公斤"]);
    assert_eq!(names("?q=sOAP").await, ["Soap 香皂"]);
    assert_eq!(names("?q=%5C").await, Vec::<String>::new());
    assert_eq!(names("?programme=default&limit=1").await, ["抽纸 100%"]);
    assert_eq!(names("?programme=none&sort=price").await, Vec::<String>::new());
    app.get("/api/v1/goods?limit=0").await.expect_problem(422, "validation_failed");
    let view = app.get(&format!("/api/v1/goods/{paper}")).await.expect_status(200).json();
    assert_eq!((&view["points"], &view["stock"], &view["programme"]), (&json!("5.00"), &json!(0), &json!("default")));
    let path = format!("/api/v1/goods/{hidden}");
    app.by(&other.manager).patch(&path, json!({"active": false})).await.expect_status(200);
    app.get(&path).await.expect_problem(404, "not_found");
    assert_eq!(names("?q=soap").await, Vec::<String>::new());
    app.by(&other.manager).get(&path).await.expect_status(200);
    app.get("/api/v1/goods/x").await.expect_problem(404, "not_found");
});

both!(managers_of_the_subtree_fill_it, async |app| {
    let shop = Shop::open(&app).await;
    let foreign = app.seed().staff(Role::Manager).in_region(FOREIGN).await;
    let member = app.seed().member().await;
    let good = json!({"name": "米", "station_id": shop.station.id, "points": "1.5", "stock": 7, "per_member_limit": 2});
    app.by(&shop.clerk).post("/api/v1/goods", good.clone()).await.expect_problem(403, "forbidden");
    app.by(&member).post("/api/v1/goods", good.clone()).await.expect_problem(403, "forbidden");
    let refused = app.by(&foreign).post("/api/v1/goods", good.clone()).await.expect_problem(422, "validation_failed");
    assert_eq!(refused.at("/errors/0/field"), "station_id");
    for (field, value) in [
        ("points", json!("0")),
        ("points", json!("-1")),
        ("points", json!("1.005")),
        ("points", json!(1)),
        ("stock", json!(-1)),
        ("stock", json!("7")),
        ("stock", json!(10_000_001)),
        ("stock", json!(9_999_999_999_i64)),
        ("per_member_limit", json!(0)),
        ("name", json!("\u{200b}")),
        ("name", json!("a\u{0}b")),
        ("name", json!("长".repeat(101))),
        ("programme", json!("none")),
        ("supplier_unit_id", json!("00000000-0000-7000-8000-000000000000")),
        ("ref", json!("K1")),
        ("id", json!("x")),
    ] {
        let mut body = good.clone();
        body[field] = value;
        let refused = app.by(&shop.manager).post("/api/v1/goods", body).await.expect_problem(422, "validation_failed");
        assert_eq!(refused.at("/errors/0/field"), field, "{}", refused.text());
    }
    let id = app.by(&shop.manager).post("/api/v1/goods", good).await.expect_status(201).id();
    let path = format!("/api/v1/goods/{id}");
    app.by(&foreign).patch(&path, json!({"points": "2"})).await.expect_problem(404, "not_found");
    app.by(&shop.clerk).patch(&path, json!({"points": "2"})).await.expect_problem(403, "forbidden");
    app.by(&shop.manager).patch(&path, json!({"stock": 9})).await.expect_problem(422, "validation_failed");
    let changed =
        app.by(&shop.manager).patch(&path, json!({"points": "2", "per_member_limit": null})).await.expect_status(200);
    assert_eq!((changed.at("/points"), changed.at("/name")), ("2.00".to_owned(), "米".to_owned()));
    assert_eq!(changed.json()["per_member_limit"], Value::Null);
    assert_eq!(changed.json()["stock"], 7);
    assert_in_order(&app).await;
});

both!(stock_moves_by_receipt_loss_and_count, async |app| {
    let (shop, member) = (Shop::open(&app).await, app.seed().member().await);
    let goods = shop.goods(&app, "1", 5, None).await;
    give(&app, &member, 1000).await;
    let received = move_stock(&app, &shop.clerk, &goods, 10, "receipt").await.expect_status(201);
    assert_eq!((received.at("/quantity"), received.at("/stock")), ("10".to_owned(), "15".to_owned()));
    let lost = move_stock(&app, &shop.clerk, &goods, 3, "loss").await.expect_status(201);
    assert_eq!((lost.at("/quantity"), lost.at("/stock")), ("-3".to_owned(), "12".to_owned()));
    move_stock(&app, &shop.clerk, &goods, 13, "loss").await.expect_problem(409, "out_of_stock");
    // Two wait to be picked up and lie on the shelf still; one was handed out.
    let code = reserve(&app, &member, &goods, 1).await.expect_status(201).at("/code");
    fulfil(&app, &shop.clerk, &code).await.expect_status(200);
    reserve(&app, &member, &goods, 2).await.expect_status(201);
    assert_eq!(stock(&app, &goods).await, 9);
    let same = move_stock(&app, &shop.clerk, &goods, 11, "count").await.expect_status(201);
    assert_eq!((same.at("/quantity"), same.at("/stock")), ("0".to_owned(), "9".to_owned()));
    let fewer = move_stock(&app, &shop.clerk, &goods, 4, "count").await.expect_status(201);
    assert_eq!((fewer.at("/quantity"), fewer.at("/stock")), ("-7".to_owned(), "2".to_owned()));
    move_stock(&app, &shop.clerk, &goods, 1, "count").await.expect_problem(409, "out_of_stock");
    for (quantity, reason) in [
        (0, "receipt"),
        (0, "loss"),
        (-1, "receipt"),
        (-1, "loss"),
        (-1, "count"),
        (1, "gift"),
        (1, "initial"),
        (1_000_001, "receipt"),
    ] {
        move_stock(&app, &shop.clerk, &goods, quantity, reason).await.expect_problem(422, "validation_failed");
    }
    let shown = app
        .by(&shop.clerk)
        .get(&format!("/api/v1/goods/{goods}/stock-movements?limit=4"))
        .await
        .expect_status(200)
        .json();
    let reasons: Vec<_> = shown["items"].as_array().unwrap().iter().map(|item| item["reason"].clone()).collect();
    assert_eq!(reasons, ["count", "count", "loss", "receipt"]);
    assert!(shown["next_cursor"].is_string());
    assert_in_order(&app).await;
});

both!(stock_is_moved_by_clerks_of_that_station, async |app| {
    let shop = Shop::open(&app).await;
    let goods = shop.goods(&app, "1", 5, None).await;
    let neighbour = app.seed().station().await;
    let theirs = app.seed().staff(Role::Clerk).at_station(neighbour.id).await;
    let auditor = app.seed().staff(Role::Auditor).await;
    move_stock(&app, &theirs, &goods, 1, "receipt").await.expect_problem(404, "not_found");
    move_stock(&app, &theirs, &goods, 0, "receipt").await.expect_problem(404, "not_found");
    move_stock(&app, &auditor, &goods, 1, "receipt").await.expect_problem(403, "forbidden");
    move_stock(&app, &shop.clerk, "x", 1, "receipt").await.expect_problem(404, "not_found");
    let path = format!("/api/v1/goods/{goods}/stock-movements");
    let body = json!({"quantity": 1, "reason": "receipt"});
    app.by(&shop.clerk).post(&path, body.clone()).await.expect_problem(400, "idempotency_key_required");
    app.by(&theirs).post(&path, body.clone()).await.expect_problem(404, "not_found");
    let answers = at_once((0..10).map(|_| app.by(&shop.clerk).post(&path, body.clone()).key("same"))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201 && !answer.is_replayed()).count(), 1);
    assert_eq!(stock(&app, &goods).await, 6);
    let answers = at_once((0..10).map(|_| Box::pin(move_stock(&app, &shop.clerk, &goods, 1, "loss")))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 6);
    assert_eq!(stock(&app, &goods).await, 0);
    assert_in_order(&app).await;
});
