//! Gifts between members, and what an account's cap moves on.

use ::entity::account::{self, AccountKind};
use ::entity::id::JournalId;
use ::entity::journal::JournalKind;
use ::entity::programme::{self, Expiry};
use ::entity::staff::Role;
use ::entity::{entry, member};
use chrono::{DateTime, Days, NaiveDate, TimeDelta};
use linli::audit::Actor;
use linli::identity::member_code;
use linli::jobs::run_once;
use linli::points::{self, OnEmpty, PointsError, Reversing, Source};
use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, QueryFilter as _, Set};
use serde_json::{Value, json};

use super::{Draft, assert_in_order, give, standing, sums};
use crate::support::{Answer, COMMUNITY, FOREIGN, Member, SISTER, STREET, TestApp, at_once};

/// Changes the programme `default`.
pub(super) async fn rule(app: &TestApp, change: programme::ActiveModel) {
    let row = programme::ActiveModel { code: Set("default".to_owned()), ..change };
    app.state.db.write(async move |txn| row.clone().update(txn).await).await.unwrap();
}

/// Lets members give, with these caps in hundredths.
pub(super) async fn allow(app: &TestApp, day: Option<i64>, receiver: Option<i64>) {
    let change = programme::ActiveModel {
        gifts_allowed: Set(true),
        gift_cap_day: Set(day),
        gift_cap_receiver: Set(receiver),
        ..Default::default()
    };
    rule(app, change).await;
}

pub(super) async fn cap(app: &TestApp, hundredths: Option<i64>) {
    rule(app, programme::ActiveModel { account_cap: Set(hundredths), ..Default::default() }).await;
}

fn body(to: &Member, amount: &str) -> Value {
    json!({"to_member_id": to.id, "programme": "default", "amount": amount})
}

async fn send(app: &TestApp, from: &Member, to: &Member, amount: &str) -> Answer {
    let key = JournalId::new().to_string();
    app.by(from).post("/api/v1/points/gifts", body(to, amount)).key(&key).await
}

async fn reverse(app: &TestApp, who: &crate::support::Staff, gift: &str) -> Answer {
    let key = JournalId::new().to_string();
    app.by(who).post(&format!("/api/v1/points/gifts/{gift}/reversal"), json!({"reason": "误操作"})).key(&key).await
}

fn in_days(app: &TestApp, days: u64) -> NaiveDate {
    app.state.calendar.day_of(app.clock.now()) + Days::new(days)
}

async fn issue(app: &TestApp, draft: &Draft) -> Result<(), PointsError> {
    let draft = draft.clone();
    let command =
        async move |txn: &linli::db::Txn| points::issue(txn, &draft.posting(), OnEmpty::Refuse).await.map(drop);
    app.state.db.write(command).await
}

async fn take_back(app: &TestApp, draft: &Draft) -> Result<points::Points, PointsError> {
    let (now, today, id) = (app.clock.now(), in_days(app, 0), draft.source_id);
    let journal_id = JournalId::new();
    let command = async move |txn: &linli::db::Txn| {
        let reversing = Reversing {
            journal_id,
            original: Source { kind: "test", id },
            source: Source { kind: "test_reversal", id },
            reason: Some("测试"),
            actor: Actor::System,
            now,
            today,
        };
        points::reverse(txn, &reversing).await
    };
    app.state.db.write(command).await
}

/// What stands in the donated account of the community, in hundredths.
async fn donated(app: &TestApp) -> i64 {
    let db = app.database.connect().await;
    let books = account::Entity::find().filter(account::Column::Kind.eq(AccountKind::Donated)).all(&db).await.unwrap();
    let lines = entry::Entity::find().filter(entry::Column::AccountId.is_in(books.iter().map(|row| row.id)));
    lines.all(&db).await.unwrap().iter().map(|line| line.amount).sum()
}

