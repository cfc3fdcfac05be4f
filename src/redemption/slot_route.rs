//! The calls about times at which a service can be had.

use std::borrow::Cow;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, patch, post, web};
use chrono::{DateTime, Datelike as _, NaiveDate, TimeDelta, Utc};
use entity::goods_slot::{Model, SlotStatus};
use entity::id::{GoodsId, SlotId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use validator::{Validate, ValidationError};

use super::error::RedemptionError;
use super::goods;
use super::lines::Basket;
use super::pattern::Pattern;
use super::query;
use super::route::{moment, tell};
use super::service::Moment;
use super::slot::{self, MOST_SLOTS, NewSlot, SlotChange, SlotFilter};
use super::trail::Witness;
use crate::app::State;
use crate::audit::{self, Actor, AuditEvent};
use crate::db::Txn;
use crate::http::{Call, Instant, Listing, Page, Params, PathId, Problem};
use crate::identity::Caller;
use crate::identity::hours::HourMinute;

/// The longest span of a weekly pattern.
const MOST_DAYS: i64 = 366;

/// The routes of slots.
pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(list_slots).service(add_slots).service(change_slot);
}

/// A time at which a service can be had.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct SlotView {
    id: SlotId,
    goods_id: GoodsId,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    /// How many can have it.
    capacity: i32,
    /// How many have booked it.
    taken: i32,
    status: SlotStatus,
}

impl From<Model> for SlotView {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            goods_id: row.goods_id,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            capacity: row.capacity,
            taken: row.taken,
            status: row.status,
        }
    }
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct SlotQuery {
    /// Those that start from then on; now where it is not given.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Instant>,
    /// Those that start before.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Instant>,
    /// True: only those that can be booked now.
    free: Option<bool>,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    page: Page,
}

/// When a service can be had, earliest first. Needs no token.
#[utoipa::path(tag = "redemption", params(("goods_id" = GoodsId, Path), SlotQuery, Page), responses((status = 200, body = Listing<SlotView>)), security(()))]
#[get("/goods/{goods_id}/slots")]
async fn list_slots(
    state: State,
    caller: Option<Caller>,
    id: PathId<GoodsId>,
    params: Params<SlotQuery>,
) -> Result<web::Json<Listing<SlotView>>, Problem> {
    let subtree = caller.and_then(|caller| caller.staff().ok()).map(|staff| staff.subtree());
    query::good(state.db.read(), *id, subtree.as_ref()).await?;
    let SlotQuery { from, until, free, page } = params.checked()?;
    let now = state.clock.now();
    let filter = SlotFilter {
        goods: *id,
        from: from.map_or(now, Instant::get),
        until: until.map(Instant::get),
        free: free.unwrap_or(false).then_some(now),
    };
    let listing = slot::list(state.db.read(), &filter, &page).await?;
    Ok(web::Json(listing.map(SlotView::from)))
}

#[derive(Clone, Copy, Serialize, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct SlotBody {
    /// In the future, within two years.
    #[schema(value_type = chrono::DateTime<chrono::Utc>)]
    starts_at: Instant,
    /// After it starts, within a day.
    #[schema(value_type = chrono::DateTime<chrono::Utc>)]
    ends_at: Instant,
    /// How many can have it.
    #[validate(range(min = 1, max = 1000))]
    #[schema(minimum = 1, maximum = 1000)]
    capacity: i32,
}

#[derive(Clone, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
#[validate(schema(function = "hangs_together"))]
struct Weekly {
    /// ISO: 1 is Monday.
    #[validate(length(min = 1, max = 7), custom(function = "are_weekdays"))]
    #[schema(min_items = 1, max_items = 7)]
    weekdays: Vec<u8>,
    /// When the first slot of a day starts, local time.
    from: HourMinute,
    /// By when the last one ends.
    until: HourMinute,
    #[validate(range(min = 5, max = 1440))]
    #[schema(minimum = 5, maximum = 1440)]
    slot_minutes: i16,
    /// How many can have each.
    #[validate(range(min = 1, max = 1000))]
    #[schema(minimum = 1, maximum = 1000)]
    capacity: i32,
    /// The first local day.
    first_on: NaiveDate,
    /// The last one, at most a year later.
    last_on: NaiveDate,
}

