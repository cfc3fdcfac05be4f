//! Trying rules: what comes out is what the ledger holds once they are switched on, and nothing changes by asking.

use std::collections::{BTreeMap, HashMap};

use ::entity::category::Category;
use ::entity::id::ServiceRecordId;
use ::entity::journal::{self, JournalKind};
use ::entity::staff::Role;
use ::entity::{entry, service_record};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use sea_orm::{ActiveEnum as _, ColumnTrait as _, EntityTrait as _, QueryFilter as _, Set};
use serde_json::{Value, json};

use crate::points::assert_in_order;
use crate::service_record::pending;
use crate::support::{COMMUNITY, DISTRICT, FOREIGN, Member, SISTER, Staff, TestApp, at, dataset};

const PATH: &str = "/api/v1/points/rules/trial";

async fn trial(app: &TestApp, who: &Staff, body: Value) -> Value {
    app.by(who).post(PATH, body).await.expect_status(200).json()
}

async fn verify(app: &TestApp, who: &Staff, record: service_record::ActiveModel) {
    let id: ServiceRecordId = record.id.clone().unwrap();
    app.seed().insert(vec![record]).await;
    let path = format!("/api/v1/service-records/{id}/verification");
    let call = app.by(who).post(&path, json!({"decision": "verify"}));
    call.key(&id.to_string()).await.expect_status(200);
}

/// One participation of the set: whose, what, from when until when.
struct Served {
    member: String,
    category: Category,
    began: DateTime<Utc>,
    ended: DateTime<Utc>,
}

/// The participations of `haigang`: a few of them, or as many as `LINLI_TEST_HAIGANG_SCALE` says (1 is all 45,000, for a
/// quarter of an hour on each database).
fn year() -> Option<Vec<Served>> {
    let scale = std::env::var("LINLI_TEST_HAIGANG_SCALE").unwrap_or_else(|_| "0.005".to_owned());
    let set = dataset::generated("haigang", &scale)?;
    let mut served: Vec<Served> = Vec::new();
    for row in csv::Reader::from_path(set.join("participations.csv")).unwrap().into_deserialize() {
        let row: HashMap<String, String> = row.unwrap();
        let instant = |field: &str| {
            let local = NaiveDateTime::parse_from_str(&row[field], "%Y-%m-%d %H:%M").unwrap();
            local.and_utc() - TimeDelta::hours(8)
        };
        let category = match row["category"].as_str() {
            "邻里互助" => Category::Neighbourly,
            "慈善捐赠" => Category::Charity,
            "平安建设" => Category::Safety,
            "文化宣传" => Category::Culture,
            "文明创建" => Category::Civility,
            _ => Category::Volunteering,
        };
        let (began, ended) = (instant("check_in"), instant("check_out"));
        served.push(Served { member: row["member_id"].clone(), category, began, ended });
    }
    served.sort_by(|one, two| (&one.member, one.ended).cmp(&(&two.member, two.ended)));
    Some(served)
}

/// Has every participation verified in a programme, for members of its own: some members at once, each one's in the order of
/// time.
async fn replay(app: &TestApp, manager: &Staff, programme: &str, year: &[Served]) {
    let by_member: Vec<_> = year.chunk_by(|one, other| one.member == other.member).collect();
    let mut count = 0;
    for members in by_member.chunks(16) {
        let mut all = Vec::new();
        for services in members {
            count += 1;
            let region = if count % 3 == 0 { SISTER } else { COMMUNITY };
            all.push(replay_one(app, manager, programme, services, region));
        }
        futures_util::future::join_all(all).await;
    }
}

async fn replay_one(app: &TestApp, manager: &Staff, programme: &str, services: &[Served], region: &str) {
    let whose = app.seed().member().in_region(region).await;
    for served in services {
        let minutes = i32::try_from((served.ended - served.began).num_minutes()).unwrap();
        let mut record = pending(&whose, served.ended, minutes);
        record.category = Set(served.category);
        record.programme = Set(programme.to_owned());
        verify(app, manager, record).await;
    }
}

