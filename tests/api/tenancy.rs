//! Who may call what, on whose objects (S-6 to S-9): every operation of the OpenAPI document, by every kind of caller, on
//! one's own object, a neighbour's, the sister community's, another district's, an unknown and an unparsable id.
//!
//! What each line of `tenancy/operations.rs` promises is tried with a body that would be taken and with a spoilt one: a
//! refusal comes before the body is judged, and nothing has changed afterwards. A call that is let through is made with the
//! spoilt body only, and stops at 422: what it does then is the business of its slice's tests.

pub(crate) mod contents;
pub(crate) mod document;
pub(crate) mod operations;
pub(crate) mod partners;
mod shelf;
pub(crate) mod world;

use ::entity::audit::{self, AuditOutcome};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _};
use serde_json::{Value, json};

use crate::support::{Answer, Call};
use contents::Eye;
use document::Described;
use operations::{OPERATIONS, On, Operation, Reach, line};
use world::{Caller, Is, PLACES, Place, World};

/// Ids that nobody has.
const UNKNOWN: &str = "0199a0b0-0000-7000-8000-000000000002";
const UNPARSABLE: [&str; 4] =
    ["x", "0", "00000000-0000-0000-0000-000000000000", "0199a0b0-0000-7000-8000-00000000000g"];
pub(crate) const SPOILT: &str = "nobody_asks_for_this";

both!(every_operation_has_its_line, async |app| {
    let document = document::document(&app).await;
    let described: Vec<String> = document::operations(&document).iter().map(Described::call).collect();
    let without: Vec<_> = described.iter().filter(|call| line(call).is_none()).collect();
    assert!(without.is_empty(), "operations without a line in tests/api/tenancy/operations.rs: {without:#?}");
    let stale: Vec<_> =
        OPERATIONS.iter().map(|line| line.call).filter(|call| !described.contains(&(*call).to_owned())).collect();
    assert!(stale.is_empty(), "lines without an operation: {stale:#?}");
    for operation in document::operations(&document) {
        let line = line(&operation.call()).unwrap();
        assert_eq!(line.who.nobody, operation.is_public(), "{}: does it need a token or not?", line.call);
        assert_eq!(line.body.is_some(), operation.takes_body(), "{}: does it take a body or not?", line.call);
        assert_eq!(line.on != On::Nothing, operation.has_id(), "{}: is there an id in its path or not?", line.call);
    }
});

both!(nobody_reaches_what_is_not_theirs, async |app| {
    let world = World::new(app).await;
    let eye = Eye::open(&world.app.database).await;
    for described in document::operations(&document::document(&world.app).await) {
        let Some(operation) = line(&described.call()) else { continue };
        let before = eye.look().await;
        let mut round = Round { world: &world, described: &described, operation, not_found: None, sent: 0 };
        for caller in &world.callers {
            round.try_all(caller).await;
        }
        let after = eye.look().await;
        assert!(
            after.changed_since(&before).is_empty(),
            "{} changed {:?}",
            operation.call,
            after.changed_since(&before)
        );
    }
});

/// What the table promises a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    Heard,
    Unauthenticated,
    Forbidden,
    /// Seen, but somebody else's to do: 403 or 404.
    Refused,
    NotFound,
}

/// One operation, tried by everybody on everything.
struct Round<'a> {
    world: &'a World,
    described: &'a Described,
    operation: &'static Operation,
    /// The body of the first 404: all of them are the same.
    not_found: Option<Vec<u8>>,
    sent: u32,
}

