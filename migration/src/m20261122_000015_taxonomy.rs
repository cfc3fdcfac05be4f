//! Taxonomies as data: what a code became, what hazards ask for, who is qualified, and the words that a guess is made from.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Each a table, a column, and what holds of the rows that are there.
const COLUMNS: [(&str, &str, &str); 10] = [
    ("code_item", "merged_into", "$TEXT"),
    ("code_item", "retired_at", "$TIME"),
    ("code_item", "privacy", "$TEXT NOT NULL DEFAULT 'sensitive' CHECK (privacy IN ('ordinary', 'sensitive'))"),
    ("code_item", "priority", "$SMALL NOT NULL DEFAULT 0 CHECK (priority BETWEEN 0 AND 100)"),
    ("code_item", "licence", "$BOOL NOT NULL DEFAULT FALSE"),
    ("code_item", "training", "$TEXT"),
    ("code_item", "insurance", "$BOOL NOT NULL DEFAULT FALSE"),
    ("code_item", "min_age", "$SMALL CHECK (min_age BETWEEN 0 AND 120)"),
    ("wish", "domain", "$TEXT"),
    ("task", "domain", "$TEXT"),
];

const UP: &[&str] = &[
    "CREATE TABLE qualification (
    member_id $UUID NOT NULL REFERENCES member (id),
    kind $TEXT NOT NULL CHECK (kind IN ('licence', 'training', 'insurance')),
    code $TEXT NOT NULL,
    valid_until $DATE,
    reference_sealed $BYTES,
    recorded_by $UUID NOT NULL REFERENCES staff (id),
    created_at $TIME NOT NULL,
    PRIMARY KEY (member_id, kind, code)
) $CLUSTERED",
    "CREATE TABLE task_hazard (
    task_id $UUID NOT NULL REFERENCES task (id),
    hazard $TEXT NOT NULL,
    PRIMARY KEY (task_id, hazard)
) $CLUSTERED",
    "CREATE TABLE wish_hazard (
    wish_id $UUID NOT NULL REFERENCES wish (id),
    hazard $TEXT NOT NULL,
    PRIMARY KEY (wish_id, hazard)
) $CLUSTERED",
    "CREATE TABLE wish_guess (
    wish_id $UUID PRIMARY KEY NOT NULL REFERENCES wish (id),
    skills $JSON NOT NULL,
    domain $TEXT,
    created_at $TIME NOT NULL
) $CLUSTERED",
    "CREATE TABLE guess_word (
    id $UUID PRIMARY KEY NOT NULL,
    word $TEXT $BYTEWISE NOT NULL,
    kind $TEXT NOT NULL CHECK (kind IN ('skill', 'domain')),
    code $TEXT NOT NULL,
    weight $SMALL NOT NULL CHECK (weight BETWEEN 1 AND 100),
    CONSTRAINT guess_word_once UNIQUE (word, kind, code)
) $CLUSTERED",
    "CREATE TABLE guess_version (
    id $SMALL PRIMARY KEY NOT NULL CHECK (id = 1),
    version $BIG NOT NULL
)",
    "INSERT INTO guess_version (id, version) VALUES (1, 1)",
    // A list takes the rows of a data set over these: they are a beginning, for staff to edit.
    "INSERT INTO code_item (list, code, name) VALUES
    ('training', 'T01', '高处作业安全培训'),
    ('training', 'T02', '安全用电培训'),
    ('training', 'T03', '水域安全与救生培训'),
    ('training', 'T04', '夜间巡逻安全培训'),
    ('training', 'T05', '有限空间作业安全培训'),
    ('training', 'T06', '消防与燃气安全培训'),
    ('training', 'T07', '失能照护与防护培训'),
    ('training', 'T08', '应急救援培训')",
    "INSERT INTO code_item (list, code, name, training, insurance, min_age) VALUES
    ('hazard', 'H01', '高处作业', 'T01', TRUE, 18),
    ('hazard', 'H02', '电气作业', 'T02', TRUE, 18),
    ('hazard', 'H03', '涉水', 'T03', TRUE, 18),
    ('hazard', 'H04', '夜间巡逻', 'T04', TRUE, 18),
    ('hazard', 'H05', '有限空间', 'T05', TRUE, 18),
    ('hazard', 'H06', '动火与燃气', 'T06', TRUE, 18),
    ('hazard', 'H07', '接触传染病患', 'T07', TRUE, 18),
    ('hazard', 'H08', '抢险救援', 'T08', TRUE, 18),
    ('hazard', 'H09', '道路旁作业', NULL, TRUE, 18),
    ('hazard', 'H10', '搬抬重物', NULL, FALSE, 18)",
];

