//! What parts a task and a volunteer, each with the reason that an empty list gives; and what could never be asked.

use chrono::TimeDelta;
use entity::id::{MemberId, TaskId};
use entity::member;
use entity::qualification::{self, QualificationKind};
use entity::staff::Role;
use entity::task_hazard;
use linli::identity::sealed::{Home, seal_home};
use linli::task::check::Point;
use sea_orm::{ActiveValue::Set, DbErr, EntityTrait as _};
use serde_json::json;

use super::{adds_up, change, factor, free, helper, ids, listed, matches, recommended, skilled, work};
use crate::support::{COMMUNITY, FOREIGN, STREET, Staff, TestApp};
use crate::wish_stage::claim;

async fn qualified(app: &TestApp, who: MemberId, by: &Staff, kind: QualificationKind, code: &str, until: Option<&str>) {
    let row = qualification::ActiveModel {
        member_id: Set(who),
        kind: Set(kind),
        code: Set(code.to_owned()),
        valid_until: Set(until.map(|day| day.parse().unwrap())),
        reference_sealed: Set(None),
        recorded_by: Set(by.id),
        created_at: Set(app.clock.now()),
    };
    app.state
        .db
        .write(async move |txn| {
            let again = qualification::Entity::insert(row.clone()).on_conflict(
                sea_orm::sea_query::OnConflict::columns([
                    qualification::Column::MemberId,
                    qualification::Column::Kind,
                    qualification::Column::Code,
                ])
                .update_column(qualification::Column::ValidUntil)
                .to_owned(),
            );
            again.exec_without_returning(txn).await?;
            Ok::<_, DbErr>(())
        })
        .await
        .unwrap();
}

async fn hazard(app: &TestApp, task: TaskId, code: &str) {
    let row = task_hazard::ActiveModel { task_id: Set(task), hazard: Set(code.to_owned()) };
    app.state
        .db
        .write(async move |txn| {
            task_hazard::Entity::insert(row.clone()).exec_without_returning(txn).await?;
            Ok::<_, DbErr>(())
        })
        .await
        .unwrap();
}

/// The code of the reason why nobody fits, or `ok`.
async fn why(app: &TestApp, manager: &Staff, task: TaskId) -> String {
    let found = matches(app, manager, task).await;
    found["items"].as_array().unwrap().iter().for_each(adds_up);
    found["reason"]["code"].as_str().unwrap_or("ok").to_owned()
}

both!(an_empty_list_says_why, async |app| {
    let manager = app.seed().staff(Role::Manager).await;
    let task = work().open(&app).await;
    assert_eq!(why(&app, &manager, task).await, "no_volunteers");
    let idle = app.seed().member().volunteer().await;
    app.seed().member().party_member().await;
    app.seed().member().await;
    let found = matches(&app, &manager, task).await;
    assert_eq!(
        (&found["reason"]["code"], &found["reason"]["without_availability"]),
        (&json!("no_availability"), &json!(2))
    );
    assert_eq!(recommended(&app, &idle).await["reason"]["code"], "no_availability");
    free(&app, idle.id, &[(6, 0, 24)]).await;
    let found = matches(&app, &manager, task).await;
    assert_eq!(
        (&found["reason"]["code"], &found["reason"]["left_out"]),
        (&json!("nobody_free_then"), &json!({"time": 1}))
    );
    assert_eq!(found["reason"]["looked_at"], 1);
    assert_eq!(recommended(&app, &idle).await["reason"]["code"], "not_free_then");
    let skill = work().skills(&["S01"]).open(&app).await;
    let found = matches(&app, &manager, skill).await;
    assert_eq!(
        (&found["reason"]["code"], &found["reason"]["left_out"]),
        (&json!("nobody_with_skill"), &json!({"skill": 1}))
    );
    // A region without volunteers, and a task of the whole district.
    let foreign = app.seed().staff(Role::Manager).in_region(FOREIGN).await;
    let there = work().within(FOREIGN).open(&app).await;
    assert_eq!(why(&app, &foreign, there).await, "no_volunteers");
});