impl Round<'_> {
    async fn try_all(&mut self, caller: &Caller) {
        let expect = match caller.is {
            Is::Refused if !self.operation.call.contains(" /auth/") || !self.operation.who.nobody => {
                Some(Expect::Unauthenticated)
            }
            Is::Nobody if !self.operation.who.nobody => Some(Expect::Unauthenticated),
            Is::Refused | Is::Nobody => None,
            _ if !self.operation.who.admits(caller) => Some(Expect::Forbidden),
            _ => None,
        };
        let home = self.operation.on.id(self.world.home());
        if let Some(refused) = expect {
            // Whatever the id and the body.
            self.try_one(caller, &home, refused).await;
            return self.try_one(caller, UNKNOWN, refused).await;
        }
        if self.operation.on == On::Nothing {
            return self.try_one(caller, "", Expect::Heard).await;
        }
        for place in PLACES {
            let plot = self.world.plot(place);
            let expect = match self.operation.on.reach(caller, plot) {
                Reach::Through => Expect::Heard,
                Reach::SeenOnly => Expect::Refused,
                Reach::Hidden => Expect::NotFound,
            };
            self.try_one(caller, &self.operation.on.id(plot), expect).await;
        }
        self.try_one(caller, UNKNOWN, Expect::NotFound).await;
        for id in UNPARSABLE {
            self.try_one(caller, id, Expect::NotFound).await;
        }
    }

    async fn try_one(&mut self, caller: &Caller, id: &str, expect: Expect) {
        let body = self.operation.body.map(|body| body(self.world));
        let Some(body) = body else {
            // Without a body there is nothing to spoil: a write that is let through would happen.
            if self.described.is_read() || expect != Expect::Heard {
                let answer = self.call(caller, id).await;
                self.judge(caller, id, expect, &answer);
            }
            return;
        };
        // Who sees the object may hear of a fault in the body before they hear that the step is not theirs.
        if expect != Expect::Refused {
            let mut spoilt = body.clone();
            spoilt[SPOILT] = json!(1);
            let answer = self.call(caller, id).json(spoilt).await;
            self.judge(caller, id, expect, &answer);
        }
        if expect != Expect::Heard {
            let answer = self.call(caller, id).json(body).await;
            self.judge(caller, id, expect, &answer);
        }
    }

    fn call(&mut self, caller: &Caller, id: &str) -> Call {
        self.sent += 1;
        let call = self.world.app.call(&self.described.method, &self.described.address(id));
        // Each from an address of its own: tries are counted.
        let call = call.from(&format!("10.1.{}.{}", self.sent / 250, self.sent % 250 + 1));
        let call = if self.described.is_read() {
            call
        } else {
            call.key(&format!("{}-{}", caller.name.replace(' ', "-"), self.sent))
        };
        match &caller.token {
            Some(token) => call.bearer(token),
            None => call,
        }
    }

    fn judge(&mut self, caller: &Caller, id: &str, expect: Expect, answer: &Answer) {
        let case = format!(
            "{} by {} on {id:?}: expected {expect:?}, got {} {}",
            self.operation.call,
            caller.name,
            answer.status,
            answer.text()
        );
        match expect {
            Expect::Heard if self.described.is_read() => assert_eq!(answer.status, 200, "{case}"),
            Expect::Heard => {
                assert_eq!(answer.status, 422, "{case}");
                let errors = answer.problem()["errors"].clone();
                let only = errors.as_array().is_some_and(|all| all.len() == 1);
                assert!(only && errors[0]["field"] == SPOILT && errors[0]["code"] == "unknown_field", "{case}");
            }
            Expect::Unauthenticated => {
                assert_eq!((answer.status, answer.code().as_str()), (401, "unauthenticated"), "{case}");
            }
            Expect::Forbidden => assert_eq!(answer.status, 403, "{case}"),
            Expect::Refused => assert!(matches!(answer.status, 403 | 404), "{case}"),
            Expect::NotFound => assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"), "{case}"),
        }
        if answer.status == 404 {
            let first = self.not_found.get_or_insert_with(|| answer.body.to_vec());
            assert_eq!(*first, answer.body, "{case}: another 404 was {}", String::from_utf8_lossy(first));
        }
        let heard = expect == Expect::Heard;
        let hidden = if heard { self.world.hidden_from(caller) } else { self.world.canaries() };
        assert_silent(answer, &hidden, &case);
    }
}

pub(crate) fn assert_silent(answer: &Answer, hidden: &[String], case: &str) {
    let text = answer.text();
    for canary in hidden {
        assert!(!text.contains(canary), "{case}: shows {canary}");
    }
}

