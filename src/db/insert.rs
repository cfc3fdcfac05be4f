//! Many rows in few statements.

use sea_orm::{ActiveModelTrait, ConnectionTrait, DbErr, EntityTrait, Iterable};

/// Values in one statement. SQLite takes 32,766 and PostgreSQL 65,535, but nothing is gained beyond a few hundred (measured:
/// 50 to 4,000 rows a statement are equal), and a prepared statement holds memory for each.
const MOST_VALUES: usize = 2_000;

/// How many rows of `columns` values go into one statement, within the limits of both databases. At least 1.
#[must_use]
pub fn rows_per_statement(columns: usize) -> usize {
    (MOST_VALUES / columns.max(1)).max(1)
}

/// Inserts all `rows`, some hundred in a statement; the number of rows. All rows must set the same columns. Belongs inside
/// a command: a failure half way leaves the statements before it to the transaction.
///
/// # Errors
/// Of the first statement that fails.
pub async fn insert_all<A>(db: &impl ConnectionTrait, rows: impl IntoIterator<Item = A>) -> Result<u64, DbErr>
where
    A: ActiveModelTrait,
{
    let columns = <A::Entity as EntityTrait>::Column::iter().count();
    let size = rows_per_statement(columns);
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
