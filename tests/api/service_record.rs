//! Service records: who may see and decide what, minutes, second persons, overlaps, summaries.

use ::entity::category::Category;
use ::entity::claim::{self, CheckMeans, ClaimStatus};
use ::entity::id::{ClaimId, ServiceRecordId, StaffId, TaskId};
use ::entity::service_record::{self, Evidence, RecordStatus};
use ::entity::staff::Role;
use ::entity::task::{self, TaskSource, TaskStatus};
use ::entity::{audit, opening_balance};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, Set};
use serde_json::{Value, json};

use crate::support::{Answer, COMMUNITY, DISTRICT, FOREIGN, Member, SISTER, Staff, TestApp, at, at_once};

/// A pending record, as a check-out leaves it: grade B, the window half an hour longer than the service.
pub(crate) fn pending(member: &Member, ended_at: DateTime<Utc>, minutes: i32) -> service_record::ActiveModel {
    service_record::ActiveModel {
        id: Set(ServiceRecordId::new()),
        ref_id: Set(None),
        claim_id: Set(None),
        task_id: Set(None),
        activity_id: Set(None),
        member_id: Set(member.id),
        region_code: Set(member.region.clone().unwrap()),
        unit_id: Set(None),
        task_region_code: Set(None),
        category: Set(Category::Neighbourly),
        started_at: Set(ended_at - TimeDelta::minutes(minutes.into())),
        ended_at: Set(ended_at),
        window_minutes: Set(Some(minutes + 30)),
        minutes: Set(minutes),
        evidence: Set(Evidence::B),
        status: Set(RecordStatus::Pending),
        reason: Set(None),
        entered_by: Set(None),
        verified_by: Set(None),
        verified_at: Set(None),
        programme: Set("default".to_owned()),
        points: Set(None),
        rule_id: Set(None),
        counted_at: Set(None),
        reversed_at: Set(None),
        created_at: Set(ended_at),
        updated_at: Set(ended_at),
        difficulty: Set(1),
        organiser: Set(false),
    }
}

async fn seeded(app: &TestApp, record: service_record::ActiveModel) -> ServiceRecordId {
    let id = record.id.clone().unwrap();
    app.seed().insert(vec![record]).await;
    id
}

async fn post(app: &TestApp, who: &Staff, id: ServiceRecordId, action: &str, body: Value) -> Answer {
    let key = ServiceRecordId::new().to_string();
    app.by(who).post(&format!("/api/v1/service-records/{id}/{action}"), body).key(&key).await
}

async fn verify(app: &TestApp, who: &Staff, id: ServiceRecordId) -> Answer {
    post(app, who, id, "verification", json!({"decision": "verify"})).await
}

async fn enter(app: &TestApp, who: &Staff, member: &Member, from: &str, until: &str) -> Answer {
    let body = json!({"member_id": member.id, "category": "culture", "started_at": from, "ended_at": until, "reason": "设备故障，现场签到表补登"});
    let key = ServiceRecordId::new().to_string();
    app.by(who).post("/api/v1/service-records", body).key(&key).await
}

#[track_caller]
fn field(answer: &Answer) -> (String, String) {
    (answer.at("/errors/0/field"), answer.at("/errors/0/code"))
}

