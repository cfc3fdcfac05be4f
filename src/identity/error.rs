//! Why something about a person was refused.

use sea_orm::DbErr;

use crate::crypto::CryptoError;
use crate::db::{CommandError, Fault, fault};
use crate::http::{FieldError, Problem};

/// What identity's services refuse. The words are for people.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("没有找到")]
    NotFound,
    /// Fields of the call do not fit.
    #[error("填写的内容有误")]
    Fields(Vec<FieldError>),
    /// The right person, but the account was taken out of use.
    #[error("该账号已停用，请联系所在社区的工作人员")]
    AccountDisabled,
    /// Both accounts have a history: only staff can say which is which.
    #[error("该手机号属于另一个账号，而当前账号已有{0}，不能自动合并。请到驿站由工作人员办理")]
    AccountInUse(String),
    /// Others rely on what is still open.
    #[error("您还有未了结的事项：{0}。请先办完或取消，再注销账号")]
    OpenCommitments(String),
    #[error("您已在该社区为该单位报到，无需重复报到")]
    AlreadyReported,
    /// Somebody else changed the same thing at the same moment.
    #[error("内容刚刚被修改过，请刷新后重试")]
    Raced,
    #[error(transparent)]
    Sealed(#[from] CryptoError),
    #[error(transparent)]
    Db(DbErr),
}

impl IdentityError {
    /// One field that does not fit.
    pub fn field(
        field: impl Into<String>,
        code: &'static str,
        detail: impl Into<std::borrow::Cow<'static, str>>,
    ) -> Self {
        Self::Fields(vec![FieldError::new(field, code).saying(detail)])
    }
}

impl From<DbErr> for IdentityError {
    fn from(error: DbErr) -> Self {
        let found = fault(&error);
        if matches!(found, Fault::Unique(_)) {
            if found.names("reporting") {
                return Self::AlreadyReported;
            }
            if found.names("member.phone_index") || found.names("member_identity") || found.names("consent") {
                return Self::Raced;
            }
        }
        Self::Db(error)
    }
}

impl CommandError for IdentityError {
    fn db_err(&self) -> Option<&DbErr> {
        match self {
            Self::Db(error) => Some(error),
            Self::NotFound
            | Self::Fields(_)
            | Self::AccountDisabled
            | Self::AccountInUse(_)
            | Self::OpenCommitments(_)
            | Self::AlreadyReported
            | Self::Raced
            | Self::Sealed(_) => None,
        }
    }
}

impl From<IdentityError> for Problem {
    fn from(error: IdentityError) -> Self {
        let detail = error.to_string();
        match error {
            IdentityError::NotFound => Self::not_found(),
            IdentityError::Fields(errors) => Self::validation(errors),
            IdentityError::AccountDisabled => Self::forbidden_as("account_disabled", detail),
            IdentityError::AccountInUse(_) => Self::conflict("account_in_use", detail),
            IdentityError::OpenCommitments(_) => Self::conflict("open_commitments", detail),
            IdentityError::AlreadyReported => Self::conflict("already_reported", detail),
            IdentityError::Raced => Self::conflict("raced", detail),
            IdentityError::Sealed(cause) => Self::internal(&cause),
            IdentityError::Db(cause) => cause.into(),
        }
    }
}
