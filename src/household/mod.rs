//! Households: members who live together. Each agrees to belong, and agrees separately that the others may spend their
//! points; either can be taken back at any time, and what was held by then stays held.
//!
//! What always holds, and `linli verify` proves: a member belongs to one household at most; whoever pools has a consent in
//! force, and the other way round; a household that somebody belongs to has one head.

mod error;
mod homes;
mod purse;
pub mod query;
mod route;
pub mod service;
pub mod verify;

pub use error::HouseholdError;
pub use homes::{Home, homes};
pub use purse::{joined, lock, members_of, of, purse};
pub use route::routes;
pub use service::forget;
