//! Rules beyond the first: overlap, gaps, ends, factors, caps, approval, and what is taken away.

use ::entity::category::Category;
use ::entity::id::{JournalId, RuleId, ServiceRecordId};
use ::entity::rule::Subject;
use ::entity::service_record::Evidence;
use ::entity::staff::Role;
use chrono::{DateTime, TimeDelta, Utc};
use linli::audit::Actor;
use linli::points::{self, Earned, Earning, Facts, PointsError, Reversing, Source, Spans};
use sea_orm::Set;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{assert_in_order, give, standing, sums};
use crate::service_record::pending;
use crate::support::{Answer, CITY, COMMUNITY, FOREIGN, Member, STREET, Staff, TestApp, at_once};

const FIRST: &str = "00000000-0000-7000-8000-000000000001";

/// Something done by a member of [`COMMUNITY`], valued by the rules of `programme`.
#[derive(Clone)]
struct Deed {
    source: Uuid,
    programme: &'static str,
    facts: Facts,
    reason: Option<&'static str>,
}

impl Deed {
    fn new(facts: Facts) -> Self {
        Self { source: Uuid::now_v7(), programme: "default", facts, reason: None }
    }

    async fn earn(&self, app: &TestApp, member: &Member) -> Result<Earned, PointsError> {
        let (deed, member, now, calendar) = (self.clone(), member.id, app.clock.now(), app.state.calendar);
        let journal_id = JournalId::new();
        let command = async move |txn: &linli::db::Txn| {
            let earning = Earning {
                journal_id,
                source: Source { kind: "deed", id: deed.source },
                programme: deed.programme,
                member_id: member,
                community: COMMUNITY,
                facts: deed.facts.clone(),
                actor: Actor::System,
                approver: None,
                now,
                today: calendar.day_of(now),
                spans: Spans::around(&calendar, deed.facts.at),
                reason: deed.reason,
            };
            points::earn(txn, &earning).await
        };
        app.state.db.write(command).await
    }

    async fn points(&self, app: &TestApp, member: &Member) -> String {
        self.earn(app, member).await.unwrap().points.to_string()
    }

    async fn reverse(&self, app: &TestApp) -> String {
        let (source, now, today) = (self.source, app.clock.now(), app.state.calendar.day_of(app.clock.now()));
        let journal_id = JournalId::new();
        let command = async move |txn: &linli::db::Txn| {
            let reversing = Reversing {
                journal_id,
                original: Source { kind: "deed", id: source },
                source: Source { kind: "deed_reversal", id: source },
                reason: Some("核错"),
                actor: Actor::System,
                now,
                today,
            };
            points::reverse(txn, &reversing).await
        };
        app.state.db.write(command).await.unwrap().to_string()
    }
}

fn service(at: DateTime<Utc>, minutes: i32) -> Facts {
    Facts::service(Category::Culture, at, minutes)
}

async fn post(app: &TestApp, who: &Staff, body: Value) -> Answer {
    app.by(who).post("/api/v1/points/rules", body).await
}

async fn add(app: &TestApp, who: &Staff, body: Value) -> Value {
    post(app, who, body).await.expect_status(201).json()
}

async fn all(app: &TestApp, who: &Staff) -> Value {
    app.by(who).get("/api/v1/points/rules?limit=100").await.expect_status(200).json()
}

/// A programme of the district in which points may be taken away.
async fn strict(app: &TestApp, manager: &Staff) {
    let body = json!({"code": "civil", "name": "文明积分", "negative_allowed": true});
    app.by(manager).post("/api/v1/points/programmes", body).await.expect_status(201);
}

