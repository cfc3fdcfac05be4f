//! The line of those who wait.

use chrono::TimeDelta;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::json;

use super::{MONDAY, book, inbox, manager, monday, published, step, verify, weekly, with};
use crate::support::Member;

both!(who_waits_is_served_in_order, async |app| {
    let staff = manager(&app).await;
    let id = published(&app, &staff, weekly(&app)).await;
    let mut members: Vec<Member> = Vec::new();
    for _ in 0..5 {
        members.push(app.seed().member().await);
    }
    let wait = json!({"quantity": 1, "from": MONDAY, "waitlist": true});
    let two = json!({"quantity": 2, "from": MONDAY, "waitlist": true});
    let first = book(&app, &members[0], &id, two.clone()).await.expect_status(201);
    assert_eq!(first.at("/status"), "booked");
    let second = book(&app, &members[1], &id, two).await.expect_status(201);
    let third = book(&app, &members[2], &id, wait.clone()).await.expect_status(201);
    assert_eq!((second.at("/status"), second.at("/position")), ("waiting".into(), "1".into()));
    assert_eq!(third.at("/position"), "2");
    assert_eq!(inbox(&app, &members[2]).await, ["booking.waiting"]);
    // Who comes later does not pass the line, though there would be room.
    step(&app, &members[0], &first.id(), "cancellation").await.expect_status(200);
    let answer = app.by(&members[1]).get(&format!("/api/v1/bookings/{}", second.id())).await.json();
    assert_eq!((&answer["status"], answer.get("position")), (&json!("booked"), None));
    assert_eq!(inbox(&app, &members[1]).await[0], "booking.promoted");
    let late = book(&app, &members[3], &id, json!({"quantity": 1, "from": MONDAY})).await;
    late.expect_problem(409, "capacity_exhausted");
    // A place in the line is given up, too.
    step(&app, &members[2], &third.id(), "cancellation").await.expect_status(200);
    let fourth = book(&app, &members[3], &id, wait.clone()).await.expect_status(201);
    assert_eq!(fourth.at("/position"), "1");
    // More of it goes to the line.
    app.by(&staff).patch(&format!("/api/v1/listings/{id}"), json!({"capacity": 3})).await.expect_status(200);
    assert_eq!(app.by(&members[3]).get(&format!("/api/v1/bookings/{}", fourth.id())).await.at("/status"), "booked");
    // Who waits until it begins waited in vain.
    let fifth = book(&app, &members[4], &id, wait).await.expect_status(201).id();
    verify(&app).await;
    app.clock.set(monday() + TimeDelta::seconds(1));
    assert_eq!(linli::jobs::run_once(&app.state, "bookings").await.unwrap(), Some(1));
    assert_eq!(app.by(&members[4]).get(&format!("/api/v1/bookings/{fifth}")).await.at("/status"), "lapsed");
    step(&app, &members[3], &fourth.id(), "cancellation").await.expect_problem(409, "invalid_transition");
    verify(&app).await;
});

/// Who has how much, by which booking.
type Place = (usize, i32, String);

/// What is done next, by whom.
#[derive(Clone, Copy, Debug)]
enum Act {
    Book(usize, i32),
    Cancel(usize),
}

// Whatever is booked and given up in whatever order: never more than there is, and the line is served from its head.
both!(the_line_keeps_its_order, async |app| {
    let staff = manager(&app).await;
    let mut members: Vec<Member> = Vec::new();
    for _ in 0..6 {
        members.push(app.seed().member().await);
    }
    let act = prop_oneof![
        (0..6_usize, 1..4_i32).prop_map(|(who, much)| Act::Book(who, much)),
        (0..6_usize).prop_map(Act::Cancel)
    ];
    let mut runner = TestRunner::deterministic();
    let plans = proptest::collection::vec(act, 8..20);
    for _ in 0..6 {
        let plan = plans.new_tree(&mut runner).unwrap().current();
        let id = published(&app, &staff, with(weekly(&app), json!({"capacity": 4}))).await;
        // Held and waiting, as they should be: who, how much, its booking.
        let (mut held, mut line): (Vec<Place>, Vec<Place>) = (Vec::new(), Vec::new());
        for act in &plan {
            match *act {
                Act::Book(who, much) => {
                    let body = json!({"quantity": much, "from": MONDAY, "waitlist": true});
                    let answer = book(&app, &members[who], &id, body).await;
                    if held.iter().chain(&line).any(|(other, ..)| *other == who) {
                        answer.expect_problem(409, "already_booked");
                        continue;
                    }
                    let taken: i32 = held.iter().map(|(_, much, _)| much).sum();
                    let answer = answer.expect_status(201);
                    let fits = line.is_empty() && taken + much <= 4;
                    assert_eq!(answer.at("/status"), if fits { "booked" } else { "waiting" }, "{plan:?}");
                    if fits { held.push((who, much, answer.id())) } else { line.push((who, much, answer.id())) }
                }
                Act::Cancel(who) => {
                    let mine = |(other, ..): &Place| *other == who;
                    let Some((_, _, booking)) = held.iter().chain(&line).find(|entry| mine(entry)).cloned() else {
                        continue;
                    };
                    step(&app, &members[who], &booking, "cancellation").await.expect_status(200);
                    held.retain(|entry| !mine(entry));
                    line.retain(|entry| !mine(entry));
                    while let Some((_, much, _)) = line.first() {
                        let taken: i32 = held.iter().map(|(_, much, _)| much).sum();
                        if taken + much > 4 {
                            break;
                        }
                        held.push(line.remove(0));
                    }
                }
            }
        }
        for (entries, status) in [(&held, "booked"), (&line, "waiting")] {
            for (who, _, booking) in entries {
                let found = app.by(&members[*who]).get(&format!("/api/v1/bookings/{booking}")).await.at("/status");
                assert_eq!(found, status, "{plan:?}");
            }
        }
        verify(&app).await;
    }
});
