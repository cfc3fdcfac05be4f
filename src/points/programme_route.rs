//! The calls about programmes.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, patch, post, web};
use chrono::{DateTime, Utc};
use entity::programme::{self, Expiry};
use sea_orm::EntityTrait as _;
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::json;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use super::domain::Points;
use super::error::PointsError;
use super::programmes::{self, Settings};
use super::query;
use super::rule_fields::is_code;
use crate::app::State;
use crate::audit::{self, Actor, AuditEvent};
use crate::http::{Call, Line, Listing, PathCode, PointsAmount, Problem, refusal};
use crate::identity::{Caller, Manager};
use crate::region::RegionCode;

/// The routes of programmes.
pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(list_programmes).service(add_programme).service(change_programme);
}

/// What a point costs: yuan with at most four places, `"0.0100"`. Holds ten-thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PointCost(i64);

impl PointCost {
    /// A million yuan: more is a slip of the finger.
    const MOST: i64 = 1_000_000 * 10_000;

    fn parse(text: &str) -> Result<Self, &'static str> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > 4 || (whole.len() > 1 && whole.starts_with('0')) {
            return Err("invalid");
        }
        let whole: i64 = if whole.len() > 9 { i64::MAX } else { whole.parse().map_err(|_| "invalid")? };
        let parts: i64 = format!("{fraction:0<4}").parse().map_err(|_| "invalid")?;
        let cost = whole.saturating_mul(10_000).saturating_add(parts);
        if cost > Self::MOST { Err("out_of_range") } else { Ok(Self(cost)) }
    }
}

impl<'de> Deserialize<'de> for PointCost {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?)
            .map_err(|code| D::Error::custom(refusal(code, "请填写每分的成本（元），最多四位小数，如 0.0100")))
    }
}

impl Serialize for PointCost {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}.{:04}", self.0 / 10_000, self.0 % 10_000))
    }
}

impl PartialSchema for PointCost {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .pattern(Some(r"^\d{1,7}(\.\d{1,4})?$"))
            .examples(["0.0100"])
            .description(Some("Yuan with four places."))
            .into()
    }
}

impl ToSchema for PointCost {}

/// A kind of points.
#[derive(Serialize, ToSchema)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the programme")]
struct ProgrammeView {
    code: String,
    name: String,
    /// What one point is called.
    unit: String,
    /// Null: everywhere.
    region_code: Option<String>,
    expiry: Expiry,
    /// With expiry `months`: how many.
    expiry_months: Option<i32>,
    /// With expiry `year_end`: how many years after the end of the year in which the points came.
    expiry_years: i32,
    /// How many days before points expire their member is told; 0: never.
    notice_days: i32,
    /// How many days a confirmed wish may be reopened.
    reopen_days: i32,
    /// Whether rules may take points away.
    negative_allowed: bool,
    /// Whether nothing is issued without a budget.
    budget_required: bool,
    /// Whether members of a household may spend each other's points, by consent.
    households_pool: bool,
    /// What a member may have at most; what comes above is donated.
    account_cap: Option<Points>,
    gifts_allowed: bool,
    /// What a member may give away at most on one local day.
    gift_cap_day: Option<Points>,
    /// What a member may give to the same receiver at most in one local month.
    gift_cap_receiver: Option<Points>,
    /// What a point costs whoever pays for it.
    point_cost: PointCost,
    updated_at: Option<DateTime<Utc>>,
}

impl From<programme::Model> for ProgrammeView {
    fn from(row: programme::Model) -> Self {
        Self {
            code: row.code,
            name: row.name,
            unit: row.unit_name,
            region_code: row.region_code,
            expiry: row.expiry,
            expiry_months: row.expiry_months,
            expiry_years: row.expiry_years,
            notice_days: row.notice_days,
            reopen_days: row.reopen_days,
            negative_allowed: row.negative_allowed,
            budget_required: row.budget_required,
            households_pool: row.households_pool,
            account_cap: row.account_cap.map(Points::from_hundredths),
            gifts_allowed: row.gifts_allowed,
            gift_cap_day: row.gift_cap_day.map(Points::from_hundredths),
            gift_cap_receiver: row.gift_cap_receiver.map(Points::from_hundredths),
            point_cost: PointCost(row.point_cost),
            updated_at: row.updated_at,
        }
    }
}

