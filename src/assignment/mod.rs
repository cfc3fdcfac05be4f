//! Assignments: a plan of whom to ask for which open task of a region, made of all of them at once, so that the sum of scores
//! is as great as it can be. A plan binds nobody: it is looked at (a dry run), becomes offers, and its offers can be taken back.
//!
//! - `planning`: the input from the live index, the computation outside the workers, one at a time on a node;
//! - `service`: what is stored, offers in batches that go on after a crash, taking back;
//! - `job`: goes on with what was interrupted;
//! - `query`, `view`, `route`: reading and calling.

pub mod error;
pub mod job;
mod planning;
mod query;
mod route;
mod service;
pub mod verify;
mod view;

pub use planning::Planner;
pub use route::routes;
