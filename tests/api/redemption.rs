//! Goods and redemptions: every step, every refusal, and races.

mod baskets;
mod goods;
mod households;
mod limits;
mod property;
mod races;
mod slots;
mod steps;

use ::entity::consent::{ConsentGiver, ConsentKind};
use ::entity::household_member::{HouseholdRole, MembershipStatus};
use ::entity::id::{ConsentId, GoodsId, HouseholdId, SlotId};
use ::entity::staff::Role;
use ::entity::{consent, goods_slot, household, household_member, programme};
use chrono::TimeDelta;
use sea_orm::{ActiveModelTrait as _, EntityTrait as _, Set};
use serde_json::{Value, json};

use crate::support::{Answer, COMMUNITY, Member, Staff, Station, TestApp};

/// A station with a clerk of its own, and the manager of the district.
pub(crate) struct Shop {
    pub(crate) station: Station,
    pub(crate) clerk: Staff,
    pub(crate) manager: Staff,
}

impl Shop {
    pub(crate) async fn open(app: &TestApp) -> Self {
        let station = app.seed().station().await;
        let clerk = app.seed().staff(Role::Clerk).at_station(station.id).await;
        let manager = app.seed().staff(Role::Manager).await;
        Self { station, clerk, manager }
    }

    /// Goods with these fields beside the ordinary ones; the id.
    pub(crate) async fn goods_with(&self, app: &TestApp, fields: &Value) -> String {
        let mut body = json!({"name": "大米", "station_id": self.station.id, "points": "1", "stock": 100});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        app.by(&self.manager).post("/api/v1/goods", body).await.expect_status(201).id()
    }

    /// A service for one point with one time to book, in some hours for one hour; service and slot.
    pub(crate) async fn service(&self, app: &TestApp, in_hours: i64, capacity: i32) -> (String, String) {
        let goods = self.goods_with(app, &json!({"name": "理发", "kind": "service", "stock": 0})).await;
        let slot = self.slot(app, &goods, in_hours, capacity).await;
        (goods, slot)
    }

    /// A time to book, in some hours for one hour; the id.
    pub(crate) async fn slot(&self, app: &TestApp, goods: &str, in_hours: i64, capacity: i32) -> String {
        let starts_at = app.clock.now() + TimeDelta::hours(in_hours);
        let slot = json!({"starts_at": starts_at, "ends_at": starts_at + TimeDelta::hours(1), "capacity": capacity});
        let path = format!("/api/v1/goods/{goods}/slots");
        app.by(&self.clerk).post(&path, json!({"slots": [slot]})).await.expect_status(201).at("/items/0/id")
    }

    /// Goods on the shelf; the id.
    pub(crate) async fn goods(&self, app: &TestApp, points: &str, stock: i32, limit: Option<i32>) -> String {
        let body = json!({"name": "抽纸一提", "station_id": self.station.id, "points": points, "stock": stock, "per_member_limit": limit});
        app.by(&self.manager).post("/api/v1/goods", body).await.expect_status(201).id()
    }
}

/// A key of its own.
pub(crate) fn key() -> String {
    GoodsId::new().to_string()
}

pub(crate) async fn reserve(app: &TestApp, member: &Member, goods: &str, quantity: i32) -> Answer {
    app.by(member).post("/api/v1/redemptions", json!({"goods_id": goods, "quantity": quantity})).key(&key()).await
}

/// Any body to `POST /redemptions`.
pub(crate) async fn order(app: &TestApp, member: &Member, body: Value) -> Answer {
    app.by(member).post("/api/v1/redemptions", body).key(&key()).await
}

/// What is booked of a slot.
pub(crate) async fn taken(app: &TestApp, slot: &str) -> i32 {
    let id = slot.parse::<SlotId>().unwrap();
    goods_slot::Entity::find_by_id(id).one(app.state.db.read()).await.unwrap().unwrap().taken
}

/// Whether the programme `default` lets households pool.
pub(crate) async fn let_households_pool(app: &TestApp) {
    let row =
        programme::ActiveModel { code: Set("default".to_owned()), households_pool: Set(true), ..Default::default() };
    app.state.db.write(async move |txn| row.clone().update(txn).await).await.unwrap();
}

/// Makes members a household in which all but the first let the others spend their points.
pub(crate) async fn live_together(app: &TestApp, members: &[&Member]) {
    let (id, now) = (HouseholdId::new(), app.clock.now());
    let home = household::ActiveModel {
        id: Set(id),
        region_code: Set(COMMUNITY.to_owned()),
        name: Set("一家".to_owned()),
        created_by_member: Set(Some(members[0].id)),
        created_by_staff: Set(None),
        created_at: Set(now),
        ended_at: Set(None),
    };
    app.seed().insert(vec![home]).await;
    let mut rows = Vec::new();
    let mut consents = Vec::new();
    for (at, member) in (0..).zip(members) {
        rows.push(household_member::ActiveModel {
            household_id: Set(id),
            member_id: Set(member.id),
            role: Set(if at == 0 { HouseholdRole::Head } else { HouseholdRole::Member }),
            status: Set(MembershipStatus::Joined),
            pools: Set(at > 0),
            invited_at: Set(now),
            joined_at: Set(Some(now + TimeDelta::milliseconds(at))),
            left_at: Set(None),
        });
        if at > 0 {
            consents.push(consent::ActiveModel {
                id: Set(ConsentId::new()),
                member_id: Set(member.id),
                kind: Set(ConsentKind::HouseholdPooling),
                notice_version: Set("1".to_owned()),
                given_by: Set(ConsentGiver::Member),
                given_by_id: Set(Some(member.id.0)),
                given_at: Set(now),
                withdrawn_at: Set(None),
            });
        }
    }
    app.seed().insert(rows).await;
    app.seed().insert(consents).await;
}

pub(crate) async fn fulfil(app: &TestApp, clerk: &Staff, code: &str) -> Answer {
    app.by(clerk).post("/api/v1/redemptions/fulfilments", json!({"code": code})).key(&key()).await
}

pub(crate) async fn stock(app: &TestApp, goods: &str) -> Value {
    app.get(&format!("/api/v1/goods/{goods}")).await.expect_status(200).json()["stock"].clone()
}
