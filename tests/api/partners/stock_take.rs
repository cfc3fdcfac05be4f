//! A shelf is counted: differences, reservations that lie there, and who may.

use ::entity::staff::Role;
use serde_json::{Value, json};

use super::{counted, field, movements, post};
use crate::points::{assert_in_order, give};
use crate::redemption::{Shop, fulfil, key, reserve, stock};
use crate::support::{FOREIGN, TestApp, at_once};

fn path(shop: &Shop) -> String {
    format!("/stations/{}/stock-takes", shop.station.id)
}

async fn cost(app: &TestApp, shop: &Shop, goods: &str, fen: i64) {
    let changed = app.by(&shop.manager).patch(&format!("/api/v1/goods/{goods}"), json!({"cost": fen})).await;
    changed.expect_status(200);
}

both!(differences_become_movements_and_reserved_pieces_lie_there, async |app| {
    let (shop, member) = (Shop::open(&app).await, app.seed().member().await);
    give(&app, &member, 10_000).await;
    let (rice, soap, oil) = (
        shop.goods(&app, "1", 10, None).await,
        shop.goods(&app, "1", 5, None).await,
        shop.goods(&app, "1", 7, None).await,
    );
    cost(&app, &shop, &rice, 1250).await;
    reserve(&app, &member, &rice, 3).await.expect_status(201);
    let code = reserve(&app, &member, &rice, 1).await.expect_status(201).at("/code");
    fulfil(&app, &shop.clerk, &code).await.expect_status(200);
    // Ten came, one was handed out, three wait: nine lie there.
    assert_eq!(stock(&app, &rice).await, 6);
    let lines = json!([counted(&rice, 7), counted(&soap, 6), counted(&oil, 7)]);
    let short = post(&app, &shop.clerk, &path(&shop), json!({"lines": lines})).await;
    assert_eq!(field(&short), ["note", "required"]);
    assert_eq!(stock(&app, &soap).await, 5);
    let body = json!({"note": "两袋受潮", "lines": lines});
    let taken = post(&app, &shop.clerk, &path(&shop), body).await.expect_status(201);
    let view = taken.json();
    let line = |goods: &str| view["lines"].as_array().unwrap().iter().find(|line| line["goods_id"] == goods).unwrap();
    let numbers = |goods: &str| {
        ["expected", "reserved", "counted", "difference", "stock"].map(|name| line(goods)[name].as_i64().unwrap())
    };
    assert_eq!(numbers(&rice), [9, 3, 7, -2, 4]);
    assert_eq!(numbers(&soap), [5, 0, 6, 1, 6]);
    assert_eq!(numbers(&oil), [7, 0, 7, 0, 7]);
    assert_eq!((line(&rice)["value"].clone(), line(&oil)["movement_id"].clone()), (json!("-25.00"), Value::Null));
    assert_eq!((view["short"].clone(), view["over"].clone()), (json!(2), json!(1)));
    assert_eq!([stock(&app, &rice).await, stock(&app, &soap).await, stock(&app, &oil).await], [4, 6, 7]);
    assert_eq!(movements(&app, &shop.clerk, &rice).await, [("count".to_owned(), -2), ("initial".to_owned(), 10)]);
    assert_eq!(movements(&app, &shop.clerk, &oil).await, [("initial".to_owned(), 7)]);
    let list = app.by(&shop.clerk).get(&format!("/api/v1{}", path(&shop))).await.expect_status(200);
    assert_eq!((list.at("/items/0/goods"), list.at("/items/0/short")), ("3".to_owned(), "2".to_owned()));
    let shown = app.by(&shop.clerk).get(&format!("/api/v1/stock-takes/{}", taken.id())).await.expect_status(200);
    assert_eq!(shown.json(), view);
    assert_in_order(&app).await;
});

both!(fewer_than_wait_to_be_picked_up_are_refused_and_named, async |app| {
    let (shop, member) = (Shop::open(&app).await, app.seed().member().await);
    give(&app, &member, 10_000).await;
    let (soap, rice) = (shop.goods(&app, "1", 5, None).await, shop.goods(&app, "1", 10, None).await);
    reserve(&app, &member, &rice, 4).await.expect_status(201);
    let lines = json!([counted(&soap, 1), counted(&rice, 3)]);
    let refused = post(&app, &shop.clerk, &path(&shop), json!({"note": "少了", "lines": lines})).await;
    let refused = refused.expect_problem(409, "stock_reserved");
    assert!(refused.at("/detail").contains("抽纸一提"), "{}", refused.text());
    // None of it happened.
    assert_eq!([stock(&app, &soap).await, stock(&app, &rice).await], [5, 6]);
    let all = json!({"note": "少了", "lines": [counted(&rice, 4)]});
    post(&app, &shop.clerk, &path(&shop), all).await.expect_status(201);
    assert_eq!(stock(&app, &rice).await, 0);
    assert_in_order(&app).await;
});

