//! Who fits which wish: scores of pairs, and the batch assignment that makes their sum greatest. Pure: no I/O, no clock, and
//! the same input always gives the same plan.
//!
//! The score is that of the reference rules (`linli-match-1`): skill, nearness and time in whole points, after hard filters.
//! An assignment is a proposal. Nobody is bound by it: it becomes offers, which volunteers take or decline (志愿服务条例
//! art. 25).

pub mod assign;
mod auction;
pub mod bounds;
pub mod candidates;
pub mod crowd;
mod draft;
mod flow;
mod polish;
pub mod score;
#[cfg(test)]
mod tests;

pub use assign::{Pair, assign, value};
pub use candidates::{Volunteer, Wish};

/// A number in a list as its index.
const fn at(number: u32) -> usize {
    number as usize
}

/// The number that a next item of a list will have. Lists are of people, wishes and their pairs: 32 bits hold them.
fn number(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