both!(what_staff_try_elsewhere_leaves_a_trace, async |app| {
    let world = World::new(app).await;
    let db = world.app.database.connect().await;
    let mut without = Vec::new();
    for described in document::operations(&document::document(&world.app).await) {
        let Some((operation, body)) = line(&described.call()).and_then(|line| Some((line, line.body?))) else {
            continue;
        };
        let id = operation.on.id(world.home());
        // Staff see who comes and goes; a code is for members.
        let body = if operation.call.contains("/check-") { json!({}) } else { body(&world) };
        for caller in &world.callers {
            let elsewhere = operation.on != On::Nothing
                && matches!(caller.is, Is::Staff(..))
                && operation.who.admits(caller)
                && operation.on.reach(caller, world.home()) == Reach::Hidden;
            if !elsewhere {
                continue;
            }
            let traces = audit::Entity::find()
                .filter(audit::Column::Outcome.eq(AuditOutcome::Denied))
                .filter(audit::Column::ObjectId.eq(&id));
            let before = traces.clone().count(&db).await.unwrap();
            let call = world.app.call(&described.method, &described.address(&id)).json(body.clone());
            call.bearer(caller.token.as_ref().unwrap()).key("once").await.expect_problem(404, "not_found");
            if traces.count(&db).await.unwrap() != before + 1 {
                without.push(format!("{} by {}", operation.call, caller.name));
            }
        }
    }
    assert!(without.is_empty(), "no trace of {without:#?}");
});

both!(lists_show_nobody_elses_whatever_is_asked_for, async |app| {
    let world = World::new(app).await;
    for described in document::operations(&document::document(&world.app).await) {
        let Some(operation) = line(&described.call()).filter(|_| described.is_read() && !described.has_id()) else {
            continue;
        };
        for caller in world.callers.iter().filter(|caller| operation.who.admits(caller)) {
            let hidden = world.hidden_from(caller);
            let mut queries = vec!["limit=100".to_owned(), "limit=1".to_owned()];
            for name in described.parameters() {
                queries.extend(values_of_others(&world, &name).iter().map(|value| format!("limit=100&{name}={value}")));
            }
            for query in queries {
                let call = world.app.get(&format!("{}?{query}", described.address("")));
                let call = match &caller.token {
                    Some(token) => call.bearer(token),
                    None => call,
                };
                let answer = call.await;
                let case =
                    format!("{}?{query} by {}: {} {}", operation.call, caller.name, answer.status, answer.text());
                assert!(matches!(answer.status, 200 | 403 | 404 | 422), "{case}");
                assert_silent(&answer, &hidden, &case);
                let cursor =
                    answer.json()["next_cursor"].as_str().map(|cursor| URL_SAFE_NO_PAD.decode(cursor).unwrap());
                let cursor = String::from_utf8(cursor.unwrap_or_default()).unwrap();
                let told = hidden.iter().find(|canary| cursor.contains(*canary));
                assert!(told.is_none(), "{case}: its cursor {cursor} tells {told:?}");
            }
        }
    }
});

/// What a parameter of this name could be pointed at.
fn values_of_others(world: &World, name: &str) -> Vec<String> {
    let each = |of: fn(&world::Plot) -> String| PLACES.iter().map(|place| of(world.plot(*place))).collect();
    match name {
        "region" | "parent" => {
            vec!["130303".to_owned(), "130300".to_owned(), world.plot(Place::Foreign).region.to_owned()]
        }
        "member" => PLACES
            .iter()
            .flat_map(|place| [world.plot(*place).resident.id, world.plot(*place).volunteer.id])
            .map(|id| id.to_string())
            .collect(),
        "station" => each(|plot| plot.station.to_string()),
        "household" => each(|plot| plot.household.to_string()),
        "kind" => ["donation_goods", "event"].map(str::to_owned).to_vec(),
        "task" => each(|plot| plot.task.to_string()),
        "listing" => each(|plot| plot.listing.to_string()),
        "ref" => each(|plot| plot.resident.ref_id.clone()),
        "mine" => vec!["false".to_owned()],
        "q" => vec!["%E9%87%91%E4%B8%9D%E9%9B%80".to_owned()], // 金丝雀
        "status" => ["reserved", "accepted", "claimed", "pending", "open"].map(str::to_owned).to_vec(),
        "capacity" => ["resident", "volunteer", "party_member"].map(str::to_owned).to_vec(),
        "board" => ["members", "units", "communities"].map(str::to_owned).to_vec(),
        _ => Vec::new(),
    }
}

