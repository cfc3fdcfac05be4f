//! How matches look from outside, and why there are none.

use entity::id::{ListingId, TaskId, WishId};
use entity::listing::ListingKind;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use super::matches::{Basis, ListFactor};
use crate::task::view::WindowView;

/// How many to show.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MatchQuery {
    /// 1 to 100, 20 where it is not given.
    #[validate(range(min = 1, max = 100))]
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<u16>,
}

impl MatchQuery {
    pub(super) fn limit(&self) -> usize {
        usize::from(self.limit.unwrap_or(20))
    }
}

/// Why there is no match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoMatch {
    /// The wish, the need or the listing is over, or not published.
    Over,
    /// Nothing is on the lists of the district at that time, or nobody asks.
    NothingThere,
    /// Skills, domain and category fit nothing that is there.
    NoSkill,
    /// What would fit is closed at that time.
    NoTime,
    /// What would fit is taken.
    NoCapacity,
}

impl NoMatch {
    /// For people.
    const fn words(self) -> &'static str {
        match self {
            Self::Over => "已结束或未发布，不再匹配",
            Self::NothingThere => "本区此时清单上没有可匹配的内容，可以联系站点工作人员",
            Self::NoSkill => "清单上没有技能或领域相符的内容，可以补充技能，或联系站点工作人员",
            Self::NoTime => "相符的资源和服务在该时段不开放，可以换个时间",
            Self::NoCapacity => "相符的资源和服务在该时段名额已满，可以换个时间或候补",
        }
    }
}

/// A resource or service that would meet a wish or a need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ListingMatchView {
    pub listing_id: ListingId,
    pub kind: ListingKind,
    pub title: String,
    pub region_code: String,
    /// 0 to 100: the sum of the factors that have a `max`.
    pub score: u8,
    pub basis: Basis,
    pub factors: Vec<ListFactor>,
    /// The opening to book.
    pub opening: WindowView,
    /// What is left of it.
    pub left: i32,
}

/// What asks for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AskerKind {
    Wish,
    Need,
}

/// A wish or a need that a resource or service would meet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AskerMatchView {
    pub kind: AskerKind,
    /// For staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wish_id: Option<WishId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listing_id: Option<ListingId>,
    /// Of a published wish.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    pub title: String,
    pub region_code: String,
    pub window: WindowView,
    /// 0 to 100: the sum of the factors that have a `max`.
    pub score: u8,
    pub basis: Basis,
    pub factors: Vec<ListFactor>,
}

/// The best matches, and where there are none, why.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Matches<T> {
    pub items: Vec<T>,
    /// Null where there are items.
    pub reason: Option<NoMatch>,
    /// The reason for people: what to do next.
    pub detail: Option<&'static str>,
}

impl<T> Matches<T> {
    pub(super) fn of(items: Vec<T>, why: NoMatch) -> Self {
        let reason = items.is_empty().then_some(why);
        Self { items, reason, detail: reason.map(NoMatch::words) }
    }
}
