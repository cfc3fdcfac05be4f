//! Whether help reaches people alike, and whether work is shared: a report of a period over a region. Reads only.
//!
//! - `stats`: waits, groups too small to be shown, deciles. No I/O;
//! - `reading`: the period's rows, found by the index of the period, never by going through all there is;
//! - `unmet`: what nobody free can do, asked of the live index;
//! - `report`, `paper`, `route`: as JSON, and as a file by the way of `statement`.

mod paper;
mod reading;
mod report;
mod route;
mod stats;
mod unmet;

pub use route::routes;
