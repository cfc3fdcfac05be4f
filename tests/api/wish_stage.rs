//! What most tests of wishes, tasks and claims begin with: people, a wish, its task.

use chrono::{TimeDelta, Timelike as _};
use entity::staff::Role;
use serde_json::{Value, json};

use crate::support::{Answer, Bearer, Member, Staff, TestApp};

/// A resident, a volunteer and the staff of their community.
pub(crate) struct Stage {
    pub(crate) resident: Member,
    pub(crate) volunteer: Member,
    pub(crate) manager: Staff,
    pub(crate) clerk: Staff,
}

impl Stage {
    pub(crate) async fn new(app: &TestApp) -> Self {
        Self {
            resident: app.seed().member().called("李秀兰").await,
            volunteer: app.seed().member().called("张伟").volunteer().await,
            manager: app.seed().staff(Role::Manager).await,
            clerk: app.seed().staff(Role::Clerk).await,
        }
    }

    /// Posts a wish; `changes` replace fields of [`wish_body`].
    pub(crate) async fn post(&self, app: &TestApp, changes: Value) -> String {
        app.by(&self.resident).post("/api/v1/wishes", wish_body(app, changes)).await.expect_status(201).id()
    }

    /// Posts and publishes a wish; its id and its task's.
    pub(crate) async fn publish(&self, app: &TestApp, changes: Value) -> (String, String) {
        let wish = self.post(app, changes).await;
        let task = self.review(app, &wish).await;
        (wish, task)
    }

    /// Publishes a wish; its task's id.
    pub(crate) async fn review(&self, app: &TestApp, wish: &str) -> String {
        let body = json!({"decision": "publish", "risk_notice": "注意用电安全"});
        let path = format!("/api/v1/wishes/{wish}/review");
        app.by(&self.manager).post(&path, body).await.expect_status(200).at("/task_id")
    }

    /// The code shown at the place of a task.
    pub(crate) async fn code(&self, app: &TestApp, task: &str) -> String {
        let path = format!("/api/v1/tasks/{task}/check-in-code");
        app.by(&self.clerk).get(&path).await.expect_status(200).at("/code")
    }

    /// Checks a claim in by code, at once.
    pub(crate) async fn check_in(&self, app: &TestApp, who: &Member, task: &str, claim: &str) -> Answer {
        let code = self.code(app, task).await;
        app.by(who).post(&format!("/api/v1/claims/{claim}/check-in"), json!({ "code": code })).await
    }

    /// Checks a claim out by code, at once.
    pub(crate) async fn check_out(&self, app: &TestApp, who: &Member, task: &str, claim: &str) -> Answer {
        let code = self.code(app, task).await;
        app.by(who).post(&format!("/api/v1/claims/{claim}/check-out"), json!({ "code": code })).await
    }

    /// Checks in and out again half an hour later, from the beginning of the window on.
    pub(crate) async fn serve(&self, app: &TestApp, who: &Member, task: &str, claim: &str) {
        self.check_in(app, who, task, claim).await.expect_status(200);
        app.clock.advance(TimeDelta::minutes(30));
        self.check_out(app, who, task, claim).await.expect_status(200);
    }
}

/// A wish for one volunteer, from in an hour until in three.
#[allow(clippy::needless_pass_by_value, reason = "called with json!, as the calls themselves")]
pub(crate) fn wish_body(app: &TestApp, changes: Value) -> Value {
    let mut body = json!({
        "title": "换灯泡",
        "body": "客厅的灯坏了，够不着",
        "category": "neighbourly",
        "window": window(app, 60, 180),
        "place": {"lat": 39.935_54, "lon": 119.600_46, "address": "幸福里3号楼2单元501"},
    });
    for (field, value) in changes.as_object().unwrap() {
        if value.is_null() {
            body.as_object_mut().unwrap().remove(field);
        } else {
            body[field] = value.clone();
        }
    }
    body
}

/// A window in minutes from now.
pub(crate) fn window(app: &TestApp, from: i64, until: i64) -> Value {
    let now = app.clock.now();
    json!({"from": now + TimeDelta::minutes(from), "until": now + TimeDelta::minutes(until)})
}

/// Claims a task.
pub(crate) async fn claim(app: &TestApp, who: &(impl Bearer + ?Sized), task: &str) -> Answer {
    app.by(who).post(&format!("/api/v1/tasks/{task}/claims"), json!({})).await
}

pub(crate) async fn wish(app: &TestApp, who: &(impl Bearer + ?Sized), id: &str) -> Value {
    app.by(who).get(&format!("/api/v1/wishes/{id}")).await.expect_status(200).json()
}

pub(crate) async fn task(app: &TestApp, who: &(impl Bearer + ?Sized), id: &str) -> Value {
    app.by(who).get(&format!("/api/v1/tasks/{id}")).await.expect_status(200).json()
}

pub(crate) async fn claim_of(app: &TestApp, who: &(impl Bearer + ?Sized), id: &str) -> Value {
    app.by(who).get(&format!("/api/v1/claims/{id}")).await.expect_status(200).json()
}

/// Lets everything happen that happens by itself.
pub(crate) async fn deadlines(app: &TestApp) -> u64 {
    linli::jobs::run_once(&app.state, "deadlines").await.unwrap().expect("nobody else runs it")
}

/// The kinds of a member's messages, oldest first.
pub(crate) async fn inbox(app: &TestApp, who: &Member) -> Vec<String> {
    use entity::inbox_message::{Column, Entity};
    use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _};
    let rows = Entity::find()
        .filter(Column::MemberId.eq(who.id))
        .order_by_asc(Column::Id)
        .all(app.state.db.read())
        .await
        .unwrap();
    rows.into_iter().map(|row| row.kind).collect()
}

/// Moves the clock to the beginning of a step of 30 seconds, so that a test of codes starts with a fresh one.
pub(crate) fn to_next_step(app: &TestApp) {
    let into = i64::from(app.clock.now().second() % 30);
    app.clock.advance(TimeDelta::seconds(30 - into));
}