fn are_weekdays(days: &[u8]) -> Result<(), ValidationError> {
    let fine = days.iter().enumerate().all(|(at, day)| (1..=7).contains(day) && !days[..at].contains(day));
    let words = "请填写 1（周一）到 7（周日）的数，各写一次";
    if fine { Ok(()) } else { Err(ValidationError::new("out_of_range").with_message(words.into())) }
}

fn hangs_together(weekly: &Weekly) -> Result<(), ValidationError> {
    let years = 2000..=9000;
    let days = weekly.last_on.signed_duration_since(weekly.first_on).num_days();
    if !years.contains(&weekly.first_on.year()) || !(0..MOST_DAYS).contains(&days) {
        return Err(fault("last_on", "out_of_range", "结束日期应不早于开始日期，且不超过一年"));
    }
    if weekly.from.minutes() + weekly.slot_minutes > weekly.until.minutes() {
        return Err(fault("until", "invalid", "这段时间内排不下一个时段，请延长结束时间或缩短时段"));
    }
    Ok(())
}

fn fault(field: &'static str, code: &'static str, words: &'static str) -> ValidationError {
    let mut error = ValidationError::new(code).with_message(Cow::Borrowed(words));
    error.add_param(Cow::Borrowed("field"), &field);
    error
}

#[derive(Clone, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
#[validate(schema(function = "one_way"))]
struct AddSlots {
    /// One by one. Instead of `weekly`.
    #[validate(length(min = 1, max = 500), nested)]
    #[schema(min_items = 1, max_items = 500)]
    slots: Option<Vec<SlotBody>>,
    /// By a pattern, at most 500 in all.
    #[validate(nested)]
    weekly: Option<Weekly>,
}

fn one_way(body: &AddSlots) -> Result<(), ValidationError> {
    match (&body.slots, &body.weekly) {
        (Some(_), None) | (None, Some(_)) => Ok(()),
        (None, None) => Err(fault("slots", "required", "请列出 slots，或给出 weekly")),
        (Some(_), Some(_)) => Err(fault("weekly", "invalid", "slots 与 weekly 只填一个")),
    }
}

impl AddSlots {
    /// The slots, written out.
    fn read(&self, state: &State, now: DateTime<Utc>) -> Result<Vec<NewSlot>, Problem> {
        if let Some(weekly) = &self.weekly {
            return weekly.read(state, now);
        }
        let bodies = self.slots.as_deref().unwrap_or_default();
        let mut slots: Vec<NewSlot> = Vec::with_capacity(bodies.len());
        for (at, body) in bodies.iter().enumerate() {
            let invalid = |field, words| Err(Problem::invalid(format!("slots[{at}].{field}"), "invalid", words));
            let (starts_at, ends_at) = (body.starts_at.get(), body.ends_at.get());
            if starts_at <= now || starts_at > now + TimeDelta::days(2 * MOST_DAYS) {
                return invalid("starts_at", "开始时间应在将来两年之内");
            }
            if ends_at <= starts_at || ends_at > starts_at + TimeDelta::days(1) {
                return invalid("ends_at", "结束时间应晚于开始时间，且不超过一天");
            }
            if slots.iter().any(|other| other.starts_at == starts_at) {
                return invalid("starts_at", "与前面的一个时段同时开始，请合并名额");
            }
            slots.push(NewSlot { starts_at, ends_at, capacity: body.capacity });
        }
        Ok(slots)
    }
}

impl Weekly {
    fn read(&self, state: &State, now: DateTime<Utc>) -> Result<Vec<NewSlot>, Problem> {
        let pattern = Pattern {
            weekdays: self.weekdays.clone(),
            from_minute: self.from.minutes(),
            until_minute: self.until.minutes(),
            slot_minutes: self.slot_minutes,
            capacity: self.capacity,
            first_on: self.first_on,
            last_on: self.last_on,
        };
        let slots = pattern.slots(state.calendar, now);
        let invalid = |words: String| Err(Problem::invalid("weekly.last_on", "invalid", words));
        match slots.len() {
            0 => invalid("这段日期内没有可用的时段，请核对星期与日期".to_owned()),
            count if count > MOST_SLOTS => invalid(format!("一次最多生成 {MOST_SLOTS} 个时段，请缩短日期范围")),
            _ => Ok(slots),
        }
    }
}

/// What was made.
#[derive(Serialize, ToSchema)]
struct SlotsMade {
    items: Vec<SlotView>,
}

