//! What can go wrong with photos, by name.

use sea_orm::DbErr;

use super::picture::Unfit;
use crate::crypto::CryptoError;
use crate::db::CommandError;
use crate::http::{FieldError, Problem};

/// Why a photo was not taken, attached or shown. The words are for people.
#[derive(Debug, thiserror::Error)]
pub enum PhotoError {
    #[error("没有找到这张照片")]
    NotFound,
    /// The file is no whole JPEG, PNG or WebP.
    #[error("照片无法读取：请上传完整的 JPEG、PNG 或 WebP 照片，可重新拍摄后再试")]
    Unreadable,
    /// Too many pixels.
    #[error("照片像素过大：最多 5000 万像素，请调低相机分辨率后重新拍摄")]
    TooLarge,
    /// Not the caller's, attached already, twice in the list, or too many.
    #[error("照片须由本人上传、未用于别处、不重复，最多 9 张；请重新上传")]
    NotYours,
    #[error(transparent)]
    Sealed(#[from] CryptoError),
    #[error(transparent)]
    Db(#[from] DbErr),
}

impl From<Unfit> for PhotoError {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Unreadable => Self::Unreadable,
            Unfit::TooLarge => Self::TooLarge,
        }
    }
}

impl CommandError for PhotoError {
    fn db_err(&self) -> Option<&DbErr> {
        match self {
            Self::Db(error) => Some(error),
            Self::NotFound | Self::Unreadable | Self::TooLarge | Self::NotYours | Self::Sealed(_) => None,
        }
    }
}

/// No `_` arm: a new variant chooses its status here.
impl From<PhotoError> for Problem {
    fn from(error: PhotoError) -> Self {
        let detail = error.to_string();
        match error {
            PhotoError::NotFound => Self::not_found(),
            PhotoError::Unreadable => Self::unprocessable("photo_unreadable", detail),
            PhotoError::TooLarge => Self::unprocessable("photo_too_large", detail),
            PhotoError::NotYours => Self::validation(vec![FieldError::new("photo_ids", "invalid").saying(detail)]),
            PhotoError::Sealed(cause) => Self::internal(&cause),
            PhotoError::Db(cause) => cause.into(),
        }
    }
}