both!(a_verified_record_earns_once_and_is_reversed_once, async |app| {
    let volunteer = app.seed().member().volunteer().await;
    let manager = app.seed().staff(Role::Manager).in_region(COMMUNITY).await;
    let id = seeded(&app, pending(&volunteer, at("2026-11-20T03:00:00Z"), 95)).await;

    let call = app
        .by(&manager)
        .post(&format!("/api/v1/service-records/{id}/verification"), json!({"decision": "verify"}))
        .key("once");
    let verified = call.clone().await.expect_status(200);
    assert_eq!(verified.at("/status"), "verified");
    assert_eq!(verified.at("/points"), "3.16");
    assert_eq!(verified.at("/minutes"), "95");
    assert_eq!(verified.at("/verified_by"), manager.id.to_string());
    let again = call.await.expect_status(200);
    assert!(again.is_replayed());
    assert_eq!(again.body, verified.body);
    verify(&app, &manager, id).await.expect_problem(409, "invalid_transition");
    post(&app, &manager, id, "verification", json!({"decision": "reject"}))
        .await
        .expect_problem(409, "invalid_transition");

    let balance = |app: &TestApp| {
        let call = app.by(&volunteer).get("/api/v1/me/service-summary");
        async move { call.await.expect_status(200).json() }
    };
    assert_eq!(balance(&app).await["minutes"], 95);
    let reversed = post(&app, &manager, id, "reversal", json!({"reason": "重复登记"})).await.expect_status(200);
    assert_eq!((reversed.at("/status"), reversed.at("/reason")), ("reversed".into(), "重复登记".into()));
    post(&app, &manager, id, "reversal", json!({"reason": "重复登记"})).await.expect_problem(409, "invalid_transition");
    verify(&app, &manager, id).await.expect_problem(409, "invalid_transition");
    let summary = balance(&app).await;
    assert_eq!((&summary["records"], &summary["minutes"]), (&json!(0), &json!(0)));
});

both!(managers_who_verify_at_once_pay_once, async |app| {
    let volunteer = app.seed().member().volunteer().await;
    let (one, other) = (app.seed().staff(Role::Manager).await, app.seed().staff(Role::Admin).await);
    let id = seeded(&app, pending(&volunteer, at("2026-11-20T03:00:00Z"), 60)).await;
    let path = format!("/api/v1/service-records/{id}/verification");
    let calls = (0..8).map(|number| {
        let who = if number % 2 == 0 { &one } else { &other };
        app.by(who).post(&path, json!({"decision": "verify"})).key(&format!("k{number}"))
    });
    let answers = at_once(calls).await;
    let won = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(won, 1);
    for answer in answers.into_iter().filter(|answer| answer.status != 200) {
        answer.expect_problem(409, "invalid_transition");
    }
});

both!(minutes_are_lowered_freely_and_raised_with_a_reason, async |app| {
    let volunteer = app.seed().member().volunteer().await;
    let manager = app.seed().staff(Role::Manager).await;
    let record = |hour: i64| pending(&volunteer, at("2026-11-20T00:00:00Z") + TimeDelta::hours(hour), 60);
    let (low, high) = (seeded(&app, record(0)).await, seeded(&app, record(3)).await);

    let lowered = post(&app, &manager, low, "verification", json!({"decision": "verify", "minutes": 45})).await;
    assert_eq!(lowered.expect_status(200).at("/points"), "1.50");
    let body = json!({"decision": "verify", "minutes": 90});
    let refused = post(&app, &manager, high, "verification", body).await.expect_problem(422, "validation_failed");
    assert_eq!(field(&refused), ("reason".into(), "required".into()));
    let body = json!({"decision": "verify", "minutes": 91, "reason": "签退过早"});
    let refused = post(&app, &manager, high, "verification", body).await.expect_problem(422, "validation_failed");
    assert_eq!(field(&refused), ("minutes".into(), "out_of_range".into()));
    let body = json!({"decision": "verify", "minutes": 0, "reason": "签退过早"});
    post(&app, &manager, high, "verification", body).await.expect_problem(422, "validation_failed");
    let body = json!({"decision": "verify", "minutes": 90, "reason": "签退过早"});
    let raised = post(&app, &manager, high, "verification", body).await.expect_status(200);
    assert_eq!((raised.at("/minutes"), raised.at("/points")), ("90".into(), "3.00".into()));

    let trail = audit::Entity::find()
        .filter(audit::Column::Action.eq("service_record.verify"))
        .all(app.state.db.read())
        .await
        .unwrap();
    let raised = trail.iter().find(|line| line.object_id == Some(high.to_string())).unwrap();
    assert_eq!(raised.detail, Some(json!({"minutes_from": 60, "minutes_to": 90, "evidence": "B"})));
});

