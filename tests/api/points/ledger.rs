//! Postings, holds and reversals by themselves.

use std::collections::HashMap;

use ::entity::id::JournalId;
use ::entity::journal::JournalKind;
use chrono::TimeDelta;
use linli::audit::Actor;
use linli::points::{self, PointsError, Reversing, Source, hold};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use uuid::Uuid;

use super::{Draft, assert_in_order, give, standing, sums};
use crate::support::{Member, TestApp, at_once};

async fn held(app: &TestApp, draft: &Draft, step: Step) -> Result<(), PointsError> {
    let draft = draft.clone();
    let command = async move |txn: &linli::db::Txn| match step {
        Step::Open => hold::open(txn, &draft.posting()).await,
        Step::Capture => hold::capture(txn, &draft.posting()).await,
        Step::Release => hold::release(txn, &draft.posting()).await,
    };
    app.state.db.write(command).await
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Open,
    Capture,
    Release,
}

async fn repair(app: &TestApp, original: (&'static str, Uuid), back: bool) -> Result<i64, PointsError> {
    let (now, journal_id) = (app.clock.now(), JournalId::new());
    let today = app.state.calendar.day_of(now);
    let command = async move |txn: &linli::db::Txn| {
        let reversing = Reversing {
            journal_id,
            original: Source { kind: original.0, id: original.1 },
            source: Source { kind: "repair", id: original.1 },
            reason: Some("测试"),
            actor: Actor::System,
            now,
            today,
        };
        let outcome = if back { points::refund(txn, &reversing).await } else { points::reverse(txn, &reversing).await };
        outcome.map(points::Points::hundredths)
    };
    app.state.db.write(command).await
}

both!(a_posting_needs_cover_and_posts_once, async |app| {
    let member = app.seed().member().await;
    let spend = Draft::new(&app, JournalKind::Spend, &member, 100);
    assert!(matches!(spend.post(&app).await, Err(PointsError::Insufficient { .. })));
    let gift = Draft::new(&app, JournalKind::Grant, &member, 150);
    gift.post(&app).await.unwrap();
    assert!(matches!(gift.post(&app).await, Err(PointsError::InvalidTransition)));
    spend.post(&app).await.unwrap();
    assert!(matches!(spend.post(&app).await, Err(PointsError::Insufficient { .. })));
    assert_eq!(sums(&app, &member).await, ["0.50", "0.00", "0.50"]);
    assert_in_order(&app).await;
});

both!(of_twenty_spends_at_once_one_is_covered, async |app| {
    let member = app.seed().member().await;
    give(&app, &member, 100).await;
    let spends: Vec<_> = (0..20).map(|_| Draft::new(&app, JournalKind::Spend, &member, 100)).collect();
    let outcomes = at_once(spends.iter().map(|spend| Box::pin(spend.post(&app)))).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(()) | Err(PointsError::Insufficient { .. }))));
    assert_eq!(sums(&app, &member).await, ["0.00", "0.00", "0.00"]);
    assert_in_order(&app).await;
});

both!(first_points_of_many_members_at_once_share_their_books, async |app| {
    let mut members = Vec::new();
    for _ in 0..12 {
        members.push(app.seed().member().await);
    }
    let gifts: Vec<_> = members.iter().map(|member| Draft::new(&app, JournalKind::Grant, member, 100)).collect();
    for outcome in at_once(gifts.iter().map(|gift| Box::pin(gift.post(&app)))).await {
        outcome.unwrap();
    }
    assert_in_order(&app).await;
});

