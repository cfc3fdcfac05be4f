//! The change feed of matching: which member or task of a district changed since a reader last looked. And members who do not
//! want to be asked for a while.
//!
//! The feed is written by triggers, so that imports and scripts are seen as well. On SQLite, which has one writer, a number
//! that grows says all. On PostgreSQL transactions commit out of order, so rows carry the transaction's id, and readers ask by
//! snapshot what they have not seen: `src/db/changes.rs`, `docs/adr/0013-live-matching.md`.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: &[&str] = &[
    "ALTER TABLE member ADD COLUMN offers_paused $BOOL NOT NULL DEFAULT FALSE",
    "CREATE TABLE match_mark (
    marked_at $TIME PRIMARY KEY NOT NULL,
    position $BIG NOT NULL,
    swept $BOOL NOT NULL
)",
];

/// A new row's position is one above the greatest, which is never swept.
const SQLITE_FEED: &[&str] = &[
    "CREATE TABLE match_change (
    position integer PRIMARY KEY NOT NULL,
    district $TEXT NOT NULL,
    kind $TEXT NOT NULL CHECK (kind IN ('member', 'task', 'codes')),
    object_id $UUID NOT NULL
)",
    "CREATE INDEX match_change_district ON match_change (district, position)",
];

/// One row an object and transaction, so that no transaction waits for another's row.
const POSTGRES_FEED: &[&str] = &[
    "CREATE TABLE match_change (
    position $BIG NOT NULL,
    district $TEXT $BYTEWISE NOT NULL,
    kind $TEXT NOT NULL CHECK (kind IN ('member', 'task', 'codes')),
    object_id $UUID NOT NULL,
    PRIMARY KEY (district, position, kind, object_id)
)",
    "CREATE INDEX match_change_position ON match_change (position)",
];

/// What a member is matched by.
const MEMBER: &[&str] = &[
    "region_code",
    "is_volunteer",
    "is_party_member",
    "birth_year",
    "max_hours_week",
    "home_sealed",
    "offers_paused",
    "disabled_at",
    "erased_at",
    "merged_into",
];

/// Whoever is there from the beginning with a home and a facet, as imports have them.
const MAY_CLAIM: &str = "NEW.region_code IS NOT NULL AND (NEW.is_volunteer OR NEW.is_party_member)";

/// All that a task is matched by or shown as.
const TASK: &[&str] = &[
    "region_code",
    "title",
    "body",
    "category",
    "domain",
    "slots",
    "taken",
    "window_from",
    "window_until",
    "lat",
    "lon",
    "place_required",
    "status",
    "risk_notice",
    "priority",
    "programme",
    "difficulty",
    "updated_at",
];

/// What a claim tells of its member.
const CLAIM: &[&str] = &["status", "window_from", "window_until"];

/// Tables whose rows are part of a member or a task.
const PARTS: &[(&str, &str)] = &[
    ("member_skill", "member"),
    ("availability", "member"),
    ("qualification", "member"),
    ("task_skill", "task"),
    ("task_hazard", "task"),
];

/// `OLD.a <> NEW.a OR …`, where nothing equals nothing.
fn differ(columns: &[&str], differs: &str) -> String {
    columns.iter().map(|column| format!("OLD.{column} {differs} NEW.{column}")).collect::<Vec<_>>().join(" OR ")
}

const EVENTS: [(&str, &str); 3] = [("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")];

fn part_trigger(table: &str, event: &str) -> String {
    format!("match_{table}_{}", event.to_lowercase())
}

