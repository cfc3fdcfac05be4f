//! Gift vouchers: lists come in, each code is given once, comes back as void, and ends.

use ::entity::audit;
use ::entity::staff::Role;
use chrono::TimeDelta;
use linli::identity::member_code;
use linli::jobs::run_once;
use rust_xlsxwriter::Workbook;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::{Value, json};

use super::settlement::supplier;
use super::{field, movements, post, second_shop};
use crate::points::{assert_in_order, give, sums};
use crate::redemption::{Shop, key, reserve, stock};
use crate::support::{Answer, Member, Staff, TestApp, at_once};

const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// Goods that are vouchers, without codes.
pub(super) async fn vouchers(app: &TestApp, shop: &Shop, more: Value) -> String {
    let mut body = json!({"name": "超市券", "station_id": shop.station.id, "points": "10", "kind": "voucher"});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    app.by(&shop.manager).post("/api/v1/goods", body).await.expect_status(201).id()
}

pub(super) async fn import(app: &TestApp, who: &Staff, goods: &str, codes: Value) -> Answer {
    post(app, who, &format!("/goods/{goods}/vouchers"), json!({"codes": codes})).await
}

async fn codes_of(app: &TestApp, member: &Member, redemption: &str) -> Vec<String> {
    let view = app.by(member).get(&format!("/api/v1/redemptions/{redemption}")).await.expect_status(200).json();
    view["vouchers"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap().to_owned()).collect()
}

async fn refund(app: &TestApp, shop: &Shop, redemption: &str, body: Value) -> Answer {
    post(app, &shop.manager, &format!("/redemptions/{redemption}/refund"), body).await
}

both!(a_list_is_taken_in_and_each_fault_told_by_its_place, async |app| {
    let shop = Shop::open(&app).await;
    let goods = vouchers(&app, &shop, json!({})).await;
    let list =
        json!(["AB-1234-5678", "ＡＢ－１２３４－５６７８", " K9 ", "二维码", "A B", "AB-1234-5678", "ab-1234-5678"]);
    let done = import(&app, &shop.clerk, &goods, list.clone()).await.expect_status(201).json();
    assert_eq!((done["accepted"].clone(), done["stock"].clone()), (json!(3), json!(3)));
    let at = |index: usize, of: &str| json!({"index": index, "line": null, "of": of});
    assert_eq!(done["duplicates"], json!([at(1, "list"), at(5, "list")]));
    let bad = |index: usize| json!({"index": index, "line": null, "reason": "invalid"});
    assert_eq!(done["bad"], json!([bad(3), bad(4)]));
    assert_eq!(movements(&app, &shop.clerk, &goods).await, [("receipt".to_owned(), 3)]);
    let again = import(&app, &shop.clerk, &goods, list).await.expect_status(201).json();
    assert_eq!((again["accepted"].clone(), again["stock"].clone()), (json!(0), json!(3)));
    assert_eq!(again["duplicates"][0], at(0, "known"));
    assert_eq!(stock(&app, &goods).await, 3);
    let shown = app.by(&shop.clerk).get(&format!("/api/v1/goods/{goods}/vouchers?status=free")).await;
    let shown = shown.expect_status(200);
    assert!(!shown.text().contains("1234-5678") && shown.text().contains("****5678"), "{}", shown.text());
    assert_in_order(&app).await;
});

