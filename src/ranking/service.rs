//! Marks, and the counting of marks.

use std::collections::HashMap;
use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use entity::id::{MemberId, ServiceRecordId, UnitId};
use entity::score::SubjectKind;
use entity::{member, score_mark, service_record, unit};
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ActiveEnum as _, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, Statement, Value,
};

use super::domain::{Boarded, periods};
use super::store;
use super::tally::{Part, Tally, UnitPlaces};
use crate::calendar::{Calendar, Period};

/// What happened to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It counts from now on.
    Counted,
    Reversed,
}

impl Change {
    const fn stored(self) -> i16 {
        match self {
            Self::Counted => 1,
            Self::Reversed => -1,
        }
    }
}

/// Leaves a mark that boards have to count a record, in the transaction that changed it.
///
/// # Errors
/// The database's; a second mark of the same kind is a unique violation, so nothing counts twice.
pub async fn mark(
    db: &impl ConnectionTrait,
    record_id: ServiceRecordId,
    change: Change,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let row = score_mark::ActiveModel { record_id: Set(record_id), change: Set(change.stored()), marked_at: Set(now) };
    score_mark::Entity::insert(row).exec_without_returning(db).await.map(drop)
}

/// Counts at most `most` marks, the earliest records first; how many it counted. Zero: none were left.
///
/// Belongs in a transaction. Two may run at once: a second one waits for the first one's marks and finds them gone, and
/// all they do to a row commutes.
///
/// # Errors
/// The database's.
pub async fn refresh(db: &impl ConnectionTrait, calendar: &Calendar, most: u64) -> Result<u64, DbErr> {
    let marks = score_mark::Entity::find()
        .order_by_asc(score_mark::Column::RecordId)
        .order_by_asc(score_mark::Column::Change)
        .limit(most)
        .lock_exclusive()
        .all(db)
        .await?;
    if marks.is_empty() {
        return Ok(0);
    }
    let records = records_of(db, marks.iter().map(|mark| mark.record_id)).await?;
    let refs = refs_of(db, records.values().map(|record| record.member_id)).await?;
    let mut tally = Tally::new(*calendar);
    let mut reversed = Vec::new();
    for mark in &marks {
        let Some(record) = records.get(&mark.record_id) else { continue };
        let Some(boarded) = boarded(record, &refs) else { continue };
        if mark.change == Change::Reversed.stored() {
            tally.add(&boarded, Part::Reversed);
            reversed.push(record);
        } else {
            tally.add(&boarded, Part::Counted);
        }
    }
    store::add(db, &tally.rows(&unit_places(db, tally.units()).await?)).await?;
    for record in reversed {
        moments_without(db, calendar, record).await?;
    }
    forget(db, &marks).await?;
    store::count_up(db).await?;
    Ok(marks.len() as u64)
}

/// Counts many records at once, as an import writes them: without marks, whatever their time, one statement for a thousand
/// rows. Every record given must be new to the boards; how many rows were written.
///
/// # Errors
/// The database's.
pub async fn bulk<'a>(
    db: &impl ConnectionTrait,
    calendar: &Calendar,
    records: impl IntoIterator<Item = Boarded<'a>>,
) -> Result<u64, DbErr> {
    let mut tally = Tally::new(*calendar);
    for record in records {
        tally.add(&record, Part::Whole);
    }
    let places = unit_places(db, tally.units()).await?;
    let added = store::add(db, &tally.rows(&places)).await?;
    store::count_up(db).await?;
    Ok(added)
}

/// Since when boards lag behind: the earliest mark; `None` where they are up to date.
///
/// # Errors
/// The database's.
pub async fn behind_since(db: &impl ConnectionTrait) -> Result<Option<DateTime<Utc>>, DbErr> {
    let earliest = score_mark::Entity::find()
        .select_only()
        .column(score_mark::Column::MarkedAt)
        .order_by_asc(score_mark::Column::MarkedAt)
        .limit(1);
    earliest.into_tuple().one(db).await
}

fn boarded<'a>(record: &'a service_record::Model, refs: &'a HashMap<MemberId, String>) -> Option<Boarded<'a>> {
    Some(Boarded {
        member_id: record.member_id,
        member_ref: refs.get(&record.member_id).map(String::as_str),
        unit_id: record.unit_id,
        region_code: &record.region_code,
        category: record.category,
        points: record.points.unwrap_or(0),
        minutes: record.minutes,
        ended_at: record.ended_at,
        counted_at: record.counted_at?,
        reversed_at: record.reversed_at,
    })
}

async fn records_of(
    db: &impl ConnectionTrait,
    ids: impl Iterator<Item = ServiceRecordId>,
) -> Result<HashMap<ServiceRecordId, service_record::Model>, DbErr> {
    let found = service_record::Entity::find().filter(service_record::Column::Id.is_in(ids)).all(db).await?;
    Ok(found.into_iter().map(|record| (record.id, record)).collect())
}

