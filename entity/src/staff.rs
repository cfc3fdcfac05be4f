//! A console account with a role over a region's subtree.

use crate::id::{MemberId, StaffId, StationId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a staff account may do; `admin` ⊇ `manager` ⊇ `clerk`.
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
pub enum Role {
    Admin,
    Manager,
    Clerk,
    Operator,
    GridWorker,
    Auditor,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "staff")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: StaffId,
    /// NFKC and case-folded; unique.
    #[sea_orm(column_type = "Text")]
    pub username: String,
    /// Argon2id, PHC string.
    #[sea_orm(column_type = "Text")]
    pub password_hash: String,
    pub role: Role,
    #[sea_orm(column_type = "Text")]
    pub region_code: String,
    /// None: works at every station of the region's subtree.
    pub station_id: Option<StationId>,
    /// Which person it is, so that nobody decides about themselves.
    pub member_id: Option<MemberId>,
    #[sea_orm(column_type = "Blob", nullable)]
    pub totp_sealed: Option<Vec<u8>>,
    pub disabled_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