both!(licence_age_training_and_insurance_are_asked_for, async |app| {
    let manager = app.seed().staff(Role::Manager).await;
    listed(&app, &["S06"]).await;
    let db = app.database.connect().await;
    sea_orm::ConnectionTrait::execute_unprepared(
        &db,
        "UPDATE code_item SET licence = TRUE WHERE list = 'skill' AND code = 'S06'",
    )
    .await
    .unwrap();
    db.close().await.unwrap();
    let who = helper(&app, COMMUNITY).await;
    skilled(&app, who.id, &["S06"]).await;
    let task = work().skills(&["S06"]).open(&app).await;
    let seen = async || why(&app, &manager, task).await;
    assert_eq!(seen().await, "nobody_with_licence");
    assert_eq!(recommended(&app, &who).await["reason"]["code"], "no_licence");
    qualified(&app, who.id, &manager, QualificationKind::Licence, "S06", Some("2026-11-21")).await;
    assert_eq!(seen().await, "nobody_with_licence", "it ends on the day before");
    qualified(&app, who.id, &manager, QualificationKind::Licence, "S06", Some("2026-11-22")).await;
    assert_eq!(seen().await, "ok");
    // H02 asks for T02, an insurance and eighteen years.
    hazard(&app, task, "H02").await;
    assert_eq!(seen().await, "nobody_trained");
    qualified(&app, who.id, &manager, QualificationKind::Training, "T02", None).await;
    assert_eq!(seen().await, "nobody_insured");
    qualified(&app, who.id, &manager, QualificationKind::Insurance, "insurance", Some("2027-11-21")).await;
    assert_eq!(seen().await, "ok");
    for (year, expected) in [(Some(2009), "nobody_of_age"), (Some(2008), "ok"), (None, "nobody_of_age")] {
        change(&app, member::ActiveModel { id: Set(who.id), birth_year: Set(year), ..Default::default() }).await;
        assert_eq!(seen().await, expected, "{year:?}");
    }
});

both!(other_claims_and_weekly_hours_count, async |app| {
    let manager = app.seed().staff(Role::Manager).await;
    let who = helper(&app, COMMUNITY).await;
    let taken = work().open(&app).await;
    claim(&app, &who, &taken.to_string()).await.expect_status(201);
    let clash = work().at(119, 180).open(&app).await;
    let next = work().at(120, 180).open(&app).await;
    assert_eq!(
        (why(&app, &manager, clash).await, why(&app, &manager, next).await),
        ("all_busy_then".into(), "ok".into())
    );
    assert_eq!(why(&app, &manager, taken).await, "all_asked_already");
    let hours = |hours| member::ActiveModel { id: Set(who.id), max_hours_week: Set(Some(hours)), ..Default::default() };
    change(&app, hours(3)).await;
    assert_eq!(why(&app, &manager, next).await, "ok");
    let longer = work().at(120, 181).open(&app).await;
    assert_eq!(why(&app, &manager, longer).await, "weekly_hours_used");
    // The week ends with Sunday: Monday's minutes are the next one's.
    free(&app, who.id, &[(1, 0, 24)]).await;
    let over = work().at(14 * 60, 17 * 60).open(&app).await;
    assert_eq!(why(&app, &manager, over).await, "ok");
    change(&app, hours(2)).await;
    assert_eq!(why(&app, &manager, over).await, "weekly_hours_used");
});

both!(windows_cross_midnights_and_weeks, async |app| {
    let manager = app.seed().staff(Role::Manager).await;
    let who = app.seed().member().volunteer().await;
    free(&app, who.id, &[(7, 20, 24), (1, 0, 2)]).await;
    // Sunday 22:00 to Monday 02:00: all of it; to 06:00 half; to 06:01 less.
    let night = |until| work().at(13 * 60, until);
    let all = night(17 * 60).open(&app).await;
    let half = night(21 * 60).open(&app).await;
    let less = night(21 * 60 + 1).open(&app).await;
    assert_eq!(factor(&matches(&app, &manager, all).await["items"][0], "time"), Some(20));
    assert_eq!(factor(&matches(&app, &manager, half).await["items"][0], "time"), Some(10));
    assert_eq!(why(&app, &manager, less).await, "nobody_free_then");
    // A fortnight of nights and days.
    let fortnight = work().at(0, 14 * 24 * 60).open(&app).await;
    assert_eq!(why(&app, &manager, fortnight).await, "nobody_free_then");
    let always = helper(&app, COMMUNITY).await;
    free(&app, always.id, &[(1, 0, 24), (2, 0, 24), (3, 0, 24), (4, 0, 24), (5, 0, 24), (6, 0, 24)]).await;
    assert_eq!(factor(&matches(&app, &manager, fortnight).await["items"][0], "time"), Some(20));
});