both!(a_gift_keeps_its_dates_and_honours_stay, async |app| {
    allow(&app, None, None).await;
    let (giver, receiver) = (app.seed().member().await, app.seed().member().await);
    let (soon, later) = (in_days(&app, 5), in_days(&app, 50));
    Draft::new(&app, JournalKind::Earn, &giver, 300).expiring(later).post(&app).await.unwrap();
    Draft::new(&app, JournalKind::Earn, &giver, 200).expiring(soon).post(&app).await.unwrap();
    give(&app, &giver, 400).await;
    let mut wanted = body(&receiver, "6.50");
    wanted["message"] = json!("谢谢你的帮助");
    let gift = app.by(&giver).post("/api/v1/points/gifts", wanted.clone()).key("k").await.expect_status(201);
    assert_eq!(gift.at("/amount"), "6.50");
    assert_eq!(gift.at("/to").chars().count(), 2);
    let again = app.by(&giver).post("/api/v1/points/gifts", wanted).key("k").await.expect_status(201);
    assert!(again.is_replayed());
    assert_eq!(sums(&app, &giver).await[0], "2.50");
    let seen = standing(&app, &receiver).await;
    assert_eq!((&seen["balance"], &seen["earned"]), (&json!("6.50"), &json!("0.00")));
    let dates = json!([{"on": soon, "amount": "2.00"}, {"on": later, "amount": "3.00"}]);
    assert_eq!(seen["expiring"], dates);
    assert_eq!(standing(&app, &giver).await["earned"], "5.00");
    let entries = app.by(&receiver).get("/api/v1/me/points/entries").await.json();
    assert_eq!((&entries["items"][0]["kind"], &entries["items"][0]["amount"]), (&json!("gift"), &json!("6.50")));
    assert_eq!(entries["items"][0]["source_id"], gift.at("/id"));
    let entries = app.by(&giver).get("/api/v1/me/points/entries").await.json();
    assert_eq!(
        (&entries["items"][0]["amount"], &entries["items"][0]["balance_after"]),
        (&json!("-6.50"), &json!("2.50"))
    );
    for (who, query, count) in [
        (&giver, "", 1),
        (&giver, "?direction=given", 1),
        (&giver, "?direction=received", 0),
        (&receiver, "?direction=received", 1),
        (&receiver, "?direction=given", 0),
    ] {
        let listed = app.by(who).get(&format!("/api/v1/me/points/gifts{query}")).await.expect_status(200).json();
        assert_eq!(listed["items"].as_array().unwrap().len(), count, "{query}");
    }
    let listed = app.by(&receiver).get("/api/v1/me/points/gifts").await.json();
    assert_eq!(
        (&listed["items"][0]["direction"], &listed["items"][0]["message"]),
        (&json!("received"), &json!("谢谢你的帮助"))
    );
    assert_eq!(app.by(&receiver).get("/api/v1/me/inbox").await.json()["items"][0]["kind"], "points.gift");
    // By the code that the receiver shows.
    let code = member_code::issue(&app.state.keys, receiver.id, app.clock.now()).code;
    let by_code = json!({"to_member_code": code, "programme": "default", "amount": "1"});
    app.by(&giver).post("/api/v1/points/gifts", by_code).key("code").await.expect_status(201);
    assert_in_order(&app).await;
    // Erasure takes the words, not the journal.
    app.by(&giver).delete("/api/v1/me").await.expect_status(204);
    let listed = app.by(&receiver).get("/api/v1/me/points/gifts").await.json();
    assert_eq!((&listed["items"][1]["from"], &listed["items"][1]["message"]), (&json!("*"), &Value::Null));
    assert_in_order(&app).await;
});

