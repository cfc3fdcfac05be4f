//! Statements with their values, run as one transaction on either driver.

use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::sqlite::{Job, ask};
use super::{End, postgres};

/// A value of a statement.
#[derive(Clone)]
pub(crate) enum Value {
    Id(Uuid),
    Time(DateTime<Utc>),
    Text(String),
    Bytes(Vec<u8>),
}

/// A statement with its values.
pub(crate) struct Step {
    pub(crate) sql: &'static str,
    pub(crate) values: Vec<Value>,
    /// It has to find or change a row.
    pub(crate) must: bool,
}

/// Runs statements as one transaction: in a group on SQLite, on a connection of its own on PostgreSQL.
#[derive(Clone)]
pub(crate) enum Runner {
    Sqlite(Sender<Job<Vec<Step>>>),
    Postgres(Arc<Mutex<Vec<Arc<postgres::Connection>>>>),
}

impl Runner {
    /// As many connections as there are clients.
    pub(crate) fn postgres(connections: &[Arc<postgres::Connection>]) -> Self {
        Self::Postgres(Arc::new(Mutex::new(connections.to_vec())))
    }

    pub(crate) async fn run(&self, steps: Vec<Step>) -> End {
        match self {
            Self::Sqlite(writer) => ask(writer, steps).await,
            Self::Postgres(idle) => {
                let connection = idle.lock().expect("the connections").pop().expect("one for each client");
                let end = connection.run(&steps).await;
                idle.lock().expect("the connections").push(connection);
                end
            }
        }
    }

    /// A posting goes in one statement.
    pub(super) const fn in_one(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }
}

pub(crate) fn must(sql: &'static str, values: impl IntoIterator<Item = Value>) -> Step {
    Step { sql, values: values.into_iter().collect(), must: true }
}

pub(crate) fn may(sql: &'static str, values: impl IntoIterator<Item = Value>) -> Step {
    Step { sql, values: values.into_iter().collect(), must: false }
}

pub(crate) const fn id(id: Uuid) -> Value {
    Value::Id(id)
}

pub(crate) const fn time(time: DateTime<Utc>) -> Value {
    Value::Time(time)
}

pub(super) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}
