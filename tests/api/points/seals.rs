//! Seals: what waits is sealed once, in a chain that anyone can check; whoever changes the journal is found out (S-32).

use ::entity::id::JournalId;
use ::entity::journal::JournalKind;
use ::entity::{seal, seal_leaf, unsealed};
use chrono::{Days, TimeDelta};
use linli::db::Txn;
use linli::jobs;
use sea_orm::{ConnectionTrait as _, DbErr, EntityTrait as _, PaginatorTrait as _, QueryOrder as _};
use serde_json::Value;

use super::{Draft, give};
use crate::support::{Backend, FOREIGN, Member, TestApp, linli};

/// Runs the job; how many journals it sealed.
pub(crate) async fn sealed(app: &TestApp) -> u64 {
    jobs::run_once(&app.state, "seal").await.unwrap().unwrap()
}

async fn waiting(app: &TestApp) -> u64 {
    unsealed::Entity::find().count(app.state.db.read()).await.unwrap()
}

async fn report(app: &TestApp) -> linli::verify::Report {
    linli::verify::run_with_seals(&app.state.db, &app.state.keys).await.unwrap()
}

/// Check and row of what is found, each once.
async fn found(app: &TestApp) -> Vec<(&'static str, String)> {
    let report = report(app).await;
    assert_eq!(report.ok, report.findings.is_empty());
    report.findings.into_iter().map(|finding| (finding.check, finding.row)).collect()
}

/// A few postings of two members, one of them over two lots; the ids of their journals in order.
async fn furnished(app: &TestApp) -> Vec<JournalId> {
    let member = app.seed().member().await;
    give(app, &member, 5000).await;
    for days in [30, 60] {
        let grant = Draft::new(app, JournalKind::Grant, &member, 700);
        let on = grant.today + Days::new(days);
        grant.expiring(on).post(app).await.unwrap();
    }
    Draft::new(app, JournalKind::Spend, &member, 900).post(app).await.unwrap();
    give(app, &app.seed().member().await, 300).await;
    journals(app).await
}

async fn journals(app: &TestApp) -> Vec<JournalId> {
    use ::entity::journal::{Column, Entity};
    let rows = Entity::find().order_by_asc(Column::Id).all(app.state.db.read()).await.unwrap();
    rows.into_iter().map(|row| row.id).collect()
}

/// Does to the tables what the service never does, with what would stop it out of the way.
async fn as_an_insider(app: &TestApp, statements: &[String]) {
    let mut all: Vec<String> = Vec::new();
    if app.database.backend() == Backend::Sqlite {
        for trigger in ["update", "delete"] {
            let tables = ["journal", "entry", "seal", "seal_leaf"];
            all.extend(tables.map(|table| format!("DROP TRIGGER IF EXISTS {table}_no_{trigger}")));
        }
    } else {
        all.push("SET LOCAL session_replication_role = replica".to_owned());
        all.push("SET CONSTRAINTS ALL DEFERRED".to_owned());
    }
    all.extend_from_slice(statements);
    let outcome: Result<(), DbErr> = app
        .state
        .db
        .write(async move |txn: &Txn| {
            for statement in &all {
                txn.execute_unprepared(statement).await?;
            }
            Ok(())
        })
        .await;
    outcome.unwrap_or_else(|error| panic!("{statements:?}: {error}"));
}

/// An id as the database's own statements write it.
fn literal(app: &TestApp, id: JournalId) -> String {
    match app.database.backend() {
        Backend::Sqlite => format!("x'{}'", id.0.simple()),
        Backend::Postgres => format!("'{id}'"),
    }
}

