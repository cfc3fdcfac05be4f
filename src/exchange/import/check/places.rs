//! Regions, coded lists, units.

use entity::id::UnitId;
use entity::region::RegionLevel;

use super::{Context, category, count, optional};
use crate::exchange::import::known::Region;
use crate::exchange::import::rows::{CodeRow, RegionRow, UnitRow};
use crate::exchange::report::Reason;
use crate::exchange::row::Row;
use crate::exchange::table::Table;
use crate::taxonomy::List;

/// The digits of a code of this level.
const fn digits(level: RegionLevel) -> usize {
    match level {
        RegionLevel::Street => 9,
        RegionLevel::Community => 12,
        _ => 6,
    }
}

/// Parents come before their children.
pub(in super::super) fn region(cx: &mut Context<'_>, row: &Row) -> Result<RegionRow, Reason> {
    const CODE: usize = Table::Regions.position("code");
    const NAME: usize = Table::Regions.position("name");
    const LEVEL: usize = Table::Regions.position("level");
    const PARENT: usize = Table::Regions.position("parent_code");
    const KIND: usize = Table::Regions.position("kind");
    cx.unique()?;
    let (level, above) = match row.cell(LEVEL) {
        "city" => (RegionLevel::City, None),
        "district" => (RegionLevel::District, Some(RegionLevel::City)),
        "street" => (RegionLevel::Street, Some(RegionLevel::District)),
        "community" => (RegionLevel::Community, Some(RegionLevel::Street)),
        _ => return Err(Reason::UNKNOWN_LEVEL),
    };
    let parent = row.given(PARENT);
    match (above, parent) {
        (None, None) => {}
        (Some(_), None) => return Err(Reason::MISSING_FIELD),
        (above, Some(parent)) => {
            let found = cx.known.regions.get(parent).map(|region| region.level);
            if found.is_none() || found != above {
                return Err(Reason::UNKNOWN_REGION);
            }
        }
    }
    let code = row.cell(CODE);
    if code.len() != digits(level) || !code.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Reason::BAD_NUMBER);
    }
    let name = row.cell(NAME);
    cx.known.regions.insert(code.into(), Region { name: name.into(), level });
    Ok(RegionRow {
        code: code.to_owned(),
        name: name.to_owned(),
        level,
        parent: parent.map(str::to_owned),
        kind: row.cell(KIND).to_owned(),
    })
}

pub(in super::super) fn code_item(cx: &mut Context<'_>, row: &Row) -> Result<CodeRow, Reason> {
    const LIST: usize = Table::Codes.position("list");
    const CODE: usize = Table::Codes.position("code");
    const NAME: usize = Table::Codes.position("name");
    const PARENT: usize = Table::Codes.position("parent");
    cx.unique()?;
    let (list, code, name) = (row.cell(LIST), row.cell(CODE), row.cell(NAME));
    if List::named(list).is_none() {
        return Err(Reason::UNKNOWN_LIST);
    }
    if list == "category" && category(code).is_none() {
        return Err(Reason::UNKNOWN_CATEGORY);
    }
    cx.known.add_code(list, code, name);
    Ok(CodeRow {
        list: list.to_owned(),
        code: code.to_owned(),
        name: name.to_owned(),
        parent: optional(row.cell(PARENT)),
    })
}

pub(in super::super) fn unit(cx: &mut Context<'_>, row: &Row) -> Result<UnitRow, Reason> {
    const REF: usize = Table::Units.position("unit_id");
    const NAME: usize = Table::Units.position("name");
    const TYPE: usize = Table::Units.position("unit_type");
    const REGION: usize = Table::Units.position("region_code");
    const PARTY_MEMBERS: usize = Table::Units.position("party_members");
    cx.unique()?;
    let region = cx.region(row.cell(REGION))?;
    let party_members = count(row, PARTY_MEMBERS, 0)?;
    let id = UnitId::new();
    cx.known.units.insert(row.cell(REF).into(), id);
    Ok(UnitRow { id, name: row.cell(NAME).to_owned(), unit_type: row.cell(TYPE).to_owned(), region, party_members })
}