both!(nobody_is_matched_with_their_own_wish, async |app| {
    let stage = crate::wish_stage::Stage::new(&app).await;
    let who = helper(&app, COMMUNITY).await;
    let body = crate::wish_stage::wish_body(
        &app,
        json!({"window": {"from": "2026-11-22T01:00:00Z", "until": "2026-11-22T02:00:00Z"}}),
    );
    let wish = app.by(&who).post("/api/v1/wishes", body).await.expect_status(201).id();
    let task: TaskId = stage.review(&app, &wish).await.parse().unwrap();
    assert_eq!(why(&app, &stage.manager, task).await, "all_asked_already");
    assert_eq!(recommended(&app, &who).await["items"], json!([]));
});

both!(what_is_nonsense_does_no_harm, async |app| {
    let manager = app.seed().staff(Role::Manager).await;
    let who = helper(&app, COMMUNITY).await;
    let codes: Vec<String> = (0..10_000).map(|number| format!("X{number:05}")).collect();
    let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
    let many = work().skills(&codes[..400]).open(&app).await;
    // As many as a script may write.
    for part in codes[400..].chunks(2_000) {
        let rows: Vec<_> = part
            .iter()
            .map(|code| entity::task_skill::ActiveModel { task_id: Set(many), skill: Set((*code).to_owned()) })
            .collect();
        let write = app.state.db.write(async move |txn| {
            entity::task_skill::Entity::insert_many(rows.clone()).exec_without_returning(txn).await
        });
        write.await.map_err(|error: DbErr| error).unwrap();
    }
    assert_eq!(why(&app, &manager, many).await, "nobody_with_skill");
    skilled(&app, who.id, &["X00007"]).await;
    let found = matches(&app, &manager, many).await;
    assert_eq!((factor(&found["items"][0], "skill"), ids(&found, "member_id").len()), (Some(0), 1));
    // A task of a street, of another kind of place, and places that are none.
    let street = work().within(STREET).open(&app).await;
    assert_eq!(factor(&matches(&app, &manager_of(&app, STREET).await, street).await["items"][0], "near"), Some(18));
    let at = |lat, lon| Home { lat: Some(lat), lon: Some(lon), address: None };
    let mut placed = work();
    placed.place = Some(Point { lat: 39.935, lon: 119.6 });
    let placed = placed.open(&app).await;
    for (home, metres) in [
        (at(39.945, 119.6), Some(1_100)),
        (at(31.2, 121.5), None),
        (at(999.0, 119.6), None),
        (at(0.0, 0.0), None),
        (Home { lat: Some(39.9), lon: None, address: None }, None),
    ] {
        let sealed = seal_home(&app.state.keys, &home);
        change(&app, member::ActiveModel { id: Set(who.id), home_sealed: Set(Some(sealed)), ..Default::default() })
            .await;
        let found = matches(&app, &manager, placed).await;
        let metres = metres.map(|metres: i64| metres - metres % 100);
        assert_eq!(factor(&found["items"][0], "metres").map(|metres| metres - metres % 100), metres, "{home:?}");
        let found = recommended(&app, &who).await;
        let own =
            found["items"].as_array().unwrap().iter().find(|item| item["id"] == placed.to_string()).unwrap().clone();
        assert_eq!(factor(&own, "metres").is_some(), metres.is_some());
    }
    change(&app, member::ActiveModel { id: Set(who.id), home_sealed: Set(Some(vec![1, 2, 3])), ..Default::default() })
        .await;
    assert_eq!(why(&app, &manager, placed).await, "ok");
    app.clock.advance(TimeDelta::days(3));
    let manager = app.seed().staff(Role::Manager).await;
    assert_eq!(why(&app, &manager, placed).await, "task_closed");
});

async fn manager_of(app: &TestApp, region: &str) -> Staff {
    app.seed().staff(Role::Manager).in_region(region).await
}