fn sqlite_triggers() -> Vec<String> {
    let note = "INSERT INTO match_change (district, kind, object_id)";
    let of_row = |kind: &str| {
        format!(
            "{note} SELECT substr(NEW.region_code, 1, 6), '{kind}', NEW.id WHERE NEW.region_code IS NOT NULL;
             {note} SELECT substr(OLD.region_code, 1, 6), '{kind}', OLD.id WHERE OLD.region_code IS NOT NULL
                 AND substr(OLD.region_code, 1, 6) IS NOT substr(NEW.region_code, 1, 6);"
        )
    };
    let claimant = |row: &str| {
        format!(
            "{note} SELECT substr(region_code, 1, 6), 'member', id FROM member
             WHERE id = {row}.member_id AND region_code IS NOT NULL;"
        )
    };
    let update = |name: &str, table: &str, columns: &[&str], body: &str| {
        format!(
            "CREATE TRIGGER {name} AFTER UPDATE OF {} ON {table} WHEN {} BEGIN {body} END",
            columns.join(", "),
            differ(columns, "IS NOT")
        )
    };
    // Ids are kept as bytes.
    let codes = format!("{note} VALUES ('*', 'codes', zeroblob(16));");
    let rated = format!(
        "{note} SELECT substr(m.region_code, 1, 6), 'member', m.id FROM claim c JOIN member m ON m.id = c.member_id
         WHERE c.task_id = NEW.task_id AND m.region_code IS NOT NULL;
         {note} SELECT substr(region_code, 1, 6), 'task', id FROM task WHERE id = NEW.task_id;"
    );
    let mut triggers = vec![
        update("match_member_update", "member", MEMBER, &of_row("member")),
        update("match_task_update", "task", TASK, &of_row("task")),
        format!(
            "CREATE TRIGGER match_member_insert AFTER INSERT ON member WHEN {MAY_CLAIM}
             BEGIN {note} VALUES (substr(NEW.region_code, 1, 6), 'member', NEW.id); END"
        ),
        format!(
            "CREATE TRIGGER match_task_insert AFTER INSERT ON task
             BEGIN {note} VALUES (substr(NEW.region_code, 1, 6), 'task', NEW.id); END"
        ),
        update("match_claim_update", "claim", CLAIM, &claimant("NEW")),
        format!("CREATE TRIGGER match_claim_insert AFTER INSERT ON claim BEGIN {} END", claimant("NEW")),
        update("match_wish_update", "wish", &["rating", "special_group_sealed", "task_id"], &rated),
    ];
    for (event, row) in EVENTS {
        triggers.push(format!(
            "CREATE TRIGGER {} AFTER {event} ON code_item BEGIN {codes} END",
            part_trigger("code_item", event)
        ));
        for (table, whole) in PARTS {
            triggers.push(format!(
                "CREATE TRIGGER {} AFTER {event} ON {table} BEGIN
                 {note} SELECT substr(region_code, 1, 6), '{whole}', id FROM {whole}
                 WHERE id = {row}.{whole}_id AND region_code IS NOT NULL; END",
                part_trigger(table, event)
            ));
        }
    }
    triggers
}

/// `match_here` is the transaction's number; the rest notes what changed under it.
const POSTGRES_FUNCTIONS: &[&str] = &[
    "CREATE FUNCTION match_here() RETURNS bigint LANGUAGE sql AS
$$ SELECT CAST(CAST(pg_current_xact_id() AS text) AS bigint) $$",
    "CREATE FUNCTION match_row() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    IF NEW.region_code IS NOT NULL THEN
        INSERT INTO match_change (position, district, kind, object_id)
        VALUES (match_here(), left(NEW.region_code, 6), TG_ARGV[0], NEW.id) ON CONFLICT DO NOTHING;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF OLD.region_code IS NOT NULL AND left(OLD.region_code, 6) IS DISTINCT FROM left(NEW.region_code, 6) THEN
            INSERT INTO match_change (position, district, kind, object_id)
            VALUES (match_here(), left(OLD.region_code, 6), TG_ARGV[0], OLD.id) ON CONFLICT DO NOTHING;
        END IF;
    END IF;
    RETURN NULL;
END $$",
    "CREATE FUNCTION match_claim() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    INSERT INTO match_change (position, district, kind, object_id)
    SELECT match_here(), left(region_code, 6), 'member', id FROM member
    WHERE id = NEW.member_id AND region_code IS NOT NULL ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$",
    "CREATE FUNCTION match_wish() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    INSERT INTO match_change (position, district, kind, object_id)
    SELECT match_here(), left(m.region_code, 6), 'member', m.id FROM claim c JOIN member m ON m.id = c.member_id
    WHERE c.task_id = NEW.task_id AND m.region_code IS NOT NULL ON CONFLICT DO NOTHING;
    INSERT INTO match_change (position, district, kind, object_id)
    SELECT match_here(), left(region_code, 6), 'task', id FROM task WHERE id = NEW.task_id ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$",
    "CREATE FUNCTION match_part_of_member() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    INSERT INTO match_change (position, district, kind, object_id)
    SELECT match_here(), left(region_code, 6), 'member', id FROM member
    WHERE region_code IS NOT NULL AND id IN (SELECT member_id FROM changed) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$",
    "CREATE FUNCTION match_part_of_task() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    INSERT INTO match_change (position, district, kind, object_id)
    SELECT match_here(), left(region_code, 6), 'task', id FROM task
    WHERE id IN (SELECT task_id FROM changed) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$",
    "CREATE FUNCTION match_codes() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    INSERT INTO match_change (position, district, kind, object_id)
    VALUES (match_here(), '*', 'codes', '00000000-0000-0000-0000-000000000000') ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$",
];