both!(what_somebody_typed_in_another_verifies, async |app| {
    let volunteer = app.seed().member().volunteer().await;
    let (typist, other) = (app.seed().staff(Role::Manager).await, app.seed().staff(Role::Manager).await);
    let entered = enter(&app, &typist, &volunteer, "2026-11-20T01:00:00Z", "2026-11-20T03:30:30Z").await;
    let entered = entered.expect_status(201);
    assert_eq!((entered.at("/evidence"), entered.at("/status")), ("D".into(), "pending".into()));
    assert_eq!((entered.at("/minutes"), entered.at("/points")), ("150".into(), "null".into()));
    let id: ServiceRecordId = entered.id().parse().unwrap();
    verify(&app, &typist, id).await.expect_problem(403, "second_person_required");
    post(&app, &typist, id, "verification", json!({"decision": "reject"}))
        .await
        .expect_problem(403, "second_person_required");
    assert_eq!(verify(&app, &other, id).await.expect_status(200).at("/points"), "5.00");
});

both!(nobody_decides_about_the_member_that_they_are, async |app| {
    let volunteer = app.seed().member().volunteer().await;
    let own = app.seed().staff(Role::Admin).being(&volunteer).await;
    let other = app.seed().staff(Role::Manager).await;
    let id = seeded(&app, pending(&volunteer, at("2026-11-20T03:00:00Z"), 60)).await;
    verify(&app, &own, id).await.expect_problem(403, "second_person_required");
    enter(&app, &own, &volunteer, "2026-11-19T01:00:00Z", "2026-11-19T02:00:00Z")
        .await
        .expect_problem(403, "second_person_required");
    verify(&app, &other, id).await.expect_status(200);
    post(&app, &own, id, "reversal", json!({"reason": "误登"})).await.expect_problem(403, "second_person_required");
});

both!(only_past_time_without_overlap_is_typed_in, async |app| {
    let volunteer = app.seed().member().volunteer().await;
    let manager = app.seed().staff(Role::Manager).await;
    enter(&app, &manager, &volunteer, "2026-11-20T01:00:00Z", "2026-11-20T03:00:00Z").await.expect_status(201);
    let table = [
        ("2026-11-21T01:30:00Z", "2026-11-21T02:00:01Z", "ended_at", "out_of_range"),
        ("2026-11-22T01:30:00Z", "2026-11-22T02:30:00Z", "ended_at", "out_of_range"),
        ("2026-11-19T02:00:00Z", "2026-11-19T02:00:00Z", "ended_at", "out_of_range"),
        ("2026-11-19T03:00:00Z", "2026-11-19T02:00:00Z", "ended_at", "out_of_range"),
        ("2026-11-18T01:00:00Z", "2026-11-19T01:01:00Z", "ended_at", "out_of_range"),
        ("2026-08-01T01:00:00Z", "2026-08-01T02:00:00Z", "started_at", "out_of_range"),
        ("2026-11-20T02:59:59Z", "2026-11-20T04:00:00Z", "started_at", "overlapping_record"),
        ("2026-11-20T00:00:00Z", "2026-11-20T05:00:00Z", "started_at", "overlapping_record"),
    ];
    for (from, until, name, code) in table {
        let refused = enter(&app, &manager, &volunteer, from, until).await.expect_problem(422, "validation_failed");
        assert_eq!(field(&refused), (name.into(), code.into()), "{from}");
    }
    // What touches does not overlap; another member's time is another's.
    enter(&app, &manager, &volunteer, "2026-11-20T03:00:00Z", "2026-11-20T04:00:00Z").await.expect_status(201);
    let other = app.seed().member().await;
    enter(&app, &manager, &other, "2026-11-20T01:00:00Z", "2026-11-20T03:00:00Z").await.expect_status(201);
});

both!(a_day_takes_only_so_much_by_hand, async |app| {
    let volunteer = app.seed().member().volunteer().await;
    let manager = app.seed().staff(Role::Manager).await;
    // 20 November in Shanghai is 19th 16:00 to 20th 16:00 UTC: 12 hours of it.
    enter(&app, &manager, &volunteer, "2026-11-19T16:00:00Z", "2026-11-20T00:00:00Z").await.expect_status(201);
    enter(&app, &manager, &volunteer, "2026-11-20T00:00:00Z", "2026-11-20T04:01:00Z")
        .await
        .expect_problem(422, "validation_failed");
    enter(&app, &manager, &volunteer, "2026-11-20T00:00:00Z", "2026-11-20T04:00:00Z").await.expect_status(201);
    enter(&app, &manager, &volunteer, "2026-11-20T15:00:00Z", "2026-11-20T15:01:00Z")
        .await
        .expect_problem(422, "validation_failed");
    enter(&app, &manager, &volunteer, "2026-11-20T16:00:00Z", "2026-11-20T16:01:00Z").await.expect_status(201);
});

