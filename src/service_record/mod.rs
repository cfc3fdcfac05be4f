//! Hours served: evidence, verification, reversal, dispute, and what they sum up to for a member.
//!
//! A record is opened by a check-out ([`service::open_from_claim`]) or typed in by a manager, and is pending until a manager
//! has verified it. Verification earns the points and marks the boards in the same transaction. A verified record is never
//! edited: it is reversed, and a new one is entered. What becomes of the claim is `task`'s; the route tells `pipeline`.
//!
//! Records of one member never overlap: the database refuses the second one.

pub mod domain;
mod entering;
pub mod error;
mod judging;
mod opening;
mod query;
mod route;
pub mod service;
mod summary;
pub mod verify;
mod view;

pub use route::routes;
pub use view::{ServiceRecordView, ServiceSummaryView};
