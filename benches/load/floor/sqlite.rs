//! rusqlite: one writer that commits waiting reservations as a group; or a pool that does not.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use rusqlite::{Connection, params};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::runner::{Step, Value};
use super::{ACCOUNTS, ANSWER, BOOKS, End, MEMBERS, People, STAFF, Wares};

/// What a thread is asked for, and where its answer goes.
pub(crate) type Job<J> = (J, oneshot::Sender<bool>);

/// A copy of the database of a run, so that the floor works on as much data and harms none.
pub(crate) fn copy(from: &Path, to: &Path) -> PathBuf {
    let file = to.join("floor.db");
    let source = Connection::open(from).expect("the database");
    source.execute("VACUUM INTO ?1", [file.to_str().expect("a path")]).expect("a copy");
    let copy = open(&file);
    copy.pragma_update(None, "journal_mode", "WAL").expect("WAL");
    file
}

pub(crate) fn open(file: &Path) -> Connection {
    let conn = Connection::open(file).expect("the copy");
    conn.pragma_update(None, "synchronous", "FULL").expect("FULL");
    conn.pragma_update(None, "foreign_keys", true).expect("foreign keys");
    conn.busy_timeout(Duration::from_secs(10)).expect("a timeout");
    conn.set_prepared_statement_cache_capacity(64);
    conn
}

fn ids(conn: &Connection, sql: &str) -> Vec<Uuid> {
    let mut statement = conn.prepare(sql).expect("a statement");
    statement
        .query_map([], |row| row.get::<_, Vec<u8>>(0))
        .expect("rows")
        .map(|id| Uuid::from_slice(&id.expect("an id")).expect("an id"))
        .collect()
}

pub(crate) fn wares(file: &Path, goods: &str) -> Wares {
    let conn = open(file);
    Wares {
        members: ids(&conn, "SELECT member_id FROM account WHERE kind = 'member' ORDER BY member_id"),
        accounts: ids(&conn, "SELECT id FROM account WHERE kind = 'member' ORDER BY member_id"),
        goods: ids(&conn, &format!("SELECT id FROM goods WHERE ref_id LIKE '{goods}%' ORDER BY ref_id")),
        station: ids(&conn, "SELECT id FROM station")[0],
    }
}

pub(crate) fn people(file: &Path) -> People {
    let conn = open(file);
    let staff = ids(&conn, STAFF);
    People {
        members: ids(&conn, MEMBERS).into_iter().zip(ids(&conn, ACCOUNTS)).collect(),
        books: ids(&conn, BOOKS)[0],
        clerk: staff[0],
        manager: staff[1],
    }
}

/// The statements of one reservation.
pub(crate) fn reserve(conn: &Connection, wares: &Wares, turn: u64) -> rusqlite::Result<bool> {
    let pick = |ids: &[Uuid]| ids[(turn as usize) % ids.len()].into_bytes().to_vec();
    let (member, account, goods) = (pick(&wares.members), pick(&wares.accounts), pick(&wares.goods));
    let id = Uuid::now_v7().into_bytes().to_vec();
    let now = chrono::Utc::now().to_rfc3339();
    let mut price = conn.prepare_cached("SELECT points FROM goods WHERE id = ?1")?;
    let points: i64 = price.query_row([&goods], |row| row.get(0))?;
    if conn
        .prepare_cached("UPDATE balance SET held = held + ?1 WHERE account_id = ?2 AND balance - held >= ?1")?
        .execute(params![points, account])?
        == 0
    {
        return Ok(false);
    }
    conn.prepare_cached("INSERT INTO hold (source_kind, source_id, account_id, amount, status, created_at) VALUES ('redemption', ?1, ?2, ?3, 'open', ?4)")?
        .execute(params![id, account, points, now])?;
    conn.prepare_cached("INSERT INTO redemption (id, member_id, goods_id, station_id, region_code, programme, quantity, points, status, channel, code, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, '130202009001', 'default', 1, ?5, 'reserved', 'app', ?6, ?7, ?7)")?
        .execute(params![id, member, goods, wares.station.into_bytes().to_vec(), points, Uuid::now_v7().to_string(), now])?;
    if conn
        .prepare_cached("UPDATE goods SET stock = stock - 1, updated_at = ?2 WHERE id = ?1 AND stock >= 1")?
        .execute(params![goods, now])?
        == 0
    {
        return Ok(false);
    }
    conn.prepare_cached(
        "INSERT INTO idempotency (actor, key, fingerprint, status, body, created_at) VALUES (?1, ?2, ?3, 201, ?4, ?5)",
    )?
    .execute(params![
        format!("member:{}", Uuid::from_slice(&member).unwrap_or_default()),
        Uuid::now_v7().to_string(),
        vec![7_u8; 32],
        vec![7_u8; ANSWER],
        now
    ])?;
    Ok(true)
}

