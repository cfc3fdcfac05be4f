//! The picture of a photo: a sealed JPEG.

use crate::id::PhotoId;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "photo_content")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub photo_id: PhotoId,
    #[sea_orm(column_type = "Blob")]
    pub sealed: Vec<u8>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
