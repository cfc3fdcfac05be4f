//! Whatever people do in whatever order: no step is skipped, and slots are what the claims hold.

use chrono::TimeDelta;
use entity::claim::ClaimStatus;
use entity::id::{TaskId, WishId};
use entity::task::TaskStatus;
use entity::wish::WishStatus;
use linli::task::domain::{Attendance, ClaimStep, holds_slot};
use linli::wish::domain::WishStep;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::{Value, json};

use crate::support::{Member, TestApp};
use crate::wish_stage::{Stage, deadlines, window};

const PEOPLE: usize = 4;

/// Something that somebody does; `usize` is which volunteer.
#[derive(Clone, Debug)]
enum Deed {
    Claim(usize),
    Offer(usize),
    Accept(usize),
    Decline(usize),
    Withdraw(usize),
    CheckIn(usize),
    CheckOut(usize),
    Miss(usize),
    Cancel,
    Confirm,
    Dispute,
    Arbitrate(bool),
    Reopen,
    Relist,
    Wait(i64),
    Sweep,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let who = || 0..PEOPLE;
    let deed = prop_oneof![
        8 => who().prop_map(Deed::Claim),
        2 => who().prop_map(Deed::Offer),
        2 => who().prop_map(Deed::Accept),
        1 => who().prop_map(Deed::Decline),
        3 => who().prop_map(Deed::Withdraw),
        8 => who().prop_map(Deed::CheckIn),
        8 => who().prop_map(Deed::CheckOut),
        1 => who().prop_map(Deed::Miss),
        1 => Just(Deed::Cancel),
        2 => Just(Deed::Confirm),
        1 => Just(Deed::Dispute),
        1 => any::<bool>().prop_map(Deed::Arbitrate),
        1 => Just(Deed::Reopen),
        1 => Just(Deed::Relist),
        5 => prop_oneof![1..30_i64, 30..120_i64, Just(60 * 24 * 4)].prop_map(Deed::Wait),
        3 => Just(Deed::Sweep),
    ];
    prop::collection::vec(deed, 10..45)
}

/// What the tables say.
#[derive(Clone, Debug)]
struct Snapshot {
    wish: WishStatus,
    task: entity::task::Model,
    claims: Vec<entity::claim::Model>,
}

async fn snapshot(app: &TestApp, id: &str) -> Snapshot {
    let db = app.state.db.read();
    let wish = entity::wish::Entity::find_by_id(id.parse::<WishId>().unwrap()).one(db).await.unwrap().unwrap();
    let task_id: TaskId = wish.task_id.unwrap();
    let task = entity::task::Entity::find_by_id(task_id).one(db).await.unwrap().unwrap();
    let claims = entity::claim::Entity::find().filter(entity::claim::Column::TaskId.eq(task_id)).all(db).await.unwrap();
    Snapshot { wish: wish.status, task, claims }
}

/// At most one step of the wish, each claim and the task, all of them legal; slots add up.
fn check(before: &Snapshot, after: &Snapshot, deed: &Deed) {
    let several = matches!(deed, Deed::Sweep);
    let wish_steps = |at: WishStatus| WishStep::ALL.into_iter().filter_map(move |step| step.apply_to(at));
    let one = wish_steps(before.wish).any(|next| next == after.wish);
    let two = several && wish_steps(before.wish).any(|at| wish_steps(at).any(|next| next == after.wish));
    assert!(before.wish == after.wish || one || two, "{deed:?}: {:?} to {:?}", before.wish, after.wish);

    let holding = after.claims.iter().filter(|claim| holds_slot(claim.status)).count();
    assert_eq!(i32::try_from(holding).unwrap(), after.task.taken, "{deed:?}");
    assert!((0..=after.task.slots).contains(&after.task.taken), "{deed:?}");

    if before.task.id != after.task.id {
        assert!(after.claims.is_empty() && after.task.status == TaskStatus::Open, "{deed:?}");
        return;
    }
    for claim in &after.claims {
        let at = before.claims.iter().find(|old| old.id == claim.id).map(|old| old.status);
        let legal = match at {
            None => matches!(claim.status, ClaimStatus::Offered | ClaimStatus::Accepted),
            Some(at) => at == claim.status || ClaimStep::ALL.iter().any(|step| step.apply_to(at) == Some(claim.status)),
        };
        assert!(legal, "{deed:?}: {at:?} to {:?}", claim.status);
        assert_eq!(claim.checked_in_at.is_some(), claim.check_in_means.is_some());
        assert!(claim.checked_out_at.is_none() || claim.checked_out_at >= claim.checked_in_at);
    }
    let legal = match (before.task.status, after.task.status) {
        (TaskStatus::Open | TaskStatus::Full, _) => true,
        (TaskStatus::InProgress, now) => matches!(now, TaskStatus::InProgress | TaskStatus::Done),
        (ended, now) => ended == now,
    };
    assert!(legal, "{deed:?}: {:?} to {:?}", before.task.status, after.task.status);
    let counts = after.claims.iter().map(|claim| (claim.status, 1));
    let attendance = Attendance::of(counts).unwrap();
    let expected = attendance.status(after.task.status, after.task.slots, false);
    assert!(expected == after.task.status, "{deed:?}: {:?} with {attendance:?}", after.task.status);
    let follows = match (after.wish, after.task.status, after.task.taken) {
        (WishStatus::Published, status, taken) => status == TaskStatus::Open && taken == 0,
        (WishStatus::Claimed, status, taken) => matches!(status, TaskStatus::Open | TaskStatus::Full) && taken > 0,
        (WishStatus::InService, status, _) => status == TaskStatus::InProgress,
        (WishStatus::Fulfilled | WishStatus::Confirmed | WishStatus::Disputed, status, _) => status == TaskStatus::Done,
        (WishStatus::Cancelled | WishStatus::Expired, status, taken) => status == TaskStatus::Closed && taken == 0,
        (WishStatus::Submitted | WishStatus::Rejected, _, _) => false,
    };
    assert!(follows, "{deed:?}: {:?} with a task {:?}", after.wish, after.task.status);
}

