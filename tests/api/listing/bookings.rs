//! Booking, attendance, the provider's record, and what happens by itself.

use ::entity::service_record::{self, Evidence};
use ::entity::staff::Role;
use chrono::TimeDelta;
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};

use super::{MONDAY, book, hours, inbox, manager, monday, published, step, verify, weekly, with};
use crate::support::{COMMUNITY, FOREIGN, TestApp, at_once};

both!(capacity_is_booked_until_it_is_gone, async |app| {
    let (staff, one) = (manager(&app).await, app.seed().member().await);
    let (two, three) = (app.seed().member().await, app.seed().member().await);
    let id = published(&app, &staff, weekly(&app)).await;
    let made = book(&app, &one, &id, json!({"quantity": 1})).await.expect_status(201).json();
    assert_eq!((&made["status"], &made["starts_at"]), (&json!("booked"), &json!("2026-11-23T01:00:00Z")));
    assert_eq!(made["title"], "义务理发");
    book(&app, &one, &id, json!({"quantity": 1, "from": MONDAY})).await.expect_problem(409, "already_booked");
    book(&app, &two, &id, json!({"quantity": 1, "from": MONDAY})).await.expect_status(201);
    let full = book(&app, &three, &id, json!({"quantity": 1, "from": MONDAY})).await;
    full.expect_problem(409, "capacity_exhausted");
    // Without a time the next one that has room is taken.
    let next = book(&app, &three, &id, json!({"quantity": 2})).await.expect_status(201);
    assert_eq!(next.at("/starts_at"), "2026-11-30T01:00:00Z");
    let openings = app.by(&one).get(&format!("/api/v1/listings/{id}/openings")).await.json();
    let left: Vec<_> = openings["items"].as_array().unwrap().iter().map(|item| item["left"].clone()).collect();
    assert_eq!(left, [json!(0), json!(0)]);
    assert_eq!(inbox(&app, &one).await, ["booking.made"]);
    let mine = app.by(&three).get("/api/v1/me/bookings").await.json();
    assert_eq!(mine["items"].as_array().unwrap().len(), 1);
    let listed = app.by(&staff).get(&format!("/api/v1/bookings?listing={id}&status=booked&region={COMMUNITY}")).await;
    assert_eq!(listed.json()["items"].as_array().unwrap().len(), 3);
    verify(&app).await;
});

both!(refusals_of_bookings_have_names, async |app| {
    let (staff, member) = (manager(&app).await, app.seed().member().await);
    let owner = app.seed().member().await;
    let body = with(weekly(&app), json!({"member_id": owner.id}));
    let id = published(&app, &staff, body).await;
    let refused = async |who: &crate::support::Member, body: Value| {
        let answer = book(&app, who, &id, body).await;
        format!("{} {}", answer.status, answer.code())
    };
    assert_eq!(refused(&owner, json!({"quantity": 1})).await, "403 second_person_required");
    for quantity in [0, 3, 100_001] {
        assert_eq!(refused(&member, json!({"quantity": quantity})).await, "422 validation_failed", "{quantity}");
    }
    assert_eq!(refused(&member, json!({"quantity": 1, "from": "2026-11-23T01:30:00Z"})).await, "422 validation_failed");
    assert_eq!(
        refused(&member, json!({"quantity": 1, "wish_id": uuid::Uuid::now_v7()})).await,
        "422 validation_failed"
    );
    assert_eq!(refused(&member, json!({"quantity": 1, "member_id": owner.id})).await, "422 validation_failed");
    let path = format!("/api/v1/listings/{id}/bookings");
    app.by(&member).post(&path, json!({"quantity": 1})).await.expect_problem(400, "idempotency_key_required");
    let stranger = app.seed().member().in_region(FOREIGN).await;
    assert_eq!(refused(&stranger, json!({"quantity": 1})).await, "404 not_found");
    book(&app, &staff, &id, json!({"quantity": 1})).await.expect_problem(422, "validation_failed");
    book(&app, &staff, &id, json!({"quantity": 1, "member_id": stranger.id}))
        .await
        .expect_problem(422, "validation_failed");
    let auditor = app.seed().staff(Role::Auditor).await;
    book(&app, &auditor, &id, json!({"quantity": 1})).await.expect_problem(403, "forbidden");
    app.clock.advance(TimeDelta::days(2));
    assert_eq!(refused(&member, json!({"quantity": 1, "from": MONDAY})).await, "409 opening_over");
    // Staff still book for who stands before them.
    app.clock.advance(TimeDelta::minutes(-55));
    book(&app, &staff, &id, json!({"quantity": 1, "from": MONDAY, "member_id": member.id})).await.expect_status(201);
    app.by(&staff).post(&format!("/api/v1/listings/{id}/closing"), json!({})).await.expect_status(200);
    assert_eq!(refused(&owner, json!({"quantity": 1})).await, "409 listing_closed");
});

