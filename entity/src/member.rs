//! A person with an account; resident, volunteer and party member are facets of one member.

use crate::id::{MemberId, UnitId};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "member")]
#[allow(clippy::struct_excessive_bools, reason = "three facets of a person and a consent, each a column")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: MemberId,
    #[sea_orm(column_type = "Text", nullable)]
    pub ref_id: Option<String>,
    /// None until the first sign-in is completed by name and region, and after erasure.
    #[sea_orm(column_type = "Text", nullable)]
    pub name: Option<String>,
    #[sea_orm(column_type = "Blob", nullable)]
    pub phone_sealed: Option<Vec<u8>>,
    /// Blind index (HMAC) over the eleven digits; unique.
    #[sea_orm(column_type = "Blob", nullable)]
    pub phone_index: Option<Vec<u8>>,
    /// `F`, `M` or none.
    #[sea_orm(column_type = "Text", nullable)]
    pub gender: Option<String>,
    pub birth_year: Option<i32>,
    /// The community the member lives in.
    #[sea_orm(column_type = "Text", nullable)]
    pub region_code: Option<String>,
    pub is_resident: bool,
    pub is_volunteer: bool,
    pub is_party_member: bool,
    pub unit_id: Option<UnitId>,
    #[sea_orm(column_type = "Text", nullable)]
    pub group_no: Option<String>,
    /// None and 0: no limit given.
    pub max_hours_week: Option<i32>,
    #[sea_orm(column_type = "Blob", nullable)]
    pub special_group_sealed: Option<Vec<u8>>,
    /// JSON of lat, lon and address.
    #[sea_orm(column_type = "Blob", nullable)]
    pub home_sealed: Option<Vec<u8>>,
    pub registered_on: Option<Date>,
    /// Derived from the consent `boards`: the name may stand on boards in clear.
    pub named_on_boards: bool,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub disabled_at: Option<DateTimeUtc>,
    pub erased_at: Option<DateTimeUtc>,
    /// The account this one was joined to when a phone turned out to be the same person's.
    pub merged_into: Option<MemberId>,
    /// Does not want to be asked by offers and recommendations for now.
    pub offers_paused: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
