//! Why a household stayed as it was, by name.

use sea_orm::DbErr;

use crate::db::{CommandError, Fault, fault};
use crate::http::Problem;
use crate::identity::error::IdentityError;

/// What the service refuses. The words are for people.
#[derive(Debug, thiserror::Error)]
pub enum HouseholdError {
    /// Not there, or not visible.
    #[error("没有找到")]
    NotFound,
    /// A member belongs to one household at a time.
    #[error("已经在另一个家庭中，请先退出原来的家庭，再加入新的家庭")]
    AlreadyInHousehold,
    /// Invited or joined already.
    #[error("该居民已在家庭中或已被邀请，无需再次邀请")]
    AlreadyMember,
    #[error("家庭最多 {0} 人，请先移出不再同住的成员")]
    Full(u64),
    /// Only the head and staff do this.
    #[error("只有户主或社区工作人员可以办理，请联系户主")]
    NotHead,
    /// A field of the body that names what is not there or may not be.
    #[error("{detail}")]
    Field { field: &'static str, detail: &'static str },
    #[error(transparent)]
    Consent(IdentityError),
    #[error(transparent)]
    Db(DbErr),
}

/// The schema says once more what the service says: two that race, or a consent given twice at once.
impl From<DbErr> for HouseholdError {
    fn from(error: DbErr) -> Self {
        match fault(&error) {
            found @ Fault::Unique(_) if found.names("household_member") => Self::AlreadyInHousehold,
            found @ Fault::Unique(_) if found.names("consent") => Self::Consent(IdentityError::Raced),
            _ => Self::Db(error),
        }
    }
}

impl From<IdentityError> for HouseholdError {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Db(cause) => cause.into(),
            other => Self::Consent(other),
        }
    }
}

/// For erasure, which ends what a person has to do with households.
impl From<HouseholdError> for IdentityError {
    fn from(error: HouseholdError) -> Self {
        match error {
            HouseholdError::Db(cause) => Self::Db(cause),
            HouseholdError::Consent(cause) => cause,
            HouseholdError::NotFound
            | HouseholdError::AlreadyInHousehold
            | HouseholdError::AlreadyMember
            | HouseholdError::Full(_)
            | HouseholdError::NotHead
            | HouseholdError::Field { .. } => Self::Raced,
        }
    }
}

impl CommandError for HouseholdError {
    fn db_err(&self) -> Option<&DbErr> {
        match self {
            Self::Db(error) => Some(error),
            Self::Consent(error) => error.db_err(),
            _ => None,
        }
    }
}

/// No `_` arm: a new variant chooses its status here.
impl From<HouseholdError> for Problem {
    fn from(error: HouseholdError) -> Self {
        let detail = error.to_string();
        match error {
            HouseholdError::NotFound => Self::not_found(),
            HouseholdError::AlreadyInHousehold => Self::conflict("already_in_household", detail),
            HouseholdError::AlreadyMember => Self::conflict("already_member", detail),
            HouseholdError::Full(_) => Self::conflict("household_full", detail),
            HouseholdError::NotHead => Self::forbidden(detail),
            HouseholdError::Field { field, detail } => Self::invalid(field, "invalid", detail),
            HouseholdError::Consent(cause) => cause.into(),
            HouseholdError::Db(cause) => cause.into(),
        }
    }
}
