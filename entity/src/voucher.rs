//! A merchant's gift voucher: a code that is given to one redemption.

use crate::id::{GoodsId, RedemptionId, VoucherBatchId, VoucherId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    EnumIter,
    DeriveActiveEnum,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum VoucherStatus {
    /// On the shelf: counted by the stock of its goods.
    Free,
    Given,
    /// Came back after it was given; its code may be known, so nobody gets it again.
    Void,
    /// Taken off the shelf, never given.
    Expired,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "voucher")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: VoucherId,
    pub goods_id: GoodsId,
    /// The supplier, or the goods where there is none: within it a code counts once.
    pub issuer: Uuid,
    pub batch_id: VoucherBatchId,
    #[sea_orm(column_type = "Blob")]
    pub code_sealed: Vec<u8>,
    /// Blind index over the code.
    #[sea_orm(column_type = "Blob")]
    pub code_index: Vec<u8>,
    /// The last local day on which it is good.
    pub expires_on: Option<Date>,
    pub status: VoucherStatus,
    /// Whose it is or was.
    pub redemption_id: Option<RedemptionId>,
    pub given_at: Option<DateTimeUtc>,
    /// When it became void or expired.
    pub ended_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
