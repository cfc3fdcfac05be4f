//! The coded lists as data: skills, service domains, special groups, hazards, trainings; what a merged code became; who is
//! qualified for what; and the guess of skills and domain from a text.

mod canonical;
mod list;

pub use canonical::{Merged, canonical, merged};
pub use list::{LISTS, List};