both!(who_may_import_and_what_is_no_list, async |app| {
    let (shop, other) = (Shop::open(&app).await, second_shop(&app).await);
    let (goods, rice) = (vouchers(&app, &shop, json!({})).await, shop.goods(&app, "1", 5, None).await);
    let auditor = app.seed().staff(Role::Auditor).await;
    let member = app.seed().member().await;
    import(&app, &shop.clerk, &rice, json!(["A1"])).await.expect_problem(409, "no_vouchers");
    import(&app, &other.clerk, &goods, json!(["A1"])).await.expect_problem(404, "not_found");
    import(&app, &auditor, &goods, json!(["A1"])).await.expect_problem(403, "forbidden");
    let path = format!("/api/v1/goods/{goods}/vouchers");
    app.by(&member).post(&path, json!({"codes": ["A1"]})).key("k").await.expect_problem(403, "forbidden");
    app.by(&shop.clerk).post(&path, json!({"codes": ["A1"]})).await.expect_problem(400, "idempotency_key_required");
    app.by(&member).get(&path).await.expect_problem(403, "forbidden");
    app.by(&other.clerk).get(&path).await.expect_problem(404, "not_found");
    for (codes, refused) in [
        (json!([]), "codes"),
        (json!(["A1", ""]), "codes[1]"),
        (json!(["A1", "x".repeat(65)]), "codes[1]"),
        (json!(["a\u{202e}b"]), "codes[0]"),
        (json!([7]), "codes[0]"),
        (json!(vec!["A"; 5001]), "codes"),
    ] {
        let answer = import(&app, &shop.clerk, &goods, codes).await;
        assert_eq!(field(&answer)[0], refused, "{}", answer.text());
    }
    for day in ["2026-02-30", "1999-12-31", "3000-01-01", "20261231"] {
        let answer = app.by(&shop.clerk).post(&path, json!({"codes": ["A1"], "expires_on": day})).key(&key()).await;
        assert_eq!(field(&answer)[0], "expires_on", "{day}");
    }
    let over = json!({"codes": ["A1"], "expires_on": app.state.calendar.day_of(app.clock.now()).pred_opt().unwrap()});
    let answer = app.by(&shop.clerk).post(&path, over).key(&key()).await.expect_status(201);
    assert_eq!((answer.at("/accepted"), answer.at("/bad/0/reason")), ("0".to_owned(), "expired".to_owned()));
    // Codes are no pieces: they come by lists only.
    let path = format!("/goods/{goods}/stock-movements");
    let received = post(&app, &shop.clerk, &path, json!({"quantity": 5, "reason": "receipt"})).await;
    received.expect_problem(409, "codes_only");
    let stocked = json!({"name": "券", "station_id": shop.station.id, "points": "1", "kind": "voucher", "stock": 5});
    let refused = app.by(&shop.manager).post("/api/v1/goods", stocked).await;
    assert_eq!(field(&refused)[0], "stock");
    assert_eq!(stock(&app, &goods).await, 0);
    assert_in_order(&app).await;
});

both!(the_largest_list_is_taken_in_at_once_and_shared_by_a_supplier_s_goods, async |app| {
    let shop = Shop::open(&app).await;
    let supplier = supplier(&app, "惠民超市").await;
    let (goods, more) = (
        vouchers(&app, &shop, json!({"supplier_unit_id": supplier})).await,
        vouchers(&app, &shop, json!({"supplier_unit_id": supplier})).await,
    );
    let codes: Vec<String> = (0..5_000).map(|number| format!("{number:064}")).collect();
    let second = app.second_node().await;
    let nodes = [(&app, &goods), (&second, &more)];
    let answers = at_once(nodes.map(|(node, goods)| Box::pin(import(node, &shop.clerk, goods, json!(codes))))).await;
    let accepted: Vec<i64> =
        answers.iter().map(|answer| answer.clone().expect_status(201).json()["accepted"].as_i64().unwrap()).collect();
    assert_eq!(accepted.iter().sum::<i64>(), 5_000, "{accepted:?}");
    assert_in_order(&app).await;
});

