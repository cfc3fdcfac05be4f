//! Who fits a task and what fits a volunteer: order, factors, filters, reasons; and that every change is seen by the next call.

mod changes;
mod digest;
mod filters;

use chrono::{DateTime, TimeDelta, Utc};
use entity::category::Category;
use entity::id::{MemberId, TaskId, WishId};
use entity::staff::Role;
use entity::task::TaskSource;
use entity::{availability, code_item, member, member_skill};
use linli::task::check::Point;
use linli::task::service::{NewTask, Window, open};
use sea_orm::{ActiveModelTrait as _, ActiveValue::Set, DbErr, EntityTrait as _};
use serde_json::{Value, json};

use crate::support::{COMMUNITY, Member, Staff, TestApp};

/// START is a Saturday, 10:00 in Shanghai; the window of [`work`] is Sunday 09:00 to 11:00.
const SUNDAY_NINE: &str = "2026-11-22T01:00:00Z";

/// What a task is made of.
#[derive(Clone)]
pub(crate) struct Work {
    pub(crate) region: String,
    pub(crate) skills: Vec<String>,
    pub(crate) from: DateTime<Utc>,
    pub(crate) until: DateTime<Utc>,
    pub(crate) slots: i32,
    pub(crate) priority: i32,
    pub(crate) place: Option<Point>,
}

/// Two hours of Sunday morning, without skills.
pub(crate) fn work() -> Work {
    let from: DateTime<Utc> = SUNDAY_NINE.parse().unwrap();
    Work {
        region: COMMUNITY.to_owned(),
        skills: Vec::new(),
        from,
        until: from + TimeDelta::hours(2),
        slots: 1,
        priority: 0,
        place: None,
    }
}

impl Work {
    pub(crate) fn skills(mut self, codes: &[&str]) -> Self {
        self.skills = codes.iter().map(|code| (*code).to_owned()).collect();
        self
    }

    pub(crate) fn within(mut self, region: &str) -> Self {
        region.clone_into(&mut self.region);
        self
    }

    /// Minutes from Sunday 09:00.
    pub(crate) fn at(mut self, from: i64, until: i64) -> Self {
        let nine: DateTime<Utc> = SUNDAY_NINE.parse().unwrap();
        (self.from, self.until) = (nine + TimeDelta::minutes(from), nine + TimeDelta::minutes(until));
        self
    }

    pub(crate) fn slots(mut self, slots: i32) -> Self {
        self.slots = slots;
        self
    }

    /// Opens the task, as a source of tasks would.
    pub(crate) async fn open(self, app: &TestApp) -> TaskId {
        let id = TaskId::new();
        let now = app.clock.now();
        let new = NewTask {
            id,
            source_kind: TaskSource::Activity,
            source_id: WishId::new().0,
            region_code: self.region,
            title: "换灯泡".to_owned(),
            body: "客厅的灯坏了".to_owned(),
            category: Category::Neighbourly,
            domain: None,
            skills: self.skills,
            hazards: Vec::new(),
            slots: self.slots,
            window: Window { from: self.from, until: self.until },
            place: self.place,
            place_required: false,
            risk_notice: None,
            priority: self.priority,
            programme: "default".to_owned(),
            difficulty: 1,
        };
        app.state.db.write(async move |txn| open(txn, new.clone(), now).await).await.unwrap();
        id
    }
}

/// Weekly spans: weekday, hours.
pub(crate) async fn free(app: &TestApp, who: MemberId, spans: &[(i16, i16, i16)]) {
    let rows: Vec<_> = spans
        .iter()
        .map(|(weekday, from, until)| availability::ActiveModel {
            member_id: Set(who),
            weekday: Set(*weekday),
            from_minute: Set(from * 60),
            until_minute: Set(until * 60),
        })
        .collect();
    app.state
        .db
        .write(async move |txn| {
            availability::Entity::insert_many(rows.clone()).exec_without_returning(txn).await?;
            Ok::<_, DbErr>(())
        })
        .await
        .unwrap();
}

pub(crate) async fn skilled(app: &TestApp, who: MemberId, codes: &[&str]) {
    let rows: Vec<_> = codes
        .iter()
        .map(|code| member_skill::ActiveModel { member_id: Set(who), skill: Set((*code).to_owned()) })
        .collect();
    app.state
        .db
        .write(async move |txn| {
            member_skill::Entity::insert_many(rows.clone()).exec_without_returning(txn).await?;
            Ok::<_, DbErr>(())
        })
        .await
        .unwrap();
}