async fn refs_of(
    db: &impl ConnectionTrait,
    ids: impl Iterator<Item = MemberId>,
) -> Result<HashMap<MemberId, String>, DbErr> {
    let found: Vec<(MemberId, Option<String>)> = member::Entity::find()
        .select_only()
        .columns([member::Column::Id, member::Column::RefId])
        .filter(member::Column::Id.is_in(ids))
        .filter(member::Column::RefId.is_not_null())
        .into_tuple()
        .all(db)
        .await?;
    Ok(found.into_iter().filter_map(|(id, text)| Some((id, text?))).collect())
}

async fn unit_places(db: &impl ConnectionTrait, ids: &[UnitId]) -> Result<UnitPlaces, DbErr> {
    let mut places = UnitPlaces::with_capacity(ids.len());
    for chunk in ids.chunks(1_000) {
        let found: Vec<(UnitId, String, Option<String>)> = unit::Entity::find()
            .select_only()
            .columns([unit::Column::Id, unit::Column::RegionCode, unit::Column::RefId])
            .filter(unit::Column::Id.is_in(chunk.iter().copied()))
            .into_tuple()
            .all(db)
            .await?;
        places.extend(found.into_iter().map(|(id, region, text)| (id, (region, text))));
    }
    Ok(places)
}

/// Takes away exactly the marks that were counted; one that came since stays.
async fn forget(db: &impl ConnectionTrait, marks: &[score_mark::Model]) -> Result<(), DbErr> {
    for change in [Change::Counted.stored(), Change::Reversed.stored()] {
        let counted: Vec<_> = marks.iter().filter(|mark| mark.change == change).map(|mark| mark.record_id).collect();
        if !counted.is_empty() {
            score_mark::Entity::delete_many()
                .filter(score_mark::Column::Change.eq(change))
                .filter(score_mark::Column::RecordId.is_in(counted))
                .exec(db)
                .await?;
        }
    }
    Ok(())
}

/// Finds anew by which record each of a reversed record's subjects reached its value, in the periods where the record has
/// then never counted. Sums are exact without it.
async fn moments_without(
    db: &impl ConnectionTrait,
    calendar: &Calendar,
    record: &service_record::Model,
) -> Result<(), DbErr> {
    let (Some(counted_at), Some(reversed_at)) = (record.counted_at, record.reversed_at) else { return Ok(()) };
    let pairs = periods(*calendar, counted_at).into_iter().zip(periods(*calendar, reversed_at));
    let unit = record.unit_id.map(|id| (SubjectKind::Unit, "unit_id", Value::from(id), id.to_string()));
    let subjects = [
        (SubjectKind::Member, "member_id", Value::from(record.member_id), record.member_id.to_string()),
        (SubjectKind::Community, "region_code", record.region_code.as_str().into(), record.region_code.clone()),
    ];
    for (period, _) in pairs.filter(|(plus, minus)| plus == minus) {
        for (kind, column, id, text) in subjects.iter().cloned().chain(unit.clone()) {
            for category in [None, Some(record.category)] {
                let row = [store::kind_text(kind), period.to_string(), store::category_text(category), text.clone()];
                let span = category.map(|category| category.to_value());
                reach_anew(db, calendar, period, (column, id.clone()), span, row).await?;
            }
        }
    }
    Ok(())
}

/// The latest `ended_at` among the subject's records that count in the period and were not taken off in it.
async fn reach_anew(
    db: &impl ConnectionTrait,
    calendar: &Calendar,
    period: Period,
    (column, id): (&str, Value),
    category: Option<String>,
    row: [String; 4],
) -> Result<(), DbErr> {
    let mut values = Vec::new();
    let mut latest = |condition: &str| {
        values.push(id.clone());
        let mut sql =
            format!("(SELECT MAX(ended_at) FROM service_record WHERE {column} = $N AND counted_at IS NOT NULL");
        match calendar.range(period) {
            None => sql.push_str(" AND reversed_at IS NULL"),
            Some(span) => {
                sql.push_str(" AND counted_at >= $N AND counted_at < $N");
                sql.push_str(" AND (reversed_at IS NULL OR reversed_at < $N OR reversed_at >= $N)");
                values.extend([span.start, span.end, span.start, span.end].map(Value::from));
            }
        }
        if let Some(category) = &category {
            sql.push_str(" AND category = $N");
            values.push(category.as_str().into());
        }
        sql + condition + ")"
    };
    let (points, minutes) = (latest(" AND points > 0"), latest(""));
    values.extend(row.map(Value::from));
    let sql = format!(
        "UPDATE score SET points_at = {points}, minutes_at = {minutes} \
         WHERE subject_kind = $N AND period = $N AND category = $N AND subject_id = $N"
    );
    let sql = numbered(&sql);
    db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await.map(drop)
}

/// Replaces each `$N` by its number.
fn numbered(sql: &str) -> String {
    let mut parts = sql.split("$N");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for (place, part) in parts.enumerate() {
        // Writing into a string cannot fail.
        let _ = write!(text, "${}{part}", place + 1);
    }
    text
}