both!(what_waits_is_sealed_once_and_the_chain_goes_on, async |app| {
    assert_eq!(sealed(&app).await, 0);
    furnished(&app).await;
    assert_eq!(waiting(&app).await, 5);
    assert_eq!(found(&app).await, []);
    assert_eq!(sealed(&app).await, 5);
    assert_eq!((sealed(&app).await, waiting(&app).await), (0, 0));
    app.clock.advance(TimeDelta::seconds(15));
    give(&app, &app.seed().member().await, 100).await;
    assert_eq!(sealed(&app).await, 1);

    let seals = app.get("/api/v1/points/seals").await.expect_status(200).json();
    let [second, first] = seals["items"].as_array().unwrap().as_slice() else { panic!("{seals}") };
    assert_eq!((&first["no"], &second["no"]), (&1.into(), &2.into()));
    assert_eq!(first["previous"], "0".repeat(64));
    assert_eq!(second["previous"], first["hash"]);
    assert_eq!((&first["journals"], &first["entries"], &first["sum"]), (&5.into(), &11.into(), &"76.00".into()));
    assert_eq!(second["sealed_at"], "2026-11-21T02:00:15.000000Z");
    let one = app.get("/api/v1/points/seals/2").await.expect_status(200).json();
    assert_eq!(one, *second);
    for no in ["0", "3", "02", "-1", "99999999999999999999", "x"] {
        app.get(&format!("/api/v1/points/seals/{no}")).await.expect_problem(404, "not_found");
    }
    let page = app.get("/api/v1/points/seals?limit=1").await.expect_status(200).json();
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = app.get(&format!("/api/v1/points/seals?limit=1&cursor={cursor}")).await.expect_status(200).json();
    assert_eq!((&rest["items"][0], &rest["next_cursor"]), (first, &Value::Null));
    let key = app.get("/api/v1/points/seals/key").await.expect_status(200).json();
    assert_eq!((&key["algorithm"], &key["key_id"]), (&"Ed25519".into(), &first["key_id"]));
    let report = report(&app).await;
    let seals = report.seals.unwrap();
    assert!(report.ok);
    assert_eq!((seals.seals, seals.sealed, seals.unsealed, seals.lag_seconds), (2, 6, 0, 0));
    assert_eq!(seals.head.unwrap().hash, second["hash"]);
});

both!(a_large_batch_is_cut_into_seals, async |app| {
    let member = app.seed().member().await;
    let member_id = member.id;
    let at = app.clock.now();
    let posted = app.state.db.write_long(async move |txn| {
        let transfers: Vec<_> = (0..5000)
            .map(|n| linli::points::bulk::Transfer {
                journal_id: JournalId(uuid::Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0000 + n)),
                member_id,
                community: crate::support::COMMUNITY,
                amount: 100,
                source_id: uuid::Uuid::from_u128(n),
                at,
            })
            .collect();
        let batch = linli::points::bulk::Batch {
            kind: JournalKind::Earn,
            programme: "default",
            source_kind: "test",
            actor: linli::audit::Actor::System,
            posted_at: at,
            today: at.date_naive(),
        };
        linli::points::bulk::post_all(txn, &batch, &transfers).await
    });
    posted.await.unwrap();
    assert_eq!(sealed(&app).await, 5000);
    let seals = seal::Entity::find().order_by_asc(seal::Column::No).all(app.state.db.read()).await.unwrap();
    assert_eq!(seals.iter().map(|seal| seal.journals).collect::<Vec<_>>(), [4096, 904]);
    assert_eq!(found(&app).await, []);
});

both!(a_journal_that_commits_late_is_not_left_out, async |app| {
    let ids = furnished(&app).await;
    sealed(&app).await;
    // Drawn before all others, and committed after they were sealed.
    let member = app.seed().member().await;
    let late = Draft::new(&app, JournalKind::Grant, &member, 100);
    let early = JournalId(uuid::Uuid::from_u128(ids[0].0.as_u128() - 1));
    let posted = app.state.db.write(async move |txn| {
        let posting = linli::points::Posting { journal_id: early, ..late.posting() };
        linli::points::post(txn, &posting).await
    });
    posted.await.unwrap();
    assert_eq!(sealed(&app).await, 1);
    assert_eq!(found(&app).await, []);
    let two = app.get("/api/v1/points/seals/2").await.expect_status(200).json();
    assert_eq!(two["first_journal"], early.to_string());
});

