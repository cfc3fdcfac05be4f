//! What moves points beside redemptions, all at once: no point may be made, lost or taken twice.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::support::set::{CITY, COMMUNITY, STREET};
use super::support::{Answer, Database, Dice, Place, figure};
use super::{OVERDUE, Storm, one_winner, text};

/// Members who give each other; the first of the set beside the one with a single price.
const GIVERS: usize = 60;
const GIFTS: usize = 2_000;
/// Records to verify, worth a point each, and what the budget holds.
const RECORDS: usize = 50;
const FUNDS: usize = 30;

/// All races; whether all held.
pub(crate) async fn all(storm: &Arc<Storm>, place: &Place, database: Database) -> bool {
    let admin = place.staff("storm-admin", "admin", CITY);
    let allowed = storm.patch("/points/programmes/default", &admin, &json!({"gifts_allowed": true})).await;
    assert_eq!(allowed.status, 200, "{allowed:?}");
    let mut held = gifts(storm, database).await;
    held &= last_gift(storm, database).await;
    held &= refunds(storm, place, database).await;
    held &= overdue(storm, database).await;
    held & budget(storm, place, database).await
}

async fn ids(storm: &Storm, members: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for token in &storm.members[..members] {
        ids.push(text(&storm.get("/me", token).await.json()["id"]));
    }
    ids
}

/// Hundredths of a decimal with two places.
fn hundredths(value: &Value) -> i64 {
    text(value).replace('.', "").parse().expect("points")
}

async fn balance(storm: &Storm, member: usize) -> i64 {
    let points = storm.get("/me/points", &storm.members[member]).await.json();
    hundredths(&points["programmes"][0]["balance"])
}

async fn balances(storm: &Storm) -> i64 {
    let mut sum = 0;
    for member in 1..GIVERS {
        sum += balance(storm, member).await;
    }
    sum
}

/// Everybody gives to everybody, in both directions at once; one in five is sent twice.
async fn gifts(storm: &Arc<Storm>, database: Database) -> bool {
    let ids = Arc::new(ids(storm, GIVERS).await);
    let before = balances(storm).await;
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..64 {
        let (storm, ids) = (Arc::clone(storm), Arc::clone(&ids));
        clients.spawn(async move {
            let mut answers = Vec::new();
            for turn in (client..GIFTS).step_by(64) {
                answers.push(give(&storm, &ids, turn).await);
            }
            answers
        });
    }
    let answers: Vec<(Answer, bool)> = clients.join_all().await.into_iter().flatten().collect();
    let after = balances(storm).await;
    let given = answers.iter().filter(|(answer, _)| answer.status == 201).count();
    let unequal = answers.iter().filter(|(_, equal)| !equal).count();
    let mut codes: HashMap<String, usize> = HashMap::new();
    for (answer, _) in answers.iter().filter(|(answer, _)| answer.status != 201) {
        *codes.entry(format!("{} {}", answer.status, answer.code())).or_default() += 1;
    }
    let named = codes.keys().all(|code| code == "409 insufficient_points");
    figure(&json!({"program": "storm", "figure": "gifts", "database": database.name(), "gifts": answers.len(),
        "given": given, "replays_unequal": unequal, "refusals": codes, "hundredths_before": before, "hundredths_after": after}));
    before == after && unequal == 0 && named && given > 0
}

async fn give(storm: &Storm, ids: &[String], turn: usize) -> (Answer, bool) {
    let mut dice = Dice::new(turn as u64 + 77);
    let from = 1 + dice.below(GIVERS - 1);
    let to = 1 + (from + dice.below(GIVERS - 2)) % (GIVERS - 1);
    let amount = format!("{}.{:02}", dice.below(20), 1 + dice.below(99));
    let body = json!({"to_member_id": ids[to], "programme": "default", "amount": amount});
    let key = format!("gift-{turn}");
    let ask = || storm.post("/points/gifts", &storm.members[from], &key, &body);
    if turn.is_multiple_of(5) {
        let (one, two) = tokio::join!(ask(), ask());
        let equal = one.status == two.status && one.body == two.body;
        return (one, equal);
    }
    (ask().await, true)
}

/// Twenty gifts of all that somebody has.
async fn last_gift(storm: &Arc<Storm>, database: Database) -> bool {
    let ids = ids(storm, GIVERS).await;
    let all = balance(storm, 1).await;
    let amount = format!("{}.{:02}", all / 100, all % 100);
    let mut clients = tokio::task::JoinSet::new();
    for turn in 0..20 {
        let storm = Arc::clone(storm);
        let body = json!({"to_member_id": ids[2 + turn], "programme": "default", "amount": amount});
        clients.spawn(async move {
            storm.post("/points/gifts", &storm.members[1], &format!("last-gift-{turn}"), &body).await
        });
    }
    one_winner("last_gift", database, &clients.join_all().await, 201, &["insufficient_points"])
}

