//! Gifts: points that one member gives another within a programme. They keep their dates, honours stay with whoever earned
//! them, and how much may be given is counted under the giver's balance row, so that no number of calls at once gives more.

mod error;
mod query;
mod route;
pub mod service;
pub mod verify;

pub use error::GiftError;
pub(super) use route::routes;

/// The `source_kind` of a gift's journal.
pub const GIFT: &str = "gift";
/// The `source_kind` of the journal that took a gift back.
pub const REVERSAL: &str = "gift_reversal";
