//! The order of checks, and bodies that mean no good (S-13, S-14, S-25).

use serde_json::{Value, json};

use super::bench::{Bench, KNOWN};
use crate::support::Answer;

const UNKNOWN: &str = "0199a0b0-0000-7000-8000-000000000002";

fn path(id: &str) -> String {
    format!("/bench/wishes/{id}")
}

fn faults(answer: &Answer) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let problem = answer.problem();
    problem["errors"].as_array().unwrap().iter().map(|error| (text(&error["field"]), text(&error["code"]))).collect()
}

both!(checks_come_in_the_contracts_order, async |app| {
    let bench = Bench::new(&app, 1).await;
    let bad = json!({"title": 7});
    let huge = vec![b'x'; 70_000];
    // Each call has every later fault too.
    bench
        .anonymous("PATCH", &path(UNKNOWN))
        .raw("text/plain", huge.clone())
        .await
        .expect_problem(401, "unauthenticated");
    let member = || bench.anonymous("PATCH", &path(UNKNOWN)).header("X-Member", "7");
    member().raw("application/json", huge).await.expect_problem(413, "payload_too_large");
    member().raw("text/plain", "{").await.expect_problem(415, "unsupported_media_type");
    member().raw("application/json", "{").await.expect_problem(400, "malformed_body");
    member().json(bad.clone()).await.expect_problem(403, "forbidden");
    for id in [UNKNOWN, "x", "%00", "..", "0"] {
        bench.call("PATCH", &path(id)).json(bad.clone()).await.expect_problem(404, "not_found");
    }
    bench.call("PATCH", &path(KNOWN)).json(bad.clone()).await.expect_problem(400, "idempotency_key_required");
    bench.call("PATCH", &path(KNOWN)).key("k").json(bad).await.expect_problem(422, "validation_failed");
    bench.call("PATCH", &path(KNOWN)).key("k").json(json!({"title": "好"})).await.expect_status(200);
});

both!(the_401_names_the_scheme, async |app| {
    let bench = Bench::new(&app, 1).await;
    let answer = bench.anonymous("GET", "/bench/forms").await.expect_problem(401, "unauthenticated");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
});

both!(bodies_that_are_no_json, async |app| {
    let bench = Bench::new(&app, 1).await;
    let deep = [b"[".repeat(10_000), b"]".repeat(10_000)].concat();
    let deep_object = [b"{\"a\":".repeat(5_000), b"1".to_vec(), b"}".repeat(5_000)].concat();
    let malformed: Vec<&[u8]> = vec![
        b"{",
        b"nul",
        b"{\"title\":\"\\ud800\"}",
        b"{\"title\":\"\\udfff x\"}",
        b"{\"title\":\"\xff\"}",
        b"{\"title\":NaN}",
        b"{\"title\":1,\"title\":2}",
        b"{\"title\":\"x\"}{}",
        b"\xef\xbb\xbf{}",
        b"title=x",
        b" ",
        b"{\"title\":\"a\x00b\"}",
        &deep,
        &deep_object,
    ];
    for body in malformed {
        for path in ["/bench/forms", "/bench/open"] {
            bench.call("POST", path).raw("application/json", body.to_vec()).await.expect_problem(400, "malformed_body");
        }
    }
    for body in ["[]", "\"x\"", "1", "null", "true"] {
        let answer = bench.call("POST", "/bench/forms").raw("application/json", body).await;
        assert_eq!(
            faults(&answer.expect_problem(422, "validation_failed")),
            [(String::new(), "wrong_type".to_owned())]
        );
    }
});

both!(content_types, async |app| {
    let bench = Bench::new(&app, 1).await;
    let send = |kind: &str| bench.call("POST", "/bench/forms").raw(kind, r#"{"title":"x"}"#);
    for kind in ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=\"UTF-8\""] {
        send(kind).await.expect_status(201);
    }
    for kind in [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=gbk",
        "application/jsonp",
        "multipart/form-data",
    ] {
        send(kind).await.expect_problem(415, "unsupported_media_type");
    }
    send("application/json").header("Content-Encoding", "gzip").await.expect_problem(415, "unsupported_media_type");
    // Nothing is an empty object, whatever it is called.
    bench.call("DELETE", &path(KNOWN)).await.expect_status(204);
    bench.call("DELETE", &path(KNOWN)).raw("text/plain", "").await.expect_status(204);
});

both!(a_body_is_never_read_beyond_its_limit, async |app| {
    let bench = Bench::new(&app, 1).await;
    let text = |size: usize| format!("{{\"title\":\"{}\"}}", "x".repeat(size));
    bench
        .call("POST", "/bench/forms")
        .raw("application/json", text(10 * 1024 * 1024))
        .await
        .expect_problem(413, "payload_too_large");
    bench
        .call("POST", "/bench/forms")
        .raw("application/json", text(64 * 1024))
        .await
        .expect_problem(413, "payload_too_large");
    let within = bench.call("POST", "/bench/forms").raw("application/json", text(60 * 1024)).await;
    assert_eq!(faults(&within), [("title".to_owned(), "too_long".to_owned())]);
});

