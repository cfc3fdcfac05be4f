//! What a member's account holds, in hundredths; system accounts have none, so that no row is hot.

use crate::id::AccountId;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "balance")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    pub balance: i64,
    pub held: i64,
    /// Honour points: earned in all, never spent.
    pub earned: i64,
    /// The part of `balance` that lies in buckets.
    pub dated: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
