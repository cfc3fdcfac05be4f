//! rusqlite: one writer that commits waiting reservations as a group; or a pool that does not.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use rusqlite::{Connection, params};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{ANSWER, End, Wares};

/// What the floor asks the writer for: a reservation's number, and where the answer goes.
type Job = (u64, oneshot::Sender<bool>);

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

pub(crate) fn wares(file: &Path, goods: &str) -> Wares {
    let conn = open(file);
    let ids = |sql: &str| -> Vec<Uuid> {
        let mut statement = conn.prepare(sql).expect("a statement");
        statement
            .query_map([], |row| row.get::<_, Vec<u8>>(0))
            .expect("rows")
            .map(|id| Uuid::from_slice(&id.expect("an id")).expect("an id"))
            .collect()
    };
    Wares {
        members: ids("SELECT member_id FROM account WHERE kind = 'member' ORDER BY member_id"),
        accounts: ids("SELECT id FROM account WHERE kind = 'member' ORDER BY member_id"),
        goods: ids(&format!("SELECT id FROM goods WHERE ref_id LIKE '{goods}%' ORDER BY ref_id")),
        station: ids("SELECT id FROM station")[0],
    }
}

/// The statements of one reservation.
fn reserve(conn: &Connection, wares: &Wares, turn: u64) -> rusqlite::Result<bool> {
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

/// One writer thread; reservations that wait are committed together, at most 256.
pub(crate) fn writer(file: PathBuf, wares: Arc<Wares>) -> mpsc::Sender<Job> {
    let (sender, jobs) = mpsc::channel::<Job>();
    std::thread::spawn(move || {
        let conn = open(&file);
        while let Ok(first) = jobs.recv() {
            conn.execute_batch("BEGIN IMMEDIATE").expect("a transaction");
            let mut answers = Vec::new();
            let mut next = Some(first);
            while let Some((turn, answer)) = next {
                answers.push((answer, reserve(&conn, &wares, turn).expect("a reservation")));
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

/// Asks the writer, and waits for its commit.
pub(crate) async fn ask(writer: &mpsc::Sender<Job>, turn: u64) -> End {
    let (sender, answer) = oneshot::channel();
    let _ = writer.send((turn, sender));
    match answer.await {
        Ok(true) => End::Done,
        Ok(false) => End::Refused,
        Err(_) => End::Failed,
    }
}

/// Readers in threads of their own, each with a connection: one row by its id.
pub(crate) fn readers(file: &Path, count: usize, ids: &Arc<Vec<Uuid>>) -> mpsc::Sender<Job> {
    let (sender, jobs) = mpsc::channel::<Job>();
    let jobs = Arc::new(std::sync::Mutex::new(jobs));
    for _ in 0..count {
        let (conn, jobs, ids) = (open(file), Arc::clone(&jobs), Arc::clone(ids));
        std::thread::spawn(move || {
            loop {
                let job = jobs.lock().expect("the queue").recv();
                let Ok((turn, answer)) = job else { return };
                let id = ids[(turn as usize) % ids.len()].into_bytes().to_vec();
                let found = conn.prepare_cached("SELECT id, member_id, goods_id, station_id, programme, quantity, points, status, channel, code, created_at, expires_at FROM redemption WHERE id = ?1")
                .and_then(|mut statement| statement.query_row([id], |row| row.get::<_, i64>(6)));
                let _ = answer.send(found.is_ok());
            }
        });
    }
    sender
}

/// Ids of redemptions in the copy.
pub(crate) fn redemptions(file: &Path) -> Vec<Uuid> {
    let conn = open(file);
    let mut statement = conn.prepare("SELECT id FROM redemption LIMIT 5000").expect("a statement");
    statement
        .query_map([], |row| row.get::<_, Vec<u8>>(0))
        .expect("rows")
        .map(|id| Uuid::from_slice(&id.expect("an id")).expect("an id"))
        .collect()
}
