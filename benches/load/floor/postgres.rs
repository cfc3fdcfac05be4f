//! tokio-postgres: a reservation as one statement on a connection of its own, or several of a hot good as a group.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, NoTls, Statement};
use uuid::Uuid;

use super::runner::{Step, Value};
use super::{ACCOUNTS, ANSWER, BOOKS, End, MEMBERS, People, STAFF, Wares};

/// A connection with its prepared statements.
pub(crate) struct Connection {
    client: Client,
    reserve: Statement,
    read: Statement,
    /// Those of the steps, each from its first use on.
    steps: Mutex<HashMap<&'static str, Statement>>,
}

const RESERVE: &str = "
WITH price AS (SELECT id, points, station_id FROM goods WHERE id = $1),
 paid AS (UPDATE balance SET held = held + price.points FROM price WHERE account_id = $2 AND balance - held >= price.points RETURNING account_id),
 held AS (INSERT INTO hold (source_kind, source_id, account_id, amount, status, created_at)
   SELECT 'redemption', $3, paid.account_id, price.points, 'open', $4 FROM paid, price RETURNING 1),
 reserved AS (INSERT INTO redemption (id, member_id, goods_id, station_id, region_code, programme, quantity, points, status, channel, code, created_at, expires_at)
   SELECT $3, $5, $1, price.station_id, '130202009001', 'default', 1, price.points, 'reserved', 'app', $6, $4, $4 FROM paid, price RETURNING 1),
 keyed AS (INSERT INTO idempotency (actor, key, fingerprint, status, body, created_at) VALUES ($7, $8, $9, 201, $10, $4) RETURNING 1)
UPDATE goods SET stock = stock - 1, updated_at = $4 FROM paid WHERE id = $1 AND stock >= 1";

const READ: &str = "SELECT id, member_id, goods_id, station_id, programme, quantity, points, status, channel, code, created_at, expires_at FROM redemption WHERE id = $1";

impl Connection {
    pub(crate) async fn open(url: &str) -> Arc<Self> {
        let client = connect(url).await;
        let reserve = client.prepare(RESERVE).await.expect("a statement");
        let read = client.prepare(READ).await.expect("a statement");
        Arc::new(Self { client, reserve, read, steps: Mutex::default() })
    }

    /// Begins or ends a group.
    pub(crate) async fn batch(&self, text: &str) {
        self.client.batch_execute(text).await.expect("a group");
    }

    pub(crate) async fn reserve(&self, wares: &Wares, turn: u64) -> End {
        let pick = |ids: &[Uuid]| ids[(turn as usize) % ids.len()];
        let member = pick(&wares.members);
        let now: DateTime<Utc> = Utc::now();
        let (code, actor, key) = (Uuid::now_v7().to_string(), format!("member:{member}"), Uuid::now_v7().to_string());
        let (goods, account, id) = (pick(&wares.goods), pick(&wares.accounts), Uuid::now_v7());
        let (fingerprint, body) = (vec![7_u8; 32], vec![7_u8; ANSWER]);
        let rows = self
            .client
            .execute(&self.reserve, &[&goods, &account, &id, &now, &member, &code, &actor, &key, &fingerprint, &body])
            .await;
        match rows {
            Ok(1) => End::Done,
            Ok(_) => End::Refused,
            Err(_) => End::Failed,
        }
    }

    /// The statements of one step of a claim in a transaction. Nobody else may use the connection meanwhile.
    pub(crate) async fn run(&self, steps: &[Step]) -> End {
        match self.transaction(steps).await {
            Ok(()) => End::Done,
            Err(error) => {
                eprintln!("{error}");
                let _ = self.client.batch_execute("ROLLBACK").await;
                End::Failed
            }
        }
    }

    async fn transaction(&self, steps: &[Step]) -> Result<(), String> {
        let told = |sql: &'static str| move |error: Error| format!("{sql}: {error:?}");
        self.client.batch_execute("BEGIN").await.map_err(told("BEGIN"))?;
        for step in steps {
            let statement = self.prepared(step.sql).await.map_err(told(step.sql))?;
            let values: Vec<_> = step.values.iter().map(value).collect();
            let rows = self.client.execute(&statement, &values).await.map_err(told(step.sql))?;
            if step.must && rows == 0 {
                return Err(format!("no row: {}", step.sql));
            }
        }
        self.client.batch_execute("COMMIT").await.map_err(told("COMMIT"))
    }

    async fn prepared(&self, sql: &'static str) -> Result<Statement, Error> {
        let known = self.steps.lock().expect("the statements").get(sql).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let statement = self.client.prepare(sql).await?;
        self.steps.lock().expect("the statements").insert(sql, statement.clone());
        Ok(statement)
    }

    pub(crate) async fn read(&self, id: Uuid) -> End {
        match self.client.query_one(&self.read, &[&id]).await {
            Ok(row) if row.get::<_, i64>(6) > 0 => End::Done,
            _ => End::Failed,
        }
    }
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("the cluster");
    tokio::spawn(async move {
        let _ = connection.await;
    });
    client
}

/// A copy of the database of a run on the same cluster. Nobody may be connected to the original.
pub(crate) async fn copy(url: &str) -> String {
    let at = url.rsplit_once('/').expect("a database name").0;
    let client = connect(&format!("{at}/postgres")).await;
    client.batch_execute("CREATE DATABASE floor TEMPLATE linli").await.expect("a copy");
    let url = format!("{at}/floor");
    connect(&url).await.batch_execute("ANALYZE").await.expect("statistics");
    url
}

fn value(value: &Value) -> &(dyn ToSql + Sync) {
    match value {
        Value::Id(id) => id,
        Value::Time(time) => time,
        Value::Text(text) => text,
        Value::Bytes(bytes) => bytes,
    }
}

async fn ids(client: &Client, sql: &str) -> Vec<Uuid> {
    client.query(sql, &[]).await.expect("rows").iter().map(|row| row.get(0)).collect()
}

pub(crate) async fn wares(url: &str, goods: &str) -> Wares {
    let client = connect(url).await;
    Wares {
        members: ids(&client, "SELECT member_id FROM account WHERE kind = 'member' ORDER BY member_id").await,
        accounts: ids(&client, "SELECT id FROM account WHERE kind = 'member' ORDER BY member_id").await,
        goods: ids(&client, &format!("SELECT id FROM goods WHERE ref_id LIKE '{goods}%' ORDER BY ref_id")).await,
        station: ids(&client, "SELECT id FROM station").await[0],
    }
}

pub(crate) async fn people(url: &str) -> People {
    let client = connect(url).await;
    let staff = ids(&client, STAFF).await;
    People {
        members: ids(&client, MEMBERS).await.into_iter().zip(ids(&client, ACCOUNTS).await).collect(),
        books: ids(&client, BOOKS).await[0],
        clerk: staff[0],
        manager: staff[1],
    }
}

/// Ids of redemptions in the copy.
pub(crate) async fn redemptions(url: &str) -> Vec<Uuid> {
    ids(&connect(url).await, "SELECT id FROM redemption LIMIT 5000").await
}
