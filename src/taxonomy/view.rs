//! How codes, words and qualifications look from outside.

use chrono::{DateTime, NaiveDate, Utc};
use entity::category::Category;
use entity::code_item::{self, Privacy};
use entity::guess_word::{self, WordKind};
use entity::id::{GuessWordId, MemberId};
use entity::qualification::{self, QualificationKind};
use sea_orm::Iterable as _;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::{Listing, Page, Problem};

/// An item of a coded list.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct CodeView {
    code: String,
    name: String,
    /// A code of the same list; of `special_class` for a special group.
    parent: Option<String>,
    /// What it became; not shown of others.
    #[serde(skip_serializing_if = "Option::is_none")]
    merged_into: Option<String>,
    /// Since when it is not to be used anew; not shown of others.
    #[serde(skip_serializing_if = "Option::is_none")]
    retired_at: Option<DateTime<Utc>>,
    /// Special groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    privacy: Option<Privacy>,
    /// Special groups: higher comes first among equals.
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<i16>,
    /// Skills: a licence is required by law.
    #[serde(skip_serializing_if = "Option::is_none")]
    licence: Option<bool>,
    /// Hazards: the training that is required.
    #[serde(skip_serializing_if = "Option::is_none")]
    training: Option<String>,
    /// Hazards: the volunteer must be insured.
    #[serde(skip_serializing_if = "Option::is_none")]
    insurance: Option<bool>,
    /// Hazards: in full years.
    #[serde(skip_serializing_if = "Option::is_none")]
    min_age: Option<i16>,
}

impl From<code_item::Model> for CodeView {
    fn from(row: code_item::Model) -> Self {
        let of = |list: &str| row.list == list;
        Self {
            privacy: of("special_group").then_some(row.privacy),
            priority: of("special_group").then_some(row.priority),
            licence: of("skill").then_some(row.licence),
            insurance: of("hazard").then_some(row.insurance),
            training: row.training,
            min_age: row.min_age,
            code: row.code,
            name: row.name,
            parent: row.parent,
            merged_into: row.merged_into,
            retired_at: row.retired_at,
        }
    }
}

/// A points category: those of the design, whatever codes a data set gives them.
fn of_category(category: Category) -> CodeView {
    let (code, name) = match category {
        Category::Neighbourly => ("neighbourly", "邻里互助"),
        Category::Charity => ("charity", "慈善捐赠"),
        Category::Safety => ("safety", "平安建设"),
        Category::Culture => ("culture", "文化宣传"),
        Category::Civility => ("civility", "文明创建"),
        Category::Volunteering => ("volunteering", "志愿服务"),
    };
    CodeView { code: code.to_owned(), name: name.to_owned(), ..CodeView::default() }
}

/// One points category.
pub(super) fn category(code: &str) -> Option<CodeView> {
    Category::iter().map(of_category).find(|view| view.code == code)
}

/// A page of the points categories, in the order of the design.
///
/// # Errors
/// 422 for a forged cursor.
pub(super) fn categories(page: &Page) -> Result<Listing<CodeView>, Problem> {
    let items: Vec<_> = Category::iter().map(of_category).collect();
    let from = match page.after::<String>()? {
        Some(last) => items.iter().position(|item| item.code == last).map_or(items.len(), |at| at + 1),
        None => 0,
    };
    Ok(Listing::cut(items.into_iter().skip(from).collect(), page, |item| item.code.clone()))
}

/// A word that speaks for a skill or a domain.
#[derive(Debug, Serialize, ToSchema)]
pub struct WordView {
    pub id: GuessWordId,
    pub word: String,
    pub kind: WordKind,
    /// Of the list that `kind` names.
    pub code: String,
    /// 1 to 100.
    pub weight: i16,
}

impl From<guess_word::Model> for WordView {
    fn from(row: guess_word::Model) -> Self {
        Self { id: row.id, word: row.word, kind: row.kind, code: row.code, weight: row.weight }
    }
}

/// What a volunteer may do beyond their skills.
#[derive(Debug, Serialize, ToSchema)]
pub struct QualificationView {
    pub member_id: MemberId,
    pub kind: QualificationKind,
    /// Of the list `skill` for a licence, of `training` for a training; `insurance` for an insurance.
    pub code: String,
    /// What the code is called.
    pub name: String,
    /// The last day on which it counts; null: without end.
    pub valid_until: Option<NaiveDate>,
    /// Whether it counts today.
    pub valid: bool,
    /// Number of the certificate or policy; shown to the member and to managers.
    pub reference: Option<String>,
    pub recorded_at: DateTime<Utc>,
}

impl QualificationView {
    pub(super) fn new(row: qualification::Model, name: String, reference: Option<String>, today: NaiveDate) -> Self {
        Self {
            member_id: row.member_id,
            kind: row.kind,
            code: row.code,
            name,
            valid: row.valid_until.is_none_or(|until| until >= today),
            valid_until: row.valid_until,
            reference,
            recorded_at: row.created_at,
        }
    }
}