/// One redemption, handed out, and three managers who take it back at once, each under a key of their own.
async fn refunds(storm: &Arc<Storm>, place: &Place, database: Database) -> bool {
    let manager = place.staff("storm-refunds", "manager", STREET);
    let body = json!({"goods_id": storm.goods["M00000"], "quantity": 1});
    let reserved = storm.post("/redemptions", &storm.members[2], "to-refund", &body).await;
    assert_eq!(reserved.status, 201, "{reserved:?}");
    let before = balance(storm, 2).await;
    let code = json!({"code": reserved.json()["code"]});
    let fulfilled = storm.post("/redemptions/fulfilments", &manager, "hand-out", &code).await;
    assert_eq!(fulfilled.status, 200, "{fulfilled:?}");
    let path = format!("/redemptions/{}/refund", text(&reserved.json()["id"]));
    let mut clients = tokio::task::JoinSet::new();
    for turn in 0..3 {
        let (storm, path, manager) = (Arc::clone(storm), path.clone(), manager.clone());
        clients.spawn(async move {
            storm.post(&path, &manager, &format!("refund-{turn}"), &json!({"reason": "米袋破损"})).await
        });
    }
    let once = one_winner("refunds", database, &clients.join_all().await, 200, &["invalid_transition"]);
    once && balance(storm, 2).await == before
}

/// Spending from accounts in which half of the points are over: they expire under the first of ten spends, once.
async fn overdue(storm: &Arc<Storm>, database: Database) -> bool {
    let mut held = true;
    let (mut sold, mut left) = (0, 0);
    for member in OVERDUE {
        // The imported journals say so; the rest is good.
        let good = balance(storm, member).await - 10_000;
        let pieces = good / 1_000;
        let mut clients = tokio::task::JoinSet::new();
        for turn in 0..pieces + 5 {
            let storm = Arc::clone(storm);
            let body = json!({"goods_id": storm.goods["M00000"], "quantity": 1});
            let key = format!("overdue-{member}-{turn}");
            clients.spawn(async move { storm.post("/redemptions", &storm.members[member], &key, &body).await });
        }
        let answers = clients.join_all().await;
        let reserved = answers.iter().filter(|answer| answer.status == 201).count();
        let refused = answers.iter().filter(|answer| answer.code() == "insufficient_points").count();
        held &= i64::try_from(reserved) == Ok(pieces) && refused == 5;
        sold += reserved;
        let balance = balance(storm, member).await;
        held &= balance == good;
        left += balance;
    }
    figure(&json!({"program": "storm", "figure": "overdue", "database": database.name(), "members": OVERDUE.len(),
        "reserved": sold, "hundredths_left": left, "held": held}));
    held
}

/// 50 records worth a point each are verified at once on a budget of 30; the other 20 are owed, and paid when funds come.
async fn budget(storm: &Arc<Storm>, place: &Place, database: Database) -> bool {
    let managers = ["storm-enters", "storm-verifies"].map(|name| place.staff(name, "manager", STREET));
    let records = records(storm, &managers[0]).await;
    let new = json!({"programme": "default", "name": "社区积分预算", "owner_kind": "community", "region_code": COMMUNITY,
        "amount": format!("{FUNDS}.00")});
    let budget = storm.post("/points/budgets", &managers[0], "storm-budget", &new).await;
    assert_eq!(budget.status, 201, "{budget:?}");
    let path = format!("/points/budgets/{}", text(&budget.json()["id"]));
    let mut clients = tokio::task::JoinSet::new();
    for record in &records {
        let (storm, record, manager) = (Arc::clone(storm), record.clone(), managers[1].clone());
        clients.spawn(async move {
            let path = format!("/service-records/{record}/verification");
            storm.post(&path, &manager, &format!("verify-{record}"), &json!({"decision": "verify"})).await
        });
    }
    let answers = clients.join_all().await;
    let paid = answers.iter().filter(|answer| answer.status == 200).count();
    let owed = answers.iter().filter(|answer| answer.code() == "budget_exhausted").count();
    let after = storm.get(&path, &managers[0]).await.json();
    let more = json!({"amount": format!("{}.00", RECORDS - FUNDS), "direction": "add", "reason": "区级补助"});
    let funded = storm.post(&format!("{path}/fundings"), &managers[0], "storm-funds", &more).await;
    assert!(funded.status < 300, "{funded:?}");
    let at_last = storm.get(&path, &managers[0]).await.json();
    figure(
        &json!({"program": "storm", "figure": "budget", "database": database.name(), "verifications": answers.len(),
        "paid": paid, "owed": owed, "issued": after["issued"], "funded": after["funded"], "issued_after_funding": at_last["issued"],
        "dues_after_funding": at_last["dues"]["count"]}),
    );
    paid == FUNDS
        && owed == RECORDS - FUNDS
        && hundredths(&after["issued"]) == hundredths(&after["funded"])
        && hundredths(&at_last["issued"]) == hundredths(&at_last["funded"])
        && at_last["dues"]["count"] == 0
}

/// Half an hour each, typed in by one manager, so that another has to verify.
async fn records(storm: &Arc<Storm>, manager: &str) -> Vec<String> {
    let end = chrono::Utc::now() - chrono::Duration::hours(1);
    let ids = ids(storm, RECORDS + 2).await;
    let mut records = Vec::new();
    for (turn, member) in ids[2..].iter().enumerate() {
        let body = json!({"member_id": member, "category": "civility", "started_at": end - chrono::Duration::minutes(30),
            "ended_at": end, "reason": "签到设备故障"});
        let record = storm.post("/service-records", manager, &format!("record-{turn}"), &body).await;
        assert_eq!(record.status, 201, "{record:?}");
        records.push(text(&record.json()["id"]));
    }
    records
}
