//! The lists: needs, resources and services (清单), kept by communities, units, stations and members, and bookings of them.
//!
//! - Which lists a region keeps and what they are called is data (`profile`); a list may also hold outcomes (`outcome`) or bundles of needs
//!   and resources (`project`).
//! - A listing is a draft until a manager publishes it (`intake`), and ends by being closed, withdrawn or by time (`ending`). A published
//!   need makes a task for each of its openings (`round`), which volunteers claim like any other.
//! - Resources and services are booked (`booking`): capacity counts in periods, whose rows are lowered by one conditional statement and
//!   guarded by a CHECK, and who waits is served in order (`waitlist`). What was given becomes the provider's service record
//!   (`attendance`). What happens by itself is `sweep`'s.
//! - `opening` and `recurrence` know when a listing is open; `matches` and `finding` what on the lists meets whom.
//!
//! Why it is done this way: `docs/adr/0015-lists-and-bookings.md`.

pub mod attendance;
pub mod body;
pub mod booking;
mod booking_route;
mod check;
pub mod domain;
pub mod ending;
pub mod error;
pub mod finding;
pub mod intake;
pub mod match_view;
pub mod matches;
pub mod meaning;
mod notice;
pub mod opening;
mod outcome;
pub mod personal;
pub mod profile;
mod project;
pub mod query;
pub mod recurrence;
pub mod round;
pub mod route;
pub mod service;
pub mod sweep;
pub mod verify;
pub mod view;
mod waitlist;