both!(what_cannot_be_counted_is_named, async |app| {
    let (shop, other) = (Shop::open(&app).await, Shop::open(&app).await);
    let (rice, theirs) = (shop.goods(&app, "1", 5, None).await, other.goods(&app, "1", 5, None).await);
    let service = json!({"name": "理发", "station_id": shop.station.id, "points": "1", "stock": 5, "kind": "service"});
    let service = app.by(&shop.manager).post("/api/v1/goods", service).await.expect_status(201).id();
    let unknown = "0199a0b0-0000-7000-8000-000000000001";
    for (lines, refused, code) in [
        (json!([]), "lines", "out_of_range"),
        (json!([counted(&rice, 5), counted(&theirs, 5)]), "lines[1].goods_id", "invalid"),
        (json!([counted(unknown, 5)]), "lines[0].goods_id", "invalid"),
        (json!([counted(&rice, 5), counted(&rice, 5)]), "lines[1].goods_id", "invalid"),
        (json!([counted(&service, 5)]), "lines[0].goods_id", "invalid"),
        (json!([counted(&rice, -1)]), "lines[0].counted", "out_of_range"),
        (json!([counted(&rice, 10_000_001)]), "lines[0].counted", "out_of_range"),
    ] {
        let answer = post(&app, &shop.clerk, &path(&shop), json!({"note": "x", "lines": lines})).await;
        assert_eq!(field(&answer)[0], refused, "{}", answer.text());
        if refused != "lines" {
            assert_eq!(field(&answer)[1], code);
        }
    }
    let good = json!({"lines": [counted(&rice, 5)]});
    let call = |who: &crate::support::Staff| app.by(who).post(&format!("/api/v1{}", path(&shop)), good.clone());
    call(&shop.clerk).await.expect_problem(400, "idempotency_key_required");
    let foreign = app.seed().staff(Role::Manager).in_region(FOREIGN).await;
    let auditor = app.seed().staff(Role::Auditor).await;
    for staff in [&other.clerk, &foreign] {
        call(staff).key(&key()).await.expect_problem(404, "not_found");
    }
    call(&auditor).key(&key()).await.expect_problem(403, "forbidden");
    let id = call(&shop.clerk).key("same").await.expect_status(201).id();
    assert!(call(&shop.clerk).key("same").await.expect_status(201).is_replayed());
    let one = format!("/api/v1/stock-takes/{id}");
    app.by(&other.clerk).get(&one).await.expect_problem(404, "not_found");
    app.by(&foreign).get(&one).await.expect_problem(404, "not_found");
    app.by(&auditor).get(&one).await.expect_status(200);
    assert_in_order(&app).await;
});

both!(a_difference_journal_is_saved_without_formulas, async |app| {
    let shop = Shop::open(&app).await;
    let body = json!({"name": "=HYPERLINK(\"x\")", "station_id": shop.station.id, "points": "1", "stock": 5});
    let goods = app.by(&shop.manager).post("/api/v1/goods", body).await.expect_status(201).id();
    let taken = post(&app, &shop.clerk, &path(&shop), json!({"note": "少一件", "lines": [counted(&goods, 4)]})).await;
    let one = format!("/api/v1/stock-takes/{}", taken.expect_status(201).id());
    let csv = app.by(&shop.clerk).get(&format!("{one}?format=csv")).await.expect_status(200);
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    let line = csv.text().lines().nth(1).unwrap().to_owned();
    assert!(line.contains("\"'=HYPERLINK(\"\"x\"\")\""), "{line}");
    let xlsx = app.by(&shop.clerk).get(&format!("{one}?format=xlsx")).await.expect_status(200);
    assert!(xlsx.body.starts_with(b"PK"));
    app.by(&shop.clerk).get(&format!("{one}?format=pdf")).await.expect_problem(422, "validation_failed");
});

both!(counting_while_members_reserve_never_sells_what_is_not_there, async |app| {
    let shop = Shop::open(&app).await;
    let goods = shop.goods(&app, "1", 8, None).await;
    let second = app.second_node().await;
    let mut members = Vec::new();
    for _ in 0..10 {
        let member = app.seed().member().await;
        give(&app, &member, 100).await;
        members.push(member);
    }
    let body = json!({"note": "盘点", "lines": [counted(&goods, 6)]});
    let mut calls: Vec<std::pin::Pin<Box<dyn Future<Output = crate::support::Answer>>>> = Vec::new();
    for (index, member) in members.iter().enumerate() {
        let node = if index % 2 == 0 { &app } else { &second };
        calls.push(Box::pin(reserve(node, member, &goods, 1)));
        if index % 4 == 0 {
            let (path, body, clerk) = (path(&shop), body.clone(), &shop.clerk);
            calls.push(Box::pin(async move { post(node, clerk, &path, body).await }));
        }
    }
    let answers = at_once(calls).await;
    assert!(answers.iter().all(|answer| matches!(answer.status, 201 | 409)), "{answers:?}");
    assert_in_order(&app).await;
});