async fn perform(app: &TestApp, stage: &Stage, people: &[Member], id: &str, deed: &Deed) {
    let now = snapshot(app, id).await;
    let task = now.task.id;
    let latest = |who: usize| {
        let own = now.claims.iter().filter(|claim| claim.member_id == people[who].id).map(|claim| claim.id).max();
        own.map_or_else(|| "none".to_owned(), |id| id.to_string())
    };
    let on_claim = |who: usize, action: &str| format!("/api/v1/claims/{}/{action}", latest(who));
    let on_wish = |action: &str| format!("/api/v1/wishes/{id}/{action}");
    let post = async |token: &str, path: String, body: Value| {
        let answer = app.by(token).post(&path, body).await;
        assert!(answer.status < 500, "{deed:?}: {}", answer.text());
    };
    let code = linli::task::check::RotatingCode::at(
        &app.state.keys,
        linli::task::attendance::CODE_PURPOSE,
        task.0,
        app.clock.now(),
    );
    let code = json!({"code": code.code});
    let (resident, manager, clerk) = (&stage.resident.token, &stage.manager.token, &stage.clerk.token);
    match deed {
        Deed::Claim(who) => post(&people[*who].token, format!("/api/v1/tasks/{task}/claims"), json!({})).await,
        Deed::Offer(who) => {
            let body = json!({"member_ids": [people[*who].id], "expires_in_minutes": 45});
            post(manager, format!("/api/v1/tasks/{task}/offers"), body).await;
        }
        Deed::Accept(who) => post(&people[*who].token, on_claim(*who, "acceptance"), json!({})).await,
        Deed::Decline(who) => post(&people[*who].token, on_claim(*who, "decline"), json!({})).await,
        Deed::Withdraw(who) => post(&people[*who].token, on_claim(*who, "withdrawal"), json!({})).await,
        Deed::CheckIn(who) => post(&people[*who].token, on_claim(*who, "check-in"), code).await,
        Deed::CheckOut(who) => post(&people[*who].token, on_claim(*who, "check-out"), code).await,
        Deed::Miss(who) => post(clerk, on_claim(*who, "no-show"), json!({})).await,
        Deed::Cancel => post(resident, on_wish("cancellation"), json!({})).await,
        Deed::Confirm => post(resident, on_wish("confirmation"), json!({"rating": 4})).await,
        Deed::Dispute => post(resident, on_wish("dispute"), json!({"reason": "x"})).await,
        Deed::Arbitrate(again) => {
            let decision = if *again { "republish" } else { "confirm" };
            post(manager, on_wish("arbitration"), json!({"decision": decision, "reason": "x"})).await;
        }
        Deed::Reopen => post(resident, on_wish("reopening"), json!({"window": window(app, 0, 90)})).await,
        Deed::Relist => post(manager, on_wish("relisting"), json!({"window": window(app, 0, 90)})).await,
        Deed::Wait(minutes) => app.clock.advance(TimeDelta::minutes(*minutes)),
        Deed::Sweep => drop(deadlines(app).await),
    }
}

both!(no_order_of_deeds_skips_a_step, async |app| {
    let stage = Stage::new(&app).await;
    let mut people = Vec::new();
    for _ in 0..PEOPLE {
        people.push(app.seed().member().volunteer().await);
    }
    let cases = match app.database.backend() {
        crate::support::Backend::Sqlite => 24,
        crate::support::Backend::Postgres => 8,
    };
    // The same deeds in every run: few cases drawn anew each time would now and then reach too few states.
    let mut runner = TestRunner::deterministic();
    let mut reached = std::collections::BTreeSet::new();
    for case in 0..cases {
        let slots = 1 + case % 3;
        let (id, _) = stage.publish(&app, json!({"slots": slots, "window": window(&app, 0, 90)})).await;
        let deeds = deeds().new_tree(&mut runner).unwrap().current();
        let mut before = snapshot(&app, &id).await;
        for deed in &deeds {
            perform(&app, &stage, &people, &id, deed).await;
            let after = snapshot(&app, &id).await;
            check(&before, &after, deed);
            reached.insert(after.wish);
            before = after;
        }
        // Nobody is bound by what this case left behind.
        app.clock.advance(TimeDelta::days(30));
        deadlines(&app).await;
    }
    assert!(reached.len() >= 4, "only {reached:?}");
    let report = linli::verify::run(&app.state.db).await.unwrap();
    assert!(report.ok, "{report:?}");
});
