//! Whatever four members earn, give, spend, hold, take back and let expire, under whatever cap: the books close.

use ::entity::id::JournalId;
use ::entity::journal::JournalKind;
use ::entity::staff::Role;
use chrono::TimeDelta;
use linli::audit::Actor;
use linli::points::{self, OnEmpty, PointsError, Reversing, Source, hold};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::json;
use uuid::Uuid;

use super::gifts::{allow, cap};
use super::{Draft, assert_in_order};
use crate::support::{Member, Staff, TestApp};

#[derive(Clone, Debug)]
enum Op {
    Earn { amount: i64, days: Option<i64> },
    Spend { amount: i64 },
    Hold { amount: i64 },
    Capture { which: usize },
    Give { to: usize, amount: i64 },
    TakeBack { which: usize },
    Reverse { which: usize },
    Refund { which: usize },
    Cap { hundredths: Option<i64> },
    Wait { days: i64 },
    Expire,
}

fn ops() -> impl Strategy<Value = Vec<(usize, Op)>> {
    let op = prop_oneof![
        5 => (1_i64..500, proptest::option::of(1_i64..40)).prop_map(|(amount, days)| Op::Earn { amount, days }),
        3 => (1_i64..300).prop_map(|amount| Op::Spend { amount }),
        2 => (1_i64..200).prop_map(|amount| Op::Hold { amount }),
        2 => any::<usize>().prop_map(|which| Op::Capture { which }),
        6 => (0_usize..4, 1_i64..300).prop_map(|(to, amount)| Op::Give { to, amount }),
        3 => any::<usize>().prop_map(|which| Op::TakeBack { which }),
        3 => any::<usize>().prop_map(|which| Op::Reverse { which }),
        2 => any::<usize>().prop_map(|which| Op::Refund { which }),
        1 => proptest::option::of(100_i64..800).prop_map(|hundredths| Op::Cap { hundredths }),
        2 => (1_i64..15).prop_map(|days| Op::Wait { days }),
        2 => Just(Op::Expire),
    ];
    proptest::collection::vec((0_usize..4, op), 120)
}

struct Game<'a> {
    app: &'a TestApp,
    members: Vec<Member>,
    manager: Staff,
    earned: Vec<Uuid>,
    spent: Vec<Uuid>,
    holds: Vec<Draft>,
    gifts: Vec<String>,
}

impl Game<'_> {
    async fn play(&mut self, whose: usize, op: Op) {
        let app = self.app;
        let member = self.members[whose].clone();
        match op {
            Op::Earn { amount, days } => {
                let mut draft = Draft::new(app, JournalKind::Earn, &member, amount);
                draft.expires_on = days.map(|days| draft.today + TimeDelta::days(days));
                self.earned.push(draft.source_id);
                let issue =
                    async move |txn: &linli::db::Txn| points::issue(txn, &draft.posting(), OnEmpty::Refuse).await;
                app.state.db.write(issue).await.unwrap();
            }
            Op::Spend { amount } => {
                let draft = Draft::new(app, JournalKind::Spend, &member, amount);
                match draft.post(app).await {
                    Ok(()) => self.spent.push(draft.source_id),
                    Err(error) => assert!(matches!(error, PointsError::Insufficient { .. }), "{error:?}"),
                }
            }
            Op::Hold { amount } => {
                let draft = Draft::new(app, JournalKind::Spend, &member, amount);
                let held = draft.clone();
                match app.state.db.write(async move |txn| hold::open(txn, &held.posting()).await).await {
                    Ok(()) => self.holds.push(draft),
                    Err(error) => assert!(matches!(error, PointsError::Insufficient { .. }), "{error:?}"),
                }
            }
            Op::Capture { which } if !self.holds.is_empty() => {
                let mut draft = self.holds.swap_remove(which % self.holds.len());
                draft.today = app.state.calendar.day_of(app.clock.now());
                self.spent.push(draft.source_id);
                // Whatever was given or expired meanwhile: what is held is there.
                app.state.db.write(async move |txn| hold::capture(txn, &draft.posting()).await).await.unwrap();
            }
            Op::Give { to, amount } => self.give(&member, to, amount).await,
            Op::TakeBack { which } if !self.gifts.is_empty() => {
                let gift = &self.gifts[which % self.gifts.len()];
                let path = format!("/api/v1/points/gifts/{gift}/reversal");
                let key = JournalId::new().to_string();
                let answer = app.by(&self.manager).post(&path, json!({"reason": "测试"})).key(&key).await;
                let fits = answer.status == 200
                    || matches!(answer.code().as_str(), "insufficient_points" | "invalid_transition");
                assert!(fits, "{}", answer.text());
            }
            Op::Reverse { which } if !self.earned.is_empty() => {
                let id = self.earned[which % self.earned.len()];
                let outcome = self.repair(id, false).await;
                let fits =
                    matches!(outcome, Ok(_) | Err(PointsError::AlreadySpent { .. } | PointsError::InvalidTransition));
                assert!(fits, "{outcome:?}");
            }
            Op::Refund { which } if !self.spent.is_empty() => {
                let id = self.spent.swap_remove(which % self.spent.len());
                self.repair(id, true).await.unwrap();
            }
            Op::Capture { .. } | Op::TakeBack { .. } | Op::Reverse { .. } | Op::Refund { .. } => {}
            Op::Cap { hundredths } => cap(app, hundredths).await,
            Op::Wait { days } => app.clock.advance(TimeDelta::days(days)),
            Op::Expire => {
                linli::jobs::run_once(&app.state, "points_expiry").await.unwrap();
            }
        }
    }

    async fn give(&mut self, from: &Member, to: usize, amount: i64) {
        let body = json!({"to_member_id": self.members[to].id, "programme": "default",
            "amount": linli::http::decimal(amount)});
        let key = JournalId::new().to_string();
        let answer = self.app.by(from).post("/api/v1/points/gifts", body).key(&key).await;
        match answer.status {
            201 => self.gifts.push(answer.id()),
            422 => assert_eq!(from.id, self.members[to].id),
            _ => {
                assert!(matches!(answer.code().as_str(), "insufficient_points" | "limit_reached"), "{}", answer.text());
            }
        }
    }

    async fn repair(&self, id: Uuid, back: bool) -> Result<points::Points, PointsError> {
        let (now, journal_id) = (self.app.clock.now(), JournalId::new());
        let today = self.app.state.calendar.day_of(now);
        let command = async move |txn: &linli::db::Txn| {
            let reversing = Reversing {
                journal_id,
                original: Source { kind: "test", id },
                source: Source { kind: "repair", id },
                reason: Some("测试"),
                actor: Actor::System,
                now,
                today,
            };
            if back { points::refund(txn, &reversing).await } else { points::reverse(txn, &reversing).await }
        };
        self.app.state.db.write(command).await
    }
}

both!(whatever_is_given_and_taken_back_the_books_close, async |app| {
    let mut runner = TestRunner::deterministic();
    for round in 0..3 {
        allow(&app, (round == 1).then_some(500), (round == 2).then_some(700)).await;
        let mut members = Vec::new();
        for _ in 0..4 {
            members.push(app.seed().member().await);
        }
        let manager = app.seed().staff(Role::Manager).await;
        let (earned, spent, holds, gifts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut game = Game { app: &app, members, manager, earned, spent, holds, gifts };
        for (number, (whose, op)) in ops().new_tree(&mut runner).unwrap().current().into_iter().enumerate() {
            game.play(whose, op).await;
            if number % 40 == 39 {
                assert_in_order(&app).await;
            }
        }
        assert!(!game.gifts.is_empty());
    }
});
