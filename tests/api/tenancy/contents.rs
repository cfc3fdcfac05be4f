//! What stands in the tables, to see that a refused call has changed nothing.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait as _, DatabaseConnection, Statement};

use crate::support::{Backend, TestDatabase};

/// Refusals leave traces: in the trail (S-7) and in the counters of tries.
const TRACES: [&str; 2] = ["audit", "rate_counter"];

const SQLITE_TABLES: &str = "SELECT m.name AS name, group_concat('quote(\"' || c.name || '\")', '||') AS columns \
     FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' GROUP BY m.name";
const POSTGRES_TABLES: &str = "SELECT table_name::text AS name, '' AS columns FROM information_schema.tables \
     WHERE table_schema = current_schema()";

/// Looks at all tables in one statement.
pub(crate) struct Eye {
    connection: DatabaseConnection,
    look: String,
}

/// Each table's rows, or a digest of them.
#[derive(PartialEq, Eq)]
pub(crate) struct Contents(BTreeMap<String, String>);

impl Eye {
    pub(crate) async fn open(database: &TestDatabase) -> Self {
        let connection = database.connect().await;
        let is_sqlite = database.backend() == Backend::Sqlite;
        let tables = if is_sqlite { SQLITE_TABLES } else { POSTGRES_TABLES };
        let found = connection.query_all_raw(statement(&connection, tables)).await.unwrap();
        let selects: Vec<String> = found
            .iter()
            .map(|row| {
                let text = |column: &str| row.try_get_by::<String, _>(column).unwrap();
                (text("name"), text("columns"))
            })
            .filter(|(table, _)| !TRACES.contains(&table.as_str()))
            .map(|(table, columns)| {
                let digest = if is_sqlite {
                    format!("coalesce(group_concat(row, char(10)), '') FROM (SELECT {columns} AS row FROM \"{table}\" ORDER BY 1)")
                } else {
                    format!("md5(coalesce(string_agg(r::text, chr(10) ORDER BY r::text), '')) FROM \"{table}\" r")
                };
                format!("SELECT '{table}' AS name, (SELECT {digest}) AS digest")
            })
            .collect();
        assert!(selects.len() > 30, "{} tables", selects.len());
        Self { connection, look: selects.join(" UNION ALL ") }
    }

    pub(crate) async fn look(&self) -> Contents {
        let rows = self.connection.query_all_raw(statement(&self.connection, &self.look)).await.unwrap();
        Contents(rows.iter().map(|row| (row.try_get_by("name").unwrap(), row.try_get_by("digest").unwrap())).collect())
    }
}

fn statement(connection: &DatabaseConnection, sql: &str) -> Statement {
    Statement::from_string(connection.get_database_backend(), sql)
}

impl Contents {
    /// The tables that are not as they were.
    pub(crate) fn changed_since(&self, before: &Self) -> Vec<&str> {
        self.0
            .iter()
            .filter(|(table, rows)| before.0.get(*table) != Some(rows))
            .map(|(table, _)| table.as_str())
            .collect()
    }
}