both!(what_may_not_be_given_is_refused_by_name, async |app| {
    let (giver, receiver) = (app.seed().member().await, app.seed().member().await);
    give(&app, &giver, 1000).await;
    send(&app, &giver, &receiver, "1").await.expect_problem(409, "gifts_not_allowed");
    allow(&app, None, None).await;
    let path = "/api/v1/points/gifts";
    app.by(&giver).post(path, body(&receiver, "1")).await.expect_problem(400, "idempotency_key_required");
    let manager = app.seed().staff(Role::Manager).await;
    app.by(&manager).post(path, body(&receiver, "1")).key("k").await.expect_problem(403, "forbidden");
    let newcomer = app.seed().member().incomplete().await;
    send(&app, &newcomer, &receiver, "1").await.expect_problem(403, "profile_incomplete");
    for (value, field) in [
        (json!({"to_member_id": giver.id}), "to_member_id"),
        (json!({"to_member_id": "0199a0b0-0000-7000-8000-000000000002"}), "to_member_id"),
        (json!({"to_member_id": newcomer.id}), "to_member_id"),
        (json!({}), "to_member_id"),
        (json!({"to_member_code": "0000-0000-0000-0000"}), "to_member_code"),
        (json!({"to_member_id": receiver.id, "to_member_code": "0000-0000-0000-0000"}), "to_member_code"),
        (json!({"to_member_id": receiver.id, "programme": "none"}), "programme"),
        (json!({"to_member_id": receiver.id, "amount": "0"}), "amount"),
        (json!({"to_member_id": receiver.id, "amount": "-1"}), "amount"),
        (json!({"to_member_id": receiver.id, "amount": "0.001"}), "amount"),
    ] {
        let mut body = json!({"programme": "default", "amount": "1"});
        body.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
        let refused = app.by(&giver).post(path, body.clone()).key(&JournalId::new().to_string()).await;
        assert_eq!(refused.expect_problem(422, "validation_failed").at("/errors/0/field"), field, "{body}");
    }
    send(&app, &giver, &receiver, "10.01").await.expect_problem(409, "insufficient_points");
    for closed in [
        member::ActiveModel { disabled_at: Set(Some(app.clock.now())), ..Default::default() },
        member::ActiveModel { erased_at: Set(Some(app.clock.now())), ..Default::default() },
    ] {
        let gone = app.seed().member().await;
        let row = member::ActiveModel { id: Set(gone.id), ..closed };
        app.state.db.write(async move |txn| row.clone().update(txn).await).await.unwrap();
        send(&app, &giver, &gone, "1").await.expect_problem(409, "account_closed");
    }
    let stranger = app.seed().member().in_region(SISTER).await;
    let local = programme::ActiveModel {
        code: Set("sister".to_owned()),
        name: Set("福分".to_owned()),
        unit_name: Set("福分".to_owned()),
        region_code: Set(Some(SISTER.to_owned())),
        expiry: Set(Expiry::Never),
        expiry_months: Set(None),
        reopen_days: Set(7),
        created_at: Set(DateTime::UNIX_EPOCH),
        expiry_years: Set(0),
        notice_days: Set(30),
        negative_allowed: Set(false),
        budget_required: Set(false),
        households_pool: Set(false),
        account_cap: Set(None),
        gifts_allowed: Set(true),
        gift_cap_day: Set(None),
        gift_cap_receiver: Set(None),
        point_cost: Set(0),
        updated_at: Set(None),
    };
    app.seed().insert(vec![local]).await;
    let across = |to: &Member| json!({"to_member_id": to.id, "programme": "sister", "amount": "1"});
    app.by(&giver).post(path, across(&stranger)).key("m1").await.expect_problem(409, "programme_mismatch");
    app.by(&stranger).post(path, across(&giver)).key("m2").await.expect_problem(409, "programme_mismatch");
    // Points of another programme are no points of this one.
    let neighbour = app.seed().member().in_region(SISTER).await;
    give(&app, &stranger, 500).await;
    app.by(&stranger).post(path, across(&neighbour)).key("m3").await.expect_problem(409, "insufficient_points");
    assert_eq!(sums(&app, &giver).await[0], "10.00");
    assert_in_order(&app).await;
});

both!(caps_say_what_is_left_and_begin_anew, async |app| {
    allow(&app, Some(1000), Some(600)).await;
    let (giver, one, two) = (app.seed().member().await, app.seed().member().await, app.seed().member().await);
    let manager = app.seed().staff(Role::Manager).await;
    give(&app, &giver, 10_000).await;
    let first = send(&app, &giver, &one, "6").await.expect_status(201);
    let refused = send(&app, &giver, &one, "0.01").await.expect_problem(409, "limit_reached");
    assert!(refused.at("/detail").contains("0.00"), "{}", refused.text());
    let refused = send(&app, &giver, &two, "4.01").await.expect_problem(409, "limit_reached");
    assert!(refused.at("/detail").contains("4.00"), "{}", refused.text());
    send(&app, &giver, &two, "4").await.expect_status(201);
    send(&app, &giver, &two, "1").await.expect_problem(409, "limit_reached");
    // The next local day, same month.
    app.clock.advance(TimeDelta::days(1));
    send(&app, &giver, &one, "1").await.expect_problem(409, "limit_reached");
    send(&app, &giver, &two, "2").await.expect_status(201);
    // What was taken back does not count.
    reverse(&app, &manager, &first.id()).await.expect_status(200);
    send(&app, &giver, &one, "6").await.expect_status(201);
    app.clock.advance(TimeDelta::days(12));
    send(&app, &giver, &one, "6").await.expect_status(201);
    assert_in_order(&app).await;
});