/// The statements of one step of a claim; false where one that must change a row did not.
pub(crate) fn run(conn: &Connection, steps: &[Step]) -> rusqlite::Result<bool> {
    for step in steps {
        // One writer: there is nothing to lock.
        let mut statement = conn.prepare_cached(step.sql.trim_end_matches(" FOR UPDATE"))?;
        let values = rusqlite::params_from_iter(&step.values);
        let rows = if statement.column_count() == 0 {
            statement.execute(values)?
        } else {
            let mut found = statement.query(values)?;
            let mut rows = 0;
            while found.next()?.is_some() {
                rows += 1;
            }
            rows
        };
        if step.must && rows == 0 {
            eprintln!("no row: {}", step.sql);
            return Ok(false);
        }
    }
    Ok(true)
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        Ok(match self {
            Self::Id(id) => id.as_bytes().to_vec().into(),
            Self::Time(time) => time.to_rfc3339().into(),
            Self::Text(text) => text.as_str().into(),
            Self::Bytes(bytes) => bytes.as_slice().into(),
        })
    }
}

/// One writer thread; what waits is committed together, at most 256.
pub(crate) fn writer<J: Send + 'static>(
    file: PathBuf,
    work: impl Fn(&Connection, J) -> rusqlite::Result<bool> + Send + 'static,
) -> mpsc::Sender<Job<J>> {
    let (sender, jobs) = mpsc::channel::<Job<J>>();
    std::thread::spawn(move || {
        let conn = open(&file);
        while let Ok(first) = jobs.recv() {
            conn.execute_batch("BEGIN IMMEDIATE").expect("a transaction");
            let mut answers = Vec::new();
            let mut next = Some(first);
            while let Some((job, answer)) = next {
                answers.push((answer, work(&conn, job).expect("the statements")));
                next = if answers.len() < 256 { jobs.try_recv().ok() } else { None };
            }
            conn.execute_batch("COMMIT").expect("a commit");
            for (answer, outcome) in answers {
                let _ = answer.send(outcome);
            }
        }
    });
    sender
}

/// Asks a thread, and waits for its answer, which it gives after its commit.
pub(crate) async fn ask<J>(thread: &mpsc::Sender<Job<J>>, job: J) -> End {
    let (sender, answer) = oneshot::channel();
    let _ = thread.send((job, sender));
    match answer.await {
        Ok(true) => End::Done,
        Ok(false) => End::Refused,
        Err(_) => End::Failed,
    }
}

/// Threads of their own, each with a connection, which take what waits one by one.
fn threads(
    file: &Path,
    count: usize,
    work: impl Fn(&Connection, u64) -> rusqlite::Result<bool> + Clone + Send + 'static,
) -> mpsc::Sender<Job<u64>> {
    let (sender, jobs) = mpsc::channel::<Job<u64>>();
    let jobs = Arc::new(std::sync::Mutex::new(jobs));
    for _ in 0..count {
        let (conn, jobs, work) = (open(file), Arc::clone(&jobs), work.clone());
        std::thread::spawn(move || {
            loop {
                let job = jobs.lock().expect("the queue").recv();
                let Ok((turn, answer)) = job else { return };
                // An error drops the answer: a failure.
                if let Ok(outcome) = work(&conn, turn) {
                    let _ = answer.send(outcome);
                }
            }
        });
    }
    sender
}

/// Readers: one row by its id.
pub(crate) fn readers(file: &Path, count: usize, ids: &Arc<Vec<Uuid>>) -> mpsc::Sender<Job<u64>> {
    let ids = Arc::clone(ids);
    threads(file, count, move |conn, turn| {
        let id = ids[(turn as usize) % ids.len()].into_bytes().to_vec();
        let mut statement = conn.prepare_cached("SELECT id, member_id, goods_id, station_id, programme, quantity, points, status, channel, code, created_at, expires_at FROM redemption WHERE id = ?1")?;
        statement.query_row([id], |row| row.get::<_, i64>(6)).map(|points| points > 0)
    })
}

/// The pattern without a writer: connections that each begin, reserve and commit by themselves.
pub(crate) fn pool(file: &Path, count: usize, wares: &Arc<Wares>) -> mpsc::Sender<Job<u64>> {
    let wares = Arc::clone(wares);
    threads(file, count, move |conn, turn| {
        conn.execute_batch("BEGIN IMMEDIATE")?;
        let outcome = reserve(conn, &wares, turn);
        conn.execute_batch(if matches!(outcome, Ok(true)) { "COMMIT" } else { "ROLLBACK" })?;
        outcome
    })
}

/// Ids of redemptions in the copy.
pub(crate) fn redemptions(file: &Path) -> Vec<Uuid> {
    ids(&open(file), "SELECT id FROM redemption LIMIT 5000")
}