both!(a_key_books_once, async |app| {
    let (staff, member) = (manager(&app).await, app.seed().member().await);
    let id = published(&app, &staff, weekly(&app)).await;
    let path = format!("/api/v1/listings/{id}/bookings");
    let first = app.by(&member).post(&path, json!({"quantity": 2})).key("k").await.expect_status(201);
    let again = app.by(&member).post(&path, json!({"quantity": 2})).key("k").await.expect_status(201);
    assert!(again.is_replayed());
    assert_eq!(first.id(), again.id());
    app.by(&member).post(&path, json!({"quantity": 1})).key("k").await.expect_problem(422, "idempotency_key_reused");
    verify(&app).await;
});

both!(the_last_of_it_goes_to_one_of_many_on_two_nodes, async |app| {
    let staff = manager(&app).await;
    let second = app.second_node().await;
    let id = published(&app, &staff, with(weekly(&app), json!({"capacity": 3}))).await;
    let mut members = Vec::new();
    for _ in 0..12 {
        members.push(app.seed().member().await);
    }
    let calls = members.iter().enumerate().map(|(at, member)| {
        let node = if at % 2 == 0 { &app } else { &second };
        book(node, member, &id, json!({"quantity": 1, "from": MONDAY}))
    });
    let answers = futures_util::future::join_all(calls).await;
    let booked = answers.iter().filter(|answer| answer.status == 201).count();
    let refused = answers.iter().filter(|answer| answer.status == 409 && answer.code() == "capacity_exhausted").count();
    assert_eq!((booked, refused), (3, 9));
    // And once more where the places that are given up are fought for.
    let ids: Vec<_> = answers.iter().filter(|answer| answer.status == 201).map(crate::support::Answer::id).collect();
    let cancelled =
        at_once(ids.iter().map(|id| app.by(&staff).post(&format!("/api/v1/bookings/{id}/cancellation"), json!({}))));
    let again = members.iter().enumerate().map(|(at, member)| {
        let node = if at % 2 == 0 { &app } else { &second };
        book(node, member, &id, json!({"quantity": 1, "from": MONDAY, "waitlist": true}))
    });
    let (cancelled, again) = futures_util::future::join(cancelled, futures_util::future::join_all(again)).await;
    assert!(cancelled.iter().all(|answer| answer.status == 200));
    assert!(again.iter().all(|answer| answer.status == 201 || answer.code() == "already_booked"));
    verify(&app).await;
});

