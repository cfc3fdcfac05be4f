//! Bodies and queries that mean no good (S-9, S-13, S-14, S-17, S-25), for every operation of the OpenAPI document.
//!
//! Each body is the good one of the operation's line in `tenancy/operations.rs` with one thing spoilt, sent by somebody who
//! may: it is refused by name, never with a 5xx, and nothing has changed afterwards.

mod fields;
mod values;

use std::sync::Arc;

use actix_web::web::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::{LocalBoxFuture, ready};
use linli::notify::wechat::{WechatClient, WechatError, WechatPhone};
use serde_json::{Value, json};

use crate::support::{Answer, Call, TestApp};
use crate::tenancy::contents::Eye;
use crate::tenancy::document::{self, Described};
use crate::tenancy::operations::{Operation, Reach, line};
use crate::tenancy::world::{Caller, World};
use crate::tenancy::{SPOILT, assert_silent};
use fields::{Field, Kind, fields};
use values::{PARAMETERS, bad_values};

/// Passwords and codes are compared, not judged: a strange one is a wrong one.
const COMPARED: [&str; 7] = ["code", "password", "username", "totp", "refresh_token", "member_code", "to_member_code"];
/// Columns of tables, which no body may set unless its schema says so (S-9).
const COLUMNS: [&str; 22] = [
    "id",
    "role",
    "points",
    "status",
    "region_code",
    "member_id",
    "community_id",
    "staff_id",
    "station_id",
    "stock",
    "balance",
    "held",
    "is_volunteer",
    "is_party_member",
    "verified_by",
    "verified_at",
    "counted_at",
    "priority",
    "created_at",
    "disabled_at",
    "password_hash",
    "taken",
];

/// Knows nobody.
struct NoWechat;

impl WechatClient for NoWechat {
    fn openid<'a>(&'a self, _: &'a str) -> LocalBoxFuture<'a, Result<String, WechatError>> {
        ready(Err(WechatError::CodeRefused)).boxed_local()
    }

    fn phone<'a>(&'a self, _: &'a str) -> LocalBoxFuture<'a, Result<WechatPhone, WechatError>> {
        ready(Err(WechatError::CodeRefused)).boxed_local()
    }
}

/// An operation that takes a body, and somebody who may call it.
struct Target<'a> {
    world: &'a World,
    described: Described,
    operation: &'static Operation,
    caller: &'a Caller,
    good: Value,
    fields: Vec<Field>,
    sent: std::cell::Cell<u32>,
}

async fn world(app: TestApp) -> World {
    let mut state = app.state.clone();
    state.wechat = Arc::new(NoWechat);
    World::new(TestApp::over(state, app.database.clone()).await).await
}

/// Whoever is heard on the object at home.
fn somebody<'a>(world: &'a World, operation: &Operation) -> &'a Caller {
    let heard =
        |caller: &&Caller| operation.who.admits(caller) && operation.on.reach(caller, world.home()) == Reach::Through;
    world.callers.iter().find(heard).unwrap_or_else(|| panic!("who calls {}?", operation.call))
}

fn targets<'a>(world: &'a World, document: &Value) -> Vec<Target<'a>> {
    let known = document::operations(document).into_iter().filter_map(|described| {
        let operation = line(&described.call())?;
        let good = operation.body?(world);
        let fields = fields(document, &described.description);
        let caller = somebody(world, operation);
        Some(Target { world, described, operation, caller, good, fields, sent: 0.into() })
    });
    known.collect()
}