both!(files_are_read_with_wrong_bytes_and_dates, async |app| {
    let shop = Shop::open(&app).await;
    let goods = vouchers(&app, &shop, json!({})).await;
    let path = format!("/api/v1/goods/{goods}/voucher-files");
    let send = |kind: &str, body: Vec<u8>| app.call("POST", &path).bearer(&shop.clerk.token).raw(kind, body);
    let mut csv = "券码,有效期\nＡ１,2099-12-31\n'=B2,\n".as_bytes().to_vec();
    csv.extend(b"C\xff3,\n");
    csv.extend("D4,2099-02-30\nA1,2099-12-31\nE5,2020-01-01\n".as_bytes());
    let done = send("text/csv", csv.clone()).await.expect_status(201).json();
    assert_eq!(done["accepted"], 2);
    let bad: Vec<_> =
        done["bad"].as_array().unwrap().iter().map(|bad| (bad["line"].clone(), bad["reason"].clone())).collect();
    assert_eq!(bad, [(json!(4), json!("bad_encoding")), (json!(5), json!("bad_date")), (json!(7), json!("expired"))]);
    assert_eq!(done["duplicates"], json!([{"index": 4, "line": 6, "of": "list"}]));
    assert_eq!(send("text/csv", csv).await.expect_status(201).json()["accepted"], 0);
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for (row, cells) in [["名称", "卡号"], ["米", "X-77"], ["油", "X-78"]].iter().enumerate() {
        for (column, cell) in cells.iter().enumerate() {
            sheet.write_string(u32::try_from(row).unwrap(), u16::try_from(column).unwrap(), *cell).unwrap();
        }
    }
    let done = send(XLSX, book.save_to_buffer().unwrap()).await.expect_status(201).json();
    assert_eq!((done["accepted"].clone(), done["stock"].clone()), (json!(2), json!(4)));
    for (kind, body, code) in [
        ("text/csv", Vec::new(), "required"),
        (XLSX, b"PK\x03\x04x".to_vec(), "invalid"),
        ("text/csv", "A\n".repeat(5_001).into_bytes(), "too_long"),
    ] {
        assert_eq!(field(&send(kind, body).await), ["file", code]);
    }
    send("application/json", b"{}".to_vec()).await.expect_problem(415, "unsupported_media_type");
    assert_in_order(&app).await;
});

both!(who_redeems_a_voucher_has_its_code_at_once, async |app| {
    let (shop, member, other) = (Shop::open(&app).await, app.seed().member().await, app.seed().member().await);
    give(&app, &member, 10_000).await;
    let goods = vouchers(&app, &shop, json!({})).await;
    let path = format!("/goods/{goods}/vouchers");
    post(&app, &shop.clerk, &path, json!({"codes": ["LATE-0001"]})).await.expect_status(201);
    post(&app, &shop.clerk, &path, json!({"codes": ["SOON-0002"], "expires_on": "2099-12-31"}))
        .await
        .expect_status(201);
    let body = json!({"goods_id": goods, "quantity": 1});
    let redeemed = app.by(&member).post("/api/v1/redemptions", body.clone()).key("k").await.expect_status(201);
    assert_eq!(
        (redeemed.at("/status"), redeemed.at("/vouchers/0/code")),
        ("fulfilled".to_owned(), "SOON-0002".to_owned())
    );
    assert_eq!(redeemed.at("/vouchers/0/expires_on"), "2099-12-31");
    assert_eq!(redeemed.json()["code"], Value::Null);
    let again = app.by(&member).post("/api/v1/redemptions", body).key("k").await.expect_status(201);
    assert!(again.is_replayed());
    assert_eq!(again.body, redeemed.body);
    assert_eq!(sums(&app, &member).await, ["90.00", "0.00", "90.00"]);
    assert_eq!(stock(&app, &goods).await, 1);
    let one = format!("/api/v1/redemptions/{}", redeemed.id());
    assert_eq!(codes_of(&app, &member, &redeemed.id()).await, ["SOON-0002"]);
    app.by(&other).get(&one).await.expect_problem(404, "not_found");
    assert_eq!(app.by(&shop.clerk).get(&one).await.expect_status(200).at("/vouchers/0/code"), "****0002");
    let cancel = format!("{one}/cancellation");
    app.by(&member).post(&cancel, json!({})).await.expect_problem(409, "invalid_transition");
    // Opened for a reason, which is kept.
    let neighbour = second_shop(&app).await;
    let open = format!("{one}/voucher-disclosure");
    app.by(&shop.clerk).post(&open, json!({})).await.expect_problem(422, "validation_failed");
    app.by(&neighbour.clerk).post(&open, json!({"reason": "x"})).await.expect_problem(404, "not_found");
    app.by(&member).post(&open, json!({"reason": "x"})).await.expect_problem(403, "forbidden");
    let opened = app.by(&shop.clerk).post(&open, json!({"reason": "老人没有手机"})).await.expect_status(200);
    assert_eq!(opened.at("/vouchers/0/code"), "SOON-0002");
    let trail = audit::Entity::find().filter(audit::Column::Action.eq("voucher.disclose"));
    let trail = trail.all(app.state.db.read()).await.unwrap();
    assert!(trail.iter().any(|row| row.detail.as_ref().is_some_and(|detail| detail["reason"] == "老人没有手机")));
    // At rest nobody reads it.
    let rows = ::entity::voucher::Entity::find().all(app.state.db.read()).await.unwrap();
    assert!(rows.iter().all(|row| !row.code_sealed.windows(4).any(|bytes| bytes == b"SOON" || bytes == b"LATE")));
    assert_in_order(&app).await;
});

