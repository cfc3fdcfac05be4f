//! Listings: needs, resources and services.

use entity::id::ListingId;
use entity::listing::{ListingKind, ListingStatus};

use super::wishes::listed_skills;
use super::{Context, category, count, optional};
use crate::exchange::import::rows::{ListingOwner, ListingRow};
use crate::exchange::report::Reason;
use crate::exchange::row::Row;
use crate::exchange::table::Table;
use crate::listing::opening::LONGEST;

const T: Table = Table::Listings;

/// A listing is published until its last day is over, then expired: a set knows of no drafts.
pub(in super::super) fn listing(cx: &mut Context<'_>, row: &Row) -> Result<ListingRow, Reason> {
    const SPECIAL_GROUP: usize = T.position("special_group");
    cx.unique()?;
    let kind = kind(row.cell(const { T.position("kind") })).ok_or(Reason::UNKNOWN_KIND)?;
    let category = category(row.cell(const { T.position("category") })).ok_or(Reason::UNKNOWN_CATEGORY)?;
    let skills = listed_skills(cx, row.cell(const { T.position("skills") }))?;
    let region = cx.community(row.cell(const { T.position("region_code") }))?;
    let owner = owner(cx, row, &region)?;
    let special_group = match row.given(SPECIAL_GROUP) {
        Some(group) => Some(cx.known.code_in("special_group", group).ok_or(Reason::UNKNOWN_SPECIAL_GROUP)?.to_owned()),
        None => None,
    };
    let day = |column: usize| cx.times.day(row.cell(column)).ok_or(Reason::BAD_TIME);
    let (first, last) = (day(const { T.position("available_from") })?, day(const { T.position("available_to") })?);
    let window = cx.times.calendar.days(first, last);
    if last < first || window.end - window.start > LONGEST {
        return Err(Reason::BAD_TIME);
    }
    let capacity = count(row, const { T.position("quantity") }, 1)?;
    if capacity == 0 {
        return Err(Reason::BAD_NUMBER);
    }
    let over = window.end <= cx.times.now;
    Ok(ListingRow {
        id: ListingId::new(),
        kind,
        title: row.cell(const { T.position("title") }).to_owned(),
        body: row.cell(const { T.position("body") }).to_owned(),
        category,
        skills,
        region,
        owner,
        capacity,
        measure: optional(row.cell(const { T.position("unit_name") })),
        window: (window.start, window.end),
        special_group,
        status: if over { ListingStatus::Expired } else { ListingStatus::Published },
    })
}

fn kind(cell: &str) -> Option<ListingKind> {
    Some(match cell {
        "need" => ListingKind::Need,
        "resource" => ListingKind::Resource,
        "service" => ListingKind::Service,
        _ => return None,
    })
}

/// A community provides what stands on its own lists only.
fn owner(cx: &Context<'_>, row: &Row, region: &str) -> Result<ListingOwner, Reason> {
    let id = row.cell(const { T.position("owner_id") });
    match row.cell(const { T.position("owner_kind") }) {
        "community" if id == region => Ok(ListingOwner::Community),
        "community" => Err(Reason::UNKNOWN_REGION),
        "unit" => cx.known.units.get(id).copied().map(ListingOwner::Unit).ok_or(Reason::UNKNOWN_UNIT),
        "member" => cx.person(id).map(ListingOwner::Member),
        _ => Err(Reason::UNKNOWN_KIND),
    }
}
