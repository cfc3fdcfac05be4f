//! What the writer's own driver stores and reads is what sqlx stores and reads.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{
    ActiveValue::Set, DbErr, FromQueryResult, IntoActiveModel, PaginatorTrait, QueryOrder, QuerySelect, Statement,
};

use super::super::Txn;
use super::{Fixture, fixture};

mod sample {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "sample")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) id: Uuid,
        pub(super) flag: bool,
        pub(super) small: i16,
        pub(super) number: i32,
        pub(super) big: i64,
        pub(super) ratio: f64,
        pub(super) name: String,
        pub(super) bytes: Vec<u8>,
        pub(super) facts: Json,
        pub(super) day: Date,
        pub(super) at: DateTimeUtc,
        pub(super) other_id: Option<Uuid>,
        pub(super) maybe_flag: Option<bool>,
        pub(super) maybe_small: Option<i16>,
        pub(super) maybe_number: Option<i32>,
        pub(super) maybe_big: Option<i64>,
        pub(super) maybe_ratio: Option<f64>,
        pub(super) maybe_name: Option<String>,
        pub(super) maybe_bytes: Option<Vec<u8>>,
        pub(super) maybe_facts: Option<Json>,
        pub(super) maybe_day: Option<Date>,
        pub(super) maybe_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const SCHEMA: &str = "CREATE TABLE sample (
    id uuid_text PRIMARY KEY, flag boolean NOT NULL, small smallint NOT NULL, number integer NOT NULL, big bigint NOT NULL,
    ratio double NOT NULL, name text NOT NULL, bytes blob NOT NULL, facts json_text NOT NULL, day date_text NOT NULL,
    at timestamp_with_timezone_text NOT NULL, other_id uuid_text, maybe_flag boolean, maybe_small smallint,
    maybe_number integer, maybe_big bigint, maybe_ratio double, maybe_name text, maybe_bytes blob, maybe_facts json_text,
    maybe_day date_text, maybe_at timestamp_with_timezone_text)";

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// One row with everything, one with nothing that may be missing, and the edges.
fn samples() -> Vec<sample::Model> {
    let full = sample::Model {
        id: Uuid::now_v7(),
        flag: true,
        small: i16::MIN,
        number: i32::MAX,
        big: i64::MIN,
        ratio: 0.1,
        name: "邻里 \"'; --\u{0}?".into(),
        bytes: vec![0, 255, 39],
        facts: serde_json::json!({ "键": [1, null, "x"], "a": { "b": 1.5 } }),
        day: NaiveDate::from_ymd_opt(2026, 2, 28).unwrap(),
        at: time("2026-11-22T08:00:00.123456Z"),
        other_id: Some(Uuid::now_v7()),
        maybe_flag: Some(false),
        maybe_small: Some(7),
        maybe_number: Some(-1),
        maybe_big: Some(i64::MAX),
        maybe_ratio: Some(-2.0),
        maybe_name: Some(String::new()),
        maybe_bytes: Some(Vec::new()),
        maybe_facts: Some(serde_json::json!(null)),
        maybe_day: Some(NaiveDate::from_ymd_opt(1949, 10, 1).unwrap()),
        maybe_at: Some(time("2026-11-22T08:00:00Z")),
    };
    let empty = sample::Model {
        id: Uuid::now_v7(),
        at: time("2026-11-22T08:00:00.120Z"),
        facts: serde_json::json!("text"),
        other_id: None,
        maybe_flag: None,
        maybe_small: None,
        maybe_number: None,
        maybe_big: None,
        maybe_ratio: None,
        maybe_name: None,
        maybe_bytes: None,
        maybe_facts: None,
        maybe_day: None,
        maybe_at: None,
        ..full.clone()
    };
    vec![full, empty]
}

async fn stored(fixture: &Fixture, id: Uuid) -> Vec<String> {
    let columns = Statement::from_string(
        fixture.db.backend(),
        "SELECT group_concat('quote(' || name || ')', ', ') FROM pragma_table_info('sample') WHERE name <> 'id'",
    );
    let columns: String = fixture.db.read().query_one_raw(columns).await.unwrap().unwrap().try_get_by_index(0).unwrap();
    let sql = format!("SELECT concat_ws('|', {columns}) FROM sample WHERE id = ?");
    let row = Statement::from_sql_and_values(fixture.db.backend(), sql, [id.into()]);
    let row: String = fixture.db.read().query_one_raw(row).await.unwrap().unwrap().try_get_by_index(0).unwrap();
    row.split('|').map(str::to_owned).collect()
}

async fn prepared() -> Fixture {
    let fixture = fixture().await;
    fixture.db.write(async |txn| txn.execute_unprepared(SCHEMA).await.map(drop)).await.unwrap();
    fixture
}