both!(the_database_itself_refuses_overlaps, async |app| {
    let volunteer = app.seed().member().volunteer().await;
    app.seed().insert(vec![pending(&volunteer, at("2026-11-20T03:00:00Z"), 60)]).await;
    for (end, minutes, fits) in [("2026-11-20T02:30:00Z", 60, false), ("2026-11-20T04:00:00Z", 60, true)] {
        let row = pending(&volunteer, at(end), minutes);
        let outcome = app
            .state
            .db
            .write(async move |txn| service_record::Entity::insert(row.clone()).exec_without_returning(txn).await)
            .await;
        let found = outcome.map_err(|error| linli::db::fault(&error));
        assert_eq!(found.is_ok(), fits, "{found:?}");
        if let Err(found) = found {
            assert!(found.names("service_record_no_overlap"), "{found:?}");
        }
    }
});

both!(a_dispute_is_decided_anew, async |app| {
    let volunteer = app.seed().member().volunteer().await;
    let manager = app.seed().staff(Role::Manager).await;
    let record = |day: i64| pending(&volunteer, at("2026-11-10T03:00:00Z") + TimeDelta::days(day), 60);
    let dispute = async |id: ServiceRecordId| {
        let path = format!("/api/v1/service-records/{id}/dispute");
        app.by(&volunteer).post(&path, json!({"reason": "实际服务两小时"})).await
    };

    let rejected = seeded(&app, record(0)).await;
    let body = json!({"decision": "reject", "reason": "未见现场照片"});
    assert_eq!(post(&app, &manager, rejected, "verification", body).await.expect_status(200).at("/status"), "rejected");
    assert_eq!(dispute(rejected).await.expect_status(200).at("/status"), "disputed");
    dispute(rejected).await.expect_problem(409, "invalid_transition");
    assert_eq!(verify(&app, &manager, rejected).await.expect_status(200).at("/points"), "2.00");

    // One that counts goes on counting while it is disputed.
    let counted = seeded(&app, record(1)).await;
    verify(&app, &manager, counted).await.expect_status(200);
    dispute(counted).await.expect_status(200);
    let summary = app.by(&volunteer).get("/api/v1/me/service-summary").await.json();
    assert_eq!(summary["minutes"], 120);
    post(&app, &manager, counted, "verification", json!({"decision": "reject"}))
        .await
        .expect_problem(409, "invalid_transition");
    post(&app, &manager, counted, "verification", json!({"decision": "verify", "minutes": 30}))
        .await
        .expect_problem(422, "validation_failed");
    assert_eq!(verify(&app, &manager, counted).await.expect_status(200).at("/points"), "2.00");
    dispute(counted).await.expect_status(200);
    post(&app, &manager, counted, "reversal", json!({"reason": "重新登记"})).await.expect_status(200);
    dispute(counted).await.expect_problem(409, "invalid_transition");
});

both!(a_rejected_record_gives_its_time_free, async |app| {
    let volunteer = app.seed().member().volunteer().await;
    let manager = app.seed().staff(Role::Manager).await;
    let first = seeded(&app, pending(&volunteer, at("2026-11-20T03:00:00Z"), 60)).await;
    post(&app, &manager, first, "verification", json!({"decision": "reject"})).await.expect_status(200);
    seeded(&app, pending(&volunteer, at("2026-11-20T03:00:00Z"), 60)).await;
    let path = format!("/api/v1/service-records/{first}/dispute");
    let refused = app.by(&volunteer).post(&path, json!({})).await.expect_problem(422, "validation_failed");
    assert_eq!(field(&refused).1, "overlapping_record");
});

