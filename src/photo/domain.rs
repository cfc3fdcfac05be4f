//! What a photo may be attached to. Pure.

use entity::id::{MemberId, PhotoId};
use entity::photo::PhotoSubject;
use uuid::Uuid;

/// The most photos of one object.
pub const MOST: usize = 9;

/// What a photo proves, and who sees it by that.
#[derive(Clone, Debug)]
pub struct Subject {
    pub kind: PhotoSubject,
    pub id: Uuid,
    /// Whom it is about.
    pub member: MemberId,
    /// Whose staff see it.
    pub region: String,
}

/// Whether each id is there once, and not too many of them.
pub fn distinct(ids: &[PhotoId]) -> bool {
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    sorted.len() == ids.len() && ids.len() <= MOST
}
