//! What can go wrong with merits, by name.

use std::borrow::Cow;

use sea_orm::DbErr;

use super::domain::{Standing, Step};
use crate::db::{CommandError, Fault, fault};
use crate::http::{FieldError, Problem};
use crate::photo::PhotoError;
use crate::points::PointsError;

/// What a merit's services refuse. The words are for people.
#[derive(Debug, thiserror::Error)]
pub enum MeritError {
    #[error("没有找到")]
    NotFound,
    #[error("该事项是“{}”状态，不能{}", at.name(), step.name())]
    InvalidTransition { at: Standing, step: Step },
    #[error("这一事项刚刚被别人处理过，请刷新后再看")]
    Raced,
    /// Nobody decides about what they entered, nor about themselves.
    #[error("{0}")]
    SecondPerson(&'static str),
    /// Another score of that household, item and month came first.
    #[error("其中有户的该项评分刚刚由别人登记，请刷新后再看")]
    AlreadyScored,
    /// Fields of the call do not fit.
    #[error("填写的内容有误")]
    Fields(Vec<FieldError>),
    #[error(transparent)]
    Photo(#[from] PhotoError),
    #[error(transparent)]
    Points(#[from] PointsError),
    #[error(transparent)]
    Db(DbErr),
}

impl MeritError {
    /// One field that does not fit.
    pub(super) fn field(field: impl Into<String>, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Fields(vec![FieldError::new(field, code).saying(detail)])
    }
}

/// The database's own refusal of a second score counts as ours.
impl From<DbErr> for MeritError {
    fn from(error: DbErr) -> Self {
        match fault(&error) {
            found @ Fault::Unique(_) if found.names("merit_one_score") => Self::AlreadyScored,
            _ => Self::Db(error),
        }
    }
}

impl CommandError for MeritError {
    fn db_err(&self) -> Option<&DbErr> {
        match self {
            Self::Db(error) => Some(error),
            Self::Points(error) => error.db_err(),
            Self::Photo(error) => error.db_err(),
            Self::NotFound
            | Self::InvalidTransition { .. }
            | Self::Raced
            | Self::SecondPerson(_)
            | Self::AlreadyScored
            | Self::Fields(_) => None,
        }
    }
}

/// No `_` arm: a new variant chooses its status here.
impl From<MeritError> for Problem {
    fn from(error: MeritError) -> Self {
        let detail = error.to_string();
        match error {
            MeritError::NotFound => Self::not_found(),
            MeritError::InvalidTransition { .. } | MeritError::Raced => Self::conflict("invalid_transition", detail),
            MeritError::SecondPerson(_) => Self::forbidden_as("second_person_required", detail),
            MeritError::AlreadyScored => Self::conflict("already_scored", detail),
            MeritError::Fields(errors) => Self::validation(errors),
            MeritError::Photo(cause) => cause.into(),
            MeritError::Points(cause) => cause.into(),
            MeritError::Db(cause) => cause.into(),
        }
    }
}
