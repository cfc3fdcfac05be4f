//! The call that tries rules.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, post};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use entity::category::Category;
use entity::id::BudgetId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use super::domain::{Decile, Sum};
use super::service::{self, Base, Outcome, Trial};
use crate::app::State;
use crate::http::{Call, FieldError, Instant, Problem};
use crate::points::rule_body::RuleBody;
use crate::points::{Points, PointsError, programmes};
use crate::region::RegionCode;

/// The most days of one trial.
const MOST_DAYS: i64 = 400;
/// The most drafts of one trial.
const MOST_RULES: usize = 200;

/// The routes of trials.
pub fn routes(config: &mut ServiceConfig) {
    config.service(try_rules);
}

/// What the drafts are laid over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum TrialBase {
    /// The rules as they were in force; a draft stands for those of the same scope.
    #[default]
    Current,
    /// Nothing: the drafts alone.
    None,
}

/// Draft rules, and the period to try them on.
#[derive(Debug, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct TryRules {
    /// As they would be added. Each counts for the whole period where it does not say from and until when; `valid_from` may
    /// lie in the past. Two of one scope may not overlap.
    #[validate(nested)]
    #[schema(max_items = 200)]
    rules: Vec<RuleBody>,
    from: Instant,
    /// At most 400 days later.
    until: Instant,
    /// `default` where it is not given.
    #[validate(length(min = 1, max = 64))]
    #[schema(min_length = 1, max_length = 64)]
    programme: Option<String>,
    /// Your own region where it is not given.
    region_code: Option<RegionCode>,
    /// `current` where it is not given.
    #[serde(default)]
    base: TrialBase,
}

impl TryRules {
    fn trial(self, own: &RegionCode) -> Result<Trial, Problem> {
        let mut errors = Vec::new();
        if self.rules.len() > MOST_RULES {
            errors.push(FieldError::new("rules", "too_long").saying("一次最多试算 200 条规则"));
        }
        let (from, until) = (self.from.get(), self.until.get());
        if until <= from {
            errors.push(FieldError::new("until", "out_of_range").saying("结束时间须晚于开始时间"));
        } else if until - from > TimeDelta::days(MOST_DAYS) {
            errors.push(FieldError::new("until", "out_of_range").saying("试算最多 400 天，请缩短时间"));
        }
        let region = self.region_code.unwrap_or_else(|| own.clone());
        if !own.subtree().encloses(&region.subtree()) {
            errors.push(FieldError::new("region_code", "invalid").saying("不在您的管辖范围内，请重新选择区划"));
        }
        if !errors.is_empty() {
            return Err(Problem::validation(errors));
        }
        Ok(Trial {
            programme: self.programme.unwrap_or_else(|| programmes::DEFAULT.to_owned()),
            region,
            span: from..until,
            base: match self.base {
                TrialBase::Current => Base::Current,
                TrialBase::None => Base::Nothing,
            },
            drafts: self.rules,
        })
    }
}

/// What the period's records would have earned, against what they did.
#[derive(Clone, Serialize, ToSchema)]
struct TrialView {
    programme: String,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    /// Verified records whose service ended in the period, without those reversed.
    records: i64,
    minutes: i64,
    would: Points,
    did: Points,
    /// Those with records.
    by_category: Vec<TriedCategory>,
    /// Those with records, by code.
    by_community: Vec<TriedCommunity>,
    /// Tenths of the members with records by what they did earn; in the tenth tenth are those who earned most.
    by_decile: Vec<TriedDecile>,
    /// What each budget of the programme would have said.
    budgets: Vec<TriedBudget>,
}

#[derive(Clone, Serialize, ToSchema)]
struct TriedCategory {
    category: Category,
    records: i64,
    minutes: i64,
    would: Points,
    did: Points,
}

#[derive(Clone, Serialize, ToSchema)]
struct TriedCommunity {
    region_code: String,
    name: String,
    records: i64,
    minutes: i64,
    would: Points,
    did: Points,
}

#[derive(Clone, Serialize, ToSchema)]
struct TriedDecile {
    /// 1 to 10.
    decile: i32,
    members: i64,
    would: Points,
    did: Points,
}

#[derive(Clone, Serialize, ToSchema)]
struct TriedBudget {
    budget_id: BudgetId,
    name: String,
    /// What is left of it now, with what the records of the period have drawn: what it would have had for them.
    left_at_from: Points,
    would_draw: Points,
    /// The first local day on which it could not have paid; null: it would have sufficed.
    exhausted_on: Option<NaiveDate>,
}

impl TrialView {
    fn new(trial: &Trial, outcome: Outcome) -> Self {
        let points = Points::from_hundredths;
        let Sum { records, minutes, would, did } = outcome.all;
        let category = |(category, sum): (Category, Sum)| TriedCategory {
            category,
            records: sum.records,
            minutes: sum.minutes,
            would: points(sum.would),
            did: points(sum.did),
        };
        let community = |(region_code, name, sum): (String, String, Sum)| TriedCommunity {
            region_code,
            name,
            records: sum.records,
            minutes: sum.minutes,
            would: points(sum.would),
            did: points(sum.did),
        };
        let decile = |Decile { number, members, would, did }| TriedDecile {
            decile: number,
            members,
            would: points(would),
            did: points(did),
        };
        let budget = |told: super::budgets::Told| TriedBudget {
            budget_id: told.id,
            name: told.name,
            left_at_from: points(told.left_at_from),
            would_draw: points(told.would_draw),
            exhausted_on: told.exhausted_on,
        };
        Self {
            programme: trial.programme.clone(),
            from: trial.span.start,
            until: trial.span.end,
            records,
            minutes,
            would: points(would),
            did: points(did),
            by_category: outcome.by_category.into_iter().map(category).collect(),
            by_community: outcome.by_community.into_iter().map(community).collect(),
            by_decile: outcome.by_decile.into_iter().map(decile).collect(),
            budgets: outcome.budgets.into_iter().map(budget).collect(),
        }
    }
}

/// Try rules on past records before they are switched on. For managers, on records of their own subtree.
///
/// Values every verified record of the period by the drafts, laid over the rules that were in force, in the order of service;
/// caps count what lies in the period. Nothing changes.
#[utoipa::path(tag = "points", request_body = TryRules, responses((status = 200, body = TrialView)))]
#[post("/points/rules/trial")]
async fn try_rules(state: State, call: Call<TryRules>) -> Result<HttpResponse, Problem> {
    let manager = call.caller.manager()?;
    let (body, once) = call.admit(async || Ok(())).await?;
    let trial = body.trial(&manager.region)?;
    // Outside of the command: it only reads, and nobody's writing has to wait for it.
    let outcome = Box::pin(service::run(state.db.read(), &manager, &trial, state.calendar)).await?;
    let view = TrialView::new(&trial, outcome);
    once.run(&state, StatusCode::OK, async move |_| Ok::<_, PointsError>(view.clone())).await
}