both!(a_rule_that_overlaps_is_refused_and_named, async |app| {
    let manager = app.seed().staff(Role::Manager).await;
    let now = app.clock.now();
    let day = |days: i64| json!(now + TimeDelta::days(days));
    let open = add(&app, &manager, json!({"basis": "event", "amount": "1"})).await;
    assert_eq!((&open["replaces"], &open["gaps"]), (&json!(null), &json!([])));
    let bounded =
        add(&app, &manager, json!({"basis": "event", "amount": "2", "valid_from": day(1), "valid_until": day(10)}))
            .await;
    assert_eq!(bounded["replaces"], open["id"]);
    assert_eq!(bounded["gaps"], json!([{"from": bounded["valid_until"], "until": null, "falls_back_to": FIRST}]));
    add(&app, &manager, json!({"basis": "event", "amount": "3", "valid_from": day(20), "valid_until": day(30)})).await;
    let before = all(&app, &manager).await;
    for (from, until, field, version) in [
        (5, Some(8), "valid_from", 2),
        (5, None, "valid_from", 2),
        (9, Some(15), "valid_from", 2),
        (12, Some(25), "valid_until", 3),
        (12, Some(60), "valid_until", 3),
        (20, None, "valid_from", 3),
        (29, None, "valid_from", 3),
    ] {
        let body = json!({"basis": "event", "amount": "9", "valid_from": day(from), "valid_until": until.map(day)});
        let refused = post(&app, &manager, body).await.expect_problem(422, "validation_failed");
        assert_eq!(
            (refused.at("/errors/0/field"), refused.at("/errors/0/code")),
            (field.to_owned(), "overlapping_rule".to_owned())
        );
        assert!(refused.text().contains(&format!("第 {version} 版")), "{}", refused.text());
        assert_eq!(all(&app, &manager).await, before);
    }
    // Another scope is in nobody's way: a category, an item, a subject, a smaller region.
    for other in [
        json!({"category": "culture"}),
        json!({"subject": "event", "item": "toss"}),
        json!({"subject": "donation"}),
        json!({"region_code": COMMUNITY}),
    ] {
        let mut body = json!({"basis": "event", "amount": "9", "valid_from": day(5)});
        body.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
        assert_eq!(add(&app, &manager, body).await["version"], 1);
    }
    // Between two of them there is room, and without an end it ends where the next begins.
    let between = add(&app, &manager, json!({"basis": "event", "amount": "4", "valid_from": day(12)})).await;
    assert_eq!((&between["replaces"], &between["version"]), (&json!(null), &json!(4)));
    let gaps = between["gaps"].as_array().unwrap();
    assert_eq!(gaps.len(), 2);
    assert_eq!((&gaps[0]["from"], &gaps[0]["until"]), (&bounded["valid_until"], &between["valid_from"]));
});

both!(twenty_rules_at_once_leave_one_in_force, async |app| {
    let manager = app.seed().staff(Role::Manager).await;
    let calls = (1..=20).map(|amount| {
        let body = json!({"category": "safety", "basis": "event", "amount": amount.to_string()});
        app.by(&manager).post("/api/v1/points/rules", body)
    });
    let answers = at_once(calls).await;
    assert!(
        answers.iter().all(|answer| answer.status == 201),
        "{:?}",
        answers.iter().map(Answer::text).collect::<Vec<_>>()
    );
    let check = app.by(&manager).get("/api/v1/points/rules/check").await.expect_status(200).json();
    assert_eq!(check, json!({"overlaps": [], "gaps": [], "uncovered": []}));
});

