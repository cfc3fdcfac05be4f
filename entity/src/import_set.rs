//! The shift in time a data set was first imported with.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "import_set")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub no: i32,
    /// The folder it was first imported from, for people.
    #[sea_orm(column_type = "Text")]
    pub name: String,
    /// A multiple of seven.
    pub shift_days: i32,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
