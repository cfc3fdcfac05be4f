//! What can go wrong with assignments, by name.

use actix_web::http::StatusCode;
use entity::assignment::AssignmentStatus;
use sea_orm::DbErr;

use crate::db::CommandError;
use crate::http::Problem;

/// Why there is no plan, or nothing was done about it. The words are for people.
#[derive(Debug, thiserror::Error)]
pub enum AssignmentError {
    #[error("没有找到")]
    NotFound,
    #[error("没有这个区划，请从区划列表中选择")]
    UnknownRegion,
    #[error("该方案{}，不能{step}", status_name(*.at))]
    InvalidTransition { at: AssignmentStatus, step: &'static str },
    /// Another plan is being worked out on this node.
    #[error("正在计算其他派单方案，请几秒后重试")]
    Busy,
    #[error("until 须晚于 from，请调整时间范围")]
    EmptySpan,
    #[error("until 须在将来：只为尚未结束的任务派单，请调整时间范围")]
    PastSpan,
    #[error("the computation was cut off")]
    CutOff,
    #[error(transparent)]
    Db(#[from] DbErr),
}

const fn status_name(status: AssignmentStatus) -> &'static str {
    match status {
        AssignmentStatus::Planned => "尚未派单",
        AssignmentStatus::Offering => "正在派单",
        AssignmentStatus::Offered => "已派单",
        AssignmentStatus::Withdrawn => "已撤回",
    }
}

impl CommandError for AssignmentError {
    fn db_err(&self) -> Option<&DbErr> {
        match self {
            Self::Db(error) => Some(error),
            Self::NotFound
            | Self::UnknownRegion
            | Self::InvalidTransition { .. }
            | Self::Busy
            | Self::EmptySpan
            | Self::PastSpan
            | Self::CutOff => None,
        }
    }
}

/// No `_` arm: a new variant chooses its status here.
impl From<AssignmentError> for Problem {
    fn from(error: AssignmentError) -> Self {
        let detail = error.to_string();
        match error {
            AssignmentError::NotFound => Self::not_found(),
            AssignmentError::UnknownRegion => Self::invalid("region_code", "invalid", detail),
            AssignmentError::InvalidTransition { .. } => Self::conflict("invalid_transition", detail),
            AssignmentError::Busy => Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail).retry_after(5),
            AssignmentError::EmptySpan | AssignmentError::PastSpan => Self::invalid("until", "out_of_range", detail),
            AssignmentError::CutOff => Self::internal(&error),
            AssignmentError::Db(cause) => cause.into(),
        }
    }
}
