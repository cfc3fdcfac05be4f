//! Donations: who reports them, who approves them, what they earn, and how they are taken back.

use ::entity::merit as rows;
use ::entity::rule::{self as rules, RuleBasis, Subject};
use ::entity::service_record::Evidence;
use ::entity::staff::Role;
use ::entity::{journal, programme};
use chrono::TimeDelta;
use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, Set};
use serde_json::{Value, json};

use super::{approve, decide, donations, enter, inbox, reverse, rule, set_programme, set_rule, shown};
use crate::photo::upload;
use crate::points::{assert_in_order, sums};
use crate::support::{COMMUNITY, FOREIGN, Member, SISTER, TestApp, at_once};

fn money(member: &Member, value: &str) -> Value {
    json!({"kind": "donation_money", "member_id": member.id, "value": value})
}

both!(a_donation_earns_by_its_value_and_is_taken_back, async |app| {
    let rule = donations(&app).await;
    let member = app.seed().member().await;
    let clerk = app.seed().staff(Role::Clerk).await;
    let manager = app.seed().staff(Role::Manager).await;
    let entered = enter(&app, &clerk, "k", money(&member, "128.50")).await.expect_status(201);
    let again = enter(&app, &clerk, "k", money(&member, "128.50")).await.expect_status(201);
    assert!(again.is_replayed() && again.id() == entered.id());
    assert_eq!(entered.at("/status"), "pending");
    assert_eq!((entered.at("/category"), entered.at("/evidence")), ("charity".to_owned(), "D".to_owned()));
    assert_eq!((entered.at("/value"), entered.at("/points")), ("128.50".to_owned(), "null".to_owned()));
    let id = entered.id();
    let approved = approve(&app, &manager, &id).await.expect_status(200);
    assert_eq!((approved.at("/status"), approved.at("/points")), ("approved".to_owned(), "128.50".to_owned()));
    assert_eq!((approved.at("/rule_id"), approved.at("/points_due")), (rule.to_string(), "0.00".to_owned()));
    assert_eq!(sums(&app, &member).await, ["128.50", "0.00", "128.50"]);
    let entries = app.by(&member).get("/api/v1/me/points/entries").await.json();
    assert_eq!((&entries["items"][0]["source_id"], &entries["items"][0]["kind"]), (&json!(id), &json!("earn")));
    assert_eq!(inbox(&app, &member).await[0].0, "merit.approved");
    let path = format!("/api/v1/merits/{id}/reversal");
    let calls =
        (0..5).map(|number| app.by(&manager).post(&path, json!({"reason": "登记有误"})).key(&format!("r{number}")));
    let answers = at_once(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert!(answers.iter().all(|answer| answer.status == 200 || answer.code() == "invalid_transition"));
    assert_eq!(sums(&app, &member).await, ["0.00", "0.00", "0.00"]);
    assert_eq!(shown(&app, &member, &id).await["status"], "reversed");
    assert_eq!(inbox(&app, &member).await[0].0, "merit.reversed");
    assert_in_order(&app).await;
});

both!(a_second_person_approves, async |app| {
    donations(&app).await;
    let (member, person) = (app.seed().member().await, app.seed().member().await);
    let entering = app.seed().staff(Role::Manager).being(&person).await;
    let same_person = app.seed().staff(Role::Manager).being(&person).await;
    let own = app.seed().staff(Role::Manager).being(&member).await;
    let (clerk, foreign) =
        (app.seed().staff(Role::Clerk).await, app.seed().staff(Role::Admin).in_region(FOREIGN).await);
    let id = enter(&app, &entering, "k", money(&member, "50")).await.expect_status(201).id();
    for refused in [&entering, &same_person, &own] {
        approve(&app, refused, &id).await.expect_problem(403, "second_person_required");
    }
    approve(&app, &clerk, &id).await.expect_problem(403, "forbidden");
    approve(&app, &foreign, &id).await.expect_problem(404, "not_found");
    enter(&app, &own, "k", money(&member, "50")).await.expect_problem(403, "second_person_required");
    let other = app.seed().staff(Role::Manager).await;
    for (body, field) in [
        (json!({"decision": "reject"}), "reason"),
        (json!({"decision": "approve", "reason": "好"}), "reason"),
        (json!({"decision": "perhaps"}), "decision"),
        (json!({"decision": "approve", "points": "1"}), "points"),
    ] {
        let refused = decide(&app, &other, &id, body).await.expect_problem(422, "validation_failed");
        assert_eq!(refused.at("/errors/0/field"), field);
    }
    let unkeyed = app.by(&other).post(&format!("/api/v1/merits/{id}/approval"), json!({"decision": "approve"}));
    unkeyed.await.expect_problem(400, "idempotency_key_required");
    let calls = (0..5).map(|number| {
        let call = app.by(&other).post(&format!("/api/v1/merits/{id}/approval"), json!({"decision": "approve"}));
        call.key(&format!("k{number}"))
    });
    let answers = at_once(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert!(answers.iter().all(|answer| answer.status == 200 || answer.code() == "invalid_transition"));
    assert_eq!(sums(&app, &member).await[0], "50.00");
    reverse(&app, &own, &id, "r").await.expect_problem(403, "second_person_required");
    let second = enter(&app, &clerk, "k2", money(&member, "9")).await.expect_status(201).id();
    let rejected = decide(&app, &other, &second, json!({"decision": "reject", "reason": "未收到款项"})).await;
    assert_eq!(rejected.expect_status(200).at("/status"), "rejected");
    assert!(inbox(&app, &member).await[0].1.contains("未收到款项"));
    approve(&app, &other, &second).await.expect_problem(409, "invalid_transition");
    reverse(&app, &other, &second, "r2").await.expect_problem(409, "invalid_transition");
    assert_eq!(sums(&app, &member).await[0], "50.00");
    assert_in_order(&app).await;
});

both!(members_report_what_they_gave_themselves, async |app| {
    donations(&app).await;
    let (member, other) = (app.seed().member().await, app.seed().member().await);
    let newcomer = app.seed().member().incomplete().await;
    let manager = app.seed().staff(Role::Manager).await;
    let photo = upload(&app, &member, 1).await;
    let body = json!({"kind": "donation_goods", "value": "30", "quantity": 2, "description": "棉被两床", "photo_ids": [photo]});
    let entered = enter(&app, &member, "k", body.clone()).await.expect_status(201);
    assert_eq!((entered.at("/evidence"), entered.at("/submitted_by")), ("C".to_owned(), member.id.to_string()));
    assert_eq!(entered.at("/photos/0/id"), photo);
    assert_eq!(app.by(&other).get(&format!("/api/v1/merits/{}", entered.id())).await.status, 404);
    let refused = enter(&app, &member, "again", body).await.expect_problem(422, "validation_failed");
    assert_eq!(refused.at("/errors/0/field"), "photo_ids");
    for (body, field) in [
        (json!({"kind": "event", "description": "制止高空抛物"}), "kind"),
        (json!({"kind": "household_score", "item": "tidy"}), "kind"),
        (json!({"kind": "donation_money"}), "value"),
        (json!({"kind": "donation_money", "value": "0"}), "value"),
        (json!({"kind": "donation_money", "value": "1", "member_id": other.id}), "member_id"),
        (json!({"kind": "donation_money", "value": "1", "member_id": member.id}), "member_id"),
        (json!({"kind": "donation_money", "value": "1", "programme": "none"}), "programme"),
        (json!({"kind": "donation_money", "value": "1", "quantity": 0}), "quantity"),
        (json!({"kind": "donation_money", "value": "1", "happened_on": "2026-11-22"}), "happened_on"),
        (json!({"kind": "donation_money", "value": "1", "happened_on": "2026-08-22"}), "happened_on"),
        (json!({"kind": "donation_money", "value": "1", "photo_ids": [photo, photo]}), "photo_ids"),
    ] {
        let refused = enter(&app, &member, "bad", body.clone()).await.expect_problem(422, "validation_failed");
        assert_eq!(refused.at("/errors/0/field"), field, "{body}");
    }
    enter(&app, &newcomer, "k", json!({"kind": "donation_money", "value": "1"}))
        .await
        .expect_problem(403, "profile_incomplete");
    app.post("/api/v1/merits", json!({})).bearer(&member).await.expect_problem(400, "idempotency_key_required");
    approve(&app, &manager, &entered.id()).await.expect_status(200);
    assert_eq!(sums(&app, &member).await[0], "30.00");
    let mine = app.by(&member).get("/api/v1/me/merits").await.expect_status(200).json();
    assert_eq!(mine["items"].as_array().unwrap().len(), 1);
    assert_in_order(&app).await;
});

both!(only_who_works_there_enters_and_only_by_rule, async |app| {
    let member = app.seed().member().await;
    let worker = app.seed().staff(Role::GridWorker).in_region(COMMUNITY).await;
    let refused = enter(&app, &worker, "k0", money(&member, "5")).await.expect_problem(422, "validation_failed");
    assert_eq!(refused.at("/errors/0/field"), "category");
    donations(&app).await;
    enter(&app, &worker, "k1", money(&member, "5")).await.expect_status(201);
    for role in [Role::Operator, Role::Auditor] {
        let staff = app.seed().staff(role).in_region(COMMUNITY).await;
        enter(&app, &staff, "k", money(&member, "5")).await.expect_problem(403, "forbidden");
    }
    let sister = app.seed().staff(Role::GridWorker).in_region(SISTER).await;
    enter(&app, &sister, "k", money(&member, "5")).await.expect_problem(404, "not_found");
    let elsewhere = programme::ActiveModel {
        code: Set("elsewhere".to_owned()),
        region_code: Set(Some("130303".to_owned())),
        ..template(&app).await
    };
    app.seed().insert(vec![elsewhere]).await;
    let mut body = money(&member, "5");
    body["programme"] = json!("elsewhere");
    let refused = enter(&app, &worker, "k2", body).await.expect_problem(422, "validation_failed");
    assert_eq!(refused.at("/errors/0/field"), "programme");
});

async fn template(app: &TestApp) -> programme::ActiveModel {
    use sea_orm::IntoActiveModel as _;
    let found = programme::Entity::find_by_id("default").one(app.state.db.read()).await.unwrap().unwrap();
    found.into_active_model().reset_all_()
}

/// Every column set, to be inserted again.
trait ResetAll {
    fn reset_all_(self) -> Self;
}

impl ResetAll for programme::ActiveModel {
    fn reset_all_(self) -> Self {
        use sea_orm::ActiveModelTrait as _;
        self.reset_all()
    }
}

both!(evidence_counts_by_its_grade, async |app| {
    let rule = rule(&app, Subject::Event, Some("dike"), RuleBasis::Event, 1_000).await;
    let change =
        rules::ActiveModel { factor_grade_b: Set(150), min_evidence: Set(Some(Evidence::C)), ..Default::default() };
    set_rule(&app, rule, change).await;
    let member = app.seed().member().await;
    let worker = app.seed().staff(Role::GridWorker).await;
    let manager = app.seed().staff(Role::Manager).await;
    let photo = upload(&app, &worker, 7).await;
    let event = |photos: Value| json!({"kind": "event", "member_id": member.id, "item": "dike", "photo_ids": photos});
    let with = enter(&app, &worker, "a", event(json!([photo]))).await.expect_status(201);
    assert_eq!(approve(&app, &manager, &with.id()).await.expect_status(200).at("/points"), "10.00");
    let without = enter(&app, &worker, "b", event(json!([]))).await.expect_status(201);
    assert_eq!(approve(&app, &manager, &without.id()).await.expect_status(200).at("/points"), "0.00");
    let seen = enter(&app, &worker, "c", event(json!([]))).await.expect_status(201);
    let seen = decide(&app, &manager, &seen.id(), json!({"decision": "approve", "witnessed": true})).await;
    let seen = seen.expect_status(200);
    assert_eq!((seen.at("/points"), seen.at("/evidence")), ("15.00".to_owned(), "B".to_owned()));
    // What earned nothing is taken back as well, without a journal.
    assert_eq!(reverse(&app, &manager, &without.id(), "r").await.expect_status(200).at("/points"), "0.00");
    assert_eq!(sums(&app, &member).await[0], "25.00");
    assert_in_order(&app).await;
});

both!(the_same_picture_twice_is_told, async |app| {
    donations(&app).await;
    let member = app.seed().member().await;
    let manager = app.seed().staff(Role::Manager).await;
    let (first, second) = (upload(&app, &member, 4).await, upload(&app, &member, 4).await);
    let body = |photo: &str| json!({"kind": "donation_money", "value": "1", "photo_ids": [photo]});
    let one = enter(&app, &member, "a", body(&first)).await.expect_status(201);
    assert_eq!(one.at("/photos/0/seen_before"), "false");
    let two = enter(&app, &member, "b", body(&second)).await.expect_status(201);
    assert_eq!(shown(&app, &manager, &two.id()).await["photos"][0]["seen_before"], true);
    assert_eq!(shown(&app, &manager, &one.id()).await["photos"][0]["seen_before"], true);
});

both!(caps_hold_over_donations_too, async |app| {
    let rule = donations(&app).await;
    set_rule(&app, rule, rules::ActiveModel { cap_day: Set(Some(10_000)), ..Default::default() }).await;
    let member = app.seed().member().await;
    let clerk = app.seed().staff(Role::Clerk).await;
    let manager = app.seed().staff(Role::Manager).await;
    let mut given = Vec::new();
    for (number, (value, points)) in [("80", "80.00"), ("80", "20.00"), ("5", "0.00")].into_iter().enumerate() {
        let id = enter(&app, &clerk, &number.to_string(), money(&member, value)).await.expect_status(201).id();
        assert_eq!(approve(&app, &manager, &id).await.expect_status(200).at("/points"), points);
        given.push(id);
    }
    let mut yesterday = money(&member, "30");
    yesterday["happened_on"] = json!("2026-11-20");
    let id = enter(&app, &clerk, "y", yesterday).await.expect_status(201).id();
    assert_eq!(approve(&app, &manager, &id).await.expect_status(200).at("/points"), "30.00");
    assert_in_order(&app).await;
});

both!(without_funds_it_is_approved_and_waits, async |app| {
    donations(&app).await;
    set_programme(&app, programme::ActiveModel { budget_required: Set(true), ..Default::default() }).await;
    let member = app.seed().member().await;
    let clerk = app.seed().staff(Role::Clerk).await;
    let manager = app.seed().staff(Role::Manager).await;
    let id = enter(&app, &clerk, "k", money(&member, "40")).await.expect_status(201).id();
    approve(&app, &manager, &id).await.expect_problem(409, "budget_exhausted");
    assert!(approve(&app, &manager, &id).await.expect_problem(409, "budget_exhausted").is_replayed());
    let waiting = shown(&app, &member, &id).await;
    assert_eq!((&waiting["status"], &waiting["points"]), (&json!("approved"), &json!("40.00")));
    assert_eq!(waiting["points_due"], "40.00");
    assert!(inbox(&app, &member).await[0].1.contains("到位"));
    assert_in_order(&app).await;
    reverse(&app, &manager, &id, "r").await.expect_status(200);
    assert_eq!(shown(&app, &member, &id).await["points_due"], "0.00");
    let journals = journal::Entity::find().filter(journal::Column::SourceKind.eq("merit"));
    assert_eq!(journals.count(&app.database.connect().await).await.unwrap(), 0);
    assert_in_order(&app).await;
});

both!(what_is_spent_cannot_be_taken_back, async |app| {
    donations(&app).await;
    let member = app.seed().member().await;
    let clerk = app.seed().staff(Role::Clerk).await;
    let manager = app.seed().staff(Role::Manager).await;
    let id = enter(&app, &clerk, "k", money(&member, "40")).await.expect_status(201).id();
    approve(&app, &manager, &id).await.expect_status(200);
    let body =
        json!({"member_id": member.id, "programme": "default", "direction": "deduct", "amount": "1", "reason": "更正"});
    app.by(&manager).post("/api/v1/points/adjustments", body).key("d").await.expect_status(201);
    reverse(&app, &manager, &id, "r").await.expect_problem(409, "insufficient_points");
    assert_eq!(shown(&app, &member, &id).await["status"], "approved");
    assert_in_order(&app).await;
});

both!(lists_are_filtered_and_paged, async |app| {
    donations(&app).await;
    rule(&app, Subject::Event, None, RuleBasis::Event, 100).await;
    let (member, other) = (app.seed().member().await, app.seed().member().in_region(SISTER).await);
    let manager = app.seed().staff(Role::Manager).await;
    let clerk = app.seed().staff(Role::Clerk).await;
    let first = enter(&app, &clerk, "1", money(&member, "1")).await.expect_status(201).id();
    let mut old = money(&other, "2");
    old["happened_on"] = json!("2026-10-01");
    let second = enter(&app, &clerk, "2", old).await.expect_status(201).id();
    let body = json!({"kind": "event", "member_id": other.id, "description": "拾金不昧"});
    let third = enter(&app, &clerk, "3", body).await.expect_status(201).id();
    approve(&app, &manager, &first).await.expect_status(200);
    let ids = async |query: &str| {
        let page = app.by(&manager).get(&format!("/api/v1/merits?{query}")).await.expect_status(200).json();
        let items = page["items"].as_array().unwrap();
        items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids("").await, [third.clone(), second.clone(), first.clone()]);
    assert_eq!(ids("status=approved").await, std::slice::from_ref(&first));
    assert_eq!(ids("kind=event").await, std::slice::from_ref(&third));
    assert_eq!(ids(&format!("region={SISTER}")).await, [third.clone(), second.clone()]);
    assert_eq!(ids(&format!("member={}", member.id)).await, std::slice::from_ref(&first));
    assert_eq!(ids("from=2026-11-01").await, [third.clone(), first.clone()]);
    assert_eq!(ids("until=2026-10-31").await, std::slice::from_ref(&second));
    assert_eq!(ids("disputed=true").await, Vec::<String>::new());
    assert_eq!(ids("disputed=false").await.len(), 3);
    let page = app.by(&manager).get("/api/v1/merits?limit=2").await.json();
    let cursor = page["next_cursor"].as_str().unwrap();
    assert_eq!(ids(&format!("limit=2&cursor={cursor}")).await, [first]);
    app.by(&manager).get("/api/v1/merits?kind=gold").await.expect_problem(422, "validation_failed");
    assert_eq!(app.by(&other).get("/api/v1/merits").await.json()["items"].as_array().unwrap().len(), 2);
    app.by(&manager).get("/api/v1/me/merits").await.expect_problem(403, "forbidden");
});

both!(an_erased_person_leaves_the_books_and_no_words, async |app| {
    donations(&app).await;
    let member = app.seed().member().await;
    let manager = app.seed().staff(Role::Manager).await;
    let photo = upload(&app, &member, 1).await;
    let body = json!({"kind": "donation_money", "value": "12", "description": "王家捐款金丝雀", "photo_ids": [photo]});
    let id = enter(&app, &member, "k", body).await.expect_status(201).id();
    let refused = app.by(&member).delete("/api/v1/me").await.expect_problem(409, "open_commitments");
    assert!(refused.at("/detail").contains("捐赠"));
    approve(&app, &manager, &id).await.expect_status(200);
    let export = app.by(&member).get("/api/v1/me/export").await.expect_status(200).json();
    assert_eq!(
        (&export["merits"][0]["description"], &export["photos"][0]["id"]),
        (&json!("王家捐款金丝雀"), &json!(photo))
    );
    app.by(&member).delete("/api/v1/me").await.expect_status(204);
    let row = rows::Entity::find().one(&app.database.connect().await).await.unwrap().unwrap();
    assert_eq!((row.description, row.points), (None, Some(1_200)));
    assert_eq!(app.by(&manager).get(&format!("/api/v1/photos/{photo}")).await.status, 404);
    assert_in_order(&app).await;
});

both!(a_changed_merit_is_found, async |app| {
    donations(&app).await;
    let member = app.seed().member().await;
    let clerk = app.seed().staff(Role::Clerk).await;
    let manager = app.seed().staff(Role::Manager).await;
    let id = enter(&app, &clerk, "k", money(&member, "40")).await.expect_status(201).id();
    approve(&app, &manager, &id).await.expect_status(200);
    let db = app.database.connect().await;
    rows::Entity::update_many()
        .col_expr(rows::Column::Points, sea_orm::sea_query::Expr::value(9_000_i64))
        .exec(&db)
        .await
        .unwrap();
    let report = linli::verify::run(&app.state.db).await.unwrap();
    let found: Vec<_> = report.findings.iter().map(|finding| (finding.check, finding.row.as_str())).collect();
    assert_eq!(found, [("merit_moved_its_points_once", id.as_str())]);
    app.clock.advance(TimeDelta::hours(1));
});