/// The kinds of points there are.
#[utoipa::path(tag = "points", responses((status = 200, body = Listing<ProgrammeView>)))]
#[get("/points/programmes")]
async fn list_programmes(state: State, _: Caller) -> Result<web::Json<Listing<ProgrammeView>>, Problem> {
    let rows = query::programmes(state.db.read()).await?;
    Ok(web::Json(Listing::whole(rows).map(ProgrammeView::from)))
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct AddProgramme {
    /// 2 to 32 small letters, digits, hyphens and underscores.
    code: String,
    #[schema(value_type = String, min_length = 1, max_length = 50)]
    name: Line<50>,
    /// What one point is called; 分 where it is not given.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 10)]
    unit: Option<Line<10>>,
    /// Your own region where it is not given.
    region_code: Option<RegionCode>,
    /// `never` where it is not given.
    #[schema(inline)]
    expiry: Option<Expiry>,
    #[validate(range(min = 1, max = 120))]
    #[schema(minimum = 1, maximum = 120)]
    expiry_months: Option<i32>,
    #[validate(range(min = 0, max = 10))]
    #[schema(minimum = 0, maximum = 10)]
    expiry_years: Option<i32>,
    #[validate(range(min = 0, max = 365))]
    #[schema(minimum = 0, maximum = 365)]
    notice_days: Option<i32>,
    #[validate(range(min = 0, max = 365))]
    #[schema(minimum = 0, maximum = 365)]
    reopen_days: Option<i32>,
    negative_allowed: Option<bool>,
    budget_required: Option<bool>,
    households_pool: Option<bool>,
    #[schema(inline)]
    account_cap: Option<PointsAmount>,
    gifts_allowed: Option<bool>,
    #[schema(inline)]
    gift_cap_day: Option<PointsAmount>,
    #[schema(inline)]
    gift_cap_receiver: Option<PointsAmount>,
    #[schema(inline)]
    point_cost: Option<PointCost>,
}

const fn hundredths(amount: PointsAmount) -> i64 {
    amount.hundredths()
}

/// Set up a kind of points. For managers, for their region or one in it.
#[utoipa::path(tag = "points", request_body = AddProgramme, responses((status = 201, body = ProgrammeView)))]
#[post("/points/programmes")]
async fn add_programme(state: State, call: Call<AddProgramme>) -> Result<HttpResponse, Problem> {
    let manager = call.caller.manager()?;
    let (body, once) = call.admit(async || Ok(())).await?;
    if body.code.len() < 2 || !is_code(&body.code) {
        return Err(Problem::invalid("code", "invalid", "代码为 2 至 32 位小写字母、数字、- 或 _，请修改"));
    }
    let settings = Settings {
        name: Some(body.name.into_inner()),
        unit: body.unit.map(Line::into_inner),
        expiry: body.expiry,
        expiry_months: body.expiry_months,
        expiry_years: body.expiry_years,
        notice_days: body.notice_days,
        reopen_days: body.reopen_days,
        negative_allowed: body.negative_allowed,
        budget_required: body.budget_required,
        households_pool: body.households_pool,
        account_cap: Some(body.account_cap.map(hundredths)),
        gifts_allowed: body.gifts_allowed,
        gift_cap_day: Some(body.gift_cap_day.map(hundredths)),
        gift_cap_receiver: Some(body.gift_cap_receiver.map(hundredths)),
        point_cost: body.point_cost.map(|cost| cost.0),
    };
    let (code, region, now) = (body.code, body.region_code, state.clock.now());
    once.run(&state, StatusCode::CREATED, async move |txn| {
        let row = programmes::add(txn, &manager, &code, region.as_ref(), &settings, now).await?;
        record(txn, &manager, "points.programme.add", &row, now).await?;
        Ok::<_, PointsError>(ProgrammeView::from(row))
    })
    .await
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
#[allow(clippy::option_option, reason = "null empties, absent leaves as it is")]
struct ChangeProgramme {
    #[schema(value_type = Option<String>, min_length = 1, max_length = 50)]
    name: Option<Line<50>>,
    #[schema(value_type = Option<String>, min_length = 1, max_length = 10)]
    unit: Option<Line<10>>,
    /// Of points that come from now on; those that members have keep their dates.
    #[schema(inline)]
    expiry: Option<Expiry>,
    #[validate(range(min = 1, max = 120))]
    #[schema(minimum = 1, maximum = 120)]
    expiry_months: Option<i32>,
    #[validate(range(min = 0, max = 10))]
    #[schema(minimum = 0, maximum = 10)]
    expiry_years: Option<i32>,
    #[validate(range(min = 0, max = 365))]
    #[schema(minimum = 0, maximum = 365)]
    notice_days: Option<i32>,
    #[validate(range(min = 0, max = 365))]
    #[schema(minimum = 0, maximum = 365)]
    reopen_days: Option<i32>,
    negative_allowed: Option<bool>,
    budget_required: Option<bool>,
    households_pool: Option<bool>,
    /// Null: none from now on.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    account_cap: Option<Option<PointsAmount>>,
    gifts_allowed: Option<bool>,
    /// Null: none from now on.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    gift_cap_day: Option<Option<PointsAmount>>,
    /// Null: none from now on.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    gift_cap_receiver: Option<Option<PointsAmount>>,
    #[schema(inline)]
    point_cost: Option<PointCost>,
}

/// Tells `null` from a field that is not there.
#[allow(clippy::option_option, reason = "not there, null, and a value are three things")]
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Change a kind of points. For managers whose subtree holds its region; that of every region is for an admin of all.
#[utoipa::path(tag = "points", params(("code" = String, Path)), request_body = ChangeProgramme,
    responses((status = 200, body = ProgrammeView)))]
