//! Activities of value beside hours: donations, civility events, monthly scores of households.

mod deducting;
mod giving;
mod scoring;

use ::entity::household_member::{self as place, HouseholdRole, MembershipStatus};
use ::entity::id::{HouseholdId, RuleId};
use ::entity::rule::{self, Approver, RuleBasis, Subject};
use ::entity::{household, programme};
use sea_orm::{ActiveModelTrait as _, Set};
use serde_json::{Value, json};

use crate::support::{Answer, Bearer, COMMUNITY, Member, Staff, TestApp};

/// Rules since long ago: `amount` hundredths for each unit.
pub(crate) async fn rule(app: &TestApp, subject: Subject, item: Option<&str>, basis: RuleBasis, amount: i64) -> RuleId {
    let id = RuleId::new();
    let since = app.clock.now() - chrono::TimeDelta::days(400);
    let row = rule::ActiveModel {
        id: Set(id),
        programme: Set("default".to_owned()),
        region_code: Set(None),
        category: Set(None),
        basis: Set(basis),
        amount: Set(amount),
        per_minutes: Set(None),
        cap_day: Set(None),
        cap_month: Set(None),
        version: Set(1),
        valid_from: Set(since),
        valid_until: Set(None),
        created_by: Set(None),
        created_at: Set(since),
        subject: Set(subject),
        item: Set(item.map(str::to_owned)),
        name: Set(None),
        per_units: Set(matches!(basis, RuleBasis::Yuan | RuleBasis::Item).then_some(1)),
        factor_grade_a: Set(100),
        factor_grade_b: Set(100),
        factor_grade_c: Set(100),
        factor_grade_d: Set(100),
        factor_level_1: Set(100),
        factor_level_2: Set(100),
        factor_level_3: Set(100),
        factor_organiser: Set(100),
        cap_week: Set(None),
        cap_rule: Set(None),
        min_evidence: Set(None),
        approver: Set(Approver::Manager),
    };
    app.seed().insert(vec![row]).await;
    id
}

/// One point a yuan.
async fn donations(app: &TestApp) -> RuleId {
    rule(app, Subject::Donation, None, RuleBasis::Yuan, 100).await
}

async fn set_rule(app: &TestApp, id: RuleId, change: rule::ActiveModel) {
    let row = rule::ActiveModel { id: Set(id), ..change };
    app.state.db.write(async move |txn| row.clone().update(txn).await).await.unwrap();
}

async fn set_programme(app: &TestApp, change: programme::ActiveModel) {
    let row = programme::ActiveModel { code: Set("default".to_owned()), ..change };
    app.state.db.write(async move |txn| row.clone().update(txn).await).await.unwrap();
}

/// Points may be taken away.
async fn allow_negative(app: &TestApp) {
    set_programme(app, programme::ActiveModel { negative_allowed: Set(true), ..Default::default() }).await;
}

/// A household of these members, the first of them its head.
async fn household_of(app: &TestApp, members: &[&Member]) -> HouseholdId {
    let (id, now) = (HouseholdId::new(), app.clock.now());
    app.seed()
        .insert(vec![household::ActiveModel {
            id: Set(id),
            region_code: Set(COMMUNITY.to_owned()),
            name: Set("3 号楼 201".to_owned()),
            created_by_member: Set(Some(members[0].id)),
            created_by_staff: Set(None),
            created_at: Set(now),
            ended_at: Set(None),
        }])
        .await;
    let places = members.iter().enumerate().map(|(number, member)| place::ActiveModel {
        household_id: Set(id),
        member_id: Set(member.id),
        role: Set(if number == 0 { HouseholdRole::Head } else { HouseholdRole::Member }),
        status: Set(MembershipStatus::Joined),
        pools: Set(false),
        invited_at: Set(now),
        joined_at: Set(Some(now)),
        left_at: Set(None),
    });
    app.seed().insert(places.collect()).await;
    id
}

async fn enter(app: &TestApp, who: &(impl Bearer + ?Sized), key: &str, body: Value) -> Answer {
    app.post("/api/v1/merits", body).bearer(who).key(key).await
}

async fn decide(app: &TestApp, who: &Staff, id: &str, body: Value) -> Answer {
    let key = format!("decide-{id}-{}-{body}", who.username).replace(|found: char| !found.is_ascii_graphic(), "");
    app.post(&format!("/api/v1/merits/{id}/approval"), body).bearer(who).key(&key[..key.len().min(200)]).await
}

async fn approve(app: &TestApp, who: &Staff, id: &str) -> Answer {
    decide(app, who, id, json!({"decision": "approve"})).await
}

async fn reverse(app: &TestApp, who: &Staff, id: &str, key: &str) -> Answer {
    app.post(&format!("/api/v1/merits/{id}/reversal"), json!({"reason": "登记有误"})).bearer(who).key(key).await
}

async fn shown(app: &TestApp, who: &(impl Bearer + ?Sized), id: &str) -> Value {
    app.get(&format!("/api/v1/merits/{id}")).bearer(who).await.expect_status(200).json()
}

/// Kinds and bodies of the member's messages, newest first.
async fn inbox(app: &TestApp, member: &Member) -> Vec<(String, String)> {
    let messages = app.by(member).get("/api/v1/me/inbox").await.expect_status(200).json();
    let text = |message: &Value, field: &str| message[field].as_str().unwrap().to_owned();
    messages["items"].as_array().unwrap().iter().map(|one| (text(one, "kind"), text(one, "body"))).collect()
}