impl Target<'_> {
    fn call(&self) -> Call {
        self.sent.set(self.sent.get() + 1);
        let (high, low) = (self.sent.get() / 250, self.sent.get() % 250 + 1);
        let address = self.described.address(&self.operation.on.id(self.world.home()));
        // Each from an address of its own: tries are counted.
        let call = self.world.app.call(&self.described.method, &address).from(&format!("10.2.{high}.{low}"));
        let call = call.key(&format!("k{}", self.sent.get()));
        match &self.caller.token {
            Some(token) => call.bearer(token),
            None => call,
        }
    }

    async fn try_fields(&self) {
        for field in &self.fields {
            for (value, codes) in bad_values(field) {
                let answer = self.call().json(field.set(&self.good, value.clone())).await;
                self.judge(field, &value, codes, &answer);
            }
            if field.kind == Kind::Object {
                self.try_unknown(field).await;
            }
        }
    }

    fn judge(&self, field: &Field, value: &Value, codes: &[&str], answer: &Answer) {
        let shown: String = value.to_string().chars().take(60).collect();
        let name = field.name();
        let case = format!("{}: {name} = {shown}: {} {}", self.operation.call, answer.status, answer.text());
        if COMPARED.contains(&field.last_key()) && value.is_string() {
            assert!((400..500).contains(&answer.status), "{case}");
            answer.problem();
            return;
        }
        assert_eq!((answer.status, answer.code().as_str()), (422, "validation_failed"), "{case}");
        let problem = answer.problem();
        let told = problem["errors"].as_array().unwrap();
        let named = |error: &Value| {
            let code = error["code"].as_str().unwrap_or_default();
            // An item may be told by its list.
            let found = error["field"].as_str().unwrap_or_default();
            (found == name || (name.starts_with(found) && name.ends_with("[0]"))) && codes.contains(&code)
        };
        assert!(told.iter().any(named), "{case}: not told as {codes:?}");
    }

    /// All column names at once, each of which must be told.
    async fn try_unknown(&self, object: &Field) {
        let prefix = if object.name().is_empty() { String::new() } else { format!("{}.", object.name()) };
        let strange: Vec<&str> =
            COLUMNS.into_iter().chain([SPOILT]).filter(|name| !object.known.contains(&(*name).to_owned())).collect();
        let mut value =
            self.good.pointer(&pointer(object)).filter(|value| value.is_object()).cloned().unwrap_or(json!({}));
        for name in &strange {
            value[*name] = json!("admin");
        }
        let answer = self.call().json(object.set(&self.good, value)).await.expect_problem(422, "validation_failed");
        let problem = answer.problem();
        for name in strange {
            let told = json!({"field": format!("{prefix}{name}"), "code": "unknown_field"});
            let found = problem["errors"].as_array().unwrap().iter();
            assert!(
                found.into_iter().any(|error| error["field"] == told["field"] && error["code"] == told["code"]),
                "{}: {prefix}{name} is not told: {problem}",
                self.operation.call
            );
        }
    }

    /// What is no JSON, or too much of it.
    async fn try_raw(&self, huge: &Bytes, deep: &Bytes) {
        let json = "application/json";
        let text = self.fields.iter().find(|field| matches!(field.kind, Kind::Text | Kind::Form | Kind::Word));
        let lone = |surrogate: &str| match text {
            Some(field) => field.set(&self.good, json!("MARK")).to_string().replace("MARK", surrogate),
            None => format!("{{\"x\":\"{surrogate}\"}}"),
        };
        for body in [
            lone("\\ud800"),
            lone("\\udc00x"),
            lone("a\u{0}b"),
            "{".to_owned(),
            "{\"a\":NaN}".to_owned(),
            "{\"a\":1,\"a\":2}".to_owned(),
            format!("{}{}", self.good, self.good),
            format!("\u{feff}{}", self.good),
        ] {
            self.call().raw(json, body).await.expect_problem(400, "malformed_body");
        }
        self.call().raw(json, deep.clone()).await.expect_problem(400, "malformed_body");
        self.call().raw(json, huge.clone()).await.expect_problem(413, "payload_too_large");
        for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""] {
            self.call().raw(kind, self.good.to_string()).await.expect_problem(415, "unsupported_media_type");
        }
        let zipped = self.call().raw(json, self.good.to_string()).header("Content-Encoding", "gzip");
        zipped.await.expect_problem(415, "unsupported_media_type");
        for body in ["[]", "null", "\"x\"", "7"] {
            self.call().raw(json, body).await.expect_problem(422, "validation_failed");
        }
    }
}

/// Where an object stands in a body, as a JSON pointer.
fn pointer(object: &Field) -> String {
    let name = object.name();
    if name.is_empty() { name } else { format!("/{}", name.replace("[0]", "/0").replace('.', "/")) }
}

both!(each_field_refuses_what_it_does_not_take, async |app| {
    let world = world(app).await;
    let eye = Eye::open(&world.app.database).await;
    let document = document::document(&world.app).await;
    let mut sent = 0;
    for target in targets(&world, &document) {
        let before = eye.look().await;
        target.try_fields().await;
        sent += target.sent.get();
        let after = eye.look().await;
        assert!(
            after.changed_since(&before).is_empty(),
            "{} changed {:?}",
            target.operation.call,
            after.changed_since(&before)
        );
    }
    assert!(sent > 2_000, "{sent} bodies");
});

