//! Lists of goods, movements and redemptions, by keyset.

use entity::goods;
use entity::id::{GoodsId, MemberId, RedemptionId, StockMovementId};
use entity::redemption::{self, RedemptionStatus};
use entity::stock_movement;
use sea_orm::sea_query::{Expr, ExprTrait as _, Func, LikeExpr};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::error::RedemptionError;
use super::goods::{at_station, stations_in};
use super::lines::{Basket, named};
use crate::http::{Listing, Page, Problem};
use crate::identity::Scope;
use crate::region::Subtree;

/// Which goods to list.
#[derive(Clone, Debug, Default)]
pub struct GoodsFilter {
    /// A station's id or ref.
    pub station: Option<String>,
    pub programme: Option<String>,
    /// Part of the name.
    pub q: Option<String>,
    /// Whose goods are shown although they are off the shelf: those of staff.
    pub off_shelf_in: Option<Subtree>,
}

/// Goods on the shelf, oldest first.
///
/// # Errors
/// 422 for a forged cursor; the database's.
pub async fn goods(
    db: &impl ConnectionTrait,
    filter: &GoodsFilter,
    page: &Page,
) -> Result<Listing<goods::Model>, Problem> {
    let mut query = goods::Entity::find().filter(on_offer(filter.off_shelf_in.as_ref()));
    if let Some(station) = &filter.station {
        query = query.filter(at_station(goods::Column::StationId, station));
    }
    if let Some(programme) = &filter.programme {
        query = query.filter(goods::Column::Programme.eq(programme));
    }
    if let Some(part) = &filter.q {
        let name = Expr::expr(Func::lower(Expr::col(goods::Column::Name)));
        query = query.filter(name.like(containing(&part.to_lowercase())));
    }
    if let Some(after) = page.after::<GoodsId>()? {
        query = query.filter(goods::Column::Id.gt(after));
    }
    let rows = query.order_by_asc(goods::Column::Id).limit(page.limit() + 1).all(db).await?;
    Ok(Listing::cut(rows, page, |last| last.id))
}

/// One good, on the shelf or in `off_shelf_in`.
///
/// # Errors
/// `NotFound`.
pub async fn good(
    db: &impl ConnectionTrait,
    id: GoodsId,
    off_shelf_in: Option<&Subtree>,
) -> Result<goods::Model, RedemptionError> {
    let found = goods::Entity::find_by_id(id).filter(on_offer(off_shelf_in)).one(db).await?;
    found.ok_or(RedemptionError::NotFound)
}

fn on_offer(off_shelf_in: Option<&Subtree>) -> Condition {
    let shelf = Condition::any().add(goods::Column::Active.eq(true));
    match off_shelf_in {
        Some(subtree) => shelf.add(stations_in(goods::Column::StationId, subtree)),
        None => shelf,
    }
}

/// `%part%`, with the pattern's own signs taken literally.
fn containing(part: &str) -> LikeExpr {
    let mut pattern = String::from("%");
    for letter in part.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    LikeExpr::new(pattern).escape('\\')
}

/// What came and went, latest first.
///
/// # Errors
/// 422 for a forged cursor; the database's.
pub async fn movements(
    db: &impl ConnectionTrait,
    goods: GoodsId,
    page: &Page,
) -> Result<Listing<stock_movement::Model>, Problem> {
    let mut query = stock_movement::Entity::find().filter(stock_movement::Column::GoodsId.eq(goods));
    if let Some(after) = page.after::<StockMovementId>()? {
        query = query.filter(stock_movement::Column::Id.lt(after));
    }
    let rows = query.order_by_desc(stock_movement::Column::Id).limit(page.limit() + 1).all(db).await?;
    Ok(Listing::cut(rows, page, |last| last.id))
}

/// Which redemptions to list.
#[derive(Clone, Debug, Default)]
pub struct RedemptionFilter {
    /// A station's id or ref.
    pub station: Option<String>,
    pub status: Option<RedemptionStatus>,
    pub member: Option<MemberId>,
    pub subtree: Option<Subtree>,
}

/// What `scope` sees, latest first.
///
/// # Errors
/// 422 for a forged cursor; the database's.
pub async fn redemptions(
    db: &impl ConnectionTrait,
    scope: &Scope,
    filter: &RedemptionFilter,
    page: &Page,
) -> Result<Listing<Basket>, Problem> {
    use redemption::{Column, Entity};
    let mut query = Entity::find().filter(scope.owned((Entity, Column::MemberId), (Entity, Column::RegionCode)));
    if let Some(station) = &filter.station {
        query = query.filter(at_station(Column::StationId, station));
    }
    if let Some(status) = filter.status {
        query = query.filter(Column::Status.eq(status));
    }
    if let Some(member) = filter.member {
        query = query.filter(Column::MemberId.eq(member));
    }
    if let Some(subtree) = &filter.subtree {
        query = query.filter(subtree.covers(Expr::col((Entity, Column::RegionCode))));
    }
    if let Some(after) = page.after::<RedemptionId>()? {
        query = query.filter(Column::Id.lt(after));
    }
    let rows = named(query.order_by_desc(Column::Id).limit(page.limit() + 1)).all(db).await?;
    let Listing { items, next_cursor } = Listing::cut(rows, page, |last| last.row.id);
    Ok(Listing { items: Basket::all(db, items).await?, next_cursor })
}