both!(a_rule_is_ended_or_called_off, async |app| {
    let manager = app.seed().staff(Role::Manager).await;
    let (clerk, foreign) =
        (app.seed().staff(Role::Clerk).await, app.seed().staff(Role::Manager).in_region("130303").await);
    let narrow = app.seed().staff(Role::Manager).in_region(COMMUNITY).await;
    let member = app.seed().member().await;
    let rule = add(&app, &manager, json!({"category": "culture", "basis": "event", "amount": "7"})).await;
    let id = rule["id"].as_str().unwrap();
    let path = format!("/api/v1/points/rules/{id}/end");
    app.clock.advance(TimeDelta::hours(1));
    let done = Deed::new(service(app.clock.now(), 30));
    assert_eq!(done.points(&app, &member).await, "7.00");
    app.clock.advance(TimeDelta::hours(1));
    app.by(&clerk).post(&path, json!({})).await.expect_problem(403, "forbidden");
    app.by(&foreign).post(&path, json!({})).await.expect_problem(404, "not_found");
    app.by(&narrow).post(&path, json!({})).await.expect_problem(404, "not_found");
    app.by(&manager)
        .post(&format!("/api/v1/points/rules/{}/end", RuleId::new()), json!({}))
        .await
        .expect_problem(404, "not_found");
    // The first rule is everybody's: not one district's to end.
    app.by(&manager)
        .post(&format!("/api/v1/points/rules/{FIRST}/end"), json!({}))
        .await
        .expect_problem(404, "not_found");
    let past = json!({"valid_until": app.clock.now() - TimeDelta::seconds(1)});
    let refused = app.by(&manager).post(&path, past).await.expect_problem(422, "validation_failed");
    assert_eq!([refused.at("/errors/0/field"), refused.at("/errors/0/code")], ["valid_until", "out_of_range"]);
    let until = app.clock.now() + TimeDelta::days(1);
    let ended = app.by(&manager).post(&path, json!({"valid_until": until})).await.expect_status(200).json();
    assert_eq!(ended["gaps"], json!([{"from": until, "until": null, "falls_back_to": FIRST}]));
    let later = json!({"valid_until": until + TimeDelta::days(1)});
    app.by(&manager).post(&path, later).await.expect_problem(422, "validation_failed");
    app.by(&manager).post(&path, json!({})).await.expect_status(200);
    app.by(&manager).post(&path, json!({})).await.expect_problem(409, "invalid_transition");
    assert_eq!(Deed::new(service(app.clock.now(), 30)).points(&app, &member).await, "1.00");
    assert_eq!(Deed::new(service(app.clock.now() - TimeDelta::hours(1), 30)).points(&app, &member).await, "7.00");
    // One that has not begun is called off, and its time is free again.
    let planned = json!({"category": "culture", "basis": "event", "amount": "8", "valid_from": until});
    let off = add(&app, &manager, planned.clone()).await;
    let path = format!("/api/v1/points/rules/{}/end", off["id"].as_str().unwrap());
    let called_off = app.by(&manager).post(&path, json!({})).await.expect_status(200).json();
    assert_eq!(called_off["valid_until"], called_off["valid_from"]);
    app.by(&manager).post(&path, json!({})).await.expect_problem(409, "invalid_transition");
    assert_eq!(add(&app, &manager, planned).await["replaces"], json!(null));
    let trail = app.by(&manager).get("/api/v1/points/rules/check").await.expect_status(200).json();
    assert_eq!(trail["gaps"].as_array().unwrap().len(), 1);
    assert_eq!(trail["gaps"][0]["category"], "culture");
    assert_eq!(
        app.by(&foreign).get("/api/v1/points/rules/check?region=130302").await.expect_status(200).json()["gaps"],
        json!([])
    );
});

both!(what_earns_nothing_is_found, async |app| {
    let manager = app.seed().staff(Role::Manager).await;
    strict(&app, &manager).await;
    let check = async |query: &str| {
        let path = format!("/api/v1/points/rules/check?programme=civil{query}");
        app.by(&manager).get(&path).await.expect_status(200).json()
    };
    assert_eq!(check("").await["uncovered"].as_array().unwrap().len(), 6);
    add(&app, &manager, json!({"programme": "civil", "category": "culture", "basis": "time", "amount": "1"})).await;
    assert_eq!(check("").await["uncovered"].as_array().unwrap().len(), 5);
    add(&app, &manager, json!({"programme": "civil", "region_code": COMMUNITY, "basis": "time", "amount": "1"})).await;
    assert_eq!(check("").await["uncovered"].as_array().unwrap().len(), 5);
    assert_eq!(check(&format!("&region={COMMUNITY}")).await["uncovered"], json!([]));
});

