//! Very many rows into one table: a handful of large statements of one text each.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, Value};

/// Rows of one statement, at most. More gain nothing: the text is prepared once and the values dominate.
const ROWS: usize = 250;

/// Values that wait to be inserted, in statements of [`ROWS`] rows whose text is made once, so that it stays prepared. Twice
/// as fast as building a statement out of entities for each chunk, which is why imports use it.
///
/// ```ignore
/// let mut rows = Bulk::insert(txn, "unit", &["id", "name"]).or("ON CONFLICT DO NOTHING");
/// for unit in units {
///     rows.push(txn, [unit.id.into(), unit.name.as_str().into()]).await?;
/// }
/// rows.finish(txn).await?;
/// ```
pub struct Bulk {
    backend: DbBackend,
    head: String,
    tail: String,
    columns: usize,
    /// Of a full statement.
    text: String,
    values: Vec<Value>,
    written: u64,
}

impl Bulk {
    /// For rows of `columns` into `table`. Both are ours, never a user's.
    pub fn insert(db: &impl ConnectionTrait, table: &str, columns: &[&str]) -> Self {
        let head = format!("INSERT INTO {table} ({}) VALUES ", columns.join(", "));
        Self::around(db, head, columns.len(), "")
    }

    /// Updates `table` from rows: `set` and `condition` name them as `v.column1`, `v.column2` …
    pub fn update(db: &impl ConnectionTrait, table: &str, columns: usize, set: &str, condition: &str) -> Self {
        let head = format!("UPDATE {table} SET {set} FROM (VALUES ");
        Self::around(db, head, columns, &format!(") AS v WHERE {condition}"))
    }

    fn around(db: &impl ConnectionTrait, head: String, columns: usize, tail: &str) -> Self {
        let backend = db.get_database_backend();
        Self { backend, head, tail: tail.to_owned(), columns, text: String::new(), values: Vec::new(), written: 0 }
    }

    /// What stands behind the values, such as an `ON CONFLICT`.
    #[must_use]
    pub fn or(mut self, tail: &str) -> Self {
        self.tail = format!(" {tail}");
        self
    }

    /// Adds a row, which has a value for each column, and writes if there are enough.
    ///
    /// # Errors
    /// Of the statement that took the row along with those before it.
    pub async fn push<const N: usize>(&mut self, db: &impl ConnectionTrait, row: [Value; N]) -> Result<(), DbErr> {
        debug_assert_eq!(N, self.columns, "a value for each column");
        self.values.extend(row);
        if self.values.len() >= ROWS * self.columns {
            if self.text.is_empty() {
                self.text = self.statement(ROWS);
            }
            let text = self.text.clone();
            self.write(db, text).await?;
        }
        Ok(())
    }

    /// Writes what is left; the number of rows that the database says it wrote in all.
    ///
    /// # Errors
    /// Of the last statement.
    pub async fn finish(mut self, db: &impl ConnectionTrait) -> Result<u64, DbErr> {
        if !self.values.is_empty() {
            let text = self.statement(self.values.len() / self.columns.max(1));
            self.write(db, text).await?;
        }
        Ok(self.written)
    }

    async fn write(&mut self, db: &impl ConnectionTrait, text: String) -> Result<(), DbErr> {
        let full = Vec::with_capacity(ROWS * self.columns);
        let values = std::mem::replace(&mut self.values, full);
        let done = db.execute_raw(Statement::from_sql_and_values(self.backend, text, values)).await?;
        self.written += done.rows_affected();
        Ok(())
    }

    fn statement(&self, rows: usize) -> String {
        let mut text = self.head.clone();
        let mut number = 0;
        for row in 0..rows {
            text.push_str(if row == 0 { "(" } else { ", (" });
            for column in 0..self.columns {
                if column > 0 {
                    text.push_str(", ");
                }
                number += 1;
                match self.backend {
                    DbBackend::Postgres => {
                        text.push('$');
                        text.push_str(&number.to_string());
                    }
                    _ => text.push('?'),
                }
            }
            text.push(')');
        }
        text + &self.tail
    }
}
