//! What can go wrong with wishes. Details are Chinese and say what to do next.

use entity::wish::WishStatus;
use sea_orm::DbErr;

use super::domain::{WishStep, status_name};
use crate::db::CommandError;
use crate::http::{FieldError, Problem};
use crate::task::error::TaskError;

/// Why a wish was not moved.
#[derive(Debug, thiserror::Error)]
pub enum WishError {
    #[error("没有找到，请核对编号")]
    NotFound,
    #[error("该心愿已是“{}”状态，不能{}", status_name(*.at), .step.name())]
    InvalidTransition { at: WishStatus, step: WishStep },
    #[error("状态刚被更新，请刷新后重试")]
    Raced,
    #[error("该心愿的服务时段已过，不能发布；请驳回并请求助人另选时间")]
    WindowOver,
    #[error("已超过可重新开启的期限，请发布新的心愿")]
    ReopenTooLate,
    #[error("不能审核或裁定自己的心愿，请由另一位工作人员处理")]
    SecondPerson,
    #[error("只有求助人本人可以办理")]
    NotRequester,
    #[error("填写的内容有误，请按各项提示修改后重试")]
    Invalid(Vec<FieldError>),
    #[error(transparent)]
    Task(#[from] TaskError),
    #[error(transparent)]
    Db(#[from] DbErr),
}

impl WishError {
    /// One refused field.
    pub(super) fn field(
        name: impl Into<String>,
        code: &'static str,
        detail: impl Into<std::borrow::Cow<'static, str>>,
    ) -> Self {
        Self::Invalid(vec![FieldError::new(name, code).saying(detail)])
    }
}

impl CommandError for WishError {
    fn db_err(&self) -> Option<&DbErr> {
        match self {
            Self::Db(error) => Some(error),
            Self::Task(error) => error.db_err(),
            _ => None,
        }
    }
}

// No `_` arm: a new variant must choose its status here.
impl From<WishError> for Problem {
    fn from(error: WishError) -> Self {
        let detail = error.to_string();
        match error {
            WishError::NotFound => Self::not_found(),
            WishError::InvalidTransition { .. }
            | WishError::Raced
            | WishError::WindowOver
            | WishError::ReopenTooLate => Self::conflict("invalid_transition", detail),
            WishError::SecondPerson => Self::forbidden_as("second_person_required", detail),
            WishError::NotRequester => Self::forbidden(detail),
            WishError::Invalid(fields) => Self::validation(fields),
            WishError::Task(cause) => cause.into(),
            WishError::Db(cause) => Self::internal(&cause),
        }
    }
}