/// What a node keeps of the lists is read anew when the version is another.
const WATCHED: [&str; 2] = ["code_item", "guess_word"];
const EVENTS: [&str; 3] = ["insert", "update", "delete"];

/// One `word,kind,code,weight` a line, after a header.
const WORDS: &str = include_str!("m20261122_000015_guess_words.csv");
const WORDS_AT_ONCE: usize = 200;

/// In the order in which they can be dropped.
const TABLES: &[&str] = &["guess_version", "guess_word", "wish_guess", "wish_hazard", "task_hazard", "qualification"];

async fn watch(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let function = "CREATE FUNCTION count_guess_version() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN UPDATE guess_version SET version = version + 1; RETURN NULL; END $$";
    ddl::run_on(manager, DbBackend::Postgres, &[function]).await?;
    for table in WATCHED {
        let statement = format!(
            "CREATE TRIGGER {table}_guess_version AFTER INSERT OR UPDATE OR DELETE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION count_guess_version()"
        );
        ddl::run_on(manager, DbBackend::Postgres, &[&statement]).await?;
        for event in EVENTS {
            let statement = format!(
                "CREATE TRIGGER {table}_guess_version_{event} AFTER {event} ON {table}
                BEGIN UPDATE guess_version SET version = version + 1; END"
            );
            ddl::run_on(manager, DbBackend::Sqlite, &[&statement]).await?;
        }
    }
    Ok(())
}

async fn unwatch(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for table in WATCHED {
        let statement = format!("DROP TRIGGER {table}_guess_version ON {table}");
        ddl::run_on(manager, DbBackend::Postgres, &[&statement]).await?;
        for event in EVENTS {
            let statement = format!("DROP TRIGGER {table}_guess_version_{event}");
            ddl::run_on(manager, DbBackend::Sqlite, &[&statement]).await?;
        }
    }
    ddl::run_on(manager, DbBackend::Postgres, &["DROP FUNCTION count_guess_version()"]).await
}

async fn seed_words(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    const HALF: usize = 0x8000_0000_0000_0000;
    let hyphenated = |place: usize| format!("'00000000-0000-7000-8000-{place:012x}'");
    let sqlite = manager.get_database_backend() == DbBackend::Sqlite;
    let mut rows = Vec::new();
    for (place, line) in WORDS.lines().skip(1).enumerate() {
        let cells: Vec<&str> = line.split(',').collect();
        let [word, kind, code, weight] = cells[..] else { return Err(DbErr::Migration(line.to_owned())) };
        // Version 7 at the beginning of time: seeded words come first and are the same everywhere.
        let id = if sqlite { format!("X'0000000000007000{:016x}'", HALF + place) } else { hyphenated(place) };
        rows.push(format!("({id}, '{word}', '{kind}', '{code}', {weight})"));
    }
    for part in rows.chunks(WORDS_AT_ONCE) {
        let statement = format!("INSERT INTO guess_word (id, word, kind, code, weight) VALUES {}", part.join(", "));
        ddl::run(manager, &[&statement]).await?;
    }
    Ok(())
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column, kind) in COLUMNS {
            ddl::run(manager, &[&format!("ALTER TABLE {table} ADD COLUMN {column} {kind}")]).await?;
        }
        ddl::run(manager, UP).await?;
        seed_words(manager).await?;
        watch(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        unwatch(manager).await?;
        ddl::run(manager, &["DELETE FROM code_item WHERE list IN ('hazard', 'training')"]).await?;
        ddl::drop_tables(manager, TABLES).await?;
        for (table, column, _) in COLUMNS.iter().rev() {
            ddl::run(manager, &[&format!("ALTER TABLE {table} DROP COLUMN {column}")]).await?;
        }
        Ok(())
    }
}
