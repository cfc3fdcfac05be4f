//! Why a shelf stayed as it was, by name.

use std::borrow::Cow;

use entity::stock_transfer::TransferStatus;
use sea_orm::DbErr;

use crate::db::CommandError;
use crate::http::Problem;

/// Why a count was not taken or goods were not moved. The words are for people.
#[derive(Debug, thiserror::Error)]
pub enum StockError {
    /// Not there, or another station's.
    #[error("没有找到")]
    NotFound,
    /// A field of the body that names what is not there or may not be.
    #[error("{detail}")]
    Field { field: Cow<'static, str>, code: &'static str, detail: &'static str },
    /// Fewer were counted than wait to be picked up.
    #[error("“{name}”有 {reserved} 件待领取，清点数 {counted} 件比待领取的还少，请核对清点数，或先取消部分预约再盘点")]
    StockReserved { name: String, reserved: i32, counted: i32 },
    #[error("库存不足：仅余 {left} 件，请减少数量")]
    OutOfStock { left: i32 },
    /// Of these none lies on a shelf.
    #[error("服务和礼券没有可调拨的实物，请选择实物兑换品")]
    NotOnShelf,
    /// Codes are no pieces: they come in by lists.
    #[error("该兑换品不是礼券，不能导入券码，请选择类别为礼券的兑换品")]
    NoVouchers,
    #[error("该调拨单{at}，不能再{step}，请刷新后查看", at = words(*.at))]
    InvalidTransition { at: TransferStatus, step: &'static str },
    #[error(transparent)]
    Db(#[from] DbErr),
}

impl StockError {
    pub(in crate::redemption) fn field(
        field: impl Into<Cow<'static, str>>,
        code: &'static str,
        detail: &'static str,
    ) -> Self {
        Self::Field { field: field.into(), code, detail }
    }
}

const fn words(status: TransferStatus) -> &'static str {
    match status {
        TransferStatus::Sent => "在途",
        TransferStatus::Received => "已签收",
        TransferStatus::Cancelled => "已撤回",
    }
}

impl CommandError for StockError {
    fn db_err(&self) -> Option<&DbErr> {
        match self {
            Self::Db(error) => Some(error),
            _ => None,
        }
    }
}

/// No `_` arm: a new variant chooses its status here.
impl From<StockError> for Problem {
    fn from(error: StockError) -> Self {
        let detail = error.to_string();
        match error {
            StockError::NotFound => Self::not_found(),
            StockError::Field { field, code, detail } => Self::invalid(field, code, detail),
            StockError::StockReserved { .. } => Self::conflict("stock_reserved", detail),
            StockError::OutOfStock { .. } => Self::conflict("out_of_stock", detail),
            StockError::NotOnShelf => Self::conflict("not_on_shelf", detail),
            StockError::NoVouchers => Self::conflict("no_vouchers", detail),
            StockError::InvalidTransition { .. } => Self::conflict("invalid_transition", detail),
            StockError::Db(cause) => cause.into(),
        }
    }
}
