//! The way of short reads.

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, Statement};

use super::sqlite::Near;

/// For reads of a row or a few by a key, see [`Db::lookup`](super::Db::lookup). Each statement sees what is committed when it
/// begins.
pub struct Lookup {
    /// Where there is a shorter way.
    near: Option<Near>,
    pool: DatabaseConnection,
}

impl Lookup {
    pub(super) fn new(near: Option<Near>, pool: DatabaseConnection) -> Self {
        Self { near, pool }
    }

    pub(super) fn pool(&self) -> &DatabaseConnection {
        &self.pool
    }

    pub(super) fn near(&self) -> Option<&Near> {
        self.near.as_ref()
    }
}

#[async_trait]
impl ConnectionTrait for Lookup {
    fn get_database_backend(&self) -> DbBackend {
        self.pool.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.pool.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.pool.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        match self.near.as_ref().and_then(|near| near.query_one(&statement)) {
            Some(found) => Ok(found),
            None => self.pool.query_one_raw(statement).await,
        }
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match self.near.as_ref().and_then(|near| near.query_all(&statement)) {
            Some(found) => Ok(found),
            None => self.pool.query_all_raw(statement).await,
        }
    }
}
