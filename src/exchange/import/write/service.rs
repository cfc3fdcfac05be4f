//! Activities and service records, with the points that these earn and their place on the boards.

use entity::id::JournalId;
use entity::journal::JournalKind;
use entity::service_record::RecordStatus;
use sea_orm::{ConnectionTrait, DbErr, Value};

use super::{Stamp, WriteError, word};
use crate::audit::Actor;
use crate::db::Bulk;
use crate::exchange::import::known::PROGRAMME;
use crate::exchange::import::rows::{Accepted, ActivityRow, RecordRow};
use crate::points::RECORD;
use crate::points::bulk::{Batch, Transfer, post_all};
use crate::ranking::{self, Boarded};

pub(in super::super) async fn activities(
    db: &impl ConnectionTrait,
    stamp: &Stamp,
    rows: &[Accepted<ActivityRow>],
) -> Result<(), WriteError> {
    let columns = [
        "id",
        "ref_id",
        "title",
        "category",
        "region_code",
        "unit_id",
        "starts_at",
        "ends_at",
        "capacity",
        "points",
        "participants",
        "served_persons",
        "created_at",
    ];
    let mut lines = Bulk::insert(db, "activity", &columns);
    for Accepted { row, reference, .. } in rows {
        let line = [
            row.id.into(),
            reference.as_str().into(),
            row.title.as_str().into(),
            word(&row.category),
            row.region.as_str().into(),
            row.unit.into(),
            row.starts_at.into(),
            row.ends_at.into(),
            row.capacity.into(),
            row.points.into(),
            row.participants.into(),
            row.served_persons.into(),
            stamp.now.into(),
        ];
        lines.push(db, line).await?;
    }
    lines.finish(db).await?;
    Ok(())
}

const RECORD_COLUMNS: [&str; 20] = [
    "id",
    "ref_id",
    "activity_id",
    "member_id",
    "unit_id",
    "region_code",
    "category",
    "started_at",
    "ended_at",
    "minutes",
    "evidence",
    "status",
    "reason",
    "verified_at",
    "programme",
    "points",
    "counted_at",
    "reversed_at",
    "created_at",
    "updated_at",
];

/// Records as given. Participations post what they earned; those records that count, or have counted, go to the boards.
pub(in super::super) async fn records(
    db: &impl ConnectionTrait,
    stamp: &Stamp,
    rows: &[Accepted<RecordRow>],
) -> Result<(), WriteError> {
    let mut lines = Bulk::insert(db, "service_record", &RECORD_COLUMNS);
    for Accepted { row, reference, .. } in rows {
        lines.push(db, record(stamp, reference, row)).await?;
    }
    lines.finish(db).await?;
    let earned: Vec<Transfer<'_>> = rows.iter().filter_map(|accepted| transfer(&accepted.row)).collect();
    let batch = Batch {
        kind: JournalKind::Earn,
        programme: PROGRAMME,
        source_kind: RECORD,
        actor: Actor::System,
        posted_at: stamp.now,
        today: stamp.calendar.day_of(stamp.now),
    };
    post_all(db, &batch, &earned).await?;
    board(db, stamp, rows).await?;
    Ok(())
}

/// Records that are added up at once for the boards: each makes some ten rows, which are all in memory.
const BOARDED_AT_ONCE: usize = 40_000;

/// Some communities at a time: nobody stands in two, so that hardly a row is written twice.
async fn board(db: &impl ConnectionTrait, stamp: &Stamp, rows: &[Accepted<RecordRow>]) -> Result<(), DbErr> {
    let mut order: Vec<&RecordRow> = rows.iter().map(|accepted| &accepted.row).collect();
    order.sort_by(|one, other| one.person.region.cmp(&other.person.region));
    let mut batch: Vec<&RecordRow> = Vec::new();
    for community in order.chunk_by(|one, other| one.person.region == other.person.region) {
        if !batch.is_empty() && batch.len() + community.len() > BOARDED_AT_ONCE {
            ranking::bulk(db, &stamp.calendar, batch.drain(..).filter_map(boarded)).await?;
        }
        batch.extend(community);
    }
    ranking::bulk(db, &stamp.calendar, batch.into_iter().filter_map(boarded)).await.map(drop)
}

fn record(stamp: &Stamp, reference: &str, row: &RecordRow) -> [Value; 20] {
    [
        row.id.into(),
        reference.into(),
        row.activity.into(),
        row.person.id.into(),
        row.person.unit.into(),
        (&*row.person.region).into(),
        word(&row.category),
        row.started_at.into(),
        row.ended_at.into(),
        row.minutes.into(),
        word(&row.evidence),
        word(&row.status),
        row.reason.as_deref().into(),
        row.verified_at.into(),
        PROGRAMME.into(),
        row.points.into(),
        row.counted_at.into(),
        row.reversed_at.into(),
        stamp.now.into(),
        stamp.now.into(),
    ]
}

fn transfer(row: &RecordRow) -> Option<Transfer<'_>> {
    let amount = row.points.filter(|points| *points > 0 && row.post)?;
    Some(Transfer {
        journal_id: JournalId::new(),
        member_id: row.person.id,
        community: &row.person.region,
        amount,
        source_id: row.id.0,
        at: row.counted_at.unwrap_or(row.ended_at),
    })
}

fn boarded(row: &RecordRow) -> Option<Boarded<'_>> {
    let counts = matches!(row.status, RecordStatus::Verified | RecordStatus::Reversed);
    Some(Boarded {
        member_id: row.person.id,
        member_ref: Some(&row.person.reference),
        unit_id: row.person.unit,
        region_code: &row.person.region,
        category: row.category,
        points: row.points.unwrap_or(0),
        minutes: row.minutes,
        ended_at: row.ended_at,
        counted_at: row.counted_at.filter(|_| counts)?,
        reversed_at: row.reversed_at,
    })
}
