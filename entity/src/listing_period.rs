//! How much of a listing there is in one period, and how much of it is taken. Made by the first booking.

use crate::id::{ListingId, PeriodId};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "listing_period")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PeriodId,
    pub listing_id: ListingId,
    /// Unique among the periods of the listing.
    pub starts_at: DateTimeUtc,
    pub capacity: i32,
    /// What bookings that hold took of it.
    pub taken: i32,
    /// How many bookings wait for it.
    pub waiting: i32,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
