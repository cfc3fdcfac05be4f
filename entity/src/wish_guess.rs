//! What the text of a wish without skills was taken to ask for, until a review decides.

use crate::id::WishId;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "wish_guess")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub wish_id: WishId,
    /// An array of codes of the list `skill`, the likeliest first.
    pub skills: Json,
    /// A code of the list `domain`.
    #[sea_orm(column_type = "Text", nullable)]
    pub domain: Option<String>,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
