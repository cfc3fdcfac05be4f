//! What can go wrong with tasks and claims. Details are Chinese and say what to do next.

use entity::claim::ClaimStatus;
use sea_orm::DbErr;

use super::domain::{ClaimStep, claim_status_name};
use crate::db::{CommandError, Fault, fault};
use crate::http::Problem;
use crate::service_record::error::RecordError;

/// Why a task or claim was not moved.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    #[error("没有找到，请核对编号")]
    NotFound,
    #[error("该任务已结束或已关闭，请看看其他任务")]
    TaskClosed,
    #[error("该任务名额已满，请看看其他任务")]
    TaskFull,
    #[error("您已认领过该任务，不能重复认领")]
    AlreadyClaimed,
    #[error("被派单人中有人已认领该任务或尚未答复派单，请从名单中去掉后重试")]
    AlreadyOffered,
    #[error("您在同一时段已认领其他任务，请先退出那一个")]
    Overlapping,
    #[error("该认领已是“{}”状态，不能{}", claim_status_name(*.at), .step.name())]
    InvalidTransition { at: ClaimStatus, step: ClaimStep },
    #[error("派单已过答复期限，如仍有名额请直接认领任务")]
    OfferExpired,
    #[error("服务时段已结束，系统按计划结束时间自动签退，如有出入请联系站点工作人员")]
    ClosedItself,
    #[error("服务时段尚未开始，开始后才能登记未到")]
    TooEarlyToMiss,
    #[error("状态刚被更新，请刷新后重试")]
    Raced,
    #[error("不能为自己办理，请由另一位工作人员处理")]
    SecondPerson,
    #[error("不能认领自己发布的心愿，请由其他志愿者认领")]
    OwnWish,
    /// What is lacking, and what to do.
    #[error("{0}")]
    NotQualified(String),
    #[error("{0}")]
    CheckIn(#[from] CheckInRefusal),
    /// Field and what is wrong with it.
    #[error("{1}")]
    Invalid(String, &'static str),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Db(DbErr),
}

/// Why a check-in or check-out did not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckInRefusal {
    #[error("签到从服务时段开始前 30 分钟起，请届时再试")]
    TooEarly,
    #[error("服务时段已结束，请联系站点工作人员补登")]
    TooLate,
    #[error("二维码已失效，请重新扫描现场正在显示的二维码")]
    StaleCode,
    #[error("该二维码您已用过，请扫描现场新显示的二维码")]
    UsedCode,
    #[error("该任务需在现场扫码并提供位置，请两项都提供")]
    CodeAndPlaceNeeded,
    #[error("您离服务地点太远，请到现场后再试")]
    TooFar,
    #[error("该任务没有登记地点，请扫描现场二维码")]
    NoPlace,
    #[error("补登时间须在服务时段之内，且不晚于现在")]
    TimeOutside,
    #[error("签退时间不能早于签到时间")]
    BeforeCheckIn,
}

/// The database's own refusals get their names here: it is the last to see two calls at once.
impl From<DbErr> for TaskError {
    fn from(error: DbErr) -> Self {
        let fault = fault(&error);
        match fault {
            Fault::Exclusion(_) if fault.names("claim_no_overlap") => Self::Overlapping,
            Fault::Unique(_) if fault.names("claim_one_open") || fault.names("claim.task_id") => Self::AlreadyClaimed,
            Fault::Check(_) if fault.names("task_slots") => Self::TaskFull,
            Fault::Unique(_)
            | Fault::ForeignKey(_)
            | Fault::Check(_)
            | Fault::Exclusion(_)
            | Fault::Serialization
            | Fault::LockTimeout
            | Fault::Unavailable
            | Fault::Other => Self::Db(error),
        }
    }
}

impl CommandError for TaskError {
    fn db_err(&self) -> Option<&DbErr> {
        match self {
            Self::Db(error) => Some(error),
            Self::Record(error) => error.db_err(),
            _ => None,
        }
    }
}

// No `_` arm: a new variant must choose its status here.
impl From<TaskError> for Problem {
    fn from(error: TaskError) -> Self {
        let detail = error.to_string();
        match error {
            TaskError::NotFound => Self::not_found(),
            TaskError::TaskClosed => Self::conflict("task_closed", detail),
            TaskError::TaskFull => Self::conflict("task_full", detail),
            TaskError::AlreadyClaimed | TaskError::AlreadyOffered => Self::conflict("already_claimed", detail),
            TaskError::Overlapping => Self::conflict("overlapping_claim", detail),
            TaskError::InvalidTransition { .. }
            | TaskError::OfferExpired
            | TaskError::ClosedItself
            | TaskError::TooEarlyToMiss
            | TaskError::Raced => Self::conflict("invalid_transition", detail),
            TaskError::SecondPerson | TaskError::OwnWish => Self::forbidden_as("second_person_required", detail),
            TaskError::NotQualified(_) => Self::forbidden_as("not_qualified", detail),
            TaskError::CheckIn(_) => Self::unprocessable("check_in_rejected", detail),
            TaskError::Invalid(field, detail) => Self::invalid(field, "invalid", detail),
            TaskError::Record(cause) => cause.into(),
            TaskError::Db(cause) => Self::internal(&cause),
        }
    }
}
