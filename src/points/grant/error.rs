//! Why nothing was granted, by name.

use sea_orm::DbErr;

use crate::crypto::CryptoError;
use crate::db::CommandError;
use crate::http::Problem;
use crate::points::{Points, PointsError};

/// Why a round gave nothing. The words are for people.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    /// Not there, or not visible.
    #[error("没有找到")]
    NotFound,
    /// Nobody of the region can be given anything.
    #[error("该区域没有符合条件的居民，请调整区域或名单")]
    Nobody,
    #[error("名单中有居民的账号已停用或注销，请重新拟定名单后再发放")]
    AccountClosed,
    #[error("捐赠账户积分不足：需要 {needed}，现有 {available}。请减少人数或每人数额")]
    Donations { needed: Points, available: Points },
    /// A field of the body that names what is not there or may not be.
    #[error("{detail}")]
    Field { field: &'static str, detail: &'static str },
    #[error(transparent)]
    Sealed(#[from] CryptoError),
    #[error(transparent)]
    Points(#[from] PointsError),
}

impl From<DbErr> for GrantError {
    fn from(error: DbErr) -> Self {
        Self::Points(error.into())
    }
}

impl CommandError for GrantError {
    fn db_err(&self) -> Option<&DbErr> {
        match self {
            Self::Points(error) => error.db_err(),
            _ => None,
        }
    }
}

/// No `_` arm: a new variant chooses its status here.
impl From<GrantError> for Problem {
    fn from(error: GrantError) -> Self {
        let detail = error.to_string();
        match error {
            GrantError::NotFound => Self::not_found(),
            GrantError::Nobody => Self::conflict("nobody_to_grant", detail),
            GrantError::AccountClosed => Self::conflict("account_closed", detail),
            GrantError::Donations { .. } => Self::conflict("insufficient_points", detail),
            GrantError::Field { field, detail } => Self::invalid(field, "invalid", detail),
            GrantError::Sealed(cause) => Self::internal(&cause),
            GrantError::Points(cause) => cause.into(),
        }
    }
}
