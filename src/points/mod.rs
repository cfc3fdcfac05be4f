//! The ledger: accounts, journals, buckets, holds, and the rules by which a record earns. Knows no wishes and no goods.
//!
//! What always holds, and `linli verify` proves:
//! - the entries of a journal sum to zero and lie in its programme; nothing in a journal is ever changed or deleted;
//! - `balance.balance` is the sum of the account's entries, `balance.dated` that of its buckets, `balance.held` that of its
//!   open holds; `available = balance − held` is never negative;
//! - a cause (`source_kind`, `source_id`) posts once, and a journal is reversed once.
//!
//! Dated points are spent before undated ones, the earliest first. Holds rest on the earliest lots, because those are what
//! they will spend; what a hold rests on does not expire until the hold ends.
//!
//! Everything that moves points of one member meets at that member's balance row, which is taken before the limited rows
//! of other rooms (stock). System accounts have no balance row, so no row is hot.

pub mod account;
pub mod adjustment;
mod appraisal;
mod bucket;
pub mod budget;
pub mod bulk;
pub mod cap;
mod domain;
pub mod due;
mod due_route;
mod earning;
mod error;
pub mod expiry;
pub mod gift;
mod grant;
pub mod hold;
mod issuing;
mod ledger;
mod liability;
pub mod months;
pub mod notice;
pub mod paying;
mod programme_route;
pub mod programmes;
pub mod query;
mod reversing;
mod route;
pub mod rule_body;
mod rule_fields;
mod rule_route;
pub mod rules;
pub mod seal;
pub mod timeline;
pub mod turnover;
pub mod valuation;
pub mod verify;

pub use appraisal::{Worth, appraise, moved};
pub use domain::{Lot, Points};
pub use earning::{Earned, Earning, RECORD, Spans, earn};
pub use error::PointsError;
pub use issuing::{Issued, OnEmpty, issue};
pub use ledger::{Posting, Source, post};
pub use programmes::programme_of;
pub use reversing::{Reversing, refund, reverse};
pub use route::routes;
pub use valuation::Facts;
