//! The calls about a region's rules for offers, and what staff see of a task's offers.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, delete, get, patch, web};
use chrono::{DateTime, Utc};
use entity::id::{StaffId, TaskId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use super::policy::{self, Policies, Policy};
use super::waves::{self, WaveView};
use crate::app::{AppState, State};
use crate::audit::{self, Actor, AuditEvent};
use crate::db::Txn;
use crate::http::{Call, Listing, PathCode, PathId, Problem};
use crate::identity::{Caller, StaffCaller};
use crate::region::{self, RegionCode};
use crate::task::error::TaskError;
use crate::task::query as tasks;

/// The routes of this room.
pub fn routes(config: &mut ServiceConfig) {
    config.service(get_policy).service(change_policy).service(drop_policy).service(list_offers);
}

/// What holds in a region.
#[derive(Serialize, ToSchema)]
struct PolicyView {
    region_code: String,
    /// The region whose rules they are: itself or one around it; null where nobody said anything and the defaults hold.
    from_region: Option<String>,
    /// Whether the matcher makes offers by itself.
    enabled: bool,
    /// How long a task is open to all before anybody is asked.
    wait_minutes: i32,
    /// How long an offer may be answered.
    expires_minutes: i32,
    /// A window that begins so soon is urgent.
    urgent_minutes: i32,
    /// So is a task of this priority or more; null: priority makes nothing urgent.
    urgent_priority: Option<i32>,
    /// How long an offer of an urgent task may be answered.
    urgent_expires_minutes: i32,
    /// How many are asked at once for each free slot of an urgent task; the first to accept are taken.
    wave_size: i32,
    /// Open offers that one volunteer has at most.
    max_open_offers: i32,
    /// How many are asked for one task, at most.
    max_asked: i32,
    /// Nobody is asked below this score.
    min_score: i32,
    updated_by: Option<StaffId>,
    updated_at: Option<DateTime<Utc>>,
}

impl PolicyView {
    fn of(policies: &Policies, region: &RegionCode) -> Self {
        let (policy, row) = policies.of(region);
        Self {
            region_code: region.to_string(),
            from_region: row.map(|row| row.region_code.clone()),
            enabled: policy.enabled,
            wait_minutes: policy.wait_minutes,
            expires_minutes: policy.expires_minutes,
            urgent_minutes: policy.urgent_minutes,
            urgent_priority: policy.urgent_priority,
            urgent_expires_minutes: policy.urgent_expires_minutes,
            wave_size: policy.wave_size,
            max_open_offers: policy.max_open_offers,
            max_asked: policy.max_asked,
            min_score: policy.min_score,
            updated_by: row.and_then(|row| row.updated_by),
            updated_at: row.map(|row| row.updated_at),
        }
    }
}

/// Other rules; what is not given stays as it holds now.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangePolicy {
    enabled: Option<bool>,
    #[validate(range(min = 0, max = 10080))]
    #[schema(minimum = 0, maximum = 10080)]
    wait_minutes: Option<i32>,
    #[validate(range(min = 1, max = 10080))]
    #[schema(minimum = 1, maximum = 10080)]
    expires_minutes: Option<i32>,
    #[validate(range(min = 0, max = 10080))]
    #[schema(minimum = 0, maximum = 10080)]
    urgent_minutes: Option<i32>,
    /// 0: priority makes nothing urgent.
    #[validate(range(min = 0, max = 1000))]
    #[schema(minimum = 0, maximum = 1000)]
    urgent_priority: Option<i32>,
    #[validate(range(min = 1, max = 10080))]
    #[schema(minimum = 1, maximum = 10080)]
    urgent_expires_minutes: Option<i32>,
    #[validate(range(min = 1, max = 20))]
    #[schema(minimum = 1, maximum = 20)]
    wave_size: Option<i32>,
    #[validate(range(min = 1, max = 50))]
    #[schema(minimum = 1, maximum = 50)]
    max_open_offers: Option<i32>,
    #[validate(range(min = 1, max = 500))]
    #[schema(minimum = 1, maximum = 500)]
    max_asked: Option<i32>,
    #[validate(range(min = 0, max = 100))]
    #[schema(minimum = 0, maximum = 100)]
    min_score: Option<i32>,
}

impl ChangePolicy {
    fn apply(&self, now: Policy) -> Policy {
        let urgent_priority = self.urgent_priority.map(|least| (least > 0).then_some(least));
        Policy {
            enabled: self.enabled.unwrap_or(now.enabled),
            wait_minutes: self.wait_minutes.unwrap_or(now.wait_minutes),
            expires_minutes: self.expires_minutes.unwrap_or(now.expires_minutes),
            urgent_minutes: self.urgent_minutes.unwrap_or(now.urgent_minutes),
            urgent_priority: urgent_priority.unwrap_or(now.urgent_priority),
            urgent_expires_minutes: self.urgent_expires_minutes.unwrap_or(now.urgent_expires_minutes),
            wave_size: self.wave_size.unwrap_or(now.wave_size),
            max_open_offers: self.max_open_offers.unwrap_or(now.max_open_offers),
            max_asked: self.max_asked.unwrap_or(now.max_asked),
            min_score: self.min_score.unwrap_or(now.min_score),
        }
    }
}

/// Nothing.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct DropPolicy {}

