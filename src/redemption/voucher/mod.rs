//! Gift vouchers of merchants: lists of codes come in, each code is given once.
//!
//! A voucher needs no counter: who redeems one has it at once, and sees its code. So vouchers are never reserved, and what
//! always holds, and `linli verify` proves, is simple: the stock of such goods is the number of their free codes; a code that
//! was given belongs to one redemption of its goods, which has as many codes as pieces.
//!
//! Codes are sealed at rest and found by a blind index; within an issuer (the supplier, or the goods where there is none) a code
//! counts once. Its member sees a code whole; staff see its end, and open it for a reason that is kept.
//!
//! The row of the goods is taken before those of the codes, which therefore nobody else is taking.

mod code;
mod give;
mod import;
mod list;
mod route;
pub mod sweep;
pub mod verify;

pub use give::{Given, given_to};
pub(super) use give::{give, take_back};
pub(super) use route::{VoucherView, imaginable, routes};