both!(every_role_may_do_its_part_and_no_more, async |app| {
    let volunteer = app.seed().member().volunteer().await;
    let neighbour = app.seed().member().volunteer().await;
    let id = seeded(&app, pending(&volunteer, at("2026-11-20T03:00:00Z"), 60)).await;
    let path = format!("/api/v1/service-records/{id}");
    let verification = json!({"decision": "verify"});
    let entry = json!({"member_id": volunteer.id, "category": "culture", "started_at": "2026-11-19T01:00:00Z",
        "ended_at": "2026-11-19T02:00:00Z", "reason": "补登"});

    // Nobody: 401. Members: their own, and no staff's call.
    for action in ["verification", "reversal", "dispute"] {
        app.post(&format!("{path}/{action}"), verification.clone()).await.expect_problem(401, "unauthenticated");
    }
    app.get(&path).await.expect_problem(401, "unauthenticated");
    app.by(&volunteer).get(&path).await.expect_status(200);
    app.by(&neighbour).get(&path).await.expect_problem(404, "not_found");
    app.by(&neighbour).post(&format!("{path}/dispute"), json!({})).await.expect_problem(404, "not_found");
    for member in [&volunteer, &neighbour] {
        app.by(member)
            .post(&format!("{path}/verification"), verification.clone())
            .key("a")
            .await
            .expect_problem(403, "forbidden");
        app.by(member)
            .post(&format!("{path}/reversal"), json!({"reason": "x"}))
            .key("b")
            .await
            .expect_problem(403, "forbidden");
        app.by(member).post("/api/v1/service-records", entry.clone()).key("c").await.expect_problem(403, "forbidden");
    }

    // Staff: reading in the subtree for all, deciding for managers and admins.
    for role in [Role::Clerk, Role::Operator, Role::GridWorker, Role::Auditor] {
        let staff = app.seed().staff(role).await;
        app.by(&staff).get(&path).await.expect_status(200);
        app.by(&staff)
            .post(&format!("{path}/verification"), verification.clone())
            .key("a")
            .await
            .expect_problem(403, "forbidden");
        app.by(&staff)
            .post(&format!("{path}/reversal"), json!({"reason": "x"}))
            .key("b")
            .await
            .expect_problem(403, "forbidden");
        app.by(&staff).post("/api/v1/service-records", entry.clone()).key("c").await.expect_problem(403, "forbidden");
        app.by(&staff).post(&format!("{path}/dispute"), json!({})).await.expect_problem(403, "forbidden");
    }
    for region in [SISTER, FOREIGN] {
        let foreign = app.seed().staff(Role::Admin).in_region(region).await;
        app.by(&foreign).get(&path).await.expect_problem(404, "not_found");
        verify(&app, &foreign, id).await.expect_problem(404, "not_found");
        post(&app, &foreign, id, "reversal", json!({"reason": "x"})).await.expect_problem(404, "not_found");
        app.by(&foreign).post("/api/v1/service-records", entry.clone()).key("c").await.expect_problem(404, "not_found");
        app.by(&foreign)
            .get(&format!("/api/v1/members/{}/service-summary", volunteer.id))
            .await
            .expect_problem(404, "not_found");
        let denied =
            audit::Entity::find().filter(audit::Column::ActorId.eq(foreign.id)).all(app.state.db.read()).await.unwrap();
        assert_eq!(denied.len(), 2);
    }
    let manager = app.seed().staff(Role::Manager).in_region(DISTRICT).await;
    verify(&app, &manager, id).await.expect_status(200);
});

both!(the_place_of_the_work_sees_the_record_too, async |app| {
    let volunteer = app.seed().member().volunteer().await;
    let there = app.seed().staff(Role::Manager).in_region(SISTER).await;
    let record = service_record::ActiveModel {
        task_region_code: Set(Some(SISTER.to_owned())),
        ..pending(&volunteer, at("2026-11-20T03:00:00Z"), 60)
    };
    let id = seeded(&app, record).await;
    assert_eq!(app.by(&there).get("/api/v1/service-records?status=pending").await.at("/items/0/id"), id.to_string());
    verify(&app, &there, id).await.expect_status(200);
});

