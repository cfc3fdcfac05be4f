//! Who sees which transfer.

use entity::id::StockTransferId;
use entity::stock_transfer::{Column, Entity, Model, TransferStatus};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};

use super::error::StockError;
use crate::http::{Listing, Page, Problem};
use crate::identity::StaffCaller;
use crate::redemption::goods::at_station;
use crate::region::Subtree;

/// A transfer to a station where `staff` works.
///
/// # Errors
/// `NotFound`.
pub async fn receivable(
    db: &impl ConnectionTrait,
    staff: &StaffCaller,
    id: StockTransferId,
) -> Result<Model, StockError> {
    let found = Entity::find_by_id(id).one(db).await?;
    found.filter(|row| staff.serves(row.to_station_id, &row.to_region_code)).ok_or(StockError::NotFound)
}

/// A transfer from a station where `staff` works.
///
/// # Errors
/// `NotFound`.
pub async fn cancellable(
    db: &impl ConnectionTrait,
    staff: &StaffCaller,
    id: StockTransferId,
) -> Result<Model, StockError> {
    let found = Entity::find_by_id(id).one(db).await?;
    found.filter(|row| staff.serves(row.from_station_id, &row.from_region_code)).ok_or(StockError::NotFound)
}

/// A transfer from or to a station where `staff` works.
///
/// # Errors
/// `NotFound`.
pub async fn find(db: &impl ConnectionTrait, staff: &StaffCaller, id: StockTransferId) -> Result<Model, StockError> {
    let found = Entity::find_by_id(id).one(db).await?;
    let sees = |row: &Model| {
        staff.serves(row.from_station_id, &row.from_region_code) || staff.serves(row.to_station_id, &row.to_region_code)
    };
    found.filter(sees).ok_or(StockError::NotFound)
}

/// Whether there is such a transfer, wherever.
///
/// # Errors
/// The database's.
pub async fn exists(db: &impl ConnectionTrait, id: StockTransferId) -> Result<bool, DbErr> {
    Ok(Entity::find_by_id(id).one(db).await?.is_some())
}

/// Which transfers to list.
#[derive(Clone, Debug, Default)]
pub struct TransferFilter {
    /// The id or ref of a station at either end.
    pub station: Option<String>,
    pub status: Option<TransferStatus>,
    /// Where either end lies.
    pub region: Option<Subtree>,
}

/// The transfers that [`find`] would show, latest first.
///
/// # Errors
/// 422 for a forged cursor; the database's.
pub async fn list(
    db: &impl ConnectionTrait,
    staff: &StaffCaller,
    filter: &TransferFilter,
    page: &Page,
) -> Result<Listing<Model>, Problem> {
    let within = |subtree: &Subtree| {
        let covers = |column: Column| subtree.covers(Expr::col(column));
        Condition::any().add(covers(Column::FromRegionCode)).add(covers(Column::ToRegionCode))
    };
    let mut query = Entity::find().filter(match staff.station {
        Some(own) => Condition::any().add(Column::FromStationId.eq(own)).add(Column::ToStationId.eq(own)),
        None => within(&staff.subtree()),
    });
    if let Some(station) = &filter.station {
        let ends = [Column::FromStationId, Column::ToStationId].map(|column| at_station(column, station));
        query = query.filter(ends.into_iter().fold(Condition::any(), Condition::add));
    }
    if let Some(status) = filter.status {
        query = query.filter(Column::Status.eq(status));
    }
    if let Some(region) = &filter.region {
        query = query.filter(within(region));
    }
    if let Some(after) = page.after::<StockTransferId>()? {
        query = query.filter(Column::Id.lt(after));
    }
    let rows = query.order_by_desc(Column::Id).limit(page.limit() + 1).all(db).await?;
    Ok(Listing::cut(rows, page, |last| last.id))
}
