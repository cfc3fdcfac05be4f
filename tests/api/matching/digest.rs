//! The weekly digest: once, to those who want it, from any node.

use chrono::{DateTime, TimeDelta, Utc};
use entity::inbox_message::{Column, Entity, Model};
use entity::{member, setting};
use sea_orm::{ActiveValue::Set, ColumnTrait as _, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _};
use serde_json::json;

use super::{change, free, helper, work};
use crate::support::{COMMUNITY, TestApp};

async fn digest(app: &TestApp) -> u64 {
    linli::jobs::run_once(&app.state, "recommendation_digest").await.unwrap().expect("nobody else runs it")
}

async fn digests(app: &TestApp) -> Vec<Model> {
    let of_kind = Entity::find().filter(Column::Kind.eq("recommendation.digest"));
    of_kind.order_by_asc(Column::MemberId).all(app.state.db.read()).await.unwrap()
}

fn to(app: &TestApp, at: &str) {
    let at: DateTime<Utc> = at.parse().unwrap();
    app.clock.advance(at - app.clock.now());
}

async fn set(app: &TestApp, key: &str, value: i64) {
    let row =
        setting::ActiveModel { key: Set(key.to_owned()), value: Set(json!(value)), updated_at: Set(app.clock.now()) };
    let write =
        app.state.db.write(async move |txn| setting::Entity::insert(row.clone()).exec_without_returning(txn).await);
    write.await.map_err(|error: DbErr| error).unwrap();
}

both!(the_three_best_are_told_once_a_week, async |app| {
    let other = app.second_node().await;
    let (one, two) = (helper(&app, COMMUNITY).await, helper(&app, COMMUNITY).await);
    let paused = helper(&app, COMMUNITY).await;
    change(&app, member::ActiveModel { id: Set(paused.id), offers_paused: Set(true), ..Default::default() }).await;
    let nothing_fits = app.seed().member().volunteer().await;
    free(&app, nothing_fits.id, &[(3, 0, 1)]).await;
    app.seed().member().volunteer().await;
    for week in [1, 2] {
        for hours in 0..4 {
            let from = week * 7 * 24 * 60 + hours * 60;
            work().at(from, from + 60).open(&app).await;
        }
    }
    // Monday, a minute before nine in Shanghai.
    to(&app, "2026-11-23T00:59:00Z");
    assert_eq!(digest(&app).await, 0);
    to(&app, "2026-11-23T01:00:00Z");
    assert_eq!(digest(&app).await, 2);
    assert_eq!((digest(&app).await, digest(&other).await), (0, 0));
    let told = digests(&app).await;
    let mut expected = [one.id, two.id];
    expected.sort_unstable();
    assert_eq!(told.iter().map(|message| message.member_id).collect::<Vec<_>>(), expected);
    assert_eq!(told[0].body.matches("换灯泡").count(), 3, "{}", told[0].body);
    assert!(told[0].body.contains("11月29日 09:00–10:00"), "{}", told[0].body);
    // As a run that died before it wrote down that it was done.
    let forget = app.state.db.write(async |txn| entity::job_run::Entity::delete_many().exec(txn).await);
    forget.await.map_err(|error: DbErr| error).unwrap();
    assert_eq!(digest(&other).await, 0);
    assert_eq!(digests(&app).await.len(), 2);
    app.clock.advance(TimeDelta::days(7));
    assert_eq!(digest(&other).await, 2);
    assert_eq!(digests(&app).await.len(), 4);
});

both!(when_it_comes_is_a_local_rule, async |app| {
    helper(&app, COMMUNITY).await;
    for week in [0, 1] {
        let from = week * 7 * 24 * 60;
        work().at(from, from + 60).open(&app).await;
    }
    set(&app, "recommendation.digest_weekday", 6).await;
    set(&app, "recommendation.digest_hour", 8).await;
    // It is ten on a Saturday.
    assert_eq!(digest(&app).await, 1);
    app.clock.advance(TimeDelta::days(2));
    assert_eq!(digest(&app).await, 0);
    let off = app.state.db.write(async |txn| {
        let row = setting::ActiveModel { value: Set(json!(0)), ..Default::default() };
        setting::Entity::update_many()
            .set(row)
            .filter(setting::Column::Key.eq("recommendation.digest_weekday"))
            .exec(txn)
            .await
    });
    off.await.map_err(|error: DbErr| error).unwrap();
    app.clock.advance(TimeDelta::days(5));
    assert_eq!(digest(&app).await, 0);
});