both!(two_nodes_at_once_make_one_chain, async |app| {
    let other = app.second_node().await;
    let member = app.seed().member().await;
    for _ in 0..5 {
        let posts: Vec<_> = (0..6).map(|_| Draft::new(&app, JournalKind::Grant, &member, 100)).collect();
        let post = async {
            for posted in crate::support::at_once(posts.iter().map(|post| Box::pin(post.post(&app)))).await {
                posted.unwrap();
            }
        };
        let seal = |node: linli::app::AppState| async move { jobs::run_once(&node, "seal").await.map(drop) };
        let ((), first, second) =
            futures_util::future::join3(post, seal(app.state.clone()), seal(other.state.clone())).await;
        first.unwrap();
        second.unwrap();
    }
    sealed(&app).await;
    assert_eq!(waiting(&app).await, 0);
    assert_eq!(seal_leaf::Entity::find().count(app.state.db.read()).await.unwrap(), 30);
    assert_eq!(found(&app).await, []);
});

both!(seals_cannot_be_changed_by_plain_statements, async |app| {
    furnished(&app).await;
    sealed(&app).await;
    for statement in
        ["UPDATE seal SET sum = 0", "DELETE FROM seal", "UPDATE seal_leaf SET position = 9", "DELETE FROM seal_leaf"]
    {
        let outcome: Result<(), DbErr> =
            app.state.db.write(async move |txn| txn.execute_unprepared(statement).await.map(drop)).await;
        assert!(outcome.is_err(), "{statement}");
    }
    assert_eq!(found(&app).await, []);
});

both!(a_changed_row_is_named_once_it_is_sealed, async |app| {
    let ids = furnished(&app).await;
    sealed(&app).await;
    let (id, other) = (literal(&app, ids[1]), literal(&app, ids[2]));
    let name = ids[1].to_string();
    let changed = ("sealed_journal_is_unchanged", name.clone());
    for (there, back) in [
        (
            format!("UPDATE journal SET reason = '别的' WHERE id = {id}"),
            format!("UPDATE journal SET reason = '测试' WHERE id = {id}"),
        ),
        (
            format!("UPDATE journal SET actor_kind = 'staff' WHERE id = {id}"),
            format!("UPDATE journal SET actor_kind = 'system' WHERE id = {id}"),
        ),
        (
            format!("UPDATE entry SET expires_on = '2099-01-01' WHERE journal_id = {id} AND line = 2"),
            format!("UPDATE entry SET expires_on = NULL WHERE journal_id = {id} AND line = 2"),
        ),
    ] {
        as_an_insider(&app, std::slice::from_ref(&there)).await;
        let found = found(&app).await;
        assert!(found.contains(&changed), "{there}: {found:?}");
        as_an_insider(&app, &[back]).await;
    }
    // Both sides of both journals, so that every sum still closes.
    let swap = format!(
        "UPDATE entry SET amount = CASE WHEN amount > 0 THEN 1 ELSE -1 END * (CASE journal_id WHEN {id} THEN 600 ELSE 800 END) \
         WHERE journal_id IN ({id}, {other})"
    );
    as_an_insider(&app, &[swap]).await;
    let found = found(&app).await;
    assert!(
        found.contains(&changed) && found.contains(&("sealed_journal_is_unchanged", ids[2].to_string())),
        "{found:?}"
    );
});

both!(a_missing_row_is_named, async |app| {
    let ids = furnished(&app).await;
    let (sealed_one, young) = (literal(&app, ids[0]), literal(&app, ids[4]));
    let take = |id: &str| {
        vec![format!("DELETE FROM entry WHERE journal_id = {id}"), format!("DELETE FROM journal WHERE id = {id}")]
    };
    // Before it is sealed, the queue and the balance know of it.
    as_an_insider(&app, &take(&young)).await;
    let found_young = found(&app).await;
    assert!(found_young.contains(&("waiting_journal_is_there", ids[4].to_string())), "{found_young:?}");
    assert!(found_young.iter().any(|(check, _)| *check == "balance_is_sum_of_entries"), "{found_young:?}");
    // It keeps nobody else from being sealed.
    assert_eq!(sealed(&app).await, 4);
    as_an_insider(&app, &take(&sealed_one)).await;
    let found = found(&app).await;
    assert!(found.contains(&("sealed_journal_is_there", ids[0].to_string())), "{found:?}");
});

