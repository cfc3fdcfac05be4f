//! From whom goods come and at what cost, in time: a change writes down what held until then.

use chrono::{DateTime, Utc};
use entity::id::{GoodsId, UnitId};
use entity::{goods, goods_terms};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ConnectionTrait, DbErr, EntityTrait as _, QuerySelect as _};

/// Keeps the terms of goods that are about to change, if they do. Belongs before the change, in its transaction.
///
/// # Errors
/// The database's.
pub async fn keep(
    db: &impl ConnectionTrait,
    goods: GoodsId,
    supplier: Option<Option<UnitId>>,
    cost: Option<i64>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    if supplier.is_none() && cost.is_none() {
        return Ok(());
    }
    // Locked: of two changes at once, the second keeps what the first has made.
    let Some(before) = goods::Entity::find_by_id(goods).lock_exclusive().one(db).await? else { return Ok(()) };
    let same_supplier = supplier.is_none_or(|unit| unit == before.supplier_unit_id);
    if same_supplier && cost.is_none_or(|fen| fen == before.cost) {
        return Ok(());
    }
    let row = goods_terms::ActiveModel {
        goods_id: Set(before.id),
        until: Set(now),
        supplier_unit_id: Set(before.supplier_unit_id),
        cost: Set(before.cost),
    };
    // What held for no time at all is not kept.
    let moment = [goods_terms::Column::GoodsId, goods_terms::Column::Until];
    goods_terms::Entity::insert(row)
        .on_conflict(OnConflict::columns(moment).do_nothing().to_owned())
        .exec_without_returning(db)
        .await
        .map(drop)
}
