//! The call for the report.

use actix_web::{HttpResponse, get};
use chrono::TimeDelta;
use sea_orm::DbErr;
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use super::report::{self, FairnessView, Question};
use crate::app::{AppState, State};
use crate::audit::{self, Actor, AuditEvent};
use crate::http::{Day, Params, Problem};
use crate::identity::Caller;
use crate::region::{self, RegionCode};
use crate::statement::render::{self, Format};

/// Days of a report, at most: its cost goes with them.
const MOST_DAYS: i64 = 366;
/// Where no first day is given.
const DAYS: i64 = 90;

/// The routes of this room.
pub fn routes(config: &mut ServiceConfig) {
    config.service(get_fairness);
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct FairnessQuery {
    /// This region's subtree; the caller's where it is not given.
    #[param(value_type = Option<String>, pattern = "^[0-9]{6,24}$")]
    region: Option<RegionCode>,
    /// The first local day; where it is not given, ninety days up to the last.
    from: Option<Day>,
    /// The last local day; today where it is not given. At most 366 days.
    until: Option<Day>,
    /// JSON where it is not given; else a file.
    #[serde(default)]
    #[param(inline, value_type = Option<Format>)]
    format: Format,
}

/// How long wishes wait by special group, community and category, how work is shared out among volunteers, what became of
/// offers, and which skills nobody free has. For managers and auditors; CSV, XLSX and PDF come as a file.
#[utoipa::path(tag = "matching", params(FairnessQuery), responses((status = 200, body = FairnessView)))]
#[get("/reports/fairness")]
async fn get_fairness(state: State, caller: Caller, params: Params<FairnessQuery>) -> Result<HttpResponse, Problem> {
    let staff = caller.manager_or_auditor()?;
    let query = params.checked()?;
    let code = query.region.clone().unwrap_or_else(|| staff.region.clone());
    let visible = staff.subtree().encloses(&code.subtree());
    let region = if visible { region::find(state.db.read(), code.as_str()).await? } else { None };
    let region = region.ok_or_else(Problem::not_found)?;
    let now = state.clock.now();
    let today = state.calendar.day_of(now);
    let until = query.until.map_or(today, Day::get);
    let from =
        query.from.map(Day::get).or_else(|| until.checked_sub_signed(TimeDelta::days(DAYS - 1))).unwrap_or(until);
    if from > until {
        return Err(Problem::invalid("until", "out_of_range", "截止日期不能早于开始日期，请修改"));
    }
    if (until - from).num_days() >= MOST_DAYS {
        return Err(Problem::invalid("from", "out_of_range", "一次最多统计 366 天，请缩短时间范围"));
    }
    let event = AuditEvent::new(Actor::Staff(staff.id), "report.fairness", "region", now);
    let detail = json!({"from": from, "until": until});
    note(&state, event.of(code.as_str()).in_region(code.as_str()).with(detail)).await?;
    let answer = report::read(&state, &Question { region, code, from, until, now }).await?;
    match query.format {
        Format::Json => Ok(HttpResponse::Ok().json(answer)),
        format => render::file(answer.paper(state.calendar), format).await,
    }
}

async fn note(state: &AppState, event: AuditEvent) -> Result<(), DbErr> {
    state.db.write(async move |txn| audit::record(txn, event.clone()).await).await
}
