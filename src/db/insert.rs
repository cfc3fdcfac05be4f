//! Many rows in few statements.

use sea_orm::{ActiveModelTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, Iterable};

/// No statement grows beyond this many rows: more gain nothing and make a text that is long to parse.
const MOST_ROWS: usize = 1_000;

/// How many rows of `columns` values fit into one statement: SQLite takes 32,766 values, PostgreSQL 65,535. At least 1.
#[must_use]
pub fn rows_per_statement(backend: DbBackend, columns: usize) -> usize {
    let values = if backend == DbBackend::Sqlite { 32_766 } else { 65_535 };
    (values / columns.max(1)).clamp(1, MOST_ROWS)
}

/// Inserts all `rows` in as few statements as the database's limit on values allows; the number of rows. All rows must set
/// the same columns. Belongs inside a command: a failure half way leaves the statements before it to the transaction.
///
/// # Errors
/// Of the first statement that fails.
pub async fn insert_all<A>(db: &impl ConnectionTrait, rows: impl IntoIterator<Item = A>) -> Result<u64, DbErr>
where
    A: ActiveModelTrait,
{
    let columns = <A::Entity as EntityTrait>::Column::iter().count();
    let size = rows_per_statement(db.get_database_backend(), columns);
    let mut rows = rows.into_iter();
    let mut inserted = 0;
    loop {
        let chunk: Vec<A> = rows.by_ref().take(size).collect();
        if chunk.is_empty() {
            return Ok(inserted);
        }
        inserted += A::Entity::insert_many(chunk).exec_without_returning(db).await?;
    }
}
