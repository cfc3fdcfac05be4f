//! A small personal request of one resident (微心愿).

use crate::category::Category;
use crate::id::{MemberId, StaffId, TaskId, WishId};
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
pub enum WishStatus {
    Submitted,
    Published,
    Claimed,
    InService,
    Fulfilled,
    Confirmed,
    Rejected,
    Cancelled,
    Expired,
    Disputed,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "wish")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: WishId,
    #[sea_orm(column_type = "Text", nullable)]
    pub ref_id: Option<String>,
    pub requester_id: MemberId,
    #[sea_orm(column_type = "Text")]
    pub region_code: String,
    #[sea_orm(column_type = "Text")]
    pub title: String,
    #[sea_orm(column_type = "Text")]
    pub body: String,
    pub category: Category,
    pub slots: i32,
    pub window_from: DateTimeUtc,
    pub window_until: DateTimeUtc,
    #[sea_orm(column_type = "Double", nullable)]
    pub lat: Option<f64>,
    #[sea_orm(column_type = "Double", nullable)]
    pub lon: Option<f64>,
    #[sea_orm(column_type = "Blob", nullable)]
    pub address_sealed: Option<Vec<u8>>,
    #[sea_orm(column_type = "Blob", nullable)]
    pub special_group_sealed: Option<Vec<u8>>,
    pub est_minutes: Option<i32>,
    pub status: WishStatus,
    /// Higher comes first; each relisting adds one.
    pub priority: i32,
    #[sea_orm(column_type = "Text", nullable)]
    pub risk_notice: Option<String>,
    /// Why it was rejected, cancelled, disputed or arbitrated.
    #[sea_orm(column_type = "Text", nullable)]
    pub reason: Option<String>,
    pub rating: Option<i16>,
    #[sea_orm(column_type = "Text", nullable)]
    pub comment: Option<String>,
    /// The task of the present round.
    pub task_id: Option<TaskId>,
    /// When the present clock runs out: answer, first contact or completion.
    pub due_at: Option<DateTimeUtc>,
    pub deadline_on: Option<Date>,
    /// Posted at the counter for a person without a phone.
    pub created_by: Option<StaffId>,
    pub created_at: DateTimeUtc,
    pub published_at: Option<DateTimeUtc>,
    pub claimed_at: Option<DateTimeUtc>,
    pub fulfilled_at: Option<DateTimeUtc>,
    pub confirmed_at: Option<DateTimeUtc>,
    pub updated_at: DateTimeUtc,
    /// A code of the list `domain`.
    #[sea_orm(column_type = "Text", nullable)]
    pub domain: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
