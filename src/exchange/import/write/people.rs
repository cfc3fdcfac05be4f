//! Members and the hours they bring along.

use sea_orm::{ConnectionTrait, Value};

use super::{Stamp, WriteError};
use crate::db::Bulk;
use crate::exchange::import::rows::{Accepted, MemberRow, OpeningRow};
use crate::identity::sealed::{self, Home};

const MEMBER: [&str; 18] = [
    "id",
    "ref_id",
    "name",
    "phone_sealed",
    "phone_index",
    "gender",
    "birth_year",
    "region_code",
    "is_resident",
    "is_volunteer",
    "is_party_member",
    "unit_id",
    "group_no",
    "max_hours_week",
    "special_group_sealed",
    "home_sealed",
    "registered_on",
    "named_on_boards",
];

/// What came by import has agreed to nothing: names stay masked, and there is no consent row.
pub(in super::super) async fn members(
    db: &impl ConnectionTrait,
    stamp: &Stamp,
    rows: &[Accepted<MemberRow>],
) -> Result<(), WriteError> {
    let columns = [&MEMBER[..], &["created_at", "updated_at"]].concat();
    let mut lines = Bulk::insert(db, "member", &columns);
    for Accepted { row, reference, .. } in rows {
        lines.push(db, member(stamp, reference, row)).await?;
    }
    lines.finish(db).await?;
    let mut skills = Bulk::insert(db, "member_skill", &["member_id", "skill"]);
    for Accepted { row, .. } in rows {
        for skill in &row.details.skills {
            skills.push(db, [row.id.into(), skill.as_str().into()]).await?;
        }
    }
    skills.finish(db).await?;
    let mut hours = Bulk::insert(db, "availability", &["member_id", "weekday", "from_minute", "until_minute"]);
    for Accepted { row, .. } in rows {
        for span in &row.details.hours {
            let line = [row.id.into(), span.weekday.into(), span.from_minute.into(), span.until_minute.into()];
            hours.push(db, line).await?;
        }
    }
    hours.finish(db).await?;
    Ok(())
}

fn member(stamp: &Stamp, reference: &str, row: &MemberRow) -> [Value; 20] {
    let keys = &stamp.keys;
    let home = row.details.home.map(|(lat, lon)| Home { lat: Some(lat), lon: Some(lon), address: None });
    let group = row.details.special_group.as_deref();
    [
        row.id.into(),
        reference.into(),
        row.name.as_str().into(),
        sealed::seal_phone(keys, &row.phone).0.into(),
        row.phone_index.clone().into(),
        row.details.gender.into(),
        row.birth_year.into(),
        row.region.as_str().into(),
        row.details.resident.into(),
        row.details.volunteer.into(),
        row.details.party_member.into(),
        row.details.unit.into(),
        row.details.group_no.as_deref().into(),
        row.details.max_hours_week.into(),
        group.map(|group| sealed::seal_special_group(keys, group)).into(),
        home.map(|home| sealed::seal_home(keys, &home)).into(),
        row.details.registered_on.into(),
        false.into(),
        stamp.now.into(),
        stamp.now.into(),
    ]
}

pub(in super::super) async fn opening_balances(
    db: &impl ConnectionTrait,
    _: &Stamp,
    rows: &[Accepted<OpeningRow>],
) -> Result<(), WriteError> {
    let mut lines = Bulk::insert(db, "opening_balance", &["member_id", "as_of", "minutes"]);
    for Accepted { row, .. } in rows {
        lines.push(db, [row.person.id.into(), row.as_of.into(), row.minutes.into()]).await?;
    }
    lines.finish(db).await?;
    Ok(())
}
