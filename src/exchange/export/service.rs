//! Activities and service records.

use chrono::{DateTime, Utc};
use entity::activity;
use entity::service_record::{self, Evidence, RecordStatus};
use futures_util::TryStreamExt as _;
use sea_orm::{ActiveEnum as _, EntityTrait as _, QueryOrder as _};

use super::{Export, ExportError, Sink, category_name, hours, instant, number, points};
use crate::exchange::import::PROGRAMME;
use crate::exchange::table::Table;
use crate::points::account;

impl Export<'_> {
    pub(super) async fn activities(&mut self) -> Result<(), ExportError> {
        let mut sink = self.open(Table::Activities)?;
        for row in activity::Entity::find().order_by_asc(activity::Column::Id).all(self.db).await? {
            let reference = row.ref_id.unwrap_or_else(|| row.id.to_string());
            let unit = row.unit_id.and_then(|unit| self.refs.units.get(&unit)).map_or("", String::as_str);
            sink.write([
                &reference,
                &row.title,
                category_name(row.category),
                &row.region_code,
                unit,
                &self.moment(row.starts_at),
                &self.moment(row.ends_at),
                &row.capacity.to_string(),
                &points(row.points),
                &row.participants.to_string(),
                &row.served_persons.to_string(),
            ])?;
            self.refs.activities.insert(row.id, reference);
        }
        self.close(sink)
    }

    /// Participations and service records, each in its own file.
    pub(super) async fn records(&mut self) -> Result<(), ExportError> {
        let mut participations = self.open(Table::Participations)?;
        let mut records = self.open(Table::ServiceRecords)?;
        let db = self.db;
        let mut rows = service_record::Entity::find().order_by_asc(service_record::Column::Id).stream(db).await?;
        let (mut left_out, mut marked) = (0, 0);
        while let Some(row) = rows.try_next().await? {
            let Some(member) = self.refs.members.get(&row.member_id).cloned() else {
                left_out += 1;
                continue;
            };
            marked += u64::from(row.difficulty != 1 || row.organiser);
            let reference = row.ref_id.clone().unwrap_or_else(|| row.id.to_string());
            let dated = self.refs.dated.contains(&account::of_member(PROGRAMME, row.member_id));
            match participation(&row) {
                Some((activity, earned)) if !dated => {
                    let activity = self.refs.activities.get(&activity).map_or("", String::as_str);
                    participations.write([
                        &reference,
                        activity,
                        &member,
                        &self.moment(row.started_at),
                        &self.moment(row.ended_at),
                        &hours(i64::from(row.minutes)),
                        category_name(row.category),
                        &points(earned),
                    ])?;
                    self.refs.implied.insert(row.id.0);
                }
                _ => self.record(&mut records, &reference, &member, &row)?,
            }
            self.refs.records.insert(row.id, reference);
        }
        drop(rows);
        self.left_out(Table::ServiceRecords, left_out, "人员未导出");
        if marked > 0 {
            self.report
                .warnings
                .push(format!("service_records：{marked} 条记录的难度与组织者标记未导出，积分已按其计入"));
        }
        self.close(participations)?;
        self.close(records)
    }

    fn record(
        &self,
        sink: &mut Sink,
        reference: &str,
        member: &str,
        row: &service_record::Model,
    ) -> Result<(), ExportError> {
        let activity = row.activity_id.and_then(|activity| self.refs.activities.get(&activity));
        let moment = |at: Option<DateTime<Utc>>| at.map(instant).unwrap_or_default();
        sink.write([
            reference,
            member,
            activity.map_or("", String::as_str),
            category_name(row.category),
            &instant(row.started_at),
            &instant(row.ended_at),
            &row.minutes.to_string(),
            &number(row.points.map(points)),
            &row.evidence.to_value(),
            &row.status.to_value(),
            &moment(row.verified_at),
            &moment(row.counted_at),
            &moment(row.reversed_at),
            row.reason.as_deref().unwrap_or_default(),
        ])
    }
}

/// Activity and points of a record that reads back from the participations exactly as it is.
fn participation(row: &service_record::Model) -> Option<(entity::id::ActivityId, i64)> {
    let on_the_minute = |at: DateTime<Utc>| at.timestamp_micros() % 60_000_000 == 0;
    let earned = row.points?;
    let same = row.ref_id.is_some()
        && row.claim_id.is_none()
        && row.status == RecordStatus::Verified
        && row.evidence == Evidence::D
        && row.programme == PROGRAMME
        && row.counted_at == Some(row.ended_at)
        && row.verified_by.is_none()
        && row.entered_by.is_none()
        && on_the_minute(row.started_at)
        && on_the_minute(row.ended_at)
        && (row.ended_at - row.started_at).num_minutes() == i64::from(row.minutes)
        && (1..=720).contains(&row.minutes)
        && earned % 100 == 0
        && (0..=10_000).contains(&earned);
    row.activity_id.filter(|_| same).map(|activity| (activity, earned))
}
