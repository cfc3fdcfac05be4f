//! Budgets: who pays for the points that a region's communities issue. Staff make them, fund them, withdraw what is not
//! used, close them; [`issue`](super::issue) draws on them.
//!
//! What always holds: `issued ≤ funded`; `funded` is the sum of the fundings, `issued` that of the journals that drew on it
//! less their reversals. Points taken by deduction or expiry do not refill a budget: they were issued, and paid for.

mod query;
mod route;
mod service;

pub(super) use route::routes;
pub use service::{Change, Funding, NewBudget, Owner, change, close, create, fund, withdraw};
