//! From whom goods come and at what cost, in time: a change writes down what held until then.

use chrono::{DateTime, Utc};
use entity::id::UnitId;
use entity::{goods, goods_terms};
use sea_orm::ActiveValue::Set;
use sea_orm::{ConnectionTrait, DbErr, EntityTrait as _};

/// Keeps the terms of goods that are about to change, if they do. Belongs before the change, in its transaction.
///
/// # Errors
/// The database's.
pub async fn keep(
    db: &impl ConnectionTrait,
    before: &goods::Model,
    supplier: Option<Option<UnitId>>,
    cost: Option<i64>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
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
    goods_terms::Entity::insert(row).exec_without_returning(db).await.map(drop)
}
