//! The edge: what every call and every answer has in common, and nothing of any feature.
//!
//! Errors are [`Problem`]s. Ids, codes and queries are read by [`PathId`], [`PathCode`] and [`Params`], which are judged in
//! their turn: the order of checks is the contract's. Text, amounts and instants from outside have types of their own.
//! What changes something comes in as a [`Call`] and happens [`Once`].

mod addr;
mod amount;
pub mod body;
mod call;
mod day;
mod edge;
mod fields;
mod idempotency;
mod objects;
pub mod openapi;
mod page;
mod params;
mod problem;
mod routes;
pub mod text;

pub use addr::client_addr;
pub use amount::{Instant, PointsAmount, decimal};
pub use call::{Accepts, Call, FileCall, OpenCall};
pub use day::Day;
pub use edge::{RequestSpan, face, refuse, whole_if_small};
pub use fields::refusal;
pub use idempotency::{KEY_HEADER, Once, REPLAYED_HEADER, Told, forget_keys};
pub use openapi::{Problems, RequiredKey};
pub use page::{Listing, Page, decode_cursor, encode_cursor};
pub use params::{Params, PathCode, PathId};
pub use problem::{FieldError, PROBLEM_JSON, Problem};
pub use text::{Line, Phone, Text};
