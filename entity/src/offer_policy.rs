//! Whether and how the matcher makes offers by itself in a region and all below it that have no rules of their own.

use crate::id::StaffId;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "offer_policy")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    #[sea_orm(column_type = "Text")]
    pub region_code: String,
    pub enabled: bool,
    /// How long a task is open to all before anybody is asked.
    pub wait_minutes: i32,
    pub expires_minutes: i32,
    /// A window that begins so soon is urgent.
    pub urgent_minutes: i32,
    /// So is a task of this priority or more.
    pub urgent_priority: Option<i32>,
    pub urgent_expires_minutes: i32,
    /// How many are asked at once for each free slot of an urgent task.
    pub wave_size: i32,
    /// Open offers that one volunteer has at most before the matcher asks for more.
    pub max_open_offers: i32,
    /// How many are asked for one task, at most.
    pub max_asked: i32,
    /// Nobody is asked below this score.
    pub min_score: i32,
    pub updated_by: Option<StaffId>,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