both!(a_counter_sale_gives_codes_to_the_member_and_not_to_the_clerk, async |app| {
    let (shop, member) = (Shop::open(&app).await, app.seed().member().await);
    give(&app, &member, 10_000).await;
    let goods = vouchers(&app, &shop, json!({})).await;
    import(&app, &shop.clerk, &goods, json!(["CODE-0001", "CODE-0002", "CODE-0003"])).await.expect_status(201);
    let code = member_code::issue(&app.state.keys, member.id, app.clock.now()).code;
    let body = json!({"member_code": code, "goods_id": goods, "quantity": 2});
    let sold = app.by(&shop.clerk).post("/api/v1/counter-redemptions", body).key("k").await.expect_status(201);
    assert!(!sold.text().contains("CODE-"), "{}", sold.text());
    assert_eq!(
        (sold.at("/vouchers/0/code"), sold.json()["vouchers"].as_array().unwrap().len()),
        ("****0001".to_owned(), 2)
    );
    assert_eq!(codes_of(&app, &member, &sold.id()).await, ["CODE-0001", "CODE-0002"]);
    let export = app.by(&member).get("/api/v1/me/export").await.expect_status(200);
    assert!(export.text().contains("CODE-0001") && !export.text().contains("CODE-0003"));
    assert_in_order(&app).await;
});

both!(vouchers_are_redeemed_apart_from_what_is_fetched, async |app| {
    let (shop, member) = (Shop::open(&app).await, app.seed().member().await);
    give(&app, &member, 10_000).await;
    let (goods, more, rice) = (
        vouchers(&app, &shop, json!({})).await,
        vouchers(&app, &shop, json!({})).await,
        shop.goods(&app, "1", 5, None).await,
    );
    import(&app, &shop.clerk, &goods, json!(["A-0001", "A-0002"])).await.expect_status(201);
    import(&app, &shop.clerk, &more, json!(["B-0001"])).await.expect_status(201);
    let lines = |goods: &[(&str, i32)]| {
        let lines: Vec<Value> =
            goods.iter().map(|(goods, quantity)| json!({"goods_id": goods, "quantity": quantity})).collect();
        json!({"lines": lines})
    };
    let mixed = app.by(&member).post("/api/v1/redemptions", lines(&[(&rice, 1), (&goods, 1)])).key(&key()).await;
    assert_eq!(field(&mixed)[0], "lines[1].goods_id", "{}", mixed.text());
    let both = app.by(&member).post("/api/v1/redemptions", lines(&[(&goods, 2), (&more, 1)])).key(&key()).await;
    let id = both.expect_status(201).id();
    let mut codes = codes_of(&app, &member, &id).await;
    codes.sort();
    assert_eq!(codes, ["A-0001", "A-0002", "B-0001"]);
    assert_eq!([stock(&app, &goods).await, stock(&app, &more).await, stock(&app, &rice).await], [0, 0, 5]);
    assert_in_order(&app).await;
});

both!(the_last_codes_go_to_one_each, async |app| {
    let shop = Shop::open(&app).await;
    let goods = vouchers(&app, &shop, json!({})).await;
    import(&app, &shop.clerk, &goods, json!(["L-0001", "L-0002", "L-0003"])).await.expect_status(201);
    let second = app.second_node().await;
    let mut members = Vec::new();
    for _ in 0..20 {
        let member = app.seed().member().await;
        give(&app, &member, 1000).await;
        members.push(member);
    }
    let nodes = [&app, &second];
    let calls = members.iter().enumerate().map(|(at, member)| Box::pin(reserve(nodes[at % 2], member, &goods, 1)));
    let answers = at_once(calls).await;
    let given: std::collections::BTreeSet<String> =
        answers.iter().filter(|answer| answer.status == 201).map(|answer| answer.at("/vouchers/0/code")).collect();
    assert_eq!(given.into_iter().collect::<Vec<_>>(), ["L-0001", "L-0002", "L-0003"]);
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 3);
    assert!(answers.iter().all(|answer| answer.status == 201 || answer.code() == "out_of_stock"));
    assert_eq!(stock(&app, &goods).await, 0);
    assert_in_order(&app).await;
});

