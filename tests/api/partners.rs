//! What stations do with partners: vouchers, stock takes, transfers, settlements.

mod settlement;
mod stock_take;
mod transfer;
mod voucher;

use ::entity::staff::Role;
use serde_json::{Value, json};

use crate::redemption::{Shop, key};
use crate::support::{Answer, Staff, TestApp};

/// A second shop in the same community.
pub(crate) async fn second_shop(app: &TestApp) -> Shop {
    let station = app.seed().station().await;
    let clerk = app.seed().staff(Role::Clerk).at_station(station.id).await;
    let manager = app.seed().staff(Role::Manager).await;
    Shop { station, clerk, manager }
}

/// A call with a key of its own.
pub(crate) async fn post(app: &TestApp, who: &Staff, path: &str, body: Value) -> Answer {
    app.by(who).post(&format!("/api/v1{path}"), body).key(&key()).await
}

/// The field that a 422 names.
#[track_caller]
pub(crate) fn field(answer: &Answer) -> [String; 2] {
    let refused = answer.clone().expect_problem(422, "validation_failed");
    [refused.at("/errors/0/field"), refused.at("/errors/0/code")]
}

/// What came and went: reason and quantity, latest first.
pub(crate) async fn movements(app: &TestApp, who: &Staff, goods: &str) -> Vec<(String, i64)> {
    let list = app.by(who).get(&format!("/api/v1/goods/{goods}/stock-movements")).await.expect_status(200).json();
    let movement = |item: &Value| (item["reason"].as_str().unwrap().to_owned(), item["quantity"].as_i64().unwrap());
    list["items"].as_array().unwrap().iter().map(movement).collect()
}

/// A line of a stock take.
pub(crate) fn counted(goods: &str, counted: i32) -> Value {
    json!({"goods_id": goods, "counted": counted})
}
