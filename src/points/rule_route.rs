//! The calls about rules.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, post, web};
use chrono::{DateTime, Utc};
use entity::category::Category;
use entity::id::RuleId;
use entity::rule::{self, Approver, RuleBasis, Subject};
use entity::service_record::Evidence;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use super::domain::Points;
use super::error::PointsError;
use super::programmes::DEFAULT;
use super::rule_body::{Factors, RuleBody};
use super::rules::{self, Report, Saved};
use super::timeline::{Gap, Span};
use crate::app::State;
use crate::audit::{self, Actor, AuditEvent};
use crate::http::{Call, Instant, Listing, Page, Params, PathId, Problem};
use crate::identity::{Caller, Manager};
use crate::region::RegionCode;

/// The routes of rules.
pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(list_rules).service(add_rule).service(check_rules).service(end_rule);
}

/// What something done earns.
#[derive(Serialize, ToSchema)]
struct RuleView {
    id: RuleId,
    programme: String,
    /// Null: everywhere. The rule of the smallest region applies.
    region_code: Option<String>,
    subject: Subject,
    /// Null: every category. A rule for the category goes before.
    category: Option<String>,
    /// Null: everything. A rule for the item goes before one for the category.
    item: Option<String>,
    name: Option<String>,
    basis: RuleBasis,
    /// For each unit of the basis; below zero it is taken away.
    amount: Points,
    per_minutes: Option<i32>,
    per_units: Option<i32>,
    factors: Factors,
    /// At most so much per member and local day, in the whole programme.
    cap_day: Option<Points>,
    /// At most so much per member and local week, in the whole programme.
    cap_week: Option<Points>,
    /// At most so much per member and local month, in the whole programme.
    cap_month: Option<Points>,
    /// At most so much per member by this version of the rule.
    cap_rule: Option<Points>,
    /// What is proved worse earns nothing.
    min_evidence: Option<Evidence>,
    /// How high the manager must stand who verifies.
    approver: Approver,
    version: i32,
    valid_from: DateTime<Utc>,
    /// The instant from which it is no longer in force. A rule that was called off ends where it begins.
    valid_until: Option<DateTime<Utc>>,
}

impl From<rule::Model> for RuleView {
    fn from(row: rule::Model) -> Self {
        let factors = Factors::of(&row);
        Self {
            id: row.id,
            programme: row.programme,
            region_code: row.region_code,
            subject: row.subject,
            category: row.category,
            item: row.item,
            name: row.name,
            basis: row.basis,
            amount: Points::from_hundredths(row.amount),
            per_minutes: row.per_minutes,
            per_units: row.per_units,
            factors,
            cap_day: row.cap_day.map(Points::from_hundredths),
            cap_week: row.cap_week.map(Points::from_hundredths),
            cap_month: row.cap_month.map(Points::from_hundredths),
            cap_rule: row.cap_rule.map(Points::from_hundredths),
            min_evidence: row.min_evidence,
            approver: row.approver,
            version: row.version,
            valid_from: row.valid_from,
            valid_until: row.valid_until,
        }
    }
}

/// A span of time in which no rule of a scope is in force.
#[derive(Serialize, ToSchema)]
struct GapView {
    from: DateTime<Utc>,
    /// Null: open to the end.
    until: Option<DateTime<Utc>>,
    /// The wider rule that applies then; null: nothing is earned.
    falls_back_to: Option<RuleId>,
}

impl From<Gap> for GapView {
    fn from(gap: Gap) -> Self {
        Self { from: gap.span.from, until: gap.span.until, falls_back_to: gap.falls_back_to }
    }
}

/// A rule, and what became of its scope.
#[derive(Serialize, ToSchema)]
struct SavedRule {
    #[serde(flatten)]
    rule: RuleView,
    /// The version that ends where this one begins.
    replaces: Option<RuleId>,
    /// After the earliest rule of the scope, the spans in which none of it is in force.
    gaps: Vec<GapView>,
}

impl From<Saved> for SavedRule {
    fn from(saved: Saved) -> Self {
        Self {
            rule: saved.rule.into(),
            replaces: saved.replaces,
            gaps: saved.gaps.into_iter().map(GapView::from).collect(),
        }
    }
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct RuleQuery {
    #[validate(length(max = 64))]
    programme: Option<String>,
    /// Those in force at this instant only.
    at: Option<Instant>,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    page: Page,
}

/// The rules, newest first. For managers and auditors.
#[utoipa::path(tag = "points", params(RuleQuery, Page), responses((status = 200, body = Listing<RuleView>)))]
#[get("/points/rules")]
async fn list_rules(
    state: State,
    caller: Caller,
    params: Params<RuleQuery>,
) -> Result<web::Json<Listing<RuleView>>, Problem> {
    caller.manager_or_auditor()?;
    let RuleQuery { programme, at, page } = params.checked()?;
    let listing = rules::list(state.db.read(), programme.as_deref(), at.map(Instant::get), &page).await?;
    Ok(web::Json(listing.map(RuleView::from)))
}

/// Add a rule, or a new version of the one of the same scope (programme, region, subject, category and item). For managers,
/// in their own subtree.
///
/// The version that is open to the end ends where this one begins; one without an end of its own ends where a later one
/// begins. Any other overlap in time is refused (`overlapping_rule` on `valid_from` or `valid_until`).
#[utoipa::path(tag = "points", request_body = RuleBody, responses((status = 201, body = SavedRule)))]
#[post("/points/rules")]
async fn add_rule(state: State, call: Call<RuleBody>) -> Result<HttpResponse, Problem> {
    let manager = call.caller.manager()?;
    let (body, once) = call.admit(async || Ok(())).await?;
    let now = state.clock.now();
    let new = body.rule(now).map_err(Problem::validation)?;
    once.run(&state, StatusCode::CREATED, async move |txn| {
        let saved = rules::add(txn, &manager, &new, now).await?;
        record(txn, &manager, "points.rule", &saved, now).await?;
        Ok::<_, PointsError>(SavedRule::from(saved))
    })
    .await
}

async fn record(
    db: &impl sea_orm::ConnectionTrait,
    manager: &Manager,
    action: &'static str,
    saved: &Saved,
    now: DateTime<Utc>,
) -> Result<(), PointsError> {
    let rule = &saved.rule;
    let event = AuditEvent::new(Actor::Staff(manager.id), action, "rule", now).of(rule.id);
    let event = event.in_region(rule.region_code.as_deref().unwrap_or(&manager.region));
    let detail = json!({
        "programme": rule.programme, "version": rule.version, "amount": rule.amount, "replaces": saved.replaces,
        "valid_from": rule.valid_from, "valid_until": rule.valid_until,
    });
    Ok(audit::record(db, event.with(detail)).await?)
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct EndRule {
    /// Not in the past, and not later than it ends anyway. Where it is not given: now, and a rule that has not begun is
    /// called off.
    valid_until: Option<Instant>,
}

/// End a rule. What was earned by it stays. For managers, in their own subtree; 409 `invalid_transition` where it is over.
#[utoipa::path(tag = "points", params(("rule_id" = RuleId, Path)), request_body = EndRule,
    responses((status = 200, body = SavedRule)))]