/// Bodies that would be taken but for an id in them, which is somebody else's.
fn bodies_with_ids_of_others(world: &World, place: Place) -> Vec<(&'static str, &'static str, Value)> {
    let plot = world.plot(place);
    let changed = |call: &str, field: &str, value: Value| {
        let mut body = line(call).unwrap().body.unwrap()(world);
        body[field] = value;
        body
    };
    let listing_of = |field: &str, value: Value| {
        let mut body = changed("POST /listings", field, value);
        for owner in ["unit_id", "station_id", "member_id"].into_iter().filter(|owner| *owner != field) {
            body.as_object_mut().unwrap().remove(owner);
        }
        body
    };
    let mut wish = changed("POST /wishes", "requester_id", json!(plot.resident.id));
    wish.as_object_mut().unwrap().remove("region_code");
    vec![
        ("POST /service-records", "manager", changed("POST /service-records", "member_id", json!(plot.resident.id))),
        (
            "POST /points/adjustments",
            "manager",
            changed("POST /points/adjustments", "member_id", json!(plot.resident.id)),
        ),
        ("POST /households", "manager", changed("POST /households", "region_code", json!(plot.region))),
        ("POST /households", "manager", changed("POST /households", "member_ids", json!([plot.resident.id]))),
        ("POST /households", "volunteer", changed("POST /households", "member_ids", json!([plot.resident.id]))),
        ("POST /merits", "manager", changed("POST /merits", "member_id", json!(plot.resident.id))),
        ("POST /merits", "resident", changed("POST /merits", "member_id", json!(plot.resident.id))),
        ("POST /merits", "manager", changed("POST /merits", "photo_ids", json!([plot.photo]))),
        ("POST /merits/household-scores", "manager", {
            let mut body = changed("POST /merits/household-scores", "category", json!("civility"));
            body["scores"][0]["household_id"] = json!(plot.household);
            body
        }),
        ("POST /merits/approvals", "manager", changed("POST /merits/approvals", "merit_ids", json!([plot.merit]))),
        ("POST /points/grants", "manager", changed("POST /points/grants", "region_code", json!(plot.region))),
        ("POST /points/grants", "manager", changed("POST /points/grants", "member_ids", json!([plot.resident.id]))),
        ("POST /assignments", "manager", changed("POST /assignments", "region_code", json!(plot.region))),
        ("POST /stations", "manager", changed("POST /stations", "region_code", json!(plot.region))),
        ("POST /goods", "manager", changed("POST /goods", "station_id", json!(plot.station))),
        ("POST /points/rules", "manager", changed("POST /points/rules", "region_code", json!(plot.region))),
        ("POST /redemptions/fulfilments", "clerk of the station", json!({"code": plot.pick_up_code})),
        (
            "POST /counter-redemptions",
            "clerk of the station",
            changed("POST /counter-redemptions", "goods_id", json!(plot.goods)),
        ),
        ("POST /wishes", "manager", wish.clone()),
        ("POST /wishes", "resident", wish),
        ("POST /wishes", "manager", {
            let mut body = changed("POST /wishes", "requester_id", json!(world.bystander.id));
            body["region_code"] = json!(plot.region);
            body
        }),
        ("POST /wishes", "resident", changed("POST /wishes", "region_code", json!(plot.region))),
        ("POST /listings", "manager", listing_of("member_id", json!(plot.resident.id))),
        ("POST /listings", "manager", listing_of("station_id", json!(plot.station))),
        ("POST /listings", "manager", listing_of("region_code", json!(plot.region))),
        ("POST /listings", "resident", listing_of("member_id", json!(plot.resident.id))),
        ("POST /list-projects", "manager", changed("POST /list-projects", "listing_ids", json!([plot.listing]))),
        ("POST /list-projects", "manager", changed("POST /list-projects", "region_code", json!(plot.region))),
    ]
}

both!(ids_of_others_in_bodies_are_ids_of_nobody, async |app| {
    let world = World::new(app).await;
    let eye = Eye::open(&world.app.database).await;
    let known: Vec<String> =
        document::operations(&document::document(&world.app).await).iter().map(Described::call).collect();
    let before = eye.look().await;
    for (number, (call, caller, body)) in bodies_with_ids_of_others(&world, Place::Foreign).into_iter().enumerate() {
        if !known.contains(&call.to_owned()) {
            continue;
        }
        let path = call.split_once(' ').unwrap().1;
        let who = world.caller(caller);
        let answer = world
            .app
            .post(&format!("/api/v1{path}"), body.clone())
            .bearer(who.token.as_ref().unwrap())
            .key(&number.to_string())
            .await;
        let case = format!("{call} by {caller} with {body}: {} {}", answer.status, answer.text());
        assert!(matches!(answer.status, 403 | 404 | 422), "{case}");
        assert_silent(&answer, &world.canaries(), &case);
        let after = eye.look().await;
        assert!(after.changed_since(&before).is_empty(), "{case} changed {:?}", after.changed_since(&before));
    }
});
