//! Regions, coded lists, units.

use entity::region::RegionLevel;
use entity::{code_item, region, unit};
use sea_orm::{ActiveEnum as _, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _};

use super::{Export, ExportError};
use crate::exchange::table::Table;
use crate::taxonomy::LISTS;

/// The levels that data sets know.
const LEVELS: [RegionLevel; 4] =
    [RegionLevel::City, RegionLevel::District, RegionLevel::Street, RegionLevel::Community];

impl Export<'_> {
    pub(super) async fn regions(&mut self) -> Result<(), ExportError> {
        let mut sink = self.open(Table::Regions)?;
        let regions = region::Entity::find()
            .filter(region::Column::Level.is_in(LEVELS))
            .order_by_asc(region::Column::Code)
            .all(self.db)
            .await?;
        for row in regions {
            let parent = row.parent_code.as_deref().unwrap_or_default();
            sink.write([&row.code, &row.name, &row.level.to_value(), parent, &row.kind])?;
        }
        self.close(sink)
    }

    pub(super) async fn codes(&mut self) -> Result<(), ExportError> {
        let mut sink = self.open(Table::Codes)?;
        let items = code_item::Entity::find()
            .filter(code_item::Column::List.is_in(LISTS.iter().filter(|list| list.in_sets).map(|list| list.name)))
            .order_by_asc(code_item::Column::List)
            .order_by_asc(code_item::Column::Code)
            .all(self.db)
            .await?;
        for item in items {
            sink.write([&item.list, &item.code, &item.name, item.parent.as_deref().unwrap_or_default()])?;
        }
        self.close(sink)
    }

    pub(super) async fn units(&mut self) -> Result<(), ExportError> {
        let mut sink = self.open(Table::Units)?;
        for row in unit::Entity::find().order_by_asc(unit::Column::Id).all(self.db).await? {
            let reference = row.ref_id.unwrap_or_else(|| row.id.to_string());
            sink.write([&reference, &row.name, &row.unit_type, &row.region_code, &row.party_members.to_string()])?;
            self.refs.units.insert(row.id, reference);
        }
        self.close(sink)
    }
}
