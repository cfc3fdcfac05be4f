//! A points account: a member's, or a region's issued, spent, expired or donated side.

use crate::id::{AccountId, MemberId};
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
pub enum AccountKind {
    Member,
    Issued,
    Spent,
    Expired,
    /// What members gave away for good, such as points above an account's cap.
    Donated,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "account")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AccountId,
    #[sea_orm(column_type = "Text")]
    pub programme: String,
    pub kind: AccountKind,
    pub member_id: Option<MemberId>,
    /// Of system accounts: the community whose books it belongs to.
    #[sea_orm(column_type = "Text", nullable)]
    pub region_code: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
