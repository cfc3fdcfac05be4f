//! Offers that the matcher makes by itself: for tasks that have been open for a while and for which nobody, or not enough
//! people, are asked yet. Off until a region switches it on.
//!
//! - `policy`: a region's rules, which hold for all below it that have none of their own;
//! - `domain`: how urgent a task is, how many are asked at once, when to look again. No I/O;
//! - `job`: looks, asks, and writes down when to look again. Nobody is bound by an offer, and a declined one counts for nothing
//!   (志愿服务条例 art. 25): neither score nor order of a volunteer look at it;
//! - `waves`: what staff see of it.
//!
//! Who fits is `matching`'s to say, whether somebody may still be asked `task::offering`'s.

pub mod domain;
mod finding;
pub mod job;
pub mod policy;
mod route;
pub mod verify;
mod waves;

pub use route::routes;
