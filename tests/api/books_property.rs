//! Every kind of posting in any order, in waves over two nodes at once, with the jobs running between: whatever is done and
//! whatever is refused, the books close and no error is without a name.

use std::collections::BTreeMap;

use ::entity::programme::{self, Expiry};
use ::entity::rule::{RuleBasis, Subject};
use ::entity::staff::Role;
use chrono::TimeDelta;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use sea_orm::{ActiveModelTrait as _, Set};
use serde_json::{Value, json};

use crate::merit::rule;
use crate::points::assert_in_order;
use crate::redemption::{Shop, key, live_together};
use crate::support::{Answer, COMMUNITY, Call, Member, Staff, TestApp, at_once};

/// What can be done; numbers choose among what there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Deed {
    Enter,
    Verify,
    ReverseRecord,
    Grant,
    Deduct,
    Give,
    TakeGiftBack,
    Donate,
    Misbehave,
    Approve,
    ReverseMerit,
    Reserve,
    ReserveTogether,
    ReserveTwo,
    Cancel,
    Fulfil,
    Refund,
    Fund,
    Withdraw,
}

const DEEDS: [(Deed, u32); 19] = [
    (Deed::Enter, 6),
    (Deed::Verify, 8),
    (Deed::ReverseRecord, 3),
    (Deed::Grant, 4),
    (Deed::Deduct, 2),
    (Deed::Give, 6),
    (Deed::TakeGiftBack, 3),
    (Deed::Donate, 3),
    (Deed::Misbehave, 2),
    (Deed::Approve, 5),
    (Deed::ReverseMerit, 2),
    (Deed::Reserve, 6),
    (Deed::ReserveTogether, 3),
    (Deed::ReserveTwo, 3),
    (Deed::Cancel, 3),
    (Deed::Fulfil, 6),
    (Deed::Refund, 4),
    (Deed::Fund, 2),
    (Deed::Withdraw, 1),
];

const WAVES: usize = 60;
/// In one wave.
const AT_ONCE: usize = 8;

fn waves() -> impl Strategy<Value = Vec<Vec<(Deed, usize, usize, i64)>>> {
    let choices = DEEDS.map(|(deed, weight)| (weight, Just(deed).boxed()));
    let deed = proptest::strategy::Union::new_weighted(choices.to_vec());
    let one = (deed, any::<usize>(), any::<usize>(), 1_i64..900);
    proptest::collection::vec(proptest::collection::vec(one, AT_ONCE), WAVES)
}

struct World<'a> {
    nodes: [&'a TestApp; 2],
    members: Vec<Member>,
    enters: Staff,
    decides: Staff,
    shop: Shop,
    goods: [String; 2],
    budget: String,
    /// How many records have been typed in: each has hours of its own.
    hours: i64,
    records: Vec<String>,
    gifts: Vec<String>,
    merits: Vec<String>,
    redemptions: Vec<(String, String)>,
    done: BTreeMap<Deed, usize>,
    refused: BTreeMap<String, usize>,
}

fn points(hundredths: i64) -> String {
    linli::http::decimal(hundredths)
}

/// One of several, or an id that nobody has.
fn pick(all: &[String], which: usize) -> String {
    all.get(which % all.len().max(1)).cloned().unwrap_or_else(key)
}

