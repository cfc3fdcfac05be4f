//! The lists: what stands on them, who sees it, openings, bookings, waitlist, records, matches, profiles.

mod bookings;
mod lists;
mod matching;
mod needs;
mod waitlist;

use ::entity::staff::Role;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::{Bearer, COMMUNITY, Staff, TestApp, at};

/// Monday, 09:00 in Shanghai: the first opening of [`weekly`].
const MONDAY: &str = "2026-11-23T01:00:00Z";

fn hours(app: &TestApp, hours: i64) -> DateTime<Utc> {
    app.clock.now() + TimeDelta::hours(hours)
}

/// A service of the community, open on Mondays from nine to eleven, for three months.
fn weekly(app: &TestApp) -> Value {
    json!({"kind": "service", "title": "义务理发", "body": "每周一上午", "category": "volunteering", "region_code": COMMUNITY,
        "capacity": 2, "measure": "人次", "window": {"from": hours(app, 1), "until": hours(app, 24 * 90)},
        "openings": {"weekly": [{"weekday": 1, "from": "09:00", "until": "11:00"}]}})
}

/// With some fields changed; null takes one away.
fn with(mut body: Value, changes: Value) -> Value {
    let Value::Object(changes) = changes else { panic!("fields of a body") };
    for (name, value) in changes {
        if value.is_null() {
            body.as_object_mut().unwrap().remove(&name);
        } else {
            body[name.as_str()] = value;
        }
    }
    body
}

async fn manager(app: &TestApp) -> Staff {
    app.seed().staff(Role::Manager).await
}

/// Posts and publishes it; its id.
async fn published(app: &TestApp, staff: &Staff, body: Value) -> String {
    let id = app.by(staff).post("/api/v1/listings", body).await.expect_status(201).id();
    publish(app, staff, &id).await;
    id
}

async fn publish(app: &TestApp, staff: &Staff, id: &str) {
    let path = format!("/api/v1/listings/{id}/publication");
    let answer = app.by(staff).post(&path, json!({})).await.expect_status(200);
    assert_eq!(answer.at("/status"), "published");
}

async fn book(app: &TestApp, who: &(impl Bearer + ?Sized), listing: &str, body: Value) -> crate::support::Answer {
    let key = uuid::Uuid::now_v7().to_string();
    app.by(who).post(&format!("/api/v1/listings/{listing}/bookings"), body).key(&key).await
}

async fn step(app: &TestApp, who: &(impl Bearer + ?Sized), booking: &str, step: &str) -> crate::support::Answer {
    app.by(who).post(&format!("/api/v1/bookings/{booking}/{step}"), json!({})).await
}

/// The invariants, as `linli verify` knows them.
async fn verify(app: &TestApp) {
    let report = linli::verify::run(&app.state.db).await.unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}

async fn inbox(app: &TestApp, who: &(impl Bearer + ?Sized)) -> Vec<String> {
    let answer = app.by(who).get("/api/v1/me/inbox?limit=100").await.expect_status(200).json();
    answer["items"].as_array().unwrap().iter().map(|item| item["kind"].as_str().unwrap().to_owned()).collect()
}

fn monday() -> DateTime<Utc> {
    at(MONDAY)
}