both!(bad_rules_are_refused_and_nothing_changes, async |app| {
    let manager = app.seed().staff(Role::Manager).await;
    let foreign = app.seed().staff(Role::Manager).in_region("130303").await;
    strict(&app, &manager).await;
    let elsewhere = json!({"code": "elsewhere", "name": "福分"});
    app.by(&foreign).post("/api/v1/points/programmes", elsewhere).await.expect_status(201);
    let before = all(&app, &manager).await;
    let good = json!({"programme": "civil", "subject": "event", "item": "toss", "basis": "event", "amount": "1"});
    for (field, value, code) in [
        ("cap_day", json!("-5"), "invalid"),
        ("cap_week", json!("-0.01"), "invalid"),
        ("cap_month", json!("0"), "out_of_range"),
        ("cap_rule", json!("-1"), "invalid"),
        ("factors.organiser", json!("0"), "out_of_range"),
        ("factors.organiser", json!("1e9"), "out_of_range"),
        ("factors.organiser", json!("1000000000"), "out_of_range"),
        ("factors.organiser", json!(0), "out_of_range"),
        ("factors.organiser", json!(1e9), "out_of_range"),
        ("factors.organiser", json!("-1"), "out_of_range"),
        ("factors.organiser", json!("1.001"), "invalid"),
        ("factors.organiser", json!(2), "wrong_type"),
        ("amount", json!("0"), "out_of_range"),
        ("per_units", json!(2), "invalid"),
        ("per_minutes", json!(30), "invalid"),
        ("per_minutes", json!(0), "out_of_range"),
        ("basis", json!("yuan"), "invalid"),
        ("item", json!("高空抛物"), "invalid"),
        ("subject", json!("mood"), "invalid"),
        ("category", json!("gossip"), "invalid"),
        ("approver", json!("god"), "invalid"),
        ("min_evidence", json!("E"), "invalid"),
        ("programme", json!("none"), "invalid"),
        ("programme", json!("elsewhere"), "invalid"),
        ("region_code", json!(FOREIGN), "invalid"),
        ("region_code", json!(CITY), "invalid"),
        ("valid_until", json!("2026-11-20T00:00:00Z"), "out_of_range"),
    ] {
        let mut body = good.clone();
        match field.split_once('.') {
            Some((outer, inner)) => body[outer] = json!({inner: value}),
            None => body[field] = value.clone(),
        }
        let refused = post(&app, &manager, body).await.expect_problem(422, "validation_failed");
        assert_eq!(
            (refused.at("/errors/0/field"), refused.at("/errors/0/code")),
            (field.to_owned(), code.to_owned()),
            "{value}: {}",
            refused.text()
        );
    }
    for (body, field) in [
        (json!({"basis": "event", "amount": "-1"}), "amount"),
        (json!({"subject": "event", "basis": "event", "amount": "-1"}), "amount"), // not in this programme
        (json!({"programme": "civil", "subject": "donation", "basis": "yuan", "amount": "-1"}), "amount"),
        (
            json!({"programme": "civil", "subject": "event", "basis": "event", "amount": "-1", "cap_day": "5"}),
            "cap_day",
        ),
        (json!({"subject": "record", "basis": "item", "amount": "1"}), "basis"),
        (json!({"subject": "household_score", "basis": "time", "amount": "1"}), "basis"),
        (json!({"subject": "record", "item": "toss", "basis": "event", "amount": "1"}), "item"),
    ] {
        let refused = post(&app, &manager, body).await.expect_problem(422, "validation_failed");
        assert_eq!(refused.at("/errors/0/field"), field, "{}", refused.text());
    }
    assert_eq!(all(&app, &manager).await, before);
    add(&app, &manager, good).await;
});

both!(factors_raise_and_lower_what_a_record_earns, async |app| {
    let (manager, member) = (app.seed().staff(Role::Manager).await, app.seed().member().await);
    let factors =
        json!({"evidence": {"A": "1.20", "D": "0.50"}, "difficulty": ["1.00", "1.50", "2.00"], "organiser": "3"});
    let rule = json!({"basis": "time", "amount": "10", "per_minutes": 60, "factors": factors, "min_evidence": "C"});
    let rule = add(&app, &manager, rule).await;
    assert_eq!(rule["factors"]["evidence"], json!({"A": "1.20", "B": "1.00", "C": "1.00", "D": "0.50"}));
    let now = app.clock.now();
    let ended = |hours: i64| now + TimeDelta::hours(hours);
    app.clock.advance(TimeDelta::hours(20));
    for (hours, evidence, body, points) in [
        (2, Evidence::B, json!({}), "5.00"),
        (4, Evidence::A, json!({}), "6.00"),
        (6, Evidence::A, json!({"difficulty": 2}), "9.00"),
        (8, Evidence::B, json!({"difficulty": 3, "organiser": true}), "30.00"),
        (10, Evidence::D, json!({"organiser": true}), "0.00"),
    ] {
        let mut record = pending(&member, ended(hours), 30);
        record.evidence = Set(evidence);
        let id: ServiceRecordId = record.id.clone().unwrap();
        app.seed().insert(vec![record]).await;
        let path = format!("/api/v1/service-records/{id}/verification");
        let mut body = body;
        body["decision"] = json!("verify");
        let verified = app.by(&manager).post(&path, body.clone()).key(&id.to_string()).await.expect_status(200).json();
        assert_eq!((&verified["points"], &verified["rule_id"]), (&json!(points), &rule["id"]));
        assert_eq!(verified["difficulty"], body.get("difficulty").cloned().unwrap_or(json!(1)));
        assert_eq!(verified["organiser"], body.get("organiser").cloned().unwrap_or(json!(false)));
    }
    assert_eq!(standing(&app, &member).await["earned"], "50.00");
    assert_in_order(&app).await;
});