#[patch("/points/programmes/{code}")]
async fn change_programme(state: State, code: PathCode, call: Call<ChangeProgramme>) -> Result<HttpResponse, Problem> {
    let manager = call.caller.manager()?;
    let exists = async || Ok(programmes::find(state.db.read(), &manager, &code).await.map(drop)?);
    let (body, once) = call.admit(exists).await?;
    let settings = Settings {
        name: body.name.map(Line::into_inner),
        unit: body.unit.map(Line::into_inner),
        expiry: body.expiry,
        expiry_months: body.expiry_months,
        expiry_years: body.expiry_years,
        notice_days: body.notice_days,
        reopen_days: body.reopen_days,
        negative_allowed: body.negative_allowed,
        budget_required: body.budget_required,
        households_pool: body.households_pool,
        account_cap: body.account_cap.map(|cap| cap.map(hundredths)),
        gifts_allowed: body.gifts_allowed,
        gift_cap_day: body.gift_cap_day.map(|cap| cap.map(hundredths)),
        gift_cap_receiver: body.gift_cap_receiver.map(|cap| cap.map(hundredths)),
        point_cost: body.point_cost.map(|cost| cost.0),
    };
    let (now, code) = (state.clock.now(), code.0);
    let event = AuditEvent::new(Actor::Staff(manager.id), "points.programme.change", "programme", now);
    let event = event.of(&code).in_region(&manager.region);
    let named = code.clone();
    let outcome = once.run(&state, StatusCode::OK, async move |txn| {
        let row = programmes::change(txn, &manager, &named, &settings, now).await?;
        record(txn, &manager, "points.programme.change", &row, now).await?;
        Ok::<_, PointsError>(ProgrammeView::from(row))
    });
    let known = async || Ok(programme::Entity::find_by_id(&code).one(state.db.read()).await?.is_some());
    audit::note_elsewhere(&state.db, outcome.await, event, known).await
}

async fn record(
    db: &impl sea_orm::ConnectionTrait,
    manager: &Manager,
    action: &'static str,
    row: &programme::Model,
    now: DateTime<Utc>,
) -> Result<(), PointsError> {
    let event = AuditEvent::new(Actor::Staff(manager.id), action, "programme", now).of(&row.code);
    let event = event.in_region(row.region_code.as_deref().unwrap_or(&manager.region));
    let detail = json!({
        "expiry": row.expiry, "expiry_months": row.expiry_months, "expiry_years": row.expiry_years,
        "notice_days": row.notice_days, "negative_allowed": row.negative_allowed, "budget_required": row.budget_required,
        "households_pool": row.households_pool, "account_cap": row.account_cap, "gifts_allowed": row.gifts_allowed,
        "gift_cap_day": row.gift_cap_day, "gift_cap_receiver": row.gift_cap_receiver, "point_cost": row.point_cost,
    });
    Ok(audit::record(db, event.with(detail)).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("0", Ok(0))]
    #[case("0.01", Ok(100))]
    #[case("0.0001", Ok(1))]
    #[case("1.5", Ok(15_000))]
    #[case("1000000", Ok(10_000_000_000))]
    #[case("1000000.0001", Err("out_of_range"))]
    #[case("99999999999999999999", Err("out_of_range"))]
    #[case("0.00001", Err("invalid"))]
    #[case("-1", Err("invalid"))]
    #[case("1e3", Err("invalid"))]
    #[case("01", Err("invalid"))]
    #[case("1.", Err("invalid"))]
    #[case("", Err("invalid"))]
    fn a_cost_is_yuan_with_four_places(#[case] text: &str, #[case] expected: Result<i64, &str>) {
        assert_eq!(PointCost::parse(text).map(|cost| cost.0), expected);
    }

    #[test]
    fn a_cost_is_shown_with_four_places() {
        assert_eq!(serde_json::to_value(PointCost(15_001)).unwrap(), "1.5001");
    }
}
