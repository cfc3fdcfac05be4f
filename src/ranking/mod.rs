//! Boards: members, units and communities by points, hours and records, per period and category.
//!
//! Every subject has one row (`score`) for each period and category in which it has records, so a page of a board is a walk
//! along an index. Verification and reversal only leave a mark ([`service::mark`]) in their transaction; [`service::refresh`]
//! adds what the marks stand for, many at a time, so that no board's row is hot. Whoever reads a board has the marks counted
//! first and so sees every change that was acknowledged before.
//!
//! What counts where: a record adds to the periods of `counted_at` (the end of the service, or the verification where that
//! month had closed by then) and is taken off the periods of `reversed_at`. Where both are the same period, it has never
//! counted there. So a closed period never changes by what happens in the service; imports write into the past on purpose.
//! Subjects are those of the record: the member, and the community and unit the member belonged to at the time.

pub mod domain;
pub mod job;
mod pages;
mod query;
mod route;
pub mod service;
mod store;
mod tally;

pub use domain::Boarded;
pub use pages::Pages;
pub use route::routes;
pub use service::{bulk, mark, refresh};
