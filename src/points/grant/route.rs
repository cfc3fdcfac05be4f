//! The calls about grants to the neediest and about donated points.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, post, web};
use chrono::{DateTime, Utc};
use entity::adjustment::AdjustmentStatus;
use entity::grant_round::GrantSource;
use entity::id::{BudgetId, GrantRoundId, JournalId, MemberId};
use entity::programme;
use sea_orm::{ConnectionTrait, EntityTrait as _};
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use super::error::GrantError;
use super::query::{self, DonatedView, RoundView};
use super::rank::{self, Candidate, Search};
use super::service::{self, Moment, NewRound};
use crate::app::State;
use crate::audit::{self, Actor, AuditEvent};
use crate::http::openapi::RequiredKey;
use crate::http::{Call, FieldError, Line, Listing, Page, Params, PathId, PointsAmount, Problem};
use crate::identity::{Caller, Manager};
use crate::points::Points;
use crate::region::{self, RegionCode};

/// How many one round gives to at most.
const MOST: usize = 500;

/// The routes of grants.
pub(in crate::points) fn routes(config: &mut ServiceConfig) {
    config.service(grant).service(list_rounds).service(get_round).service(decide).service(list_donated);
}

fn moment(state: &State) -> Moment {
    let now = state.clock.now();
    Moment { first: JournalId::new(), now, today: state.calendar.day_of(now) }
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct Grant {
    #[validate(length(min = 1, max = 64))]
    #[schema(min_length = 1, max_length = 64)]
    programme: String,
    /// What each of them gets.
    amount_each: PointsAmount,
    /// Give to so many, those who need it most. This or `member_ids`.
    #[validate(range(min = 1, max = 500))]
    #[schema(minimum = 1, maximum = 500)]
    count: Option<u32>,
    /// Give to these.
    #[validate(length(min = 1, max = 500))]
    #[schema(min_items = 1, max_items = 500)]
    member_ids: Option<Vec<MemberId>>,
    /// Whose members are looked at. With `from: "donations"` a community.
    region_code: RegionCode,
    /// With `count`: codes of the list `special_group`, the neediest first. Not given: whoever belongs to any comes first.
    /// Empty: groups do not count. Reading them is written down, with the reason.
    #[validate(length(max = 20))]
    #[schema(value_type = Option<Vec<String>>, max_items = 20)]
    special_groups: Option<Vec<Line<32>>>,
    /// `budget` where it is not given.
    from: Option<GrantSource>,
    /// With `from: "budget"`: this one. Not given: the one that serves each member's community.
    budget_id: Option<BudgetId>,
    #[schema(inline)]
    reason: Line<200>,
    /// Say who would get it, and give nothing.
    #[serde(default)]
    dry_run: bool,
}

impl Grant {
    fn source(&self) -> GrantSource {
        self.from.unwrap_or(GrantSource::Budget)
    }

    async fn check(&self, db: &impl ConnectionTrait, manager: &Manager) -> Result<programme::Model, Problem> {
        let mut errors = Vec::new();
        let mut refuse = |field: &'static str, code: &'static str, detail: &'static str| {
            errors.push(FieldError::new(field, code).saying(detail));
        };
        match (&self.count, &self.member_ids) {
            (None, None) => refuse("count", "required", "请填写人数，或列出居民名单"),
            (Some(_), Some(_)) => refuse("member_ids", "invalid", "人数和名单只填一项"),
            _ => {}
        }
        let within = manager.subtree().encloses(&self.region_code.subtree());
        if !within || !region::region_exists(db, &self.region_code).await? {
            refuse("region_code", "invalid", "没有这个区划，或不在您的管辖范围内，请重新选择");
        } else if self.source() == GrantSource::Donations && !self.region_code.is_community() {
            refuse("region_code", "invalid", "捐赠积分由社区发放，请选择一个社区");
        }
        if self.source() == GrantSource::Donations && self.budget_id.is_some() {
            refuse("budget_id", "invalid", "由捐赠账户发放时不填预算");
        }
        let found = programme::Entity::find_by_id(&self.programme).one(db).await?;
        if found.is_none() {
            refuse("programme", "invalid", "没有这个积分项目，请从积分项目列表中选择");
        }
        match found {
            Some(found) if errors.is_empty() => Ok(found),
            _ => Err(Problem::validation(errors)),
        }
    }

    /// Whom it is for: those who were named, or those who need it most.
    async fn choose(
        &self,
        state: &State,
        manager: &Manager,
        programme: &programme::Model,
    ) -> Result<Vec<Candidate>, GrantError> {
        let groups: Option<Vec<String>> =
            self.special_groups.as_ref().map(|groups| groups.iter().map(ToString::to_string).collect());
        let search = Search {
            subtree: self.region_code.subtree(),
            programme,
            groups: groups.as_deref(),
            except: manager.member,
            most: self.count.and_then(|count| usize::try_from(count).ok()).unwrap_or(MOST).min(MOST),
        };
        let chosen = match &self.member_ids {
            None => rank::neediest(state.db.read(), &state.keys, &search).await?,
            Some(ids) => {
                let mut ids = ids.clone();
                ids.sort_unstable();
                ids.dedup();
                let found = rank::named(state.db.read(), &search, &ids).await?;
                if found.len() != ids.len() {
                    let detail = "名单中有人不在该区域、不属于该积分项目或账号已停用，请核对";
                    return Err(GrantError::Field { field: "member_ids", detail });
                }
                found
            }
        };
        if chosen.is_empty() { Err(GrantError::Nobody) } else { Ok(chosen) }
    }
}

