//! What can go wrong with coded lists and qualifications. Details are Chinese and say what to do next.

use sea_orm::DbErr;

use crate::db::{CommandError, Fault, fault};
use crate::http::{FieldError, Problem};

/// Why a list or a qualification was not changed.
#[derive(Debug, thiserror::Error)]
pub enum TaxonomyError {
    #[error("没有找到，请核对编码")]
    NotFound,
    #[error("这个列表由系统规定，不能增改；如需调整请联系管理员")]
    Fixed,
    #[error("已有这个编码，请换一个编码，或修改原有的一项")]
    Taken,
    #[error("该编码已并入“{0}”，请改用并入后的编码；如确需单独使用，请先撤销合并")]
    Merged(String),
    #[error("该编码没有并入其他编码，无须撤销")]
    NotMerged,
    #[error("仍有危险类型要求这项培训，请先修改这些危险类型，再停用")]
    Required,
    #[error("不能为自己登记资质，请由另一位工作人员处理")]
    SecondPerson,
    #[error("填写的内容有误，请按各项提示修改后重试")]
    Invalid(Vec<FieldError>),
    #[error(transparent)]
    Db(DbErr),
}

impl TaxonomyError {
    /// One refused field.
    pub(super) fn field(
        name: impl Into<String>,
        code: &'static str,
        detail: impl Into<std::borrow::Cow<'static, str>>,
    ) -> Self {
        Self::Invalid(vec![FieldError::new(name, code).saying(detail)])
    }
}

/// The database is the last to see two calls at once.
impl From<DbErr> for TaxonomyError {
    fn from(error: DbErr) -> Self {
        let fault = fault(&error);
        match fault {
            Fault::Unique(_) if fault.names("code_item") => Self::Taken,
            _ => Self::Db(error),
        }
    }
}

impl CommandError for TaxonomyError {
    fn db_err(&self) -> Option<&DbErr> {
        match self {
            Self::Db(error) => Some(error),
            _ => None,
        }
    }
}

// No `_` arm: a new variant must choose its status here.
impl From<TaxonomyError> for Problem {
    fn from(error: TaxonomyError) -> Self {
        let detail = error.to_string();
        match error {
            TaxonomyError::NotFound => Self::not_found(),
            TaxonomyError::Fixed => Self::conflict("fixed_list", detail),
            TaxonomyError::Taken => Self::conflict("code_taken", detail),
            TaxonomyError::Merged(_) => Self::conflict("code_merged", detail),
            TaxonomyError::NotMerged => Self::conflict("code_not_merged", detail),
            TaxonomyError::Required => Self::conflict("code_required", detail),
            TaxonomyError::SecondPerson => Self::forbidden_as("second_person_required", detail),
            TaxonomyError::Invalid(fields) => Self::validation(fields),
            TaxonomyError::Db(cause) => Self::internal(&cause),
        }
    }
}