#[post("/points/rules/{rule_id}/end")]
async fn end_rule(state: State, id: PathId<RuleId>, call: Call<EndRule>) -> Result<HttpResponse, Problem> {
    let manager = call.caller.manager()?;
    let exists = async || Ok(rules::find(state.db.read(), &manager, *id).await.map(drop)?);
    let (body, once) = call.admit(exists).await?;
    let (now, at) = (state.clock.now(), body.valid_until.map(Instant::get));
    let event = AuditEvent::new(Actor::Staff(manager.id), "points.rule.end", "rule", now);
    let event = event.of(*id).in_region(&manager.region);
    let outcome = once.run(&state, StatusCode::OK, async move |txn| {
        let saved = rules::end(txn, &manager, *id, at, now).await?;
        record(txn, &manager, "points.rule.end", &saved, now).await?;
        Ok::<_, PointsError>(SavedRule::from(saved))
    });
    let known = async || rules::exists(state.db.read(), *id).await;
    audit::note_elsewhere(&state.db, outcome.await, event, known).await
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct CheckQuery {
    /// `default` where it is not given.
    #[validate(length(max = 64))]
    programme: Option<String>,
    /// Your own where it is not given.
    region: Option<RegionCode>,
}

/// What is wrong, or may be, with the rules of a subtree.
#[derive(Serialize, ToSchema)]
struct CheckView {
    /// Versions of one scope that are in force at once.
    overlaps: Vec<OverlapView>,
    /// Spans after the earliest rule of a scope in which none of it is in force.
    gaps: Vec<ScopeGapView>,
    /// Spans from now on in which services of a category earn nothing in the region itself.
    uncovered: Vec<UncoveredView>,
}

/// Which rules stand in each other's stead.
#[derive(Serialize, ToSchema)]
struct ScopeView {
    region_code: Option<String>,
    subject: Subject,
    category: Option<String>,
    item: Option<String>,
}

impl From<&rule::Model> for ScopeView {
    fn from(rule: &rule::Model) -> Self {
        Self {
            region_code: rule.region_code.clone(),
            subject: rule.subject,
            category: rule.category.clone(),
            item: rule.item.clone(),
        }
    }
}

#[derive(Serialize, ToSchema)]
struct OverlapView {
    #[serde(flatten)]
    scope: ScopeView,
    rules: [RuleId; 2],
    from: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
}

#[derive(Serialize, ToSchema)]
struct ScopeGapView {
    #[serde(flatten)]
    scope: ScopeView,
    #[serde(flatten)]
    gap: GapView,
}

#[derive(Serialize, ToSchema)]
struct UncoveredView {
    category: Category,
    from: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
}

impl From<Report> for CheckView {
    fn from(report: Report) -> Self {
        let overlap = |(one, two, Span { from, until }): (rule::Model, rule::Model, Span)| OverlapView {
            scope: ScopeView::from(&one),
            rules: [one.id, two.id],
            from,
            until,
        };
        let gap = |(rule, gap): (rule::Model, Gap)| ScopeGapView { scope: ScopeView::from(&rule), gap: gap.into() };
        let bare = |(category, Span { from, until })| UncoveredView { category, from, until };
        Self {
            overlaps: report.overlaps.into_iter().map(overlap).collect(),
            gaps: report.gaps.into_iter().map(gap).collect(),
            uncovered: report.uncovered.into_iter().map(bare).collect(),
        }
    }
}

/// Look for overlaps and gaps in the rules of a subtree. For managers and auditors, in their own.
#[utoipa::path(tag = "points", params(CheckQuery), responses((status = 200, body = CheckView)))]
#[get("/points/rules/check")]
async fn check_rules(
    state: State,
    caller: Caller,
    params: Params<CheckQuery>,
) -> Result<web::Json<CheckView>, Problem> {
    let staff = caller.manager_or_auditor()?;
    let CheckQuery { programme, region } = params.checked()?;
    let region = region.unwrap_or_else(|| staff.region.clone());
    if !staff.subtree().encloses(&region.subtree()) {
        return Ok(web::Json(Report::default().into()));
    }
    let programme = programme.as_deref().unwrap_or(DEFAULT);
    let report = rules::check(state.db.read(), programme, &region, state.clock.now()).await?;
    Ok(web::Json(report.into()))
}
