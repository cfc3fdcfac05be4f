//! That a member was told of points about to expire: once for each account and day.

use crate::id::AccountId;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "expiry_notice")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// The first local day on which they are gone.
    #[sea_orm(primary_key, auto_increment = false)]
    pub expires_on: Date,
    /// What lay in the bucket then, in hundredths.
    pub amount: i64,
    pub told_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