both!(an_ended_code_is_never_given_and_leaves_the_shelf, async |app| {
    let (shop, member) = (Shop::open(&app).await, app.seed().member().await);
    give(&app, &member, 10_000).await;
    let goods = vouchers(&app, &shop, json!({})).await;
    let today = app.state.calendar.day_of(app.clock.now());
    let body = json!({"codes": ["E-0001", "E-0002"], "expires_on": today});
    post(&app, &shop.clerk, &format!("/goods/{goods}/vouchers"), body).await.expect_status(201);
    reserve(&app, &member, &goods, 1).await.expect_status(201);
    app.clock.advance(TimeDelta::days(1));
    reserve(&app, &member, &goods, 1).await.expect_problem(409, "out_of_stock");
    assert_eq!(stock(&app, &goods).await, 1);
    let second = app.second_node().await;
    let runs = [&app, &second].map(|node| Box::pin(run_once(&node.state, "voucher_expiry")));
    for run in at_once(runs).await {
        run.unwrap();
    }
    assert_eq!(run_once(&app.state, "voucher_expiry").await.unwrap(), Some(0));
    assert_eq!(stock(&app, &goods).await, 0);
    assert_eq!(movements(&app, &shop.clerk, &goods).await, [("loss".to_owned(), -1), ("receipt".to_owned(), 2)]);
    assert_eq!(sums(&app, &member).await, ["90.00", "0.00", "90.00"]);
    assert_in_order(&app).await;
});

both!(a_code_that_comes_back_is_void_unless_staff_say_otherwise, async |app| {
    let (shop, member) = (Shop::open(&app).await, app.seed().member().await);
    give(&app, &member, 10_000).await;
    let goods = vouchers(&app, &shop, json!({})).await;
    import(&app, &shop.clerk, &goods, json!(["R-0001", "R-0002"])).await.expect_status(201);
    let first = reserve(&app, &member, &goods, 1).await.expect_status(201);
    let path = format!("/api/v1/redemptions/{}/refund", first.id());
    app.by(&shop.clerk).post(&path, json!({"reason": "退"})).key("k").await.expect_problem(403, "forbidden");
    refund(&app, &shop, &first.id(), json!({"reason": "商户停业"})).await.expect_status(200);
    assert_eq!(stock(&app, &goods).await, 1);
    assert_eq!(codes_of(&app, &member, &first.id()).await, Vec::<String>::new());
    assert_eq!(sums(&app, &member).await, ["100.00", "0.00", "100.00"]);
    assert_in_order(&app).await;
    let second = reserve(&app, &member, &goods, 1).await.expect_status(201);
    assert_eq!(second.at("/vouchers/0/code"), "R-0002");
    refund(&app, &shop, &second.id(), json!({"reason": "误操作", "reissue": true})).await.expect_status(200);
    assert_eq!(stock(&app, &goods).await, 1);
    let third = reserve(&app, &member, &goods, 1).await.expect_status(201);
    assert_eq!(third.at("/vouchers/0/code"), "R-0002");
    reserve(&app, &member, &goods, 1).await.expect_problem(409, "out_of_stock");
    let void = app.by(&shop.clerk).get(&format!("/api/v1/goods/{goods}/vouchers?status=void")).await;
    assert_eq!(void.expect_status(200).json()["items"].as_array().unwrap().len(), 1);
    // Three refunds at once void it once.
    let third = third.id();
    let answers = at_once((0..3).map(|_| Box::pin(refund(&app, &shop, &third, json!({"reason": "退"}))))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(stock(&app, &goods).await, 0);
    assert_in_order(&app).await;
});
