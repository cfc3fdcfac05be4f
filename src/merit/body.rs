//! What calls about merits send.

use std::str::FromStr as _;

use chrono::{DateTime, Utc};
use entity::category::Category;
use entity::id::{HouseholdId, MemberId, MeritId, PhotoId};
use entity::merit::MeritKind;
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use super::approving::Verdict;
use super::entering::{By, Entry};
use super::scoring::{Score, Sheet};
use crate::calendar::Period;
use crate::http::{Day, FieldError, Line, PointsAmount, Problem, Text, refusal};

/// A donation or an event. The kind `household_score` has a call of its own; members report donations only.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EnterMerit {
    #[schema(inline)]
    kind: MeritKind,
    /// Of staff's calls only.
    #[schema(value_type = Option<uuid::Uuid>)]
    member_id: Option<MemberId>,
    /// The one that counts in the member's community where it is not given.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64)]
    programme: Option<Line<64>>,
    /// `charity` for donations and `civility` for events where it is not given.
    category: Option<Category>,
    /// Code of the rule's item, such as `no_litter`.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64)]
    item: Option<Line<64>>,
    /// 1 where it is not given.
    #[validate(range(min = 1, max = 10000))]
    #[schema(minimum = 1, maximum = 10000)]
    quantity: Option<i32>,
    /// Of a donation, in yuan: needed for money.
    #[schema(value_type = Option<String>, pattern = r"^(0|[1-9][0-9]{0,9})(\.[0-9]{1,2})?$")]
    value: Option<PointsAmount>,
    /// Today where it is not given; not in the future and not long past.
    happened_on: Option<Day>,
    /// Of an event without an item it is needed.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 500)]
    description: Option<Text<500>>,
    /// Needed where the rule takes points; the member is told.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    reason: Option<Line<200>>,
    /// Uploaded by the caller and used nowhere else; at most 9.
    #[validate(length(max = 9))]
    #[schema(value_type = Option<Vec<uuid::Uuid>>, max_items = 9)]
    photo_ids: Option<Vec<PhotoId>>,
}

impl EnterMerit {
    /// The entry, where its fields fit each other and the one who sends them.
    pub(super) fn entry(self, by: &By, now: DateTime<Utc>) -> Result<Entry, Problem> {
        let errors = self.faults(by);
        if !errors.is_empty() {
            return Err(Problem::validation(errors));
        }
        Ok(Entry {
            id: MeritId::new(),
            kind: self.kind,
            member_id: self.member_id,
            programme: self.programme.map(Line::into_inner),
            category: self.category,
            item: self.item.map(Line::into_inner),
            quantity: self.quantity.unwrap_or(1),
            value_fen: self.value.map(PointsAmount::hundredths),
            happened_on: self.happened_on.map(Day::get),
            description: self.description.map(Text::into_inner),
            reason: self.reason.map(Line::into_inner),
            photos: self.photo_ids.unwrap_or_default(),
            now,
        })
    }

    fn faults(&self, by: &By) -> Vec<FieldError> {
        let donation = matches!(self.kind, MeritKind::DonationGoods | MeritKind::DonationMoney);
        let staff = matches!(by, By::Staff(_));
        let table = [
            (self.kind == MeritKind::HouseholdScore, "kind", "invalid", "家庭评分请用“家庭评分”批量登记"),
            (!staff && !donation, "kind", "invalid", "居民只能申报自己的捐赠，其他事项请联系网格员登记"),
            (!staff && self.member_id.is_some(), "member_id", "invalid", "只能为自己申报，请去掉此项"),
            (staff && self.member_id.is_none(), "member_id", "required", "请选择是哪位居民的事项"),
            (
                self.kind == MeritKind::DonationMoney && self.value.is_none(),
                "value",
                "required",
                "请填写捐赠金额，单位元",
            ),
            (!donation && self.value.is_some(), "value", "invalid", "只有捐赠才填写价值，请去掉此项"),
            (
                self.kind == MeritKind::Event && self.item.is_none() && self.description.is_none(),
                "description",
                "required",
                "请填写项目代码，或写明是什么事",
            ),
        ];
        let fault = |(wrong, field, code, detail): (bool, &'static str, &'static str, &'static str)| {
            wrong.then(|| FieldError::new(field, code).saying(detail))
        };
        table.into_iter().filter_map(fault).collect()
    }
}

