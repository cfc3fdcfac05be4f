//! The tree from city to unit door, and stations: places that every room shares.
//!
//! A region's code says where in the tree it lies, so a subtree is a range of codes ([`Subtree`]) and no query has to walk
//! the tree. Who may see what in a subtree is decided in `identity`.

mod code;
mod known;
pub mod query;
mod route;
pub mod service;
pub mod view;

pub use code::{RegionCode, Subtree};
pub use known::region_exists;
pub use query::{after, containing, find};
pub use route::routes;
