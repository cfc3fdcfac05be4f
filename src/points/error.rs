//! What can go wrong with points, by name.

use entity::rule::Approver;
use sea_orm::DbErr;

use super::domain::Points;
use crate::db::{CommandError, Fault, fault};
use crate::http::{FieldError, Problem};

/// Why points did not move. The words are for people.
#[derive(Debug, thiserror::Error)]
pub enum PointsError {
    /// What is available does not cover the amount. Nothing has moved.
    #[error("可用积分不足：需要 {needed}，可用 {available}。请减少数量，或等积分到账后再办理")]
    Insufficient { needed: Points, available: Points },
    /// What was earned has been spent since, so it cannot be taken back.
    #[error("该笔积分已被使用：需收回 {needed}，可用仅 {available}。请先取消或退回相关兑换，再冲正这条记录")]
    AlreadySpent { needed: Points, available: Points },
    /// The hold, adjustment or posting is not, or no longer, where this step starts.
    #[error("状态已变化，不能再次操作，请刷新后查看")]
    InvalidTransition,
    /// Not there, or not visible.
    #[error("不存在")]
    NotFound,
    /// The same person asks twice where two are needed.
    #[error("超过限额的加分须由另一位管理员确认")]
    SecondPerson,
    /// Nobody adjusts the points of the member that they are.
    #[error("不能为自己调整积分，请由另一位管理员办理")]
    OwnPoints,
    /// Nothing more can be issued. Nothing has moved.
    #[error("积分预算已用完：需要 {needed}。请先为预算注资，或改用其他预算")]
    BudgetExhausted { needed: Points },
    /// Less would be left than is issued or owed. Nothing has moved.
    #[error("预算共 {funded}，其中已发放和待发放 {committed}，余下的不足以撤回这么多。请减少撤回数额")]
    BudgetCommitted { committed: Points, funded: Points },
    #[error("该预算已关闭，不能再操作。如需继续发放，请另立预算")]
    BudgetClosed,
    /// A field of the body that names what is not there or may not be.
    #[error("{detail}")]
    Field { field: &'static str, detail: &'static str },
    /// Fields of the body that do not fit what is there, each with its own code.
    #[error("填写的内容有误，请按各项提示修改后重试")]
    Fields(Vec<FieldError>),
    /// The rule asks for a manager of a larger region.
    #[error("按积分规则，此项须由{}管理员核实，请转交上级办理", match .0 { Approver::District => "区级", _ => "街道级或以上" })]
    HigherApproval(Approver),
    /// More than 64 bits of hundredths.
    #[error("积分数额过大，请核对后重新填写")]
    TooLarge,
    #[error(transparent)]
    Db(DbErr),
}

/// A cause that has been posted already is a step taken twice.
impl From<DbErr> for PointsError {
    fn from(error: DbErr) -> Self {
        match fault(&error) {
            found @ Fault::Unique(_)
                if ["journal.source_kind", "journal.reverses_id", "due.source_kind"]
                    .iter()
                    .any(|key| found.names(key)) =>
            {
                Self::InvalidTransition
            }
            _ => Self::Db(error),
        }
    }
}

impl CommandError for PointsError {
    fn db_err(&self) -> Option<&DbErr> {
        match self {
            Self::Db(error) => Some(error),
            _ => None,
        }
    }
}

/// No `_` arm: a new variant chooses its status here.
impl From<PointsError> for Problem {
    fn from(error: PointsError) -> Self {
        let detail = error.to_string();
        match error {
            PointsError::Insufficient { .. } | PointsError::AlreadySpent { .. } => {
                Self::conflict("insufficient_points", detail)
            }
            PointsError::BudgetExhausted { .. } => Self::conflict("budget_exhausted", detail),
            PointsError::BudgetCommitted { .. } => Self::conflict("budget_committed", detail),
            PointsError::BudgetClosed => Self::conflict("budget_closed", detail),
            PointsError::InvalidTransition => Self::conflict("invalid_transition", detail),
            PointsError::NotFound => Self::not_found(),
            PointsError::Field { field, detail } => Self::invalid(field, "invalid", detail),
            PointsError::Fields(errors) => Self::validation(errors),
            PointsError::HigherApproval(_) => Self::forbidden_as("higher_approval_required", detail),
            PointsError::SecondPerson | PointsError::OwnPoints => Self::forbidden_as("second_person_required", detail),
            PointsError::TooLarge => Self::conflict("amount_too_large", detail),
            PointsError::Db(cause) => cause.into(),
        }
    }
}
