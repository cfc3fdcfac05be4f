//! What the room does, for other rooms and its own routes.

pub use super::opening::{FromClaim, of_claims, open_from_claim, raise_to_confirmed};
