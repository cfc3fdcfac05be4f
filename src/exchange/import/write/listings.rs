//! Listings with their skills.

use entity::listing::{CapacityPeriod, OwnerKind};
use sea_orm::{ConnectionTrait, Value};
use serde_json::json;

use super::{Stamp, WriteError, word};
use crate::db::Bulk;
use crate::exchange::import::rows::{Accepted, ListingOwner, ListingRow};
use crate::identity::sealed;

const LISTING: [&str; 22] = [
    "id",
    "ref_id",
    "kind",
    "title",
    "body",
    "category",
    "region_code",
    "owner_kind",
    "unit_id",
    "member_id",
    "capacity",
    "measure",
    "period",
    "window_from",
    "window_until",
    "openings",
    "special_group_sealed",
    "status",
    "created_at",
    "published_at",
    "ended_at",
    "updated_at",
];

pub(in super::super) async fn listings(
    db: &impl ConnectionTrait,
    stamp: &Stamp,
    rows: &[Accepted<ListingRow>],
) -> Result<(), WriteError> {
    let mut lines = Bulk::insert(db, "listing", &LISTING);
    for accepted in rows {
        lines.push(db, listing(stamp, accepted)).await?;
    }
    lines.finish(db).await?;
    let mut skills = Bulk::insert(db, "listing_skill", &["listing_id", "skill"]);
    for Accepted { row, .. } in rows {
        for skill in &row.skills {
            skills.push(db, [row.id.into(), skill.as_str().into()]).await?;
        }
    }
    skills.finish(db).await?;
    Ok(())
}

fn listing(stamp: &Stamp, accepted: &Accepted<ListingRow>) -> [Value; 22] {
    let Accepted { reference, row, .. } = accepted;
    let (owner, unit, member) = match &row.owner {
        ListingOwner::Community => (OwnerKind::Community, None, None),
        ListingOwner::Unit(id) => (OwnerKind::Unit, Some(*id), None),
        ListingOwner::Member(person) => (OwnerKind::Member, None, Some(person.id)),
    };
    let over = row.window.1 <= stamp.now;
    let group = row.special_group.as_deref();
    [
        row.id.into(),
        reference.as_str().into(),
        word(&row.kind),
        row.title.as_str().into(),
        row.body.as_str().into(),
        word(&row.category),
        row.region.as_str().into(),
        word(&owner),
        unit.into(),
        member.into(),
        row.capacity.into(),
        row.measure.clone().into(),
        word(&CapacityPeriod::All),
        row.window.0.into(),
        row.window.1.into(),
        json!({}).into(),
        group.map(|group| sealed::seal_special_group(&stamp.keys, group)).into(),
        word(&row.status),
        stamp.now.into(),
        stamp.now.into(),
        over.then_some(row.window.1).into(),
        stamp.now.into(),
    ]
}
