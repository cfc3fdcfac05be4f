//! Goods and redemptions: every step, every refusal, and races.

mod goods;
mod races;
mod steps;

use ::entity::id::GoodsId;
use ::entity::staff::Role;
use serde_json::{Value, json};

use crate::support::{Answer, Member, Staff, Station, TestApp};

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

pub(crate) async fn fulfil(app: &TestApp, clerk: &Staff, code: &str) -> Answer {
    app.by(clerk).post("/api/v1/redemptions/fulfilments", json!({"code": code})).key(&key()).await
}

pub(crate) async fn stock(app: &TestApp, goods: &str) -> Value {
    app.get(&format!("/api/v1/goods/{goods}")).await.expect_status(200).json()["stock"].clone()
}