both!(an_inserted_row_is_named, async |app| {
    let ids = furnished(&app).await;
    sealed(&app).await;
    let id = literal(&app, ids[0]);
    let forged = JournalId::new();
    let copy = format!(
        "INSERT INTO journal (id, programme, kind, source_kind, source_id, at, posted_at) \
         SELECT {new}, programme, kind, 'forged', id, at, posted_at FROM journal WHERE id = {id}",
        new = literal(&app, forged)
    );
    let lines = format!(
        "INSERT INTO entry (journal_id, line, account_id, amount) SELECT {new}, line, account_id, amount FROM entry \
         WHERE journal_id = {id}",
        new = literal(&app, forged)
    );
    as_an_insider(&app, &[copy, lines]).await;
    let all = found(&app).await;
    assert!(all.contains(&("journal_is_sealed_or_waits", forged.to_string())), "{all:?}");
    // A line more in a journal that is sealed.
    let line = format!(
        "INSERT INTO entry (journal_id, line, account_id, amount) SELECT journal_id, 7, account_id, 1 FROM entry \
         WHERE journal_id = {id} AND line = 1"
    );
    as_an_insider(&app, &[line]).await;
    let all = found(&app).await;
    assert!(all.contains(&("sealed_journal_is_unchanged", ids[0].to_string())), "{all:?}");
    assert!(all.contains(&("seal_figures_are_of_its_journals", "1".to_owned())), "{all:?}");
});

both!(rows_in_another_order_are_named, async |app| {
    let ids = furnished(&app).await;
    // Before the seal, a queue has no order; that it waits is told.
    assert_eq!(report(&app).await.seals.unwrap().unsealed, 5);
    sealed(&app).await;
    let swap = "UPDATE seal_leaf SET position = CASE position WHEN 100 THEN 2 WHEN 101 THEN 1 ELSE position + 99 END \
                WHERE position IN (1, 2, 100, 101)";
    as_an_insider(&app, &[swap.to_owned(), swap.to_owned()]).await;
    let all = found(&app).await;
    assert!(all.contains(&("seal_root_is_of_its_leaves", "1".to_owned())), "{all:?}");
    for id in [ids[1], ids[2]] {
        assert!(all.contains(&("sealed_journal_stands_in_its_place", id.to_string())), "{all:?}");
    }
});