both!(hostile_values_are_refused_by_field_and_code, async |app| {
    let bench = Bench::new(&app, 1).await;
    let table = [
        ("amount", json!("-1"), "invalid"),
        ("amount", json!("+5"), "invalid"),
        ("amount", json!("1e2"), "invalid"),
        ("amount", json!("-0"), "invalid"),
        ("amount", json!("12.505"), "invalid"),
        ("amount", json!("٣"), "invalid"),
        ("amount", json!("１２"), "invalid"),
        ("amount", json!("NaN"), "invalid"),
        ("amount", json!("Infinity"), "invalid"),
        ("amount", json!("0"), "out_of_range"),
        ("amount", json!("9223372036854775807"), "out_of_range"),
        ("amount", json!(5), "wrong_type"),
        ("amount", json!(1e308), "wrong_type"),
        ("amount", json!(true), "wrong_type"),
        ("quantity", json!("5"), "wrong_type"),
        ("quantity", json!(1.5), "wrong_type"),
        ("quantity", json!(0), "out_of_range"),
        ("quantity", json!(-1), "out_of_range"),
        ("quantity", json!(i64::MAX), "out_of_range"),
        ("quantity", json!(1e308), "wrong_type"),
        ("quantity", json!([1]), "wrong_type"),
        ("quantity", json!({"a": 1}), "wrong_type"),
        ("title", json!("a\u{202e}b"), "invalid"),
        ("title", json!("a\u{200b}b"), "invalid"),
        ("title", json!("a\u{0}b"), "invalid"),
        ("title", json!("a\nb"), "invalid"),
        ("title", json!("\u{3000}\u{a0} "), "required"),
        ("title", json!(7), "wrong_type"),
        ("title", json!("长".repeat(21)), "too_long"),
        ("title", json!("e\u{301}".repeat(21)), "too_long"),
        ("body", json!("e".to_owned() + &"\u{301}".repeat(100)), "invalid"),
        ("body", json!("\u{301}".repeat(10_000)), "too_long"),
        ("phone", json!("１３８００００００００１"), "invalid"),
        ("phone", json!("+8613800000001"), "invalid"),
        ("phone", json!(13_800_000_001_u64), "wrong_type"),
        ("at", json!("2026-11-21"), "invalid"),
        ("at", json!("+10000-01-01T00:00:00Z"), "invalid"),
        ("at", json!(0), "wrong_type"),
        ("raw", json!("a\u{0}b"), "invalid"),
        ("role", json!("admin"), "unknown_field"),
        ("status", json!(null), "unknown_field"),
    ];
    for (field, value, code) in table {
        let mut body = json!({"title": "好"});
        body[field] = value.clone();
        let answer = bench.call("POST", "/bench/forms").json(body).await.expect_problem(422, "validation_failed");
        assert_eq!(faults(&answer), [(field.to_owned(), code.to_owned())], "{field} = {value}");
    }
    let number = bench.call("POST", "/bench/forms").raw("application/json", r#"{"title":"x","quantity":1e999}"#).await;
    assert_eq!(faults(&number), [("quantity".to_owned(), "out_of_range".to_owned())]);
    let text = bench
        .call("POST", "/bench/forms")
        .json(json!({"title": " e\u{301} ", "body": "一\r\n二", "amount": "1.5"}))
        .await;
    assert_eq!(
        text.json(),
        json!({"title": "é", "body": "一\n二", "amount": "1.50", "quantity": null, "at": null, "raw": null})
    );
});

both!(all_faults_are_told_and_no_value, async |app| {
    let bench = Bench::new(&app, 1).await;
    let body = json!({"phone": "canary-1", "quantity": 5000, "amount": "canary-2", "extra": "canary-3"});
    let answer = bench.call("POST", "/bench/open").json(body).await.expect_problem(422, "validation_failed");
    let mut fields: Vec<_> = faults(&answer).into_iter().map(|(field, _)| field).collect();
    fields.sort();
    assert_eq!(fields, ["amount", "extra", "phone", "quantity", "title"]);
    assert!(!answer.text().contains("canary"), "{}", answer.text());
});

both!(pages_and_forged_cursors, async |app| {
    let bench = Bench::new(&app, 1).await;
    let get = |query: &str| bench.call("GET", &format!("/bench/forms?{query}"));
    let first = get("limit=30&unknown=1").await.expect_status(200);
    assert_eq!(first.json()["items"].as_array().unwrap().len(), 30);
    let rest = get(&format!("limit=30&cursor={}", first.at("/next_cursor"))).await.expect_status(200).json();
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next_cursor"]), (20, &Value::Null));
    for (query, field, code) in [
        ("limit=0", "limit", "out_of_range"),
        ("limit=101", "limit", "out_of_range"),
        ("limit=-1", "limit", "out_of_range"),
        ("limit=%D9%A3", "limit", "wrong_type"),
        ("limit=1.5", "limit", "wrong_type"),
        ("limit=", "limit", "wrong_type"),
        ("cursor=x", "cursor", "invalid"),
        ("cursor=", "cursor", "invalid"),
        ("cursor=Ii0tIg", "cursor", "invalid"),
        ("cursor=%00", "cursor", "invalid"),
    ] {
        let answer = get(query).await.expect_problem(422, "validation_failed");
        assert_eq!(faults(&answer), [(field.to_owned(), code.to_owned())], "{query}");
    }
    let many = "a=%00&".repeat(10_000);
    get(&many).await.expect_status(422);
});