/// Give a service times to book, one by one or by a weekly pattern; from then on it is had by booking only. For clerks.
///
/// 409 `not_a_service`, `slot_exists` where one starts at the same time.
#[utoipa::path(tag = "redemption", params(("goods_id" = GoodsId, Path)), request_body = AddSlots, responses((status = 201, body = SlotsMade)))]
#[post("/goods/{goods_id}/slots")]
async fn add_slots(state: State, id: PathId<GoodsId>, call: Call<AddSlots>) -> Result<HttpResponse, Problem> {
    let clerk = call.caller.clerk()?;
    let exists = async || Ok(goods::find_served(state.db.read(), &clerk, *id).await.map(drop)?);
    let (body, once) = call.admit(&exists).await?;
    let now = state.clock.now();
    let slots = match body.read(&state, now) {
        Ok(slots) => slots,
        Err(problem) => {
            exists().await?;
            return Err(problem);
        }
    };
    let slots: Vec<_> = slots.into_iter().map(|slot| (SlotId::new(), slot)).collect();
    let (witness, staff) = (Witness::default(), clerk.id);
    let seen = witness.clone();
    let answer = once
        .run(&state, StatusCode::CREATED, async move |txn| {
            let (rows, region) = seen.see(slot::add(txn, &clerk, *id, &slots, now).await)?;
            let event = AuditEvent::new(Actor::Staff(clerk.id), "goods.slots", "goods", now).of(*id).in_region(&region);
            audit::record(txn, event.with(json!({"slots": rows.len()}))).await?;
            Ok::<_, RedemptionError>(SlotsMade { items: rows.into_iter().map(SlotView::from).collect() })
        })
        .await;
    witness.testify(&state, staff, "goods.slots", now).await?;
    answer
}

#[derive(Clone, Copy, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct ChangeSlot {
    /// How many can have it; not below what is taken.
    #[validate(range(min = 1, max = 1000))]
    #[schema(minimum = 1, maximum = 1000)]
    capacity: Option<i32>,
    status: Option<SlotStatus>,
    /// Closing cancels the bookings: whole redemptions, so that points and goods go back, and tells the members.
    #[serde(default)]
    cancel_bookings: bool,
}

/// Change a slot's capacity, close it or open it again. For clerks of that station.
///
/// 409 `slot_booked` where more is taken than it would hold, or bookings stand against closing it.
#[utoipa::path(tag = "redemption", params(("slot_id" = SlotId, Path)), request_body = ChangeSlot, responses((status = 200, body = SlotView)))]
#[patch("/goods-slots/{slot_id}")]
async fn change_slot(state: State, id: PathId<SlotId>, call: Call<ChangeSlot>) -> Result<HttpResponse, Problem> {
    let clerk = call.caller.clerk()?;
    let exists = async || Ok(slot::find_served(state.db.read(), &clerk, *id).await.map(drop)?);
    let (body, once) = call.admit(exists).await?;
    let change = SlotChange { capacity: body.capacity, status: body.status, cancel_bookings: body.cancel_bookings };
    let moment = moment(&state, Actor::Staff(clerk.id));
    let (witness, staff) = (Witness::default(), clerk.id);
    let seen = witness.clone();
    let answer = once
        .run(&state, StatusCode::OK, async move |txn| {
            let (row, cancelled, region) = seen.see(slot::change(txn, &clerk, *id, &change, &moment).await)?;
            let event = AuditEvent::new(moment.actor, "slot.change", "goods_slot", moment.now).of(*id);
            let detail = json!({"capacity": row.capacity, "status": row.status, "cancelled": cancelled.len()});
            audit::record(txn, event.in_region(&region).with(detail)).await?;
            tell_cancelled(txn, &row, &cancelled, &moment).await?;
            Ok::<_, RedemptionError>(SlotView::from(row))
        })
        .await;
    witness.testify(&state, staff, "slot.change", moment.now).await?;
    answer
}

async fn tell_cancelled(txn: &Txn, slot: &Model, cancelled: &[Basket], moment: &Moment) -> Result<(), RedemptionError> {
    let when = moment.calendar.local(slot.starts_at).format("%-m 月 %-d 日 %H:%M");
    let words = format!("站点取消了您预约的 {when} 的服务，整笔兑换的积分已退回可用余额。请改约其他时段，或联系站点。");
    for basket in cancelled {
        tell(txn, &basket.row, "redemption.cancelled", "预约已取消", &words, moment.now).await?;
    }
    Ok(())
}
