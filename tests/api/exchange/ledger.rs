//! Sums over the whole database, to compare with what a set says and with each other.

use ::entity::account::AccountKind;
use ::entity::member;
use ::entity::score::SubjectKind;
use ::entity::{account, balance, entry, goods, opening_balance, score, service_record};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use std::collections::BTreeMap;

use crate::support::TestApp;

/// What an instance holds in all.
#[derive(Debug, PartialEq, Eq, Clone)]
pub(super) struct Totals {
    pub(super) members: i64,
    pub(super) volunteers: i64,
    pub(super) party_members: i64,
    pub(super) records: i64,
    pub(super) minutes: i64,
    pub(super) opening_minutes: i64,
    pub(super) earned: i64,
    pub(super) spent: i64,
    pub(super) balance: i64,
    pub(super) stock: i64,
    /// Wishes by state.
    pub(super) wishes: BTreeMap<String, i64>,
    /// Points, minutes and records of all communities, by month.
    pub(super) boards: BTreeMap<String, (i64, i64, i64)>,
}

pub(super) async fn totals(app: &TestApp) -> Totals {
    let calendar = app.state.calendar;
    while app.state.db.write(async move |txn| linli::ranking::refresh(txn, &calendar, 1000).await).await.unwrap() > 0 {}
    let db = app.state.db.read();
    let members = member::Entity::find().all(db).await.unwrap();
    let records = service_record::Entity::find()
        .filter(service_record::Column::Status.eq(service_record::RecordStatus::Verified))
        .all(db)
        .await
        .unwrap();
    let balances = balance::Entity::find().all(db).await.unwrap();
    let books = |kind: AccountKind| async move {
        let accounts = account::Entity::find().filter(account::Column::Kind.eq(kind)).all(db).await.unwrap();
        let ids: Vec<_> = accounts.into_iter().map(|account| account.id).collect();
        let entries = entry::Entity::find().filter(entry::Column::AccountId.is_in(ids)).all(db).await.unwrap();
        entries.iter().map(|entry| entry.amount).sum::<i64>()
    };
    let mut boards = BTreeMap::new();
    let scores = score::Entity::find()
        .filter(score::Column::SubjectKind.eq(SubjectKind::Community))
        .filter(score::Column::Category.eq(""))
        .all(db)
        .await
        .unwrap();
    for row in scores {
        let sum: &mut (i64, i64, i64) = boards.entry(row.period).or_default();
        *sum = (sum.0 + row.points, sum.1 + row.minutes, sum.2 + row.records);
    }
    let mut wishes = BTreeMap::new();
    for wish in ::entity::wish::Entity::find().all(db).await.unwrap() {
        *wishes.entry(format!("{:?}", wish.status)).or_default() += 1;
    }
    Totals {
        members: count(members.iter()),
        volunteers: count(members.iter().filter(|member| member.is_volunteer)),
        party_members: count(members.iter().filter(|member| member.is_party_member)),
        records: count(records.iter()),
        minutes: records.iter().map(|record| i64::from(record.minutes)).sum(),
        opening_minutes: opening_balance::Entity::find().all(db).await.unwrap().iter().map(|row| row.minutes).sum(),
        earned: balances.iter().map(|row| row.earned).sum(),
        spent: books(AccountKind::Spent).await,
        balance: balances.iter().map(|row| row.balance).sum(),
        stock: goods::Entity::find().all(db).await.unwrap().iter().map(|row| i64::from(row.stock)).sum(),
        wishes,
        boards,
    }
}

fn count(rows: impl Iterator) -> i64 {
    rows.map(|_| 1).sum()
}

/// The invariants, as `linli verify` knows them.
pub(super) async fn verify(app: &TestApp) {
    let report = linli::verify::run(&app.state.db).await.unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}
