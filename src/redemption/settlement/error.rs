//! Why nothing was settled or paid, by name.

use sea_orm::DbErr;

use crate::db::CommandError;
use crate::http::Problem;

/// Why a settlement stayed as it was. The words are for people.
#[derive(Debug, thiserror::Error)]
pub(super) enum SettlementError {
    /// Not there, or not visible.
    #[error("没有找到")]
    NotFound,
    #[error("{detail}")]
    Field { field: &'static str, code: &'static str, detail: &'static str },
    /// This month or a later one has been closed for the region or one around it.
    #[error("{region} 的 {month} 月份已结算，此后发生的变动计入下一次结算")]
    AlreadySettled { region: String, month: String },
    #[error("这笔结算已登记付款，不能重复登记")]
    AlreadyPaid,
    #[error(transparent)]
    Db(#[from] DbErr),
}

impl CommandError for SettlementError {
    fn db_err(&self) -> Option<&DbErr> {
        match self {
            Self::Db(error) => Some(error),
            _ => None,
        }
    }
}

/// No `_` arm: a new variant chooses its status here.
impl From<SettlementError> for Problem {
    fn from(error: SettlementError) -> Self {
        let detail = error.to_string();
        match error {
            SettlementError::NotFound => Self::not_found(),
            SettlementError::Field { field, code, detail } => Self::invalid(field, code, detail),
            SettlementError::AlreadySettled { .. } => Self::conflict("already_settled", detail),
            SettlementError::AlreadyPaid => Self::conflict("already_paid", detail),
            SettlementError::Db(cause) => cause.into(),
        }
    }
}
