//! Journals put into the ledger by a few large statements: `grant`s of one point to the members in turn, over two and a half years.

use rusqlite::{Connection, params};

use crate::support::Place;

/// Milliseconds since 1970 of the first journal, and between two: 2.5 million of them end before this month.
const BEGIN_MS: i64 = 1_704_067_200_000;
const STEP_MS: i64 = 30_000;
/// Journals of one transaction.
const BATCH: u64 = 250_000;

/// Adds the journals numbered `from` up to, not including, `to`.
pub(super) async fn fill(place: &Place, from: u64, to: u64) {
    match place.url.strip_prefix("sqlite://") {
        Some(file) => sqlite(file, from, to),
        None => postgres(&place.url, from, to).await,
    }
}

const SQLITE: [&str; 4] = [
    "INSERT INTO journal (id, programme, kind, source_kind, source_id, at, posted_at)
     SELECT unhex(id), 'default', 'grant', 'fill', unhex(id), at, at FROM filling",
    "INSERT INTO entry (journal_id, line, account_id, amount)
     SELECT unhex(f.id), l.line, CASE l.line WHEN 1 THEN p.account ELSE (SELECT id FROM account WHERE kind = 'issued') END,
         CASE l.line WHEN 1 THEN 100 ELSE -100 END
     FROM filling f JOIN payee p ON p.k = f.payee CROSS JOIN (SELECT 1 AS line UNION ALL SELECT 2) l",
    "INSERT INTO unsealed (journal_id) SELECT unhex(id) FROM filling",
    "UPDATE balance SET balance = balance + 100 * s.n
     FROM (SELECT p.account, COUNT(*) AS n FROM filling f JOIN payee p ON p.k = f.payee GROUP BY p.account) s
     WHERE balance.account_id = s.account",
];

fn sqlite(file: &str, from: u64, to: u64) {
    let mut conn = Connection::open(file).expect("the database");
    conn.execute_batch(
        "PRAGMA synchronous = OFF; PRAGMA cache_size = -400000; PRAGMA temp_store = MEMORY;
         CREATE TEMP TABLE payee (k INTEGER PRIMARY KEY, account BLOB);
         INSERT INTO payee (account) SELECT id FROM account WHERE kind = 'member' ORDER BY id;
         CREATE TEMP TABLE filling (id TEXT, at TEXT, payee INTEGER);",
    )
    .expect("the members");
    for start in (from..to).step_by(BATCH as usize) {
        let end = (start + BATCH).min(to);
        let batch = conn.transaction().expect("a transaction");
        batch.execute("DELETE FROM filling", []).expect("a batch");
        batch
            .execute(
                "INSERT INTO filling WITH RECURSIVE n (i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?2)
                 SELECT printf('%012x70008%015x', ?3 + i * ?4, i),
                     strftime('%Y-%m-%dT%H:%M:%S+00:00', (?3 + i * ?4) / 1000, 'unixepoch'),
                     1 + i * 7919 % (SELECT COUNT(*) FROM payee) FROM n",
                params![start.cast_signed(), end.cast_signed(), BEGIN_MS, STEP_MS],
            )
            .expect("a batch");
        for sql in SQLITE {
            batch.execute(sql, []).expect("the rows");
        }
        batch.commit().expect("a commit");
    }
}

/// How many journals wait for their seal.
pub(super) async fn waiting(place: &Place) -> i64 {
    const COUNT: &str = "SELECT COUNT(*) FROM unsealed";
    match place.url.strip_prefix("sqlite://") {
        Some(file) => {
            let conn = Connection::open(file).expect("the database");
            conn.query_row(COUNT, [], |row| row.get(0)).expect("a count")
        }
        None => connect(&place.url).await.query_one(COUNT, &[]).await.expect("a count").get(0),
    }
}

async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("the cluster");
    tokio::spawn(async move {
        let _ = connection.await;
    });
    client
}

const POSTGRES: [&str; 4] = [
    "INSERT INTO journal (id, programme, kind, source_kind, source_id, at, posted_at)
     SELECT id, 'default', 'grant', 'fill', id, at, at FROM filling",
    "INSERT INTO entry (journal_id, line, account_id, amount)
     SELECT f.id, l.line, CASE l.line WHEN 1 THEN p.account ELSE (SELECT id FROM account WHERE kind = 'issued') END,
         CASE l.line WHEN 1 THEN 100 ELSE -100 END
     FROM filling f JOIN payee p ON p.k = f.payee CROSS JOIN (VALUES (1), (2)) AS l (line) ORDER BY f.id, l.line",
    "INSERT INTO unsealed (journal_id) SELECT id FROM filling",
    "UPDATE balance SET balance = balance + 100 * s.n
     FROM (SELECT p.account, COUNT(*) AS n FROM filling f JOIN payee p ON p.k = f.payee GROUP BY p.account) s
     WHERE balance.account_id = s.account",
];

async fn postgres(url: &str, from: u64, to: u64) {
    let client = connect(url).await;
    let run = async |sql: &str| client.batch_execute(sql).await.expect("the rows");
    run("SET synchronous_commit = off; SET work_mem = '256MB';
         CREATE TEMP TABLE payee AS SELECT row_number() OVER (ORDER BY id) AS k, id AS account FROM account WHERE kind = 'member'")
    .await;
    for start in (from..to).step_by(BATCH as usize) {
        let end = (start + BATCH).min(to);
        run(&format!(
            "DROP TABLE IF EXISTS filling;
             CREATE TEMP TABLE filling AS SELECT
                 CAST(lpad(to_hex({BEGIN_MS} + i * {STEP_MS}), 12, '0') || '70008' || lpad(to_hex(i), 15, '0') AS uuid) AS id,
                 to_timestamp(({BEGIN_MS} + i * {STEP_MS}) / 1000) AS at, 1 + i * 7919 % (SELECT COUNT(*) FROM payee) AS payee
             FROM generate_series(CAST({start} AS bigint), {end} - 1) AS i"
        ))
        .await;
        for sql in POSTGRES {
            run(sql).await;
        }
    }
    run("ANALYZE; CHECKPOINT").await;
}
