//! Trying rules before they are switched on (试算): what the verified records of a period would have earned by drafts, against
//! what they did, and what the budgets would have said. Reads records, rules and budgets; changes nothing.
//!
//! Records come one by one in the order of member and end of service, so that a member's caps are a few sums that start anew
//! with the next member. What is kept beside them grows with categories, communities, days and members, never with records.

mod budgets;
mod domain;
mod route;
mod service;

pub use route::routes;
