//! Offers by the matcher, the rules a region has for them, assignments; and what reports of a period look through.

use sea_orm_migration::prelude::*;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: &[&str] = &[
    "CREATE TABLE offer_policy (
    region_code $TEXT PRIMARY KEY NOT NULL REFERENCES region (code),
    enabled $BOOL NOT NULL,
    wait_minutes $INT NOT NULL CHECK (wait_minutes BETWEEN 0 AND 10080),
    expires_minutes $INT NOT NULL CHECK (expires_minutes BETWEEN 1 AND 10080),
    urgent_minutes $INT NOT NULL CHECK (urgent_minutes BETWEEN 0 AND 10080),
    urgent_priority $INT CHECK (urgent_priority BETWEEN 1 AND 1000),
    urgent_expires_minutes $INT NOT NULL CHECK (urgent_expires_minutes BETWEEN 1 AND 10080),
    wave_size $INT NOT NULL CHECK (wave_size BETWEEN 1 AND 20),
    max_open_offers $INT NOT NULL CHECK (max_open_offers BETWEEN 1 AND 50),
    max_asked $INT NOT NULL CHECK (max_asked BETWEEN 1 AND 500),
    min_score $INT NOT NULL CHECK (min_score BETWEEN 0 AND 100),
    updated_by $UUID REFERENCES staff (id),
    updated_at $TIME NOT NULL
) $CLUSTERED",
    // Where the asking for a task stands: so that a task for which nobody more can be asked is not looked at all the time.
    "CREATE TABLE task_asking (
    task_id $UUID PRIMARY KEY NOT NULL REFERENCES task (id),
    exhausted $BOOL NOT NULL,
    look_at $TIME NOT NULL,
    updated_at $TIME NOT NULL
) $CLUSTERED",
    "CREATE TABLE assignment (
    id $UUID PRIMARY KEY NOT NULL,
    region_code $TEXT NOT NULL REFERENCES region (code),
    dry_run $BOOL NOT NULL,
    status $TEXT NOT NULL CHECK (status IN ('planned', 'offering', 'offered', 'withdrawn')),
    max_claims_per_member $INT NOT NULL CHECK (max_claims_per_member BETWEEN 1 AND 100),
    expires_minutes $INT NOT NULL CHECK (expires_minutes BETWEEN 1 AND 10080),
    window_from $TIME,
    window_until $TIME,
    categories $JSON NOT NULL,
    tasks $INT NOT NULL CHECK (tasks >= 0),
    volunteers $INT NOT NULL CHECK (volunteers >= 0),
    assigned $INT NOT NULL CHECK (assigned >= 0),
    unassigned $INT NOT NULL CHECK (unassigned >= 0),
    objective $BIG NOT NULL CHECK (objective >= 0),
    reason $TEXT,
    created_by $UUID NOT NULL REFERENCES staff (id),
    created_at $TIME NOT NULL,
    offered_by $UUID REFERENCES staff (id),
    offered_at $TIME,
    withdrawn_by $UUID REFERENCES staff (id),
    withdrawn_at $TIME,
    updated_at $TIME NOT NULL,
    CHECK ((status IN ('offering', 'offered')) <= (offered_by IS NOT NULL)),
    CHECK ((status = 'withdrawn') = (withdrawn_at IS NOT NULL))
)",
    "CREATE INDEX assignment_region ON assignment (region_code, id)",
    "CREATE INDEX assignment_offering ON assignment (id) WHERE status = 'offering'",
    "CREATE TABLE assignment_pair (
    assignment_id $UUID NOT NULL REFERENCES assignment (id),
    task_id $UUID NOT NULL REFERENCES task (id),
    member_id $UUID NOT NULL REFERENCES member (id),
    skill_points $INT NOT NULL CHECK (skill_points BETWEEN 0 AND 50),
    near_points $INT NOT NULL CHECK (near_points BETWEEN 0 AND 30),
    time_points $INT NOT NULL CHECK (time_points BETWEEN 0 AND 20),
    score $INT NOT NULL,
    outcome $TEXT NOT NULL CHECK (outcome IN ('planned', 'offered', 'skipped')),
    skipped_as $TEXT,
    claim_id $UUID REFERENCES claim (id),
    PRIMARY KEY (assignment_id, task_id, member_id),
    CONSTRAINT assignment_pair_score CHECK (score = skill_points + near_points + time_points),
    CHECK ((outcome = 'offered') = (claim_id IS NOT NULL)),
    CHECK ((outcome = 'skipped') = (skipped_as IS NOT NULL))
) $CLUSTERED",
    "CREATE INDEX assignment_pair_member ON assignment_pair (member_id)",
    "CREATE INDEX assignment_pair_planned ON assignment_pair (assignment_id, task_id, member_id) WHERE outcome = 'planned'",
    // What the matcher knew when it asked; the claim beside it says what became of it.
    "CREATE TABLE offer (
    claim_id $UUID PRIMARY KEY NOT NULL REFERENCES claim (id),
    task_id $UUID NOT NULL REFERENCES task (id),
    member_id $UUID NOT NULL REFERENCES member (id),
    source $TEXT NOT NULL CHECK (source IN ('matcher', 'assignment')),
    wave $INT NOT NULL CHECK (wave >= 1),
    assignment_id $UUID REFERENCES assignment (id),
    skill_points $INT NOT NULL CHECK (skill_points BETWEEN 0 AND 50),
    near_points $INT NOT NULL CHECK (near_points BETWEEN 0 AND 30),
    time_points $INT NOT NULL CHECK (time_points BETWEEN 0 AND 20),
    score $INT NOT NULL,
    ordering $JSON NOT NULL,
    withdrawn_at $TIME,
    created_at $TIME NOT NULL,
    CONSTRAINT offer_score CHECK (score = skill_points + near_points + time_points),
    CHECK ((source = 'assignment') = (assignment_id IS NOT NULL))
) $CLUSTERED",
    // Nobody is asked twice for one task, unless staff took the first offer back.
    "CREATE UNIQUE INDEX offer_once ON offer (task_id, member_id) WHERE withdrawn_at IS NULL",
    "CREATE INDEX offer_task ON offer (task_id, wave)",
    "CREATE INDEX offer_assignment ON offer (assignment_id) WHERE assignment_id IS NOT NULL",
    "CREATE INDEX offer_member ON offer (member_id)",
    "CREATE INDEX claim_offered ON claim (created_at) WHERE offer_expires_at IS NOT NULL",
    "CREATE INDEX claim_open_offers ON claim (member_id) WHERE status = 'offered'",
    "CREATE INDEX wish_published ON wish (published_at) WHERE published_at IS NOT NULL",
    "CREATE INDEX service_record_ended ON service_record (ended_at)",
];

const INDEXES: &[&str] = &["service_record_ended", "wish_published", "claim_open_offers", "claim_offered"];

/// In the order in which they can be dropped.
const TABLES: &[&str] = &["offer", "assignment_pair", "assignment", "task_asking", "offer_policy"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for index in INDEXES {
            ddl::run(manager, &[&format!("DROP INDEX {index}")]).await?;
        }
        ddl::drop_tables(manager, TABLES).await
    }
}
