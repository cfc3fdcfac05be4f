//! A coded value of an editable list: skills, special groups, hazards, trainings, channels, domains.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How freely it may be said that somebody belongs to a special group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Privacy {
    /// Volunteers may be told.
    Ordinary,
    /// Staff of the subtree only.
    #[default]
    Sensitive,
}

#[derive(Clone, Debug, Default, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "code_item")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    #[sea_orm(column_type = "Text")]
    pub list: String,
    #[sea_orm(primary_key, auto_increment = false)]
    #[sea_orm(column_type = "Text")]
    pub code: String,
    #[sea_orm(column_type = "Text")]
    pub name: String,
    /// A code of the same list; of `special_class` for a special group.
    #[sea_orm(column_type = "Text", nullable)]
    pub parent: Option<String>,
    /// The code of the same list that this one became.
    #[sea_orm(column_type = "Text", nullable)]
    pub merged_into: Option<String>,
    /// No new use from then on.
    pub retired_at: Option<DateTimeUtc>,
    /// Special groups.
    pub privacy: Privacy,
    /// Special groups: higher comes first among equals.
    pub priority: i16,
    /// Skills: a licence is required by law.
    pub licence: bool,
    /// Hazards: the code of the list `training` that is required.
    #[sea_orm(column_type = "Text", nullable)]
    pub training: Option<String>,
    /// Hazards: the volunteer must be insured (志愿服务条例 art. 17).
    pub insurance: bool,
    /// Hazards: in full years.
    pub min_age: Option<i16>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
