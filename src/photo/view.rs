//! A photo as answers show it: the picture itself is fetched by its id.

use chrono::{DateTime, Utc};
use entity::id::PhotoId;
use entity::photo::Model;
use serde::Serialize;
use utoipa::ToSchema;

/// A photo, without the picture.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PhotoView {
    pub id: PhotoId,
    /// Pixels, as kept.
    pub width: i32,
    pub height: i32,
    /// Size of the JPEG.
    pub bytes: i32,
    pub created_at: DateTime<Utc>,
}

impl From<Model> for PhotoView {
    fn from(photo: Model) -> Self {
        Self {
            id: photo.id,
            width: photo.width,
            height: photo.height,
            bytes: photo.size_bytes,
            created_at: photo.created_at,
        }
    }
}
