//! What members and staff see.

use ::entity::id::MemberId;
use ::entity::journal::JournalKind;
use ::entity::programme::{self, Expiry};
use ::entity::staff::Role;
use sea_orm::Set;
use serde_json::json;

use super::{Draft, give};
use crate::support::{DISTRICT, FOREIGN, TestApp};

async fn add_programme(app: &TestApp, code: &str, region: Option<&str>) {
    let row = programme::ActiveModel {
        code: Set(code.to_owned()),
        name: Set("福分".to_owned()),
        unit_name: Set("福".to_owned()),
        region_code: Set(region.map(str::to_owned)),
        expiry: Set(Expiry::Months),
        expiry_months: Set(Some(12)),
        reopen_days: Set(7),
        created_at: Set(app.clock.now()),
        ..Default::default()
    };
    app.seed().insert(vec![row]).await;
}

both!(a_new_member_has_nothing_in_the_programmes_of_the_region, async |app| {
    let member = app.seed().member().await;
    add_programme(&app, "near", Some(DISTRICT)).await;
    add_programme(&app, "far", Some(FOREIGN)).await;
    let answer = app.by(&member).get("/api/v1/me/points").await.expect_status(200);
    let empty = |code, name, unit| {
        json!({"code": code, "name": name, "unit": unit, "balance": "0.00", "held": "0.00", "available": "0.00",
            "earned": "0.00", "due": "0.00", "expiring": []})
    };
    assert_eq!(answer.json(), json!({"programmes": [empty("default", "积分", "分"), empty("near", "福分", "福")]}));
    let programmes = app.by(&member).get("/api/v1/points/programmes").await.expect_status(200).json();
    assert_eq!(programmes["items"].as_array().unwrap().len(), 3);
    app.get("/api/v1/points/programmes").await.expect_problem(401, "unauthenticated");
});

both!(balances_after_each_posting_are_carried_over_pages_and_programmes, async |app| {
    let member = app.seed().member().await;
    add_programme(&app, "other", None).await;
    for (programme, amount) in [("other", 900), ("default", 100), ("default", 250), ("other", 50), ("default", 1)] {
        let mut draft = Draft::new(&app, JournalKind::Grant, &member, amount);
        programme.clone_into(&mut draft.programme);
        draft.post(&app).await.unwrap();
    }
    Draft::new(&app, JournalKind::Spend, &member, 51).post(&app).await.unwrap();
    let mut seen = Vec::new();
    let mut query = String::new();
    loop {
        let answer = app.by(&member).get(&format!("/api/v1/me/points/entries?limit=2{query}")).await.expect_status(200);
        for item in answer.json()["items"].as_array().unwrap() {
            let text = |field: &str| item[field].as_str().unwrap().to_owned();
            seen.push((text("programme"), text("amount"), text("balance_after"), text("kind")));
        }
        let Some(next) = answer.json()["next_cursor"].as_str().map(str::to_owned) else { break };
        query = format!("&cursor={next}");
        if seen.len() == 2 {
            give(&app, &member, 10_000).await; // what comes meanwhile does not disturb the walk
        }
    }
    let line = |programme: &str, amount: &str, after: &str, kind: &str| {
        (programme.to_owned(), amount.to_owned(), after.to_owned(), kind.to_owned())
    };
    let expected = [
        line("default", "-0.51", "3.00", "spend"),
        line("default", "0.01", "3.51", "grant"),
        line("other", "0.50", "9.50", "grant"),
        line("default", "2.50", "3.50", "grant"),
        line("default", "1.00", "1.00", "grant"),
        line("other", "9.00", "9.00", "grant"),
    ];
    assert_eq!(seen, expected);
    let one = app.by(&member).get("/api/v1/me/points/entries?programme=other").await.expect_status(200).json();
    assert_eq!(one["items"].as_array().unwrap().len(), 2);
    app.by(&member).get("/api/v1/me/points/entries?cursor=AAAA").await.expect_problem(422, "validation_failed");
    app.by(&member).get("/api/v1/me/points/entries?limit=101").await.expect_problem(422, "validation_failed");
});

both!(points_are_seen_by_their_member_and_staff_of_the_subtree, async |app| {
    let (member, other) = (app.seed().member().await, app.seed().member().await);
    let clerk = app.seed().staff(Role::Clerk).await;
    let foreign = app.seed().staff(Role::Admin).in_region(FOREIGN).await;
    give(&app, &member, 500).await;
    for path in
        [format!("/api/v1/members/{}/points", member.id), format!("/api/v1/members/{}/points/entries", member.id)]
    {
        app.by(&clerk).get(&path).await.expect_status(200);
        app.by(&foreign).get(&path).await.expect_problem(404, "not_found");
        app.by(&member).get(&path).await.expect_status(200);
        app.by(&other).get(&path).await.expect_problem(404, "not_found");
        app.get(&path).await.expect_problem(401, "unauthenticated");
    }
    let nobody = format!("/api/v1/members/{}/points", MemberId::new());
    app.by(&clerk).get(&nobody).await.expect_problem(404, "not_found");
    app.by(&clerk).get("/api/v1/members/x/points").await.expect_problem(404, "not_found");
    app.by(&clerk).get("/api/v1/me/points").await.expect_problem(403, "forbidden");
});
