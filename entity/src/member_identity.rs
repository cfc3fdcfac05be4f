//! How a member is known to another system, such as WeChat's openid.

use crate::id::MemberId;
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
pub enum IdentityKind {
    Wechat,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "member_identity")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: IdentityKind,
    /// Blind index over the foreign id.
    #[sea_orm(primary_key, auto_increment = false)]
    #[sea_orm(column_type = "Blob")]
    pub subject_index: Vec<u8>,
    #[sea_orm(column_type = "Blob")]
    pub subject_sealed: Vec<u8>,
    pub member_id: MemberId,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