both!(a_rule_may_ask_for_a_manager_higher_up, async |app| {
    let member = app.seed().member().await;
    let district = app.seed().staff(Role::Manager).await;
    let street = app.seed().staff(Role::Manager).in_region(STREET).await;
    let community = app.seed().staff(Role::Manager).in_region(COMMUNITY).await;
    for (category, approver) in [("culture", "street"), ("safety", "district")] {
        add(&app, &district, json!({"category": category, "basis": "event", "amount": "10", "approver": approver}))
            .await;
    }
    let now = app.clock.now();
    app.clock.advance(TimeDelta::hours(20));
    for (hours, category, low, high) in
        [(2, Category::Culture, &community, &street), (4, Category::Safety, &street, &district)]
    {
        let mut record = pending(&member, now + TimeDelta::hours(hours), 30);
        record.category = Set(category);
        let id: ServiceRecordId = record.id.clone().unwrap();
        app.seed().insert(vec![record]).await;
        let path = format!("/api/v1/service-records/{id}/verification");
        let verify = json!({"decision": "verify"});
        app.by(low)
            .post(&path, verify.clone())
            .key(&format!("low{hours}"))
            .await
            .expect_problem(403, "higher_approval_required");
        let seen = app.by(low).get(&format!("/api/v1/service-records/{id}")).await.expect_status(200);
        assert_eq!(seen.at("/status"), "pending");
        app.by(high).post(&path, verify).key(&format!("high{hours}")).await.expect_status(200);
    }
    assert_in_order(&app).await;
});

both!(weeks_and_rules_have_caps_of_their_own, async |app| {
    let (manager, member) = (app.seed().staff(Role::Manager).await, app.seed().member().await);
    let rule = json!({"category": "culture", "basis": "event", "amount": "4", "cap_week": "10", "cap_rule": "13"});
    add(&app, &manager, rule).await;
    let other = json!({"category": "safety", "basis": "event", "amount": "4", "cap_week": "10"});
    add(&app, &manager, other).await;
    // 2026-11-23 is a Monday.
    let day = |day: i64| "2026-11-23T04:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::days(day);
    let mut deeds = Vec::new();
    for (number, expected) in [(0, "4.00"), (3, "4.00"), (6, "2.00"), (6, "0.00"), (7, "3.00"), (8, "0.00")] {
        let deed = Deed::new(service(day(number), 30));
        assert_eq!(deed.points(&app, &member).await, expected, "day {number}");
        deeds.push(deed);
    }
    // Another rule of the programme sees the week, not the other's own cap.
    let safety = |number| Facts { category: Some(Category::Safety), ..service(day(number), 30) };
    assert_eq!(Deed::new(safety(6)).points(&app, &member).await, "0.00");
    assert_eq!(Deed::new(safety(8)).points(&app, &member).await, "4.00");
    // What is taken back makes room again, in the week and in the rule.
    assert_eq!(deeds[0].reverse(&app).await, "4.00");
    assert_eq!(Deed::new(service(day(20), 30)).points(&app, &member).await, "4.00");
    assert_eq!(Deed::new(service(day(21), 30)).points(&app, &member).await, "0.00");
    assert_eq!(Deed::new(safety(5)).points(&app, &member).await, "4.00");
    assert_in_order(&app).await;
});

