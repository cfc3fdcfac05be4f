//! Points from member to member: the service against its statements.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use crate::compare::{compare, end, round};
use crate::floor::People;
use crate::floor::runner::{Runner, Step, id, may, must, time};
use crate::floor::steps::key;
use crate::service::Service;
use crate::support::{Database, Server};

/// Lets members give. `admin` is the token of one.
pub(crate) async fn allow(server: &Server, admin: &str) {
    let client = crate::support::client();
    let request = client.patch(server.url("/points/programmes/default")).bearer_auth(admin);
    let answer = request.json(&json!({"gifts_allowed": true})).send().await.expect("an answer");
    assert!(answer.status().is_success(), "{answer:?}");
}

pub(crate) async fn measure(database: Database, service: &Arc<Service>, people: &Arc<People>, runner: &Runner) {
    let (floors, services) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let floor = async || {
        let (people, runner) = (Arc::clone(people), runner.clone());
        round(&floors, move |turn| {
            let (people, runner) = (Arc::clone(&people), runner.clone());
            async move { runner.run(steps(&people, turn, Utc::now())).await }
        })
        .await
    };
    let served = async || {
        let (people, service) = (Arc::clone(people), Arc::clone(service));
        round(&services, move |turn| {
            let (people, service) = (Arc::clone(&people), Arc::clone(&service));
            async move {
                let (giver, receiver) = pair(&people, turn);
                let to = people.members[receiver].0;
                let body = json!({"to_member_id": to, "programme": "default", "amount": "0.01"}).to_string();
                let (token, key) = (&service.members[giver], Uuid::now_v7().to_string());
                end(service.wire.post("/api/v1/points/gifts", token, &key, &body).await.as_ref(), 201)
            }
        })
        .await
    };
    compare(database, "gift", floor, served).await;
}

/// Who gives, and to whom: half way round.
fn pair(people: &People, turn: u64) -> (usize, usize) {
    let count = people.members.len();
    let giver = turn as usize % count;
    (giver, (giver + count / 2) % count)
}

/// What the service says to the database, in its order.
fn steps(people: &People, turn: u64, now: DateTime<Utc>) -> Vec<Step> {
    let (giver, receiver) = pair(people, turn);
    let ((giver, from), (receiver, to)) = (people.members[giver], people.members[receiver]);
    let (first, second) = if from < to { (from, to) } else { (to, from) };
    let (journal, gift) = (Uuid::now_v7(), Uuid::now_v7());
    let nothing = "INSERT INTO balance (account_id, balance, held, earned, dated) VALUES ($1, 0, 0, 0, 0) ON CONFLICT (account_id) DO UPDATE SET balance = balance.balance + 0, earned = balance.earned + 0, dated = balance.dated + 0";
    vec![
        must("SELECT * FROM member WHERE id = $1", [id(receiver)]),
        must("SELECT * FROM programme WHERE code = 'default'", []),
        may(
            "INSERT INTO account (id, programme, kind, member_id, region_code) VALUES ($1, 'default', 'member', $2, NULL), ($3, 'default', 'member', $4, NULL) ON CONFLICT DO NOTHING",
            [id(from), id(giver), id(to), id(receiver)],
        ),
        must(nothing, [id(first)]),
        must(nothing, [id(second)]),
        must("SELECT * FROM balance WHERE account_id = $1 FOR UPDATE", [id(from)]),
        may("SELECT * FROM bucket WHERE account_id = $1 AND amount > 0 ORDER BY expires_on", [id(from)]),
        must(
            "UPDATE balance SET balance = balance - 1, dated = dated - 0, held = held - 0, earned = earned - 0 WHERE account_id = $1",
            [id(from)],
        ),
        must(
            "INSERT INTO journal (id, programme, kind, source_kind, source_id, reason, actor_kind, actor_id, at, posted_at) VALUES ($1, 'default', 'gift', 'gift', $2, '积分赠送', 'member', $3, $4, $5)",
            [id(journal), id(gift), id(giver), time(now), time(now)],
        ),
        must(
            "INSERT INTO entry (journal_id, line, account_id, amount) VALUES ($1, 1, $2, -1), ($3, 2, $4, 1)",
            [id(journal), id(from), id(journal), id(to)],
        ),
        must("INSERT INTO unsealed (journal_id) VALUES ($1)", [id(journal)]),
        must(
            "INSERT INTO balance (account_id, balance, held, earned, dated) VALUES ($1, 1, 0, 0, 0) ON CONFLICT (account_id) DO UPDATE SET balance = balance.balance + 1, earned = balance.earned + 0, dated = balance.dated + 0",
            [id(to)],
        ),
        must(
            "INSERT INTO gift (id, programme, giver_id, receiver_id, region_code, receiver_region_code, amount, given_at) VALUES ($1, 'default', $2, $3, '130202009001', '130202009001', 1, $4)",
            [id(gift), id(giver), id(receiver), time(now)],
        ),
        must("SELECT * FROM member WHERE id = $1", [id(giver)]),
        must(
            "INSERT INTO inbox_message (id, member_id, kind, title, body, source_kind, source_id, created_at) VALUES ($1, $2, 'points.gift', '收到积分赠送', '张* 赠送给您 0.01 积分，已到账，可在积分明细中查看。积分的有效期不变，请在到期前使用。', 'gift', $3, $4)",
            [id(Uuid::now_v7()), id(receiver), id(gift), time(now)],
        ),
        must("SELECT * FROM member WHERE id IN ($1, $2)", [id(giver), id(receiver)]),
        key(format!("member:{giver}"), now),
    ]
}
