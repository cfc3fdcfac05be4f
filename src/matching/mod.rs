//! Who fits which wish: filters and scores of pairs, the best for one task or one volunteer, and the batch assignment that makes
//! the sum of scores greatest.
//!
//! - `score`, `bounds`, `candidates`: what a pair is worth, and what parts it. Everything that matches asks here;
//! - `assign` with `flow`, `auction`, `polish`, `branch`: the batch;
//! - `crowd`: the volunteers of a district, for questions about one wish;
//! - `live`: what each node knows of people and open work, kept true by the change feed;
//! - `route`, `digest`: matches of a task, recommendations for a volunteer.
//!
//! All but the last two are pure: no I/O, no clock, and the same input always gives the same answer.
//!
//! The score is that of the reference rules (`linli-match-1`): skill, nearness and time in whole points, after hard filters.
//! An assignment is a proposal. Nobody is bound by it: it becomes offers, which volunteers take or decline (志愿服务条例
//! art. 25).

pub mod assign;
mod auction;
pub mod bounds;
mod branch;
pub mod candidates;
pub mod crowd;
#[cfg(test)]
mod crowd_tests;
pub mod digest;
mod draft;
mod flow;
pub mod live;
mod polish;
#[cfg(test)]
mod properties;
mod route;
pub mod score;
#[cfg(test)]
mod tests;

pub use assign::{Pair, assign, value};
pub use candidates::{Volunteer, Wish};
pub use route::routes;

/// A number in a list as its index.
const fn at(number: u32) -> usize {
    number as usize
}

/// The number that a next item of a list will have. Lists are of people, wishes and their pairs: 32 bits hold them.
fn number(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