both!(a_changed_seal_is_named, async |app| {
    furnished(&app).await;
    sealed(&app).await;
    for _ in 0..2 {
        give(&app, &app.seed().member().await, 100).await;
        sealed(&app).await;
    }
    let names = |found: Vec<(&'static str, String)>| -> Vec<_> { found.iter().map(|(check, _)| *check).collect() };
    as_an_insider(&app, &["UPDATE seal SET sum = sum + 1 WHERE no = 2".to_owned()]).await;
    let found_sum = found(&app).await;
    assert!(found_sum.iter().all(|(_, row)| row == "2"), "{found_sum:?}");
    assert_eq!(names(found_sum), ["seal_figures_are_of_its_journals", "seal_hash_is_of_its_words"]);
    as_an_insider(&app, &["UPDATE seal SET sum = sum - 1 WHERE no = 2".to_owned()]).await;
    // A hash that fits other words is not signed, and the next seal does not follow it.
    let zeros =
        if app.database.backend() == Backend::Sqlite { "zeroblob(32)" } else { "decode(repeat('00', 32), 'hex')" };
    as_an_insider(&app, &[format!("UPDATE seal SET hash = {zeros} WHERE no = 2")]).await;
    let found_hash = found(&app).await;
    assert!(found_hash.contains(&("seal_follows_the_one_before", "3".to_owned())), "{found_hash:?}");
    assert!(found_hash.contains(&("seal_is_signed_by_this_instance", "2".to_owned())), "{found_hash:?}");
    // One taken out of the middle.
    let all = ["DELETE FROM seal_leaf WHERE seal_no = 2".to_owned(), "DELETE FROM seal WHERE no = 2".to_owned()];
    as_an_insider(&app, &all).await;
    let found_gap = found(&app).await;
    assert!(found_gap.contains(&("seal_follows_the_one_before", "3".to_owned())), "{found_gap:?}");
    assert!(names(found_gap).contains(&"journal_is_sealed_or_waits"));
});

both!(one_that_is_passed_over_for_an_hour_is_named, async |app| {
    let ids = furnished(&app).await;
    sealed(&app).await;
    let member = app.seed().member().await;
    give(&app, &member, 100).await;
    let held_back = *journals(&app).await.last().unwrap();
    let id = literal(&app, held_back);
    as_an_insider(&app, &[format!("DELETE FROM unsealed WHERE journal_id = {id}")]).await;
    app.clock.advance(TimeDelta::minutes(61));
    give(&app, &member, 100).await;
    sealed(&app).await;
    as_an_insider(&app, &[format!("INSERT INTO unsealed (journal_id) VALUES ({id})")]).await;
    assert_eq!(found(&app).await, [("journal_is_sealed_within_an_hour", held_back.to_string())]);
    // A sealed one that is put back is not sealed twice.
    let again = literal(&app, ids[0]);
    as_an_insider(&app, &[format!("INSERT INTO unsealed (journal_id) VALUES ({again})")]).await;
    assert!(found(&app).await.contains(&("sealed_journal_does_not_wait", ids[0].to_string())));
    assert!(jobs::run_once(&app.state, "seal").await.is_err());
});

async fn journal_of(app: &TestApp, member: &Member) -> String {
    app.by(member).get("/api/v1/me/points/entries").await.expect_status(200).at("/items/0/id")
}

both!(a_member_has_the_proof_of_each_posting, async |app| {
    let member = app.seed().member().await;
    for amount in [100, 200, 300] {
        give(&app, &member, amount).await;
    }
    let id = journal_of(&app, &member).await;
    let path = format!("/api/v1/me/points/entries/{id}/proof");
    app.by(&member).get(&path).await.expect_problem(409, "not_sealed_yet");
    sealed(&app).await;
    let proof = app.by(&member).get(&path).await.expect_status(200).json();
    assert_eq!((&proof["journal_id"], &proof["position"]), (&id.clone().into(), &2.into()));
    assert_eq!(proof["path"].as_array().unwrap().len(), 1);
    assert_eq!(proof["path"][0]["side"], "left");
    let leaf: Value = serde_json::from_str(proof["leaf"].as_str().unwrap()).unwrap();
    assert_eq!((&leaf["journal"], &leaf["entries"][0]["amount"]), (&id.clone().into(), &300.into()));
    // Nobody else's.
    let other = app.seed().member().await;
    app.by(&other).get(&path).await.expect_problem(404, "not_found");
    let of = |who: &Member| format!("/api/v1/members/{}/points/entries/{id}/proof", who.id);
    app.by(&other).get(&of(&member)).await.expect_problem(404, "not_found");
    let clerk = app.seed().staff(::entity::staff::Role::Clerk).await;
    app.by(&clerk).get(&of(&member)).await.expect_status(200);
    app.by(&clerk).get(&of(&other)).await.expect_problem(404, "not_found");
    let foreign = app.seed().staff(::entity::staff::Role::Clerk).in_region(FOREIGN).await;
    app.by(&foreign).get(&of(&member)).await.expect_problem(404, "not_found");
});

both!(the_command_makes_every_seal_again, async |app| {
    let ids = furnished(&app).await;
    let waiting = linli(&app.database, &["verify", "--seals"]).output().unwrap();
    assert_eq!(waiting.status.code(), Some(0), "{}", String::from_utf8_lossy(&waiting.stderr));
    let said: Value = serde_json::from_slice(&waiting.stdout).unwrap();
    assert_eq!((&said["seals"]["seals"], &said["seals"]["unsealed"]), (&0.into(), &5.into()));
    sealed(&app).await;
    let id = literal(&app, ids[0]);
    as_an_insider(&app, &[format!("UPDATE journal SET reason = '别的' WHERE id = {id}")]).await;
    let broken = linli(&app.database, &["verify", "--seals"]).output().unwrap();
    assert_eq!(broken.status.code(), Some(1));
    let said: Value = serde_json::from_slice(&broken.stdout).unwrap();
    assert_eq!(said["findings"][0]["check"], "sealed_journal_is_unchanged");
    assert_eq!(said["findings"][0]["row"], ids[0].to_string());
    assert_eq!(linli(&app.database, &["verify"]).output().unwrap().status.code(), Some(0));
});
