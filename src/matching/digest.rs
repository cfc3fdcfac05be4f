//! The digest: once a week each volunteer finds the three open tasks that fit best in their inbox.
//!
//! A message's id is made of the week and the member, so that a run that is repeated, or that two nodes do at once, puts nothing
//! in twice. A week that is done is written down, so that the rest of its day costs nothing.

use chrono::{DateTime, Datelike as _, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use entity::id::{InboxMessageId, MemberId};
use entity::{inbox_message, job_run};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, DbErr, EntityTrait as _, SelectExt as _};
use sha2::{Digest as _, Sha256};

use super::live::District;
use crate::app::AppState;
use crate::calendar::Calendar;
use crate::jobs::{JobError, Lease};
use crate::region::RegionCode;
use crate::setting::{self, Number};
use crate::task::view::TaskView;

/// ISO: 1 is Monday; 0: no digest.
const WEEKDAY: Number = Number::new("recommendation.digest_weekday", 1, 0..=7);
/// Of the local day.
const HOUR: Number = Number::new("recommendation.digest_hour", 9, 0..=23);
/// Tasks in a digest.
const BEST: usize = 3;
/// Members of one command.
const AT_ONCE: usize = 200;
/// After this long the day is over: a digest that comes late is worth less than none.
const LATE: TimeDelta = TimeDelta::hours(12);
const JOB: &str = "recommendation_digest";

/// The job.
///
/// # Errors
/// The database's.
pub async fn run(state: &AppState, _: &Lease) -> Result<u64, JobError> {
    let now = state.clock.now();
    let [weekday, hour] = setting::numbers(state.db.read(), [WEEKDAY, HOUR]).await?;
    let Some((day, due)) = due(state.calendar, weekday, hour, now) else { return Ok(0) };
    let done = job_run::Entity::find_by_id((JOB.to_owned(), day.to_string()));
    if done.exists(state.db.read()).await? {
        return Ok(0);
    }
    let mut told = 0;
    for district in state.matching.peopled(&state.db).await? {
        told += tell(state, &district, due, now).await?;
    }
    let row = job_run::ActiveModel {
        job: Set(JOB.to_owned()),
        period: Set(day.to_string()),
        started_at: Set(now),
        finished_at: Set(Some(state.clock.now())),
    };
    state
        .db
        .write(async move |txn| {
            let insert = job_run::Entity::insert(row.clone()).on_conflict(OnConflict::new().do_nothing().to_owned());
            insert.exec_without_returning(txn).await.map(drop)
        })
        .await
        .map_err(|error: DbErr| error)?;
    Ok(told)
}

/// The day of this week's digest and its instant, where that was not long ago.
fn due(calendar: Calendar, weekday: i64, hour: i64, now: DateTime<Utc>) -> Option<(NaiveDate, DateTime<Utc>)> {
    let today = calendar.day_of(now);
    let after_monday = u64::try_from(weekday.checked_sub(1)?).ok()?;
    let monday = today.checked_sub_days(Days::new(u64::from(today.weekday().num_days_from_monday())))?;
    let day = monday.checked_add_days(Days::new(after_monday))?;
    let due = calendar.instant(day.and_time(NaiveTime::from_hms_opt(u32::try_from(hour).ok()?, 0, 0)?));
    (due <= now && now - due < LATE).then_some((day, due))
}

async fn tell(state: &AppState, region: &RegionCode, due: DateTime<Utc>, now: DateTime<Utc>) -> Result<u64, JobError> {
    let members = state.matching.district(&state.db, region).await?.members();
    let mut told = 0;
    for members in members.chunks(AT_ONCE) {
        // Up to date for each part: who paused a moment ago is left alone.
        let district = state.matching.district(&state.db, region).await?;
        let wanted = members.iter().filter(|member| !district.has_paused(**member));
        let rows: Vec<inbox_message::ActiveModel> =
            wanted.filter_map(|member| message(state, &district, *member, due, now)).collect();
        drop(district);
        if rows.is_empty() {
            continue;
        }
        told += state
            .db
            .write(async move |txn| {
                let once = OnConflict::column(inbox_message::Column::Id).do_nothing().to_owned();
                let insert = inbox_message::Entity::insert_many(rows.clone()).on_conflict(once);
                insert.exec_without_returning(txn).await
            })
            .await
            .map_err(|error: DbErr| error)?;
    }
    Ok(told)
}

