//! Coded lists that staff edit, who is qualified for what, and what words are taken to ask for.

mod codes;
mod guess;
mod property;
mod qualifications;

use ::entity::code_item;
use ::entity::staff::Role;
use sea_orm::Set;
use serde_json::{Value, json};

use crate::support::{Staff, TestApp};

/// Items of a list: code, name, parent.
async fn seed(app: &TestApp, list: &str, items: &[(&str, &str, Option<&str>)]) {
    let row = |(code, name, parent): &(&str, &str, Option<&str>)| code_item::ActiveModel {
        list: Set(list.to_owned()),
        code: Set((*code).to_owned()),
        name: Set((*name).to_owned()),
        parent: Set(parent.map(str::to_owned)),
        ..Default::default()
    };
    app.seed().insert(items.iter().map(row).collect()).await;
}

async fn skills(app: &TestApp) {
    seed(app, "skill", &[("S01", "理发", None), ("S06", "水电维修", None), ("S07", "管道疏通", Some("S06"))]).await;
}

async fn admin(app: &TestApp) -> Staff {
    app.seed().staff(Role::Admin).await
}

async fn code(app: &TestApp, list: &str, code: &str) -> Value {
    app.get(&format!("/api/v1/codes/{list}/{code}")).await.expect_status(200).json()
}

async fn listed(app: &TestApp, query: &str) -> Vec<String> {
    let listing = app.get(&format!("/api/v1/codes/{query}")).await.expect_status(200).json();
    listing["items"].as_array().unwrap().iter().map(|item| item["code"].as_str().unwrap().to_owned()).collect()
}

async fn merge(app: &TestApp, admin: &Staff, list: &str, code: &str, into: &str) -> crate::support::Answer {
    app.by(admin).post(&format!("/api/v1/codes/{list}/{code}/merge"), json!({ "into": into })).await
}
