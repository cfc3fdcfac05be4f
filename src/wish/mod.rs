//! Micro-wishes (微心愿): small personal requests of residents, reviewed, published, done and confirmed.
//!
//! A published wish has a task, and each further round (relisted, reopened, republished) a new one. What happens to the
//! task's claims comes here through `pipeline` ([`follow::task_moved`]). Who helps is `task`'s to know, what it earns
//! `service_record`'s.
//!
//! The requester's address is sealed and is opened for the requester, and together with the phone for the volunteer of an
//! open claim, whose every look is audited.

pub mod domain;
pub mod error;
pub mod follow;
mod guessing;
pub mod intake;
pub mod notice;
pub mod outcome;
pub mod query;
mod round;
pub mod route;
pub mod service;
pub mod verify;
pub mod view;

/// What addresses of wishes are sealed for.
pub const ADDRESS_PURPOSE: &str = "wish.address";
