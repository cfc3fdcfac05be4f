//! Households: who founds, who agrees, whose points may be spent, and who leaves.

use ::entity::household_member::{self, MembershipStatus};
use ::entity::programme;
use ::entity::staff::Role;
use linli::identity::member_code;
use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, Set};
use serde_json::{Value, json};

use crate::points::assert_in_order;
use crate::support::{Answer, COMMUNITY, FOREIGN, Member, SISTER, TestApp, at_once};

async fn found(app: &TestApp, member: &Member) -> String {
    app.by(member).post("/api/v1/households", json!({"name": "幸福之家"})).await.expect_status(201).id()
}

async fn invite(app: &TestApp, head: &Member, household: &str, member: &Member) -> Answer {
    let path = format!("/api/v1/households/{household}/members");
    app.by(head).post(&path, json!({"member_id": member.id})).await
}

async fn agree(app: &TestApp, household: &str, member: &Member, pools: bool) -> Answer {
    app.by(member).post(&format!("/api/v1/households/{household}/membership"), json!({"pools": pools})).await
}

async fn leave(app: &TestApp, household: &str, member: &Member) -> Answer {
    app.by(member).delete(&format!("/api/v1/households/{household}/membership")).await
}

/// Lets households pool, or not.
pub(crate) async fn pooling(app: &TestApp, allowed: bool) {
    let row =
        programme::ActiveModel { code: Set("default".to_owned()), households_pool: Set(allowed), ..Default::default() };
    app.state.db.write(async move |txn| row.clone().update(txn).await).await.unwrap();
}

async fn purse(app: &TestApp, spender: &Member) -> Vec<::entity::id::MemberId> {
    linli::household::purse(app.state.db.read(), spender.id, "default").await.unwrap()
}

fn place<'a>(view: &'a Value, member: &Member) -> &'a Value {
    let id = json!(member.id);
    view["members"].as_array().unwrap().iter().find(|row| row["member_id"] == id).unwrap_or(&Value::Null)
}

both!(a_family_pools_by_consent_and_the_head_hands_on, async |app| {
    pooling(&app, true).await;
    let (head, child, aunt) = (app.seed().member().await, app.seed().member().await, app.seed().member().await);
    let household = found(&app, &head).await;
    assert_eq!(purse(&app, &head).await, [head.id]);
    // By the code that the other one shows.
    let code = member_code::issue(&app.state.keys, child.id, app.clock.now()).code;
    let path = format!("/api/v1/households/{household}/members");
    let view = app.by(&head).post(&path, json!({"member_code": code})).await.expect_status(201).json();
    assert_eq!(place(&view, &child)["status"], "invited");
    // Nobody is known by name to people they have not agreed to live with.
    assert_eq!(place(&view, &child)["name"].as_str().unwrap().chars().count(), 2);
    assert_eq!(place(&view, &head)["name"], json!(head.name));
    invite(&app, &head, &household, &aunt).await.expect_status(201);
    let mine = app.by(&child).get("/api/v1/me/household").await.expect_status(200).json();
    assert_eq!((&mine["household"], &mine["invitations"][0]["id"]), (&Value::Null, &json!(household)));
    assert_eq!(mine["invitations"][0]["members"][0]["name"].as_str().unwrap().chars().count(), 2);
    let inbox = app.by(&child).get("/api/v1/me/inbox").await.json();
    assert_eq!(inbox["items"][0]["kind"], "household.invited");
    app.clock.advance(chrono::TimeDelta::minutes(1));
    let view = agree(&app, &household, &aunt, true).await.expect_status(200).json();
    assert_eq!(place(&view, &head)["name"], json!(head.name));
    app.clock.advance(chrono::TimeDelta::minutes(1));
    agree(&app, &household, &child, true).await.expect_status(200);
    // The spender first, then who agreed, in order of joining. The head has not agreed.
    assert_eq!(purse(&app, &child).await, [child.id, aunt.id]);
    assert_eq!(purse(&app, &head).await, [head.id, aunt.id, child.id]);
    let known = linli::household::members_of(app.state.db.read(), child.id).await.unwrap();
    assert_eq!(known, [head.id, aunt.id, child.id]);
    // The consent stands on record, and can be taken back there as well.
    let consents = app.by(&child).get("/api/v1/me/consents").await.json();
    assert_eq!(consents["items"][0]["kind"], "household_pooling");
    let consent = json!({"kind": "household_pooling"});
    app.by(&child).post("/api/v1/me/consents", consent).await.expect_problem(422, "validation_failed");
    app.by(&child).post("/api/v1/me/consents/household_pooling/withdrawal", json!({})).await.expect_status(200);
    assert_eq!(purse(&app, &aunt).await, [aunt.id]);
    agree(&app, &household, &child, false).await.expect_status(200);
    let view = agree(&app, &household, &child, true).await.expect_status(200).json();
    assert_eq!(place(&view, &child)["pools"], true);
    assert_in_order(&app).await;
    pooling(&app, false).await;
    assert_eq!(purse(&app, &aunt).await, [aunt.id]);
    // The head goes: who has belonged longest follows.
    leave(&app, &household, &head).await.expect_status(200);
    let view = app.by(&aunt).get(&format!("/api/v1/households/{household}")).await.expect_status(200).json();
    assert_eq!((&place(&view, &aunt)["role"], place(&view, &head)), (&json!("head"), &Value::Null));
    app.by(&head).get(&format!("/api/v1/households/{household}")).await.expect_problem(404, "not_found");
    leave(&app, &household, &head).await.expect_problem(404, "not_found");
    let away = format!("/api/v1/households/{household}/members/{}", child.id);
    app.by(&child).delete(&away).await.expect_problem(403, "forbidden");
    app.by(&aunt).delete(&away).await.expect_status(200);
    assert_eq!(app.by(&child).get("/api/v1/me/inbox").await.json()["items"][0]["kind"], "household.removed");
    assert_in_order(&app).await;
    let left = leave(&app, &household, &aunt).await.expect_status(200).json();
    assert_eq!(left, json!({"household": null, "invitations": []}));
    invite(&app, &aunt, &household, &child).await.expect_problem(404, "not_found");
    assert_in_order(&app).await;
});

