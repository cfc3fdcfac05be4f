//! Why a redemption did not happen, by name.

use chrono::{DateTime, Utc};
use entity::id::{GoodsId, RedemptionId};
use entity::redemption::RedemptionStatus;
use sea_orm::DbErr;
use uuid::Uuid;

use super::domain::{RedemptionStep, words};
use super::limit::Limit;
use crate::db::CommandError;
use crate::http::Problem;
use crate::points::PointsError;

/// What belongs to a station where the caller does not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// `goods` or `redemption`.
    pub kind: &'static str,
    pub id: Uuid,
    /// The station's region.
    pub region: String,
}

impl Foreign {
    pub(super) fn goods(id: GoodsId, region: String) -> RedemptionError {
        RedemptionError::OtherStation(Self { kind: "goods", id: id.0, region })
    }

    pub(super) fn redemption(id: RedemptionId, region: String) -> RedemptionError {
        RedemptionError::OtherStation(Self { kind: "redemption", id: id.0, region })
    }
}

/// Why goods or a redemption stayed as they were. The words are for people.
#[derive(Debug, thiserror::Error)]
pub enum RedemptionError {
    /// Not there, or not visible.
    #[error("没有找到")]
    NotFound,
    /// Another station's. The same answer as [`Self::NotFound`]; the trail tells them apart.
    #[error("没有找到")]
    OtherStation(Foreign),
    #[error("库存不足：仅余 {left} 件，请减少数量或改选其他兑换品")]
    OutOfStock { left: i32 },
    #[error("“{name}”库存不足：仅余 {left} 件，请减少数量或改选其他兑换品")]
    GoodsOut { name: String, left: i32 },
    #[error("{0}")]
    LimitReached(Limit),
    #[error("该时段已约满：仅余 {left} 个名额，请减少数量或改选其他时段")]
    SlotFull { left: i32 },
    #[error("该时段已停止预约，请改选其他时段")]
    SlotClosed,
    /// A booking whose time has come is the station's to change.
    #[error("预约的时段已开始，不能自行取消或改约，请联系站点办理")]
    SlotBegun,
    #[error("该时段已有 {taken} 个名额被预约，请先取消预约（cancel_bookings），或将名额设为不少于已约数")]
    SlotBooked { taken: i32 },
    #[error("已有从 {starts_at} 开始的时段，请去掉重复的时段")]
    SlotExists { starts_at: DateTime<Utc> },
    #[error("只有服务类兑换品可以设预约时段，请改选服务，或新建一项服务")]
    NotAService,
    /// What there is of vouchers are their codes.
    #[error("礼券的库存由券码决定，请导入券码，不能直接出入库")]
    CodesOnly,
    #[error("该兑换{at}，不能{step}，请刷新后查看", at = words(*.at), step = .step.words())]
    InvalidTransition { at: RedemptionStatus, step: RedemptionStep },
    /// The time to pick up is over, though the job has not come by yet.
    #[error("该兑换已过领取期限，积分将自动退回，请重新兑换")]
    TooLate,
    #[error("会员码无效或已过期，请居民打开“我的会员码”重新出示")]
    StaleMemberCode,
    #[error("不能为自己办理，请由另一位工作人员处理")]
    SecondPerson,
    /// A field of the body that names what is not there or may not be.
    #[error("{detail}")]
    Field { field: &'static str, detail: &'static str },
    /// The same of a line of an order, counted from 0 where it came in a list.
    #[error("{detail}")]
    Line { line: Option<usize>, field: &'static str, code: &'static str, detail: &'static str },
    #[error(transparent)]
    Points(#[from] PointsError),
    #[error(transparent)]
    Db(DbErr),
}

impl From<DbErr> for RedemptionError {
    fn from(error: DbErr) -> Self {
        Self::Db(error)
    }
}

impl CommandError for RedemptionError {
    fn db_err(&self) -> Option<&DbErr> {
        match self {
            Self::Db(error) => Some(error),
            Self::Points(error) => error.db_err(),
            _ => None,
        }
    }
}

/// No `_` arm: a new variant chooses its status here.
impl From<RedemptionError> for Problem {
    fn from(error: RedemptionError) -> Self {
        let detail = error.to_string();
        match error {
            RedemptionError::NotFound | RedemptionError::OtherStation(_) => Self::not_found(),
            RedemptionError::OutOfStock { .. }
            | RedemptionError::GoodsOut { .. }
            | RedemptionError::SlotFull { .. } => Self::conflict("out_of_stock", detail),
            RedemptionError::CodesOnly => Self::conflict("codes_only", detail),
            RedemptionError::LimitReached(_) => Self::conflict("limit_reached", detail),
            RedemptionError::SlotClosed | RedemptionError::SlotBegun => Self::conflict("slot_closed", detail),
            RedemptionError::SlotBooked { .. } => Self::conflict("slot_booked", detail),
            RedemptionError::SlotExists { .. } => Self::conflict("slot_exists", detail),
            RedemptionError::NotAService => Self::conflict("not_a_service", detail),
            RedemptionError::InvalidTransition { .. } | RedemptionError::TooLate => {
                Self::conflict("invalid_transition", detail)
            }
            RedemptionError::StaleMemberCode => Self::invalid("member_code", "invalid", detail),
            RedemptionError::SecondPerson => Self::forbidden_as("second_person_required", detail),
            RedemptionError::Field { field, detail } => Self::invalid(field, "invalid", detail),
            RedemptionError::Line { line, field, code, detail } => {
                let field = line.map_or_else(|| field.to_owned(), |line| format!("lines[{line}].{field}"));
                Self::invalid(field, code, detail)
            }
            RedemptionError::Points(cause) => cause.into(),
            RedemptionError::Db(cause) => cause.into(),
        }
    }
}