/// A region that is there and in the subtree.
async fn seen(state: &AppState, staff: &StaffCaller, code: &str) -> Result<RegionCode, Problem> {
    let region = RegionCode::parse(code).map_err(|_| Problem::not_found())?;
    let visible = staff.subtree().encloses(&region.subtree());
    if visible && region::find(state.db.lookup(), code).await?.is_some() {
        Ok(region)
    } else {
        Err(Problem::not_found())
    }
}

/// Whether and how the matcher makes offers by itself in a region. For managers and auditors.
#[utoipa::path(tag = "matching", params(("code" = String, Path)), responses((status = 200, body = PolicyView)))]
#[get("/regions/{code}/offer-policy")]
async fn get_policy(state: State, caller: Caller, code: PathCode) -> Result<web::Json<PolicyView>, Problem> {
    let staff = caller.manager_or_auditor()?;
    let region = seen(&state, &staff, &code).await?;
    let policies = Policies::read(state.db.lookup()).await?;
    Ok(web::Json(PolicyView::of(&policies, &region)))
}

/// Give a region rules of its own for offers by the matcher, or switch them on and off. For managers.
///
/// They hold for all regions below that have none of their own; open offers stay as they are.
#[utoipa::path(tag = "matching", params(("code" = String, Path)), request_body = ChangePolicy,
    responses((status = 200, body = PolicyView)))]
#[patch("/regions/{code}/offer-policy")]
async fn change_policy(state: State, code: PathCode, call: Call<ChangePolicy>) -> Result<HttpResponse, Problem> {
    let manager = call.caller.manager()?;
    let found = seen(&state, &manager, &code).await;
    let (body, once) = call.admit(async || found.as_ref().map(drop).map_err(Clone::clone)).await?;
    let now = state.clock.now();
    let event = AuditEvent::new(Actor::Staff(manager.id), "offer_policy.change", "region", now);
    let event = event.of(&*code).in_region(&manager.region);
    let outcome = match found {
        Err(problem) => Err(problem),
        Ok(region) => {
            let event = event.clone();
            once.run(&state, StatusCode::OK, async move |txn: &Txn| {
                let (before, _) = Policies::read(txn).await?.of(&region);
                let policy = body.apply(before);
                policy::set(txn, &region, policy, manager.id, now).await?;
                let changes = json!({"before": words(before), "after": words(policy)});
                audit::record(txn, event.clone().in_region(&region).with(changes)).await?;
                Ok::<_, TaskError>(PolicyView::of(&Policies::read(txn).await?, &region))
            })
            .await
        }
    };
    audit::note_elsewhere(&state.db, outcome, event, async || known(&state, &code).await).await
}

/// Take a region's own rules away, so that those around it hold again. For managers.
#[utoipa::path(tag = "matching", params(("code" = String, Path)), request_body = DropPolicy,
    responses((status = 200, body = PolicyView)))]
#[delete("/regions/{code}/offer-policy")]
async fn drop_policy(state: State, code: PathCode, call: Call<DropPolicy>) -> Result<HttpResponse, Problem> {
    let manager = call.caller.manager()?;
    let found = seen(&state, &manager, &code).await;
    let (_, once) = call.admit(async || found.as_ref().map(drop).map_err(Clone::clone)).await?;
    let now = state.clock.now();
    let event = AuditEvent::new(Actor::Staff(manager.id), "offer_policy.drop", "region", now);
    let event = event.of(&*code).in_region(&manager.region);
    let outcome = match found {
        Err(problem) => Err(problem),
        Ok(region) => {
            let event = event.clone();
            once.run(&state, StatusCode::OK, async move |txn: &Txn| {
                if policy::unset(txn, &region, now).await? {
                    audit::record(txn, event.clone().in_region(&region)).await?;
                }
                Ok::<_, TaskError>(PolicyView::of(&Policies::read(txn).await?, &region))
            })
            .await
        }
    };
    audit::note_elsewhere(&state.db, outcome, event, async || known(&state, &code).await).await
}

fn words(policy: Policy) -> serde_json::Value {
    json!({
        "enabled": policy.enabled, "wait": policy.wait_minutes, "expires": policy.expires_minutes,
        "urgent": policy.urgent_minutes, "urgent_priority": policy.urgent_priority,
        "urgent_expires": policy.urgent_expires_minutes, "wave": policy.wave_size,
        "max_open": policy.max_open_offers, "max_asked": policy.max_asked, "min_score": policy.min_score,
    })
}

async fn known(state: &AppState, code: &str) -> Result<bool, sea_orm::DbErr> {
    Ok(region::find(state.db.lookup(), code).await?.is_some())
}

/// Who was asked for a task, wave by wave, newest first. For staff.
#[utoipa::path(tag = "matching", params(("task_id" = TaskId, Path)), responses((status = 200, body = Listing<WaveView>)))]
#[get("/tasks/{task_id}/offers")]
async fn list_offers(
    state: State,
    caller: Caller,
    id: PathId<TaskId>,
) -> Result<web::Json<Listing<WaveView>>, Problem> {
    caller.staff()?;
    let task = tasks::find(state.db.lookup(), &caller, *id).await?;
    Ok(web::Json(Listing::whole(waves::of(state.db.read(), task.id, state.clock.now()).await?)))
}