fn message(
    state: &AppState,
    district: &District,
    member: MemberId,
    due: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Option<inbox_message::ActiveModel> {
    let best = district.recommendations(member, BEST, now);
    let tasks: Vec<TaskView> = best.into_iter().filter_map(|best| district.task(best.task_id)).collect();
    let first = tasks.first()?;
    let lines: Vec<String> = (1..).zip(&tasks).map(|(number, task)| line(state, number, task)).collect();
    let body = format!("{}\n打开“推荐任务”即可认领；如暂时不便，可在“我的资料”中暂停推荐。", lines.join("\n"));
    Some(inbox_message::ActiveModel {
        id: Set(message_id(member, due)),
        member_id: Set(member),
        kind: Set("recommendation.digest".to_owned()),
        title: Set("本周有适合您的志愿任务".to_owned()),
        body: Set(body),
        source_kind: Set(Some("task".to_owned())),
        source_id: Set(Some(first.id.0)),
        created_at: Set(now),
        read_at: Set(None),
    })
}

fn line(state: &AppState, number: usize, task: &TaskView) -> String {
    let from = state.calendar.local(task.window.from);
    let until = state.calendar.local(task.window.until);
    let end = if until.date() == from.date() { until.format("%H:%M") } else { until.format("%-m月%-d日 %H:%M") };
    format!("{number}. {}（{}–{end}）", task.title, from.format("%-m月%-d日 %H:%M"))
}

/// In the order of time as other ids, and always the same for one member and one digest.
fn message_id(member: MemberId, due: DateTime<Utc>) -> InboxMessageId {
    let mut hash = Sha256::new();
    hash.update(JOB);
    hash.update(due.timestamp_millis().to_be_bytes());
    hash.update(member.0.as_bytes());
    let mut rest = [0; 10];
    rest.copy_from_slice(&hash.finalize()[..10]);
    let millis = u64::try_from(due.timestamp_millis()).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(millis, &rest).into_uuid().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_digest_is_due_on_its_day_from_its_hour_on() {
        let calendar = Calendar::new(chrono_tz::Asia::Shanghai);
        let due = |weekday, hour, now| due(calendar, weekday, hour, at(now)).map(|(day, _)| day.to_string());
        // A Monday: nine in Shanghai is one o'clock.
        assert_eq!(due(1, 9, "2026-11-23T00:59:59Z"), None);
        assert_eq!(due(1, 9, "2026-11-23T01:00:00Z").as_deref(), Some("2026-11-23"));
        assert_eq!(due(1, 9, "2026-11-23T12:59:59Z").as_deref(), Some("2026-11-23"));
        assert_eq!(due(1, 9, "2026-11-23T13:00:00Z"), None);
        assert_eq!(due(7, 0, "2026-11-22T01:00:00Z").as_deref(), Some("2026-11-22"));
        assert_eq!(due(0, 9, "2026-11-23T01:00:00Z"), None);
    }

    #[test]
    fn a_member_has_one_message_a_digest() {
        let (one, other) = (MemberId::new(), MemberId::new());
        let (monday, next) = (at("2026-11-23T01:00:00Z"), at("2026-11-30T01:00:00Z"));
        assert_eq!(message_id(one, monday), message_id(one, monday));
        assert_ne!(message_id(one, monday), message_id(other, monday));
        assert!(message_id(one, monday) < message_id(other, next), "in order of time");
    }
}
