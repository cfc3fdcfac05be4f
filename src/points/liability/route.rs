//! The call about what is outstanding.

use actix_web::{get, web};
use chrono::{DateTime, Utc};
use entity::{programme, region};
use sea_orm::EntityTrait as _;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use super::super::domain::Points;
use super::domain::{Ended, Month, Part};
use super::{Liability, Question};
use crate::app::State;
use crate::http::{Params, Problem, decimal};
use crate::identity::Caller;
use crate::region::RegionCode;

/// Months shown where it is not said how many.
const MONTHS: usize = 12;

/// The routes of the liability.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(get_liability);
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct LiabilityQuery {
    /// This region's subtree; your own region where it is not given.
    #[param(value_type = Option<String>, pattern = "^[0-9]{6,24}$")]
    region: Option<RegionCode>,
    /// Of one programme only; of all of them where it is not given.
    #[validate(length(max = 64))]
    programme: Option<String>,
    /// How many months back, this one included: 1 to 60, 12 where it is not given.
    #[validate(range(min = 1, max = 60))]
    #[param(minimum = 1, maximum = 60)]
    months: Option<usize>,
}

/// What is outstanding, what it will cost and how long the budgets last.
#[derive(Serialize, ToSchema)]
struct LiabilityView {
    /// Null: all programmes together.
    programme: Option<String>,
    region: String,
    as_of: DateTime<Utc>,
    /// Members' balances and what is due to them.
    outstanding: Points,
    /// Of it, set aside for what is reserved.
    held: Points,
    /// Of it, owed until a budget has funds.
    due: Points,
    /// In yuan, as in `"1234.50"`: outstanding × the programme's cost of a point × `redeemed_share`.
    expected_cost: String,
    /// `budgets_left` ÷ what was issued in a month on average over the last three whole months, to a tenth; null without
    /// budgets, and where nothing was issued.
    months_covered: Option<f64>,
    /// What open budgets may still issue here; of a larger region's budget the part that this region's issuing was of it. Null
    /// without budgets.
    budgets_left: Option<Points>,
    /// Of the points that ended in the last twelve months, those that were spent rather than expired, as in `"0.9312"`; `"1.0000"`
    /// where none ended.
    redeemed_share: String,
    /// The regions directly below.
    by_region: Vec<RegionLiabilityView>,
    /// Oldest first, the present one last. What was posted within the last minute may be missing.
    by_month: Vec<MonthView>,
}

/// What is outstanding in a region directly below.
#[derive(Serialize, ToSchema)]
struct RegionLiabilityView {
    region_code: String,
    name: String,
    outstanding: Points,
    /// In yuan.
    expected_cost: String,
}

/// What happened in a local month; each journal counts in the month in which what it is for happened.
#[derive(Serialize, ToSchema)]
struct MonthView {
    /// As in `2026-11`.
    month: String,
    /// Earned, granted and carried over.
    issued: Points,
    /// Taken back of it.
    reversed: Points,
    spent: Points,
    /// Given back of it.
    refunded: Points,
    expired: Points,
    /// Taken by staff or by rule.
    deducted: Points,
    donated: Points,
    /// What members had when it ended.
    outstanding: Points,
}

impl From<Month> for MonthView {
    fn from(row: Month) -> Self {
        let points = Points::from_hundredths;
        Self {
            month: row.month,
            issued: points(row.issued),
            reversed: points(row.reversed),
            spent: points(row.spent),
            refunded: points(row.refunded),
            expired: points(row.expired),
            deducted: points(row.deducted),
            donated: points(row.donated),
            outstanding: points(row.outstanding),
        }
    }
}

impl From<Part> for RegionLiabilityView {
    fn from(row: Part) -> Self {
        Self {
            region_code: row.region_code,
            name: row.name,
            outstanding: Points::from_hundredths(row.outstanding),
            expected_cost: decimal(row.expected_cost),
        }
    }
}

/// With four places, rounded down.
fn share(ended: Ended) -> String {
    let (spent, all) = ended.share();
    let parts = spent * 10_000 / all;
    format!("{}.{:04}", parts / 10_000, parts % 10_000)
}

/// Tenths as a number; a dashboard's figure, not an amount.
#[allow(clippy::cast_precision_loss, reason = "a figure with one place")]
fn tenths(tenths: i64) -> f64 {
    tenths as f64 / 10.0
}

/// What members have and are owed in a region, what it will cost, how long the budgets last, and how it came to be. For
/// managers and auditors, in their own subtree.
#[utoipa::path(tag = "points", params(LiabilityQuery), responses((status = 200, body = LiabilityView)))]
#[get("/points/liability")]
async fn get_liability(
    state: State,
    caller: Caller,
    params: Params<LiabilityQuery>,
) -> Result<web::Json<LiabilityView>, Problem> {
    let staff = caller.manager_or_auditor()?;
    let LiabilityQuery { region, programme, months } = params.checked()?;
    let region = region.unwrap_or_else(|| staff.region.clone());
    let db = state.db.read();
    let visible = staff.subtree().encloses(&region.subtree());
    if !visible || region::Entity::find_by_id(region.as_str()).one(db).await?.is_none() {
        return Err(Problem::not_found());
    }
    if let Some(code) = &programme
        && programme::Entity::find_by_id(code).one(db).await?.is_none()
    {
        let detail = "没有这个积分项目，请从积分项目列表中选择";
        return Err(Problem::invalid("programme", "invalid", detail));
    }
    let now = state.clock.now();
    let months = months.unwrap_or(MONTHS);
    let asked = Question { region, programme, months, calendar: state.calendar, now };
    let answer = super::answer(db, &asked).await?;
    Ok(web::Json(view(asked, answer)))
}

fn view(asked: Question, answer: Liability) -> LiabilityView {
    LiabilityView {
        programme: asked.programme,
        region: asked.region.into(),
        as_of: asked.now,
        outstanding: Points::from_hundredths(answer.outstanding),
        held: Points::from_hundredths(answer.held),
        due: Points::from_hundredths(answer.due),
        expected_cost: decimal(answer.expected_cost),
        months_covered: answer.months_covered.map(tenths),
        budgets_left: answer.budgets_left.map(Points::from_hundredths),
        redeemed_share: share(answer.ended),
        by_region: answer.by_region.into_iter().map(RegionLiabilityView::from).collect(),
        by_month: answer.by_month.into_iter().map(MonthView::from).collect(),
    }
}