both!(checks_come_in_the_contracts_order, async |app| {
    let manager = app.seed().staff(Role::Manager).await;
    let volunteer = app.seed().member().volunteer().await;
    let id = seeded(&app, pending(&volunteer, at("2026-11-20T03:00:00Z"), 60)).await;
    let known = format!("/api/v1/service-records/{id}/verification");
    let unknown = format!("/api/v1/service-records/{}/verification", ServiceRecordId::new());
    app.by(&manager).post(&unknown, json!({"x": 1})).await.expect_problem(404, "not_found");
    app.by(&manager).post("/api/v1/service-records/7/verification", json!({})).await.expect_problem(404, "not_found");
    app.by(&manager).post(&known, json!({"x": 1})).await.expect_problem(400, "idempotency_key_required");
    let hostile = [
        json!({}),
        json!({"decision": "maybe"}),
        json!({"decision": "verify", "status": "verified"}),
        json!({"decision": "verify", "points": "5.00"}),
        json!({"decision": "verify", "minutes": "60"}),
        json!({"decision": "verify", "minutes": 1.5}),
        json!({"decision": "verify", "minutes": -1}),
        json!({"decision": "verify", "minutes": i64::MAX}),
        json!({"decision": "reject", "minutes": 5}),
        json!({"decision": "verify", "reason": "a\u{202E}b"}),
    ];
    for body in hostile {
        app.by(&manager).post(&known, body).key("hostile").await.expect_problem(422, "validation_failed");
    }
    let empty = format!("/api/v1/service-records/{id}/reversal");
    app.by(&manager).post(&empty, json!({})).key("r").await.expect_problem(422, "validation_failed");
    app.by(&manager).post(&empty, json!({"reason": "早"})).key("r").await.expect_problem(409, "invalid_transition");
    verify(&app, &manager, id).await.expect_status(200);
});

both!(records_are_listed_by_member_status_and_region, async |app| {
    let (one, other) = (app.seed().member().volunteer().await, app.seed().member().volunteer().in_region(SISTER).await);
    let admin = app.seed().staff(Role::Admin).await;
    for day in 0..5 {
        let end = at("2026-11-10T03:00:00Z") + TimeDelta::days(day);
        seeded(&app, pending(&one, end, 60)).await;
        seeded(&app, pending(&other, end, 30)).await;
    }
    let ids = async |query: &str| -> Vec<String> {
        let mut cursor = String::new();
        let mut ids = Vec::new();
        loop {
            let page =
                app.by(&admin).get(&format!("/api/v1/service-records?{query}{cursor}")).await.expect_status(200).json();
            ids.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return ids,
            }
        }
    };
    assert_eq!(ids("limit=3").await.len(), 10);
    assert_eq!(ids(&format!("member={}&limit=2", one.id)).await.len(), 5);
    assert_eq!(ids(&format!("region={SISTER}&limit=100")).await.len(), 5);
    assert_eq!(ids("status=verified").await.len(), 0);
    let newest = ids("limit=3").await;
    assert!(newest.is_sorted_by(|left, right| left > right), "{newest:?}");
    let own = app.by(&one).get("/api/v1/me/service-records?limit=100").await.expect_status(200).json();
    assert_eq!(own["items"].as_array().unwrap().len(), 5);
    let own = app.by(&one).get(&format!("/api/v1/service-records?member={}", other.id)).await.expect_status(200).json();
    assert_eq!(own["items"], json!([]));
    app.by(&admin).get("/api/v1/me/service-records").await.expect_problem(403, "forbidden");
    app.by(&admin).get("/api/v1/service-records?status=open").await.expect_problem(422, "validation_failed");
    app.by(&admin).get("/api/v1/service-records?cursor=x").await.expect_problem(422, "validation_failed");
});

