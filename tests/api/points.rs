//! Points: the ledger by its invariants, rules, adjustments, what members see, and the proof.

mod adjustments;
mod budgets;
mod dated;
mod dues;
mod earning;
mod gift_property;
mod gifts;
mod grants;
mod ledger;
mod liability;
mod programmes;
mod proof;
mod rules;
mod seal_check;
pub(crate) mod seals;
mod standing;

use ::entity::id::JournalId;
use ::entity::journal::JournalKind;
use chrono::NaiveDate;
use linli::audit::Actor;
use linli::points::{self, Points, PointsError, Posting, Source};
use serde_json::Value;
use uuid::Uuid;

use crate::support::{COMMUNITY, Member, TestApp};

/// What a test posts for a member; owned, so that a command can hold it.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) kind: JournalKind,
    pub(crate) member: ::entity::id::MemberId,
    pub(crate) programme: String,
    pub(crate) amount: i64,
    pub(crate) expires_on: Option<NaiveDate>,
    pub(crate) source_kind: &'static str,
    pub(crate) source_id: Uuid,
    pub(crate) now: chrono::DateTime<chrono::Utc>,
    pub(crate) today: NaiveDate,
}

impl Draft {
    pub(crate) fn new(app: &TestApp, kind: JournalKind, member: &Member, amount: i64) -> Self {
        let now = app.clock.now();
        Self {
            kind,
            member: member.id,
            programme: "default".to_owned(),
            amount,
            expires_on: None,
            source_kind: "test",
            source_id: Uuid::now_v7(),
            now,
            today: app.state.calendar.day_of(now),
        }
    }

    pub(crate) fn expiring(mut self, on: NaiveDate) -> Self {
        self.expires_on = Some(on);
        self
    }

    pub(crate) fn posting(&self) -> Posting<'_> {
        Posting {
            journal_id: JournalId::new(),
            kind: self.kind,
            programme: &self.programme,
            member_id: self.member,
            community: COMMUNITY,
            amount: Points::from_hundredths(self.amount),
            expires_on: self.expires_on,
            source: Source { kind: self.source_kind, id: self.source_id },
            reason: Some("测试"),
            actor: Actor::System,
            at: self.now,
            posted_at: self.now,
            today: self.today,
        }
    }

    pub(crate) async fn post(&self, app: &TestApp) -> Result<(), PointsError> {
        let draft = self.clone();
        app.state.db.write(async move |txn| points::post(txn, &draft.posting()).await).await
    }
}

/// Gives a member points that never expire.
pub(crate) async fn give(app: &TestApp, member: &Member, hundredths: i64) {
    Draft::new(app, JournalKind::Grant, member, hundredths).post(app).await.unwrap();
}

/// What the member sees of the programme `default`.
pub(crate) async fn standing(app: &TestApp, member: &Member) -> Value {
    app.by(member).get("/api/v1/me/points").await.expect_status(200).json()["programmes"][0].clone()
}

/// Balance, held and available of the programme `default`.
pub(crate) async fn sums(app: &TestApp, member: &Member) -> [String; 3] {
    let standing = standing(app, member).await;
    ["balance", "held", "available"].map(|field| standing[field].as_str().unwrap().to_owned())
}

/// Every invariant of every room holds.
pub(crate) async fn assert_in_order(app: &TestApp) {
    let report = linli::verify::run(&app.state.db).await.unwrap();
    assert!(report.ok, "{}", serde_json::to_string_pretty(&report.findings).unwrap());
}
