//! A whole district of a city: 55,000 people, 45,000 participations, and the totals that were published.

use std::io::Write as _;
use std::process::Stdio;

use ::entity::account::{self, AccountKind};
use ::entity::entry;
use rust_decimal::Decimal;
use sea_orm::{ColumnTrait as _, EntityTrait as _, JoinType, QueryFilter as _, QuerySelect as _};
use serde_json::Value;

use crate::support::{Backend, Process, TestDatabase, dataset, expect_exit, linli};

const REGION: &str = "130302";

async fn the_totals_of_haigang_are_those_of_its_summary(backend: Backend) {
    let Some(set) = dataset::generated("haigang", "1") else { return };
    let Some(database) = TestDatabase::migrated(backend).await else { return };
    let summary: Value = serde_json::from_slice(&std::fs::read(set.join("summary.json")).unwrap()).unwrap();
    expect_exit(linli(&database, &["import", &set.display().to_string()]).output().unwrap(), 0);
    let server = Process::serve(&database).await;
    let auditor = Auditor { server: &server, token: auditor_token(&database) };

    let points = auditor.board_total("points", "2023").await;
    let hours = auditor.board_total("hours", "2023").await;
    let records = auditor.board_total("records", "2023").await;
    assert_eq!(points, number(&summary["points"]));
    assert_eq!(hours, number(&summary["hours_earned"]));
    assert_eq!(records, number(&summary["participations"]));
    assert_eq!(auditor.board_total("points", "all").await, points);

    let residents = auditor.count("/members?capacity=resident").await;
    assert_eq!(Decimal::from(residents), number(&summary["residents"]));

    auditor.first_summaries_agree_with_the_board().await;
    assert_eq!(issued(&database).await, points, "what the communities issued");
    expect_exit(linli(&database, &["verify"]).output().unwrap(), 0);
    assert_eq!(server.stop().await.code(), Some(0));
    database.remove().await;
}

#[actix_web::test]
async fn the_totals_of_haigang_are_those_of_its_summary_on_sqlite() {
    the_totals_of_haigang_are_those_of_its_summary(Backend::Sqlite).await;
}

#[actix_web::test]
async fn the_totals_of_haigang_are_those_of_its_summary_on_postgres() {
    the_totals_of_haigang_are_those_of_its_summary(Backend::Postgres).await;
}

/// A decimal, whether the JSON has it as a number or as text.
fn number(value: &Value) -> Decimal {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned).parse().unwrap()
}

fn auditor_token(database: &TestDatabase) -> String {
    let words = ["staff", "add", "haigang-auditor", "--role", "auditor", "--region", REGION, "--password-stdin"];
    let mut child = linli(database, &words).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"correct horse battery\n").unwrap();
    assert!(child.wait().unwrap().success());
    let lines = expect_exit(linli(database, &["token", "staff", "haigang-auditor"]).output().unwrap(), 0);
    lines.trim().split_once(' ').unwrap().1.to_owned()
}

/// Points on the other side of what members earned.
async fn issued(database: &TestDatabase) -> Decimal {
    let of_account = entry::Entity::belongs_to(account::Entity).from(entry::Column::AccountId).to(account::Column::Id);
    let amounts: Vec<i64> = entry::Entity::find()
        .select_only()
        .column(entry::Column::Amount)
        .join(JoinType::InnerJoin, of_account.into())
        .filter(account::Column::Kind.eq(AccountKind::Issued))
        .into_tuple()
        .all(&database.connect().await)
        .await
        .unwrap();
    Decimal::new(-amounts.iter().sum::<i64>(), 2)
}

struct Auditor<'a> {
    server: &'a Process,
    token: String,
}

impl Auditor<'_> {
    async fn get(&self, path: &str) -> Value {
        let answer = self.server.get(&format!("/api/v1{path}")).bearer_auth(&self.token).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }

    /// Every item of a list, page by page.
    async fn items(&self, path: &str) -> Vec<Value> {
        let joint = if path.contains('?') { '&' } else { '?' };
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.get(&format!("{path}{joint}limit=100{cursor}")).await;
            items.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }

    async fn count(&self, path: &str) -> usize {
        self.items(path).await.len()
    }

    async fn board_total(&self, metric: &str, period: &str) -> Decimal {
        let board = format!("/rankings?board=communities&metric={metric}&region={REGION}&period={period}");
        self.items(&board).await.iter().map(|item| number(&item["value"])).sum()
    }

    async fn first_summaries_agree_with_the_board(&self) {
        let board =
            self.get(&format!("/rankings?board=members&metric=hours&region={REGION}&period=all&limit=50")).await;
        for item in board["items"].as_array().unwrap() {
            let id = item["id"].as_str().unwrap();
            let summary = self.get(&format!("/members/{id}/service-summary")).await;
            assert_eq!(summary["hours"], item["value"], "{id}");
            let points = self.get(&format!("/members/{id}/points")).await;
            let by_category = summary["by_category"].as_array().map_or(0, Vec::len);
            assert!(by_category > 0 && points["programmes"][0]["earned"].is_string(), "{summary} {points}");
        }
    }
}