both!(what_was_earned_is_taken_back_once_while_it_is_there, async |app| {
    let member = app.seed().member().await;
    let earn = Draft::new(&app, JournalKind::Earn, &member, 300);
    earn.post(&app).await.unwrap();
    let spend = Draft::new(&app, JournalKind::Spend, &member, 100);
    spend.post(&app).await.unwrap();
    let refused = repair(&app, ("test", earn.source_id), false).await;
    assert!(matches!(refused, Err(PointsError::AlreadySpent { .. })), "{refused:?}");
    assert_eq!(repair(&app, ("test", spend.source_id), true).await.unwrap(), 100);
    assert!(matches!(repair(&app, ("test", spend.source_id), true).await, Err(PointsError::InvalidTransition)));
    let attempts = at_once((0..3).map(|_| Box::pin(repair(&app, ("test", earn.source_id), false)))).await;
    assert_eq!(attempts.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{attempts:?}");
    assert_eq!(sums(&app, &member).await, ["0.00", "0.00", "0.00"]);
    assert_eq!(standing(&app, &member).await["earned"], "0.00");
    assert_eq!(repair(&app, ("test", Uuid::now_v7()), false).await.unwrap(), 0);
    assert_in_order(&app).await;
});

#[derive(Clone, Debug)]
enum Op {
    Credit { amount: i64, days: Option<i64>, earn: bool },
    Spend { amount: i64 },
    Open { amount: i64 },
    End { which: usize, capture: bool },
    Repair { which: usize, back: bool },
    Wait { days: i64 },
    Expire,
}

fn ops() -> impl Strategy<Value = Vec<(usize, Op)>> {
    let op = prop_oneof![
        4 => (1_i64..500, proptest::option::of(1_i64..40), any::<bool>())
            .prop_map(|(amount, days, earn)| Op::Credit { amount, days, earn }),
        3 => (1_i64..400).prop_map(|amount| Op::Spend { amount }),
        3 => (1_i64..300).prop_map(|amount| Op::Open { amount }),
        4 => (0_usize..1000, any::<bool>()).prop_map(|(which, capture)| Op::End { which, capture }),
        3 => (0_usize..1000, any::<bool>()).prop_map(|(which, back)| Op::Repair { which, back }),
        2 => (1_i64..15).prop_map(|days| Op::Wait { days }),
        2 => Just(Op::Expire),
    ];
    proptest::collection::vec((0_usize..3, op), 120)
}

/// What a test remembers of its members: posted causes by kind, and open holds.
#[derive(Default)]
struct Memory {
    earned: Vec<(&'static str, Uuid)>,
    spent: Vec<(&'static str, Uuid)>,
    holds: Vec<Draft>,
}

async fn run_op(app: &TestApp, members: &[Member], memory: &mut Memory, (whose, op): (usize, Op)) {
    let member = &members[whose];
    match op {
        Op::Credit { amount, days, earn } => {
            let kind = if earn { JournalKind::Earn } else { JournalKind::Grant };
            let mut draft = Draft::new(app, kind, member, amount);
            draft.expires_on = days.map(|days| draft.today + TimeDelta::days(days));
            draft.post(app).await.unwrap();
            if earn {
                memory.earned.push((draft.source_kind, draft.source_id));
            }
        }
        Op::Spend { amount } => {
            let draft = Draft::new(app, JournalKind::Spend, member, amount);
            match draft.post(app).await {
                Ok(()) => memory.spent.push((draft.source_kind, draft.source_id)),
                Err(error) => assert!(matches!(error, PointsError::Insufficient { .. }), "{error:?}"),
            }
        }
        Op::Open { amount } => {
            let draft = Draft::new(app, JournalKind::Spend, member, amount);
            match held(app, &draft, Step::Open).await {
                Ok(()) => memory.holds.push(draft),
                Err(error) => assert!(matches!(error, PointsError::Insufficient { .. }), "{error:?}"),
            }
        }
        Op::End { which, capture } if !memory.holds.is_empty() => {
            let index = which % memory.holds.len();
            let mut draft = memory.holds.swap_remove(index);
            draft.today = app.state.calendar.day_of(app.clock.now());
            // What is held is always there to be spent, however much has expired meanwhile.
            held(app, &draft, if capture { Step::Capture } else { Step::Release }).await.unwrap();
            assert!(matches!(held(app, &draft, Step::Release).await, Err(PointsError::InvalidTransition)));
            if capture {
                memory.spent.push((draft.source_kind, draft.source_id));
            }
        }
        Op::Repair { which, back: true } if !memory.spent.is_empty() => {
            let index = which % memory.spent.len();
            let original = memory.spent.swap_remove(index);
            repair(app, original, true).await.unwrap();
        }
        Op::Repair { which, back: false } if !memory.earned.is_empty() => {
            let original = memory.earned[which % memory.earned.len()];
            let outcome = repair(app, original, false).await;
            let fits =
                matches!(outcome, Ok(_) | Err(PointsError::AlreadySpent { .. } | PointsError::InvalidTransition));
            assert!(fits, "{outcome:?}");
        }
        Op::End { .. } | Op::Repair { .. } => {}
        Op::Wait { days } => app.clock.advance(TimeDelta::days(days)),
        Op::Expire => {
            linli::jobs::run_once(&app.state, "points_expiry").await.unwrap();
        }
    }
}

both!(whatever_is_posted_in_whatever_order_the_books_close, async |app| {
    let mut runner = TestRunner::deterministic();
    for _ in 0..3 {
        let mut members = Vec::new();
        for _ in 0..3 {
            members.push(app.seed().member().await);
        }
        let mut memory = Memory::default();
        for op in ops().new_tree(&mut runner).unwrap().current() {
            run_op(&app, &members, &mut memory, op).await;
        }
        assert_in_order(&app).await;
        let mut open: HashMap<_, i64> = HashMap::new();
        for hold in &memory.holds {
            *open.entry(hold.member).or_default() += hold.amount;
        }
        for member in &members {
            let expected = linli::http::decimal(open.get(&member.id).copied().unwrap_or(0));
            assert_eq!(sums(&app, member).await[1], expected);
        }
    }
});