both!(what_was_given_becomes_one_record_of_the_provider, async |app| {
    let (staff, owner) = (manager(&app).await, app.seed().member().volunteer().await);
    let clerk = app.seed().staff(Role::Clerk).await;
    let id = published(&app, &staff, with(weekly(&app), json!({"member_id": owner.id}))).await;
    let (one, two) = (app.seed().member().await, app.seed().member().await);
    let first = book(&app, &one, &id, json!({"quantity": 1})).await.expect_status(201).id();
    let second = book(&app, &two, &id, json!({"quantity": 1})).await.expect_status(201).id();
    assert_eq!(inbox(&app, &owner).await[..2], ["booking.received", "booking.received"]);
    step(&app, &clerk, &first, "attendance").await.expect_problem(409, "invalid_transition");
    step(&app, &clerk, &first, "completion").await.expect_problem(409, "invalid_transition");
    step(&app, &one, &first, "attendance").await.expect_problem(403, "forbidden");
    app.clock.set(monday() + TimeDelta::minutes(5));
    let oneself = app.seed().staff(Role::Clerk).being(&owner).await;
    step(&app, &oneself, &first, "attendance").await.expect_problem(403, "second_person_required");
    for booking in [&first, &second] {
        assert_eq!(step(&app, &clerk, booking, "attendance").await.expect_status(200).at("/status"), "attended");
    }
    // Who came cannot give it up any more.
    step(&app, &one, &first, "cancellation").await.expect_problem(409, "invalid_transition");
    app.clock.set(monday() + TimeDelta::minutes(125));
    let done = step(&app, &clerk, &first, "completion").await.expect_status(200).json();
    let also = step(&app, &clerk, &second, "completion").await.expect_status(200).json();
    assert_eq!(done["status"], "done");
    assert_eq!(done["service_record_id"], also["service_record_id"]);
    step(&app, &clerk, &second, "completion").await.expect_problem(409, "invalid_transition");
    let record: uuid::Uuid = done["service_record_id"].as_str().unwrap().parse().unwrap();
    let found =
        service_record::Entity::find_by_id(::entity::id::ServiceRecordId(record)).one(app.state.db.read()).await;
    let found = found.unwrap().unwrap();
    assert_eq!((found.member_id, found.minutes, found.evidence), (owner.id, 120, Evidence::B));
    let path = format!("/api/v1/service-records/{record}/verification");
    let judged = app.by(&staff).post(&path, json!({"decision": "verify"})).key("v").await.expect_status(200).json();
    assert_eq!((&judged["status"], &judged["points"]), (&json!("verified"), &json!("4.00")));
    verify(&app).await;
});

both!(a_record_that_overlaps_another_is_refused_by_name, async |app| {
    let (staff, owner) = (manager(&app).await, app.seed().member().volunteer().await);
    let (other, member) = (manager(&app).await, app.seed().member().await);
    let id = published(&app, &staff, with(weekly(&app), json!({"member_id": owner.id}))).await;
    let booking = book(&app, &member, &id, json!({"quantity": 1})).await.expect_status(201).id();
    app.clock.set(monday());
    step(&app, &staff, &booking, "attendance").await.expect_status(200);
    app.clock.set(monday() + TimeDelta::hours(3));
    let entry = json!({"member_id": owner.id, "category": "neighbourly", "started_at": monday() + TimeDelta::hours(1),
        "ended_at": monday() + TimeDelta::hours(2), "reason": "另一处"});
    app.by(&other).post("/api/v1/service-records", entry).key("e").await.expect_status(201);
    let refused = step(&app, &staff, &booking, "completion").await.expect_problem(422, "validation_failed");
    assert_eq!(refused.at("/errors/0/code"), "overlapping_record");
    // With the time that it really took, typed in: D, for another manager to verify.
    let path = format!("/api/v1/bookings/{booking}/completion");
    let half = json!({"started_at": monday(), "ended_at": monday() + TimeDelta::hours(1)});
    let outside = json!({"started_at": monday() - TimeDelta::hours(1), "ended_at": monday() + TimeDelta::hours(1)});
    app.by(&staff).post(&path, outside).await.expect_problem(422, "validation_failed");
    app.by(&staff).post(&path, json!({"started_at": monday()})).await.expect_problem(422, "validation_failed");
    let done = app.by(&staff).post(&path, half).await.expect_status(200).json();
    let record =
        app.by(&staff).get(&format!("/api/v1/service-records/{}", done["service_record_id"].as_str().unwrap())).await;
    let record = record.expect_status(200).json();
    assert_eq!((&record["evidence"], &record["minutes"]), (&json!("D"), &json!(60)));
    let path = format!("/api/v1/service-records/{}/verification", record["id"].as_str().unwrap());
    app.by(&staff)
        .post(&path, json!({"decision": "verify"}))
        .key("1")
        .await
        .expect_problem(403, "second_person_required");
    app.by(&other).post(&path, json!({"decision": "verify"})).key("2").await.expect_status(200);
    verify(&app).await;
});

