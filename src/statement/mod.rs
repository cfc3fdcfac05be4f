//! Monthly statements: what a member's account or a community's books did in a local month, to read, to file and to print.
//!
//! A statement is read once and then shown as JSON, or laid out as a [`paper::Paper`] and written as CSV, XLSX or PDF. It
//! counts journals by when they count (`at`), as boards do: a closed month does not change unless an import writes into it.
//! Reads only; the papers are made outside the workers ([`render`]).

mod community;
mod csv;
mod error;
mod font;
mod layout;
mod member;
mod month;
pub(crate) mod paper;
mod pdf;
pub(crate) mod render;
mod route;
mod words;
mod xlsx;

pub use route::routes;