both!(what_is_no_body_is_not_read, async |app| {
    let world = world(app).await;
    let eye = Eye::open(&world.app.database).await;
    let before = eye.look().await;
    let document = document::document(&world.app).await;
    let huge = Bytes::from(format!("{{\"title\":\"{}\"}}", "x".repeat(10 * 1024 * 1024)));
    let deep = Bytes::from([b"{\"a\":".repeat(5_000), b"[".repeat(5_000)].concat());
    for target in targets(&world, &document) {
        target.try_raw(&huge, &deep).await;
    }
    let after = eye.look().await;
    assert!(after.changed_since(&before).is_empty(), "changed {:?}", after.changed_since(&before));
});

// In every body that has one; hours from now.
both!(windows_that_cannot_be_are_refused, async |app| {
    let world = world(app).await;
    let eye = Eye::open(&world.app.database).await;
    let before = eye.look().await;
    let document = document::document(&world.app).await;
    let mut tried = 0;
    for target in targets(&world, &document) {
        for (begin, end) in [("from", "until"), ("started_at", "ended_at"), ("valid_from", "valid_until")] {
            let instant =
                |name: &str| target.fields.iter().find(|field| field.kind == Kind::Instant && field.last_key() == name);
            let (Some(begins), Some(ends)) = (instant(begin), instant(end)) else { continue };
            let mut spans = vec![(26, 24), (24, 24), (-24, -26), (-24, -24)];
            let tries_the_past = target.operation.call == "POST /points/rules/trial";
            let stays_long = target.operation.call.contains("/listings");
            match begin {
                // What is tried on records lies in the past, in four hundred days at most.
                "from" if tries_the_past => spans.extend([(-10_000, -399), (-24, 9_577)]),
                _ if tries_the_past => {}
                // Which open tasks are planned: those to come, over days or weeks.
                "from" if target.operation.call == "POST /assignments" => spans.extend([(-4, -2)]),
                // What stands on a list holds for three years at most.
                "from" if stays_long => spans.extend([(-4, -2), (24, 24 * 1_098)]),
                // Work to come: at most a day, and not over.
                "from" => spans.extend([(-4, -2), (24, 49)]),
                // Work that is done: over, and not longer than a day takes.
                "started_at" => spans.extend([(-2, 1), (24, 26), (-50, -20), (-10_000, -9_998)]),
                // Rules to come.
                _ => spans.extend([(-2, 24)]),
            }
            for (from, until) in spans {
                let body = begins.set(&target.good, world.hours(from));
                let body = ends.set(&body, world.hours(until));
                let answer = target.call().json(body).await;
                let case = format!(
                    "{} from {from} h until {until} h: {} {}",
                    target.operation.call,
                    answer.status,
                    answer.text()
                );
                assert_eq!(answer.status, 422, "{case}");
                tried += 1;
            }
        }
    }
    assert!(tried > 20, "{tried} windows");
    let after = eye.look().await;
    assert!(after.changed_since(&before).is_empty(), "changed {:?}", after.changed_since(&before));
});

both!(queries_find_what_they_say_and_nothing_more, async |app| {
    let world = world(app).await;
    let eye = Eye::open(&world.app.database).await;
    let before = eye.look().await;
    let document = document::document(&world.app).await;
    for described in document::operations(&document).into_iter().filter(Described::is_read) {
        let Some(operation) = line(&described.call()) else { continue };
        let caller = somebody(&world, operation);
        let address = described.address(&operation.on.id(world.home()));
        let hidden = world.hidden_from(caller);
        let many = "a=%00&".repeat(1_000);
        let mut queries = vec![
            many,
            "limit=1&limit=2".to_owned(),
            "%".to_owned(),
            "&&=&".to_owned(),
            "sort=name;--&order=1".to_owned(),
        ];
        for name in described.parameters() {
            queries.extend(PARAMETERS.iter().map(|value| format!("{name}={value}")));
            queries.extend([format!("{name}[]=1"), format!("{name}[a]=1"), format!("{name}={}", "x".repeat(5_000))]);
        }
        for query in queries {
            let call = world.app.get(&format!("{address}?{query}"));
            let call = match &caller.token {
                Some(token) => call.bearer(token),
                None => call,
            };
            let answer = call.await;
            let shown: String = query.chars().take(80).collect();
            let case = format!("{}?{shown}: {} {}", operation.call, answer.status, answer.text());
            assert!(matches!(answer.status, 200 | 422), "{case}");
            if answer.status == 422 {
                answer.problem();
            } else if ["q=%25", "q=_", "q=%5C", "q=%25%5F%5C"].contains(&query.as_str()) {
                assert_eq!(answer.json()["items"], json!([]), "{case}: the sign itself is looked for");
            }
            assert_silent(&answer, &hidden, &case);
        }
    }
    let after = eye.look().await;
    assert!(after.changed_since(&before).is_empty(), "changed {:?}", after.changed_since(&before));
});