both!(bookings_that_nobody_settles_close_themselves, async |app| {
    let (staff, owner) = (manager(&app).await, app.seed().member().volunteer().await);
    let (came, lost) = (app.seed().member().await, app.seed().member().await);
    let id = published(&app, &staff, with(weekly(&app), json!({"member_id": owner.id}))).await;
    let first = book(&app, &came, &id, json!({"quantity": 1})).await.expect_status(201).id();
    let second = book(&app, &lost, &id, json!({"quantity": 1})).await.expect_status(201).id();
    app.clock.set(monday());
    step(&app, &staff, &first, "attendance").await.expect_status(200);
    app.clock.set(monday() + TimeDelta::hours(2 + 73));
    assert_eq!(linli::jobs::run_once(&app.state, "bookings").await.unwrap(), Some(2));
    let first = app.by(&came).get(&format!("/api/v1/bookings/{first}")).await.expect_status(200).json();
    assert_eq!(first["status"], "done");
    let record =
        app.by(&staff).get(&format!("/api/v1/service-records/{}", first["service_record_id"].as_str().unwrap())).await;
    assert_eq!((record.at("/evidence"), record.at("/minutes")), ("D".into(), "120".into()));
    assert_eq!(app.by(&lost).get(&format!("/api/v1/bookings/{second}")).await.at("/status"), "lapsed");
    assert_eq!(linli::jobs::run_once(&app.state, "bookings").await.unwrap(), Some(0));
    verify(&app).await;
});

both!(who_does_not_come_gives_it_back, async |app| {
    let (staff, member) = (manager(&app).await, app.seed().member().await);
    let body = with(
        weekly(&app),
        json!({"kind": "resource", "title": "轮椅借用", "capacity": 1, "openings": null,
        "window": {"from": hours(&app, -1), "until": hours(&app, 24 * 30)}}),
    );
    let id = published(&app, &staff, body).await;
    let other = app.seed().member().await;
    let booking = book(&app, &member, &id, json!({"quantity": 1})).await.expect_status(201);
    assert_eq!(booking.at("/ends_at"), serde_json::to_value(hours(&app, 24 * 30)).unwrap().as_str().unwrap());
    book(&app, &other, &id, json!({"quantity": 1})).await.expect_problem(409, "capacity_exhausted");
    step(&app, &staff, &booking.id(), "no-show").await.expect_status(200);
    assert_eq!(inbox(&app, &member).await, ["booking.no_show", "booking.made"]);
    book(&app, &other, &id, json!({"quantity": 1})).await.expect_status(201);
    verify(&app).await;
});

