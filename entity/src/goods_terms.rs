//! From whom goods came, and at what cost, until a change; what holds now stands at the goods.

use crate::id::{GoodsId, UnitId};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "goods_terms")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub goods_id: GoodsId,
    /// The moment of the change.
    #[sea_orm(primary_key, auto_increment = false)]
    pub until: DateTimeUtc,
    pub supplier_unit_id: Option<UnitId>,
    /// Of one, fen.
    pub cost: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