both!(staff_found_households_that_wait_for_their_members, async |app| {
    let (first, second) = (app.seed().member().await, app.seed().member().await);
    let stranger = app.seed().member().in_region(SISTER).await;
    let worker = app.seed().staff(Role::GridWorker).in_region(COMMUNITY).await;
    let body = |ids: Value, region: &str| json!({"name": "张家", "region_code": region, "member_ids": ids});
    let both = json!([first.id, second.id]);
    for role in [Role::Auditor, Role::Operator] {
        let staff = app.seed().staff(role).in_region(COMMUNITY).await;
        let refused = app.by(&staff).post("/api/v1/households", body(both.clone(), COMMUNITY)).await;
        refused.expect_problem(403, "forbidden");
    }
    for (ids, region, field) in [
        (both.clone(), FOREIGN, "region_code"),
        (both.clone(), "130302001", "region_code"),
        (json!([]), COMMUNITY, "member_ids"),
        (json!([stranger.id]), COMMUNITY, "member_ids"),
        (json!(["0199a0b0-0000-7000-8000-000000000002"]), COMMUNITY, "member_ids"),
    ] {
        let refused = app.by(&worker).post("/api/v1/households", body(ids, region)).await;
        assert_eq!(refused.expect_problem(422, "validation_failed").at("/errors/0/field"), field);
    }
    let view = app.by(&worker).post("/api/v1/households", body(both, COMMUNITY)).await.expect_status(201).json();
    assert_eq!((&place(&view, &first)["role"], &place(&view, &first)["status"]), (&json!("head"), &json!("invited")));
    let household = view["id"].as_str().unwrap();
    // A head who has not agreed heads nothing yet.
    let third = app.seed().member().await;
    invite(&app, &first, household, &third).await.expect_problem(403, "forbidden");
    agree(&app, household, &second, false).await.expect_status(200);
    agree(&app, household, &third, false).await.expect_problem(404, "not_found");
    // Who says no hands the house on.
    leave(&app, household, &first).await.expect_status(200);
    let view = app.by(&worker).get(&format!("/api/v1/households/{household}")).await.expect_status(200).json();
    assert_eq!(place(&view, &second)["role"], "head");
    assert_eq!(place(&view, &second)["name"].as_str().unwrap().chars().count(), 2);
    let listed = app.by(&worker).get("/api/v1/households?q=%E5%BC%A0").await.expect_status(200).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    let foreign = app.seed().staff(Role::Manager).in_region(FOREIGN).await;
    let listed = app.by(&foreign).get("/api/v1/households").await.expect_status(200).json();
    assert_eq!(listed["items"], json!([]));
    let path = format!("/api/v1/households/{household}/members");
    app.by(&foreign).post(&path, json!({"member_id": third.id})).await.expect_problem(404, "not_found");
    app.by(&worker).post(&path, json!({"member_id": first.id})).await.expect_status(201);
    app.by(&worker).post(&path, json!({"member_id": first.id})).await.expect_problem(409, "already_member");
    app.by(&worker).post(&path, json!({})).await.expect_problem(422, "validation_failed");
    assert_in_order(&app).await;
});