both!(caps_hold_under_fifty_at_once, async |app| {
    let (manager, member) = (app.seed().staff(Role::Manager).await, app.seed().member().await);
    add(&app, &manager, json!({"basis": "event", "amount": "1", "cap_rule": "7.5"})).await;
    let at = app.clock.now();
    let deeds: Vec<_> = (0..50).map(|number| Deed::new(service(at + TimeDelta::days(number), 30))).collect();
    let earned = at_once(deeds.iter().map(|deed| Box::pin(deed.earn(&app, &member)))).await;
    assert_eq!(earned.iter().map(|earned| earned.as_ref().unwrap().points.hundredths()).sum::<i64>(), 750);
    assert_eq!(standing(&app, &member).await["earned"], "7.50");
    assert_in_order(&app).await;
});

both!(points_that_wait_for_a_budget_fill_caps_too, async |app| {
    let (manager, member) = (app.seed().staff(Role::Manager).await, app.seed().member().await);
    let body = json!({"code": "civil", "name": "文明积分", "budget_required": true});
    app.by(&manager).post("/api/v1/points/programmes", body).await.expect_status(201);
    let rule = json!({"programme": "civil", "basis": "event", "amount": "4", "cap_day": "6", "cap_rule": "9"});
    add(&app, &manager, rule).await;
    let at = app.clock.now();
    for (days, expected) in [(0, 400), (0, 200), (0, 0), (1, 300), (2, 0)] {
        let deed = Deed { programme: "civil", ..Deed::new(service(at + TimeDelta::days(days), 30)) };
        let earned = deed.earn(&app, &member).await.unwrap();
        assert_eq!((earned.points.hundredths(), earned.due), (expected, expected > 0));
    }
    assert_eq!(sums(&app, &member).await, ["0.00", "0.00", "0.00"]);
    assert_in_order(&app).await;
});

both!(points_are_taken_with_a_reason_and_given_back, async |app| {
    let (manager, member) = (app.seed().staff(Role::Manager).await, app.seed().member().await);
    strict(&app, &manager).await;
    let rule = |item: &str, amount: &str| json!({"programme": "civil", "subject": "event", "item": item, "basis": "event", "amount": amount});
    add(&app, &manager, rule("toss", "-5")).await;
    add(&app, &manager, rule("help", "8")).await;
    let at = app.clock.now();
    let event = |item: &str, reason| Deed {
        programme: "civil",
        reason,
        ..Deed::new(Facts { subject: Subject::Event, item: Some(item.to_owned()), ..service(at, 0) })
    };
    let standing = async || {
        let points = app.by(&member).get("/api/v1/me/points").await.expect_status(200).json();
        let found = points["programmes"].as_array().unwrap().iter().find(|found| found["code"] == "civil").unwrap();
        (found["balance"].as_str().unwrap().to_owned(), found["earned"].as_str().unwrap().to_owned())
    };
    let balance = |balance: &str, earned: &str| (balance.to_owned(), earned.to_owned());
    assert!(matches!(event("toss", None).earn(&app, &member).await, Err(PointsError::Fields(_))));
    // There is nothing to take yet: valued all the same.
    let nothing = event("toss", Some("高空抛物"));
    assert_eq!(nothing.points(&app, &member).await, "-5.00");
    assert_eq!(nothing.reverse(&app).await, "0.00");
    event("help", None).earn(&app, &member).await.unwrap();
    let first = event("toss", Some("高空抛物"));
    assert_eq!(first.points(&app, &member).await, "-5.00");
    assert!(matches!(first.earn(&app, &member).await, Err(PointsError::InvalidTransition)));
    assert_eq!(standing().await, balance("3.00", "8.00"));
    let second = event("toss", Some("高空抛物"));
    assert_eq!(second.points(&app, &member).await, "-5.00");
    assert_eq!(standing().await, balance("0.00", "8.00"));
    // Only what was taken comes back, and once.
    assert_eq!(second.reverse(&app).await, "-3.00");
    assert_eq!(first.reverse(&app).await, "-5.00");
    assert_eq!(standing().await, balance("8.00", "8.00"));
    assert_in_order(&app).await;
    // Where the programme no longer allows it, nothing is taken.
    let off = json!({"negative_allowed": false});
    app.by(&manager).patch("/api/v1/points/programmes/civil", off).await.expect_status(200);
    assert_eq!(event("toss", Some("高空抛物")).points(&app, &member).await, "0.00");
    give(&app, &member, 100).await;
    assert_in_order(&app).await;
});
