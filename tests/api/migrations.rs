//! The schema goes up, down to nothing and up again.

use migration::Migrator;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, Statement};
use sea_orm_migration::MigratorTrait as _;

use crate::support::{Backend, TestDatabase};

/// Tables, indexes, triggers and constraints, as the database itself lists them.
async fn shape(db: &DatabaseConnection) -> Vec<String> {
    let sql = match db.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT 'table ' || table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable AS line
             FROM information_schema.columns WHERE table_schema = current_schema()
             UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = current_schema()
             UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
               WHERE relnamespace = current_schema()::regnamespace AND NOT tgisinternal
             UNION ALL SELECT 'constraint ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
               WHERE connamespace = current_schema()::regnamespace ORDER BY 1"
        }
        _ => "SELECT type || ' ' || name || ' ' || coalesce(sql, '') AS line FROM sqlite_schema ORDER BY 1",
    };
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
    let lines = rows.into_iter().map(|row| row.try_get::<String>("", "line").unwrap());
    // The migrator's own table stays.
    lines.filter(|line| !line.contains("seaql_migrations")).collect()
}

async fn up_down_up(backend: Backend) {
    let Some(database) = TestDatabase::empty(backend).await else { return };
    let db = database.connect().await;
    let before = shape(&db).await;
    Migrator::up(&db, None).await.unwrap();
    let first = shape(&db).await;
    assert!(first.len() > before.len() + 40);
    Migrator::down(&db, None).await.unwrap();
    assert_eq!(shape(&db).await, before);
    Migrator::up(&db, None).await.unwrap();
    assert_eq!(shape(&db).await, first);
    db.close().await.unwrap();
    database.remove().await;
}

#[actix_web::test]
async fn the_schema_goes_up_and_down_on_sqlite() {
    up_down_up(Backend::Sqlite).await;
}

#[actix_web::test]
async fn the_schema_goes_up_and_down_on_postgres() {
    up_down_up(Backend::Postgres).await;
}
