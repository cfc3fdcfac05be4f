//! Trying an assignment policy before it is switched on: the arrivals of wishes are replayed, volunteers answer as a policy's
//! assumptions say, and what comes of it is counted. Pure: no I/O, no clock; chance is drawn from a seed by member and wish, so
//! neither the order of rows nor that of events changes an answer, and the same seed gives the same report.
//!
//! Who fits is asked of [`crate::matching`], the engine of the service: [`Pool`](crate::matching::candidates::Pool) for the
//! candidates of a wish, [`assign`](crate::matching::assign()) for a round. What a policy may decide is whom to ask first among
//! equals, when, how many at once, for how long, and how much of one volunteer.

mod asking;
mod behaviour;
mod desk;
mod figures;
mod policy;
mod report;
mod run;
mod scene;
#[cfg(test)]
mod tests;

pub use policy::{Answers, Assignment, Mode, Offers, Order, Points, Policy, PolicyError};
pub use report::{Outcome, Tally, UnmetSkill, Waiting, Work};
pub use run::simulate;
pub use scene::{Person, Request, Scene};
