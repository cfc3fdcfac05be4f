//! A photo as it was uploaded and re-encoded, without the picture itself.

use crate::id::{MemberId, PhotoId, StaffId};
use sea_orm::entity::prelude::*;

/// What a photo proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum PhotoSubject {
    Merit,
    Claim,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "photo")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PhotoId,
    /// A member or a staff account, one of both.
    pub uploaded_by_member: Option<MemberId>,
    pub uploaded_by_staff: Option<StaffId>,
    /// Pixels, as stored.
    pub width: i32,
    pub height: i32,
    /// Of the stored JPEG, unsealed.
    pub size_bytes: i32,
    /// Of the stored JPEG: the same file uploaded twice has it twice.
    #[sea_orm(column_type = "Blob")]
    pub sha256: Vec<u8>,
    /// None until attached; swept after a day.
    pub subject_kind: Option<PhotoSubject>,
    pub subject_id: Option<Uuid>,
    /// Whom the subject is about.
    pub member_id: Option<MemberId>,
    /// The subject's community: its staff see the photo.
    #[sea_orm(column_type = "Text", nullable)]
    pub region_code: Option<String>,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