both!(a_summary_counts_what_was_carried_over_in_hours_and_stars, async |app| {
    let volunteer = app.seed().member().volunteer().await;
    let manager = app.seed().staff(Role::Manager).await;
    let carried = opening_balance::ActiveModel {
        member_id: Set(volunteer.id),
        as_of: Set(NaiveDate::from_ymd_opt(2023, 1, 1).unwrap()),
        minutes: Set(100 * 60 - 50),
    };
    app.seed().insert(vec![carried]).await;
    let id = seeded(&app, pending(&volunteer, at("2026-11-20T03:00:00Z"), 50)).await;
    let path = format!("/api/v1/members/{}/service-summary", volunteer.id);
    let summary = app.by(&manager).get(&path).await.expect_status(200).json();
    assert_eq!(summary, json!({"records": 0, "minutes": 5_950, "hours": "99.16", "star_level": 0, "by_category": []}));
    verify(&app, &manager, id).await.expect_status(200);
    let summary = app.by(&volunteer).get("/api/v1/me/service-summary").await.expect_status(200).json();
    let neighbourly = json!({"category": "neighbourly", "records": 1, "minutes": 50, "hours": "0.83"});
    assert_eq!(
        summary,
        json!({"records": 1, "minutes": 6_000, "hours": "100.00", "star_level": 1, "by_category": [neighbourly]})
    );
});

both!(a_claim_ends_with_its_record, async |app| {
    let volunteer = app.seed().member().volunteer().await;
    let manager = app.seed().staff(Role::Manager).await;
    for (decision, expected, end) in [
        ("verify", ClaimStatus::Verified, "2026-11-19T03:00:00Z"),
        ("reject", ClaimStatus::Rejected, "2026-11-20T03:00:00Z"),
    ] {
        let claim = checked_out(&app, &volunteer, at(end)).await;
        let record = service_record::ActiveModel { claim_id: Set(Some(claim)), ..pending(&volunteer, at(end), 60) };
        let id = seeded(&app, record).await;
        post(&app, &manager, id, "verification", json!({"decision": decision})).await.expect_status(200);
        let found = claim::Entity::find_by_id(claim).one(app.state.db.read()).await.unwrap().unwrap();
        assert_eq!(found.status, expected);
    }
});

/// A claim whose volunteer came and went, on a task of its own.
async fn checked_out(app: &TestApp, member: &Member, until: DateTime<Utc>) -> ClaimId {
    let (id, task_id) = (ClaimId::new(), TaskId::new());
    let from = until - TimeDelta::hours(2);
    let task = task::ActiveModel {
        id: Set(task_id),
        source_kind: Set(TaskSource::Activity),
        source_id: Set(task_id.0),
        region_code: Set(COMMUNITY.to_owned()),
        title: Set("社区清洁".to_owned()),
        body: Set("清扫楼道".to_owned()),
        category: Set(Category::Neighbourly),
        slots: Set(1),
        taken: Set(1),
        window_from: Set(from),
        window_until: Set(until),
        status: Set(TaskStatus::Done),
        place_required: Set(false),
        priority: Set(0),
        programme: Set("default".to_owned()),
        created_at: Set(from),
        updated_at: Set(until),
        ..Default::default()
    };
    let claim = claim::ActiveModel {
        id: Set(id),
        task_id: Set(task_id),
        member_id: Set(member.id),
        region_code: Set(COMMUNITY.to_owned()),
        status: Set(ClaimStatus::CheckedOut),
        window_from: Set(from),
        window_until: Set(until),
        checked_in_at: Set(Some(from)),
        check_in_means: Set(Some(CheckMeans::Code)),
        checked_out_at: Set(Some(until)),
        check_out_means: Set(Some(CheckMeans::Code)),
        created_at: Set(from),
        updated_at: Set(until),
        ..Default::default()
    };
    app.seed().insert(vec![task]).await;
    app.seed().insert(vec![claim]).await;
    id
}

both!(the_second_person_rule_stands_in_the_database, async |app| {
    let volunteer = app.seed().member().await;
    let manager = app.seed().staff(Role::Manager).await;
    let by = |who: StaffId| Set(Some(who));
    let row = service_record::ActiveModel {
        entered_by: by(manager.id),
        verified_by: by(manager.id),
        ..pending(&volunteer, at("2026-11-20T03:00:00Z"), 60)
    };
    let outcome = app
        .state
        .db
        .write(async move |txn| service_record::Entity::insert(row.clone()).exec_without_returning(txn).await)
        .await;
    assert!(linli::db::fault(&outcome.unwrap_err()).names("service_record_second_person"));
    let left = service_record::Entity::find().count(app.state.db.read()).await.unwrap();
    assert_eq!(left, 0);
});
