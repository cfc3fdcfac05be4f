//! The coded lists as data: skills, service domains, special groups, hazards, trainings; what a merged code became; who is
//! qualified for what; and the guess of skills and domain from a text.

mod canonical;
mod guess;
mod list;
mod words;

pub use canonical::{Merged, canonical, merged};
pub use guess::{Guess, Word, WordList, guess, weigh};
pub use list::{LISTS, List};
pub use words::{Guesser, guesser, warm};