both!(twenty_gifts_at_once_never_pass_balance_or_cap, async |app| {
    allow(&app, None, None).await;
    let node = app.second_node().await;
    let storm = async |giver: &Member, receivers: &[Member]| {
        let calls = (0..20).map(|number| {
            let at = if number % 2 == 0 { &app } else { &node };
            let to = &receivers[number % receivers.len()];
            at.by(giver).post("/api/v1/points/gifts", body(to, "10")).key(&format!("{}-{number}", giver.id))
        });
        let answers = at_once(calls).await;
        for answer in answers.iter().filter(|answer| answer.status != 201) {
            assert!(matches!(answer.code().as_str(), "insufficient_points" | "limit_reached"), "{}", answer.text());
        }
        answers.iter().filter(|answer| answer.status == 201).count()
    };
    let mut receivers = Vec::new();
    for _ in 0..3 {
        receivers.push(app.seed().member().await);
    }
    let giver = app.seed().member().await;
    give(&app, &giver, 10_000).await;
    assert_eq!(storm(&giver, &receivers).await, 10);
    assert_eq!(sums(&app, &giver).await[0], "0.00");
    allow(&app, Some(5000), None).await;
    let giver = app.seed().member().await;
    Draft::new(&app, JournalKind::Grant, &giver, 10_000).expiring(in_days(&app, 9)).post(&app).await.unwrap();
    assert_eq!(storm(&giver, &receivers).await, 5);
    allow(&app, None, Some(3000)).await;
    let giver = app.seed().member().await;
    give(&app, &giver, 100_000).await;
    assert_eq!(storm(&giver, &receivers[..2]).await, 6);
    assert_in_order(&app).await;
});

both!(gifts_that_cross_wait_for_nobody_forever, async |app| {
    allow(&app, None, None).await;
    let node = app.second_node().await;
    let (one, two) = (app.seed().member().await, app.seed().member().await);
    give(&app, &one, 10_000).await;
    Draft::new(&app, JournalKind::Grant, &two, 10_000).expiring(in_days(&app, 9)).post(&app).await.unwrap();
    let calls = (0..20).map(|number| {
        let (at, from, to) = if number % 2 == 0 { (&app, &one, &two) } else { (&node, &two, &one) };
        at.by(from).post("/api/v1/points/gifts", body(to, "1")).key(&number.to_string())
    });
    for answer in at_once(calls).await {
        answer.expect_status(201);
    }
    assert_eq!((sums(&app, &one).await[0].as_str(), sums(&app, &two).await[0].as_str()), ("100.00", "100.00"));
    assert_in_order(&app).await;
});

