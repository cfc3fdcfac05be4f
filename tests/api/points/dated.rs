//! Points that expire.

use ::entity::id::JournalId;
use ::entity::journal::JournalKind;
use chrono::{Days, NaiveDate, TimeDelta};
use linli::audit::Actor;
use linli::jobs::run_once;
use linli::points::{self, PointsError, Reversing, Source, hold};
use serde_json::{Value, json};

use super::{Draft, assert_in_order, give, standing, sums};
use crate::support::{Member, TestApp, at_once};

fn in_days(app: &TestApp, days: u64) -> NaiveDate {
    app.state.calendar.day_of(app.clock.now()) + Days::new(days)
}

async fn give_until(app: &TestApp, member: &Member, amount: i64, on: NaiveDate) {
    Draft::new(app, JournalKind::Grant, member, amount).expiring(on).post(app).await.unwrap();
}

async fn expiring(app: &TestApp, member: &Member) -> Value {
    standing(app, member).await["expiring"].clone()
}

both!(the_earliest_are_spent_first_and_a_refund_goes_back_where_it_came_from, async |app| {
    let member = app.seed().member().await;
    let (soon, later) = (in_days(&app, 5), in_days(&app, 50));
    give_until(&app, &member, 300, later).await;
    give_until(&app, &member, 200, soon).await;
    give(&app, &member, 100).await;
    assert_eq!(expiring(&app, &member).await, json!([{"on": soon, "amount": "2.00"}, {"on": later, "amount": "3.00"}]));
    let spend = Draft::new(&app, JournalKind::Spend, &member, 550);
    spend.post(&app).await.unwrap();
    assert_eq!(expiring(&app, &member).await, json!([]));
    assert_eq!(sums(&app, &member).await[0], "0.50");
    app.clock.advance(TimeDelta::days(10)); // the first bucket is over by now
    let (now, today) = (app.clock.now(), in_days(&app, 0));
    let refund = async move |txn: &linli::db::Txn| {
        let reversing = Reversing {
            journal_id: JournalId::new(),
            original: Source { kind: "test", id: spend.source_id },
            source: Source { kind: "test_refund", id: spend.source_id },
            reason: None,
            actor: Actor::System,
            now,
            today,
        };
        points::refund(txn, &reversing).await
    };
    app.state.db.write(refund).await.unwrap();
    let grace = in_days(&app, 30);
    assert_eq!(
        expiring(&app, &member).await,
        json!([{"on": grace, "amount": "2.00"}, {"on": later, "amount": "3.00"}])
    );
    assert_eq!(sums(&app, &member).await[0], "6.00");
    assert_in_order(&app).await;
});

both!(what_is_over_is_gone_once_on_two_nodes, async |app| {
    let member = app.seed().member().await;
    give_until(&app, &member, 200, in_days(&app, 5)).await;
    give(&app, &member, 100).await;
    app.clock.advance(TimeDelta::days(4));
    run_once(&app.state, "points_expiry").await.unwrap();
    assert_eq!(sums(&app, &member).await[0], "3.00");
    app.clock.advance(TimeDelta::days(1));
    let second = app.second_node().await;
    let runs = at_once([run_once(&app.state, "points_expiry"), run_once(&second.state, "points_expiry")].map(Box::pin));
    for run in runs.await {
        run.unwrap();
    }
    run_once(&app.state, "points_expiry").await.unwrap();
    assert_eq!(sums(&app, &member).await, ["1.00", "0.00", "1.00"]);
    let entries = app.by(&member).get("/api/v1/me/points/entries").await.json();
    assert_eq!((&entries["items"][0]["kind"], &entries["items"][0]["amount"]), (&json!("expire"), &json!("-2.00")));
    assert_eq!(entries["items"].as_array().unwrap().len(), 3);
    assert_in_order(&app).await;
});

both!(what_a_hold_rests_on_expires_when_the_hold_ends, async |app| {
    let member = app.seed().member().await;
    give_until(&app, &member, 200, in_days(&app, 5)).await;
    let held = Draft::new(&app, JournalKind::Spend, &member, 150);
    let opened = held.clone();
    app.state.db.write(async move |txn| hold::open(txn, &opened.posting()).await).await.unwrap();
    app.clock.advance(TimeDelta::days(6));
    run_once(&app.state, "points_expiry").await.unwrap();
    assert_eq!(sums(&app, &member).await, ["1.50", "1.50", "0.00"]);
    let spend = Draft::new(&app, JournalKind::Spend, &member, 1);
    assert!(matches!(spend.post(&app).await, Err(PointsError::Insufficient { .. })));
    app.state.db.write(async move |txn| hold::release(txn, &held.posting()).await).await.unwrap();
    run_once(&app.state, "points_expiry").await.unwrap();
    assert_eq!(sums(&app, &member).await, ["0.00", "0.00", "0.00"]);
    assert_in_order(&app).await;
});

both!(a_hold_can_be_spent_although_its_points_are_over, async |app| {
    let member = app.seed().member().await;
    give_until(&app, &member, 200, in_days(&app, 5)).await;
    give(&app, &member, 100).await;
    let mut held = Draft::new(&app, JournalKind::Spend, &member, 150);
    let opened = held.clone();
    app.state.db.write(async move |txn| hold::open(txn, &opened.posting()).await).await.unwrap();
    app.clock.advance(TimeDelta::days(6));
    held.today = in_days(&app, 0);
    app.state.db.write(async move |txn| hold::capture(txn, &held.posting()).await).await.unwrap();
    run_once(&app.state, "points_expiry").await.unwrap();
    assert_eq!(sums(&app, &member).await, ["1.00", "0.00", "1.00"]);
    assert_in_order(&app).await;
});

both!(what_is_over_cannot_be_spent_before_the_job_comes_by, async |app| {
    let member = app.seed().member().await;
    give_until(&app, &member, 200, in_days(&app, 5)).await;
    give(&app, &member, 100).await;
    app.clock.advance(TimeDelta::days(5));
    let spend = Draft::new(&app, JournalKind::Spend, &member, 101);
    assert!(matches!(spend.post(&app).await, Err(PointsError::Insufficient { .. })));
    let open = Draft::new(&app, JournalKind::Spend, &member, 101);
    let outcome = app.state.db.write(async move |txn| hold::open(txn, &open.posting()).await).await;
    assert!(matches!(outcome, Err(PointsError::Insufficient { .. })));
    Draft::new(&app, JournalKind::Spend, &member, 100).post(&app).await.unwrap();
    assert_eq!(sums(&app, &member).await, ["0.00", "0.00", "0.00"]);
    assert_in_order(&app).await;
});

both!(twenty_spends_of_dated_points_at_once, async |app| {
    let member = app.seed().member().await;
    give_until(&app, &member, 60, in_days(&app, 5)).await;
    give_until(&app, &member, 60, in_days(&app, 6)).await;
    let spends: Vec<_> = (0..20).map(|_| Draft::new(&app, JournalKind::Spend, &member, 50)).collect();
    let outcomes = at_once(spends.iter().map(|spend| Box::pin(spend.post(&app)))).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 2);
    assert_eq!(sums(&app, &member).await[0], "0.20");
    assert_in_order(&app).await;
});