both!(changes_respect_what_is_booked, async |app| {
    let (staff, member) = (manager(&app).await, app.seed().member().await);
    let id = published(&app, &staff, weekly(&app)).await;
    book(&app, &member, &id, json!({"quantity": 2})).await.expect_status(201);
    let path = format!("/api/v1/listings/{id}");
    let changed = async |body: Value| app.by(&staff).patch(&path, body).await;
    changed(json!({"capacity": 1})).await.expect_problem(409, "has_bookings");
    changed(json!({"period": "day"})).await.expect_problem(409, "has_bookings");
    changed(json!({"openings": {"weekly": [{"weekday": 2, "from": "09:00", "until": "11:00"}]}}))
        .await
        .expect_problem(409, "has_bookings");
    let both = json!({"openings": {"weekly": [{"weekday": 1, "from": "09:00", "until": "11:00"}, {"weekday": 2, "from": "09:00", "until": "11:00"}]}});
    changed(both).await.expect_status(200);
    changed(json!({"capacity": 5})).await.expect_status(200);
    let left = app.by(&member).get(&format!("{path}/openings?until=2026-11-24T00:00:00Z")).await;
    assert_eq!(left.at("/items/0/left"), "3");
    app.by(&staff).post(&format!("{path}/withdrawal"), json!({"reason": "师傅外出"})).await.expect_status(200);
    assert_eq!(inbox(&app, &member).await[0], "booking.cancelled");
    let mine = app.by(&member).get("/api/v1/me/bookings?status=cancelled").await.json();
    assert_eq!(mine["items"].as_array().unwrap().len(), 1);
    verify(&app).await;
});

both!(a_person_takes_listings_and_bookings_along_and_is_forgotten, async |app| {
    let (staff, owner, member) = (manager(&app).await, app.seed().member().await, app.seed().member().await);
    let body = with(weekly(&app), json!({"member_id": owner.id, "title": "王师傅的手艺"}));
    let id = published(&app, &staff, body).await;
    let booking = book(&app, &member, &id, json!({"quantity": 1})).await.expect_status(201).id();
    let copy = app.by(&owner).get("/api/v1/me/export").await.expect_status(200).json();
    assert_eq!(copy["listings"][0]["title"], "王师傅的手艺");
    let copy = app.by(&member).get("/api/v1/me/export").await.expect_status(200).json();
    assert_eq!(copy["bookings"][0]["id"], json!(booking));
    app.by(&owner).delete("/api/v1/me").await.expect_status(409);
    app.by(&member).delete("/api/v1/me").await.expect_status(409);
    app.by(&owner).post(&format!("/api/v1/listings/{id}/withdrawal"), json!({})).await.expect_status(200);
    for who in [&owner, &member] {
        let erased = app.by(who).delete("/api/v1/me").await;
        assert!(erased.status < 300, "{}", erased.text());
    }
    let seen = app.by(&staff).get(&format!("/api/v1/listings/{id}")).await.expect_status(200);
    assert!(!seen.text().contains("王师傅"), "{}", seen.text());
    verify(&app).await;
});

async fn periods(app: &TestApp, period: &str, days: i64) -> usize {
    let (staff, id) = (manager(app).await, uuid::Uuid::now_v7());
    let body = with(
        weekly(app),
        json!({"title": format!("义诊{id}"), "capacity": 1, "period": period,
        "openings": {"weekly": (1..=7).map(|day| json!({"weekday": day, "from": "09:00", "until": "10:00"})).chain(
            (1..=7).map(|day| json!({"weekday": day, "from": "14:00", "until": "15:00"}))).collect::<Vec<_>>()}}),
    );
    let listing = published(app, &staff, body).await;
    let mut booked = 0;
    for day in 1..=days {
        for hour in [1, 6] {
            let member = app.seed().member().await;
            let from = app.state.calendar.start_of(app.state.calendar.day_of(app.clock.now()) + TimeDelta::days(day))
                + TimeDelta::hours(8 + hour);
            let answer = book(app, &member, &listing, json!({"quantity": 1, "from": from})).await;
            booked += usize::from(answer.status == 201);
            assert!(answer.status == 201 || answer.code() == "capacity_exhausted", "{}", answer.text());
        }
    }
    booked
}

// From Sunday on: 30 days hold two months, and four weeks begin in them beside the one that ends.
both!(capacity_counts_in_its_period, async |app| {
    assert_eq!(periods(&app, "opening", 3).await, 6);
    assert_eq!(periods(&app, "day", 3).await, 3);
    assert_eq!(periods(&app, "week", 9).await, 3);
    assert_eq!(periods(&app, "month", 11).await, 2);
    assert_eq!(periods(&app, "all", 3).await, 1);
    verify(&app).await;
});
