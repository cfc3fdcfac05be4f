//! A word that speaks for a skill or a domain when it stands in a text.

use crate::id::GuessWordId;
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
pub enum WordKind {
    Skill,
    Domain,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "guess_word")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: GuessWordId,
    #[sea_orm(column_type = "Text")]
    pub word: String,
    pub kind: WordKind,
    /// Of the list that `kind` names.
    #[sea_orm(column_type = "Text")]
    pub code: String,
    /// 1 to 100.
    pub weight: i16,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