impl World<'_> {
    fn call(&mut self, turn: usize, (deed, who, which, amount): (Deed, usize, usize, i64)) -> Call {
        let app = self.nodes[turn % 2];
        let member = self.members[who % self.members.len()].clone();
        let by_manager = |path: &str, body: Value| app.by(&self.decides).post(path, body);
        let reason = json!({"reason": "核对后更正"});
        match deed {
            Deed::Enter => {
                self.hours += 1;
                let ended_at = app.clock.now() - TimeDelta::hours(2 * self.hours);
                let started_at = ended_at - TimeDelta::minutes(30 + amount % 60);
                let body = json!({"member_id": member.id, "category": "civility", "started_at": started_at,
                    "ended_at": ended_at, "reason": "设备故障"});
                app.by(&self.enters).post("/api/v1/service-records", body)
            }
            Deed::Verify => {
                let path = format!("/api/v1/service-records/{}/verification", pick(&self.records, which));
                by_manager(&path, json!({"decision": "verify"}))
            }
            Deed::ReverseRecord => {
                by_manager(&format!("/api/v1/service-records/{}/reversal", pick(&self.records, which)), reason)
            }
            Deed::Grant | Deed::Deduct => {
                let direction = if deed == Deed::Grant { "grant" } else { "deduct" };
                let body = json!({"member_id": member.id, "programme": "default", "direction": direction,
                    "amount": points(amount), "reason": "调整"});
                by_manager("/api/v1/points/adjustments", body)
            }
            Deed::Give => {
                let to = self.members[which % self.members.len()].id;
                let body = json!({"to_member_id": to, "programme": "default", "amount": points(amount)});
                app.by(&member).post("/api/v1/points/gifts", body)
            }
            Deed::TakeGiftBack => {
                by_manager(&format!("/api/v1/points/gifts/{}/reversal", pick(&self.gifts, which)), reason)
            }
            Deed::Donate => {
                let body = json!({"kind": "donation_money", "member_id": member.id, "value": points(amount)});
                app.by(&self.enters).post("/api/v1/merits", body)
            }
            Deed::Misbehave => {
                let body =
                    json!({"kind": "event", "member_id": member.id, "item": "high_toss", "reason": "高空抛物，监控可查"});
                app.by(&self.enters).post("/api/v1/merits", body)
            }
            Deed::Approve => {
                let path = format!("/api/v1/merits/{}/approval", pick(&self.merits, which));
                by_manager(&path, json!({"decision": "approve"}))
            }
            Deed::ReverseMerit => by_manager(&format!("/api/v1/merits/{}/reversal", pick(&self.merits, which)), reason),
            Deed::Reserve | Deed::ReserveTogether => {
                let pay_with = if deed == Deed::Reserve { "own" } else { "household" };
                let goods = &self.goods[which % 2];
                let body = json!({"goods_id": goods, "quantity": 1 + amount % 3, "pay_with": pay_with});
                app.by(&member).post("/api/v1/redemptions", body)
            }
            Deed::ReserveTwo => {
                // Crosswise: one takes the first before the second, another the other way round.
                let (one, other) = (&self.goods[which % 2], &self.goods[(which + 1) % 2]);
                let lines = json!([{"goods_id": one, "quantity": 1}, {"goods_id": other, "quantity": 1}]);
                app.by(&member).post("/api/v1/redemptions", json!({"lines": lines}))
            }
            Deed::Cancel => {
                // One of the latest, which nobody has fetched yet.
                let latest = self.redemptions.len().saturating_sub(1 + which % 3);
                let path = format!("/api/v1/redemptions/{}/cancellation", self.redemption(latest).0);
                app.by(&self.shop.clerk).post(&path, json!({}))
            }
            Deed::Fulfil => {
                let code = self.redemption(which).1;
                app.by(&self.shop.clerk).post("/api/v1/redemptions/fulfilments", json!({"code": code}))
            }
            Deed::Refund => by_manager(&format!("/api/v1/redemptions/{}/refund", self.redemption(which).0), reason),
            Deed::Fund | Deed::Withdraw => {
                let direction = if deed == Deed::Fund { "add" } else { "withdraw" };
                let path = format!("/api/v1/points/budgets/{}/fundings", self.budget);
                let body = json!({"amount": points(amount), "direction": direction, "reason": "季度调整"});
                app.by(&self.enters).post(&path, body)
            }
        }
        .key(&key())
    }

    fn redemption(&self, which: usize) -> (String, String) {
        let any = self.redemptions.get(which % self.redemptions.len().max(1)).cloned();
        any.unwrap_or_else(|| (key(), "00000000".to_owned()))
    }

    fn note(&mut self, deed: Deed, answer: &Answer) {
        if answer.status >= 300 {
            let code = answer.code();
            assert!(answer.status < 500 && !code.is_empty(), "{deed:?}: {}", answer.text());
            // Committed all the same, though no budget can pay yet.
            let owed = code == "budget_exhausted" && matches!(deed, Deed::Verify | Deed::Approve);
            if !owed {
                *self.refused.entry(format!("{deed:?} {code}")).or_default() += 1;
                return;
            }
        }
        *self.done.entry(deed).or_default() += 1;
        match deed {
            Deed::Enter => self.records.push(answer.id()),
            Deed::Give => self.gifts.push(answer.id()),
            Deed::Donate | Deed::Misbehave => self.merits.push(answer.id()),
            Deed::Reserve | Deed::ReserveTogether | Deed::ReserveTwo => {
                self.redemptions.push((answer.id(), answer.at("/code")));
            }
            _ => {}
        }
    }

    /// The jobs of both nodes at once: of each only one may do the work.
    async fn jobs(&self) {
        for job in ["points_expiry", "points_dues", "redemption_expiry", "seal"] {
            let [one, other] = self.nodes.map(|node| linli::jobs::run_once(&node.state, job));
            let (one, other) = futures_util::join!(one, other);
            one.unwrap();
            other.unwrap();
        }
    }
}

