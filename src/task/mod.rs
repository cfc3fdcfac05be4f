//! The claimable unit and its claims: slots, windows, offers, check-in and check-out.
//!
//! Whatever asks for work (a wish, an activity …) opens a task here ([`service::open`]); this room never learns what it was.
//! What a command did to a task is returned as [`service::Moved`], and `pipeline` lets the source act on it.
//!
//! - `domain`: the steps of a claim, and what a task is, given its claims;
//! - `check`: rotating codes and distances;
//! - `claim`, `attendance`: the commands; `sweep`: what happens by itself;
//! - `offering`: offers by the matcher, many at once;
//! - `query`, `view`, `route`: reading. The calls that move something are `pipeline`'s.

pub mod attendance;
pub mod check;
pub mod claim;
pub mod domain;
pub mod error;
pub mod notice;
pub mod offering;
pub mod query;
pub mod route;
pub mod service;
pub mod sweep;
pub mod verify;
pub mod view;