/// Puts skills on the list.
pub(crate) async fn listed(app: &TestApp, codes: &[&str]) {
    let rows = codes.iter().map(|code| code_item::ActiveModel {
        list: Set("skill".to_owned()),
        code: Set((*code).to_owned()),
        name: Set((*code).to_owned()),
        ..code_item::Model::default().into()
    });
    app.seed().insert(rows.collect()).await;
}

pub(crate) async fn change(app: &TestApp, row: member::ActiveModel) {
    app.state.db.write(async move |txn| row.clone().update(txn).await.map(drop)).await.unwrap();
}

/// A volunteer who is free all Sunday.
pub(crate) async fn helper(app: &TestApp, region: &str) -> Member {
    let who = app.seed().member().volunteer().in_region(region).await;
    free(app, who.id, &[(7, 0, 24)]).await;
    who
}

/// The matches of a task as its manager sees them.
pub(crate) async fn matches(app: &TestApp, manager: &Staff, task: TaskId) -> Value {
    app.by(manager).get(&format!("/api/v1/tasks/{task}/matches")).await.expect_status(200).json()
}

pub(crate) async fn recommended(app: &TestApp, who: &Member) -> Value {
    app.by(who).get("/api/v1/me/recommendations").await.expect_status(200).json()
}

/// The ids of a list's items.
pub(crate) fn ids(list: &Value, field: &str) -> Vec<String> {
    list["items"].as_array().unwrap().iter().map(|item| item[field].as_str().unwrap().to_owned()).collect()
}

fn factor(item: &Value, name: &str) -> Option<i64> {
    let factors = item["factors"].as_array().unwrap();
    factors.iter().find(|factor| factor["name"] == name).map(|factor| factor["value"].as_i64().unwrap())
}

/// The counted factors make the score, and all others count nothing.
fn adds_up(item: &Value) {
    let factors = item["factors"].as_array().unwrap();
    let number = |factor: &Value, field: &str| factor[field].as_i64().unwrap();
    let counted = factors.iter().filter(|factor| number(factor, "max") > 0);
    let (value, most) = counted.fold((0, 0), |(value, most), factor| {
        assert!((0..=number(factor, "max")).contains(&number(factor, "value")), "{factor}");
        (value + number(factor, "value"), most + number(factor, "max"))
    });
    assert_eq!((item["score"].as_i64().unwrap(), most), (value, 100), "{item}");
}

/// A community of the same street.
const BESIDE: &str = crate::support::SISTER;

both!(the_best_come_first_and_say_why, async |app| {
    let manager = app.seed().staff(Role::Manager).await;
    let near = helper(&app, COMMUNITY).await;
    let far = helper(&app, BESIDE).await;
    let half = app.seed().member().volunteer().called("王小明").await;
    free(&app, half.id, &[(7, 9, 10)]).await;
    let task = work().open(&app).await;
    let found = matches(&app, &manager, task).await;
    let best: Vec<String> = [&near, &half, &far].map(|who| who.id.to_string()).into();
    assert_eq!(ids(&found, "member_id"), best);
    let items = found["items"].as_array().unwrap();
    items.iter().for_each(adds_up);
    assert_eq!((items[0]["score"].as_i64(), items[1]["score"].as_i64()), (Some(100), Some(90)));
    assert_eq!(
        (factor(&items[1], "skill"), factor(&items[1], "near"), factor(&items[1], "time")),
        (Some(50), Some(30), Some(10))
    );
    assert_eq!((items[1]["name"].as_str(), items[1]["ref"].as_str()), (Some("王*"), Some(half.ref_id.as_str())));
    assert!(found.get("reason").is_none() && found["next_cursor"].is_null());
    let path = format!("/api/v1/tasks/{task}/matches?limit=1");
    assert_eq!(ids(&app.by(&manager).get(&path).await.expect_status(200).json(), "member_id"), [near.id.to_string()]);
    for bad in ["limit=0", "limit=101", "limit=x", "limit=-1"] {
        let path = format!("/api/v1/tasks/{task}/matches?{bad}");
        app.by(&manager).get(&path).await.expect_problem(422, "validation_failed");
        app.by(&near).get(&format!("/api/v1/me/recommendations?{bad}")).await.expect_problem(422, "validation_failed");
    }
});