both!(a_member_belongs_to_one_household_however_many_invite, async |app| {
    let (one, two, wanted) = (app.seed().member().await, app.seed().member().await, app.seed().member().await);
    let (first, second) = (found(&app, &one).await, found(&app, &two).await);
    invite(&app, &one, &first, &wanted).await.expect_status(201);
    invite(&app, &two, &second, &wanted).await.expect_status(201);
    let node = app.second_node().await;
    let calls = [(&app, &first), (&node, &second), (&node, &first), (&app, &second)].map(|(app, household)| {
        let path = format!("/api/v1/households/{household}/membership");
        app.by(&wanted).post(&path, json!({"pools": true}))
    });
    let answers = at_once(calls).await;
    assert!(answers.iter().any(|answer| answer.status == 200));
    // Both calls for the household that won may have been heard; none for the other.
    let known = |answer: &&Answer| answer.status != 200;
    for answer in answers.iter().filter(known) {
        assert!(matches!(answer.code().as_str(), "already_in_household" | "raced"), "{}", answer.text());
    }
    let db = app.database.connect().await;
    let joined = household_member::Entity::find()
        .filter(household_member::Column::MemberId.eq(wanted.id))
        .filter(household_member::Column::Status.eq(MembershipStatus::Joined));
    assert_eq!(joined.count(&db).await.unwrap(), 1);
    let own = app.by(&wanted).post("/api/v1/households", json!({"name": "另立门户"})).await;
    own.expect_problem(409, "already_in_household");
    assert_in_order(&app).await;
});

both!(erasure_ends_a_membership, async |app| {
    pooling(&app, true).await;
    let (head, child) = (app.seed().member().await, app.seed().member().await);
    let household = found(&app, &head).await;
    agree(&app, &household, &head, true).await.expect_status(200);
    invite(&app, &head, &household, &child).await.expect_status(201);
    agree(&app, &household, &child, true).await.expect_status(200);
    let exported = app.by(&head).get("/api/v1/me/export").await.expect_status(200).json();
    assert_eq!(exported["households"][0]["name"], "幸福之家");
    app.by(&head).delete("/api/v1/me").await.expect_status(204);
    let view = app.by(&child).get(&format!("/api/v1/households/{household}")).await.expect_status(200).json();
    assert_eq!((view["members"].as_array().unwrap().len(), &place(&view, &child)["role"]), (1, &json!("head")));
    assert_eq!(purse(&app, &child).await, [child.id]);
    app.by(&child).delete("/api/v1/me").await.expect_status(204);
    let db = app.database.connect().await;
    let row = ::entity::household::Entity::find().one(&db).await.unwrap().unwrap();
    assert_eq!((row.name.as_str(), row.ended_at.is_some()), ("（已注销）", true));
    assert_in_order(&app).await;
});

both!(a_household_is_no_club, async |app| {
    let head = app.seed().member().await;
    let household = found(&app, &head).await;
    for _ in 1..20 {
        let guest = app.seed().member().await;
        invite(&app, &head, &household, &guest).await.expect_status(201);
    }
    let guest = app.seed().member().await;
    invite(&app, &head, &household, &guest).await.expect_problem(409, "household_full");
    let newcomer = app.seed().member().incomplete().await;
    let refused = app.by(&newcomer).post("/api/v1/households", json!({"name": "家"})).await;
    refused.expect_problem(403, "profile_incomplete");
    let other = app.seed().member().await;
    let body = json!({"name": "家", "region_code": SISTER});
    app.by(&other).post("/api/v1/households", body).await.expect_problem(422, "validation_failed");
});