both!(staff_take_a_gift_back_once_and_entirely, async |app| {
    allow(&app, None, None).await;
    let (giver, receiver) = (app.seed().member().await, app.seed().member().await);
    let stranger = app.seed().member().in_region(SISTER).await;
    Draft::new(&app, JournalKind::Grant, &giver, 200).expiring(in_days(&app, 5)).post(&app).await.unwrap();
    Draft::new(&app, JournalKind::Grant, &giver, 300).expiring(in_days(&app, 50)).post(&app).await.unwrap();
    let gift = send(&app, &giver, &receiver, "4").await.expect_status(201).id();
    let (manager, clerk) = (app.seed().staff(Role::Manager).await, app.seed().staff(Role::Clerk).await);
    let foreign = app.seed().staff(Role::Manager).in_region(FOREIGN).await;
    let own = app.seed().staff(Role::Manager).being(&giver).await;
    reverse(&app, &clerk, &gift).await.expect_problem(403, "forbidden");
    reverse(&app, &foreign, &gift).await.expect_problem(404, "not_found");
    reverse(&app, &own, &gift).await.expect_problem(403, "second_person_required");
    let refused = app.by(&manager).post(&format!("/api/v1/points/gifts/{gift}/reversal"), json!({})).key("k").await;
    refused.expect_problem(422, "validation_failed");
    let spend = Draft::new(&app, JournalKind::Spend, &receiver, 100);
    spend.post(&app).await.unwrap();
    reverse(&app, &manager, &gift).await.expect_problem(409, "insufficient_points");
    assert_eq!(sums(&app, &receiver).await[0], "3.00");
    give(&app, &receiver, 100).await;
    // The first bucket is over by now: the giver gets days of grace for it. The receiver's part of it expired.
    app.clock.advance(TimeDelta::days(6));
    give(&app, &receiver, 100).await;
    let node = app.second_node().await;
    let calls = (0..4).map(|number| {
        let at = if number % 2 == 0 { &app } else { &node };
        let path = format!("/api/v1/points/gifts/{gift}/reversal");
        at.by(&manager).post(&path, json!({"reason": "误操作"})).key(&format!("r{number}"))
    });
    let answers = at_once(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert!(answers.iter().all(|answer| answer.status == 200 || answer.code() == "invalid_transition"));
    assert_eq!(sums(&app, &receiver).await[0], "0.00");
    let back = standing(&app, &giver).await;
    assert_eq!(back["balance"], "5.00");
    let dates = json!([{"on": in_days(&app, 30), "amount": "2.00"}, {"on": in_days(&app, 44), "amount": "3.00"}]);
    assert_eq!(back["expiring"], dates);
    assert_eq!(app.by(&giver).get("/api/v1/me/inbox").await.json()["items"][0]["kind"], "points.gift_reversed");
    // A manager of one community does not reach into another's account.
    let across = send(&app, &giver, &stranger, "1").await.expect_status(201).id();
    let local = app.seed().staff(Role::Manager).in_region(COMMUNITY).await;
    let street = app.seed().staff(Role::Manager).in_region(STREET).await;
    reverse(&app, &local, &across).await.expect_problem(404, "not_found");
    reverse(&app, &street, &across).await.expect_status(200);
    assert_in_order(&app).await;
});

both!(what_is_above_the_cap_is_donated_and_comes_back, async |app| {
    cap(&app, Some(1000)).await;
    let member = app.seed().member().await;
    let first = Draft::new(&app, JournalKind::Earn, &member, 700);
    issue(&app, &first).await.unwrap();
    assert_eq!(donated(&app).await, 0);
    let on = in_days(&app, 20);
    let second = Draft::new(&app, JournalKind::Earn, &member, 500).expiring(on);
    issue(&app, &second).await.unwrap();
    assert_eq!(sums(&app, &member).await[0], "10.00");
    let seen = standing(&app, &member).await;
    // What came too much goes, not what was there before; and it was earned all the same.
    assert_eq!((&seen["earned"], &seen["expiring"]), (&json!("12.00"), &json!([{"on": on, "amount": "3.00"}])));
    assert_eq!(donated(&app).await, 200);
    let entries = app.by(&member).get("/api/v1/me/points/entries").await.json();
    assert_eq!(
        (&entries["items"][0]["amount"], &entries["items"][0]["balance_after"]),
        (&json!("-2.00"), &json!("10.00"))
    );
    assert!(entries["items"][0]["reason"].as_str().unwrap().contains("上限"));
    assert_eq!(app.by(&member).get("/api/v1/me/inbox").await.json()["items"][0]["kind"], "points.account_cap");
    // Full: all of it moves on.
    let third = Draft::new(&app, JournalKind::Earn, &member, 100);
    issue(&app, &third).await.unwrap();
    assert_eq!((sums(&app, &member).await[0].as_str(), donated(&app).await), ("10.00", 300));
    assert_in_order(&app).await;
    take_back(&app, &second).await.unwrap();
    assert_eq!((sums(&app, &member).await[0].as_str(), donated(&app).await), ("7.00", 100));
    assert_eq!(standing(&app, &member).await["expiring"], json!([]));
    let entries = app.by(&member).get("/api/v1/me/points/entries").await.json();
    for item in entries["items"].as_array().unwrap() {
        assert!(!item["balance_after"].as_str().unwrap().starts_with('-'), "{entries}");
    }
    assert!(matches!(take_back(&app, &second).await, Err(PointsError::InvalidTransition)));
    assert_eq!(donated(&app).await, 100);
    take_back(&app, &third).await.unwrap();
    assert_eq!((sums(&app, &member).await[0].as_str(), donated(&app).await), ("7.00", 0));
    // A cap that is lowered takes nothing; the next credit moves on.
    cap(&app, Some(500)).await;
    issue(&app, &Draft::new(&app, JournalKind::Earn, &member, 50)).await.unwrap();
    assert_eq!((sums(&app, &member).await[0].as_str(), donated(&app).await), ("7.00", 50));
    assert_in_order(&app).await;
});

both!(a_gift_above_the_receivers_cap_is_donated_and_comes_back, async |app| {
    allow(&app, None, None).await;
    cap(&app, Some(500)).await;
    let (giver, receiver) = (app.seed().member().await, app.seed().member().await);
    give(&app, &giver, 800).await;
    give(&app, &receiver, 300).await;
    let gift = send(&app, &giver, &receiver, "6").await.expect_status(201).id();
    assert_eq!((sums(&app, &receiver).await[0].as_str(), donated(&app).await), ("5.00", 400));
    let manager = app.seed().staff(Role::Manager).await;
    reverse(&app, &manager, &gift).await.expect_status(200);
    assert_eq!((sums(&app, &receiver).await[0].as_str(), donated(&app).await), ("3.00", 0));
    assert_eq!(sums(&app, &giver).await[0], "8.00");
    assert_in_order(&app).await;
});

both!(points_that_came_by_gift_alone_expire_too, async |app| {
    allow(&app, None, None).await;
    let (giver, receiver) = (app.seed().member().await, app.seed().member().in_region(SISTER).await);
    Draft::new(&app, JournalKind::Grant, &giver, 500).expiring(in_days(&app, 5)).post(&app).await.unwrap();
    send(&app, &giver, &receiver, "3").await.expect_status(201);
    app.clock.advance(TimeDelta::days(5));
    let node = app.second_node().await;
    let runs = at_once([&app, &node].map(|node| Box::pin(run_once(&node.state, "points_expiry"))));
    for run in runs.await {
        run.unwrap();
    }
    run_once(&app.state, "points_expiry").await.unwrap();
    assert_eq!((sums(&app, &giver).await[0].as_str(), sums(&app, &receiver).await[0].as_str()), ("0.00", "0.00"));
    let db = app.database.connect().await;
    let books = account::Entity::find()
        .filter(account::Column::Kind.eq(AccountKind::Expired))
        .filter(account::Column::RegionCode.eq(SISTER));
    assert!(books.one(&db).await.unwrap().is_some());
    assert_in_order(&app).await;
});

both!(expiry_takes_once_while_spending_and_giving_run, async |app| {
    allow(&app, None, None).await;
    let (one, two) = (app.seed().member().await, app.seed().member().await);
    for days in 1..6 {
        let on = in_days(&app, days);
        Draft::new(&app, JournalKind::Grant, &one, 1000).expiring(on).post(&app).await.unwrap();
        Draft::new(&app, JournalKind::Grant, &two, 1000).expiring(on).post(&app).await.unwrap();
    }
    app.clock.advance(TimeDelta::days(2));
    let node = app.second_node().await;
    // Each settles on its way what the job settles at the same time; nothing is taken twice.
    let expiry = async {
        for _ in 0..3 {
            let runs = [&app, &node].map(|node| Box::pin(run_once(&node.state, "points_expiry")));
            for run in at_once(runs).await {
                run.unwrap();
            }
        }
    };
    let spends: Vec<_> = (0..10).map(|_| Draft::new(&app, JournalKind::Spend, &one, 50)).collect();
    let spending = at_once(spends.iter().map(|spend| Box::pin(spend.post(&node))));
    let gifts = (0..10).map(|number| {
        let (from, to) = if number % 2 == 0 { (&one, &two) } else { (&two, &one) };
        app.by(from).post("/api/v1/points/gifts", body(to, "0.70")).key(&number.to_string())
    });
    let ((), spent, given) = futures_util::join!(expiry, spending, at_once(gifts));
    for outcome in spent {
        outcome.unwrap();
    }
    for answer in given {
        answer.expect_status(201);
    }
    let total = |sum: &str| sum.replace('.', "").parse::<i64>().unwrap();
    // 20.00 of each are over; 5.00 were spent; what was given stays among the two.
    let left = total(&sums(&app, &one).await[0]) + total(&sums(&app, &two).await[0]);
    assert_eq!(left, 10_000 - 4000 - 500);
    assert_in_order(&app).await;
});