/// Every month's statement closes as the next one opens, and the last with what the account holds; with what is sealed and what
/// is not.
async fn assert_statements_close(app: &TestApp, members: &[Member]) {
    for member in members {
        let held = app.by(member).get("/api/v1/me/points").await.expect_status(200).at("/programmes/0/balance");
        let mut before = "0.00".to_owned();
        for month in ["2026-10", "2026-11", "2026-12", "2027-01"] {
            let read = app.by(member).get(&format!("/api/v1/me/points/statements/{month}")).await;
            if read.status == 422 {
                continue;
            }
            let month = read.expect_status(200);
            assert_eq!(month.at("/opening"), before, "{}", month.text());
            before = month.at("/closing");
        }
        assert_eq!(before, held);
    }
}

/// Points that last a month and a half, gifts, caps, pooling, points taken away, and a budget.
async fn prepare(app: &TestApp) {
    let change = programme::ActiveModel {
        code: Set("default".to_owned()),
        expiry: Set(Expiry::Months),
        expiry_months: Set(Some(1)),
        gifts_allowed: Set(true),
        households_pool: Set(true),
        negative_allowed: Set(true),
        account_cap: Set(Some(4_000)),
        ..Default::default()
    };
    app.state.db.write(async move |txn| change.clone().update(txn).await).await.unwrap();
    rule(app, Subject::Donation, None, RuleBasis::Yuan, 100).await;
    rule(app, Subject::Event, Some("high_toss"), RuleBasis::Event, -300).await;
}

both!(whatever_is_posted_on_two_nodes_the_books_close, async |app| {
    let other = app.second_node().await;
    prepare(&app).await;
    let mut members = Vec::new();
    for _ in 0..5 {
        members.push(app.seed().member().volunteer().await);
    }
    live_together(&app, &[&members[0], &members[1], &members[2]]).await;
    let shop = Shop::open(&app).await;
    let goods = [shop.goods(&app, "2.00", 60, None).await, shop.goods(&app, "3.50", 60, Some(20)).await];
    let enters = app.seed().staff(Role::Manager).await;
    let decides = app.seed().staff(Role::Manager).await;
    let new = json!({"programme": "default", "name": "社区预算", "owner_kind": "community", "region_code": COMMUNITY,
        "amount": "150.00"});
    let budget = app.by(&enters).post("/api/v1/points/budgets", new).await.expect_status(201).id();
    let mut world = World {
        nodes: [&app, &other],
        members,
        enters,
        decides,
        shop,
        goods,
        budget,
        hours: 0,
        records: Vec::new(),
        gifts: Vec::new(),
        merits: Vec::new(),
        redemptions: Vec::new(),
        done: BTreeMap::new(),
        refused: BTreeMap::new(),
    };
    let waves = waves().new_tree(&mut TestRunner::deterministic()).unwrap().current();
    for (number, wave) in waves.into_iter().enumerate() {
        let deeds: Vec<_> = wave.iter().map(|(deed, ..)| *deed).collect();
        let calls: Vec<_> = wave.into_iter().enumerate().map(|(turn, choice)| world.call(turn, choice)).collect();
        for (deed, answer) in deeds.into_iter().zip(at_once(calls).await) {
            world.note(deed, &answer);
        }
        if number % 6 == 5 {
            app.clock.advance(TimeDelta::days(4));
            world.jobs().await;
        }
        if number % 15 == 14 {
            assert_in_order(&app).await;
            assert_statements_close(&app, &world.members).await;
        }
    }
    assert_in_order(&app).await;
    assert_statements_close(&app, &world.members).await;
    let missing: Vec<_> = DEEDS.iter().filter(|(deed, _)| !world.done.contains_key(deed)).collect();
    assert!(missing.is_empty(), "never done: {missing:?}; refused: {:?}", world.refused);
});