/// Give the same to many members of a region, to those who need it most or to those named: all of them, or nobody. Special
/// groups come first, then whoever has least to spend, then whoever has waited longest. For managers; never to the member
/// that they are (403 `second_person_required`).
///
/// Together above the setting (100.00) the round is kept `pending` until another manager approves it. 409
/// `budget_exhausted`, `insufficient_points` (the donated account has less), `nobody_to_grant`, `account_closed`.
#[utoipa::path(tag = "points", params(RequiredKey), request_body = Grant, responses((status = 201, body = RoundView)))]
#[post("/points/grants")]
async fn grant(state: State, call: Call<Grant>) -> Result<HttpResponse, Problem> {
    let manager = call.caller.manager()?;
    let (body, once) = call.admit_keyed(async || Ok(())).await?;
    let programme = body.check(state.db.read(), &manager).await?;
    let chosen = body.choose(&state, &manager, &programme).await?;
    let new = NewRound {
        id: GrantRoundId::new(),
        source: body.source(),
        region: body.region_code,
        programme: body.programme,
        budget_id: body.budget_id,
        amount_each: Points::from_hundredths(body.amount_each.hundredths()),
        reason: body.reason.into(),
        chosen,
    };
    let moment = moment(&state);
    once.run(&state, StatusCode::CREATED, async move |txn| {
        note_reading(txn, &manager, &new, moment.now).await?;
        if body.dry_run {
            let large = service::is_large(txn, &new).await?;
            return Ok(RoundView::tried(&new, large, manager.id, moment.now));
        }
        let row = service::request(txn, &manager, &new, moment).await?;
        let detail = json!({"each": row.amount_each, "members": row.members, "status": row.status});
        let event = AuditEvent::new(Actor::Staff(manager.id), "points.grant", "grant_round", moment.now).of(row.id);
        audit::record(txn, event.in_region(&row.region_code).with(detail)).await?;
        Ok::<_, GrantError>(query::one(txn, row).await?)
    })
    .await
}

