//! Why points were not given, by name.

use sea_orm::DbErr;

use crate::db::CommandError;
use crate::http::Problem;
use crate::points::{Points, PointsError};

/// What bounds gifts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GiftCap {
    /// Of one giver on one local day.
    Day,
    /// Of one giver to one receiver in one local month.
    Receiver,
}

/// Why no points moved. The words are for people.
#[derive(Debug, thiserror::Error)]
pub enum GiftError {
    /// Not there, or not visible.
    #[error("没有找到")]
    NotFound,
    #[error("该积分项目不允许赠送积分，请用于兑换，或向社区了解其他积分项目")]
    NotAllowed,
    #[error("对方账号已停用或注销，不能赠送，请核对后另选受赠人")]
    AccountClosed,
    #[error("该积分项目不服务于{0}所在的社区，不能赠送，请改用双方都有的积分项目")]
    ProgrammeMismatch(&'static str),
    #[error("{}，还可赠送 {left}，请减少数量或{}再赠", what(*.cap), when(*.cap))]
    LimitReached { cap: GiftCap, left: Points },
    /// Nobody decides about their own points.
    #[error("不能撤回自己赠出或收到的积分，请由另一位管理员办理")]
    OwnGift,
    /// A field of the body that names what is not there or may not be.
    #[error("{detail}")]
    Field { field: &'static str, detail: &'static str },
    #[error(transparent)]
    Points(#[from] PointsError),
}

const fn what(cap: GiftCap) -> &'static str {
    match cap {
        GiftCap::Day => "超过每日赠送上限：今天",
        GiftCap::Receiver => "超过每月向同一人赠送的上限：本月向这位居民",
    }
}

const fn when(cap: GiftCap) -> &'static str {
    match cap {
        GiftCap::Day => "明天",
        GiftCap::Receiver => "下月",
    }
}

impl From<DbErr> for GiftError {
    fn from(error: DbErr) -> Self {
        Self::Points(error.into())
    }
}

impl CommandError for GiftError {
    fn db_err(&self) -> Option<&DbErr> {
        match self {
            Self::Points(error) => error.db_err(),
            _ => None,
        }
    }
}

/// No `_` arm: a new variant chooses its status here.
impl From<GiftError> for Problem {
    fn from(error: GiftError) -> Self {
        let detail = error.to_string();
        match error {
            GiftError::NotFound => Self::not_found(),
            GiftError::NotAllowed => Self::conflict("gifts_not_allowed", detail),
            GiftError::AccountClosed => Self::conflict("account_closed", detail),
            GiftError::ProgrammeMismatch(_) => Self::conflict("programme_mismatch", detail),
            GiftError::LimitReached { .. } => Self::conflict("limit_reached", detail),
            GiftError::OwnGift => Self::forbidden_as("second_person_required", detail),
            GiftError::Field { field, detail } => Self::invalid(field, "invalid", detail),
            GiftError::Points(cause) => cause.into(),
        }
    }
}
