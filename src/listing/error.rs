//! What can go wrong with listings and bookings. Details are Chinese and say what to do next.

use std::borrow::Cow;

use entity::booking::BookingStatus;
use entity::listing::ListingStatus;
use sea_orm::DbErr;

use super::domain::{BookingStep, ListingStep, booking_status_name, status_name};
use crate::db::{CommandError, Fault, fault};
use crate::http::{FieldError, Problem};
use crate::service_record::error::RecordError;
use crate::task::error::TaskError;

/// Why a listing or a booking stayed as it was.
#[derive(Debug, thiserror::Error)]
pub enum ListingError {
    #[error("没有找到，请核对编号")]
    NotFound,
    #[error("该条目已是“{}”状态，不能{}", status_name(*.at), .step.name())]
    InvalidTransition { at: ListingStatus, step: ListingStep },
    #[error("该预约已是“{}”状态，不能{}", booking_status_name(*.at), .step.name())]
    BookingTransition { at: BookingStatus, step: BookingStep },
    #[error("状态刚被更新，请刷新后重试")]
    Raced,
    #[error("{0}")]
    NotYours(&'static str),
    #[error("{0}")]
    SecondPerson(&'static str),
    /// A published entry is changed by staff only.
    #[error("已发布的条目不能直接修改，请先撤下并重新提交，或联系站点工作人员")]
    Published,
    #[error("需求由志愿者认领，不能预约；请在任务中认领")]
    NotBookable,
    #[error("该条目未在发布中，不能预约，请看看清单上的其他资源和服务")]
    NotPublished,
    #[error("该时段已开始或已结束，请改选其他时段")]
    OpeningOver,
    #[error("名额不足：该时段仅余 {left} 个，请减少数量、改选其他时段，或选择候补（waitlist）")]
    CapacityExhausted { left: i32 },
    #[error("您在该时段已有预约，请先取消原来的预约")]
    AlreadyBooked,
    #[error("还有 {count} 个有效预约与修改不符，请先取消这些预约，或保留原来的开放时间和名额")]
    HasBookings { count: u64 },
    #[error("该时段已开始，不能自行取消，请联系站点工作人员")]
    Begun,
    #[error("{0}")]
    TooEarly(&'static str),
    #[error("填写的内容有误，请按各项提示修改后重试")]
    Invalid(Vec<FieldError>),
    #[error(transparent)]
    Task(#[from] TaskError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Db(DbErr),
}

impl ListingError {
    /// One refused field.
    pub(super) fn field(name: impl Into<String>, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid(vec![FieldError::new(name, code).saying(detail)])
    }
}

/// The database's own refusals get their names here: it is the last to see two calls at once.
impl From<DbErr> for ListingError {
    fn from(error: DbErr) -> Self {
        let found = fault(&error);
        match found {
            Fault::Unique(_) if found.names("booking_one_live") || found.names("booking.listing_id") => {
                Self::AlreadyBooked
            }
            Fault::Check(_) if found.names("listing_period_taken") => Self::CapacityExhausted { left: 0 },
            _ => Self::Db(error),
        }
    }
}

impl CommandError for ListingError {
    fn db_err(&self) -> Option<&DbErr> {
        match self {
            Self::Db(error) => Some(error),
            Self::Task(error) => error.db_err(),
            Self::Record(error) => error.db_err(),
            _ => None,
        }
    }
}

// No `_` arm: a new variant must choose its status here.
impl From<ListingError> for Problem {
    fn from(error: ListingError) -> Self {
        let detail = error.to_string();
        match error {
            ListingError::NotFound => Self::not_found(),
            ListingError::InvalidTransition { .. }
            | ListingError::BookingTransition { .. }
            | ListingError::Raced
            | ListingError::Published
            | ListingError::Begun
            | ListingError::TooEarly(_) => Self::conflict("invalid_transition", detail),
            ListingError::NotYours(_) => Self::forbidden(detail),
            ListingError::SecondPerson(_) => Self::forbidden_as("second_person_required", detail),
            ListingError::NotBookable => Self::conflict("not_bookable", detail),
            ListingError::NotPublished => Self::conflict("listing_closed", detail),
            ListingError::OpeningOver => Self::conflict("opening_over", detail),
            ListingError::CapacityExhausted { .. } => Self::conflict("capacity_exhausted", detail),
            ListingError::AlreadyBooked => Self::conflict("already_booked", detail),
            ListingError::HasBookings { .. } => Self::conflict("has_bookings", detail),
            ListingError::Invalid(fields) => Self::validation(fields),
            ListingError::Task(cause) => cause.into(),
            ListingError::Record(cause) => cause.into(),
            ListingError::Db(cause) => cause.into(),
        }
    }
}
