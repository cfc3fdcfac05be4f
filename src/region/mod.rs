//! The tree from city to unit door, stations, and which codes lie in whose subtree.

mod code;

pub use code::{RegionCode, Subtree};