/// Hundredths that the members' accounts of a programme hold, by category of the record behind each journal.
async fn ledger(app: &TestApp, programme: &str) -> BTreeMap<String, i64> {
    let db = app.state.db.read();
    let earned = journal::Entity::find()
        .filter(journal::Column::Programme.eq(programme))
        .filter(journal::Column::Kind.eq(JournalKind::Earn))
        .all(db)
        .await
        .unwrap();
    let records = service_record::Entity::find().all(db).await.unwrap();
    let categories: HashMap<_, _> = records.iter().map(|record| (record.id.0, record.category.to_value())).collect();
    let sources: HashMap<_, _> = earned.iter().map(|journal| (journal.id, journal.source_id)).collect();
    let mut sums = BTreeMap::new();
    for line in entry::Entity::find().all(db).await.unwrap() {
        if let Some(source) = sources.get(&line.journal_id).filter(|_| line.amount > 0) {
            *sums.entry(categories[source].clone()).or_default() += line.amount;
        }
    }
    sums
}

fn hundredths(text: &Value) -> i64 {
    text.as_str().unwrap().replace('.', "").parse().unwrap()
}

both!(a_year_of_haigang_earns_what_its_trial_says, async |app| {
    let Some(year) = year() else { return };
    assert!(year.len() > 150, "{} participations", year.len());
    app.clock.set(at("2022-12-01T00:00:00Z"));
    let manager = app.seed().staff(Role::Manager).await;
    let kinds = [
        ("half", json!({"basis": "time", "amount": "1", "per_minutes": 30})),
        ("hour", json!({"basis": "time", "amount": "10", "per_minutes": 60})),
        ("event", json!({"basis": "event", "amount": "3", "cap_day": "4", "cap_week": "7"})),
    ];
    for (code, rule) in &kinds {
        let programme = json!({"code": code, "name": code});
        app.by(&manager).post("/api/v1/points/programmes", programme).await.expect_status(201);
        let mut rule = rule.clone();
        rule["programme"] = json!(code);
        app.by(&manager).post("/api/v1/points/rules", rule).await.expect_status(201);
    }
    app.clock.set(at("2024-01-15T00:00:00Z"));
    replay(&app, &manager, "default", &year).await;
    for (code, rule) in &kinds {
        let period = json!({"rules": [rule], "from": "2022-12-31T16:00:00Z", "until": "2023-12-31T16:00:00Z"});
        let tried = trial(&app, &manager, period).await;
        replay(&app, &manager, code, &year).await;
        let held = ledger(&app, code).await;
        let would: BTreeMap<String, i64> = tried["by_category"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| (row["category"].as_str().unwrap().to_owned(), hundredths(&row["would"])))
            .collect();
        assert_eq!(would, held, "{code}");
        assert_eq!(hundredths(&tried["would"]), held.values().sum::<i64>(), "{code}");
        assert_eq!(tried["records"], json!(year.len()));
        let sum = |part: &str, field: &str| {
            tried[part].as_array().unwrap().iter().map(|row| hundredths(&row[field])).sum::<i64>()
        };
        for part in ["by_category", "by_community", "by_decile"] {
            assert_eq!(
                (sum(part, "would"), sum(part, "did")),
                (hundredths(&tried["would"]), hundredths(&tried["did"]))
            );
        }
        // The rules that stand say the same of what they have earned.
        let again =
            json!({"rules": [], "programme": code, "from": "2022-12-31T16:00:00Z", "until": "2023-12-31T16:00:00Z"});
        let again = trial(&app, &manager, again).await;
        assert_eq!((&again["would"], &again["did"]), (&tried["would"], &tried["would"]));
    }
    assert_in_order(&app).await;
});

