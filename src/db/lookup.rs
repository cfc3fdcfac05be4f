//! The way of short reads.

use std::sync::Arc;

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, Statement};

use super::postgres::Keep;
use super::sqlite::Here;

/// For reads of a row or a few by a key, see [`Db::lookup`](super::Db::lookup). Each statement sees what is committed when it
/// begins.
pub struct Lookup {
    near: Near,
    pool: DatabaseConnection,
}

/// The shorter way.
pub(super) enum Near {
    /// In the caller's thread.
    Here(Here),
    /// On a connection that is kept.
    Kept(Arc<Keep>),
}

impl Lookup {
    pub(super) fn new(near: Near, pool: DatabaseConnection) -> Self {
        Self { near, pool }
    }

    pub(super) fn pool(&self) -> &DatabaseConnection {
        &self.pool
    }

    /// Another connection has changed the schema.
    pub(super) fn forget_schema(&self) {
        if let Near::Here(here) = &self.near {
            here.forget_schema();
        }
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
        match &self.near {
            Near::Here(here) => match here.query_one(&statement) {
                Some(found) => Ok(found),
                None => self.pool.query_one_raw(statement).await,
            },
            Near::Kept(keep) => Ok(keep.query_all(statement).await?.into_iter().next()),
        }
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match &self.near {
            Near::Here(here) => match here.query_all(&statement) {
                Some(found) => Ok(found),
                None => self.pool.query_all_raw(statement).await,
            },
            Near::Kept(keep) => keep.query_all(statement).await,
        }
    }
}