/// Whoever was chosen for a special group has been read, and finds it in their export.
async fn note_reading(
    db: &impl ConnectionTrait,
    manager: &Manager,
    new: &NewRound,
    now: DateTime<Utc>,
) -> Result<(), GrantError> {
    for candidate in new.chosen.iter().filter(|candidate| candidate.special) {
        let event = AuditEvent::new(Actor::Staff(manager.id), "member.disclose", "member", now).of(candidate.id);
        let event = event.in_region(&candidate.region_code);
        audit::record(db, event.with(json!({"reason": new.reason, "special": true, "for": "points.grant"}))).await?;
    }
    Ok(())
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct RoundQuery {
    status: Option<AdjustmentStatus>,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    page: Page,
}

/// Rounds of grants of the subtree, latest first. For managers and auditors.
#[utoipa::path(tag = "points", params(RoundQuery, Page), responses((status = 200, body = Listing<RoundView>)))]
#[get("/points/grants")]
async fn list_rounds(
    state: State,
    caller: Caller,
    params: Params<RoundQuery>,
) -> Result<web::Json<Listing<RoundView>>, Problem> {
    let staff = caller.manager_or_auditor()?;
    let RoundQuery { status, page } = params.checked()?;
    Ok(web::Json(query::rounds(state.db.read(), &staff.subtree(), status, &page).await?))
}

/// One round with its members. For managers and auditors.
#[utoipa::path(tag = "points", params(("round_id" = GrantRoundId, Path)), responses((status = 200, body = RoundView)))]
#[get("/points/grants/{round_id}")]
async fn get_round(state: State, caller: Caller, id: PathId<GrantRoundId>) -> Result<web::Json<RoundView>, Problem> {
    let staff = caller.manager_or_auditor()?;
    let row = service::find(state.db.read(), &staff.subtree(), *id).await?;
    Ok(web::Json(query::one(state.db.read(), row).await?))
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum RoundDecision {
    #[default]
    Approve,
    Reject,
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct DecideRound {
    /// `approve` where it is not given.
    #[serde(default)]
    decision: RoundDecision,
}

/// Decide on a pending round as a whole. For a manager other than the one who asked (403 `second_person_required`).
#[utoipa::path(tag = "points", params(("round_id" = GrantRoundId, Path)), request_body = DecideRound, responses((status = 200, body = RoundView)))]
#[post("/points/grants/{round_id}/approval")]
async fn decide(state: State, id: PathId<GrantRoundId>, call: Call<DecideRound>) -> Result<HttpResponse, Problem> {
    let manager = call.caller.manager()?;
    let exists = async || Ok(service::find(state.db.read(), &manager.subtree(), *id).await.map(drop)?);
    let (body, once) = call.admit(exists).await?;
    let moment = moment(&state);
    let event = AuditEvent::new(Actor::Staff(manager.id), "points.grant.decide", "grant_round", moment.now).of(*id);
    let (done, elsewhere) = (event.clone(), event.in_region(&manager.region));
    let outcome = once.run(&state, StatusCode::OK, async move |txn| {
        let approve = body.decision == RoundDecision::Approve;
        let row = service::decide(txn, &manager, *id, approve, moment).await?;
        let event = done.clone().in_region(&row.region_code).with(json!({"status": row.status}));
        audit::record(txn, event).await?;
        Ok::<_, GrantError>(query::one(txn, row).await?)
    });
    let known = async || Ok(entity::grant_round::Entity::find_by_id(*id).one(state.db.read()).await?.is_some());
    audit::note_elsewhere(&state.db, outcome.await, elsewhere, known).await
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct DonatedQuery {
    /// This region's subtree.
    region: Option<RegionCode>,
    #[validate(length(max = 64))]
    programme: Option<String>,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    page: Page,
}

/// What stands in the donated accounts of the subtree's communities; `POST /points/grants` with `from: "donations"` gives it
/// on. For managers and auditors.
#[utoipa::path(tag = "points", params(DonatedQuery, Page), responses((status = 200, body = Listing<DonatedView>)))]
#[get("/points/donations")]
async fn list_donated(
    state: State,
    caller: Caller,
    params: Params<DonatedQuery>,
) -> Result<web::Json<Listing<DonatedView>>, Problem> {
    let staff = caller.manager_or_auditor()?;
    let DonatedQuery { region, programme, page } = params.checked()?;
    let (region, programme) = (region.as_ref(), programme.as_deref());
    let listing = query::donated(state.db.read(), &staff.subtree(), region, programme, &page).await?;
    Ok(web::Json(listing))
}