/// Two members with services of one, two and three hours from one day to the next.
async fn served(app: &TestApp, manager: &Staff) -> (DateTime<Utc>, [Member; 2]) {
    let from = app.clock.now();
    app.clock.advance(TimeDelta::days(10));
    let here = app.seed().member().await;
    let there = app.seed().member().in_region(SISTER).await;
    for (days, member, hours, category) in
        [(1, &here, 1, Category::Culture), (2, &here, 2, Category::Safety), (2, &there, 3, Category::Culture)]
    {
        let mut record = pending(member, from + TimeDelta::days(days), hours * 60);
        record.category = Set(category);
        verify(app, manager, record).await;
    }
    (from, [here, there])
}

both!(drafts_are_laid_over_the_rules_that_stand, async |app| {
    let manager = app.seed().staff(Role::Manager).await;
    let (from, _) = served(&app, &manager).await;
    let budget = json!({"programme": "default", "name": "社区积分预算", "owner_kind": "community", "region_code": COMMUNITY,
        "amount": "25"});
    app.by(&manager).post("/api/v1/points/budgets", budget).await;
    let before = app.by(&manager).get("/api/v1/points/rules?limit=100").await.json();
    let until = from + TimeDelta::days(5);
    let ask = |rules: Value, base: &str| json!({"rules": rules, "base": base, "from": from, "until": until});
    let culture = json!({"category": "culture", "basis": "event", "amount": "10"});
    let tried = trial(&app, &manager, ask(json!([culture]), "current")).await;
    assert_eq!((&tried["records"], &tried["minutes"]), (&json!(3), &json!(360)));
    assert_eq!((&tried["did"], &tried["would"]), (&json!("12.00"), &json!("24.00")));
    assert_eq!(
        tried["by_category"],
        json!([
            {"category": "safety", "records": 1, "minutes": 120, "would": "4.00", "did": "4.00"},
            {"category": "culture", "records": 2, "minutes": 240, "would": "20.00", "did": "8.00"},
        ])
    );
    assert_eq!(
        tried["by_community"],
        json!([
            {"region_code": COMMUNITY, "name": "红旗里社区居委会", "records": 2, "minutes": 180, "would": "14.00", "did": "6.00"},
            {"region_code": SISTER, "name": "河涧里社区居委会", "records": 1, "minutes": 180, "would": "10.00", "did": "6.00"},
        ])
    );
    assert_eq!(tried["by_decile"].as_array().unwrap().len(), 10);
    let alone = trial(&app, &manager, ask(json!([culture]), "none")).await;
    assert_eq!((&alone["did"], &alone["would"]), (&json!("12.00"), &json!("20.00")));
    // A draft that says when counts then, and one for a community counts there.
    let mut late = culture.clone();
    late["valid_from"] = json!(from + TimeDelta::hours(30));
    assert_eq!(trial(&app, &manager, ask(json!([late]), "current")).await["would"], "16.00");
    let here = json!({"region_code": SISTER, "basis": "event", "amount": "1"});
    assert_eq!(trial(&app, &manager, ask(json!([here, culture]), "current")).await["would"], "15.00");
    // Somebody of one community tries on that community's records.
    let narrow = app.seed().staff(Role::Manager).in_region(SISTER).await;
    let narrow = trial(&app, &narrow, ask(json!([culture]), "current")).await;
    assert_eq!((&narrow["records"], &narrow["would"]), (&json!(1), &json!("10.00")));
    // What was reversed did not count.
    assert_eq!(app.by(&manager).get("/api/v1/points/rules?limit=100").await.json(), before);
    assert_in_order(&app).await;
});