both!(a_volunteer_is_recommended_what_fits, async |app| {
    let who = helper(&app, COMMUNITY).await;
    skilled(&app, who.id, &["S01"]).await;
    let near = work().open(&app).await;
    let far = work().within(BESIDE).open(&app).await;
    let mut urgent = work();
    urgent.priority = 5;
    let urgent = urgent.open(&app).await;
    let skill = work().skills(&["S01", "S02"]).open(&app).await;
    work().skills(&["S03"]).open(&app).await;
    work().at(24 * 60, 25 * 60).open(&app).await;
    let found = recommended(&app, &who).await;
    let items = found["items"].as_array().unwrap();
    items.iter().for_each(adds_up);
    let best: Vec<String> = [urgent, near, far, skill].map(|task| task.to_string()).into();
    let scores: Vec<i64> = items.iter().map(|item| item["score"].as_i64().unwrap()).collect();
    assert_eq!(scores, [100, 100, 88, 75]);
    assert_eq!(ids(&found, "id"), best);
    assert_eq!(factor(&items[0], "priority"), Some(5));
    assert!(items.iter().all(|item| factor(item, "special_group").is_none()), "for staff only");
    assert_eq!(items[3]["skills"], json!(["S01", "S02"]));
    let best = app.by(&who).get("/api/v1/me/recommendations?limit=2").await.expect_status(200).json();
    assert_eq!(best["items"].as_array().unwrap().len(), 2);
});

both!(who_may_ask, async |app| {
    let manager = app.seed().staff(Role::Manager).await;
    let clerk = app.seed().staff(Role::Clerk).await;
    let foreign = app.seed().staff(Role::Manager).in_region(crate::support::FOREIGN).await;
    let who = helper(&app, COMMUNITY).await;
    let plain = app.seed().member().await;
    let newcomer = app.seed().member().volunteer().incomplete().await;
    let task = work().open(&app).await;
    let path = format!("/api/v1/tasks/{task}/matches");
    app.get(&path).await.expect_problem(401, "unauthenticated");
    app.by(&who).get(&path).await.expect_problem(403, "forbidden");
    app.by(&clerk).get(&path).await.expect_problem(403, "forbidden");
    app.by(&foreign).get(&path).await.expect_problem(404, "not_found");
    app.by(&manager).get("/api/v1/tasks/nonsense/matches").await.expect_problem(404, "not_found");
    app.by(&foreign).get(&format!("{path}?limit=0")).await.expect_problem(404, "not_found");
    let path = "/api/v1/me/recommendations";
    app.get(path).await.expect_problem(401, "unauthenticated");
    app.by(&plain).get(path).await.expect_problem(403, "not_a_volunteer");
    app.by(&newcomer).get(path).await.expect_problem(403, "profile_incomplete");
    app.by(&manager).get(path).await.expect_problem(403, "forbidden");
});

both!(equals_come_by_claims_of_late_then_no_shows_then_ids, async |app| {
    let manager = app.seed().staff(Role::Manager).await;
    let busy = helper(&app, COMMUNITY).await;
    let missed = helper(&app, COMMUNITY).await;
    let fresh = helper(&app, COMMUNITY).await;
    let other = work().at(600, 660).open(&app).await;
    crate::wish_stage::claim(&app, &busy, &other.to_string()).await.expect_status(201);
    let begun = work().at(-24 * 60, -22 * 60).open(&app).await;
    let claim = crate::wish_stage::claim(&app, &missed, &begun.to_string()).await.expect_status(201).id();
    let clerk = app.seed().staff(Role::Clerk).await;
    app.by(&clerk).post(&format!("/api/v1/claims/{claim}/no-show"), json!({})).await.expect_status(200);
    let task = work().open(&app).await;
    let found = matches(&app, &manager, task).await;
    let best: Vec<String> = [&fresh, &missed, &busy].map(|who| who.id.to_string()).into();
    assert_eq!(ids(&found, "member_id"), best);
    assert_eq!(factor(&found["items"][1], "no_shows"), Some(1));
    assert_eq!(factor(&found["items"][2], "fair_share"), Some(1));
    // After a month a claim is forgotten. The task of then is on a Sunday, too.
    app.clock.advance(TimeDelta::days(35));
    let mut later = work();
    (later.from, later.until) = (later.from + TimeDelta::days(35), later.until + TimeDelta::days(35));
    let later = later.open(&app).await;
    let manager = app.seed().staff(Role::Manager).await;
    let found = matches(&app, &manager, later).await;
    assert_eq!(found["items"].as_array().unwrap().iter().filter_map(|item| factor(item, "fair_share")).max(), Some(0));
});
