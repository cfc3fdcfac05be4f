//! An activity of value beside hours: a donation, a civility event, a household's score of a month. By rule, and reversible.

use crate::category::Category;
use crate::id::{HouseholdId, MemberId, MeritId, RuleId, StaffId};
use crate::service_record::Evidence;
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
pub enum MeritKind {
    DonationGoods,
    DonationMoney,
    Event,
    HouseholdScore,
}

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
pub enum MeritStatus {
    Pending,
    Approved,
    Rejected,
    Reversed,
}

/// How an objection ended.
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
pub enum DisputeOutcome {
    /// It stays as it was decided.
    Dismissed,
    /// It was reversed.
    Upheld,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "merit")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: MeritId,
    pub kind: MeritKind,
    /// Whose points they are; of a household score the head of the household.
    pub member_id: MemberId,
    /// Of a household score, and only there.
    pub household_id: Option<HouseholdId>,
    /// The member's community when it was entered: its rules apply and its books issue.
    #[sea_orm(column_type = "Text")]
    pub region_code: String,
    #[sea_orm(column_type = "Text")]
    pub programme: String,
    pub category: Category,
    /// Code of the rule's item, such as `no_litter`.
    #[sea_orm(column_type = "Text", nullable)]
    pub item: Option<String>,
    pub quantity: i32,
    /// Value of a donation in fen.
    pub value_fen: Option<i64>,
    /// `YYYY-MM` of a household score: one for each household, item and month.
    #[sea_orm(column_type = "Text", nullable)]
    pub period: Option<String>,
    /// Local day; decides which rule was in force and which day and month the caps are of.
    pub happened_on: Date,
    #[sea_orm(column_type = "Text", nullable)]
    pub description: Option<String>,
    pub evidence: Evidence,
    pub status: MeritStatus,
    /// The staff account that entered it; None where the member reported it.
    pub entered_by: Option<StaffId>,
    pub submitted_by: Option<MemberId>,
    /// Who approved or rejected it: never who entered it.
    pub decided_by: Option<StaffId>,
    pub decided_at: Option<DateTimeUtc>,
    /// Hundredths by rule, below zero where they are taken; None until approved.
    pub points: Option<i64>,
    /// Hundredths of a deduction that were not there to be taken.
    pub shortfall: i64,
    pub rule_id: Option<RuleId>,
    /// Why points are taken, or why it was rejected or reversed, whichever came last.
    #[sea_orm(column_type = "Text", nullable)]
    pub reason: Option<String>,
    pub reversed_by: Option<StaffId>,
    pub reversed_at: Option<DateTimeUtc>,
    pub disputed_at: Option<DateTimeUtc>,
    #[sea_orm(column_type = "Text", nullable)]
    pub dispute_reason: Option<String>,
    pub dispute_outcome: Option<DisputeOutcome>,
    #[sea_orm(column_type = "Text", nullable)]
    pub dispute_answer: Option<String>,
    pub dispute_decided_by: Option<StaffId>,
    pub dispute_decided_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
