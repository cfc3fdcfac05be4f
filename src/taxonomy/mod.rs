//! The coded lists as data: skills, service domains, special groups, hazards, trainings; what a merged code became; who is
//! qualified for what; and the guess of skills and domain from a text.
//!
//! A code is never deleted. It may be retired (whoever has it keeps it, nobody gets it anew) and merged into another of its list
//! (what lives carries the other from then on, what is past is read through [`canonical()`]). Rules:
//!
//! - no code lies under itself, and a merged code ends at one that is not merged: changes of the lists happen one at a time;
//! - a code that comes in is judged by [`given()`]: a merged one is taken as what it became, a retired or unknown one is refused;
//! - rows of a data set win over what staff wrote in names and parents; flags, merges and retirement are the staff's.

mod canonical;
mod demand;
pub mod error;
mod given;
mod guess;
mod list;
pub mod merge;
pub mod qualification;
mod qualification_route;
mod route;
pub mod service;
pub mod tree;
pub mod verify;
pub mod view;
mod word_route;
mod words;

pub use canonical::{Merged, canonical, merged};
pub use demand::{Demand, Lacking, Standing, demand_of, last_day, shortfall, standing_of};
pub use given::{Given, Refusal, given};
pub use guess::{Guess, Word, WordList, guess, weigh};
pub use list::{LISTS, List};
pub use route::routes;
pub use service::equivalents;
pub use words::{Guesser, guesser, warm};
