//! What suppliers are owed for what was handed out: counted per month, closed once, paid.
//!
//! A hand-out is owed at the cost of its time ([`terms`]), and so is its refund, which counts in the month in which it happens.
//! Closing a month for a region takes all that happened until the month's end and was not settled before: what comes to
//! light later flows into the next closing. Each hand-out and each refund is in one settlement only, by the primary key of
//! their lines; settlements are never changed, only paid.

mod error;
mod owed;
mod route;
mod service;
pub mod terms;
pub mod verify;
mod view;

pub(super) use route::routes;