both!(a_budget_says_when_it_would_have_ended, async |app| {
    let manager = app.seed().staff(Role::Manager).await;
    let budget = json!({"programme": "default", "name": "社区积分预算", "owner_kind": "community", "region_code": COMMUNITY,
        "amount": "25"});
    let made = app.by(&manager).post("/api/v1/points/budgets", budget).key("b").await.expect_status(201).json();
    let (from, _) = served(&app, &manager).await;
    let until = from + TimeDelta::days(5);
    let ask = |amount: &str| json!({"rules": [{"basis": "time", "amount": amount, "per_minutes": 60}], "base": "none", "from": from, "until": until});
    let told = async |amount: &str| trial(&app, &manager, ask(amount)).await["budgets"].clone();
    let local = app.state.calendar.day_of(from + TimeDelta::days(2));
    // The community's member drew 2.00 and 4.00 of 25.00, of which the trial knows nothing.
    let budget = |draw: &str, exhausted: Value| json!([{"budget_id": made["id"], "name": "社区积分预算", "left_at_from": "25.00", "would_draw": draw, "exhausted_on": exhausted}]);
    assert_eq!(told("8").await, budget("24.00", json!(null)));
    assert_eq!(told("9").await, budget("9.00", json!(local)));
    assert_in_order(&app).await;
});

both!(bad_trials_are_refused, async |app| {
    let manager = app.seed().staff(Role::Manager).await;
    let (clerk, auditor) = (app.seed().staff(Role::Clerk).await, app.seed().staff(Role::Auditor).await);
    let (from, until) = (at("2026-01-01T00:00:00Z"), at("2026-12-01T00:00:00Z"));
    let event = json!({"basis": "event", "amount": "1"});
    let good = json!({"rules": [event], "from": from, "until": until});
    app.by(&clerk).post(PATH, good.clone()).await.expect_problem(403, "forbidden");
    app.by(&auditor).post(PATH, good.clone()).await.expect_problem(403, "forbidden");
    trial(&app, &manager, good.clone()).await;
    for (field, value, named, code) in [
        ("until", json!(from), "until", "out_of_range"),
        ("until", json!(from + TimeDelta::days(401)), "until", "out_of_range"),
        ("region_code", json!(FOREIGN), "region_code", "invalid"),
        ("programme", json!("none"), "programme", "invalid"),
        ("base", json!("other"), "base", "invalid"),
        ("rules", json!([{"basis": "event"}]), "rules[0].amount", "required"),
        (
            "rules",
            json!([event, {"basis": "time", "amount": "1", "per_minutes": 0}]),
            "rules[1].per_minutes",
            "out_of_range",
        ),
        (
            "rules",
            json!([event, {"category": "culture", "basis": "event", "amount": "-1"}]),
            "rules[1].amount",
            "out_of_range",
        ),
        (
            "rules",
            json!([{"basis": "event", "amount": "1", "factors": {"organiser": "0"}}]),
            "rules[0].factors.organiser",
            "out_of_range",
        ),
        ("rules", json!([{"basis": "event", "amount": "1", "cap_day": "-1"}]), "rules[0].cap_day", "invalid"),
        (
            "rules",
            json!([{"basis": "event", "amount": "1", "region_code": FOREIGN}]),
            "rules[0].region_code",
            "invalid",
        ),
        ("rules", json!([{"basis": "event", "amount": "1", "programme": "other"}]), "rules[0].programme", "invalid"),
        ("rules", json!([event, event]), "rules[1]", "overlapping_rule"),
        (
            "rules",
            json!([event, {"category": "safety", "basis": "event", "amount": "2"}, {"region_code": DISTRICT, "basis": "time", "amount": "3"}]),
            "rules[2]",
            "overlapping_rule",
        ),
        ("rules", json!(vec![event.clone(); 201]), "rules", "too_long"),
    ] {
        let mut body = good.clone();
        body[field] = value;
        let refused = app.by(&manager).post(PATH, body).await.expect_problem(422, "validation_failed");
        let found = [refused.at("/errors/0/field"), refused.at("/errors/0/code")];
        assert_eq!(found, [named, code], "{}", refused.text());
    }
    // One after the other they may be of one scope.
    let half = |from: DateTime<Utc>, until: DateTime<Utc>| json!({"basis": "event", "amount": "1", "valid_from": from, "valid_until": until});
    let middle = at("2026-06-01T00:00:00Z");
    let both = json!({"rules": [half(from, middle), half(middle, until)], "from": from, "until": until});
    assert_eq!(trial(&app, &manager, both).await["records"], 0);
});
