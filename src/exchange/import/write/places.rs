//! Regions, coded lists, units.

use sea_orm::ConnectionTrait;

use super::{Stamp, WriteError, word};
use crate::db::Bulk;
use crate::exchange::import::rows::{Accepted, CodeRow, RegionRow, UnitRow};

/// Parents stand before their children.
pub(in super::super) async fn regions(
    db: &impl ConnectionTrait,
    _: &Stamp,
    rows: &[Accepted<RegionRow>],
) -> Result<(), WriteError> {
    let mut lines = Bulk::insert(db, "region", &["code", "name", "level", "parent_code", "kind"]);
    for Accepted { row, .. } in rows {
        let parent = row.parent.as_deref().into();
        let line =
            [row.code.as_str().into(), row.name.as_str().into(), word(&row.level), parent, row.kind.as_str().into()];
        lines.push(db, line).await?;
    }
    lines.finish(db).await?;
    Ok(())
}

/// A code that is known already (made by staff, or by another set) takes the name of this set.
pub(in super::super) async fn code_items(
    db: &impl ConnectionTrait,
    _: &Stamp,
    rows: &[Accepted<CodeRow>],
) -> Result<(), WriteError> {
    let known = "ON CONFLICT (list, code) DO UPDATE SET name = excluded.name, parent = excluded.parent";
    let mut lines = Bulk::insert(db, "code_item", &["list", "code", "name", "parent"]).or(known);
    for Accepted { row, .. } in rows {
        let parent = row.parent.as_deref().into();
        lines.push(db, [row.list.as_str().into(), row.code.as_str().into(), row.name.as_str().into(), parent]).await?;
    }
    lines.finish(db).await?;
    Ok(())
}

pub(in super::super) async fn units(
    db: &impl ConnectionTrait,
    stamp: &Stamp,
    rows: &[Accepted<UnitRow>],
) -> Result<(), WriteError> {
    let columns = ["id", "ref_id", "name", "unit_type", "region_code", "party_members", "created_at"];
    let mut lines = Bulk::insert(db, "unit", &columns);
    for Accepted { row, reference, .. } in rows {
        let line = [
            row.id.into(),
            reference.as_str().into(),
            row.name.as_str().into(),
            row.unit_type.as_str().into(),
            row.region.as_str().into(),
            row.party_members.into(),
            stamp.now.into(),
        ];
        lines.push(db, line).await?;
    }
    lines.finish(db).await?;
    Ok(())
}
