//! Activities of value beside hours: donations of goods or money, civility events that staff enter with photos, monthly
//! scores of households. Each earns (or costs) by rule, is approved by a second person, and can be taken back.
//!
//! Entered → approved, which posts → reversed, which posts the opposite; or rejected. Whose points they are may object once to
//! what was approved: a manager then dismisses the objection or reverses. What takes points never stands on a public board.

pub mod approving;
mod body;
pub mod disputing;
pub mod domain;
pub mod entering;
mod error;
mod notice;
pub mod query;
pub mod reversing;
mod route;
pub mod scoring;
pub mod verify;
mod view;

pub use error::MeritError;
pub use route::routes;
pub use view::{MeritView, exported};

/// The `source_kind` of what a merit posts.
pub const SOURCE: &str = "merit";
/// The `source_kind` of what takes it back.
const REVERSAL: &str = "merit_reversal";
