//! Whatever is done in whatever order: the books, the shelves and the slots agree.

use chrono::TimeDelta;
use linli::jobs::run_once;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::{Shop, fulfil, key, let_households_pool, live_together, order};
use crate::points::{Draft, assert_in_order, give};
use crate::support::{Member, TestApp};

const PEOPLE: usize = 3;
const RUNS: usize = 3;

/// What is done; the first number says by whom, the last which redemption of those made so far.
#[derive(Clone, Debug)]
enum Deed {
    Reserve { who: usize, lines: Vec<(usize, i32)>, household: bool },
    Cancel(usize),
    Fulfil(usize),
    Refund(usize),
    Rebook(usize, usize),
    Close(usize),
    Open(usize),
    Earn(usize, i64),
    Wait(i64),
    Sweep,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let which = || 0..20_usize;
    // No two lines of the same.
    let lines = prop::sample::subsequence(vec![0, 1, 2, 3_usize], 1..=3)
        .prop_flat_map(|which| which.into_iter().map(|which| (Just(which), 1..4_i32)).collect::<Vec<_>>());
    let deed = prop_oneof![
        10 => (0..PEOPLE, lines, any::<bool>())
            .prop_map(|(who, lines, household)| Deed::Reserve { who, lines, household }),
        3 => which().prop_map(Deed::Cancel),
        5 => which().prop_map(Deed::Fulfil),
        3 => which().prop_map(Deed::Refund),
        3 => (which(), 0..2_usize).prop_map(|(which, slot)| Deed::Rebook(which, slot)),
        1 => (0..2_usize).prop_map(Deed::Close),
        1 => (0..2_usize).prop_map(Deed::Open),
        3 => (0..PEOPLE, 1..20_i64).prop_map(|(who, points)| Deed::Earn(who, points * 100)),
        2 => (1..20_i64).prop_map(Deed::Wait),
        2 => Just(Deed::Sweep),
    ];
    prop::collection::vec(deed, 20..45)
}

/// Where it happens.
struct Stage {
    app: TestApp,
    shop: Shop,
    people: Vec<Member>,
    /// Two kinds on the shelf, then a service with two times.
    goods: [String; 2],
    service: String,
    slots: [String; 2],
    /// Id, pick-up code and member of each redemption.
    made: Vec<(String, String, usize)>,
}

impl Stage {
    async fn set(app: TestApp) -> Self {
        let shop = Shop::open(&app).await;
        let_households_pool(&app).await;
        let mut people = Vec::new();
        for _ in 0..PEOPLE {
            let member = app.seed().member().await;
            give(&app, &member, 2500).await;
            people.push(member);
        }
        live_together(&app, &people.iter().collect::<Vec<_>>()).await;
        let limited = json!({"stock": 20, "per_member_limit": 6, "per_household_limit": 12, "limit_period": "day"});
        let goods = [
            shop.goods_with(&app, &limited).await,
            shop.goods_with(&app, &json!({"stock": 15, "points": "2.5"})).await,
        ];
        let (service, early) = shop.service(&app, 40, 3).await;
        let late = shop.slot(&app, &service, 90, 2).await;
        Self { app, shop, people, goods, service, slots: [early, late], made: Vec::new() }
    }

    fn line(&self, (which, quantity): (usize, i32)) -> Value {
        match which {
            0 | 1 => json!({"goods_id": self.goods[which], "quantity": quantity}),
            _ => json!({"goods_id": self.service, "quantity": quantity, "slot_id": self.slots[which - 2]}),
        }
    }

    /// What was done, or why not; never a failure.
    async fn act(&mut self, deed: &Deed) {
        let known = |which: usize| self.made.get(which % self.made.len().max(1)).cloned();
        let path = |id: &str, step: &str| format!("/api/v1/redemptions/{id}/{step}");
        let answer = match deed {
            Deed::Reserve { who, lines, household } => {
                let lines: Vec<_> = lines.iter().map(|line| self.line(*line)).collect();
                let body = json!({"lines": lines, "pay_with": if *household { "household" } else { "own" }});
                let answer = order(&self.app, &self.people[*who], body).await;
                if answer.status == 201 {
                    self.made.push((answer.id(), answer.at("/code"), *who));
                }
                answer
            }
            Deed::Cancel(which) => {
                let Some((id, _, who)) = known(*which) else { return };
                self.app.by(&self.people[who]).post(&path(&id, "cancellation"), json!({})).await
            }
            Deed::Fulfil(which) => {
                let Some((_, code, _)) = known(*which) else { return };
                fulfil(&self.app, &self.shop.clerk, &code).await
            }
            Deed::Refund(which) => {
                let Some((id, ..)) = known(*which) else { return };
                let body = json!({"reason": "退货"});
                self.app.by(&self.shop.manager).post(&path(&id, "refund"), body).key(&key()).await
            }
            Deed::Rebook(which, slot) => {
                let Some((id, _, who)) = known(*which) else { return };
                let body = json!({"slot_id": self.slots[*slot]});
                self.app.by(&self.people[who]).post(&path(&id, "rebooking"), body).await
            }
            Deed::Close(slot) | Deed::Open(slot) => {
                let status = if matches!(deed, Deed::Close(_)) { "closed" } else { "open" };
                let body = json!({"status": status, "cancel_bookings": true});
                self.app.by(&self.shop.clerk).patch(&format!("/api/v1/goods-slots/{}", self.slots[*slot]), body).await
            }
            Deed::Earn(who, amount) => {
                let on = self.app.state.calendar.day_of(self.app.clock.now()) + chrono::Days::new(4);
                let draft = Draft::new(&self.app, ::entity::journal::JournalKind::Grant, &self.people[*who], *amount);
                return draft.expiring(on).post(&self.app).await.unwrap();
            }
            Deed::Wait(hours) => return self.app.clock.advance(TimeDelta::hours(*hours)),
            Deed::Sweep => {
                for job in ["redemption_expiry", "points_expiry"] {
                    run_once(&self.app.state, job).await.unwrap();
                }
                return;
            }
        };
        assert!(matches!(answer.status, 200 | 201 | 409 | 422), "{deed:?}: {} {}", answer.status, answer.text());
    }
}

both!(books_shelves_and_slots_agree_whatever_is_done, async |app| {
    let mut runner = TestRunner::deterministic();
    let mut stage = Stage::set(app).await;
    for _ in 0..RUNS {
        let deeds = deeds().new_tree(&mut runner).unwrap().current();
        for deed in &deeds {
            stage.act(deed).await;
            assert_in_order(&stage.app).await;
        }
        // New times for those that are over.
        let (service, early) = stage.shop.service(&stage.app, 40, 3).await;
        let late = stage.shop.slot(&stage.app, &service, 90, 2).await;
        (stage.service, stage.slots) = (service, [early, late]);
        for goods in &stage.goods {
            let path = format!("/api/v1/goods/{goods}/stock-movements");
            let body = json!({"quantity": 6, "reason": "receipt"});
            stage.app.by(&stage.shop.clerk).post(&path, body).key(&key()).await.expect_status(201);
        }
    }
    assert!(stage.made.len() > RUNS * 3, "{} made", stage.made.len());
});
