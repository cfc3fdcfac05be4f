//! Why something about a record was refused.

use sea_orm::DbErr;

use super::domain::{MinutesRefusal, Standing, Step};
use crate::db::{CommandError, Fault, fault};
use crate::http::{FieldError, Problem};
use crate::points::PointsError;

/// What a record's services refuse. The words are for people.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("没有找到这条服务记录")]
    NotFound,
    #[error("该服务记录是“{}”状态，不能{}", at.name(), step.name())]
    InvalidTransition { at: Standing, step: Step },
    #[error("这条服务记录刚刚被别人处理过，请刷新后再看")]
    Raced,
    /// Nobody verifies for the member that they are, nor what they typed in themselves.
    #[error("{0}")]
    SecondPerson(&'static str),
    /// The member has a record at that time already.
    #[error("该时段与本人另一条服务记录重叠，请核对起止时间")]
    Overlapping,
    /// One field of the call does not fit the record.
    #[error("填写的内容有误")]
    Field(FieldError),
    #[error(transparent)]
    Points(#[from] PointsError),
    #[error(transparent)]
    Db(DbErr),
}

impl RecordError {
    pub(super) fn field(
        field: &'static str,
        code: &'static str,
        detail: impl Into<std::borrow::Cow<'static, str>>,
    ) -> Self {
        Self::Field(FieldError::new(field, code).saying(detail))
    }
}

/// The database's own refusal of overlaps counts as ours.
impl From<DbErr> for RecordError {
    fn from(error: DbErr) -> Self {
        let found = fault(&error);
        if matches!(found, Fault::Exclusion(_)) && found.names("service_record_no_overlap") {
            return Self::Overlapping;
        }
        Self::Db(error)
    }
}

impl From<MinutesRefusal> for RecordError {
    fn from(refusal: MinutesRefusal) -> Self {
        match refusal {
            MinutesRefusal::OutOfRange { most } => {
                Self::field("minutes", "out_of_range", format!("分钟数应在 1 到 {most} 之间"))
            }
            MinutesRefusal::ReasonMissing => Self::field("reason", "required", "增加分钟数时请写明原因"),
        }
    }
}

impl CommandError for RecordError {
    fn db_err(&self) -> Option<&DbErr> {
        match self {
            Self::Db(error) => Some(error),
            Self::Points(error) => error.db_err(),
            Self::NotFound
            | Self::InvalidTransition { .. }
            | Self::Raced
            | Self::SecondPerson(_)
            | Self::Overlapping
            | Self::Field(_) => None,
        }
    }
}

impl From<RecordError> for Problem {
    fn from(error: RecordError) -> Self {
        let detail = error.to_string();
        match error {
            RecordError::NotFound => Self::not_found(),
            RecordError::InvalidTransition { .. } | RecordError::Raced => Self::conflict("invalid_transition", detail),
            RecordError::SecondPerson(_) => Self::forbidden_as("second_person_required", detail),
            RecordError::Overlapping => {
                Self::validation(vec![FieldError::new("started_at", "overlapping_record").saying(detail)])
            }
            RecordError::Field(field) => Self::validation(vec![field]),
            RecordError::Points(cause) => cause.into(),
            RecordError::Db(cause) => Self::internal(&cause),
        }
    }
}
