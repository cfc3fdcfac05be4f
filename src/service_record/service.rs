//! What the room does, for other rooms and its own routes.

pub use super::entering::{Entry, enter};
pub use super::judging::{Judged, Moment, Verdict, Verified, dispute, judge, reverse};
pub use super::opening::{
    FromBooking, FromClaim, of_claims, open_from_booking, open_from_claim, raise_to_confirmed, raise_to_shown,
};
pub use super::query::{find, list};
pub use super::summary::{Summary, summary};
