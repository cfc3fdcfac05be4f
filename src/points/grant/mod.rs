//! Grants by staff to those who need them most: one decision gives many members the same, all or nobody. Each grant is an
//! adjustment, so it is posted, listed and proved like every other; the round says that they belong together.

mod error;
mod query;
mod rank;
mod route;
mod service;

pub(super) use route::routes;