#[tokio::test]
async fn the_writer_and_sqlx_store_the_same() {
    let fixture = prepared().await;
    let sqlx = super::super::sqlite::for_migration(&fixture.path).await.unwrap();
    for sample in samples() {
        let mine = sample.clone();
        let returned =
            fixture.db.write(async move |txn| mine.clone().into_active_model().insert(txn).await).await.unwrap();
        assert_eq!(returned, sample);
        let twin = sample::Model { id: Uuid::now_v7(), ..sample.clone() };
        sample::Entity::insert(twin.clone().into_active_model()).exec_without_returning(&sqlx).await.unwrap();
        assert_eq!(stored(&fixture, sample.id).await, stored(&fixture, twin.id).await);
        assert_eq!(sample::Entity::find_by_id(sample.id).one(fixture.db.read()).await.unwrap(), Some(sample));
        let expected = twin.clone();
        let read = fixture.db.write(async move |txn| sample::Entity::find_by_id(twin.id).one(txn).await).await.unwrap();
        assert_eq!(read, Some(expected));
    }
}

#[derive(Debug, PartialEq, FromQueryResult)]
struct Totals {
    total: Option<i64>,
    last: Option<DateTimeUtc>,
    highest: Option<i32>,
    rows: i64,
}

async fn totals(txn: &Txn) -> Result<Totals, DbErr> {
    let totals = sample::Entity::find()
        .select_only()
        .column_as(sample::Column::MaybeBig.sum(), "total")
        .column_as(sample::Column::At.max(), "last")
        .column_as(sample::Column::Number.max(), "highest")
        .column_as(sample::Column::Id.count(), "rows");
    Ok(totals.into_model().one(txn).await?.unwrap())
}

#[tokio::test]
async fn reads_in_a_command_are_those_of_a_reader() {
    let fixture = prepared().await;
    let rows = samples();
    let expected = rows.clone();
    fixture
        .db
        .write(async move |txn| {
            let models = rows.iter().cloned().map(IntoActiveModel::into_active_model);
            super::super::insert_all(txn, models).await?;
            let first = rows[0].id;
            let by_position: Vec<(String, i64, Uuid)> = sample::Entity::find()
                .select_only()
                .columns([sample::Column::Name, sample::Column::Big, sample::Column::Id])
                .order_by_asc(sample::Column::Id)
                .into_tuple()
                .all(txn)
                .await?;
            assert_eq!(by_position, expected.iter().map(|row| (row.name.clone(), row.big, row.id)).collect::<Vec<_>>());
            assert_eq!(sample::Entity::find().order_by_asc(sample::Column::Id).all(txn).await?, expected);
            assert_eq!(sample::Entity::find().count(txn).await?, 2);
            let since = sample::Entity::find().filter(sample::Column::At.gt(time("2026-11-22T08:00:00.12Z")));
            assert_eq!(since.count(txn).await?, 1);
            let totals = totals(txn).await?;
            let last = time("2026-11-22T08:00:00.123456Z");
            assert_eq!(totals, Totals { total: Some(i64::MAX), last: Some(last), highest: Some(i32::MAX), rows: 2 });
            let changed = sample::Entity::update_many()
                .set(sample::ActiveModel { small: Set(9), ..Default::default() })
                .filter(sample::Column::Id.eq(first))
                .exec_with_returning(txn)
                .await?;
            assert_eq!(changed, [sample::Model { small: 9, ..expected[0].clone() }]);
            let none = sample::Entity::update_many()
                .col_expr(sample::Column::Big, Expr::val(1_i64))
                .filter(sample::Column::Big.eq(5))
                .exec(txn)
                .await?;
            assert_eq!(none.rows_affected, 0);
            Ok::<_, DbErr>(())
        })
        .await
        .unwrap();
}

/// One text of several statements takes its values in order and counts all rows.
#[tokio::test]
async fn several_statements_go_in_one_text() {
    let fixture = prepared().await;
    let affected = fixture
        .db
        .write(async |txn| {
            let sql = "INSERT INTO item (id, name) VALUES (?, ?); UPDATE item SET stock = ? WHERE id = ?;";
            let values = [7.into(), "a;b".into(), 3.into(), 7.into()];
            Ok::<_, DbErr>(
                txn.execute_raw(Statement::from_sql_and_values(txn.get_database_backend(), sql, values))
                    .await?
                    .rows_affected(),
            )
        })
        .await
        .unwrap();
    assert_eq!(affected, 2);
    let stock = Statement::from_string(fixture.db.backend(), "SELECT stock FROM item WHERE id = 7");
    assert_eq!(fixture.db.read().query_one_raw(stock).await.unwrap().unwrap().try_get_by_index::<i32>(0).unwrap(), 3);
}

#[tokio::test]
async fn a_type_that_cannot_be_told_is_refused() {
    let fixture = prepared().await;
    super::write_name(fixture.db.clone(), "a").await.unwrap();
    let refused = fixture.db.write(async |txn| {
        let sql = Statement::from_string(txn.get_database_backend(), "SELECT stock + 1 AS more FROM item");
        txn.query_one_raw(sql).await.map(drop)
    });
    assert!(refused.await.unwrap_err().to_string().contains("CAST"));
    let told = fixture.db.write(async |txn| {
        let sql =
            Statement::from_string(txn.get_database_backend(), "SELECT CAST(stock + 1 AS bigint) AS more FROM item");
        txn.query_one_raw(sql).await?.unwrap().try_get::<i64>("", "more")
    });
    assert_eq!(told.await.unwrap(), 1);
}
