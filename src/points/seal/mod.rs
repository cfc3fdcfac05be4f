//! Seals: a hash chain over the journal, so that whoever changes it afterwards is found out, by anyone who kept a seal.
//!
//! A journal is written together with a row of `unsealed`. The [`job`] takes what stands there in order of id, hashes each
//! journal into a leaf ([`leaf`]), the leaves into a tree ([`tree`]), and that with the seal before into the next seal
//! ([`chain`]), which it signs. A queue and not a watermark: ids are drawn before a command runs, so a journal may become
//! visible after larger ones were sealed, and none may be left out.
//!
//! The forms that are hashed never change: `docs/seals.md` tells them to those who check by other means.

pub(super) mod chain;
pub mod job;
mod leaf;
mod proof;
pub(super) mod route;
mod tree;
pub mod verify;

pub use proof::{Proof, SealView, SealedLeaf, Step, leaves, proofs};
pub use route::NotSealed;

/// What the signing key is derived for.
pub const PURPOSE: &str = "points.seal";