fn postgres_triggers() -> Vec<String> {
    let update = |name: &str, table: &str, columns: &[&str], function: &str| {
        format!(
            "CREATE TRIGGER {name} AFTER UPDATE OF {} ON {table} FOR EACH ROW WHEN ({}) EXECUTE FUNCTION {function}",
            columns.join(", "),
            differ(columns, "IS DISTINCT FROM")
        )
    };
    let insert = |name: &str, table: &str, function: &str| {
        format!("CREATE TRIGGER {name} AFTER INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {function}")
    };
    let mut triggers = vec![
        update("match_member_update", "member", MEMBER, "match_row('member')"),
        update("match_task_update", "task", TASK, "match_row('task')"),
        format!(
            "CREATE TRIGGER match_member_insert AFTER INSERT ON member FOR EACH ROW WHEN ({MAY_CLAIM})
             EXECUTE FUNCTION match_row('member')"
        ),
        insert("match_task_insert", "task", "match_row('task')"),
        update("match_claim_update", "claim", CLAIM, "match_claim()"),
        insert("match_claim_insert", "claim", "match_claim()"),
        update("match_wish_update", "wish", &["rating", "special_group_sealed", "task_id"], "match_wish()"),
    ];
    for (event, row) in EVENTS {
        triggers.push(format!(
            "CREATE TRIGGER {} AFTER {event} ON code_item FOR EACH STATEMENT EXECUTE FUNCTION match_codes()",
            part_trigger("code_item", event)
        ));
        for (table, whole) in PARTS {
            triggers.push(format!(
                "CREATE TRIGGER {} AFTER {event} ON {table} REFERENCING {row} TABLE AS changed
                 FOR EACH STATEMENT EXECUTE FUNCTION match_part_of_{whole}()",
                part_trigger(table, event)
            ));
        }
    }
    triggers
}

/// Each trigger with its table.
fn trigger_names() -> Vec<(String, &'static str)> {
    let mut names: Vec<(String, &str)> = [
        ("match_member_insert", "member"),
        ("match_member_update", "member"),
        ("match_task_update", "task"),
        ("match_task_insert", "task"),
        ("match_claim_update", "claim"),
        ("match_claim_insert", "claim"),
        ("match_wish_update", "wish"),
    ]
    .map(|(name, table)| (name.to_owned(), table))
    .into();
    for (event, _) in EVENTS {
        names.push((part_trigger("code_item", event), "code_item"));
        names.extend(PARTS.iter().map(|(table, _)| (part_trigger(table, event), *table)));
    }
    names
}

const FUNCTIONS: &[&str] = &[
    "match_codes()",
    "match_part_of_task()",
    "match_part_of_member()",
    "match_wish()",
    "match_claim()",
    "match_row()",
    "match_here()",
];

async fn run_all(manager: &SchemaManager<'_>, backend: DbBackend, statements: Vec<String>) -> Result<(), DbErr> {
    for statement in statements {
        ddl::run_on(manager, backend, &[&statement]).await?;
    }
    Ok(())
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, UP).await?;
        ddl::run_on(manager, DbBackend::Sqlite, SQLITE_FEED).await?;
        ddl::run_on(manager, DbBackend::Postgres, POSTGRES_FEED).await?;
        ddl::run_on(manager, DbBackend::Postgres, POSTGRES_FUNCTIONS).await?;
        run_all(manager, DbBackend::Postgres, postgres_triggers()).await?;
        run_all(manager, DbBackend::Sqlite, sqlite_triggers()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let on_table = |(name, table): (String, &str)| format!("DROP TRIGGER {name} ON {table}");
        run_all(manager, DbBackend::Postgres, trigger_names().into_iter().map(on_table).collect()).await?;
        let alone = |(name, _)| format!("DROP TRIGGER {name}");
        run_all(manager, DbBackend::Sqlite, trigger_names().into_iter().map(alone).collect()).await?;
        let functions = FUNCTIONS.iter().map(|function| format!("DROP FUNCTION {function}")).collect();
        run_all(manager, DbBackend::Postgres, functions).await?;
        ddl::drop_tables(manager, &["match_change", "match_mark"]).await?;
        ddl::run(manager, &["ALTER TABLE member DROP COLUMN offers_paused"]).await
    }
}