/// A month: `2026-11`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Month(Period);

impl<'de> Deserialize<'de> for Month {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let period = Period::from_str(&String::deserialize(deserializer)?);
        match period {
            Ok(period @ Period::Month(..)) => Ok(Self(period)),
            _ => Err(D::Error::custom(refusal("invalid", "请填写月份，如 2026-11"))),
        }
    }
}

/// A month's scores.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ScoreHouseholds {
    /// This month, or one not long past.
    #[schema(value_type = String, pattern = "^[0-9]{4}-(0[1-9]|1[0-2])$")]
    period: Month,
    /// The one that counts in the caller's region where it is not given.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64)]
    programme: Option<Line<64>>,
    /// `civility` where it is not given.
    category: Option<Category>,
    /// At most 200; one for each household and item.
    #[validate(length(min = 1, max = 200), nested)]
    #[schema(min_items = 1, max_items = 200)]
    scores: Vec<ScoreRow>,
}

/// A household's score for one item; the rule says what it earns or costs.
#[derive(Deserialize, Serialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct ScoreRow {
    #[schema(value_type = uuid::Uuid)]
    household_id: HouseholdId,
    /// Code of the rule's item, such as `no_litter`.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64)]
    item: Option<Line<64>>,
    /// How often, or how many: for rules by item. 1 where it is not given.
    #[validate(range(min = 1, max = 10000))]
    #[schema(minimum = 1, maximum = 10000)]
    quantity: Option<i32>,
    #[schema(value_type = Option<String>, min_length = 1, max_length = 500)]
    description: Option<Text<500>>,
    /// Needed where the rule takes points; the head of the household is told.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    reason: Option<Line<200>>,
}

impl ScoreHouseholds {
    pub(super) fn sheet(self, now: DateTime<Utc>) -> Sheet {
        let score = |row: ScoreRow| Score {
            id: MeritId::new(),
            household_id: row.household_id,
            item: row.item.map(Line::into_inner),
            quantity: row.quantity.unwrap_or(1),
            description: row.description.map(Text::into_inner),
            reason: row.reason.map(Line::into_inner),
        };
        Sheet {
            period: self.period.0,
            programme: self.programme.map(Line::into_inner),
            category: self.category,
            scores: self.scores.into_iter().map(score).collect(),
            now,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum MeritDecision {
    Approve,
    Reject,
}

/// A manager's decision.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DecideMerit {
    #[schema(inline)]
    decision: MeritDecision,
    /// The manager saw it: evidence B.
    #[serde(default)]
    witnessed: bool,
    /// Why it is rejected; the member is told.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    reason: Option<Line<200>>,
}

impl DecideMerit {
    pub(super) fn verdict(self) -> Result<Verdict, Problem> {
        match (self.decision, self.reason) {
            (MeritDecision::Approve, None) => Ok(Verdict::Approve { witnessed: self.witnessed }),
            (MeritDecision::Approve, Some(_)) => {
                Err(Problem::invalid("reason", "invalid", "通过时不填原因，请去掉此项"))
            }
            (MeritDecision::Reject, Some(reason)) => Ok(Verdict::Reject { reason: reason.into_inner() }),
            (MeritDecision::Reject, None) => {
                Err(Problem::invalid("reason", "required", "驳回时请写明原因，居民会看到"))
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum DisputeDecision {
    Dismiss,
    Reverse,
}

/// A manager's answer to an objection.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DecideDispute {
    #[schema(inline)]
    decision: DisputeDecision,
    /// The member is told.
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    pub(super) reason: Line<200>,
}

impl DecideDispute {
    pub(super) fn reverses(&self) -> bool {
        self.decision == DisputeDecision::Reverse
    }
}
